"""Two organizations of which one is full of words that the other must never read."""

from __future__ import annotations

import datetime
import re
from dataclasses import dataclass
from typing import Any

from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import User
from django.db import models
from django.test import Client
from django.utils import timezone
from tests.signing import post_message
from tests.world import Tenant, World, build_world, message_fields

from conversations import blocks
from conversations.models import Block, Conversation, Message, Reply
from evidence.models import Export, Reveal
from hotlines import lifecycle
from hotlines.models import Account, Campaign, EndpointPin, Hotline, StateChange
from organizations.models import Invitation, Member, Organization
from outbox import sweeps
from pages.models import Page
from partners import events, signing
from partners.models import ApiKey, ApiWrite, Delivery, Endpoint
from replies.models import ReplyTemplate
from rights.models import DataRequest
from shield.models import Alert, LevelChange

ACTORS = ("owner", "editor", "viewer", "south", "stranger", "anonymous", "operator")
NORTH_SENDER, SOUTH_SENDER = "33639980123", "33639980456"
#: Stands in every name, text and reason of the north, and nowhere else.
CANARY = "Zanzibar"
YEAR = datetime.timedelta(days=365)


@dataclass
class Planted:
    world: World
    stranger: User
    conversation: Conversation
    template: ReplyTemplate
    invitation: Invitation
    block: Block
    alert: Alert
    change: LevelChange
    endpoint: Endpoint
    delivery: Delivery
    asked: DataRequest
    reveal: Reveal
    export: Export
    south_conversation: Conversation

    @property
    def north(self) -> Tenant:
        return self.world.north

    def client(self, actor: str) -> Client:
        client = Client()
        users = {**self.north.members, "south": self.world.south.owner, "stranger": self.stranger}
        user = self.world.operator if actor == "operator" else users.get(actor)
        if user is not None:
            client.force_login(user)
        return client

    def canaries(self) -> list[str]:
        north = self.north
        return [
            CANARY,
            north.hotline.number,
            north.hotline.hook_token,
            self.conversation.pseudonym,
            north.owner.username,
            north.owner.email,
            north.token,
            self.endpoint.secret,
        ]


def plant() -> Planted:
    world = build_world()
    north, south = world.north, world.south
    Organization.objects.filter(pk=north.organization.pk).update(name=f"{CANARY} aid", alert_email="a@zanzibar.example")
    Hotline.objects.filter(pk=north.hotline.pk).update(name=f"{CANARY} line", state_reason=f"{CANARY} reason")
    Account.objects.filter(pk=north.account.pk).update(label=f"{CANARY} account")
    ReplyTemplate.objects.filter(organization=north.organization).update(text=f"Text of {CANARY}.")
    for actor, user in north.members.items():
        User.objects.filter(pk=user.pk).update(username=f"{CANARY}-{actor}", email=f"{actor}@zanzibar.example")
        user.refresh_from_db()
    for tenant, sender in ((north, NORTH_SENDER), (south, SOUTH_SENDER)):
        for number in range(2):
            text = f"{tenant.organization.name} {CANARY if tenant is north else ''} {number}"
            assert (
                post_message(tenant.hotline, message_fields(tenant.hotline, text, sender), tenant.token).status_code
                == 200
            )
    sweeps.release_replies()
    conversation = Conversation.objects.get(hotline=north.hotline)
    block = blocks.block_conversation(conversation, north.editor, f"{CANARY} insults")
    blocks.block_everywhere(conversation, north.editor, f"{CANARY} threats")
    invitation = Invitation.objects.create(
        organization=north.organization, name=f"{CANARY.lower()}@invited.example", role="viewer", invited_by=north.owner
    )
    change = LevelChange.objects.create(
        organization=north.organization,
        hotline=north.hotline,
        at=timezone.now(),
        before="normal",
        after="raid",
        cause="arrivals",
        figures={"new_in_bin": 40, "new_in_hour": 60, "usual_in_bin": 1.2, "largest_text": 0, "groups": 0},
    )
    alert = Alert.objects.create(
        kind="loop", key="north", organization=north.organization, hotline=north.hotline, at=timezone.now()
    )
    endpoint = Endpoint(organization=north.organization, label=f"{CANARY} hook", url="https://hooks.example.org/")
    endpoint.secret = signing.new_shared()
    endpoint.save()
    Campaign.objects.create(organization=north.organization, name=f"{CANARY} campaign")
    lifecycle.make_kind(north.hotline, f"{CANARY} kind")
    Page.objects.create(
        organization=north.organization, slug="zanzibar", name=f"{CANARY} page", hotline=north.hotline, published=True
    )
    key = ApiKey(organization=north.organization, label=f"{CANARY} key", expires_at=timezone.now() + YEAR)
    key.new_secret()
    key.save()
    ApiWrite.objects.create(
        organization=north.organization,
        key=key,
        method="PATCH",
        path=f"/api/v1/{CANARY}/",
        request_digest="x",
        status=200,
    )
    template = ReplyTemplate.objects.filter(hotline=north.hotline).first()
    assert template is not None
    for row in (north.organization, north.hotline, conversation, template, block):
        LogEntry.objects.log_actions(north.owner.pk, [row], 2, f"{CANARY} history", single_object=True)
    north.hotline.refresh_from_db()
    return Planted(
        world,
        User.objects.create_user("stranger", "stranger@example.org", "pw"),
        conversation,
        template,
        invitation,
        block,
        alert,
        change,
        endpoint,
        events.write_test(endpoint, timezone.now()),
        DataRequest.objects.create(
            organization=north.organization,
            channel="letter",
            reference=f"{CANARY} letter",
            created_at=timezone.now(),
            proven_at=timezone.now(),
            conversations=[conversation.pk],
        ),
        Reveal.objects.create(
            organization=north.organization,
            conversation_id=conversation.pk,
            pseudonym=conversation.pseudonym,
            user_id=north.owner.pk,
            user_name=f"{CANARY}-owner",
            reason="court",
            note=f"{CANARY} note",
            at=timezone.now(),
        ),
        Export.objects.create(
            organization=north.organization,
            conversation=conversation,
            name=conversation.pseudonym,
            reason=f"{CANARY} complaint",
            asked_by=north.owner,
            asked_at=timezone.now(),
        ),
        Conversation.objects.get(hotline=south.hotline),
    )


def assert_nothing_of_the_north(response: Any, planted: Planted) -> None:
    shown = response.content.decode() + repr(sorted(response.headers.items())) + repr(response.cookies)
    assert [canary for canary in planted.canaries() if canary.lower() in shown.lower()] == []


def assert_no_full_number(response: Any) -> None:
    digits = re.sub(r"[\s.\-]|&nbsp;", "", response.content.decode())
    assert NORTH_SENDER[2:] not in digits
    assert SOUTH_SENDER[2:] not in digits


ROWS: dict[type[models.Model], str] = {
    Organization: "pk",
    Member: "organization",
    Invitation: "organization",
    Account: "organization",
    Hotline: "organization",
    EndpointPin: "hotline__organization",
    ReplyTemplate: "organization",
    Conversation: "organization",
    Message: "organization",
    Reply: "organization",
    Block: "organization",
    Alert: "organization",
    Endpoint: "organization",
    ApiKey: "organization",
    ApiWrite: "organization",
    Page: "organization",
    Delivery: "organization",
    StateChange: "organization",
}


def everything(organization: Organization) -> dict[str, list[dict[str, Any]]]:
    """All rows of an organization, to compare."""
    return {
        model.__name__: list(model._default_manager.filter(**{path: organization.pk}).order_by("pk").values())
        for model, path in ROWS.items()
    }
