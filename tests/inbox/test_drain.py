"""Draining asks a database that was well a moment ago: it may hang again at any statement."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from urllib.parse import urlencode

import pytest
from django.utils import timezone
from tests.world import World, message_fields

from conversations.models import Message
from inbox import deadline, drain, hooks, spool
from inbox.arrival import Arrival
from providers.base import SignedRequest, Verification

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_hotline_is_looked_up_within_the_deadline(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """A look-up that hung would hold up the thread for good, and everything that waits with it."""
    hotline, armed, at_look_up = world.north.hotline, [], []

    @contextlib.contextmanager
    def arm() -> Iterator[None]:
        armed.append(True)
        yield
        armed.pop()

    def find(hotline_id: int) -> hooks.Hook | None:
        at_look_up.append(bool(armed))
        return hooks.of_hotline(hotline_id)

    monkeypatch.setattr(deadline, "armed", arm)
    signed = SignedRequest("POST", "", {}, urlencode(message_fields(hotline, "Salut", "33639980101")).encode())
    arrival = Arrival("message", "plivo", hotline.pk, signed, Verification("v3", "nonce"), timezone.now())
    spool.current().append(arrival.packed())
    spool.current().seal()
    assert drain._drain_segments(find) == (1, True)
    assert at_look_up == [True]
    assert Message.objects.filter(hotline=hotline).count() == 1
