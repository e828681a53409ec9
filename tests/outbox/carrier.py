"""A provider that the outbox cannot tell from a real one, and whose ledger is the only witness of what was sent."""

from __future__ import annotations

import datetime
import secrets
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field

from django.db import InterfaceError, InternalError, NotSupportedError, OperationalError, ProgrammingError
from django.utils import timezone
from tests.words import words_of
from tests.world import SENDER

from conversations.models import Block, Conversation, Message, Reply
from conversations.models import DeliveryReport as ReportRow
from hotlines.models import Account, Hotline
from inbox import hooks, receive
from outbox import breaker, reports
from outbox.models import NumberPace, ReplyAllowance
from providers.base import (
    Credentials,
    Delivery,
    DeliveryReport,
    InboundMessage,
    Knowledge,
    Outcome,
    OutgoingReply,
    Verification,
)
from shield import judge
from shield.models import Alert, Detachment, HotlineLevel, Intake, LevelChange, Spending

FAULTS_OF_A_DATABASE = (OperationalError, InterfaceError, InternalError, ProgrammingError, NotSupportedError)

Answer = Callable[[OutgoingReply], Outcome]


def accepted(reply: OutgoingReply) -> Outcome:
    return Outcome(Knowledge.ACCEPTED, provider_id=f"id-{reply.uuid}", detail="202")


@dataclass
class Carrier:
    """`answer` is what it says to the next calls; `ledger` holds what it took, written before it answers."""

    answer: Answer = accepted
    calls: list[OutgoingReply] = field(default_factory=list)
    ledger: list[OutgoingReply] = field(default_factory=list)

    def send(self, reply: OutgoingReply, credentials: Credentials) -> Outcome:
        self.calls.append(reply)
        outcome = self.answer(reply)
        if outcome.knowledge is Knowledge.ACCEPTED:
            self.ledger.append(reply)
        return outcome

    def says(self, knowledge: Knowledge, **more: object) -> None:
        """Answer every call so; `provider_id` and the like as in `Outcome`."""
        self.answer = lambda _reply: Outcome(knowledge, **more)  # type: ignore[arg-type]


def inbound(
    hotline: Hotline,
    sender: str = SENDER,
    text: str | None = None,
    at: datetime.datetime | None = None,
    message_id: str = "",
) -> InboundMessage:
    return InboundMessage(
        id=message_id or str(uuid.uuid4()),
        sender=sender,
        recipient=hotline.number.removeprefix("+"),
        text=words_of(sender) if text is None else text,
        received_at=at or timezone.now(),
    )


def deliver(hotline: Hotline, message: InboundMessage, nonce: str | None = None) -> receive.Receipt:
    """What the webhook does with a verified message."""
    hook = hooks.find(hotline.hook_token)
    assert hook is not None
    return receive.receive(hook, message, Verification("v3", nonce or secrets.token_hex(10)), chance=0.5)


def written(
    hotline: Hotline, sender: str = SENDER, text: str | None = None, at: datetime.datetime | None = None
) -> Reply | None:
    """Deliver one new message; returns the reply that was decided for it, if any."""
    message = inbound(hotline, sender, text, at)
    assert deliver(hotline, message) is receive.Receipt.STORED
    return Reply.objects.filter(message__hotline=hotline, message__provider_id=message.id).first()


def reported(
    reply: Reply, provider_id: str, status: Delivery | None = Delivery.DELIVERED, sequence: int = 1, nonce: str = ""
) -> bool:
    """What the webhook does with a verified report on `reply`."""
    return reports.take(
        reply.organization_id,
        reply.hotline.account_id,
        reply.hotline_id,
        reply.uuid,
        DeliveryReport(id=provider_id, status=status, sequence=sequence),
        body=f"{provider_id} {status} {sequence}".encode(),
        nonce_hash=(nonce or secrets.token_hex(8)).encode()[:16],
    )


def empty_tables() -> None:
    """Take back all that travelled, for the next generated example on a database that commits."""
    for model in (
        ReportRow,
        Block,
        Reply,
        Message,
        Conversation,
        NumberPace,
        ReplyAllowance,
        Alert,
        Detachment,
        Intake,
        LevelChange,
        HotlineLevel,
        Spending,
    ):
        model._default_manager.all().delete()
    judge.forget()
    Account.objects.update(**breaker.CLOSED)
