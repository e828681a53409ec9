"""Which reply is claimed next, what is given up on the way, and for how long a claim holds."""

from __future__ import annotations

import datetime
import logging
import uuid

import pytest
from django.db import IntegrityError
from tests.outbox.carrier import Carrier, accepted, reported
from tests.outbox.replies import HOUR, NOON, SECOND, released, row, said
from tests.world import World

from conversations.models import Conversation, Reply
from conversations.words import ReplyState
from hotlines.models import Hotline
from outbox import send
from providers.base import Delivery, Knowledge, Outcome

pytestmark = pytest.mark.usefixtures("noon")


def test_first_replies_go_before_repeats(world: World, carrier: Carrier) -> None:
    for number in range(3):
        released(world.north, "33639980101", NOON - HOUR + SECOND * number)
    released(world.north, "33639980102")
    while send.send_one(NOON):
        pass
    assert [call.recipient for call in carrier.ledger] == ["33639980101", "33639980102", "33639980101", "33639980101"]


def test_a_later_reply_waits_for_an_earlier_one_that_was_refused_for_now(world: World, carrier: Carrier) -> None:
    """Another sender's does not; and the refused one's turn comes before its successor's."""
    first, second, other = released(world.north), released(world.north), released(world.north, "33639980102")
    carrier.says(Knowledge.REFUSED_FOR_NOW)
    assert send.send_one(NOON)
    assert said(first)[0] == "released"
    carrier.answer = accepted
    assert send.send_one(NOON)
    assert not send.send_one(NOON)
    later = NOON + datetime.timedelta(minutes=1)
    assert send.send_one(later)
    assert send.send_one(later)
    assert [reply.uuid for reply in carrier.ledger] == [other.uuid, first.uuid, second.uuid]


def test_one_reply_of_a_conversation_is_in_flight(world: World, carrier: Carrier) -> None:
    first, second = released(world.north), released(world.north)
    other = released(world.north, "33639980102")
    assert send.claim(NOON) == first
    assert send.claim(NOON) == other
    assert send.claim(NOON) is None
    Reply.objects.filter(pk=first.pk).update(state=ReplyState.UNKNOWN)
    assert send.claim(NOON) is None
    Reply.objects.filter(pk=first.pk).update(state=ReplyState.UNKNOWN_FINAL)
    assert send.claim(NOON) == second


def test_a_reply_that_must_no_longer_be_sent_is_dropped_and_the_next_one_taken(world: World, carrier: Carrier) -> None:
    stopped, good = released(world.north, "33639980101"), released(world.north, "33639980102")
    Conversation.objects.filter(pk=stopped.conversation_id).update(opted_out_at=NOON)
    assert send.send_one(NOON)
    assert (said(stopped), said(good)[0]) == (("dropped", "stop"), "sent")
    assert [call.recipient for call in carrier.calls] == ["33639980102"]


@pytest.mark.parametrize("state", ["silent", "suspended", "retired", "draft"])
def test_a_hotline_that_does_not_answer_drops_what_waits(world: World, carrier: Carrier, state: str) -> None:
    reply = released(world.north)
    Hotline.objects.filter(pk=reply.hotline_id).update(state=state, state_reason="raid")
    assert not send.send_one(NOON)
    assert (carrier.calls, said(reply)) == ([], ("dropped", f"number is {state}"))


def test_the_limits_own_block_does_not_drop_its_last_reply(world: World, carrier: Carrier) -> None:
    for _ in range(5):
        released(world.north)
    assert Conversation.objects.get().block_cause == "limit"
    while send.send_one(NOON):
        pass
    assert len(carrier.ledger) == 5


def test_late_replies_expire_instead_of_leaving(world: World, carrier: Carrier) -> None:
    reply = released(world.north)
    assert not send.send_one(NOON + 24 * HOUR)
    assert (carrier.calls, said(reply)) == ([], ("expired", "expired"))


def test_what_a_pause_kept_into_quiet_hours_waits_for_their_end(world: World, carrier: Carrier) -> None:
    reply = released(world.north)
    hotline = world.north.hotline
    hotline.quiet_from, hotline.quiet_until = datetime.time(22), datetime.time(7)
    hotline.save()
    night, morning = NOON + 12 * HOUR, NOON + 18 * HOUR  # 01:00 and 07:00 in Paris
    Reply.objects.update(reserved_at=night)
    assert not send.send_one(night)
    assert (said(reply)[0], row(reply).due_at) == ("released", morning)
    assert not send.send_one(morning - SECOND)
    assert send.send_one(morning)
    assert len(carrier.ledger) == 1


def test_a_row_that_cannot_be_judged_stops_nobody_else(
    world: World, carrier: Carrier, caplog: pytest.LogCaptureFixture
) -> None:
    poison, good = released(world.south), released(world.north)
    type(world.south.organization).objects.filter(pk=world.south.organization.pk).update(time_zone="Mars/Olympus")
    with caplog.at_level(logging.ERROR):
        assert send.send_one(NOON)
    assert (said(good)[0], said(poison)) == ("sent", ("released", "ZoneInfoNotFoundError"))
    assert row(poison).due_at == NOON + datetime.timedelta(minutes=5)
    assert caplog.records[0].getMessage().startswith(f"reply {poison.pk} is set aside: ZoneInfoNotFoundError at ")


def test_the_search_for_a_reply_ends(world: World, carrier: Carrier, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the database refuses: no worker turns in circles, and none of the others' replies waits for it."""
    poison, good = released(world.north, "33639980101"), released(world.north, "33639980102")
    claimed = send._claimed

    def refused(reply: Reply, now: datetime.datetime) -> Reply:
        if reply.pk == poison.pk:
            raise IntegrityError("CHECK constraint failed")
        return claimed(reply, now)

    monkeypatch.setattr(send, "_claimed", refused)
    assert send.claim(NOON) == good
    assert said(poison) == ("released", "IntegrityError")
    monkeypatch.setattr(send, "_may_leave", lambda *_arguments: False)
    assert send.claim(NOON + HOUR) is None


# --- leases ---------------------------------------------------------------------------------------------------------
def test_a_claim_without_an_outcome_becomes_unknown_and_then_final(world: World, carrier: Carrier) -> None:
    reply, later = released(world.north), released(world.north)
    assert send.claim(NOON) == reply
    assert send.expire_leases(NOON + 60 * SECOND) == 0
    assert send.expire_leases(NOON + 61 * SECOND) == 1
    assert said(reply) == ("unknown", "claim expired")
    assert send.claim(NOON + HOUR) is None
    assert send.finish_unknown(NOON + 24 * HOUR) == 0
    assert send.finish_unknown(NOON + 24 * HOUR + SECOND) == 1
    assert (said(reply)[0], row(reply).finished_at) == ("unknown_final", NOON + 24 * HOUR + SECOND)
    Reply.objects.filter(pk=later.pk).update(expires_at=NOON + 48 * HOUR, reserved_at=NOON + 24 * HOUR)
    assert send.claim(NOON + 25 * HOUR) == later
    assert carrier.calls == []


def test_a_claim_is_dated_by_the_clock_that_judges_it(world: World) -> None:
    """A worker whose clock is ten minutes behind the database's: its claim does not expire under its hands."""
    reply = released(world.north)
    ahead = datetime.timedelta(minutes=10)
    send.claim(NOON, ahead)
    assert row(reply).claimed_at == NOON + ahead
    assert send.expire_leases(NOON + ahead + 60 * SECOND) == 0


@pytest.mark.parametrize("knowledge", Knowledge)
@pytest.mark.parametrize("lost", ["expired", "settled", "claimed by another"])
def test_an_outcome_after_the_claim_was_lost_changes_nothing(
    world: World, carrier: Carrier, knowledge: Knowledge, lost: str
) -> None:
    released(world.north)
    mine = send.claim(NOON)
    assert mine is not None
    if lost == "expired":
        send.expire_leases(NOON + HOUR)
    elif lost == "settled":
        assert reported(mine, "by report", Delivery.SENT)
    else:
        Reply.objects.update(claim_token=uuid.uuid4())
    before = Reply.objects.values().get()
    send.record(mine, Outcome(knowledge, provider_id="late", detail="late"))
    assert Reply.objects.values().get() == before
