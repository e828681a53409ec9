"""Recorded messages: what is taken, who may put it there, and what a caller hears."""

from __future__ import annotations

import contextlib
import io
import wave
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from django.core.exceptions import ValidationError
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse
from django.utils import translation
from hypothesis import given
from hypothesis import strategies as st
from tests.inbox.test_calls import answer, asked, north, post
from tests.people import signed_in
from tests.world import Tenant, World

from conversations.models import Reply
from hotlines.models import Hotline
from replies import recordings
from replies.models import LONGEST_RECORDING, MOST_BYTES, Purpose, Recording, ReplyTemplate
from shield.models import Spending

__all__ = ["north"]
pytestmark = [pytest.mark.django_db, pytest.mark.once]


def wav(seconds: float, rate: int = 8000) -> bytes:
    """Silence as a telephone has it."""
    content = io.BytesIO()
    with wave.open(content, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(1)
        file.setframerate(rate)
        file.writeframes(b"\x80" * int(seconds * rate))
    return content.getvalue()


def mp3(seconds: float) -> bytes:
    """Frames of MPEG 1, layer III, 64 kbit/s, 44.1 kHz (ISO/IEC 11172-3), empty inside."""
    frame = b"\xff\xfb\x50\x00" + bytes(204)
    return frame * round(seconds * 44100 / 1152)


# --- what is taken ----------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("content", "media_type", "seconds"),
    [
        (wav(0.2), "audio/wav", 1),
        (wav(12.5), "audio/wav", 13),
        (wav(LONGEST_RECORDING), "audio/wav", 60),
        (mp3(2.6), "audio/mpeg", 3),
        (mp3(59.9), "audio/mpeg", 60),
        (b"ID3\x04\x00\x00\x00\x00\x00\x00" + mp3(5.5), "audio/mpeg", 6),
    ],
)
def test_what_every_provider_plays_is_taken_and_its_length_known(content: bytes, media_type: str, seconds: int) -> None:
    found = recordings.examined(content)
    assert (found.media_type, found.seconds, found.content) == (media_type, seconds, content)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "neither"),
        (b"<script>alert(1)</script>", "neither"),
        (b"%PDF-1.7", "neither"),
        (b"OggS" + bytes(200), "neither"),
        (b"\xff\xd8\xff\xe0" + bytes(200), "neither"),
        (b"RIFF\x00\x00\x00\x00WAVE", "How long"),
        (b"\xff\xfb", "How long"),
        (b"ID3", "How long"),
        (wav(61), "61 seconds"),
        (mp3(62), "62 seconds"),
        (mp3(130), "1000 kB"),
    ],
)
def test_what_cannot_be_played_is_refused_in_a_sentence(content: bytes, says: str) -> None:
    with translation.override("en"), pytest.raises(ValidationError, match=says) as refused:
        recordings.examined(content)
    assert "Nothing was kept" in str(refused.value)


@given(
    st.sampled_from([b"", b"RIFF\x10\x00\x00\x00WAVE", b"ID3", b"\xff\xfb\x50\x00", wav(1)[:60], mp3(1)]), st.binary()
)
def test_no_bytes_make_it_fail(head: bytes, rest: bytes) -> None:
    with contextlib.suppress(ValidationError):
        assert 1 <= recordings.examined(head + rest).seconds <= LONGEST_RECORDING


# --- its address ------------------------------------------------------------------------------------------------------
@pytest.fixture
def template(north: Tenant) -> ReplyTemplate:
    """A spoken message in Ukrainian, which no provider has a voice for."""
    Hotline.objects.filter(pk=north.hotline.pk).update(languages=["fr", "en", "uk"])
    return ReplyTemplate.objects.create(
        organization=north.organization, hotline=north.hotline, purpose="voice", language="uk", text="Дайте спокій."
    )


def test_anybody_who_has_the_address_hears_it_and_a_new_one_has_another(template: ReplyTemplate) -> None:
    first = recordings.keep(template, recordings.examined(wav(2)))
    old = recordings.address(first)
    heard = Client().get(reverse("recording", args=(first.uuid,)))
    assert (heard.status_code, heard.content, heard["Content-Type"]) == (200, wav(2), "audio/wav")
    assert "immutable" in heard["Cache-Control"]
    assert heard["X-Content-Type-Options"] == "nosniff"
    second = recordings.keep(template, recordings.examined(mp3(3)))
    assert recordings.address(second) != old
    assert Client().get(reverse("recording", args=(first.uuid,))).status_code == 404
    assert Client().post(reverse("recording", args=(second.uuid,))).status_code == 405
    assert Client().head(reverse("recording", args=(second.uuid,)))["Content-Type"] == "audio/mpeg"


# --- what a caller hears ----------------------------------------------------------------------------------------------
UKRAINIAN = "380671234567"


def test_a_language_without_a_voice_is_heard_once_it_is_recorded(north: Tenant, template: ReplyTemplate) -> None:
    Hotline.objects.filter(pk=north.hotline.pk).update(countries=["FR", "UA"])
    north.hotline.refresh_from_db()
    north.hotline.save()
    before = ET.fromstring(answer(north, asked("380671234568")))
    assert before[0].tag == "Speak"  # in another language
    kept = recordings.keep(template, recordings.examined(wav(59)))
    call = asked(UKRAINIAN)
    for _ in range(2):  # asked again, it is answered the same
        response = ET.fromstring(answer(north, call))
        assert [element.tag for element in response] == ["Play", "Hangup"]
        assert response[0].text == recordings.address(kept)
    reply = Reply.objects.get(language="uk")
    assert (reply.text, reply.state) == ("Дайте спокій.", "sent")
    # 59 seconds and the silence before them are two minutes.
    assert reply.reserved_micros == 40_000
    assert Spending.objects.filter(scope="hotline", window="day").get().micros == 20_000 + 40_000


def test_a_recording_is_preferred_to_a_voice(north: Tenant) -> None:
    french = ReplyTemplate.objects.get(purpose="voice", language="fr")
    kept = recordings.keep(french, recordings.examined(mp3(4)))
    [played, _hangup] = ET.fromstring(answer(north))
    assert (played.tag, played.text) == ("Play", recordings.address(kept))
    recordings.remove(french)
    [spoken, _hangup] = ET.fromstring(answer(north, asked("33639980199")))
    assert (spoken.tag, spoken.text) == ("Speak", "Laissez cette personne tranquille.")


def test_a_call_loads_no_sound(north: Tenant, django_assert_max_num_queries: Any) -> None:
    recordings.keep(ReplyTemplate.objects.get(purpose="voice", language="fr"), recordings.examined(mp3(4)))
    with django_assert_max_num_queries(60) as asked_for:
        assert post(north, asked()).status_code == 200
    read = [query["sql"] for query in asked_for if "replies_recording" in query["sql"]]
    assert len(read) == 1
    assert '"replies_recording"."content"' not in read[0]


# --- its page ---------------------------------------------------------------------------------------------------------
def page(template: ReplyTemplate) -> str:
    return reverse("admin:replies_replytemplate_change", args=(template.pk,))


def fields_of(template: ReplyTemplate, **changes: Any) -> dict[str, Any]:
    fields = ("hotline_id", "purpose", "step", "language", "text")
    return {name.removesuffix("_id"): getattr(template, name) for name in fields} | changes


def upload(content: bytes, name: str = "message.mp3") -> SimpleUploadedFile:
    return SimpleUploadedFile(name, content)


def test_an_editor_puts_it_there_hears_it_replaces_it_and_takes_it_away(world: World, template: ReplyTemplate) -> None:
    client = signed_in(world.north.editor)
    assert client.post(page(template), fields_of(template, sound=upload(mp3(3)))).status_code == 302
    first = Recording.objects.get()
    shown = client.get(page(template)).content.decode()
    assert f'<audio controls preload="metadata" src="/recordings/{first.uuid}/" type="audio/mpeg">' in shown
    assert client.post(page(template), fields_of(template)).status_code == 302
    assert Recording.objects.get().uuid == first.uuid
    assert client.post(page(template), fields_of(template, sound=upload(wav(3)))).status_code == 302
    assert Recording.objects.get().uuid != first.uuid
    cleared = fields_of(template) | {"sound-clear": "on"}
    assert client.post(page(template), cleared).status_code == 302
    assert not Recording.objects.exists()


def test_whoever_may_only_read_hears_it_and_changes_nothing(world: World, template: ReplyTemplate) -> None:
    recordings.keep(template, recordings.examined(mp3(3)))
    client = signed_in(world.north.viewer)
    shown = client.get(page(template)).content.decode()
    assert "<audio" in shown
    assert 'name="sound"' not in shown
    assert client.post(page(template), fields_of(template, sound=upload(wav(3)))).status_code == 403
    assert signed_in(world.south.owner).get(page(template)).status_code == 404
    assert Recording.objects.get().media_type == "audio/mpeg"


def test_what_is_refused_keeps_what_was_there_and_says_so(world: World, template: ReplyTemplate) -> None:
    recordings.keep(template, recordings.examined(mp3(2.9)))
    client = signed_in(world.north.editor)
    with translation.override("en"):
        for content, says in ((b"<html>", "neither MP3 nor WAV"), (b"\xff\xfb" + bytes(MOST_BYTES), "1000 kB")):
            answered = client.post(
                page(template), fields_of(template, sound=upload(content)), HTTP_ACCEPT_LANGUAGE="en"
            )
            assert answered.status_code == 200
            assert says in answered.content.decode()
    assert Recording.objects.get().seconds == 3


def test_only_a_spoken_message_is_recorded(world: World, template: ReplyTemplate) -> None:
    client = signed_in(world.north.editor)
    texted = ReplyTemplate.objects.exclude(purpose=Purpose.VOICE).filter(hotline=world.north.hotline).first()
    assert texted is not None
    answered = client.post(page(texted), fields_of(texted, sound=upload(mp3(3))), HTTP_ACCEPT_LANGUAGE="en")
    assert "Only a spoken message" in answered.content.decode()
    recordings.keep(template, recordings.examined(mp3(3)))
    assert client.post(page(template), fields_of(template, purpose="notice")).status_code == 302
    assert not Recording.objects.exists()


def test_a_text_that_changes_under_a_recording_is_said(world: World, template: ReplyTemplate) -> None:
    recordings.keep(template, recordings.examined(mp3(3)))
    client = signed_in(world.north.editor)
    answered = client.post(page(template), fields_of(template, text="Інше."), follow=True, HTTP_ACCEPT_LANGUAGE="en")
    assert "The recording was kept as it is." in answered.content.decode()
    assert Recording.objects.count() == 1
