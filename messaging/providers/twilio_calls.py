"""Twilio's calls: the form that it posts, and the TwiML that tells it what to do.

Sources: twilio.com/docs/voice/twiml (request parameters, say, reject) and its page of text-to-speech voices.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar
from xml.sax.saxutils import quoteattr

from .base import Acknowledgement, Call, CallEnded, SignedRequest, Speech, Unusable
from .markup import as_xml, play
from .parsing import bounded_int, single_fields

_XML = "text/xml"
_ENDED = frozenset({"completed", "busy", "failed", "no-answer", "canceled"})
#: What Twilio writes for a caller who withholds his number: letters on a phone's keys, or a word.
_WITHHELD = frozenset({"+266696687", "266696687", "+7378742833", "7378742833", "+2562533", "2562533", "+8656696"})


class TwilioCalls:
    """The number's voice address, and its address for changes of a call's status, are one of ours."""

    schemes: ClassVar[tuple[str, ...]] = ("sha1", "sha256")
    voices: ClassVar[Mapping[str, str]] = {
        "ar": "Polly.Zeina arb",
        "da": "Polly.Naja da-DK",
        "de": "Polly.Vicki de-DE",
        "en": "Polly.Amy en-GB",
        "en-US": "Polly.Joanna en-US",
        "es": "Polly.Lucia es-ES",
        "fr": "Polly.Lea fr-FR",
        "fr-CA": "Polly.Chantal fr-CA",
        "it": "Polly.Bianca it-IT",
        "nl": "Polly.Lotte nl-NL",
        "pl": "Polly.Ewa pl-PL",
        "pt": "Polly.Ines pt-PT",
        "pt-BR": "Polly.Camila pt-BR",
        "ro": "Polly.Carmen ro-RO",
        "ru": "Polly.Tatyana ru-RU",
        "sv": "Polly.Astrid sv-SE",
        "tr": "Polly.Filiz tr-TR",
    }

    def parse(self, request: SignedRequest) -> Call | CallEnded:
        """`CallSid`, `To`, `CallStatus` and `Direction` once each."""
        found = single_fields(request.form, "CallSid")
        call = found.get("CallSid", "")
        missing = [name for name in ("To", "CallSid", "CallStatus") if not found.get(name)]
        if missing:
            raise Unusable(f"without {', '.join(missing)}", call)
        if found.get("Direction", "inbound") != "inbound":
            raise Unusable("a call that we never made", call)
        if found["CallStatus"].casefold() in _ENDED:
            return CallEnded(call, found["To"], bounded_int(found.get("CallDuration", ""), 0, most=100_000))
        caller = found.get("From", "")
        return Call(call, "" if caller in _WITHHELD else caller, found["To"])

    def speak(self, speech: Speech) -> Acknowledgement:
        if speech.audio:
            return Acknowledgement(_XML, play(speech.audio))
        voice, _, language = speech.voice.partition(" ")
        named = f"<Say voice={quoteattr(voice)} language={quoteattr(language)}>"
        return Acknowledgement(_XML, f"<Response>{named}{as_xml(speech.text)}</Say><Hangup/></Response>".encode())

    def reject(self) -> Acknowledgement:
        """It must be the first verb: then the call is never answered, and costs nothing."""
        return Acknowledgement(_XML, b'<Response><Reject reason="busy"/></Response>')
