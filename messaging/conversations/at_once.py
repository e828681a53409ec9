"""Receiving in one statement, which only PostgreSQL can: SQLite does not write in a WITH.

`receive_at_once` says the two commonest cases of a raid (a new sender, a blocked one), `receive_known` the next message
of a sender whose row was just read, `count_blocked` those of blocked senders by the hundred. They decide nothing: they
apply what `shield.decide` says where the row is as was assumed, and otherwise change nothing.
`tests/inbox/test_receive_paths.py` holds all ways equal.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import NamedTuple

from django.db import DEFAULT_DB_ALIAS, connection, connections
from django.db.backends.utils import CursorWrapper

from .sql import (
    BLOCK,
    CONVERSATION,
    KNOWN_COLUMNS,
    MESSAGE,
    MESSAGE_COLUMNS,
    REPLY,
    REPLY_COLUMNS,
    STANDING_COLUMNS,
    Values,
    reply_waits,
)


def possible() -> bool:
    """Whether the database can write in a WITH."""
    return connection.vendor == "postgresql"


class AtOnce(NamedTuple):
    """What `receive_at_once` did. Where it stored nothing, `known` is the sender's row as it was read, if he has one.

    `known` has `sql.STANDING_COLUMNS`, what `count_message` finds beside them, and the row's `version`. `repeated` says
    that the provider's id was there before.
    """

    created: bool
    blocked: bool
    repeated: bool
    known: Values | None

    @property
    def stored(self) -> bool:
        return self.created or self.blocked


def receive_at_once(values: Values) -> AtOnce:
    """Store a new sender's message as given, or a blocked sender's without content; no change otherwise.

    `values` are `AT_ONCE`, and perhaps others. One statement is one transaction. Raises `IntegrityError`, and nothing
    is stored, when the message or its nonce came in between.
    """
    statement = _AT_ONCE if values["block_uuid"] is None else _AT_ONCE_LIMITED
    created, blocked, repeated, *known = _executed(statement, values).fetchone()
    return AtOnce(created, blocked, repeated, dict(zip(_KNOWN, known, strict=True)) if known[0] is not None else None)


def receive_known(values: Values) -> bool:
    """Store a known sender's message and reply as given, and what his row shall say.

    `values` are `KNOWN`, of which `version` is that of the row that was read. False, and nothing is stored, where the
    row was changed meanwhile or the message or its nonce was there before. One statement is one transaction. Raises
    `IntegrityError`, and nothing is stored, when the message or its nonce came in between.
    """
    return bool(_executed(_RECEIVE_KNOWN, values).fetchone()[0])


def count_blocked(rows: Sequence[Values]) -> set[tuple[int, str]]:
    """Store those messages whose senders are blocked, without content, and count them; which those were.

    `rows` are what is known of a message, with its `sender_key`; the answer names them by hotline and provider's id.
    A message or a nonce that is there already is not among them, and a sender's rows are locked in one order.
    """
    columns = {f"{column}s": [row[column] for row in rows] for column in _BLOCKED_COLUMNS}
    return set(_executed(_COUNT_BLOCKED, columns).fetchall())


def _executed(statement: str, values: Values) -> CursorWrapper:
    """The cursor that has executed it, one for each thread's connection: making one costs half as much as using it.

    The driver has read all rows by then, so nothing is left open.
    """
    here = connections[DEFAULT_DB_ALIAS]
    cursor: CursorWrapper | None = getattr(_kept, "cursor", None)
    if cursor is None or cursor.cursor.connection is not here.connection or here.queries_logged:
        cursor = here.cursor()
        if not here.queries_logged:
            _kept.cursor = cursor
    cursor.execute(statement, values)
    return cursor


_kept = threading.local()
#: The parameters of `receive_at_once`, fewer than 50, because the driver translates longer statements anew each time.
#: A new conversation is in its first episode and without an opt-out; `block_uuid` is null unless the limit is reached.
AT_ONCE = (
    *("organization_id", "hotline_id", "account_id", "now", "sender_key", "previous_key", "key_epoch"),
    *("conversation_uuid", "sender_sealed", "slots_used", "reply_due_at", "blocked_until", "block_cause"),
    *("message_uuid", "provider_id", "nonce_hash", "disposition", "reason", "text_sealed", "units", "cost"),
    *("reply_uuid", "reply_episode", "slot", "purpose", "delayed", "due_at", "expires_at", "block_uuid"),
)
#: The parameters of `receive_known`: the row that was read, what it shall say, the message, and its reply or nulls.
KNOWN = (
    *("conversation_id", "version", "now", "organization_id", "hotline_id", "account_id", "sender_key", "previous_key"),
    *("episode", "episode_started_at", "slots_used", "reply_due_at", "opted_out_at", "blocked_until", "block_cause"),
    *("sender_sealed", "message_uuid", "provider_id", "nonce_hash", "disposition", "reason", "text_sealed", "units"),
    *("cost", "reply_uuid", "reply_episode", "slot", "purpose", "delayed", "due_at", "expires_at", "block_uuid"),
)
#: What is read of a known sender's row. `xmin` is another after every change, whoever makes it.
_KNOWN = (*KNOWN_COLUMNS, "version")
_MESSAGE_COLUMNS, _REPLY_COLUMNS = ", ".join(MESSAGE_COLUMNS), ", ".join(REPLY_COLUMNS)
_PENDING_REPLY = """%(reply_episode)s, %(slot)s, %(purpose)s, %(delayed)s, 'pending', %(now)s, %(due_at)s::timestamptz,
    %(expires_at)s::timestamptz, '', 0, '', '', '', 0, ''"""
_LIMIT_BLOCK_COLUMNS = "conversation_id, episode, uuid, organization_id, cause, reason, since, until, lifted_reason"
_LIMIT_BLOCK = """%(block_uuid)s::uuid, %(organization_id)s, 'limit', '', %(now)s, %(blocked_until)s::timestamptz, ''"""
_REPEATED = f"""EXISTS (SELECT 1 FROM {MESSAGE}
    WHERE hotline_id = %(hotline_id)s AND provider_id = %(provider_id)s)"""  # noqa: S608
_BLOCKED_EVERYWHERE = f"""EXISTS (SELECT 1 FROM {BLOCK} WHERE organization_id = %(organization_id)s
    AND sender_key IN (%(sender_key)s, %(previous_key)s) AND conversation_id IS NULL
    AND lifted_at IS NULL AND (until IS NULL OR until > %(now)s))"""  # noqa: S608
# Casts are spelled out where a bare parameter in a SELECT would have no type of its own.
_BLOCKED = f"""blocked AS (
    UPDATE {CONVERSATION} SET messages_received = messages_received + 1,
        last_message_at = GREATEST(last_message_at, %(now)s)
    WHERE hotline_id = %(hotline_id)s AND sender_key = %(sender_key)s
        AND blocked_until > %(now)s AND opted_out_at IS NULL AND NOT held
        AND NOT {_REPEATED}
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
    SELECT id, hotline_id, sender_key, blocked_until FROM {CONVERSATION}
    WHERE (hotline_id, sender_key) IN (SELECT hotline_id, sender_key FROM given)
        AND blocked_until IS NOT NULL AND opted_out_at IS NULL AND NOT held
    ORDER BY id FOR UPDATE
), stored AS (
    INSERT INTO {MESSAGE} (uuid, organization_id, hotline_id, account_id, conversation_id, provider_id, nonce_hash,
        disposition, reason, units, cost, received_at)
    SELECT given.uuid, given.organization_id, hotline_id, given.account_id, blocked.id, given.provider_id,
        given.nonce_hash, 'blocked', '', given.units, given.cost, given.received_at
    FROM given JOIN blocked USING (hotline_id, sender_key)
    WHERE blocked.blocked_until > given.received_at
    ORDER BY given.received_at
    ON CONFLICT DO NOTHING
    RETURNING hotline_id, provider_id, conversation_id, received_at
), counted AS (
    UPDATE {CONVERSATION} SET messages_received = messages_received + sums.number,
        last_message_at = GREATEST(last_message_at, sums.latest)
    FROM (SELECT conversation_id, count(*) AS number, max(received_at) AS latest FROM stored GROUP BY 1) AS sums
    WHERE id = sums.conversation_id
)
SELECT hotline_id, provider_id FROM stored
"""  # noqa: S608


def _at_once(limited: str = "") -> str:
    """`limited` is what else is written for a new sender whose first reply is his last: every part costs its share."""
    return f"""
WITH {_BLOCKED}, created AS (
    INSERT INTO {CONVERSATION} (uuid, organization_id, hotline_id, sender_key, key_epoch, sender_sealed, language,
        messages_received, first_message_at, last_message_at, episode, episode_started_at, slots_used, reply_due_at,
        blocked_until, block_cause)
    SELECT %(conversation_uuid)s::uuid, %(organization_id)s, %(hotline_id)s, %(sender_key)s::bytea, %(key_epoch)s,
        %(sender_sealed)s::bytea, '', 1, %(now)s, %(now)s, 1, %(now)s, %(slots_used)s, %(reply_due_at)s::timestamptz,
        %(blocked_until)s::timestamptz, %(block_cause)s
    WHERE NOT EXISTS (SELECT 1 FROM blocked)
        AND NOT {_BLOCKED_EVERYWHERE}
        AND NOT EXISTS (SELECT 1 FROM {CONVERSATION} WHERE hotline_id = %(hotline_id)s
            AND sender_key = %(previous_key)s AND sender_key <> %(sender_key)s)
    ON CONFLICT (hotline_id, sender_key) DO NOTHING
    RETURNING id
), stored AS (
    INSERT INTO {MESSAGE} ({_MESSAGE_COLUMNS})
    SELECT %(message_uuid)s::uuid, %(organization_id)s, %(hotline_id)s, %(account_id)s, known.id, %(provider_id)s,
        %(nonce_hash)s::bytea, CASE WHEN known.is_new THEN %(disposition)s ELSE 'blocked' END,
        CASE WHEN known.is_new THEN %(reason)s ELSE '' END,
        CASE WHEN known.is_new THEN %(text_sealed)s::bytea END, %(units)s, %(cost)s::numeric, %(now)s
    FROM (SELECT id, FALSE AS is_new FROM blocked UNION ALL SELECT id, TRUE FROM created) known
    RETURNING id, conversation_id
), answered AS (
    INSERT INTO {REPLY} ({_REPLY_COLUMNS})
    SELECT %(reply_uuid)s::uuid, %(organization_id)s, %(hotline_id)s, created.id, stored.id, {_PENDING_REPLY}
    FROM stored JOIN created ON created.id = stored.conversation_id
    WHERE %(reply_uuid)s::uuid IS NOT NULL
){limited}
SELECT done.created, done.blocked, NOT done.created AND NOT done.blocked AND {_REPEATED},
    {", ".join(f"known.{column}" for column in STANDING_COLUMNS)},
    known.sender_sealed IS NULL, {reply_waits("known")}, {_BLOCKED_EVERYWHERE}, known.held, known.xmin::text
FROM (SELECT EXISTS (SELECT 1 FROM created) AS created, EXISTS (SELECT 1 FROM blocked) AS blocked) done
LEFT JOIN {CONVERSATION} known ON NOT done.created AND NOT done.blocked
    AND known.hotline_id = %(hotline_id)s AND known.sender_key = %(sender_key)s
"""  # noqa: S608


_NEW_LIMITED = f""", limited AS (
    INSERT INTO {BLOCK} ({_LIMIT_BLOCK_COLUMNS}) SELECT created.id, 1, {_LIMIT_BLOCK} FROM created
)"""  # noqa: S608
_RECEIVE_KNOWN = f"""
WITH known AS (
    UPDATE {CONVERSATION} SET messages_received = messages_received + 1,
        last_message_at = GREATEST(last_message_at, %(now)s), episode = %(episode)s,
        episode_started_at = %(episode_started_at)s, slots_used = %(slots_used)s, reply_due_at = %(reply_due_at)s,
        opted_out_at = %(opted_out_at)s, blocked_until = %(blocked_until)s, block_cause = %(block_cause)s,
        sender_sealed = COALESCE(sender_sealed, %(sender_sealed)s)
    WHERE id = %(conversation_id)s AND xmin = %(version)s::xid AND NOT {_BLOCKED_EVERYWHERE}
        AND NOT {_REPEATED}
        AND NOT EXISTS (SELECT 1 FROM {MESSAGE} WHERE account_id = %(account_id)s AND nonce_hash = %(nonce_hash)s)
    RETURNING id
), stored AS (
    INSERT INTO {MESSAGE} ({_MESSAGE_COLUMNS})
    SELECT %(message_uuid)s::uuid, %(organization_id)s, %(hotline_id)s, %(account_id)s, known.id, %(provider_id)s,
        %(nonce_hash)s::bytea, %(disposition)s, %(reason)s, %(text_sealed)s::bytea, %(units)s, %(cost)s::numeric,
        %(now)s
    FROM known
    RETURNING id, conversation_id
), answered AS (
    INSERT INTO {REPLY} ({_REPLY_COLUMNS})
    SELECT %(reply_uuid)s::uuid, %(organization_id)s, %(hotline_id)s, stored.conversation_id, stored.id,
        {_PENDING_REPLY}
    FROM stored WHERE %(reply_uuid)s::uuid IS NOT NULL
), limited AS (
    INSERT INTO {BLOCK} ({_LIMIT_BLOCK_COLUMNS})
    SELECT known.id, %(episode)s, {_LIMIT_BLOCK} FROM known WHERE %(block_uuid)s::uuid IS NOT NULL
)
SELECT EXISTS (SELECT 1 FROM known)
"""  # noqa: S608
# The driver translates a statement of more than 4,096 characters anew each time, which costs more than running it.
_AT_ONCE, _AT_ONCE_LIMITED, _RECEIVE_KNOWN, _COUNT_BLOCKED = (
    " ".join(statement.split()).replace(", ", ",")
    for statement in (_at_once(), _at_once(_NEW_LIMITED), _RECEIVE_KNOWN, _COUNT_BLOCKED)
)
