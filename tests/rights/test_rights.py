"""Who texts the code from his phone sees what is stored about him, and can have it erased; nobody else can."""

from __future__ import annotations

import datetime
import json
import re
from typing import Any

import pytest
from django.core import mail
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st
from tests.signing import post_message
from tests.world import SENDER, Tenant, World, message_fields
from tests.writing import write

from conversations import blocks, holds
from conversations.models import Block, Conversation, Message, Reply
from conversations.words import Disposition
from hotlines.models import Hotline
from outbox import sweeps
from rights import codes, erasing
from rights.models import DataRequest

OTHER = "33612345670"
HOUR = datetime.timedelta(hours=1)


def begun(tenant: Tenant, client: Client | None = None) -> tuple[Client, str, str]:
    """A visitor, his page, and the code that stands on it."""
    visitor = client or Client()
    response = visitor.post(reverse("rights:begin", args=[tenant.hotline.uuid]))
    assert response.status_code == 302
    page = response["Location"]
    shown = re.search(r"PV-[0-9A-Z]{4}-[0-9A-Z]{4}", visitor.get(page).content.decode())
    assert shown is not None
    return visitor, page, shown[0]


def proven(tenant: Tenant, sender: str = SENDER) -> tuple[Client, str]:
    visitor, page, code = begun(tenant)
    write(tenant, code, sender=sender)
    return visitor, page


# --- codes ----------------------------------------------------------------------------------------------------------
@given(secret=st.text(), spaces=st.sampled_from(["", " ", "-", "  ", " - "]), lower=st.booleans())
def test_a_code_is_understood_however_it_is_typed(secret: str, spaces: str, lower: bool) -> None:
    secret = secret.encode("utf-8", "ignore").decode()
    code = codes.of_page(secret)
    typed = f" {codes.written(code).replace('-', spaces)}."
    typed = typed.replace("0", "o").replace("1", "l")
    typed = typed.lower() if lower else typed
    assert codes.looks_like_one(typed) == (len(typed) <= 24)
    if len(typed) <= 24:
        assert codes.bare(typed) == code


@pytest.mark.parametrize(
    "text", ["", "PV", "PV-7K3M-Q2Z", "PV-7K3M-Q2ZTX", "salut PV-7K3M-Q2ZT", "PV-7K3M-Q2ZU", "7K3MQ2ZT"]
)
def test_what_is_no_code_is_none(text: str) -> None:
    assert not codes.looks_like_one(text)


# --- access ---------------------------------------------------------------------------------------------------------
def test_the_person_sees_his_messages_and_nobody_elses(world: World) -> None:
    north = world.north
    write(north, "T’es où ?")
    write(north, "a text of another sender", sender=OTHER)
    write(world.south, "a text for another organization")
    sweeps.release_replies()
    visitor, page = proven(north)
    shown = visitor.get(page).content.decode()
    assert "T’es où ?" in shown
    assert f"+{SENDER}" in shown
    assert "of another sender" not in shown
    assert "another organization" not in shown
    file = json.loads(visitor.get(f"{page}data.json").content)
    (conversation,) = file["conversations"]
    assert (conversation["your_number"], conversation["messages_received"]) == (f"+{SENDER}", 1)
    assert [message["text"] for message in conversation["messages"]] == ["T’es où ?"]


def test_a_code_is_never_answered_and_costs_nothing(world: World) -> None:
    north = world.north
    _visitor, _page, code = begun(north)
    replies = Reply.objects.count()
    message = write(north, code)
    assert (message.disposition, message.text_sealed, message.conversation) == (Disposition.INSTRUCTION, None, None)
    assert Reply.objects.count() == replies
    assert not Conversation.objects.exists()


def test_a_blocked_and_a_stopped_sender_can_ask(world: World) -> None:
    north = world.north
    conversation = write(north, "Salut").conversation
    assert conversation is not None
    blocks.block_conversation(conversation, north.owner, "insults")
    write(north, "STOP", sender=OTHER)
    for sender in (SENDER, OTHER):
        visitor, page = proven(north, sender)
        assert f"+{sender}" in visitor.get(page).content.decode()


def test_who_never_wrote_is_told_that_nothing_is_stored(world: World) -> None:
    visitor, page = proven(world.north)
    assert "Nothing is stored" in visitor.get(page, headers={"accept-language": "en"}).content.decode()


def test_before_the_code_has_come_nothing_is_shown(world: World) -> None:
    write(world.north, "Salut")
    visitor, page, _code = begun(world.north)
    assert "Salut" not in visitor.get(page).content.decode()
    assert visitor.get(f"{page}data.json").status_code == 404
    assert visitor.post(f"{page}erase/").status_code == 404


def test_the_code_of_another_organization_proves_nothing(world: World) -> None:
    visitor, page, code = begun(world.north)
    message = write(world.south, code)
    assert message.disposition == Disposition.ANSWERED
    assert DataRequest.objects.get().proven_at is None
    assert "data.json" not in visitor.get(page).content.decode()


def test_a_code_is_good_once_and_for_an_hour(world: World) -> None:
    north = world.north
    visitor, page, code = begun(north)
    write(north, code)
    first = DataRequest.objects.get()
    write(north, code, sender=OTHER)
    assert bytes(DataRequest.objects.get().sender_key or b"") == bytes(first.sender_key or b"")
    DataRequest.objects.update(proven_at=timezone.now() - HOUR)
    assert visitor.get(page).status_code == 404
    DataRequest.objects.update(proven_at=None, sender_key=None, created_at=timezone.now() - HOUR)
    assert visitor.get(page).status_code == 404
    assert write(north, code).disposition == Disposition.ANSWERED


def test_three_times_a_day_and_no_more(world: World) -> None:
    for _ in range(4):
        proven(world.north)
    assert DataRequest.objects.filter(proven_at__isnull=False).count() == 3
    proven(world.north, OTHER)
    assert DataRequest.objects.filter(proven_at__isnull=False).count() == 4


def test_the_same_delivery_again_changes_nothing(world: World) -> None:
    north = world.north
    _visitor, _page, code = begun(north)
    fields = message_fields(north.hotline, code)
    assert [post_message(north.hotline, fields, north.token).status_code for _ in range(3)] == [200] * 3
    assert Message.objects.count() == 1


def test_a_draft_has_no_page_and_too_many_codes_are_refused(world: World) -> None:
    Hotline.objects.filter(pk=world.south.hotline.pk).update(state="draft")
    assert Client().get(reverse("rights:begin", args=[world.south.hotline.uuid])).status_code == 404
    for _ in range(20):
        begun(world.north)
    refused = Client().post(reverse("rights:begin", args=[world.north.hotline.uuid]))
    assert refused.status_code == 429
    assert DataRequest.objects.count() == 20


def test_no_page_of_it_is_kept_by_a_cache_or_told_to_another_site(world: World) -> None:
    visitor, page = proven(world.north)
    for url in (page, f"{page}data.json", reverse("rights:begin", args=[world.north.hotline.uuid])):
        response = visitor.get(url)
        assert "no-store" in response["Cache-Control"]
        assert response["Referrer-Policy"] == "same-origin"


# --- erasure --------------------------------------------------------------------------------------------------------
def wished(tenant: Tenant) -> tuple[Client, str]:
    visitor, page = proven(tenant)
    assert visitor.post(f"{page}erase/").status_code == 302
    return visitor, page


def test_texts_and_number_are_erased_within_a_day_and_counts_stay(world: World) -> None:
    north, now = world.north, timezone.now()
    message, other = write(north, "T’es où ?"), write(north, "hello", sender=OTHER)
    assert message.conversation is not None
    blocks.block_everywhere(message.conversation, north.owner, "insults")
    wished(north)
    assert erasing.erase_on_request(now + 19 * HOUR) == 0
    assert erasing.erase_on_request(now + 21 * HOUR) == 1
    assert erasing.erase_on_request(now + 22 * HOUR) == 0
    message.refresh_from_db()
    other.refresh_from_db()
    conversation = Conversation.objects.get(pk=message.conversation_id)
    assert (message.text_sealed, conversation.sender_sealed, conversation.language) == (None, None, "")
    assert Block.objects.get().sender_sealed is None
    assert (conversation.messages_received, conversation.slots_used) == (1, 1)
    assert not Reply.objects.filter(conversation=conversation).exclude(state="dropped", text_sealed=None).exists()
    assert other.text == "hello"
    assert write(north, "again").disposition == Disposition.BLOCKED


def test_what_is_held_is_not_erased_and_the_page_says_so(world: World) -> None:
    north = world.north
    message = write(north, "I will find you")
    assert message.conversation is not None
    visitor, page = wished(north)
    holds.hold(message.conversation, north.owner, "threats")
    DataRequest.objects.update(erase_at=timezone.now())
    assert erasing.erase_on_request() == 1
    message.refresh_from_db()
    assert message.text == "I will find you"
    assert DataRequest.objects.get().kept == 1
    assert "17.3.e" in visitor.get(page).content.decode()


def test_the_organization_is_told_in_time_without_a_word_about_whom(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    north = world.north
    north.organization.alert_email = "team@example.org"
    north.organization.save()
    write(north, "T’es où ?")
    wished(north)
    sweep = sweeps.find("erase_on_request")
    assert sweep is not None
    sweep.run()
    sweep.run()
    (told,) = mail.outbox
    assert SENDER not in told.body
    assert "T’es où" not in told.body
    assert Conversation.objects.get().pseudonym not in told.body


def test_a_mail_that_did_not_leave_is_tried_again(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    north = world.north
    north.organization.alert_email = "team@example.org"
    north.organization.save()
    write(north)
    wished(north)
    monkeypatch.setattr(erasing.alerts, "mail", lambda *_: False)
    erasing.erase_on_request()
    assert DataRequest.objects.get().told_at is None


def test_pages_that_nobody_proved_anything_on_are_forgotten(world: World) -> None:
    begun(world.north)
    proven(world.north)
    erasing.erase_on_request(timezone.now() + 25 * HOUR)
    assert [asked.proven_at is not None for asked in DataRequest.objects.all()] == [True]
    erasing.erase_on_request(timezone.now() + 367 * 24 * HOUR)
    assert not DataRequest.objects.exists()


def test_one_that_fails_keeps_no_other_waiting(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    for tenant in (world.north, world.south):
        write(tenant)
        wished(tenant)
    DataRequest.objects.update(erase_at=timezone.now())
    original: Any = erasing.retention.erase_conversations

    def failing(organization_id: int, *arguments: Any) -> int:
        if organization_id == world.north.organization.pk:
            raise RuntimeError
        return int(original(organization_id, *arguments))

    monkeypatch.setattr(erasing.retention, "erase_conversations", failing)
    assert erasing.erase_on_request() == 1
    assert {asked.organization: asked.erased_at is None for asked in DataRequest.objects.all()} == {
        world.north.organization: True,
        world.south.organization: False,
    }
