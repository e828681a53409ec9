"""The number for an address book: a name and a number, whatever somebody entered as the name."""

from __future__ import annotations

import re

import pytest
from django.test import Client
from hypothesis import given
from hypothesis import strategies as st
from tests.world import World

from hotlines.models import Hotline
from pages import contact
from pages.models import Page

NUMBER = "+33937000001"


def lines_of(card: str) -> list[str]:
    """As a phone reads them: ended by CRLF, and unfolded."""
    assert card.endswith("\r\n")
    raw = card.removesuffix("\r\n").split("\r\n")
    assert all(len(line.encode()) <= 75 for line in raw)
    assert not any(end in line for line in raw for end in "\r\n\v\f\x1c\x85\u2028\u2029")
    return "\r\n".join(raw).replace("\r\n ", "").split("\r\n")


def test_it_has_a_name_and_a_number_and_nothing_else() -> None:
    assert lines_of(contact.card("Camille", NUMBER)) == [
        "BEGIN:VCARD",
        "VERSION:3.0",
        "N:;Camille;;;",
        "FN:Camille",
        f"TEL;TYPE=CELL:{NUMBER}",
        "END:VCARD",
    ]


@pytest.mark.parametrize(
    "name",
    [
        "Camille\r\nNOTE:hotline",
        "Camille\nTEL:+33600000000",
        "Camille\u2028URL:https://example.org",
        "Camille\x85END:VCARD",
        "Camille\r\n EMAIL:a@example.org",
        "a;b,c\\n:d",
        "\\",
        "",
        " \n ",
    ],
)
def test_no_name_adds_a_line(name: str) -> None:
    lines = lines_of(contact.card(name, NUMBER))
    assert [line.partition(":")[0] for line in lines] == ["BEGIN", "VERSION", "N", "FN", "TEL;TYPE=CELL", "END"]
    assert lines[4] == f"TEL;TYPE=CELL:{NUMBER}"


@given(st.text(max_size=60))
def test_the_name_is_read_back_as_it_was(name: str) -> None:
    lines = lines_of(contact.card(name, NUMBER))
    assert len(lines) == 6
    written = lines[3].removeprefix("FN:")
    assert re.sub(r"\\(.)", r"\1", written) == (contact.plain(name) or "contact")
    assert re.fullmatch(r"(?:[^\\;,]|\\[\\;,])*", written)
    assert lines[2] == f"N:;{written};;;"


@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("Camille", "Camille.vcf"),
        ("Zoé Ève", "Zoé-Ève.vcf"),
        ('a"; filename=evil.exe', "a-filename-evil-exe.vcf"),
        ("../../etc/passwd", "etc-passwd.vcf"),
        ("\r\nSet-Cookie: a=b", "Set-Cookie-a-b.vcf"),
        ("كميل", "كميل.vcf"),
        ("...", "contact.vcf"),
    ],
)
def test_its_file_has_an_innocent_name(name: str, file: str) -> None:
    assert contact.filename(name) == file


@pytest.mark.once
@pytest.mark.parametrize("name", ["Camille", "Zoé\r\nX-Told: hotline", 'a"b', "كميل"])
def test_it_is_downloaded_and_tells_nobody_what_it_is(world: World, client: Client, name: str) -> None:
    north = world.north
    Page.objects.create(
        organization=north.organization,
        slug="anti-relous",
        name="Anti-relous",
        hotline=north.hotline,
        contact_name=name,
        website="https://north.example",
        published=True,
    )
    answer = client.get("/fr/anti-relous/contact.vcf")
    assert answer.status_code == 200
    assert answer["Content-Type"] == "text/vcard; charset=utf-8"
    assert answer["Content-Disposition"].startswith("attachment; filename")
    assert answer["Content-Disposition"].isascii()
    assert "X-Told" not in answer.headers
    card = answer.content.decode()
    assert f"TEL;TYPE=CELL:{north.hotline.number}\r\n" in card
    for telling in ("North", "relous", "http", "URL", "ORG", "NOTE"):
        assert telling not in card


@pytest.mark.once
def test_there_is_none_while_no_number_is_in_service(world: World, client: Client) -> None:
    north = world.north
    Page.objects.create(
        organization=north.organization, slug="anti-relous", name="A", hotline=north.hotline, published=True
    )
    Hotline.objects.filter(pk=north.hotline.pk).update(state="suspended", state_reason="raid")
    assert client.get("/fr/anti-relous/contact.vcf").status_code == 404


@pytest.mark.parametrize("control", ["\x00", "\x1b", "\x7f", "\u2028", "\ud800"])
def test_what_only_controls_others_is_in_no_contact(control: str) -> None:
    assert control not in contact.card(f"Ca{control}mille", "+33939000001")
    assert contact.plain(f"Ca{control}mille") == "Ca mille"
