"""Every address of the admin, for everybody: who may, who may not, and nothing of one organization for another.

The table below has an entry for each route that the resolver knows. A new route without an entry fails.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.contrib.contenttypes.models import ContentType
from django.urls import URLPattern, get_resolver, reverse
from tests.planted import (
    ACTORS,
    CANARY,
    Planted,
    assert_no_full_number,
    assert_nothing_of_the_north,
    everything,
    plant,
)

from hotlines.models import Campaign, Hotline, OwnKind
from organizations.models import Member, Trail
from pages.models import Page
from partners.models import ApiKey, ApiWrite
from privacy import datakeys


@pytest.fixture
def planted(db: None) -> Planted:
    return plant()


#: Who may is decided above any database; the forgeries, which write, are tried on both.
pytestmark = pytest.mark.once


# --- the table -------------------------------------------------------------------------------------------------------
Target = Callable[[Planted], Any]
OBJECTS: dict[str, Target] = {
    "auth_user": lambda p: p.stranger,
    "organizations_organization": lambda p: p.north.organization,
    "organizations_member": lambda p: Member.objects.get(user=p.north.viewer),
    "organizations_invitation": lambda p: p.invitation,
    "hotlines_hotline": lambda p: p.north.hotline,
    "hotlines_account": lambda p: p.north.account,
    "hotlines_campaign": lambda p: Campaign.objects.get(organization=p.north.organization),
    "hotlines_ownkind": lambda p: OwnKind.objects.get(organization=p.north.organization),
    "replies_replytemplate": lambda p: p.template,
    "conversations_conversation": lambda p: p.conversation,
    "conversations_block": lambda p: p.block,
    "rights_datarequest": lambda p: p.asked,
    "evidence_reveal": lambda p: p.reveal,
    "evidence_export": lambda p: p.export,
    "shield_alert": lambda p: p.alert,
    "organizations_trail": lambda p: Trail.objects.filter(organization=p.north.organization).latest("pk"),
    "shield_levelchange": lambda p: p.change,
    "partners_endpoint": lambda p: p.endpoint,
    "partners_delivery": lambda p: p.delivery,
    "partners_apikey": lambda p: ApiKey.objects.get(organization=p.north.organization),
    "partners_apiwrite": lambda p: ApiWrite.objects.get(organization=p.north.organization),
    "pages_page": lambda p: Page.objects.get(organization=p.north.organization),
}
# What GET answers to: owner, editor, viewer of the north; owner of the south; stranger; anonymous; operator.
_EVERYBODY = "200 200 200 200 200 302 200"
_OPERATOR_LIST = "403 403 403 403 403 302 200"
_LIST = "200 200 200 200 403 302 200"
_ROW = "200 200 200 404 404 302 200"
_OWN_LIST = "200 403 403 200 403 302 200"
_OWN_ROW = "200 404 404 404 404 302 200"
_NEVER_ROW = "403 403 403 404 404 302 403"
GET: dict[str, str] = {
    "index": _EVERYBODY,
    "login": "302 302 302 302 302 200 302",
    "logout": "405 405 405 405 405 302 405",
    "password_change": _EVERYBODY,
    "password_change_done": _EVERYBODY,
    "jsi18n": _EVERYBODY,
    "search": _EVERYBODY,
    "autocomplete": "403 403 403 403 403 302 403",
    "view_on_site": "404 404 404 404 404 302 404",
    "app_list:auth": "404 404 404 404 404 302 200",
    "app_list:organizations": "200 200 200 200 404 302 200",
    "app_list:hotlines": "200 200 200 200 404 302 200",
    "app_list:replies": "200 200 200 200 404 302 200",
    "app_list:conversations": "200 200 200 200 404 302 200",
    "auth_user_changelist": _OPERATOR_LIST,
    "auth_user_add": _OPERATOR_LIST,
    "auth_user_change": "404 404 404 404 404 302 200",
    "auth_user_history": "404 404 404 404 404 302 200",
    "auth_user_delete": "404 404 404 404 404 302 200",
    "auth_user_password_change": "404 404 404 404 404 302 200",
    "organizations_organization_changelist": "302 302 302 302 403 302 200",
    "organizations_organization_add": _OPERATOR_LIST,
    "organizations_organization_change": _ROW,
    "organizations_organization_history": _ROW,
    "organizations_organization_delete": _NEVER_ROW,
    "organizations_member_changelist": _LIST,
    "organizations_member_add": _OPERATOR_LIST,
    "organizations_member_change": _ROW,
    "organizations_member_history": _ROW,
    "organizations_member_delete": "200 403 403 404 404 302 200",
    "organizations_member_invite": "302 302 302 302 302 302 302",
    "organizations_invitation_changelist": "200 403 403 200 403 302 200",
    "organizations_invitation_add": "200 403 403 200 403 302 200",
    "organizations_invitation_change": "200 404 404 404 404 302 200",
    "organizations_invitation_history": "200 404 404 404 404 302 200",
    "organizations_invitation_delete": "200 404 404 404 404 302 200",
    "organizations_invitation_accept": "405 405 405 405 405 302 405",
    "hotlines_hotline_changelist": _LIST,
    "hotlines_hotline_add": "200 200 403 200 403 302 200",
    "hotlines_hotline_change": _ROW,
    "hotlines_hotline_history": _ROW,
    "hotlines_hotline_delete": _NEVER_ROW,
    "hotlines_hotline_change_state": "200 200 403 404 404 302 200",
    "hotlines_hotline_make_kind": "200 200 403 404 404 302 200",
    "hotlines_campaign_changelist": _LIST,
    "hotlines_campaign_add": "200 200 403 200 403 302 200",
    "hotlines_campaign_change": _ROW,
    "hotlines_campaign_history": _ROW,
    "hotlines_campaign_delete": "200 200 403 404 404 302 200",
    "hotlines_ownkind_changelist": _LIST,
    "hotlines_ownkind_add": "403 403 403 403 403 302 403",
    "hotlines_ownkind_change": _ROW,
    "hotlines_ownkind_history": _ROW,
    "hotlines_ownkind_delete": "200 200 403 404 404 302 200",
    "hotlines_hotline_guide": "200 200 200 404 404 302 200",
    "hotlines_hotline_webhook": "200 403 403 404 404 302 200",
    "hotlines_hotline_rotate_webhook": "200 403 403 404 404 302 200",
    "hotlines_hotline_reset_pins": "200 403 403 404 404 302 200",
    "hotlines_account_changelist": _LIST,
    "hotlines_account_add": "200 403 403 200 403 302 200",
    "hotlines_account_change": _ROW,
    "hotlines_account_history": _ROW,
    "hotlines_account_delete": _NEVER_ROW,
    "hotlines_account_resume_sending": "200 403 403 404 404 302 200",
    "hotlines_account_connection": "200 403 403 404 404 302 200",
    "replies_replytemplate_changelist": _LIST,
    "replies_replytemplate_add": "200 200 403 200 403 302 200",
    "replies_replytemplate_change": _ROW,
    "replies_replytemplate_history": _ROW,
    "replies_replytemplate_delete": "200 200 403 404 404 302 200",
    "replies_replytemplate_segments": "405 405 405 405 405 302 405",
    "replies_replytemplate_desk": "200 200 200 404 404 302 200",
    "replies_replytemplate_approve": "200 200 403 404 404 302 200",
    "replies_replytemplate_refuse": "200 200 403 404 404 302 200",
    "replies_replytemplate_again": "405 405 405 405 405 302 405",
    "replies_replytemplate_text_file": "200 200 200 404 404 302 200",
    "replies_replytemplate_of_kind": "405 405 405 405 405 302 405",
    "conversations_conversation_changelist": _LIST,
    "conversations_conversation_add": "403 403 403 403 403 302 403",
    "conversations_conversation_change": _ROW,
    "conversations_conversation_history": _ROW,
    "conversations_conversation_delete": _NEVER_ROW,
    "conversations_conversation_block": "200 200 403 404 404 302 200",
    "conversations_conversation_unblock": "200 200 403 404 404 302 200",
    "conversations_conversation_by_hand": "200 200 403 404 404 302 200",
    "conversations_conversation_mark_test": "200 200 403 404 404 302 200",
    "conversations_conversation_unmark_test": "200 200 403 404 404 302 200",
    "conversations_conversation_reveal": "200 200 200 404 404 302 200",
    "conversations_conversation_number": "403 403 403 404 404 302 403",
    "conversations_conversation_export": "200 200 200 404 404 302 200",
    "evidence_export_changelist": _LIST,
    "evidence_export_add": "403 403 403 403 403 302 403",
    "evidence_export_change": _ROW,
    "evidence_export_history": _ROW,
    "evidence_export_delete": _NEVER_ROW,
    "evidence_export_approve": "200 403 403 404 404 302 200",
    "evidence_export_take": "200 200 403 404 404 302 200",
    "evidence_export_zip": "403 403 403 404 404 302 403",
    "organizations_trail_changelist": "200 403 403 200 403 302 200",
    "organizations_trail_add": "403 403 403 403 403 302 403",
    "organizations_trail_change": "200 404 404 404 404 302 200",
    "organizations_trail_history": "200 404 404 404 404 302 200",
    "organizations_trail_delete": "403 404 404 404 404 302 403",
    "evidence_reveal_changelist": "200 403 403 200 403 302 200",
    "evidence_reveal_add": "403 403 403 403 403 302 403",
    "evidence_reveal_change": "200 404 404 404 404 302 200",
    "evidence_reveal_history": "200 404 404 404 404 302 200",
    "evidence_reveal_delete": "403 404 404 404 404 302 403",
    "conversations_conversation_hold": "200 200 403 404 404 302 200",
    "conversations_conversation_review": "200 200 403 404 404 302 200",
    "conversations_conversation_lift_hold": "200 403 403 404 404 302 200",
    "rights_datarequest_changelist": "200 200 403 200 403 302 200",
    "rights_datarequest_add": "403 403 403 403 403 302 403",
    "rights_datarequest_change": "200 200 404 404 404 302 200",
    "rights_datarequest_history": "200 200 404 404 404 302 200",
    "rights_datarequest_delete": "403 403 404 404 404 302 403",
    "rights_datarequest_letter": "302 302 302 302 302 302 302",
    "rights_datarequest_enter": "200 200 403 200 403 302 200",
    "rights_datarequest_data": "200 403 404 404 404 302 200",
    "rights_datarequest_download": "200 403 404 404 404 302 200",
    "rights_datarequest_erase": "200 403 404 404 404 302 200",
    "conversations_block_changelist": _LIST,
    "conversations_block_add": "403 403 403 403 403 302 403",
    "conversations_block_change": _ROW,
    "conversations_block_history": _ROW,
    "conversations_block_delete": _NEVER_ROW,
    "conversations_block_as_file": "302 302 302 302 302 302 302",
    "conversations_block_file": "200 200 403 200 403 302 200",
    "conversations_block_export": "200 200 404 404 404 302 200",
    "conversations_block_lift": "200 200 403 404 404 302 200",
    "app_list:shield": "200 200 200 200 404 302 200",
    "shield_alert_changelist": _LIST,
    "shield_alert_add": "403 403 403 403 403 302 403",
    "shield_alert_change": _ROW,
    "shield_alert_history": _ROW,
    "shield_alert_delete": _NEVER_ROW,
    "shield_levelchange_changelist": _LIST,
    "shield_levelchange_add": "403 403 403 403 403 302 403",
    "shield_levelchange_change": _ROW,
    "shield_levelchange_history": _ROW,
    "shield_levelchange_export": "200 200 200 404 404 302 200",
    "shield_levelchange_delete": _NEVER_ROW,
    "app_list:partners": "200 404 404 200 404 302 200",
    "partners_endpoint_changelist": _OWN_LIST,
    "partners_endpoint_add": _OWN_LIST,
    "partners_endpoint_change": _OWN_ROW,
    "partners_endpoint_history": _OWN_ROW,
    "partners_endpoint_delete": _OWN_ROW,
    "partners_endpoint_secret": _OWN_ROW,
    "partners_endpoint_test": _OWN_ROW,
    "partners_endpoint_pause": _OWN_ROW,
    "partners_endpoint_resume": _OWN_ROW,
    "partners_delivery_changelist": _OWN_LIST,
    "partners_delivery_add": "403 403 403 403 403 302 403",
    "partners_delivery_change": _OWN_ROW,
    "partners_delivery_history": _OWN_ROW,
    "partners_delivery_delete": "403 404 404 404 404 302 403",
    "partners_delivery_send_again": _OWN_ROW,
    "partners_apikey_changelist": _OWN_LIST,
    "partners_apikey_add": _OWN_LIST,
    "partners_apikey_change": _OWN_ROW,
    "partners_apikey_history": _OWN_ROW,
    "partners_apikey_delete": _OWN_ROW,
    "partners_apikey_rotate": _OWN_ROW,
    "partners_apikey_revoke": _OWN_ROW,
    "partners_apiwrite_changelist": _OWN_LIST,
    "partners_apiwrite_add": "403 403 403 403 403 302 403",
    "partners_apiwrite_change": _OWN_ROW,
    "partners_apiwrite_history": _OWN_ROW,
    "partners_apiwrite_delete": "403 404 404 404 404 302 403",
    "app_list:pages": "200 200 200 200 404 302 200",
    "pages_page_changelist": _LIST,
    "pages_page_add": "200 200 403 200 403 302 200",
    "pages_page_change": _ROW,
    "pages_page_history": _ROW,
    "pages_page_delete": "200 200 403 404 404 302 200",
    "pages_page_widget": _ROW,
}
#: Django's catch-all and its redirects from old addresses; tested below.
UNNAMED = 1 + len(OBJECTS)


def admin_routes() -> list[URLPattern]:
    resolver = next(entry for entry in get_resolver().url_patterns if getattr(entry, "namespace", None) == "admin")

    def walk(patterns: list[Any]) -> Iterator[URLPattern]:
        for pattern in patterns:
            if isinstance(pattern, URLPattern):
                yield pattern
            else:
                yield from walk(pattern.url_patterns)

    return list(walk(resolver.url_patterns))


def test_every_route_has_an_entry() -> None:
    routes = admin_routes()
    assert {route.name for route in routes if route.name} == {name.partition(":")[0] for name in GET}
    assert sum(route.name is None for route in routes) == UNNAMED


_OF_NO_ROW = {"changelist", "add", "segments", "invite", "as_file", "file"}


def address(name: str, planted: Planted, pk: int | None = None) -> str:
    """The address of a route for the north's row, or for the row `pk`."""
    route, _, app = name.partition(":")
    if app:
        return reverse("admin:app_list", kwargs={"app_label": app})
    if route == "view_on_site":
        return reverse(
            "admin:view_on_site", args=(ContentType.objects.get_for_model(Hotline).pk, pk or planted.north.hotline.pk)
        )
    if route == "conversations_block_export":
        return reverse(f"admin:{route}", args=(pk or planted.north.organization.pk,))
    model = next((model for model in OBJECTS if route.startswith(f"{model}_")), None)
    if model is None or route.removeprefix(f"{model}_") in {
        "changelist",
        "add",
        "segments",
        "invite",
        "as_file",
        "file",
        "enter",
        "letter",
    }:
        return reverse(f"admin:{route}")
    if route == "replies_replytemplate_again":
        return reverse(f"admin:{route}", args=(pk or planted.template.pk, 987654))
    if route in {"replies_replytemplate_text_file", "replies_replytemplate_desk"}:
        return reverse(f"admin:{route}", args=(pk or planted.north.hotline.pk, "fr"))
    if route == "replies_replytemplate_of_kind":
        return reverse(f"admin:{route}", args=(pk or planted.north.hotline.pk,))
    return reverse(f"admin:{route}", args=(pk or OBJECTS[model](planted).pk,))


def area(name: str) -> str:
    """What a route is about. One world is planted for all of them: none of what is tried here changes anything."""
    return next((model.partition("_")[0] for model in OBJECTS if name.startswith(f"{model}_")), name.partition(":")[0])


AREAS = sorted({area(name) for name in GET})


@pytest.mark.parametrize("about", AREAS)
def test_who_may_read_what(about: str, planted: Planted) -> None:
    names = [name for name in GET if area(name) == about]
    assert {name: answers_to_everybody(name, planted) for name in names} == {name: GET[name] for name in names}


def answers_to_everybody(name: str, planted: Planted) -> str:
    """The statuses, in the order of `ACTORS`; what each may see of the north is judged on the way."""
    answers, url = {}, address(name, planted)
    for actor in ACTORS:
        response = planted.client(actor).get(url)
        answers[actor] = str(response.status_code)
        assert_no_full_number(response)
        if actor in {"south", "stranger", "anonymous"}:
            assert_nothing_of_the_north(response, planted)
            if response.status_code == 404:
                # A row of the north and a row that does not exist: the same answer to the byte.
                absent = planted.client(actor).get(address(name, planted, 987654))
                assert (absent.status_code, absent.content) == (404, response.content)
        elif actor == "owner" and response.status_code == 200 and name.endswith(("_changelist", "_change")):
            # There is something that could have leaked.
            assert name.startswith("organizations_member") or CANARY.lower() in response.content.decode().lower()
    return " ".join(answers.values())


PAYLOAD = {
    "_form_submitted": "True",
    "reason": "because",
    "where": "everywhere",
    "state": "silent",
    "post": "yes",
    "name": "taken over",
    "label": "taken over",
    "text": "taken over",
    "language": "fr",
    "purpose": "reply",
    "step": "9",
    "role": "owner",
    "time_zone": "Europe/Paris",
    "username": "taken",
    "action": "delete_selected",
    "answer": "accept",
}


@pytest.mark.parametrize("about", [about for about in AREAS if about not in {"login", "logout"}])
def test_what_is_posted_from_outside_changes_nothing(about: str, planted: Planted) -> None:
    """Nor by a viewer, nor by an editor where only owners may, whatever the form says."""
    for name in GET:
        if area(name) == about:
            post_from_outside(name, planted)


def post_from_outside(name: str, planted: Planted) -> None:
    statuses = dict(zip(ACTORS, GET[name].split(), strict=True))
    before, users = (
        everything(planted.north.organization),
        list(User.objects.order_by("pk").values("pk", "username", "password")),
    )
    refused = [
        actor
        for actor in ACTORS
        if statuses[actor] in {"403", "404"} or actor in {"south", "stranger", "anonymous", "viewer"}
    ]
    for actor in refused:
        response = planted.client(actor).post(address(name, planted), {**PAYLOAD, "_selected_action": "1"})
        assert response.status_code in {200, 302, 400, 403, 404, 405}, (name, actor, response.status_code)
        if actor in {"south", "stranger", "anonymous"}:
            assert_nothing_of_the_north(response, planted)
        assert everything(planted.north.organization) == before, (name, actor)
    assert list(User.objects.order_by("pk").values("pk", "username", "password")) == users


@pytest.mark.parametrize("name", [name for name in GET if name.endswith("_changelist")])
def test_no_list_asks_the_database_often(name: str, planted: Planted, django_assert_max_num_queries: Any) -> None:
    for actor in ("owner", "operator"):
        client = planted.client(actor)
        datakeys.forget()
        with django_assert_max_num_queries(12):
            client.get(address(name, planted))


def test_old_addresses_and_unknown_ones_tell_nothing(planted: Planted) -> None:
    for model, target in OBJECTS.items():
        app, name = model.split("_")
        for pk in (target(planted).pk, 987654):
            response = planted.client("south").get(f"/admin/{app}/{name}/{pk}/")
            assert (response.status_code, response["Location"]) == (302, f"/admin/{app}/{name}/{pk}/change/")
    assert planted.client("south").get("/admin/nothing/here/").status_code == 404


def test_every_answer_to_a_signed_in_person_is_never_stored(planted: Planted) -> None:
    for name in ("index", "conversations_conversation_change", "hotlines_hotline_webhook", "jsi18n"):
        assert planted.client("owner").get(address(name, planted))["Cache-Control"] == "no-store"


def test_only_the_pages_that_say_what_to_enter_show_the_token(planted: Planted) -> None:
    token = planted.north.hotline.hook_token
    shown = set()
    for name in GET:
        if token in planted.client("owner").get(address(name, planted)).content.decode():
            shown.add(name)
    assert shown == {"hotlines_hotline_webhook", "hotlines_account_connection"}
