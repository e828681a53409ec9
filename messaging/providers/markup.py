"""Texts within XML, for providers that are told by it what to say."""

from __future__ import annotations

import re
from xml.sax.saxutils import escape

#: What XML 1.0 (2.2) has no place for.
_NO_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
#: No reader takes a longer text; one of ours is some hundred characters.
_LONGEST = 3000


def as_xml(text: str) -> str:
    """Text as XML has it; what XML cannot hold is left out."""
    return escape(_NO_XML.sub("", text)[:_LONGEST])


def play(address: str) -> bytes:
    """The document that plays the sound at `address` and hangs up: Plivo and Twilio name these two verbs alike."""
    return f"<Response><Play>{as_xml(address)}</Play><Hangup/></Response>".encode()
