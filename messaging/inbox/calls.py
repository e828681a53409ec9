"""A call is decided while the caller waits: he hears a message, or the busy tone, and a reply may follow by SMS.

Calls and messages of a sender count together. What cannot be spoken now is sent later, by the same lanes and budgets as
any reply; so a call costs nothing that a budget has no room for, and a caller is never left in silence.
"""

from __future__ import annotations

import dataclasses
import datetime
import logging
import math
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field

from django.db import transaction
from django.db.models import F
from django.db.models.functions import Coalesce, Greatest

from conversations import senders, sql
from conversations.models import Conversation, Message, Reply
from conversations.words import Channel, Disposition, ReplyState
from hotlines.models import Hotline
from outbox import pace
from privacy import datakeys, vault
from providers import registry
from providers.base import Acknowledgement, Call, CallEnded, Calls, InboundMessage, Provider, Speech, Unusable
from replies import choosing, languages, recordings
from replies.models import Purpose, Recording
from shield import changes, ledger, reserve
from shield.decide import Decision

from . import receive, rows, unreadable
from .arrival import Arrival
from .hooks import Hook
from .receipts import Receipt

log = logging.getLogger("paravent.webhook")

#: Reasons never to send somebody an SMS that are reasons not to speak to him either.
_NEVER_SPOKEN_TO = frozenset({"own number", "country not allowed"})
#: So many characters a second are read aloud at the slowest, after so many seconds of silence.
_PACE, _SILENCE = 12, 5


def accept(hook: Hook, arrival: Arrival, *, live: bool = True) -> tuple[Receipt, Acknowledgement]:
    """Store the call, and say what the provider shall do. Raises database errors: nothing is stored then.

    One that is not `live` waited on disk: nobody listens any more.
    """
    speaker = registry.get(arrival.provider)
    if speaker.calls is None:
        return Receipt.DUPLICATE, speaker.acknowledgement
    try:
        found = speaker.calls.parse(arrival.signed)
        if not senders.same_number(found.recipient, hook.number):
            raise Unusable("addressed to another number", found.id)
    except Unusable as error:
        log.warning("unreadable call on hotline %s: %s", hook.hotline_id, error)
        reason = str(error)
        receipt = unreadable.keep(hook, arrival.signed.body, reason, arrival.verification, arrival.received_at)
        return receipt, speaker.calls.reject()
    if isinstance(found, CallEnded):
        _end(hook, found)
        return Receipt.STORED, speaker.acknowledgement
    return _answered(hook, arrival, found, speaker.calls, live=live)


def refusal_of(speaker: Provider) -> Acknowledgement:
    """What a provider is told where a fault of ours keeps us from deciding: a busy tone, and no invalid answer."""
    return speaker.calls.reject() if speaker.calls else speaker.acknowledgement


def _answered(hook: Hook, arrival: Arrival, call: Call, calls: Calls, *, live: bool) -> tuple[Receipt, Acknowledgement]:
    hotline = Hotline.objects.select_related("organization", "account").get(pk=hook.hotline_id)
    voice = _Voice(hotline, call, calls, arrival.received_at, _destination(hotline, call, arrival), live=live)
    message = InboundMessage(
        id=call.id,
        sender=voice.sender,
        recipient=call.recipient,
        text="",
        received_at=arrival.received_at,
        units=0,
    )
    receipt = receive.receive(hook, message, arrival.verification, speaker=voice)
    if receipt is Receipt.DUPLICATE:
        voice.speech = _said(hotline, call, calls)
    assert isinstance(receipt, Receipt)  # noqa: S101  a call never waits
    return receipt, calls.speak(voice.speech) if voice.speech else calls.reject()


def _destination(hotline: Hotline, call: Call, arrival: Arrival) -> str:
    """What stands for the caller today; before the transaction, because it may write a row that must stay."""
    if hotline.calls != Hotline.Calls.SPEAK:
        return ""
    number = senders.number_of(senders.canonical(call.caller))
    return ledger.destination(number or call.id, arrival.received_at)


def _said(hotline: Hotline, call: Call, calls: Calls) -> Speech | None:
    """What this call was answered: a provider that asks again must hear the same."""
    said = Reply.objects.filter(hotline=hotline, provider_id=call.id[:128], channel=Channel.CALL).first()
    if said is None:
        return None
    text = said.text or ""
    return _speech(calls, text, said.language, recordings.of_text(hotline, text, said.language))


def _speech(calls: Calls, text: str, language: str, recording: Recording | None) -> Speech | None:
    """None where it is neither recorded nor has the provider a voice for it."""
    voice = voice_of(calls, language)
    if recording is None and not voice:
        return None
    return Speech(text, language, voice, recordings.address(recording) if recording else "")


def voice_of(calls: Calls, language: str) -> str:
    """The provider's voice for a language, that of another country where it has no nearer one; "" for none."""
    return calls.voices.get(language) or calls.voices.get(languages.base(language), "")


def _end(hook: Hook, ended: CallEnded) -> None:
    """How long it was, and what it cost: of a spoken reply as its price, of any other call as that of its receipt."""
    mine = Message.objects.filter(hotline=hook.hotline_id, provider_id=rows.stored_id(ended.id), channel=Channel.CALL)
    with transaction.atomic():
        mine.update(seconds=ended.seconds)
        if ended.cost is None:
            return
        dearer = Greatest(Coalesce(F("cost"), ended.cost), ended.cost)
        spoken = Reply.objects.filter(hotline=hook.hotline_id, provider_id=ended.id[:128], channel=Channel.CALL)
        if not spoken.update(cost=dearer, to_settle=True):
            mine.update(cost=dearer)


def minutes(text: str, recorded: int | None = None) -> int:
    """How many minutes a provider may charge for reading `text` aloud, or for playing so many `recorded` seconds."""
    heard = len(text) / _PACE if recorded is None else recorded
    return math.ceil((_SILENCE + heard) / 60)


@dataclass
class _Voice:
    """`receive.Speaker` for one call. `speech` is what the caller hears, None for the busy tone."""

    hotline: Hotline
    call: Call
    calls: Calls
    now: datetime.datetime
    destination: str
    live: bool
    speech: Speech | None = field(default=None, init=False)

    @property
    def sender(self) -> str:
        """As the provider wrote him. Who withholds his number and may be spoken to is somebody new each time."""
        withheld = senders.canonical(self.call.caller) == "withheld:"
        speaks = self.hotline.calls == Hotline.Calls.SPEAK and not self.hotline.policy.safety_delay
        return f"withheld, call {self.call.id}" if withheld and speaks else self.call.caller

    def decide(
        self, judged: Callable[[str], Decision], refusal: str, sender: sql.Values
    ) -> tuple[Decision, str, sql.Values | None]:
        """Spoken to where that may be now; otherwise what is decided of an SMS, or nothing."""
        if self.live and self.hotline.calls == Hotline.Calls.SPEAK and refusal not in _NEVER_SPOKEN_TO:
            decision = judged("")
            spoken = self._spoken(decision, sender) if decision.reply else None
            if spoken is not None or decision.disposition is not Disposition.ANSWERED:
                return _at_once(decision) if spoken else decision, "", spoken
        reason = "calls are rejected" if self.hotline.calls == Hotline.Calls.REJECT else refusal
        return judged(reason), reason, None

    def _spoken(self, decision: Decision, sender: sql.Values) -> sql.Values | None:
        """The row of a reply that is spoken now, its price booked; None where it may not be, or there is no room."""
        assert decision.reply is not None  # noqa: S101  asked for no other
        heard_since = self.now - decision.standing.episode_started_at
        if heard_since < self.hotline.policy.safety_delay or changes.raided({self.hotline.pk}):
            return None
        caller = Conversation.objects.get(pk=sender["id"])
        choice = self._choice(decision.reply.slot, caller)
        if choice is None:
            return None
        recording = recordings.recorded(choice.template) if choice.template else None
        length = minutes(choice.text, recording.seconds if recording else None)
        price = ledger.price_of_call(self.hotline.account, length)
        if price is None or not self._booked(price, decision.reply.slot, caller):
            return None
        self.speech = _speech(self.calls, choice.text, choice.language, recording)
        reply = Reply(uuid=uuid.uuid4(), organization_id=self.hotline.organization_id)
        return {
            "uuid": reply.uuid,
            "channel": Channel.CALL.value,
            "state": ReplyState.SENT.value,
            "suspicion": "" if decision.reply.slot == 1 else None,
            "language": choice.language,
            "text_sealed": vault.seal(choice.text, reply.place, datakeys.Purpose.TEXT, datakeys.month(self.now)),
            "attempts": 1,
            "provider_id": self.call.id[:128],
            "sent_at": self.now,
            "finished_at": self.now,
            "reserved_micros": price,
            "reserved_at": self.now,
            "to_settle": True,
        }

    def _choice(self, slot: int, caller: Conversation) -> choosing.Choice | None:
        """A text that is recorded or that the provider has a voice for, in the caller's language where there is one."""
        texts = [
            text
            for text in recordings.spoken_texts_of(self.hotline)
            if recordings.recorded(text) or voice_of(self.calls, text.language)
        ]
        return choosing.choose(
            self.hotline,
            purpose=Purpose.VOICE,
            step=slot,
            written="",
            remembered=caller.language,
            number=senders.number_of(senders.canonical(self.call.caller)),
            texts=texts,
        )

    def _booked(self, price: int, slot: int, caller: Conversation) -> bool:
        """Whether the hour and all budgets have room for it; then it is counted in them."""
        allowance = pace.allowance(self.hotline, self.now)
        if not (allowance.left if slot == 1 else allowance.surplus):
            return False
        number = senders.number_of(senders.canonical(self.call.caller))
        wish = ledger.Wish(
            micros=price,
            sender_key=bytes(caller.sender_key),
            country=languages.region_of(number),
            destination=self.destination,
            repeat=slot > 1,
        )
        book = ledger.Book(self.hotline, [wish], self.now, reserve.Firsts(self.hotline, self.now))
        if book.refusal(wish) is not None:
            return False
        book.add(wish)
        book.write()
        allowance.take()
        allowance.write()
        return True


def _at_once(decision: Decision) -> Decision:
    """The decision of a reply that has left already: nobody waits for it."""
    assert decision.reply is not None  # noqa: S101  only such are spoken
    standing = dataclasses.replace(decision.standing, reply_due_at=None)
    reply = dataclasses.replace(decision.reply, delayed=False)
    return dataclasses.replace(decision, standing=standing, reply=reply)
