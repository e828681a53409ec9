"""How the admin looks and what its sidebar offers (django-unfold)."""

from __future__ import annotations

from typing import Any

from django.apps import apps
from django.contrib import admin
from django.templatetags.static import static
from django.urls import reverse_lazy
from django.utils.translation import gettext_lazy as _

# Nothing of ours but what needs no model: settings import this module.


def _link(model: str) -> Any:
    return reverse_lazy(f"admin:{model}_changelist")


def _sees(model: str) -> Any:
    """A sidebar offers what its page would show, and nothing that would answer "forbidden"."""

    def allowed(request: Any) -> bool:
        app, name = model.split("_")
        page = admin.site.get_model_admin(apps.get_model(app, name))
        return bool(page.has_module_permission(request))

    return allowed


def _item(title: Any, icon: str, model: str) -> dict[str, Any]:
    return {"title": title, "icon": icon, "link": _link(model), "permission": _sees(model)}


UNFOLD: dict[str, Any] = {
    "SITE_TITLE": "Paravent",
    "SITE_HEADER": "Paravent",
    "SITE_SYMBOL": "shield",
    # There is no page in front of the admin to return to.
    "SITE_URL": None,
    "SHOW_VIEW_ON_SITE": False,
    "SHOW_LANGUAGES": True,
    "SHOW_BACK_BUTTON": True,
    "DASHBOARD_CALLBACK": "config.dashboard.callback",
    "SITE_FAVICONS": [
        {"rel": "icon", "type": "image/svg+xml", "href": lambda _request: static("paravent/favicon.svg")}
    ],
    "STYLES": [lambda _request: static("paravent/admin.css")],
    "SCRIPTS": [lambda _request: static("paravent/admin.js")],
    "ACCOUNT": {
        "navigation": [
            {"title": _("Second factor"), "link": reverse_lazy("mfa_index")},
            {"title": _("Where you are signed in"), "link": reverse_lazy("usersessions_list")},
        ]
    },
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
            {"items": [{"title": _("Today"), "icon": "today", "link": reverse_lazy("admin:index")}]},
            {
                "title": _("Numbers"),
                "items": [
                    _item(_("Hotlines"), "call", "hotlines_hotline"),
                    _item(_("Reply templates"), "translate", "replies_replytemplate"),
                    _item(_("Campaigns"), "campaign", "hotlines_campaign"),
                    _item(_("Public pages"), "web", "pages_page"),
                    _item(_("Kinds"), "category", "hotlines_ownkind"),
                    _item(_("Accounts"), "key", "hotlines_account"),
                    _item(_("Webhooks"), "webhook", "partners_endpoint"),
                    _item(_("Keys"), "vpn_key", "partners_apikey"),
                ],
            },
            {
                "title": _("Messages"),
                "items": [
                    _item(_("Conversations"), "forum", "conversations_conversation"),
                    _item(_("Blocks"), "block", "conversations_block"),
                    _item(_("Alerts"), "notifications", "shield_alert"),
                    _item(_("Changes of level"), "shield", "shield_levelchange"),
                    _item(_("Data requests"), "privacy_tip", "rights_datarequest"),
                    _item(_("Evidence exports"), "folder_zip", "evidence_export"),
                    _item(_("Shown numbers"), "visibility", "evidence_reveal"),
                    _item(_("Deliveries"), "outgoing_mail", "partners_delivery"),
                    _item(_("Changes by keys"), "api", "partners_apiwrite"),
                ],
            },
            {
                "title": _("People"),
                "items": [
                    _item(_("Organization"), "groups", "organizations_organization"),
                    _item(_("Trail"), "history", "organizations_trail"),
                    _item(_("Members"), "badge", "organizations_member"),
                    _item(_("Invitations"), "person_add", "organizations_invitation"),
                    _item(_("Users"), "person", "auth_user"),
                ],
            },
        ],
    },
}
