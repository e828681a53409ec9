"""Plivo's calls: the form that it posts, and the XML that tells it what to do.

Sources: docs.plivo.com (voice: XML request, Speak, Hangup) and the voice skill of github.com/plivo/plivo-cli. The XML
is ours and not the SDK's, which checks neither voices nor characters, and raises for a control character in a text.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar
from xml.sax.saxutils import quoteattr

from .base import Acknowledgement, Call, CallEnded, SignedRequest, Speech, Unusable
from .markup import as_xml, play
from .parsing import bounded_decimal, bounded_int, single_fields

_XML = "application/xml"
_ENDED = frozenset({"completed", "busy", "failed", "timeout", "no-answer", "cancel", "canceled"})


class PlivoCalls:
    """`answer_url` and `hangup_url` of the application are one address of ours."""

    #: Voice is signed by V3 alone (docs.plivo.com/docs/voice/concepts/signature-validation).
    schemes: ClassVar[tuple[str, ...]] = ("v3",)
    #: Plivo's own voices first; Polly's where it has none, as AWS names them. Neither speaks Ukrainian.
    voices: ClassVar[Mapping[str, str]] = {
        "da": "WOMAN da-DK",
        "nl": "WOMAN nl-NL",
        "en": "WOMAN en-GB",
        "en-US": "WOMAN en-US",
        "fr": "WOMAN fr-FR",
        "fr-CA": "WOMAN fr-CA",
        "de": "WOMAN de-DE",
        "it": "WOMAN it-IT",
        "pl": "WOMAN pl-PL",
        "pt": "WOMAN pt-PT",
        "pt-BR": "WOMAN pt-BR",
        "ru": "WOMAN ru-RU",
        "es": "WOMAN es-ES",
        "sv": "WOMAN sv-SE",
        "ar": "Polly.Zeina arb",
        "ro": "Polly.Carmen ro-RO",
        "tr": "Polly.Filiz tr-TR",
    }

    def parse(self, request: SignedRequest) -> Call | CallEnded:
        """`CallUUID`, `To`, `CallStatus` and `Direction` once each; a `From` that is withheld may be missing."""
        found = single_fields(request.form, "CallUUID")
        call = found.get("CallUUID", "")
        missing = [name for name in ("To", "CallUUID", "CallStatus") if not found.get(name)]
        if missing:
            raise Unusable(f"without {', '.join(missing)}", call)
        if found.get("Direction", "inbound") != "inbound":
            raise Unusable("a call that we never made", call)
        if found["CallStatus"].casefold() in _ENDED or "HangupCause" in found:
            seconds = bounded_int(found.get("Duration", ""), 0, most=100_000)
            return CallEnded(call, found["To"], seconds, bounded_decimal(found.get("TotalCost", "")))
        return Call(call, found.get("From", ""), found["To"])

    def speak(self, speech: Speech) -> Acknowledgement:
        if speech.audio:
            return Acknowledgement(_XML, play(speech.audio))
        voice, _, language = speech.voice.partition(" ")
        named = f"<Speak voice={quoteattr(voice)} language={quoteattr(language)}>"
        body = f"<Response>{named}{as_xml(speech.text)}</Speak><Hangup/></Response>"
        return Acknowledgement(_XML, body.encode())

    def reject(self) -> Acknowledgement:
        return Acknowledgement(_XML, b'<Response><Hangup reason="busy"/></Response>')
