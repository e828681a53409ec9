"""Spoken messages that a person recorded: where a provider has no voice for the language, or a person's is better.

A recording is what every caller hears, so its address needs no password. It is long and random all the same: nobody
shall hear a text before it is in use.
"""

from __future__ import annotations

import io
import math
import uuid
from collections.abc import Sequence
from dataclasses import dataclass

import tinytag
from django.conf import settings
from django.core.exceptions import ValidationError
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from hotlines.models import Hotline

from . import choosing, lint
from .models import LONGEST_RECORDING, MOST_BYTES, Purpose, Recording, ReplyTemplate


@dataclass(frozen=True)
class Audio:
    """A recording that was looked at; `seconds` are begun ones."""

    content: bytes
    media_type: str
    seconds: int


def examined(content: bytes) -> Audio:
    """What was uploaded, if every provider can play it: MP3 or WAV of a minute at most. Raises `ValidationError`."""
    if len(content) > MOST_BYTES:
        too_large = _("The file has more than %(most)d kB. Nothing was kept. Save it as MP3 with 64 kbit/s.")
        raise ValidationError(too_large % {"most": MOST_BYTES // 1000})
    kind = _kind(content)
    if kind is None:
        raise ValidationError(_("The file is neither MP3 nor WAV. Nothing was kept. Save the recording as MP3."))
    try:
        found = tinytag.TinyTag.get(filename=f"x.{kind.rpartition('/')[2]}", file_obj=io.BytesIO(content), tags=False)
        duration = float(found.duration or 0)
    except (tinytag.TinyTagException, ValueError, ArithmeticError, IndexError, KeyError):
        duration = 0.0
    if not 0 < duration < math.inf:
        raise ValidationError(_("How long the recording is cannot be told. Nothing was kept. Save it again as MP3."))
    if duration > LONGEST_RECORDING:
        too_long = _("The recording is %(is)d seconds long, and %(most)d is the most. Nothing was kept.")
        raise ValidationError(too_long % {"is": math.ceil(duration), "most": LONGEST_RECORDING})
    return Audio(content, kind, math.ceil(duration))


def _kind(content: bytes) -> str | None:
    """By its first bytes (RIFF, ID3, or the sync word of an MPEG frame of layer III), whatever its name says."""
    if content[:4] == b"RIFF" and content[8:12] == b"WAVE":
        return Recording.MediaType.WAV
    if content[:3] == b"ID3" or (len(content) > 1 and content[0] == 0xFF and content[1] & 0xE6 == 0xE2):
        return Recording.MediaType.MP3
    return None


def keep(template: ReplyTemplate, audio: Audio) -> Recording:
    """Put `audio` in the place of what was recorded for `template`, under another address: old ones are remembered."""
    values = {"media_type": audio.media_type, "seconds": audio.seconds, "content": audio.content, "uuid": uuid.uuid4()}
    return Recording.objects.update_or_create(template=template, defaults=values)[0]


def remove(template: ReplyTemplate) -> None:
    """What was recorded for it is no longer heard."""
    Recording.objects.filter(template=template).delete()


def address(recording: Recording) -> str:
    """Where a provider fetches it."""
    return settings.PUBLIC_URL + reverse("recording", args=(recording.uuid,))


def spoken_texts_of(hotline: Hotline) -> Sequence[ReplyTemplate]:
    """`choosing.texts_of` with their recordings, less the sound itself."""
    return list(choosing.query(hotline).select_related("recording").defer("recording__content"))


def of_text(hotline: Hotline, text: str, language: str) -> Recording | None:
    """The recording of what was said; None where it was read aloud, or recorded anew meanwhile in other words."""
    for template in spoken_texts_of(hotline):
        if template.language == language and lint.normalized(template.text) == text and recorded(template):
            return recorded(template)
    return None


def recorded(template: ReplyTemplate) -> Recording | None:
    """Its recording, if there is one and it is spoken; of `spoken_texts_of`, without a query."""
    return getattr(template, "recording", None) if template.purpose == Purpose.VOICE else None


@require_safe
def serve(_request: HttpRequest, recording: uuid.UUID) -> HttpResponse:
    """The sound. What is at an address never changes, so a provider may keep it."""
    found = Recording.objects.filter(uuid=recording).first()
    if found is None:
        raise Http404
    response = HttpResponse(bytes(found.content), content_type=found.media_type)
    response["Cache-Control"] = "public, max-age=604800, immutable"
    return response
