"""Whether a machine answers our answers: judged by timing, by our own words coming back, by the same text again. Pure.

Two robots that answer each other would spend a sender's whole episode, and the next one. People may be quick once and
repeat themselves; a loop is three turns in a row that a machine would have made (DESIGN.md, invariant 5). Who writes
several texts in a row seems to answer at once a reply that leaves at once; so timing is judged only where ours came
late enough that nobody could know when. The echo of our own words tells a machine in any case.
"""

from __future__ import annotations

import datetime
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

#: So many turns of a machine in a row, and it is answered no more.
TURNS = 3
#: So long after his message ours must have left for his timing to tell anything.
_UNFORESEEN = datetime.timedelta(seconds=30)
#: Nobody reads a text and types an answer within this time; a text needs a second or two to travel each way.
_TOO_FAST = datetime.timedelta(seconds=4)
#: A provider may deliver before it has told us that it will: a call's time-out.
_CALL = datetime.timedelta(seconds=5)
#: Within this time of ours, the very same text again is a machine's.
_PROMPTLY = datetime.timedelta(seconds=30)
#: Shorter words of ours may well be a person's own.
_LEAST_ECHO = 12


@dataclass(frozen=True)
class Turn:
    """A message and what it follows: the reply that was sent last before it, if any."""

    text: str
    received_at: datetime.datetime
    reply: str = ""
    sent_at: datetime.datetime | None = None


def is_loop(turns: Sequence[Turn]) -> bool:
    """Whether the last `TURNS` turns of an episode, given in their order, are a machine's."""
    judged = [_is_machines(turn, turns[index - 1] if index else None) for index, turn in enumerate(turns)]
    return len(judged) >= TURNS and all(judged[-TURNS:])


def _is_machines(turn: Turn, before: Turn | None) -> bool:
    if turn.sent_at is None or turn.received_at < turn.sent_at - _CALL:
        return False
    after = turn.received_at - turn.sent_at
    text, reply = _bare(turn.text), _bare(turn.reply)
    echo = len(reply) >= _LEAST_ECHO and reply in text
    if echo or before is None or turn.sent_at - before.received_at < _UNFORESEEN:
        return echo
    same = bool(text) and text == _bare(before.text)
    return after <= _TOO_FAST or (same and after <= _PROMPTLY)


def _bare(text: str) -> str:
    """Letters and digits alone, however they are written: machines put "Re:" and quotation marks around ours."""
    return "".join(char for char in unicodedata.normalize("NFKC", text).casefold() if char.isalnum())
