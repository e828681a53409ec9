"""How the API describes itself (OpenAPI 3.1); the settings of drf-spectacular."""

from __future__ import annotations

SPECTACULAR_SETTINGS = {
    "TITLE": "Paravent",
    "DESCRIPTION": "Hotline numbers to give away instead of one's own: which one to show now, and how they do.",
    "VERSION": "1",
    "OAS_VERSION": "3.1.0",
    "COMPONENT_SPLIT_REQUEST": True,
    "PREPROCESSING_HOOKS": ["partners.api.documents.only_ours"],
    "POSTPROCESSING_HOOKS": [
        "drf_spectacular.hooks.postprocess_schema_enums",
        "partners.api.documents.with_problems",
    ],
    "SERVE_INCLUDE_SCHEMA": False,
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "ENUM_NAME_OVERRIDES": {
        "LanguageEnum": "config.settings.LANGUAGES",
        "PurposeEnum": "replies.models.Purpose",
        "HotlineStateEnum": "hotlines.models.Hotline.State",
        "ServiceEnum": [("in_service", "in service"), ("suspended", "suspended")],
        "ConversationStateEnum": "partners.api.shapes.CONVERSATION_STATES",
        "ExportStateEnum": "partners.models.ExportJob.State",
    },
}
