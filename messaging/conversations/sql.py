"""The statements that the ORM cannot say. The only raw SQL there is.

`count_message`, `insert_message` and `insert_reply` are valid on PostgreSQL and on SQLite from 3.35, and together they
are the whole of receiving. `receive_at_once` says the two commonest cases of a raid (a new sender, a blocked one) in
one statement, `count_blocked` the second for hundreds of messages; only PostgreSQL allows writing in a WITH. They
decide nothing: they apply what `shield.decide` says where the row is as was assumed, and otherwise change nothing.
`tests/inbox/test_receive_paths.py` holds all ways equal.
"""

from __future__ import annotations

import datetime
import enum
from collections.abc import Sequence
from typing import Any

from django.db import connection
from django.db.models import CharField, Func
from django.utils import timezone

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
            AND r.state IN ('pending', 'released', 'claimed')) AS reply_waiting,
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
    _rest = f"(SELECT oid FROM pg_database WHERE datname = current_database()), '{_REPLY}'::regclass::oid"  # noqa: S608

    def __init__(self, *, of_cluster: bool = True) -> None:
        cluster = self._cluster if of_cluster else "'-'"
        super().__init__(template=f"concat_ws('/', {cluster}, {self._rest})")


def may_ask_for_cluster() -> bool:
    """Whether our role may call what `ServersIdentity` asks by default; everybody may, unless it was taken away."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT has_function_privilege('pg_control_system()', 'EXECUTE')")
        return bool(cursor.fetchone()[0])


def receives_at_once() -> bool:
    """Whether the database can write in a WITH."""
    return connection.vendor == "postgresql"


class AtOnce(enum.Enum):
    """Whose message one statement stored; `NOBODY` means that it changed nothing."""

    NOBODY = enum.auto()
    NEW = enum.auto()
    BLOCKED = enum.auto()


def receive_at_once(values: Values) -> AtOnce:
    """Store a new sender's message as given, or a blocked sender's without content; no change otherwise.

    `values` are `AT_ONCE`. One statement is one transaction. Raises `IntegrityError`, and nothing is stored, when the
    message or its nonce came in between.
    """
    with connection.cursor() as cursor:
        cursor.execute(_AT_ONCE, values)
        created, blocked = cursor.fetchone()
    return AtOnce.NEW if created else AtOnce.BLOCKED if blocked else AtOnce.NOBODY


def count_blocked(rows: Sequence[Values]) -> set[tuple[int, str]]:
    """Store those messages whose senders are blocked, without content, and count them; which those were.

    `rows` are what is known of a message, with its `sender_key`; the answer names them by hotline and provider's id.
    A message or a nonce that is there already is not among them, and a sender's rows are locked in one order.
    """
    columns = {f"{column}s": [row[column] for row in rows] for column in _BLOCKED_COLUMNS}
    with connection.cursor() as cursor:
        cursor.execute(_COUNT_BLOCKED, columns)
        return {(hotline_id, provider_id) for hotline_id, provider_id in cursor.fetchall()}


#: The parameters of `receive_at_once`, fewer than 50, because the driver translates longer statements anew each time.
#: A new conversation is in its first episode, without a block and without an opt-out.
AT_ONCE = (
    *("organization_id", "hotline_id", "account_id", "now", "sender_key", "previous_key", "key_epoch"),
    *("conversation_uuid", "sender_sealed", "slots_used", "reply_due_at"),
    *("message_uuid", "provider_id", "nonce_hash", "disposition", "reason", "text_sealed", "units", "cost"),
    *("reply_uuid", "purpose", "delayed", "due_at", "expires_at"),
)
# Casts are spelled out where a bare parameter in a SELECT would have no type of its own.
_BLOCKED = f"""blocked AS (
    UPDATE {_CONVERSATION} SET messages_received = messages_received + 1,
        last_message_at = GREATEST(last_message_at, %(now)s)
    WHERE hotline_id = %(hotline_id)s AND sender_key = %(sender_key)s
        AND blocked_until > %(now)s AND opted_out_at IS NULL
        AND NOT EXISTS (SELECT 1 FROM {_MESSAGE} WHERE hotline_id = %(hotline_id)s AND provider_id = %(provider_id)s)
    RETURNING id
)"""  # noqa: S608
_BLOCKED_COLUMNS = {
    "uuid": "uuid",
    "organization_id": "bigint",
    "hotline_id": "bigint",
    "account_id": "bigint",
    "provider_id": "text",
    "nonce_hash": "bytea",
    "units": "smallint",
    "cost": "numeric",
    "received_at": "timestamptz",
    "sender_key": "bytea",
}
_COUNT_BLOCKED = f"""
WITH given AS (
    SELECT * FROM unnest({", ".join(f"%({name}s)s::{kind}[]" for name, kind in _BLOCKED_COLUMNS.items())})
        AS given ({", ".join(_BLOCKED_COLUMNS)})
), blocked AS (
    SELECT id, hotline_id, sender_key, blocked_until FROM {_CONVERSATION}
    WHERE (hotline_id, sender_key) IN (SELECT hotline_id, sender_key FROM given)
        AND blocked_until IS NOT NULL AND opted_out_at IS NULL
    ORDER BY id FOR UPDATE
), stored AS (
    INSERT INTO {_MESSAGE} (uuid, organization_id, hotline_id, account_id, conversation_id, provider_id, nonce_hash,
        disposition, reason, units, cost, received_at)
    SELECT given.uuid, given.organization_id, hotline_id, given.account_id, blocked.id, given.provider_id,
        given.nonce_hash, 'blocked', '', given.units, given.cost, given.received_at
    FROM given JOIN blocked USING (hotline_id, sender_key)
    WHERE blocked.blocked_until > given.received_at
    ORDER BY given.received_at
    ON CONFLICT DO NOTHING
    RETURNING hotline_id, provider_id, conversation_id, received_at
), counted AS (
    UPDATE {_CONVERSATION} SET messages_received = messages_received + sums.number,
        last_message_at = GREATEST(last_message_at, sums.latest)
    FROM (SELECT conversation_id, count(*) AS number, max(received_at) AS latest FROM stored GROUP BY 1) AS sums
    WHERE id = sums.conversation_id
)
SELECT hotline_id, provider_id FROM stored
"""  # noqa: S608
_AT_ONCE = f"""
WITH {_BLOCKED}, created AS (
    INSERT INTO {_CONVERSATION} (uuid, organization_id, hotline_id, sender_key, key_epoch, sender_sealed, language,
        messages_received, first_message_at, last_message_at, episode, episode_started_at, slots_used, reply_due_at,
        block_cause)
    SELECT %(conversation_uuid)s::uuid, %(organization_id)s, %(hotline_id)s, %(sender_key)s::bytea, %(key_epoch)s,
        %(sender_sealed)s::bytea, '', 1, %(now)s, %(now)s, 1, %(now)s, %(slots_used)s, %(reply_due_at)s::timestamptz, ''
    WHERE NOT EXISTS (SELECT 1 FROM blocked)
        AND NOT EXISTS (SELECT 1 FROM {_BLOCK} WHERE organization_id = %(organization_id)s
            AND sender_key IN (%(sender_key)s, %(previous_key)s) AND conversation_id IS NULL
            AND lifted_at IS NULL AND (until IS NULL OR until > %(now)s))
        AND NOT EXISTS (SELECT 1 FROM {_CONVERSATION} WHERE hotline_id = %(hotline_id)s
            AND sender_key = %(previous_key)s AND sender_key <> %(sender_key)s)
    ON CONFLICT (hotline_id, sender_key) DO NOTHING
    RETURNING id
), stored AS (
    INSERT INTO {_MESSAGE} (uuid, organization_id, hotline_id, account_id, conversation_id, provider_id, nonce_hash,
        disposition, reason, text_sealed, units, cost, received_at)
    SELECT %(message_uuid)s::uuid, %(organization_id)s, %(hotline_id)s, %(account_id)s, known.id, %(provider_id)s,
        %(nonce_hash)s::bytea, CASE WHEN known.is_new THEN %(disposition)s ELSE 'blocked' END,
        CASE WHEN known.is_new THEN %(reason)s ELSE '' END,
        CASE WHEN known.is_new THEN %(text_sealed)s::bytea END, %(units)s, %(cost)s::numeric, %(now)s
    FROM (SELECT id, FALSE AS is_new FROM blocked UNION ALL SELECT id, TRUE FROM created) known
    RETURNING id, conversation_id
), answered AS (
    INSERT INTO {_REPLY} (uuid, organization_id, hotline_id, conversation_id, message_id, episode, slot, purpose,
        delayed, state, decided_at, due_at, expires_at, language, attempts, provider_id, detail, delivery,
        delivery_sequence, error_code)
    SELECT %(reply_uuid)s::uuid, %(organization_id)s, %(hotline_id)s, created.id, stored.id, 1, 1, %(purpose)s,
        %(delayed)s, 'pending', %(now)s, %(due_at)s::timestamptz, %(expires_at)s::timestamptz, '', 0, '', '', '', 0, ''
    FROM stored JOIN created ON created.id = stored.conversation_id
    WHERE %(reply_uuid)s::uuid IS NOT NULL
)
SELECT EXISTS (SELECT 1 FROM created), EXISTS (SELECT 1 FROM blocked)
"""  # noqa: S608
_AT_ONCE = " ".join(_AT_ONCE.split())


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
