"""What a sender lives through: his messages one after the other, as the number would judge and answer them now.

It asks the same decisions as the webhook and the outbox do, and writes nothing.
"""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Sequence
from dataclasses import dataclass

from conversations.words import Disposition
from hotlines.models import Hotline
from replies import choosing, segments
from replies.models import ReplyTemplate

from . import decide, ledger
from .decide import Incoming

#: He writes again so long after what he saw last.
_PAUSE = datetime.timedelta(minutes=10)


@dataclass(frozen=True)
class Turn:
    """One message and what follows; `text` is None where nothing does, `micros` where no price is known.

    A reply waits from `waits` to `waits_most`, as the jitter falls.
    """

    number: int
    after: datetime.timedelta
    disposition: Disposition
    waits: datetime.timedelta | None = None
    waits_most: datetime.timedelta | None = None
    text: str | None = None
    language: str = ""
    segments: int = 0
    micros: int | None = None
    blocked_for: datetime.timedelta | None = None


def turns(hotline: Hotline, language: str, now: datetime.datetime) -> list[Turn]:
    """Until the first message that gets no reply any more, at most one more than the limit; without quiet hours, of
    which the number's page tells.
    """
    policy = dataclasses.replace(hotline.policy, answering=True, quiet_from=None, quiet_until=None)
    texts = choosing.texts_of(hotline)
    standing, moment, found = decide.fresh(now), now, list[Turn]()
    for number in range(1, hotline.reply_limit + 2):
        decision = decide.decide(policy, standing, Incoming(), moment)
        standing, planned = decision.standing, decision.reply
        turn = Turn(number, moment - now, decision.disposition)
        if planned is not None:
            turn = _answered(turn, hotline, language, planned.purpose, planned.slot, texts)
            waits = planned.due_at - moment
            turn = dataclasses.replace(turn, waits=waits, waits_most=waits + policy.jitter)
            moment = planned.due_at
        if decision.limit_reached and standing.blocked_until is not None:
            turn = dataclasses.replace(turn, blocked_for=policy.block_time)
        found.append(turn)
        moment += _PAUSE
    return found


def _answered(
    turn: Turn, hotline: Hotline, language: str, purpose: str, slot: int, texts: Sequence[ReplyTemplate]
) -> Turn:
    choice = choosing.choose(
        hotline, purpose=purpose, step=slot, written="", remembered=language, number=None, texts=texts
    )
    if choice is None:
        return turn
    size = segments.count(choice.text).segments
    known = hotline.account.price_out is not None
    micros = ledger.worst_price(hotline, size) if known else None
    return dataclasses.replace(turn, text=choice.text, language=choice.language, segments=size, micros=micros)
