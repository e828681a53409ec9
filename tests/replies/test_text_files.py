"""Texts go out as a file for a translator and come back; a file with a mistake changes nothing and says what it is."""

from __future__ import annotations

from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse
from django.utils import translation
from hypothesis import given
from hypothesis import strategies as st
from tests.people import signed_in
from tests.world import World

from hotlines.models import Hotline
from replies import packs, text_files
from replies.models import Purpose, ReplyTemplate

pytestmark = pytest.mark.once


@pytest.fixture
def hotline(world: World) -> Hotline:
    """One of the north that answers in four languages and has the French texts of its kind."""
    ReplyTemplate.objects.filter(hotline=world.north.hotline).delete()
    Hotline.objects.filter(pk=world.north.hotline.pk).update(languages=["fr", "en", "ar", "de"], default_language="fr")
    found = Hotline.objects.get(pk=world.north.hotline.pk)
    packs.copy_to_hotline(found, ["fr"])
    return found


@pytest.fixture(autouse=True)
def _english() -> Any:
    with translation.override("en"):
        yield


def texts(hotline: Hotline, tag: str) -> dict[tuple[str, int], str]:
    rows = ReplyTemplate.objects.filter(hotline=hotline, language=tag)
    return {(row.purpose, row.step): row.text for row in rows}


@pytest.mark.parametrize("tag", ["fr", "en", "ar", "de"])
def test_what_goes_out_comes_back_as_it_was(hotline: Hotline, tag: str) -> None:
    packs.copy_to_hotline(hotline)
    before = texts(hotline, tag)
    assert len(before) >= 6
    content = text_files.written(hotline, tag).encode()
    assert text_files.read(content) == before
    assert text_files.apply(hotline, tag, text_files.read(content)) == text_files.Applied(0, 0, len(before))


@given(text=st.text(st.characters(exclude_categories=("Cs", "Cc")), min_size=1, max_size=60))
def test_every_text_survives_its_quotes(text: str) -> None:
    line = f"final = {text_files.json.dumps(text, ensure_ascii=False)}"
    try:
        found = text_files.read(line.encode())
    except ValidationError as refused:
        assert "cannot be read" not in " ".join(refused.messages)  # noqa: PT017
    else:
        assert found in ({}, {(Purpose.FINAL, 1): text_files.lint.normalized(text)})


def test_what_is_not_translated_is_empty_with_its_source_above(hotline: Hotline) -> None:
    content = text_files.written(hotline, "de")
    source = texts(hotline, "fr")[Purpose.FINAL, 1]
    assert f'# fr: {source}\nfinal = ""' in content
    assert text_files.read(content.encode()) == {}
    content = content.replace('final = ""', 'final = "Das war die letzte Antwort."')
    assert text_files.apply(hotline, "de", text_files.read(content.encode())) == text_files.Applied(1, 0, 0)
    assert texts(hotline, "de") == {(Purpose.FINAL, 1): "Das war die letzte Antwort."}
    assert text_files.apply(hotline, "de", {(Purpose.FINAL, 1): "Ende."}) == text_files.Applied(0, 1, 0)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b'final = "a', "cannot be read"),
        (b"\xff\xfe", "cannot be read"),
        (b'answer = "a"', "answer: This word is unknown"),
        (b'final = ["a", "b"]', "final: There are more texts"),
        (b"reply = [1]", "reply: A text stands between quotes"),
        (b'final = "Hello {name}"', "final: "),
        (b"[final]\na = 1", "final: A text stands between quotes"),
        (b"#" * 200_001, "too large"),
        (b"a = " + b"[" * 5000, "cannot be read"),
    ],
)
def test_a_mistake_is_said_and_changes_nothing(content: bytes, said: str) -> None:
    with pytest.raises(ValidationError) as refused:
        text_files.read(content)
    told = " ".join(refused.value.messages)
    assert said in told
    assert "Nothing was changed" in told


def address(hotline: Hotline, tag: str) -> str:
    return reverse("admin:replies_replytemplate_text_file", args=[hotline.pk, tag])


def bring(user: Any, hotline: Hotline, tag: str, content: str) -> Any:
    file = SimpleUploadedFile("texts.toml", content.encode())
    return signed_in(user).post(address(hotline, tag), {"file": file}, follow=True)


def test_an_editor_takes_a_file_out_and_brings_it_back(world: World, hotline: Hotline) -> None:
    client = signed_in(world.north.editor)
    assert "Download the file" in client.get(address(hotline, "de")).content.decode()
    taken = client.get(address(hotline, "de") + "?download=1")
    assert taken.headers["Content-Disposition"].endswith('-de.toml"')
    content = b"".join(taken.streaming_content).decode().replace('final = ""', 'final = "Ende."')
    answer = bring(world.north.editor, hotline, "de", content).content.decode()
    assert "1 new, 0 changed, 0 as they were" in answer
    assert texts(hotline, "de") == {(Purpose.FINAL, 1): "Ende."}


def test_a_file_with_one_mistake_changes_no_text(world: World, hotline: Hotline) -> None:
    before = texts(hotline, "fr")
    answer = bring(world.north.editor, hotline, "fr", 'help = "Aide. STOP."\nfinal = "Salut {name}"')
    assert answer.status_code == 400
    assert "Nothing was changed" in answer.content.decode()
    naming = f'help = "Aide. STOP."\nfinal = "Appelez le {world.north.hotline.number}"'
    answer = bring(world.north.editor, hotline, "fr", naming)
    assert "final 1: The number of North line stands in the text" in answer.content.decode()
    assert texts(hotline, "fr") == before


def test_nobody_else_brings_or_takes_one(world: World, hotline: Hotline) -> None:
    assert signed_in(world.north.viewer).get(address(hotline, "de") + "?download=1").status_code == 200
    assert bring(world.north.viewer, hotline, "de", 'final = "Ende."').status_code == 403
    assert bring(world.south.owner, hotline, "de", 'final = "Ende."').status_code == 404
    assert signed_in(world.south.owner).get(address(hotline, "de") + "?download=1").status_code == 404
    assert signed_in(world.north.editor).get(address(hotline, "ja")).status_code == 404
    assert texts(hotline, "de") == {}
