"""Two first replies are compared by chance, the same for a sender every time, and nothing is told before it can be."""

from __future__ import annotations

import datetime
import math

import pytest
from django.core.exceptions import ValidationError
from django.utils import timezone, translation
from hypothesis import given
from hypothesis import strategies as st
from tests.outbox.carrier import Carrier, written
from tests.shield.crowd import stranger
from tests.world import World

from conversations.models import Conversation, Message, Reply
from hotlines.models import Hotline
from outbox import comparing, release, send
from outbox.comparing import Share
from replies import versions
from replies.models import Arm, ReplyTemplate

B = "Texte B."


@pytest.fixture
def hotline(world: World) -> Hotline:
    hotline = world.north.hotline
    row = versions.new(hotline, "fr", "reply", 1)
    row.arm = Arm.B
    versions.write(row, B, world.north.owner)
    ReplyTemplate.objects.filter(hotline=hotline, language="en").delete()
    return hotline


def sent(carrier: Carrier) -> dict[str, str]:
    now = timezone.now() + datetime.timedelta(hours=1)
    while release.release_due(now) or send.send_one(now):
        pass
    return {reply.recipient: reply.text for reply in carrier.ledger}


def test_both_are_sent_and_each_sender_gets_his_own(hotline: Hotline, carrier: Carrier) -> None:
    Hotline.objects.update(replies_per_hour=10_000, day_budget=1000, month_budget=1000)
    for number in range(24):
        written(hotline, stranger(number), "Salut")
    texts = sent(carrier)
    assert set(texts.values()) == {"Réponse de North.", B}
    for reply in Reply.objects.select_related("conversation"):
        assert reply.arm == ("b" if release.coin(reply.conversation) else "a")
        assert (reply.text == B) == (reply.arm == "b")


def test_without_a_rival_no_reply_says_that_it_was_compared(world: World, carrier: Carrier) -> None:
    written(world.north.hotline)
    sent(carrier)
    assert Reply.objects.get().arm == ""


def test_a_later_reply_is_compared_with_none(hotline: Hotline, carrier: Carrier) -> None:
    for _ in range(3):
        written(hotline, text="Salut")
        sent(carrier)
    arms = list(Reply.objects.order_by("slot").values_list("arm", flat=True))
    assert arms[0] in {"a", "b"}
    assert arms[1:] == ["", ""]


@pytest.mark.parametrize("changes", [{"step": 2}, {"purpose": "help"}])
def test_only_a_first_reply_can_be_compared(world: World, changes: dict[str, object]) -> None:
    row = versions.new(world.north.hotline, "fr", "reply", 1)
    row.arm = Arm.B
    for name, value in changes.items():
        setattr(row, name, value)
    with pytest.raises(ValidationError):
        versions.write(row, B, world.north.owner)


def fill(hotline: Hotline, each: int, again: dict[str, int]) -> None:
    """So many senders to each text, of whom `again` wrote again an hour later."""
    long_ago = timezone.now() - datetime.timedelta(days=5)
    ReplyTemplate.objects.update(created_at=long_ago - datetime.timedelta(days=1))
    for version in hotline.reply_templates.get(arm="b").versions.all():
        version.written_at = long_ago - datetime.timedelta(days=1)
        version.save()
    number = 0
    for arm in ("a", "b"):
        for place in range(each):
            number += 1
            owned = {"organization": hotline.organization, "hotline": hotline}
            conversation = Conversation.objects.create(
                **owned,
                sender_key=number.to_bytes(16, "big"),
                key_epoch="2026b",
                messages_received=2,
                first_message_at=long_ago,
                last_message_at=long_ago,
                episode_started_at=long_ago,
                slots_used=1,
            )
            of = {**owned, "conversation": conversation, "account": hotline.account, "disposition": "answered"}
            first = Message.objects.create(**of, provider_id=f"{number}-1", received_at=long_ago)
            Reply.objects.create(
                **owned,
                conversation=conversation,
                message=first,
                episode=1,
                slot=1,
                purpose="reply",
                state="sent",
                arm=arm,
                language="fr",
                decided_at=long_ago,
                due_at=long_ago,
                expires_at=long_ago,
                sent_at=long_ago,
                provider_id=f"r-{number}",
            )
            if place < again[arm]:
                later = long_ago + datetime.timedelta(hours=1)
                Message.objects.create(**of, provider_id=f"{number}-2", received_at=later)


def test_who_writes_again_is_counted_and_a_difference_said(hotline: Hotline, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(comparing, "ENOUGH", 40)
    fill(hotline, 40, {"a": 30, "b": 5})
    [found] = comparing.of(hotline, timezone.now())
    assert (found.language, found.a, found.b) == ("fr", Share(30, 40), Share(5, 40))
    assert (found.enough, found.better) == (True, "b")
    Conversation.objects.filter(pk=Conversation.objects.order_by("pk")[0].pk).update(tester=True)
    [found] = comparing.of(hotline, timezone.now())
    assert (found.a, found.enough) == (Share(29, 39), False)
    with translation.override("en"):
        panel = comparing.shown(None, hotline)  # type: ignore[arg-type]
    assert panel is not None
    assert "a" not in panel["rows"][0]


def test_what_was_sent_before_a_text_changed_is_not_counted(world: World, hotline: Hotline) -> None:
    fill(hotline, 3, {"a": 1, "b": 1})
    assert comparing.of(hotline, timezone.now())[0].a.all == 3
    versions.write(hotline.reply_templates.get(arm="b"), "Un autre texte B.", world.north.owner)
    assert comparing.of(hotline, timezone.now())[0].a.all == 0


def test_where_nothing_is_compared_there_is_no_box(world: World, hotline: Hotline) -> None:
    assert comparing.of(world.south.hotline, timezone.now()) == []
    assert comparing.shown(None, world.south.hotline) is None  # type: ignore[arg-type]


SHARES = st.integers(1, 3000).flatmap(lambda all_: st.builds(Share, st.integers(0, all_), st.just(all_)))


#: Newcombe 1998, Stat. Med. 17, 857, table I, method 3.
@pytest.mark.parametrize(
    ("some", "all_", "low", "high"),
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)],
)
def test_an_interval_is_the_published_one(some: int, all_: int, low: float, high: float) -> None:
    assert Share(some, all_).interval == pytest.approx((low, high), abs=5e-5)


#: Newcombe 1998, Stat. Med. 17, 873, table II, method 10.
@pytest.mark.parametrize(
    ("a", "b", "low", "high"),
    [
        (Share(56, 70), Share(48, 80), 0.0524, 0.3339),
        (Share(9, 10), Share(3, 10), 0.1705, 0.8090),
        (Share(6, 7), Share(2, 7), 0.0582, 0.8062),
        (Share(5, 56), Share(0, 29), -0.0381, 0.1926),
        (Share(10, 10), Share(0, 20), 0.6791, 1.0),
    ],
)
def test_a_difference_is_the_published_one(a: Share, b: Share, low: float, high: float) -> None:
    assert comparing.difference(a, b) == pytest.approx((low, high), abs=5e-5)


@given(SHARES, SHARES)
def test_a_difference_is_judged_the_same_from_both_sides(a: Share, b: Share) -> None:
    (low, high), (other_low, other_high) = comparing.difference(a, b), comparing.difference(b, a)
    assert math.isclose(low, -other_high, abs_tol=1e-9)
    assert math.isclose(high, -other_low, abs_tol=1e-9)
    assert low <= a.value - b.value <= high
