"""The hostile inputs of SECURITY.md 1.5, one a line in `hostile.jsonl`, for whatever shows, stores or exports text.

`wire` is the value as a form carries it (percent-encoded bytes), `times` repeats it. What must come of it stands
beside it: `stored` is the text afterwards; `canonical` and `answered` say what becomes of a sender; `keyword` what a
whole text means; `status` is what the webhook answers where that is not 200.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote_to_bytes

_FILE = Path(__file__).with_name("hostile.jsonl")


@dataclass(frozen=True)
class Sample:
    kind: str
    name: str
    wire: str
    times: int = 1
    stored: str | None = None
    canonical: str = ""
    answered: bool = False
    keyword: str = ""
    status: int = 200

    def __str__(self) -> str:
        return f"{self.kind}: {self.name}"

    @property
    def body(self) -> bytes:
        """The value as it stands in a form's body."""
        return self.wire.encode("latin-1") * self.times

    @property
    def raw(self) -> bytes:
        """The value's bytes, decoded from the form."""
        return unquote_to_bytes(self.wire.replace("+", " ")) * self.times

    @property
    def text(self) -> str:
        """What must be stored of it: no NUL, and U+FFFD for what is no UTF-8."""
        if self.stored is None:
            return self.raw.decode("utf-8", "replace").replace("\x00", "")
        return self.stored * self.times


def samples(*kinds: str) -> list[Sample]:
    """Every sample of these kinds: encoding, length, unicode, injection, sender, stop, reply."""
    lines = [json.loads(line) for line in _FILE.read_text().splitlines()]
    found = [Sample(line.pop("class"), **line) for line in lines]
    return [sample for sample in found if sample.kind in kinds]
