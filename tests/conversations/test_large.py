"""Lists and threads cost the same of many rows as of few: nothing is counted, nothing is read past a page.

`PARAVENT_TEST_MESSAGES=10000000 python tests/services.py run -- pytest -s tests/conversations/test_large.py` fills a
database of that size and tells how long the pages take; without it a few thousand rows do.
"""

from __future__ import annotations

import os
import sys
import time
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from tests.world import World
from tests.writing import write

from conversations.models import Conversation, Message

pytestmark = pytest.mark.postgresql

MESSAGES = int(os.environ.get("PARAVENT_TEST_MESSAGES", "20000"))
#: Of each sender; one more sender wrote a hundredth of all.
EACH = 5
LIST = "/admin/conversations/conversation/"


def copied(model: Any, source: str, **changed: str) -> None:
    """Insert what `source` (a FROM clause with the row to copy as `model`) yields, with some columns `changed`."""
    columns = [field.column for field in model._meta.concrete_fields if not field.primary_key]
    values = [changed.get(column, f"model.{column}") for column in columns]
    table = model._meta.db_table
    with connection.cursor() as cursor:
        cursor.execute(f"INSERT INTO {table} ({', '.join(columns)}) SELECT {', '.join(values)} FROM {source}")


def fill(world: World) -> Conversation:
    """Messages of both organizations; returns the conversation of who wrote most."""
    firsts = [write(world.north), write(world.south)]
    for first in firsts:
        copied(
            Conversation,
            f"conversations_conversation model, generate_series(1, {MESSAGES // EACH // 2}) n"
            f" WHERE model.id = {first.conversation_id}",
            uuid="gen_random_uuid()",
            sender_key="decode(md5(n || '-' || model.id), 'hex')",
            last_message_at="model.last_message_at - n * interval '30 seconds'",
            slots_used="n % 6",
            messages_received=str(EACH + 6),
            language="(ARRAY['fr', 'en', '', 'es'])[1 + n % 4]",
        )
        copied(
            Message,
            f"conversations_message model, conversations_conversation c, generate_series(1, {EACH}) n"
            f" WHERE model.id = {first.pk} AND c.hotline_id = model.hotline_id AND c.id <> {first.conversation_id}",
            uuid="gen_random_uuid()",
            conversation_id="c.id",
            provider_id="c.id || '-' || n",
            nonce_hash="NULL",
            received_at="c.last_message_at - n * interval '7 minutes'",
        )
    copied(
        Message,
        f"conversations_message model, generate_series(1, {MESSAGES // 100}) n WHERE model.id = {firsts[0].pk}",
        uuid="gen_random_uuid()",
        provider_id="'long-' || n",
        nonce_hash="NULL",
        received_at="model.received_at - n * interval '1 minute'",
    )
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
    return Conversation.objects.get(pk=firsts[0].conversation_id)


def test_no_page_of_many_rows_counts_them_or_reads_them_all(world: World) -> None:
    longest = fill(world)
    thread = reverse("admin:conversations_conversation_change", args=(longest.pk,))
    for who in (world.north.viewer, world.operator):
        client = Client(headers={"Accept-Language": "en"})
        client.force_login(who)
        told = "operator" if who == world.operator else "member"
        for url in (LIST, f"{LIST}?language=es", f"{LIST}?standing=answered", f"{LIST}?standing=everywhere"):
            looked(client, url, told)
        address = LIST
        for _page in range(3):
            links = client.get(address).context["cl"].paginator
            assert links.older
            address = LIST + links.older
        looked(client, address, told)
        looked(client, thread, told)
        older = client.get(thread).context["thread"].page.older
        looked(client, f"{thread}?page={older}", told)


def looked(client: Client, url: str, who: str) -> None:
    client.get(url)
    begun = time.monotonic()
    with CaptureQueriesContext(
        connection,
    ) as queries:
        assert client.get(url).status_code == 200
    taken = time.monotonic() - begun
    told = f"{taken * 1000:.0f} ms, {len(queries)} queries"
    sys.stdout.write(f"\n{Message.objects.count():,} messages, {who}, {url[:70]}: {told}")
    assert len(queries) <= 12
    for query in (query["sql"] for query in queries):
        grows = 'FROM "conversations_conversation"' in query or 'FROM "conversations_message"' in query
        assert not grows or "COUNT(" not in query
        assert not grows or " LIMIT " in query
