"""What a hotline's page says of how well its number is heard."""

from __future__ import annotations

import datetime
import re

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone, translation
from django.utils.html import strip_tags
from tests.outbox.carrier import reported, written
from tests.world import World

from conversations import number_health
from conversations.models import Reply
from conversations.number_health import Figures, advice
from hotlines.models import Hotline
from outbox import release, send
from providers.base import Delivery, Knowledge, Outcome

DAY = datetime.timedelta(days=1)
NO_BREAK = "\N{NO-BREAK SPACE}"


def panel(world: World, role: str = "viewer", language: str = "en") -> str:
    """The box as its reader sees it, without markup; "" where there is none."""
    client = Client(headers={"accept-language": language})
    client.force_login(world.north.members[role])
    page = client.get(reverse("admin:hotlines_hotline_change", args=(world.north.hotline.pk,))).content.decode()
    if 'aria-labelledby="health"' not in page:
        return ""
    box = page[page.index('aria-labelledby="health"') :]
    said = strip_tags(box[: box.index("</section>")].replace("<", " <"))
    return re.sub(r"\s+", " ", said)


def sent(hotline: Hotline, count: int, knowledge: Knowledge = Knowledge.ACCEPTED, first: int = 0) -> list[Reply]:
    """So many replies that a provider took or refused."""
    Hotline.objects.update(delay_seconds=0, jitter_seconds=0)
    replies = []
    for number in range(first, first + count):
        reply = written(hotline, f"336398{number:05}")
        assert reply is not None
        release.release_due(timezone.now())
        claimed = send.claim(timezone.now())
        assert claimed is not None
        taken = knowledge is Knowledge.ACCEPTED
        send.record(claimed, Outcome(knowledge, provider_id=f"id-{claimed.uuid}" if taken else "", detail="400"))
        replies.append(Reply.objects.get(pk=claimed.pk))
    return replies


def test_a_number_that_nobody_wrote_to_has_no_box(world: World) -> None:
    written(world.south.hotline)
    assert panel(world) == ""


def test_it_counts_what_was_taken_arrived_and_did_not(world: World) -> None:
    replies = sent(world.north.hotline, 5)
    sent(world.south.hotline, 3, first=50)  # another organization's, which count for nobody here
    for reply in replies[:2]:
        assert reported(reply, reply.provider_id)
    assert reported(replies[2], replies[2].provider_id, Delivery.UNDELIVERED)
    sent(world.north.hotline, 1, Knowledge.REFUSED, first=10)
    day, week = number_health.figures_of(world.north.hotline, timezone.now())
    assert day == week == Figures(taken=5, delivered=2, undelivered=1, refused=1)
    said = panel(world)
    assert "Taken by the provider 5 5" in said
    assert "Reported as not delivered 1 1" in said
    assert "Share that arrived, of those reported 66% 66%" in said
    assert "Refused by the provider 1 1" in said


def test_what_is_older_than_a_day_counts_for_the_week_and_what_is_older_than_that_not(world: World) -> None:
    replies, now = sent(world.north.hotline, 3), timezone.now()
    for reply, age in zip(replies, (0.5, 2, 8), strict=True):
        Reply.objects.filter(pk=reply.pk).update(finished_at=now - age * DAY)
    day, week = number_health.figures_of(world.north.hotline, now)
    assert (day.taken, week.taken) == (1, 2)


def test_the_most_frequent_codes_are_named(world: World) -> None:
    replies = sent(world.north.hotline, 7)
    for reply, code in zip(replies, ["30", "30", "30", "50", "50", "70", "90"], strict=True):
        Reply.objects.filter(pk=reply.pk).update(error_code=code)
    assert number_health.codes_of(world.north.hotline, timezone.now()) == [("30", 3), ("50", 2), ("70", 1)]
    assert "30 (3 times) · 50 (2 times) · 70 (once)" in panel(world)


def test_what_is_spoken_in_a_call_says_nothing_of_messages(world: World) -> None:
    sent(world.north.hotline, 1)
    Reply.objects.update(channel="call")
    assert number_health.figures_of(world.north.hotline, timezone.now()) == (Figures(), Figures())


def test_a_share_is_never_rounded_up_to_all(world: World) -> None:
    with translation.override("en"):
        assert number_health._percent(Figures(delivered=999, undelivered=1).rate) == "99%"
        assert number_health._percent(Figures().rate) == "–"


def test_it_is_written_as_its_reader_writes(world: World) -> None:
    sent(world.north.hotline, 1)
    said = panel(world, language="fr")
    assert "Santé du numéro" in said
    with translation.override("fr"):
        assert number_health._percent(0.5) == f"50{NO_BREAK}%"


@pytest.mark.parametrize(
    ("figures", "words"),
    [
        (Figures(), ""),
        (Figures(taken=9, undelivered=9), ""),
        (Figures(taken=100, delivered=80, undelivered=20), ""),
        (Figures(taken=100, delivered=79, undelivered=21), "Operators may filter"),
        (Figures(taken=10), "reports on none"),
        (Figures(taken=5, refused=5), ""),
        (Figures(taken=4, refused=6), "refuses most"),
        (Figures(taken=12, delivered=0, undelivered=12, refused=13), "refuses most"),
    ],
)
def test_it_says_what_to_do_where_something_is_to_be_done(figures: Figures, words: str) -> None:
    with translation.override("en"):
        said = advice(figures, answers=True)
    assert words in said
    assert bool(words) == bool(said)


def test_a_number_that_is_silent_needs_no_reports() -> None:
    assert advice(Figures(taken=10), answers=False) == ""
