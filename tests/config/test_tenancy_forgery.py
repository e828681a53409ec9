"""Forged forms, filters, look-ups and searches: what the admin's pages do not offer is not there to be asked for."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from django.db import models
from django.urls import reverse
from tests.planted import CANARY, ROWS, Planted, assert_nothing_of_the_north, everything, plant

from conversations.models import Block, Conversation
from hotlines.models import Account, Hotline
from organizations.models import Invitation, Member, Organization
from replies.models import ReplyTemplate

pytestmark = pytest.mark.once  # what a form takes


@pytest.fixture
def planted(db: None) -> Planted:
    return plant()


FOREIGN: list[tuple[str, Callable[[Planted], dict[str, Any]]]] = [
    (
        "hotlines_hotline_add",
        lambda p: {
            "name": "mine",
            "number": "+33937000055",
            "account": p.north.account.pk,
            "kind": "lgbt",
            "languages": ["fr"],
            "default_language": "fr",
            "countries": ["FR"],
        },
    ),
    (
        "replies_replytemplate_add",
        lambda p: {"hotline": p.north.hotline.pk, "purpose": "reply", "step": 7, "language": "fr", "text": "mine"},
    ),
    (
        "organizations_invitation_add",
        lambda p: {"organization": p.north.organization.pk, "name": "mine", "role": "owner"},
    ),
    ("hotlines_account_add", lambda p: {"organization": p.north.organization.pk, "label": "mine", "provider": "plivo"}),
    (
        "organizations_member_add",
        lambda p: {"organization": p.north.organization.pk, "user": p.stranger.pk, "role": "owner"},
    ),
]


@pytest.mark.parametrize(("route", "payload"), FOREIGN, ids=[route for route, _ in FOREIGN])
def test_a_forged_form_cannot_reach_into_another_organization(
    route: str, payload: Callable[[Planted], dict[str, Any]], planted: Planted
) -> None:
    before = everything(planted.north.organization)
    response = planted.client("south").post(reverse(f"admin:{route}"), payload(planted))
    assert_nothing_of_the_north(response, planted)
    assert everything(planted.north.organization) == before


def test_a_forged_change_cannot_move_a_row_or_point_it_elsewhere(planted: Planted) -> None:
    south, north = planted.world.south, planted.north
    client = planted.client("south")
    template = ReplyTemplate.objects.filter(hotline=south.hotline).first()
    assert template is not None
    fields = {"hotline": north.hotline.pk, "purpose": "reply", "step": 1, "language": "en", "text": "x"}
    fields["organization"] = north.organization.pk
    response = client.post(reverse("admin:replies_replytemplate_change", args=(template.pk,)), fields)
    assert response.status_code == 200
    template.refresh_from_db()
    assert (template.organization_id, template.hotline_id) == (south.organization.pk, south.hotline.pk)
    page = reverse("admin:hotlines_hotline_change_state", args=(south.hotline.pk,))
    state = {"_form_submitted": "True", "state": "suspended", "reason": "r", "successor": north.hotline.pk}
    assert client.post(page, state).status_code == 200
    south.hotline.refresh_from_db()
    assert (south.hotline.state, south.hotline.successor) == ("active", None)


def test_a_member_of_two_organizations_cannot_mix_them(planted: Planted) -> None:
    south, north = planted.world.south, planted.north
    Member.objects.create(organization=north.organization, user=south.owner, role="editor")
    client = planted.client("south")
    fields = {"purpose": "reply", "step": 8, "language": "fr", "text": "x"}
    mixed = {**fields, "organization": south.organization.pk, "hotline": north.hotline.pk}
    response = client.post(reverse("admin:replies_replytemplate_add"), mixed)
    assert response.status_code == 200
    assert not ReplyTemplate.objects.filter(step=8).exists()
    straight = {**fields, "organization": south.organization.pk, "hotline": south.hotline.pk}
    assert client.post(reverse("admin:replies_replytemplate_add"), straight).status_code == 302
    assert ReplyTemplate.objects.get(step=8).organization == south.organization


def test_filters_of_a_foreign_row_answer_like_those_of_an_absent_one(planted: Planted) -> None:
    client = planted.client("south")
    for route, lookup in (
        ("conversations_conversation", "hotline__id__exact"),
        ("conversations_block", "conversation__hotline__id__exact"),
        ("replies_replytemplate", "hotline__id__exact"),
    ):
        page = reverse(f"admin:{route}_changelist")
        foreign, absent = (
            re.sub(r"<[^>]*>", "", client.get(page, {lookup: pk}).content.decode())
            for pk in (planted.north.hotline.pk, 987654)
        )
        assert foreign == absent


@pytest.mark.parametrize(
    "model", [Hotline, Account, ReplyTemplate, Conversation, Block, Member, Organization, Invitation]
)
def test_no_column_can_be_read_letter_by_letter(model: type[models.Model], planted: Planted) -> None:
    """`?hook_token__startswith=a` would spell the token out; Django itself allows every local field."""
    client = planted.client("operator")
    page = reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")
    for field in model._meta.concrete_fields:
        assert client.get(page, {f"{field.name}__startswith": "a"}).status_code == 400, field.name
        assert client.get(page, {f"{field.name}__gt": "0"}).status_code == 400, field.name


def test_autocomplete_offers_nothing_of_another_organization(planted: Planted) -> None:
    client, asked = planted.client("south"), 0
    for model in ROWS:
        for field in model._meta.concrete_fields:
            if field.remote_field is None:
                continue
            query = {"app_label": model._meta.app_label, "model_name": model._meta.model_name, "field_name": field.name}
            response = client.get(reverse("admin:autocomplete"), {**query, "term": ""})
            assert_nothing_of_the_north(response, planted)
            asked += response.status_code == 200
    assert asked > 3


def test_search_finds_nothing_of_another_organization(planted: Planted) -> None:
    for route, term in (
        ("conversations_conversation", planted.conversation.pseudonym),
        ("hotlines_hotline", CANARY),
        ("replies_replytemplate", CANARY),
    ):
        page = reverse(f"admin:{route}_changelist")
        found = planted.client("owner").get(page, {"q": term}).context["cl"].result_count
        assert found > 0
        response = planted.client("south").get(page, {"q": term})
        assert response.context["cl"].result_count == 0
