"""receive(): one transaction from a verified request to what follows from it (DESIGN.md, "One message", step 3).

It touches rows of this sender only; nothing that all messages of a hotline share is written here, because one hot row
would put all webhooks of a raid in a queue behind each other's fsync (SECURITY.md 2.2).
"""

from __future__ import annotations

import dataclasses
import datetime
import logging
import secrets
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

from django.db import IntegrityError, transaction
from django.db.models import Exists, QuerySet

from conversations import at_once, sql
from conversations.models import Block, Conversation, Reply
from conversations.words import BlockCause, Channel, Disposition, ReplyState
from privacy import pseudonyms
from providers.base import InboundMessage, Verification
from shield import answerable
from shield.decide import Decision, Incoming, PlannedReply, Standing, decide, fresh
from shield.keywords import Keyword, keyword

from . import blocked, instructions, rows
from .hooks import Hook, own_numbers
from .receipts import Receipt, row_of_missed, told_apart

security_log = logging.getLogger("paravent.security")

_STANDING = tuple(field.name for field in dataclasses.fields(Standing))


class Later(NamedTuple):
    """Nothing was stored, and it may wait: its sender is blocked, and `fold` counts such messages by the hundred."""

    #: What `fold` inserts, as `rows.packed` has it.
    row: list[Any]


class Speaker(Protocol):
    """What a call needs besides: an answer by voice, in the moment it is decided."""

    def decide(
        self, judged: Callable[[str], Decision], refusal: str, sender: sql.Values
    ) -> tuple[Decision, str, sql.Values | None]:
        """What is decided, the reason where he is never answered, and what the reply's row says besides where it is
        spoken. Within the transaction.

        `judged` decides for a reason never to be answered, or none; `refusal` is why he is never sent an SMS, or "";
        `sender` his conversation's row, which is locked.
        """


class _AlreadyThere(Exception):
    """Undo the transaction: the message, or its nonce, was stored before."""


@dataclass(frozen=True)
class _Draft:
    """All that is known before the database is asked, so that nothing slow happens while a row is locked.

    `first` is what is decided if nothing is known of the sender; `conversation` and `message` are rows to insert.
    """

    hook: Hook
    now: datetime.datetime
    chance: float
    sender: str
    incoming: Incoming
    previous_key: bytes | None
    first: Decision
    conversation: sql.Values
    message: sql.Values
    text: str
    speaker: Speaker | None = None

    @property
    def older_key(self) -> bytes:
        """The sender's key in the half-year before, or his only one."""
        return self.previous_key or self.conversation["sender_key"]


def receive(
    hook: Hook,
    message: InboundMessage,
    verification: Verification,
    chance: float | None = None,
    *,
    may_wait: bool = False,
    speaker: Speaker | None = None,
) -> Receipt | Later:
    """Store `message`, decide about it, and write the reply that follows. The same delivery again changes nothing.

    One that was counted as missed and came after all takes the place of that row. With a `speaker` it is a call.

    Raises database errors as they are: the caller must not acknowledge what was not stored.
    """
    sender = rows.sender_of(hook, message)
    pseudonym = pseudonyms.current(hook.organization_id, sender, message.received_at)
    row = rows.message_row(hook, message, verification) | ({"channel": Channel.CALL.value} if speaker else {})
    said = keyword(message.text)
    if speaker is None and (told := instructions.find(message.text)) is not None:
        receipt = instructions.take(told, hook, message, sender, row)
        if receipt is not None:
            return receipt
    if may_wait and said is not Keyword.STOP and blocked.likely(row, pseudonym.key):
        return Later(rows.packed(row | {"sender_key": pseudonym.key}))
    replacing = False
    while True:
        try:
            drawn = _chance() if chance is None else chance
            draft = _draft(hook, message, row, sender, pseudonym, said, drawn, speaker)
            if replacing or speaker or not _received_at_once(draft):
                with transaction.atomic():
                    _receive_step_by_step(draft, replacing=replacing)
        except (_AlreadyThere, IntegrityError):
            # In this order: another delivery may replace the row of a missed message between the two looks.
            missed = not replacing and row_of_missed(hook, row["provider_id"]).exists()
            receipt = told_apart(hook, row["provider_id"], row["nonce_hash"])
            if receipt is None and missed:
                replacing = True
                continue
            if receipt is None:  # no constraint of these two: a fault of ours, and the provider must try again
                raise
            return receipt
        return Receipt.STORED


def _chance() -> float:
    return secrets.randbelow(1 << 32) / (1 << 32)


def _draft(
    hook: Hook,
    message: InboundMessage,
    row: sql.Values,
    sender: str,
    pseudonym: pseudonyms.Pseudonym,
    said: Keyword,
    chance: float,
    speaker: Speaker | None,
) -> _Draft:
    now = message.received_at
    incoming = Incoming(keyword=said, refusal=answerable.refusal(sender, hook.policy.countries, own_numbers()))
    previous_key = pseudonyms.previous_key(hook.organization_id, sender, pseudonym.epoch)
    first = decide(hook.policy, fresh(now), incoming, now, chance)
    conversation_uuid = uuid.uuid4()
    conversation = {
        "uuid": conversation_uuid,
        "organization_id": hook.organization_id,
        "hotline_id": hook.hotline_id,
        "sender_key": pseudonym.key,
        "key_epoch": pseudonym.epoch,
        "sender_sealed": rows.seal_sender(hook, sender, conversation_uuid, now),
        "language": "",
        "messages_received": 1,
        "first_message_at": now,
        "last_message_at": now,
        **_columns(first.standing),
    }
    keep = hook.keeps_texts and message.text
    text_sealed = rows.seal_text(hook, message.text, row["uuid"], now) if keep else None
    stored = row | _judged(first, incoming.refusal) | {"text_sealed": text_sealed}
    return _Draft(hook, now, chance, sender, incoming, previous_key, first, conversation, stored, message.text, speaker)


def _received_at_once(draft: _Draft) -> bool:
    """Whether one statement, or two for a sender who is known and not blocked, could say it; STOP takes more."""
    if draft.incoming.keyword is Keyword.STOP or not at_once.possible():
        return False
    conversation, message = draft.conversation, draft.message
    done = at_once.receive_at_once(
        {
            **conversation,
            **message,
            **_planned(draft.first),
            "now": draft.now,
            "previous_key": draft.older_key,
            "conversation_uuid": conversation["uuid"],
            "message_uuid": message["uuid"],
        }
    )
    if done.repeated:
        raise _AlreadyThere
    if done.blocked:
        blocked.saw(draft.hook.hotline_id, conversation["sender_key"])
    return done.stored or (done.known is not None and _received_as_known(draft, done.known))


def _received_as_known(draft: _Draft, row: sql.Values) -> bool:
    """Decide by the sender's row as it was read, and write it all if nobody has changed the row meanwhile."""
    if row["blocked_everywhere"] or row["held"]:
        return False
    incoming = dataclasses.replace(draft.incoming, reply_waiting=row["reply_waiting"])
    standing = Standing(**{name: row[name] for name in _STANDING})
    decision = decide(draft.hook.policy, standing, incoming, draft.now, draft.chance)
    values = {
        **_message(draft, decision),
        **_columns(decision.standing),
        **_planned(decision),
        "conversation_id": row["id"],
        "version": row["version"],
        "now": draft.now,
        "sender_key": draft.conversation["sender_key"],
        "previous_key": draft.older_key,
        "sender_sealed": _sender_again(draft, decision, row),
        "message_uuid": draft.message["uuid"],
    }
    return at_once.receive_known({name: values[name] for name in at_once.KNOWN})


def _planned(decision: Decision) -> sql.Values:
    """What `at_once` writes into the rows of a reply and of the limit's block, or that there is none."""
    reply = decision.reply
    return {
        "reply_uuid": uuid.uuid4() if reply else None,
        "reply_episode": reply.episode if reply else None,
        "slot": reply.slot if reply else None,
        "purpose": reply.purpose.value if reply else "",
        "delayed": reply.delayed if reply else False,
        "due_at": reply.due_at if reply else None,
        "expires_at": Reply.expiry(reply.due_at) if reply else None,
        "block_uuid": uuid.uuid4() if decision.limit_reached else None,
    }


def _receive_step_by_step(draft: _Draft, *, replacing: bool = False) -> None:
    """Lock the sender's row, decide by what it says, write. Any sender, any database.

    `replacing` puts the message in the place of a row that counted it as missed; after the sender's lock, because two
    deliveries that took both locks in two orders would wait for each other.
    """
    if draft.previous_key is not None:
        # A new epoch must not give a sender new slots: his row follows him under his new pseudonym.
        his = Conversation.objects.filter(hotline_id=draft.hook.hotline_id)
        _renamed(his, draft, draft.previous_key, key_epoch=draft.conversation["key_epoch"])
    row = sql.count_message(draft.conversation, draft.previous_key, draft.now)
    created = row["uuid"] == draft.conversation["uuid"]
    asked = dataclasses.replace(
        draft.incoming, reply_waiting=row["reply_waiting"], blocked_everywhere=row["blocked_everywhere"]
    )
    stored = draft.first.standing if created else Standing(**{name: row[name] for name in _STANDING})
    standing = fresh(draft.now) if created else stored

    def judged(refusal: str) -> Decision:
        incoming = dataclasses.replace(asked, refusal=refusal)
        return decide(draft.hook.policy, standing, incoming, draft.now, draft.chance)

    spoken, reason = None, asked.refusal
    if draft.speaker is not None:
        decision, reason, spoken = draft.speaker.decide(judged, asked.refusal, row)
    elif created and not asked.blocked_everywhere:
        decision = draft.first
    else:
        decision = judged(asked.refusal)
    values = _message(draft, decision) | _judged(decision, reason) | {"conversation_id": row["id"]}
    values |= _kept(draft, decision, row)
    if replacing:
        row_of_missed(draft.hook, values["provider_id"]).delete()
    message_id = sql.insert_message(values)
    if message_id is None:
        raise _AlreadyThere
    changes = _columns(decision.standing) if decision.standing != stored else {}
    if (sealed := _sender_again(draft, decision, row)) is not None:
        changes["sender_sealed"] = sealed
    if changes:
        Conversation.objects.filter(pk=row["id"]).update(**changes)
    if row["blocked_everywhere"] and draft.previous_key is not None:
        # Nor a way around a person's block, however many epochs it stands.
        blocks = Block.objects.filter(organization_id=draft.hook.organization_id, conversation__isnull=True)
        epoch = draft.conversation["key_epoch"]
        _renamed(blocks.filter(lifted_at__isnull=True), draft, draft.previous_key, key_epoch=epoch)
    _follow(draft, decision, row["id"], message_id, spoken)


def _message(draft: _Draft, decision: Decision) -> sql.Values:
    """The message's row as `decision` has it, less its conversation."""
    kept = {} if decision.keep_content else {"text_sealed": None}
    return draft.message | _judged(decision, draft.incoming.refusal) | kept


def _kept(draft: _Draft, decision: Decision, row: sql.Values) -> sql.Values:
    """The text of a sender who is held as evidence: whether anybody answers it, and whatever the number keeps."""
    if not (row["held"] and draft.text):
        return {}
    sealed = draft.message["text_sealed"] or rows.seal_text(draft.hook, draft.text, draft.message["uuid"], draft.now)
    return {"text_sealed": sealed, "kept": not decision.keep_content}


def _sender_again(draft: _Draft, decision: Decision, row: sql.Values) -> bytes | None:
    """The sealed number of a sender whose own was erased, and who has written what is kept."""
    if not (row["sender_erased"] and (decision.keep_content or row["held"])):
        return None
    return rows.seal_sender(draft.hook, draft.sender, row["uuid"], draft.now)


def _renamed(standing: QuerySet[Any], draft: _Draft, previous_key: bytes, **changes: str) -> None:
    """Put those of `standing` that bear the sender's last pseudonym under his current one, unless one is there."""
    key = draft.conversation["sender_key"]
    standing.filter(~Exists(standing.filter(sender_key=key)), sender_key=previous_key).update(sender_key=key, **changes)


def _columns(standing: Standing) -> dict[str, Any]:
    return {name: getattr(standing, name) for name in _STANDING}


def _judged(decision: Decision, reason: str) -> dict[str, str]:
    refused = decision.disposition == Disposition.NOT_ANSWERABLE
    return {"disposition": decision.disposition.value, "reason": reason if refused else ""}


def _reply_values(draft: _Draft, reply: PlannedReply) -> sql.Values:
    return {
        "uuid": uuid.uuid4(),
        "organization_id": draft.hook.organization_id,
        "hotline_id": draft.hook.hotline_id,
        "episode": reply.episode,
        "slot": reply.slot,
        "purpose": reply.purpose.value,
        "delayed": reply.delayed,
        "state": ReplyState.PENDING.value,
        "decided_at": draft.now,
        "due_at": reply.due_at,
        "expires_at": Reply.expiry(reply.due_at),
        "language": "",
        "attempts": 0,
        "provider_id": "",
        "detail": "",
        "delivery": "",
        "delivery_sequence": 0,
        "error_code": "",
    }


def _follow(
    draft: _Draft, decision: Decision, conversation_id: int, message_id: int, spoken: sql.Values | None
) -> None:
    """Write what the decision asks for beside the two rows."""
    if decision.drop_waiting:
        Reply.objects.filter(conversation_id=conversation_id, state__in=Reply.WAITING).update(
            state=ReplyState.DROPPED, detail="stop", finished_at=draft.now
        )
    if decision.disposition == Disposition.STOP:
        _record_block(draft, conversation_id, BlockCause.STOP)
    if decision.limit_reached:
        _record_block(
            draft,
            conversation_id,
            BlockCause.LIMIT,
            until=decision.standing.blocked_until,
            episode=decision.standing.episode,
        )
    if decision.reply is None:
        return
    values = _reply_values(draft, decision.reply) | {"conversation_id": conversation_id, "message_id": message_id}
    if spoken is None:
        sql.insert_reply(values)
    else:
        Reply.objects.create(**values | spoken)


def _record_block(draft: _Draft, conversation_id: int, cause: BlockCause, **fields: Any) -> None:
    Block.objects.create(
        organization_id=draft.hook.organization_id,
        conversation_id=conversation_id,
        cause=cause,
        since=draft.now,
        **fields,
    )
