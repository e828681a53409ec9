"""The statements that the ORM cannot say. Raw SQL stands here and in `at_once`, nowhere else.

All are valid on PostgreSQL and on SQLite from 3.35. `count_message`, `insert_message` and `insert_reply` together are
the whole of receiving a message; `lock_reply`, `insert_report` and `update_reply` that of taking a delivery report.
"""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from typing import Any
from uuid import UUID

from django.db import connection
from django.db.models import CharField, Func
from django.utils import timezone

from .models import Block, Conversation, DeliveryReport, Message, Reply

CONVERSATION = Conversation._meta.db_table
MESSAGE = Message._meta.db_table
REPLY = Reply._meta.db_table
BLOCK = Block._meta.db_table
REPORT = DeliveryReport._meta.db_table

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
REPORT_COLUMNS = (
    "reply_id",
    "account_id",
    "nonce_hash",
    "body_fingerprint",
    "status",
    "sequence",
    "received_at",
)
#: What `lock_reply` brings back: enough to tell what a report changes.
REPORTED_COLUMNS = (
    "id",
    "state",
    "claimed_at",
    "provider_id",
    "delivery",
    "delivery_sequence",
    "error_code",
    "cost",
    "reserved_at",
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
#: What else is asked of a known sender, by `count_message` and by `at_once`.
KNOWN_COLUMNS = (*STANDING_COLUMNS, "sender_erased", "reply_waiting", "blocked_everywhere", "held")


def reply_waits(conversation: str) -> str:
    """The condition that a delayed reply is not yet sent in the conversation whose table is called so."""
    return f"""EXISTS (SELECT 1 FROM {REPLY} r WHERE r.conversation_id = {conversation}.id AND r.delayed
            AND r.state IN ('pending', 'released', 'claimed'))"""  # noqa: S608


def _insert(table: str, columns: Sequence[str]) -> str:
    return f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({', '.join(['%s'] * len(columns))})"  # noqa: S608


# SQLite 3.40 answers 0 to `column IS NULL` in RETURNING, also for a null: hence the length.
# The row lock that ON CONFLICT takes puts all messages of one sender in a row; no other row is shared.
_COUNT_MESSAGE = f"""
    {_insert(CONVERSATION, CONVERSATION_COLUMNS)}
    ON CONFLICT (hotline_id, sender_key) DO UPDATE SET
        messages_received = {CONVERSATION}.messages_received + 1,
        last_message_at = CASE WHEN excluded.last_message_at > {CONVERSATION}.last_message_at
            THEN excluded.last_message_at ELSE {CONVERSATION}.last_message_at END
    RETURNING {", ".join(STANDING_COLUMNS)},
        COALESCE(length({CONVERSATION}.sender_sealed), 0) = 0 AS sender_erased,
        {reply_waits(CONVERSATION)} AS reply_waiting,
        EXISTS (SELECT 1 FROM {BLOCK} b WHERE b.organization_id = {CONVERSATION}.organization_id
            AND b.sender_key IN ({CONVERSATION}.sender_key, %s) AND b.conversation_id IS NULL
            AND b.lifted_at IS NULL AND (b.until IS NULL OR b.until > %s)) AS blocked_everywhere,
        {CONVERSATION}.held AS held
"""  # noqa: S608  every interpolated name is a constant of this module
#: What calls and held senders' messages have beside: left to the database's default everywhere else.
_RARE_COLUMNS = ("channel", "kept")
_INSERT_MESSAGE: dict[tuple[str, ...], str] = {
    rare: f"{_insert(MESSAGE, (*MESSAGE_COLUMNS, *rare))} ON CONFLICT DO NOTHING RETURNING id"
    for rare in ((), ("channel",), ("kept",), ("channel", "kept"))
}
_INSERT_REPLY = _insert(REPLY, REPLY_COLUMNS)
_READ_REPLY = f"""SELECT {", ".join(REPORTED_COLUMNS)} FROM {REPLY}
    WHERE uuid = %s AND %s IN (hotline_id, sent_by_id) AND attempts > 0"""  # noqa: S608
_INSERT_REPORT = f"{_insert(REPORT, REPORT_COLUMNS)} ON CONFLICT DO NOTHING RETURNING id"


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
    return dict(zip(KNOWN_COLUMNS, _converted(fields, row), strict=True))


def insert_message(values: Values) -> int | None:
    """The new message's id, or None when its provider id or its nonce is already there, and nothing was written."""
    rare = tuple(column for column in _RARE_COLUMNS if column in values)
    with connection.cursor() as cursor:
        cursor.execute(_INSERT_MESSAGE[rare], _prepared(Message._meta, (*MESSAGE_COLUMNS, *rare), values))
        row = cursor.fetchone()
    return row[0] if row else None


def insert_reply(values: Values) -> None:
    """Raises `IntegrityError` where the slot or the message has its reply already."""
    with connection.cursor() as cursor:
        cursor.execute(_INSERT_REPLY, _prepared(Reply._meta, REPLY_COLUMNS, values))


def lock_reply(reply_uuid: UUID, hotline_id: int) -> Values | None:
    """The reply of this name as `REPORTED_COLUMNS`, if it is the hotline's, or sent by its number, and ever was to be.

    Its row is locked until the transaction ends, on PostgreSQL; SQLite has one writer at a time anyway.
    """
    lock = " FOR UPDATE" if connection.features.has_select_for_update else ""
    with connection.cursor() as cursor:
        cursor.execute(f"{_READ_REPLY}{lock}", [*_prepared(Reply._meta, ("uuid",), {"uuid": reply_uuid}), hotline_id])
        row = cursor.fetchone()
    return None if row is None else dict(zip(REPORTED_COLUMNS, _read(Reply._meta, REPORTED_COLUMNS, row), strict=True))


def insert_report(values: Values) -> bool:
    """Whether it was new. False, and nothing was written, where the account's nonce carried a report before."""
    with connection.cursor() as cursor:
        cursor.execute(_INSERT_REPORT, _prepared(DeliveryReport._meta, REPORT_COLUMNS, values))
        return cursor.fetchone() is not None


def update_reply(reply_id: int, changes: Values) -> None:
    """Write `changes`, columns of ours by name. Raises `IntegrityError` where another reply has the provider's id."""
    columns = tuple(changes)
    written = ", ".join(f"{column} = %s" for column in columns)
    with connection.cursor() as cursor:
        cursor.execute(
            f"UPDATE {REPLY} SET {written} WHERE id = %s",  # noqa: S608
            [*_prepared(Reply._meta, columns, changes), reply_id],
        )


def clock_ahead() -> datetime.timedelta:
    """How far the database's clock, which all hosts share, is ahead of ours. SQLite has no other clock than ours."""
    if connection.vendor != "postgresql":
        return datetime.timedelta(0)
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        moment: datetime.datetime = cursor.fetchone()[0]
    return moment - timezone.now()


class ServersIdentity(Func):
    """What tells this PostgreSQL database from a restored copy of it, as text: cluster, database, table of replies.

    A restore makes at least the table anew. `of_cluster=False` where our role may not ask which cluster it is.
    """

    output_field = CharField()
    _cluster = "(SELECT system_identifier FROM pg_control_system())"
    _rest = f"(SELECT oid FROM pg_database WHERE datname = current_database()), '{REPLY}'::regclass::oid"  # noqa: S608

    def __init__(self, *, of_cluster: bool = True) -> None:
        cluster = self._cluster if of_cluster else "'-'"
        super().__init__(template=f"concat_ws('/', {cluster}, {self._rest})")


def may_ask_for_cluster() -> bool:
    """Whether our role may call what `ServersIdentity` asks by default; everybody may, unless it was taken away."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT has_function_privilege('pg_control_system()', 'EXECUTE')")
        return bool(cursor.fetchone()[0])


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
    known = len(STANDING_COLUMNS)
    return [*_read(meta, STANDING_COLUMNS, row[:known]), *(bool(value) for value in row[known:])]


def _read(meta: Any, columns: Sequence[str], row: Sequence[Any]) -> list[Any]:
    """The values of a row of `columns`, as Django gives them: SQLite's moments are text without their zone."""
    if connection.vendor == "postgresql":
        return list(row)
    by_column = {field.column: field for field in meta.concrete_fields}
    values = [by_column[column].to_python(value) for column, value in zip(columns, row, strict=True)]
    return [
        value.replace(tzinfo=datetime.UTC) if isinstance(value, datetime.datetime) and value.tzinfo is None else value
        for value in values
    ]
