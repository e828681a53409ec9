"""What a request costs the database, transaction control included (SECURITY.md B14, issue 2)."""

from __future__ import annotations

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from tests.inbox.webhook import headers_of, path_of, post
from tests.world import World, message_fields

from conversations.models import Message
from outbox import release, send
from providers.base import Knowledge, Outcome

pytestmark = pytest.mark.django_db(transaction=True)

POSTGRESQL = "postgres" in connection.settings_dict["ENGINE"]


def statements(world: World, fields: dict[str, str], status: int = 200, endpoint: str = "message") -> int:
    path = path_of(world.north.hotline, endpoint)
    headers = headers_of(path, fields, world.north.token)
    with CaptureQueriesContext(connection) as captured:
        assert post(path, fields, headers) == status
    return len(captured)


def texts(world: World, number: int, text: str = "Salut", sender: str = "33639980123") -> list[int]:
    return [statements(world, message_fields(world.north.hotline, text, sender)) for _ in range(number)]


@pytest.fixture
def warm(world: World) -> World:
    """A process that has answered one message: hook, keys and pin are known."""
    texts(world, 1, sender="33639980999")
    texts(world, 1, sender="33639980998")
    return world


def test_a_new_sender_costs_five_statements_at_most(warm: World) -> None:
    costs = [texts(warm, 1, sender=f"3363998{number:04}")[0] for number in range(5)]
    assert costs == [1 if POSTGRESQL else 5] * 5


def test_a_blocked_sender_costs_four_statements_at_most_and_nothing_of_it_is_kept(warm: World) -> None:
    texts(warm, 5)
    costs = texts(warm, 4)
    assert max(costs) <= 4
    blocked = Message.objects.filter(disposition="blocked")
    assert [message.text_sealed for message in blocked] == [None] * 4


def test_a_duplicate_costs_no_more_than_a_message(warm: World) -> None:
    fields = message_fields(warm.north.hotline, sender="33639980123")
    statements(warm, fields)
    assert max(statements(warm, fields) for _ in range(3)) <= 6


def test_any_other_message_costs_eight_at_most(warm: World) -> None:
    assert max(texts(warm, 5)) <= 8  # the last of them writes the block as well
    assert max(texts(warm, 1, "STOP", "33639980124") + texts(warm, 1, "AIDE", "33639980125")) <= 8
    elsewhere = [message_fields(warm.north.hotline) | {"To": "33600000000"} for _ in range(2)]
    assert [statements(warm, fields) for fields in elsewhere][1] <= 2  # the first makes a key


def test_a_report_costs_ten_at_most(warm: World) -> None:
    release.release_due(timezone.now())
    reply = send.claim(timezone.now())
    assert reply is not None
    send.record(reply, Outcome(Knowledge.ACCEPTED, provider_id="accepted"))
    endpoint = f"report/{reply.uuid}"
    costs = [
        statements(warm, {"MessageUUID": "accepted", "Status": word, "Sequence": "1"}, endpoint=endpoint)
        for word in ("queued", "sent", "delivered")
    ]
    assert costs[-1] <= 10  # the first writes the pin, and the second reads it
