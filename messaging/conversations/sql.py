"""The statements that the ORM cannot say, valid on PostgreSQL and on SQLite from 3.35. The only raw SQL there is."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from typing import Any

from django.db import connection

from .models import Block, Conversation, Message, Reply

_CONVERSATION = Conversation._meta.db_table
_MESSAGE = Message._meta.db_table
_REPLY = Reply._meta.db_table
_BLOCK = Block._meta.db_table

#: What a new conversation is inserted with; the order of `count_message`'s values.
INSERTED = (
    "uuid",
    "organization_id",
    "hotline_id",
    "sender_key",
    "key_epoch",
    "sender_sealed",
    "language",
    "messages_received",
    "first_message_at",
    "last_message_at",
    "episode",
    "episode_started_at",
    "slots_used",
    "reply_due_at",
    "opted_out_at",
    "blocked_until",
    "block_cause",
)
#: What comes back: enough to decide.
RETURNED = (
    "id",
    "uuid",
    "messages_received",
    "episode",
    "episode_started_at",
    "slots_used",
    "reply_due_at",
    "opted_out_at",
    "blocked_until",
    "block_cause",
)

# The row lock that ON CONFLICT takes puts all messages of one sender in a row; no other row is shared.
_COUNT_MESSAGE = f"""
    INSERT INTO {_CONVERSATION} ({", ".join(INSERTED)}) VALUES ({", ".join(["%s"] * len(INSERTED))})
    ON CONFLICT (hotline_id, sender_key) DO UPDATE SET
        messages_received = {_CONVERSATION}.messages_received + 1,
        last_message_at = CASE WHEN excluded.last_message_at > {_CONVERSATION}.last_message_at
            THEN excluded.last_message_at ELSE {_CONVERSATION}.last_message_at END
    RETURNING {", ".join(RETURNED)},
        {_CONVERSATION}.sender_sealed IS NULL AS sender_erased,
        EXISTS (SELECT 1 FROM {_REPLY} r WHERE r.conversation_id = {_CONVERSATION}.id AND r.delayed
            AND r.state IN ('pending', 'released')) AS reply_waiting,
        EXISTS (SELECT 1 FROM {_BLOCK} b WHERE b.organization_id = {_CONVERSATION}.organization_id
            AND b.sender_key IN ({_CONVERSATION}.sender_key, %s) AND b.conversation_id IS NULL AND b.lifted_at IS NULL
            AND (b.until IS NULL OR b.until > %s)) AS blocked_everywhere
"""  # noqa: S608  every interpolated name is a constant of this module

_MESSAGE_COLUMNS = (
    "uuid",
    "organization_id",
    "hotline_id",
    "account_id",
    "conversation_id",
    "provider_id",
    "nonce_hash",
    "disposition",
    "reason",
    "text_sealed",
    "units",
    "cost",
    "received_at",
)
_INSERT_MESSAGE = f"""
    INSERT INTO {_MESSAGE} ({", ".join(_MESSAGE_COLUMNS)}) VALUES ({", ".join(["%s"] * len(_MESSAGE_COLUMNS))})
    ON CONFLICT DO NOTHING RETURNING id
"""  # noqa: S608


def count_message(values: dict[str, Any], previous_key: bytes | None, now: datetime.datetime) -> dict[str, Any]:
    """Insert the conversation, or count one more message in it; its row is locked until the transaction ends.

    A new row is told by its `uuid` being the one given. `previous_key` is the sender's pseudonym of the last epoch.
    """
    fields = Conversation._meta
    key_field = fields.get_field("sender_key")
    older = key_field.get_db_prep_save(previous_key or values["sender_key"], connection)
    moment = connection.ops.adapt_datetimefield_value(now)
    with connection.cursor() as cursor:
        cursor.execute(_COUNT_MESSAGE, [*_prepared(fields, INSERTED, values), older, moment])
        row = cursor.fetchone()
    names = (*RETURNED, "sender_erased", "reply_waiting", "blocked_everywhere")
    return dict(zip(names, _converted(fields, row), strict=True))


def insert_message(values: dict[str, Any]) -> int | None:
    """The new message's id, or None when its provider id or its nonce is already there, and nothing was written."""
    with connection.cursor() as cursor:
        cursor.execute(_INSERT_MESSAGE, _prepared(Message._meta, _MESSAGE_COLUMNS, values))
        row = cursor.fetchone()
    return row[0] if row else None


def _prepared(meta: Any, columns: Sequence[str], values: dict[str, Any]) -> list[Any]:
    by_column = {field.column: field for field in meta.concrete_fields}
    return [by_column[column].get_db_prep_save(values[column], connection) for column in columns]


def _converted(meta: Any, row: Sequence[Any]) -> list[Any]:
    """SQLite hands back text for moments and uuids, and 0 or 1 for truth; PostgreSQL the values themselves."""
    by_column = {field.column: field for field in meta.concrete_fields}
    converted = [by_column[column].to_python(value) for column, value in zip(RETURNED, row, strict=False)]
    moments = {"episode_started_at", "reply_due_at", "opted_out_at", "blocked_until"}
    for index, column in enumerate(RETURNED):
        value = converted[index]
        if column in moments and value is not None and value.tzinfo is None:
            converted[index] = value.replace(tzinfo=datetime.UTC)
    return [*converted, *(bool(value) for value in row[len(RETURNED) :])]
