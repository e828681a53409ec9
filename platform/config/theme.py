"""How the admin looks and what its sidebar offers (django-unfold)."""

from __future__ import annotations

from typing import Any

from django.urls import reverse_lazy
from django.utils.translation import gettext_lazy as _


def _link(model: str) -> Any:
    return reverse_lazy(f"admin:{model}_changelist")


def _is_operator(request: Any) -> bool:
    return bool(request.user.is_superuser)


UNFOLD: dict[str, Any] = {
    "SITE_TITLE": "Paravent",
    "SITE_HEADER": "Paravent",
    "SITE_SYMBOL": "shield",
    "SHOW_LANGUAGES": True,
    "SHOW_BACK_BUTTON": True,
    "BORDER_RADIUS": "8px",
    "COLORS": {
        "primary": {
            "50": "#f2f5fb",
            "100": "#e1e9f5",
            "200": "#c9d7ee",
            "300": "#a3bbe1",
            "400": "#7798d2",
            "500": "#567ac4",
            "600": "#4261b0",
            "700": "#39508f",
            "800": "#334577",
            "900": "#2d3c63",
            "950": "#1d263f",
        }
    },
    "SIDEBAR": {
        "show_search": False,
        "show_all_applications": False,
        "navigation": [
            {
                "title": _("Numbers"),
                "items": [
                    {"title": _("Hotlines"), "icon": "call", "link": _link("hotlines_hotline")},
                    {"title": _("Reply templates"), "icon": "translate", "link": _link("replies_replytemplate")},
                    {"title": _("Accounts"), "icon": "key", "link": _link("hotlines_account")},
                ],
            },
            {
                "title": _("Messages"),
                "items": [
                    {"title": _("Conversations"), "icon": "forum", "link": _link("conversations_conversation")},
                    {"title": _("Blocks"), "icon": "block", "link": _link("conversations_block")},
                ],
            },
            {
                "title": _("Organization"),
                "items": [
                    {"title": _("Organization"), "icon": "groups", "link": _link("organizations_organization")},
                    {"title": _("Members"), "icon": "badge", "link": _link("organizations_member")},
                    {
                        "title": _("Users"),
                        "icon": "person",
                        "link": _link("auth_user"),
                        "permission": _is_operator,
                    },
                ],
            },
        ],
    },
}
