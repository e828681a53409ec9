"""The one-statement ways of PostgreSQL end as the step-by-step way does, for any sequence of messages."""

from __future__ import annotations

import datetime
from typing import Any
from unittest import mock

import pytest
from django.db import connection
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.world import World

from conversations import sql
from conversations.models import Block, Conversation, Message, Reply
from hotlines.models import Hotline
from inbox import hooks, receive
from providers.base import InboundMessage, Verification

pytestmark = pytest.mark.skipif(
    "postgres" not in connection.settings_dict["ENGINE"], reason="only PostgreSQL writes in a WITH"
)

NOON = datetime.datetime(2026, 11, 2, 12, tzinfo=datetime.UTC)
STEPS = st.lists(
    st.tuples(
        st.sampled_from(["33639980101", "33639980102", "InfoSMS"]),
        st.sampled_from(["Salut", "STOP", "AIDE", ""]),
        st.sampled_from([0, 1, 90, 4_000, 90_000, 4_000_000]),
        st.booleans(),
    ),
    min_size=1,
    max_size=9,
)


def _run(hotline: Hotline, steps: list[tuple[str, str, int, bool]]) -> list[receive.Receipt]:
    hook = hooks.find(hotline.hook_token)
    assert hook is not None
    receive._seen_blocked.clear()
    now, receipts = NOON, []
    for number, (sender, text, seconds, redelivered) in enumerate(steps):
        now += datetime.timedelta(seconds=seconds)
        message = InboundMessage(
            id=f"{number}", sender=sender, recipient=hotline.number, text=text, received_at=now, units=1
        )
        deliveries = [message] * (2 if redelivered else 1)
        receipts += [
            receive.receive(hook, each, Verification("v3", f"nonce{number}"), chance=0.25) for each in deliveries
        ]
    return receipts


def _columns(model: type, hotline: Hotline, *names: str) -> list[Any]:
    path = "conversation__hotline" if model is Block else "hotline"
    return list(model.objects.filter(**{path: hotline}).order_by("pk").values_list(*names))


def _rows(hotline: Hotline) -> list[Any]:
    standing = [field for field in sql.STANDING_COLUMNS if field not in {"id", "uuid"}]
    return [
        _columns(Conversation, hotline, *standing, "first_message_at", "last_message_at", "key_epoch", "language"),
        _columns(
            Message, hotline, "provider_id", "disposition", "reason", "nonce_hash", "received_at", "units", "cost"
        ),
        [text is None for (text,) in _columns(Message, hotline, "text_sealed")],
        _columns(Reply, hotline, "episode", "slot", "purpose", "delayed", "state", "due_at", "expires_at", "attempts"),
        _columns(Block, hotline, "cause", "since", "until", "episode"),
    ]


@pytest.mark.parametrize(("limit", "delay"), [(1, 0), (2, 0), (2, 3600)])
@given(steps=STEPS)
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_every_way_of_receiving_ends_in_the_same_rows(
    world: World, limit: int, delay: int, steps: list[tuple[str, str, int, bool]]
) -> None:
    for tenant in world.tenants:
        for model in (Block, Reply, Message, Conversation):
            path = "conversation__hotline" if model is Block else "hotline"
            model.objects.filter(**{path: tenant.hotline}).delete()
        Hotline.objects.filter(pk=tenant.hotline.pk).update(reply_limit=limit, delay_seconds=delay, block_hours=2)
    hooks._clear()
    at_once = _run(world.north.hotline, steps)
    with mock.patch.object(sql, "receives_at_once", return_value=False):
        step_by_step = _run(world.south.hotline, steps)
    assert at_once == step_by_step
    assert _rows(world.north.hotline) == _rows(world.south.hotline)


def test_the_short_ways_are_taken(world: World) -> None:
    steps = [("33639980101", "Salut", 1, False)] * 8
    Hotline.objects.update(reply_limit=2)
    hooks._clear()
    with (
        mock.patch.object(sql, "count_message", wraps=sql.count_message) as step_by_step,
        mock.patch.object(sql, "receive_blocked", wraps=sql.receive_blocked) as blocked,
    ):
        _run(world.north.hotline, steps)
    # The second message of a known sender alone goes step by step; the third teaches the process that he is blocked.
    assert (step_by_step.call_count, blocked.call_count) == (1, 5)
