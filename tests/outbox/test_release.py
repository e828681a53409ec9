from __future__ import annotations

import datetime
import logging
from typing import Any

import pytest
from tests.outbox.carrier import FAULTS_OF_A_DATABASE, written
from tests.world import World

from conversations import blocks
from conversations.models import Block, Conversation, Reply
from hotlines.models import Hotline
from outbox import release
from replies.models import ReplyTemplate

NOON = datetime.datetime(2026, 11, 24, 12, tzinfo=datetime.UTC)
SECOND = datetime.timedelta(seconds=1)
HOUR = datetime.timedelta(hours=1)


def state(reply: Reply | None) -> tuple[str, str]:
    assert reply is not None
    reply.refresh_from_db()
    return reply.state, reply.detail


def decided(world: World, sender: str = "33639980101", at: datetime.datetime = NOON) -> Reply:
    reply = written(world.north.hotline, sender, at=at)
    assert reply is not None
    return reply


def test_what_is_due_gets_language_text_and_segments(world: World) -> None:
    reply = decided(world)
    assert release.release_due(NOON) == 1
    assert state(reply) == ("released", "")
    assert (reply.language, reply.text, reply.segments) == ("fr", "Réponse de North.", 1)
    assert release.release_due(NOON) == 0


def test_what_is_not_due_is_left_alone(world: World) -> None:
    world.north.hotline.delay_seconds = 60
    world.north.hotline.save()
    reply = decided(world)
    assert release.release_due(NOON + 59 * SECOND) == 0
    assert state(reply) == ("pending", "")
    assert release.release_due(NOON + 60 * SECOND) == 1
    assert state(reply) == ("released", "")


def test_the_text_is_that_of_the_moment_it_leaves(world: World) -> None:
    reply = decided(world)
    ReplyTemplate.objects.filter(hotline=world.north.hotline, language="fr").update(text="Changé entre-temps.")
    release.release_due(NOON)
    reply.refresh_from_db()
    assert reply.text == "Changé entre-temps."


def test_first_replies_are_released_before_repeats(world: World) -> None:
    repeats = [decided(world, "33639980101", NOON + SECOND * number) for number in range(3)]
    first = decided(world, "33639980102", NOON + HOUR)
    assert release.release_due(NOON + 2 * HOUR, limit=2) == 2
    assert [state(reply)[0] for reply in [first, *repeats]] == ["released", "released", "pending", "pending"]


def test_a_hotline_without_a_text_fails_its_reply(world: World) -> None:
    ReplyTemplate.objects.all().delete()
    reply = decided(world)
    release.release_due(NOON)
    assert state(reply) == ("failed", "no text")


def test_what_came_too_late_expires(world: World) -> None:
    reply = decided(world)
    assert release.release_due(reply.expires_at - SECOND) == 1
    assert state(reply) == ("released", "")
    other = decided(world, "33639980102")
    assert release.release_due(other.expires_at) == 1
    assert state(other) == ("expired", "expired")


def stop(world: World, reply: Reply) -> None:
    Conversation.objects.filter(pk=reply.conversation_id).update(opted_out_at=NOON)


def block_here(world: World, reply: Reply) -> None:
    Conversation.objects.filter(pk=reply.conversation_id).update(blocked_until=NOON + 2 * HOUR, block_cause="person")


def block_everywhere(world: World, reply: Reply) -> None:
    Block.objects.create(
        organization=world.north.organization,
        sender_key=reply.conversation.sender_key,
        cause="person",
        reason="insults",
        since=NOON,
    )


def silence(world: World, reply: Reply) -> None:
    Hotline.objects.filter(pk=reply.hotline_id).update(state="silent")


def suspend(world: World, reply: Reply) -> None:
    Hotline.objects.filter(pk=reply.hotline_id).update(state="suspended", state_reason="raid")


@pytest.mark.parametrize(
    ("what", "detail"),
    [
        (stop, "stop"),
        (block_here, "blocked by a person"),
        (block_everywhere, "blocked by a person"),
        (silence, "number is silent"),
        (suspend, "number is suspended"),
    ],
)
def test_what_must_no_longer_be_sent_is_dropped(world: World, what: Any, detail: str) -> None:
    reply = decided(world)
    what(world, reply)
    assert release.release_due(NOON + HOUR) == 1
    assert state(reply) == ("dropped", detail)


def test_the_block_that_the_limit_sets_drops_nothing(world: World) -> None:
    replies = [decided(world, at=NOON + SECOND * number) for number in range(5)]
    assert Conversation.objects.get().block_cause == "limit"
    release.release_due(NOON + HOUR)
    assert [state(reply)[0] for reply in replies] == ["released"] * 5


def test_a_block_that_is_over_drops_nothing(world: World) -> None:
    reply = decided(world)
    block_here(world, reply)
    block_everywhere(world, reply)
    Block.objects.update(until=NOON + 2 * HOUR)
    assert release.release_due(NOON + 2 * HOUR) == 1
    assert state(reply) == ("released", "")


def test_a_block_that_was_lifted_drops_nothing(world: World) -> None:
    reply = decided(world)
    block_everywhere(world, reply)
    Block.objects.update(lifted_at=NOON)
    assert release.release_due(NOON) == 1
    assert state(reply) == ("released", "")


def test_a_block_under_the_last_half_years_pseudonym_still_drops(world: World) -> None:
    """The sender was blocked everywhere in June; in July his row has followed him, the block has not."""
    june = datetime.datetime(2026, 6, 30, 12, tzinfo=datetime.UTC)
    july = june + 24 * HOUR
    first = decided(world, at=june)
    june_key = bytes(first.conversation.sender_key)
    reply = decided(world, at=july)
    assert bytes(reply.conversation.sender_key) != june_key
    Block.objects.create(
        organization=world.north.organization, sender_key=june_key, cause="person", reason="insults", since=june
    )
    release.release_due(july)
    assert state(reply) == ("dropped", "blocked by a person")


def test_the_other_organizations_block_drops_nothing(world: World) -> None:
    reply = decided(world)
    Block.objects.create(
        organization=world.south.organization,
        sender_key=reply.conversation.sender_key,
        cause="person",
        reason="insults",
        since=NOON,
    )
    release.release_due(NOON)
    assert state(reply) == ("released", "")


def test_a_row_that_cannot_be_handled_stops_nobody_else(
    world: World, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    poison, good = decided(world, "33639980101"), decided(world, "33639980102")
    choose = release._choose

    def failing(reply: Reply, *more: Any, **options: Any) -> Any:
        if reply.pk == poison.pk:
            raise KeyError("33639980101 wrote: je sais où tu habites")
        return choose(reply, *more, **options)

    monkeypatch.setattr(release, "_choose", failing)
    with caplog.at_level(logging.ERROR):
        assert release.release_due(NOON) == 1
    assert (state(good), state(poison)) == (("released", ""), ("pending", "KeyError"))
    assert poison.due_at == NOON + datetime.timedelta(minutes=5)
    [record] = caplog.records
    assert record.getMessage().startswith(f"reply {poison.pk} is set aside: KeyError at test_release.py:")
    assert (record.exc_info, "3363998" in caplog.text, "habites" in caplog.text) == (None, False, False)
    monkeypatch.undo()
    assert release.release_due(NOON + datetime.timedelta(minutes=5)) == 1
    assert state(poison)[0] == "released"


def test_an_unreadable_text_and_number_are_answered_in_the_default_language(world: World) -> None:
    reply = decided(world)
    type(reply.message).objects.update(text_sealed=b"garbage")
    Conversation.objects.update(sender_sealed=b"garbage")
    release.release_due(NOON)
    assert state(reply) == ("released", "")


@pytest.mark.parametrize("fault", FAULTS_OF_A_DATABASE)
@pytest.mark.parametrize("place", ["must_not_be_sent", "_write"])
def test_a_failing_database_is_not_a_row_that_is_set_aside(
    world: World, monkeypatch: pytest.MonkeyPatch, fault: type[Exception], place: str
) -> None:
    reply = decided(world)

    def down(*_arguments: object) -> str:
        raise fault("the connection is closed, or a column is not there")

    monkeypatch.setattr(release, place, down)
    with pytest.raises(fault):
        release.release_due(NOON)
    assert state(reply) == ("pending", "")


def test_a_reply_that_was_dropped_while_its_text_was_chosen_stays_dropped(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    reply = decided(world)
    choose = release._choose

    def slow(chosen: Reply, *arguments: Any, **options: Any) -> Any:
        written(world.north.hotline, "33639980101", "STOP", NOON)
        return choose(chosen, *arguments, **options)

    monkeypatch.setattr(release, "_choose", slow)
    assert release.release_due(NOON) == 0
    assert state(reply) == ("dropped", "stop")


def test_a_persons_block_drops_what_waits_at_once(world: World) -> None:
    reply = decided(world)
    blocks.block_conversation(reply.conversation, world.north.owner, "insults")
    assert state(reply) == ("dropped", "blocked by a person")


def test_expiry_ends_what_waits_and_nothing_else(world: World) -> None:
    replies = {name: decided(world, f"3363998020{number}") for number, name in enumerate(STATES)}
    for name, reply in replies.items():
        Reply.objects.filter(pk=reply.pk).update(**STATES[name])
    assert release.expire(NOON + 24 * HOUR - SECOND) == 0
    assert release.expire(NOON + 24 * HOUR) == 2
    for name, reply in replies.items():
        reply.refresh_from_db()
        waiting = name in {"pending", "released"}
        assert (reply.state, reply.finished_at) == (("expired", NOON + 24 * HOUR) if waiting else (name, None))


_CLAIM: dict[str, Any] = {
    "text_sealed": b"sealed",
    "claimed_at": NOON,
    "claim_token": "00000000-0000-0000-0000-000000000001",
}
STATES: dict[str, dict[str, Any]] = {
    "pending": {},
    "released": {"state": "released", "text_sealed": b"sealed"},
    "claimed": {"state": "claimed", **_CLAIM},
    "unknown": {"state": "unknown", **_CLAIM},
    "unknown_final": {"state": "unknown_final", **_CLAIM},
    "sent": {"state": "sent", "sent_at": NOON, "provider_id": "id", **_CLAIM},
    "failed": {"state": "failed"},
    "dropped": {"state": "dropped"},
}
