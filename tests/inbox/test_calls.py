"""A call: what the caller hears, what is counted, and what follows by SMS; over the webhook, as Plivo asks."""

from __future__ import annotations

import datetime
import decimal
import uuid
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode
from xml.etree import ElementTree as ET

import pytest
import time_machine
from django.db import OperationalError
from django.test import Client
from hypothesis import given
from hypothesis import strategies as st
from tests.inbox.webhook import deliver, headers_of, path_of
from tests.signing import FORM
from tests.world import SENDER, Tenant, World, message_fields

from conversations.models import Block, Conversation, Message, Reply
from hotlines.models import Account, Hotline
from inbox import calls, drain, spool
from outbox import release
from providers.base import Speech
from providers.plivo_calls import PlivoCalls
from replies.models import ReplyTemplate
from shield import ledger
from shield.models import HotlineLevel, Spending

NOON = datetime.datetime(2026, 11, 2, 12, tzinfo=datetime.UTC)
HOUR = datetime.timedelta(hours=1)
BUSY = '<Response><Hangup reason="busy"/></Response>'


@pytest.fixture(autouse=True)
def clock() -> Iterator[Any]:
    with time_machine.travel(NOON, tick=False) as clock:
        yield clock


@pytest.fixture
def north(world: World) -> Tenant:
    """It speaks, in French and in English, for 0.02 a minute."""
    Account.objects.filter(pk=world.north.account.pk).update(price_call=decimal.Decimal("0.02"))
    for language, text in (("fr", "Laissez cette personne tranquille."), ("en", "Leave this person alone.")):
        ReplyTemplate.objects.create(
            organization=world.north.organization,
            hotline=world.north.hotline,
            purpose="voice",
            language=language,
            text=text,
        )
    return set_to(world.north, calls="speak")


def set_to(tenant: Tenant, **changes: Any) -> Tenant:
    Hotline.objects.filter(pk=tenant.hotline.pk).update(**changes)
    tenant.hotline.refresh_from_db()
    tenant.hotline.save()  # so that the webhook forgets what it knew
    return tenant


def asked(caller: str = SENDER, call: str = "", **changes: str) -> dict[str, str]:
    """What Plivo posts when somebody calls."""
    return {
        "CallUUID": call or str(uuid.uuid4()),
        "From": caller,
        "To": "33937000001",
        "CallStatus": "ringing",
        "Direction": "inbound",
        "BillRate": "0.00850",
        **changes,
    }


def post(tenant: Tenant, fields: dict[str, str], scheme: str = "v3", token: str = "") -> Any:
    path = path_of(tenant.hotline, "call")
    headers = headers_of(path, fields, token or tenant.token, scheme=scheme)

    return Client().generic("POST", path, urlencode(fields), content_type=FORM, headers=headers)


def answer(tenant: Tenant, fields: dict[str, str] | None = None) -> str:
    """The XML that Plivo gets; it is well-formed, and Plivo's."""
    response = post(tenant, fields or asked())
    assert response.status_code == 200
    assert response["Content-Type"] == "application/xml"
    assert ET.fromstring(response.content).tag == "Response"
    return str(response.content.decode())


def heard(tenant: Tenant, fields: dict[str, str] | None = None) -> str:
    """The words that the caller hears; "" for the busy tone."""
    said = answer(tenant, fields)
    if said == BUSY:
        return ""
    response = ET.fromstring(said)
    assert [element.tag for element in response] == ["Speak", "Hangup"]
    return response[0].text or ""


# --- what the caller gets ---------------------------------------------------------------------------------------------
def test_by_default_a_caller_hears_the_busy_tone_and_nothing_follows(world: World) -> None:
    assert heard(world.north) == ""
    message = Message.objects.get()
    assert (message.channel, message.disposition, message.reason) == ("call", "not_answerable", "calls are rejected")
    assert (message.units, message.text_sealed) == (0, None)
    assert Conversation.objects.get().slots_used == Reply.objects.count() == 0


def test_a_caller_gets_the_reply_by_sms(world: World) -> None:
    assert heard(set_to(world.north, calls="text")) == ""
    reply = Reply.objects.get()
    assert (reply.channel, reply.state, reply.slot) == ("sms", "pending", 1)
    assert release.release_due(NOON) == 1
    reply.refresh_from_db()
    assert reply.text == "Réponse de North."


def test_a_caller_hears_the_message_and_it_is_booked(north: Tenant) -> None:
    assert heard(north, asked(call="c-1")) == "Laissez cette personne tranquille."
    reply = Reply.objects.get()
    assert (reply.channel, reply.state, reply.provider_id, reply.language) == ("call", "sent", "c-1", "fr")
    assert (reply.text, reply.reserved_micros, reply.sent_at) == ("Laissez cette personne tranquille.", 20_000, NOON)
    assert Message.objects.get().disposition == "answered"
    spent = Spending.objects.filter(window="day").exclude(scope__in=["destination"])
    assert {(row.scope, row.micros, row.messages) for row in spent} == {
        ("hotline", 20_000, 1),
        ("organization", 20_000, 1),
        ("platform", 20_000, 1),
    }


def test_it_is_spoken_in_the_callers_language(north: Tenant) -> None:
    set_to(north, countries=["FR", "GB"])
    assert heard(north, asked("447400123456")) == "Leave this person alone."
    assert deliver(north, message_fields(north.hotline, "Hello who is this, what do you want please")) == 200
    release.release_due(NOON)
    assert Conversation.objects.get(messages_received=1, slots_used=1, language="en")
    assert heard(north) == "Leave this person alone."


def test_a_language_without_a_voice_is_not_read_by_another(north: Tenant) -> None:
    ReplyTemplate.objects.filter(hotline=north.hotline, language="en").delete()
    ReplyTemplate.objects.filter(hotline=north.hotline).update(language="uk")
    set_to(north, languages=["uk"], default_language="uk")
    assert heard(north) == ""
    assert Reply.objects.get().channel == "sms"


def test_a_regions_language_is_read_by_the_voice_of_another(north: Tenant) -> None:
    ReplyTemplate.objects.filter(hotline=north.hotline, language="fr").update(language="fr-BE")
    set_to(north, languages=["fr-BE"], default_language="fr-BE")
    fields = asked(call="c-1")
    assert heard(north, fields) == heard(north, fields) == "Laissez cette personne tranquille."
    assert 'language="fr-FR"' in answer(north, fields)


# --- one limit --------------------------------------------------------------------------------------------------------
def test_calls_and_messages_count_together_and_end_in_one_block(north: Tenant) -> None:
    set_to(north, reply_limit=3)
    assert heard(north)
    assert deliver(north, message_fields(north.hotline)) == 200
    assert heard(north)
    assert Conversation.objects.get().slots_used == 3
    assert Block.objects.get().cause == "limit"
    assert heard(north) == ""
    assert deliver(north, message_fields(north.hotline)) == 200
    assert Reply.objects.count() == 3
    assert list(Message.objects.order_by("pk").values_list("disposition", flat=True)) == [
        *("answered", "answered", "answered"),
        *("blocked", "blocked"),
    ]


def test_who_wrote_stop_is_not_spoken_to(north: Tenant) -> None:
    assert deliver(north, message_fields(north.hotline, "STOP")) == 200
    assert heard(north) == ""
    assert Reply.objects.count() == 0


@pytest.mark.parametrize("state", ["draft", "silent", "suspended", "retired"])
def test_a_number_that_answers_nobody_speaks_to_nobody(north: Tenant, state: str) -> None:
    set_to(north, state=state, state_reason="x")
    assert heard(north) == ""
    assert Reply.objects.count() == 0


def test_the_same_call_asked_again_is_answered_the_same_and_counted_once(north: Tenant) -> None:
    fields = asked(call="c-1")
    first = answer(north, fields)
    ReplyTemplate.objects.filter(purpose="voice").update(text="Autre chose.")
    assert answer(north, fields) == first  # with a nonce of its own
    assert Message.objects.count() == Reply.objects.count() == Conversation.objects.get().slots_used == 1
    rejected = asked("38055", call="c-2")
    set_to(north, calls="reject")
    assert answer(north, rejected) == answer(north, rejected) == BUSY


# --- for the person who gave the number away --------------------------------------------------------------------------
def test_before_the_safety_delay_is_over_nobody_hears_that_it_is_a_hotline(north: Tenant, clock: Any) -> None:
    """He may stand beside the person and call to see whether it rings."""
    set_to(north, delay_seconds=3600)
    assert heard(north) == ""
    reply = Reply.objects.get()
    assert (reply.channel, reply.due_at, reply.delayed) == ("sms", NOON + HOUR, True)
    assert heard(north) == ""  # a reply is on its way
    assert Reply.objects.count() == 1
    clock.shift(HOUR)
    Reply.objects.update(state="sent", provider_id="x", sent_at=NOON + HOUR)
    assert heard(north) == "Laissez cette personne tranquille."
    assert list(Reply.objects.order_by("slot").values_list("channel", "slot")) == [("sms", 1), ("call", 2)]


def test_who_withholds_his_number_is_spoken_to_each_time_as_somebody_new(north: Tenant) -> None:
    for caller in ("anonymous", "", "Restricted"):
        assert heard(north, asked(caller))
    assert Conversation.objects.count() == 3
    assert not Reply.objects.exclude(channel="call").exists()


def test_with_a_safety_delay_who_withholds_his_number_hears_the_busy_tone(north: Tenant) -> None:
    set_to(north, delay_seconds=60)
    assert heard(north, asked("anonymous")) == heard(north, asked("anonymous")) == ""
    assert Conversation.objects.count() == 1
    assert Reply.objects.count() == 0


def test_a_landline_is_spoken_to_and_never_texted(north: Tenant) -> None:
    assert heard(north, asked("33142685300"))
    set_to(north, calls="text")
    assert heard(north, asked("33142685301")) == ""
    assert not Reply.objects.exclude(channel="call").exists()
    assert Message.objects.order_by("pk").last().reason == "fixed line"  # type: ignore[union-attr]


def test_from_another_country_and_from_our_own_numbers_nobody_is_answered(north: Tenant) -> None:
    assert heard(north, asked("4915112345678")) == ""
    assert heard(north, asked("33937000002")) == ""
    assert Reply.objects.count() == 0


# --- what it may cost -------------------------------------------------------------------------------------------------
def test_without_room_in_a_budget_the_reply_follows_by_sms(north: Tenant) -> None:
    set_to(north, day_budget=decimal.Decimal("0.05"))
    assert [bool(heard(north, asked(f"3363998{n:04}"))) for n in range(4)] == [True, True, False, False]
    assert list(Reply.objects.order_by("pk").values_list("channel", flat=True)) == ["call", "call", "sms", "sms"]


def test_without_a_price_nothing_is_spoken(north: Tenant) -> None:
    Account.objects.update(price_call=None)
    assert heard(north) == ""
    assert Reply.objects.get().channel == "sms"


def test_the_hours_replies_are_for_calls_too(north: Tenant) -> None:
    set_to(north, replies_per_hour=1)  # two at once
    assert [bool(heard(north, asked(f"3363998{n:04}"))) for n in range(3)] == [True, True, False]


def test_in_a_raid_nobody_is_spoken_to(north: Tenant) -> None:
    HotlineLevel.objects.create(hotline=north.hotline, detected="raid", level="raid", since=NOON, raised_at=NOON)
    assert heard(north) == ""
    assert Reply.objects.get().channel == "sms"


@pytest.mark.parametrize(("characters", "minutes"), [(10, 1), (600, 1), (700, 2), (3000, 5)])
def test_a_long_message_is_booked_for_as_long_as_it_takes(characters: int, minutes: int) -> None:
    assert calls.minutes("x" * characters) == minutes


# --- when it is over --------------------------------------------------------------------------------------------------
def ended(call: str, cost: str = "0.00850", **changes: str) -> dict[str, str]:
    times = {"Duration": "7", "BillDuration": "60", "TotalCost": cost, "HangupCause": "NORMAL_CLEARING"}
    return asked(call=call, CallStatus="completed", **times, **changes)


def test_what_a_call_cost_takes_the_place_of_what_was_booked(north: Tenant) -> None:
    heard(north, asked(call="c-1"))
    for _ in range(2):
        assert post(north, ended("c-1")).status_code == 200
    assert Message.objects.get().seconds == 7
    reply = Reply.objects.get()
    assert (str(reply.cost), Message.objects.get().cost) == ("0.00850", None)
    assert ledger.settle() == 1
    assert Spending.objects.get(scope="hotline", window="day").micros == 8500


def test_what_a_rejected_call_cost_is_what_it_cost_to_receive_it(world: World) -> None:
    heard(world.north, asked(call="c-1"))
    assert post(world.north, ended("c-1", cost="0.00100")).status_code == 200
    assert str(Message.objects.get().cost) == "0.00100"


def test_the_end_of_a_call_that_nobody_knows_changes_nothing(north: Tenant) -> None:
    assert post(north, ended("c-9")).status_code == 200
    assert Message.objects.count() == 0


# --- what is not a call -----------------------------------------------------------------------------------------------
def test_a_call_signed_by_the_old_method_or_by_somebody_else_is_refused(north: Tenant, world: World) -> None:
    assert post(north, asked(), scheme="v2").status_code == 403
    assert post(north, asked(), token=world.south.token).status_code == 403
    assert Message.objects.count() == 0


@pytest.mark.parametrize(
    "changes",
    [{"To": "33937000002"}, {"To": ""}, {"CallStatus": ""}, {"Direction": "outbound"}],
    ids=lambda changes: next(iter(changes)),
)
def test_what_is_no_call_to_this_number_is_kept_and_gets_the_busy_tone(north: Tenant, changes: dict[str, str]) -> None:
    assert answer(north, asked(**changes)) == BUSY
    assert Message.objects.get().disposition == "unreadable"


def test_a_fault_of_ours_leaves_nobody_in_silence_and_loses_nothing(
    north: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_args: Any, **_kwargs: Any) -> Any:
        raise RuntimeError("a bug")

    with monkeypatch.context() as patch:
        patch.setattr(calls, "_answered", fail)
        assert answer(north) == BUSY
    assert Message.objects.count() == 0
    assert drain.run() == 1
    assert [(m.channel, m.disposition) for m in Message.objects.all()] == [("call", "answered")]
    assert Reply.objects.get().channel == "sms"  # nobody listens any more


def test_with_the_database_down_the_caller_hears_the_busy_tone(north: Tenant, monkeypatch: pytest.MonkeyPatch) -> None:
    heard(north)  # the webhook knows the number

    def gone(*_args: Any, **_kwargs: Any) -> Any:
        raise OperationalError("gone")

    monkeypatch.setattr(calls, "accept", gone)
    assert answer(north) == BUSY
    assert spool.depth().segments == 1


# --- Plivo's XML ------------------------------------------------------------------------------------------------------
@given(text=st.text(max_size=4000), voice=st.sampled_from(sorted(PlivoCalls.voices.values())))
def test_whatever_the_text_holds_it_is_xml_that_says_it(text: str, voice: str) -> None:
    said = PlivoCalls().speak(Speech(text, "fr", voice))
    [speak, hangup] = ET.fromstring(said.body)
    assert (speak.tag, hangup.tag, len(speak), said.content_type) == ("Speak", "Hangup", 0, "application/xml")
    kept = "".join(char for char in text if char in "\t\n\r" or " " <= char <= "\ud7ff" or char >= "\ue000")
    assert len(kept) > 2900 or (speak.text or "").replace("\r", "\n") in (
        kept.replace("\r\n", "\n").replace("\r", "\n"),
        kept.replace("\ufffe", "").replace("\uffff", "").replace("\r\n", "\n").replace("\r", "\n"),
    )
    assert len(said.body) < 100_000
