"""The statements that the ORM cannot say. The only raw SQL there is.

`count_message`, `insert_message` and `insert_reply` are valid on PostgreSQL and on SQLite from 3.35, and together they
are the whole of receiving. `receive_at_once` says the two commonest cases of a raid (a new sender, a blocked one) in
one statement; only PostgreSQL allows writing in a WITH. It decides nothing: it applies what `shield.decide` said where
the row is as was assumed, and otherwise changes nothing. `tests/inbox/test_receive_paths.py` holds both ways equal.
"""

from __future__ import annotations

import datetime
import functools
from collections.abc import Sequence
from typing import Any

from django.db import connection

from .models import Block, Conversation, Message, Reply

_CONVERSATION = Conversation._meta.db_table
_MESSAGE = Message._meta.db_table
_REPLY = Reply._meta.db_table
_BLOCK = Block._meta.db_table

Values = dict[str, Any]

#: What a new conversation is inserted with.
CONVERSATION_COLUMNS = (
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
MESSAGE_COLUMNS = (
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
REPLY_COLUMNS = (
    "uuid",
    "organization_id",
    "hotline_id",
    "conversation_id",
    "message_id",
    "episode",
    "slot",
    "purpose",
    "delayed",
    "state",
    "decided_at",
    "due_at",
    "expires_at",
    "language",
    "attempts",
    "provider_id",
    "detail",
    "delivery",
    "delivery_sequence",
    "error_code",
)
#: What `count_message` brings back: enough to decide.
STANDING_COLUMNS = (
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


def _insert(table: str, columns: Sequence[str]) -> str:
    return f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({', '.join(['%s'] * len(columns))})"  # noqa: S608


# The row lock that ON CONFLICT takes puts all messages of one sender in a row; no other row is shared.
_COUNT_MESSAGE = f"""
    {_insert(_CONVERSATION, CONVERSATION_COLUMNS)}
    ON CONFLICT (hotline_id, sender_key) DO UPDATE SET
        messages_received = {_CONVERSATION}.messages_received + 1,
        last_message_at = CASE WHEN excluded.last_message_at > {_CONVERSATION}.last_message_at
            THEN excluded.last_message_at ELSE {_CONVERSATION}.last_message_at END
    RETURNING {", ".join(STANDING_COLUMNS)},
        {_CONVERSATION}.sender_sealed IS NULL AS sender_erased,
        EXISTS (SELECT 1 FROM {_REPLY} r WHERE r.conversation_id = {_CONVERSATION}.id AND r.delayed
            AND r.state IN ('pending', 'released')) AS reply_waiting,
        EXISTS (SELECT 1 FROM {_BLOCK} b WHERE b.organization_id = {_CONVERSATION}.organization_id
            AND b.sender_key IN ({_CONVERSATION}.sender_key, %s) AND b.conversation_id IS NULL
            AND b.lifted_at IS NULL AND (b.until IS NULL OR b.until > %s)) AS blocked_everywhere
"""  # noqa: S608  every interpolated name is a constant of this module
_INSERT_MESSAGE = f"{_insert(_MESSAGE, MESSAGE_COLUMNS)} ON CONFLICT DO NOTHING RETURNING id"
_INSERT_REPLY = _insert(_REPLY, REPLY_COLUMNS)


def count_message(values: Values, previous_key: bytes | None, now: datetime.datetime) -> Values:
    """Insert the conversation, or count one more message in it; its row is locked until the transaction ends.

    A new row is told by its `uuid` being the one given. `previous_key` is the sender's pseudonym of the last epoch.
    """
    fields = Conversation._meta
    older = fields.get_field("sender_key").get_db_prep_save(previous_key or values["sender_key"], connection)
    moment = connection.ops.adapt_datetimefield_value(now)
    with connection.cursor() as cursor:
        cursor.execute(_COUNT_MESSAGE, [*_prepared(fields, CONVERSATION_COLUMNS, values), older, moment])
        row = cursor.fetchone()
    names = (*STANDING_COLUMNS, "sender_erased", "reply_waiting", "blocked_everywhere")
    return dict(zip(names, _converted(fields, row), strict=True))


def insert_message(values: Values) -> int | None:
    """The new message's id, or None when its provider id or its nonce is already there, and nothing was written."""
    with connection.cursor() as cursor:
        cursor.execute(_INSERT_MESSAGE, _prepared(Message._meta, MESSAGE_COLUMNS, values))
        row = cursor.fetchone()
    return row[0] if row else None


def insert_reply(values: Values) -> None:
    """Raises `IntegrityError` where the slot or the message has its reply already."""
    with connection.cursor() as cursor:
        cursor.execute(_INSERT_REPLY, _prepared(Reply._meta, REPLY_COLUMNS, values))


def receives_at_once() -> bool:
    """Whether the database can write in a WITH."""
    return connection.vendor == "postgresql"


def receive_at_once(conversation: Values, message: Values, reply: Values | None, previous_key: bytes | None) -> bool:
    """Store a new sender's message as given, or a blocked sender's without content; False, and no change, otherwise.

    One statement is one transaction. Raises `IntegrityError`, and nothing is stored, when the message or its nonce
    came in between.
    """
    named = {f"c_{name}": conversation[name] for name in CONVERSATION_COLUMNS}
    named |= {f"m_{name}": message[name] for name in MESSAGE_COLUMNS if name != "conversation_id"}
    chosen = reply or dict.fromkeys(REPLY_COLUMNS)
    named |= {f"r_{name}": chosen[name] for name in REPLY_COLUMNS if name not in {"conversation_id", "message_id"}}
    named |= {"has_reply": reply is not None, "previous_key": previous_key or conversation["sender_key"]}
    with connection.cursor() as cursor:
        cursor.execute(_at_once(), named)
        return bool(cursor.fetchone()[0])


@functools.cache
def _at_once() -> str:
    """Casts are spelled out, because a bare parameter in a SELECT has no type of its own."""

    def cast(model: type[Conversation | Message | Reply], prefix: str, columns: Sequence[str]) -> list[str]:
        types = {field.column: field.db_type(connection) for field in model._meta.concrete_fields}
        return [f"%({prefix}_{column})s::{types[column]}" for column in columns]

    message_columns = [column for column in MESSAGE_COLUMNS if column != "conversation_id"]
    message_values = dict(zip(message_columns, cast(Message, "m", message_columns), strict=True))
    message_values["text_sealed"] = f"CASE WHEN x.blocked THEN NULL ELSE {message_values['text_sealed']} END"
    message_values["disposition"] = f"CASE WHEN x.blocked THEN 'blocked' ELSE {message_values['disposition']} END"
    message_values["reason"] = f"CASE WHEN x.blocked THEN '' ELSE {message_values['reason']} END"
    reply_columns = [column for column in REPLY_COLUMNS if column not in {"conversation_id", "message_id"}]
    return f"""
    WITH blocked AS (
        UPDATE {_CONVERSATION} SET messages_received = messages_received + 1,
            last_message_at = GREATEST(last_message_at, %(m_received_at)s::timestamptz)
        WHERE hotline_id = %(c_hotline_id)s AND sender_key = %(c_sender_key)s
            AND blocked_until > %(m_received_at)s::timestamptz AND opted_out_at IS NULL
            AND NOT EXISTS (SELECT 1 FROM {_MESSAGE} WHERE hotline_id = %(m_hotline_id)s
                AND provider_id = %(m_provider_id)s)
        RETURNING id
    ), created AS (
        INSERT INTO {_CONVERSATION} ({", ".join(CONVERSATION_COLUMNS)})
        SELECT {", ".join(cast(Conversation, "c", CONVERSATION_COLUMNS))}
        WHERE NOT EXISTS (SELECT 1 FROM blocked)
            AND NOT EXISTS (SELECT 1 FROM {_BLOCK} b WHERE b.organization_id = %(c_organization_id)s
                AND b.sender_key IN (%(c_sender_key)s, %(previous_key)s) AND b.conversation_id IS NULL
                AND b.lifted_at IS NULL AND (b.until IS NULL OR b.until > %(m_received_at)s::timestamptz))
            AND NOT EXISTS (SELECT 1 FROM {_CONVERSATION} WHERE hotline_id = %(c_hotline_id)s
                AND sender_key = %(previous_key)s AND sender_key <> %(c_sender_key)s)
        ON CONFLICT (hotline_id, sender_key) DO NOTHING
        RETURNING id
    ), stored AS (
        INSERT INTO {_MESSAGE} (conversation_id, {", ".join(message_columns)})
        SELECT x.id, {", ".join(message_values[column] for column in message_columns)}
        FROM (SELECT id, TRUE AS blocked FROM blocked UNION ALL SELECT id, FALSE FROM created) x
        RETURNING id, conversation_id
    ), answered AS (
        INSERT INTO {_REPLY} (message_id, conversation_id, {", ".join(reply_columns)})
        SELECT stored.id, created.id, {", ".join(cast(Reply, "r", reply_columns))}
        FROM stored JOIN created ON created.id = stored.conversation_id WHERE %(has_reply)s
    )
    SELECT EXISTS (SELECT 1 FROM stored)
    """  # noqa: S608


def _prepared(meta: Any, columns: Sequence[str], values: Values) -> list[Any]:
    """PostgreSQL's driver takes the values as they are; SQLite's needs Django's words for moments, uuids and money."""
    if connection.vendor == "postgresql":
        return [values[column] for column in columns]
    by_column = {field.column: field for field in meta.concrete_fields}
    return [by_column[column].get_db_prep_save(values[column], connection) for column in columns]


def _converted(meta: Any, row: Sequence[Any]) -> list[Any]:
    """The inverse of `_prepared`: SQLite hands back text for moments and uuids, and 0 or 1 for truth."""
    if connection.vendor == "postgresql":
        return list(row)
    by_column = {field.column: field for field in meta.concrete_fields}
    converted = [by_column[column].to_python(value) for column, value in zip(STANDING_COLUMNS, row, strict=False)]
    moments = {"episode_started_at", "reply_due_at", "opted_out_at", "blocked_until"}
    for index, column in enumerate(STANDING_COLUMNS):
        value = converted[index]
        if column in moments and value is not None and value.tzinfo is None:
            converted[index] = value.replace(tzinfo=datetime.UTC)
    return [*converted, *(bool(value) for value in row[len(STANDING_COLUMNS) :])]
