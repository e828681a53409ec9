"""The page on paper: one sheet that can be read, copied and scanned."""

from __future__ import annotations

import datetime
import io
import re

import pypdf
import pytest
import segno
from django.test import Client
from django.utils import translation
from tests.world import World

from hotlines.models import Campaign, Hotline
from pages import poster, showing
from pages.models import Page

pytestmark = pytest.mark.once

TODAY = datetime.date(2026, 11, 30)
NOW = datetime.datetime(2026, 11, 30, 12, tzinfo=datetime.UTC)


@pytest.fixture
def page(world: World) -> Page:
    north = world.north
    return Page.objects.create(
        organization=north.organization,
        slug="anti-relous",
        name="Anti-relous",
        names={"ar": "ضد المتطفلين"},
        hotline=north.hotline,
        published=True,
    )


def drawn(page: Page, language: str = "en", today: datetime.date = TODAY) -> bytes:
    """Anew, and not as it is remembered."""
    poster._drawn.cache_clear()
    with translation.override(language):
        shown = showing.shown(page, language, NOW)
        assert shown.hotline is not None
        assert shown.number is not None
        return poster.pdf(shown, shown.hotline, shown.number, today)


def read(content: bytes) -> pypdf.PageObject:
    """The only sheet of it."""
    sheets = pypdf.PdfReader(io.BytesIO(content)).pages
    assert len(sheets) == 1
    return sheets[0]


def scanned(content: bytes, size: int) -> list[list[int]]:
    """The black squares of its code, as a camera would find them."""
    stream = read(content).get_contents()
    assert stream is not None
    found = re.findall(rb"([\d.]+) ([\d.]+) ([\d.]+) (-?[\d.]+) re f\b", stream.get_data())
    squares = [tuple(map(float, numbers)) for numbers in found]
    left, top = min(x for x, *_rest in squares), max(y for _x, y, *_rest in squares)
    module = (max(x + width for x, _y, width, _height in squares) - left) / size
    matrix = [[0] * size for _row in range(size)]
    for x, y, width, _height in squares:
        row, column = round((top - y) / module), round((x - left) / module)
        matrix[row][column : column + round(width / module)] = [1] * round(width / module)
    return matrix


def test_it_says_the_number_and_whose_it_is_on_one_sheet_of_a4(page: Page) -> None:
    sheet = read(drawn(page))
    assert (round(sheet.mediabox.width), round(sheet.mediabox.height)) == (595, 842)
    text = sheet.extract_text()
    for part in ("Anti-relous", "North", "09 37 00 00 01", "+33 9 37 00 00 01", "112", "Nov. 30, 2026"):
        assert part in text
    assert "hotline.example.org/en/anti-relous" in text


@pytest.mark.parametrize("language", ["fr", "ar"])
def test_its_code_leads_to_the_page(page: Page, language: str) -> None:
    content = drawn(page, language)
    expected = segno.make_qr(f"https://hotline.example.org/{language}/anti-relous/", error="m").matrix
    assert scanned(content, len(expected)) == [list(row) for row in expected]


def test_a_campaigns_number_changes_and_so_is_not_on_it(world: World, page: Page) -> None:
    campaign = Campaign.objects.create(organization=world.north.organization, name="Métro")
    Hotline.objects.filter(pk=world.north.hotline.pk).update(campaign=campaign)
    page.hotline, page.campaign = None, campaign
    page.save()
    text = read(drawn(page)).extract_text()
    assert "37 00 00 01" not in text
    assert "hotline.example.org/en/anti-relous" in text


def test_the_same_page_on_the_same_day_is_the_same_file(page: Page) -> None:
    assert drawn(page) == drawn(page)
    assert drawn(page) != drawn(page, today=TODAY + datetime.timedelta(days=1))


@pytest.mark.parametrize("language", ["fr", "en", "es", "de", "ar"])
def test_its_letters_come_with_it(page: Page, language: str) -> None:
    reader = pypdf.PdfReader(io.BytesIO(drawn(page, language)))
    assert reader.root_object["/Lang"] == language
    fonts = reader.pages[0]["/Resources"]["/Font"].values()  # type: ignore[index]
    assert fonts
    for font in fonts:
        descriptor = font.get_object()["/DescendantFonts"][0].get_object()["/FontDescriptor"]
        assert "/FontFile2" in descriptor


def test_arabic_is_drawn_from_the_right(page: Page) -> None:
    sheet = read(drawn(page, "ar"))
    assert any("\N{ARABIC LETTER ALEF}" <= char <= "\N{ARABIC LETTER YEH}" for char in sheet.extract_text())
    # What stands where the language begins is on the right half.
    stream = sheet.get_contents()
    assert stream is not None
    squares = re.findall(rb"([\d.]+) [\d.]+ [\d.]+ -?[\d.]+ re f\b", stream.get_data())
    assert min(float(x) for x in squares) > 595 / 2


def test_the_longest_names_stay_on_the_sheet(world: World, page: Page) -> None:
    page.name = "Ne plus jamais laisser personne insister dans la rue, le métro ou en ligne, non"
    page.organization.name = "Fédération " * 12
    sheet = read(drawn(page, "de"))
    low: list[float] = []
    sheet.extract_text(visitor_text=lambda _text, _cm, tm, _font, _size: low.append(tm[5]))
    assert min(y for y in low if y) > 10


def test_it_is_downloaded_under_a_name_that_every_system_takes(page: Page, client: Client) -> None:
    answer = client.get("/ar/anti-relous/poster.pdf")
    assert answer.status_code == 200
    assert answer["Content-Type"] == "application/pdf"
    assert answer["Content-Disposition"] == 'inline; filename="anti-relous-ar.pdf"'
    assert answer.content.startswith(b"%PDF-")
    again = client.get("/ar/anti-relous/poster.pdf", headers={"If-None-Match": answer["ETag"]})
    assert again.status_code == 304


def test_there_is_none_while_no_number_is_in_service(page: Page, client: Client) -> None:
    Hotline.objects.filter(pk=page.hotline_id).update(state="suspended", state_reason="raid")
    assert client.get("/fr/anti-relous/poster.pdf").status_code == 404
