"""A number whose account cannot send is stood in for by another: each reply leaves once, and is known as what it is."""

from __future__ import annotations

import datetime
from typing import Any

import pytest
import time_machine
from django.core.exceptions import ValidationError
from django.test import Client
from django.urls import reverse
from django.utils import timezone, translation
from tests.inbox.webhook import headers_of, path_of, post
from tests.outbox.carrier import Carrier, written
from tests.outbox.replies import NOON, SECOND, released, row
from tests.world import Tenant, World

from config import health
from conversations.models import Reply
from hotlines.models import Account, Hotline
from outbox import ready, release, send, settle
from outbox.models import NumberPace
from providers.base import Knowledge, Outcome, OutgoingReply
from shield import ledger

pytestmark = pytest.mark.django_db


@pytest.fixture
def clock(our_clock: None) -> Any:
    with time_machine.travel(NOON, tick=False) as traveller:
        yield traveller


@pytest.fixture
def north(world: World, clock: Any) -> Tenant:
    """Its number has a second one of its own, on another account, that stands in."""
    other = Account.objects.create(
        organization=world.north.organization, label="second", provider="plivo", price_out="0.09"
    )
    other.credentials = {"auth_id": "MA" + "B" * 18, "auth_token": "the-second-token"}
    other.save()
    stand_in = Hotline.objects.create(
        organization=world.north.organization, account=other, name="second", number="+33937000099", kind="lgbt"
    )
    Hotline.objects.filter(pk=world.north.hotline.pk).update(stand_in=stand_in)
    world.north.hotline.refresh_from_db()
    return world.north


def second(north: Tenant) -> Hotline:
    assert north.hotline.stand_in is not None
    return north.hotline.stand_in


def of(north: Tenant, *, own: bool, **changes: Any) -> None:
    """Change one of the two accounts."""
    pk = north.hotline.account_id if own else second(north).account_id
    Account.objects.filter(pk=pk).update(**changes)


PAUSED = {"sending_paused_at": NOON, "sending_paused_reason": "402"}
SILENT = {"unanswered": 5, "unanswered_since": NOON, "next_attempt_at": NOON + 30 * SECOND, "attempt_wait": 30}


def send_one() -> bool:
    return send.send_one(timezone.now())


# --- when it stands in ------------------------------------------------------------------------------------------------
def test_while_the_own_account_can_send_it_does(north: Tenant, carrier: Carrier) -> None:
    reply = released(north)
    assert send_one()
    assert [call.source for call in carrier.calls] == ["33937000001"]
    assert (row(reply).sent_by, row(reply).state) == (None, "sent")


@pytest.mark.parametrize("down", [PAUSED, SILENT], ids=["refused", "silent"])
def test_while_it_cannot_the_other_number_sends(north: Tenant, carrier: Carrier, down: dict[str, Any]) -> None:
    reply = released(north)
    of(north, own=True, **down)
    assert send_one()
    [call] = carrier.calls
    assert (call.source, call.recipient) == ("33937000099", "33639980101")
    assert second(north).hook_token in call.report_url
    assert (row(reply).sent_by, row(reply).state) == (second(north), "sent")
    assert not send_one()


def test_a_pause_of_seconds_is_waited_for(north: Tenant, carrier: Carrier) -> None:
    released(north)
    of(north, own=True, resume_sending_at=NOON + 20 * SECOND)
    assert not send_one()
    assert carrier.calls == []


@pytest.mark.parametrize(
    "down",
    [PAUSED, SILENT, {"resume_sending_at": NOON + 20 * SECOND}],
    ids=["refused", "silent", "asked to wait"],
)
def test_where_neither_can_the_reply_waits(north: Tenant, carrier: Carrier, down: dict[str, Any]) -> None:
    reply = released(north)
    of(north, own=True, **PAUSED)
    of(north, own=False, **down)
    assert not send_one()
    assert row(reply).state == "released"
    of(north, own=True, sending_paused_at=None, sending_paused_reason="")
    assert send_one()
    assert [call.source for call in carrier.calls] == ["33937000001"]


@pytest.mark.parametrize(("state", "sends"), [("draft", True), ("silent", True), ("active", True), ("retired", False)])
def test_a_number_out_of_use_stands_in_for_nobody(north: Tenant, carrier: Carrier, state: str, sends: bool) -> None:
    Hotline.objects.filter(pk=second(north).pk).update(state=state)
    released(north)
    of(north, own=True, **PAUSED)
    assert send_one() is sends


def test_its_pace_is_that_of_the_number_that_sends(north: Tenant, carrier: Carrier, clock: Any) -> None:
    Hotline.objects.filter(pk=second(north).pk).update(messages_per_second="0.5")
    for number in range(3):
        released(north, f"3363998020{number}")
    of(north, own=True, **PAUSED)
    sent = 0
    for _ in range(3):
        while send_one():
            sent += 1
        clock.shift(2 * SECOND)
    assert sent == 3
    assert len(carrier.calls) == 3
    assert NumberPace.objects.get().hotline_id == second(north).pk


def test_a_busy_stand_in_is_passed_over_and_not_asked_again_and_again(
    north: Tenant, carrier: Carrier, monkeypatch: pytest.MonkeyPatch
) -> None:
    Hotline.objects.filter(pk=second(north).pk).update(messages_per_second="0.5")
    for number in range(2):
        released(north, f"3363998020{number}")
    of(north, own=True, **PAUSED)
    assert send_one()
    looked: list[object] = []
    first = ready.first
    monkeypatch.setattr(ready, "first", lambda now: looked.append(now) or first(now))
    assert not send_one()
    assert len(looked) == 1


# --- once, whatever comes ---------------------------------------------------------------------------------------------
def test_what_the_own_account_may_have_taken_is_not_sent_by_the_other(north: Tenant, carrier: Carrier) -> None:
    reply = released(north)
    carrier.says(Knowledge.UNKNOWN, detail="ReadTimeout")
    assert send_one()
    of(north, own=True, **PAUSED)
    assert not send_one()
    assert (row(reply).state, row(reply).sent_by) == ("unknown", None)


def test_a_refusal_of_the_own_account_is_answered_by_the_other_number(
    north: Tenant, carrier: Carrier, clock: Any
) -> None:
    reply = released(north)
    taken = Outcome(Knowledge.ACCEPTED, provider_id="second-1", detail="202")
    refused = Outcome(Knowledge.ACCOUNT_REFUSED, detail="402")

    def answer(call: OutgoingReply) -> Outcome:
        return refused if call.source == "33937000001" else taken

    carrier.answer = answer
    assert send_one()
    assert row(reply).state == "released"
    clock.shift(60 * SECOND)
    assert send_one()
    assert [call.source for call in carrier.calls] == ["33937000001", "33937000099"]
    found = row(reply)
    assert (found.state, found.provider_id, found.sent_by) == ("sent", "second-1", second(north))
    accounts = {account.label: account.sending_paused_at is None for account in Account.objects.all()}
    assert accounts["second"]


def test_what_the_other_account_is_guilty_of_is_not_laid_to_the_own(
    north: Tenant, carrier: Carrier, clock: Any
) -> None:
    of(north, own=True, **PAUSED)
    released(north)
    carrier.says(Knowledge.ACCOUNT_REFUSED, detail="401")
    assert send_one()
    paused = Account.objects.get(pk=second(north).account_id)
    assert paused.sending_paused_reason == "401"
    assert Account.objects.get(pk=north.hotline.account_id).sending_paused_reason == "402"


def test_when_the_own_account_is_back_the_next_attempt_is_its_own(north: Tenant, carrier: Carrier, clock: Any) -> None:
    reply = released(north)
    of(north, own=True, **PAUSED)
    carrier.says(Knowledge.REFUSED_FOR_NOW, detail="429", retry_after=30)
    assert send_one()
    assert row(reply).sent_by == second(north)
    of(north, own=True, sending_paused_at=None, sending_paused_reason="")
    carrier.says(Knowledge.ACCEPTED, provider_id="own-1", detail="202")
    clock.shift(31 * SECOND)
    assert send_one()
    assert row(reply).sent_by is None


# --- what is known afterwards -----------------------------------------------------------------------------------------
def sent_by_the_other(north: Tenant, carrier: Carrier) -> Reply:
    reply = released(north)
    of(north, own=True, **PAUSED)
    carrier.says(Knowledge.ACCEPTED, provider_id="second-1", detail="202")
    assert send_one()
    return row(reply)


def report(hotline: Hotline, reply: Reply, token: str) -> int:
    fields = {"MessageUUID": "second-1", "From": "33937000099", "To": "33639980101", "Status": "delivered"}
    path = path_of(hotline, f"report/{reply.uuid}")
    return post(path, fields, headers_of(path, fields, token))


def test_its_provider_reports_at_the_other_numbers_address(
    north: Tenant, world: World, carrier: Carrier, monkeypatch: pytest.MonkeyPatch
) -> None:
    reply = sent_by_the_other(north, carrier)
    monkeypatch.undo()  # the provider itself reports
    assert report(second(north), reply, "wrong") == 403
    assert report(world.south.hotline, reply, world.south.token) == 200  # somebody else's: it changes nothing
    assert row(reply).delivery == ""
    assert report(second(north), reply, "the-second-token") == 200
    assert row(reply).delivery == "delivered"


def test_its_price_is_the_dearer_one_and_is_settled_by_the_account_that_sent(north: Tenant, carrier: Carrier) -> None:
    of(north, own=True, price_out="0.05")
    reply = sent_by_the_other(north, carrier)
    assert reply.reserved_micros == 90_000 * (reply.segments or 1)
    Reply.objects.filter(pk=reply.pk).update(cost="0.07")
    assert ledger.settle() == 1
    assert row(reply).reserved_micros == 70_000


def test_an_unknown_outcome_is_the_other_accounts_to_settle_and_absence_proves_nothing(
    north: Tenant, carrier: Carrier, clock: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    reply = released(north)
    of(north, own=True, **PAUSED)
    carrier.says(Knowledge.UNKNOWN, detail="ReadTimeout")
    assert send_one()
    clock.shift(datetime.timedelta(hours=1))
    asked: list[int] = []

    def asked_for(account: Account, due: Any, _now: Any) -> int:
        asked.append(account.pk)
        assert [one.pk for one in due] == [reply.pk]
        return 0

    monkeypatch.setattr(settle, "_settle_account", asked_for)
    monkeypatch.setattr(settle.reading, "terms", lambda _account: object())
    settle.settle_unknown()
    assert asked == [second(north).account_id]
    read = type("Read", (), {"covers_from": NOON - datetime.timedelta(days=1)})()
    attempt = settle._attempt(row(reply), second(north).account, read)
    assert (attempt.source, attempt.provable) == ("33937000099", False)


def test_health_counts_as_late_what_the_other_number_could_send(north: Tenant, carrier: Carrier, clock: Any) -> None:
    released(north)
    of(north, own=True, **PAUSED)
    clock.shift(datetime.timedelta(minutes=30))
    assert not health.replies().ok
    of(north, own=False, **PAUSED)
    assert health.replies().ok


def test_people_see_from_which_number_it_came(north: Tenant, carrier: Carrier) -> None:
    reply = sent_by_the_other(north, carrier)
    client = Client(headers={"Accept-Language": "en"})
    client.force_login(north.viewer)
    page = client.get(reverse("admin:conversations_conversation_change", args=(reply.conversation_id,)))
    assert "from +33937000099, which stands in" in page.content.decode()


# --- what may stand in ------------------------------------------------------------------------------------------------
def test_only_another_account_of_the_same_organization_stands_in(north: Tenant, world: World) -> None:
    hotline = north.hotline
    same = Hotline(
        organization=hotline.organization, account=hotline.account, name="x", number="+33937000098", kind="lgbt"
    )
    same.save()
    gone = second(north)
    gone.state = Hotline.State.RETIRED
    for wrong, says in (
        (same, "same account"),
        (world.south.hotline, "another organization"),
        (gone, "suspended or retired"),
    ):
        hotline.stand_in = wrong
        with translation.override("en"), pytest.raises(ValidationError, match=says) as refused:
            hotline.clean()
        assert set(refused.value.message_dict) == {"stand_in"}


def test_replies_of_two_organizations_never_meet(north: Tenant, world: World, carrier: Carrier) -> None:
    of(north, own=True, **PAUSED)
    Account.objects.filter(pk=world.south.account.pk).update(**PAUSED)
    released(north)
    assert written(world.south.hotline, "33639980177", at=NOON) is not None
    assert release.release_due(NOON) == 1
    while send_one():
        pass
    assert [call.source for call in carrier.calls] == ["33937000099"]
    assert Reply.objects.filter(hotline=world.south.hotline).get().state == "released"
