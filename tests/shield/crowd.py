"""Crowds of senders for tests of detection: each of another block of numbers and with words of his own, or not."""

from __future__ import annotations

import datetime
from collections.abc import Iterable

from tests.outbox.carrier import written
from tests.outbox.replies import NOON

from conversations.models import Reply
from hotlines.models import Hotline


def stranger(number: int) -> str:
    """A French mobile number of a block in which no other one is."""
    return f"336{number % 10_000:04}{number // 10_000:04}"


def neighbour(number: int) -> str:
    """One of ten thousand numbers that are all of one block."""
    return f"3377777{number:04}"


def strangers(
    hotline: Hotline, count: int, *, first: int = 0, at: datetime.datetime = NOON, text: str | None = None
) -> list[Reply]:
    """So many new senders write once, with words of their own or all with `text`."""
    return _first_replies(hotline, map(stranger, range(first, first + count)), at, text)


def neighbours(hotline: Hotline, count: int, *, first: int = 0, at: datetime.datetime = NOON) -> list[Reply]:
    """So many new senders of one block write once, with words of their own."""
    return _first_replies(hotline, map(neighbour, range(first, first + count)), at)


def _first_replies(
    hotline: Hotline, numbers: Iterable[str], at: datetime.datetime, text: str | None = None
) -> list[Reply]:
    replies = [written(hotline, number, text, at) for number in numbers]
    assert all(replies)
    return [reply for reply in replies if reply is not None]


def suspicions(replies: list[Reply]) -> list[str | None]:
    found = dict(Reply.objects.values_list("pk", "suspicion"))
    return [found[reply.pk] for reply in replies]
