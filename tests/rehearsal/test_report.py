"""What is told of a rehearsal: the figures are right in every form, and nothing in them can do harm."""

from __future__ import annotations

import copy
import datetime
import itertools
import json
import re
from collections.abc import Iterator
from html.parser import HTMLParser
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.utils import translation
from django.utils.html import strip_tags
from hypothesis import given
from hypothesis import strategies as st
from tests.processes import ROOT
from tests.rehearsal.results import DAY, HOUR, START, empty, raid, result

from rehearsal import report
from rehearsal import report_words as words
from rehearsal.result import Bill, Change, Day, Hour, Result, quantile

FOLDER = str(ROOT / "messaging/rehearsal/templates")
HOSTILE = "</style></title><script>alert(1)</script>\x1b[31m\u202e\"'&amp; {{ 1 }} %(count)s"
VOID = {"meta", "link", "br", "img", "input", "hr"}


@pytest.fixture(autouse=True)
def _templates(settings: Any) -> Iterator[None]:
    """Also where nobody has installed the app."""
    if "rehearsal" not in settings.INSTALLED_APPS:
        templates = copy.deepcopy(django_settings.TEMPLATES)
        templates[0]["DIRS"] = [*templates[0]["DIRS"], FOLDER]
        settings.TEMPLATES = templates
    with translation.override("en"):
        yield


class Page(HTMLParser):
    """Every tag is closed in its turn, every id is there once, and what points to an id finds it."""

    def __init__(self, markup: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.ids: list[str] = []
        self.pointers: set[str] = set()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.feed(markup)
        self.close()
        assert not self.open, self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in VOID:
            self.open.append(tag)
        self._seen(tag, attrs)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._seen(tag, attrs)

    def _seen(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert len({name for name, _value in attrs}) == len(attrs), (tag, attrs)
        named = dict(attrs)
        self.tags.append((tag, named))
        if named.get("id"):
            self.ids.append(str(named["id"]))
        self.pointers.update(str(named.get("aria-labelledby") or "").split())
        if str(named.get("href") or "").startswith("#"):
            self.pointers.add(str(named["href"])[1:])

    def handle_endtag(self, tag: str) -> None:
        assert self.open, f"</{tag}> closes nothing"
        assert self.open.pop() == tag, f"</{tag}> at {self.getpos()}"


def read(markup: str) -> str:
    """As a reader sees it."""
    body = re.sub(r"<style>.*?</style>", "", markup, flags=re.DOTALL)
    return re.sub(r"\s+", " ", strip_tags(body.replace("<", " <")))


def line(text: str, label: str) -> str:
    """The value that follows a label in the terminal."""
    found = re.search(rf"^  {re.escape(label)}  +(.*)$", text, re.MULTILINE)
    assert found, label
    return found[1].replace("\u00a0", " ")


every_kind = pytest.mark.parametrize(
    "results",
    [
        [],
        [empty()],
        [result()],
        [raid()],
        [result(), raid(1), raid(2)],
        [empty(seed=seed) for seed in (1, 2)],
        [raid(noticed_after=None, false_alarms=3, false_blocks=2)],
        [raid(trace=HOSTILE, changes=[Change(START, HOSTILE, HOSTILE, HOSTILE)])],
    ],
    ids=["none", "empty", "quiet", "raid", "several", "empty seeds", "bad", "hostile"],
)
every_language = pytest.mark.parametrize("language", ["en", "fr"])


# --- every form -----------------------------------------------------------------------------------------------------
@every_kind
@every_language
def test_the_page_is_well_formed_and_needs_nothing_else(results: list[Result], language: str) -> None:
    with translation.override(language):
        markup = report.as_html(results)
    page = Page(markup)
    assert len(page.ids) == len(set(page.ids))
    assert page.pointers <= set(page.ids)
    assert "<script" not in markup.lower()
    assert "http://" not in markup.replace("http://www.w3.org/2000/svg", "")
    assert "https://" not in markup
    assert not [tag for tag, _named in page.tags if tag in {"link", "img", "iframe", "object", "use", "image"}]
    assert not [name for _tag, named in page.tags for name in named if name.startswith("on") or name == "style"]
    assert ("html", {"lang": language, "dir": "ltr"}) in page.tags


@every_kind
def test_the_page_can_be_read_without_seeing_it(results: list[Result]) -> None:
    page = Page(report.as_html(results))
    tags = [tag for tag, _named in page.tags]
    assert tags.count("h1") == 1
    assert tags.count("table") == tags.count("caption")
    assert all(named.get("scope") in {"row", "col"} for tag, named in page.tags if tag == "th")
    pictures = [named for tag, named in page.tags if tag == "svg" and named.get("role") == "img"]
    assert tags.count("title") == 1 + len(pictures)
    assert tags.count("desc") == len(pictures) == 5 * len({each.trace for each in results})
    levels = [int(tag[1]) for tag in tags if re.fullmatch("h[1-6]", tag)]
    assert all(after - before <= 1 for before, after in itertools.pairwise(levels))


@every_kind
@every_language
def test_no_line_is_wider_than_a_terminal(results: list[Result], language: str) -> None:
    with translation.override(language):
        text = report.as_text(results)
    assert max(map(len, text.splitlines())) <= report.COLUMNS
    assert text.endswith("\n")


@every_kind
def test_json_is_the_same_in_every_language(results: list[Result]) -> None:
    said = report.as_json(results)
    with translation.override("fr"):
        assert report.as_json(results) == said
    assert said.isascii()
    assert len(json.loads(said)["results"]) == len(results)


def test_coordinates_have_no_decimal_comma() -> None:
    with translation.override("fr"):
        markup = report.as_html([raid()])
    attributes = re.findall(r' (?:d|x|y|x1|x2|y1|y2|width|height|viewBox)="([^"]*)"', markup)
    assert len(attributes) > 60
    assert not [value for value in attributes if "," in value or "\u00a0" in value]


def test_it_is_written_from_right_to_left_where_people_do() -> None:
    with translation.override("ar"):
        assert '<html lang="ar" dir="rtl">' in report.as_html([])
    with translation.override(None):
        assert '<html lang="en" dir="ltr">' in report.as_html([])


# --- figures --------------------------------------------------------------------------------------------------------
def measured(**changes: Any) -> Result:
    """A raid of round figures."""
    return raid(
        **{
            "messages": 101_010,
            "genuine_senders": 1_010,
            "with_shield": Bill(2_698, 1_690, 208_125_000),
            "without_shield": Bill(101_010, 100_000, 7_762_990_000),
            "inbound_micros": 757_575_000,
            "served_in_a_day": 1_009,
            "served_in_an_hour": 1_010,
            "delays": [45.0] * 990 + [7_500.0] * 19,
            "blocks": 1_874,
            "days": [Day(START, 49_964_999, 50_000_000), Day(START + DAY, 12_000_000, 50_000_000)],
            **changes,
        }
    )


def test_the_terminal_tells_the_figures_in_english() -> None:
    text = report.as_text([measured()])
    assert line(text, "Messages written to the number") == "101,010"
    assert line(text, "Spent with the shield") == "208.13 EUR for 2,698 replies"
    assert line(text, "Spent without the shield") == "7,762.99 EUR for 101,010 replies"
    assert line(text, "Price of the messages received") == "757.58 EUR"
    assert line(text, "Fullest day, and its budget") == "49.96 EUR of 50.00 EUR, on Fri 27 Oct"
    assert line(text, "Daily budget") == "never passed"
    assert line(text, "Replies to genuine senders") == "1,008 (without the shield 1,010)"
    assert line(text, "Replies to the raid") == "1,690 (without the shield 100,000)"
    assert line(text, "Genuine senders answered within a day") == "1,009 of 1,010 (99.90%)"
    assert line(text, "Genuine senders answered within an hour") == "1,010 of 1,010 (100%)"
    assert line(text, "Delay of a first reply: half of them at most") == "45 s"
    assert line(text, "Delay of a first reply: 99 of 100 at most") == "2 h 5 min"
    assert line(text, "Raid noticed") == "after 1 min 40 s"
    assert line(text, "Senders blocked") == "1,874"
    assert "normal → watch: 12 times as many new senders as usual" in text


def test_the_page_tells_them_too_and_as_the_french_write_them() -> None:
    markup = report.as_html([measured()])
    assert {"7,762.99 EUR", "208.13 EUR", "1,009 of 1,010", "99.90%", "after 1 min 40 s"} <= phrases(markup)
    with translation.override("fr"):
        french = read(report.as_html([measured()]))
        text = report.as_text([measured()]).replace("\u00a0", " ")
    assert "7 762,99 EUR" in french
    assert "99,90" in french
    assert "7 762,99 EUR" in text
    assert "7,762.99" not in french + text


def phrases(markup: str) -> set[str]:
    return {found.strip().replace("\u00a0", " ") for found in re.findall(r">([^<>]+)<", markup)}


def test_json_tells_money_twice_and_exactly() -> None:
    document = json.loads(report.as_json([measured()]))
    (found,), (trace,) = document["results"], document["traces"]
    assert found["with_shield"]["cost"] == {"micros": 208_125_000, "amount": "208.125000", "currency": "EUR"}
    assert found["served_in_a_day_percent"] == 99.9
    assert found["delay_seconds"] == {"answered": 1_009, "median": 45.0, "p99": 7_500.0, "most": 7_500.0}
    assert found["noticed_after_seconds"] == 100.0
    assert found["days_over_budget"] == 0
    assert found["hours"][0]["at"] == "2017-10-27T16:00:00+00:00"
    assert trace["worst"]["cost_of_a_day"]["amount"] == "49.964999"


def test_a_budget_passed_by_a_millionth_is_passed() -> None:
    passed = measured(days=[Day(START, 50_000_001, 50_000_000), Day(START + DAY, 60_000_000, 60_000_000)])
    assert line(report.as_text([passed]), "Daily budget") == "PASSED on 1 day"
    assert line(report.as_text([passed]), "Fullest day, and its budget") == "50.00 EUR of 50.00 EUR, on Fri 27 Oct"
    assert json.loads(report.as_json([passed]))["results"][0]["days_over_budget"] == 1
    assert "alarming" in report.as_html([passed]).split("</style>")[1]
    assert "alarming" not in report.as_html([measured()]).split("</style>")[1]


@pytest.mark.parametrize(
    ("part", "whole", "said"),
    [(999_999, 1_000_000, "99.99%"), (10, 10, "100%"), (0, 7, "0%"), (1, 3, "33.33%"), (0, 0, "–")],
)
def test_a_hundred_per_cent_means_all(part: int, whole: int, said: str) -> None:
    assert words.percent(words.share(part, whole)) == said


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (0, "0 s"),
        (0.2, "under 1 s"),
        (44.6, "45 s"),
        (59.6, "1 min"),
        (100, "1 min 40 s"),
        (120, "2 min"),
        (3_599.7, "1 h"),
        (10_800, "3 h"),
        (86_390, "1 d"),
        (10 * 86_400 + 7_000, "10 d 2 h"),
    ],
)
def test_delays_are_spoken(seconds: float, said: str) -> None:
    assert words.spoken(seconds).replace("\u00a0", " ") == said


def test_noticed_or_not() -> None:
    assert words.noticed(raid(noticed_after=45.0)).replace("\u00a0", " ") == "after 45 s"
    assert words.noticed(raid(noticed_after=None)) == "never"
    assert words.noticed(result()) == "there was none"


@given(st.lists(st.floats(0, 1e9), min_size=1).map(sorted), st.floats(0.001, 1))
def test_a_quantile_is_not_exceeded_by_its_portion(delays: list[float], portion: float) -> None:
    found = quantile(delays, portion)
    assert found in delays
    assert sum(delay <= found for delay in delays) >= portion * len(delays) - 1e-6


# --- several seeds --------------------------------------------------------------------------------------------------
def test_several_seeds_have_a_total_and_a_worst() -> None:
    good = measured(seed=2, served_in_a_day=1_010, noticed_after=20.0, with_shield=Bill(1, 0, 300_000_000))
    text = report.as_text([good, measured(seed=1, false_blocks=1)]).replace("\u00a0", " ")
    table = text[text.index("2 seeds") :]
    assert re.search(r"total +99\.95% +100% +508\.13 EUR +– +2 of 2 +1 +0\n", table)
    assert re.search(r"worst +99\.90% +100% +300\.00 EUR +49\.96 EUR +after 1 min 40 s +1 +0\n", table)
    assert "about seed 1, the worst one" in read(report.as_html([good, measured(seed=1)]))


def test_a_raid_that_one_seed_never_noticed_is_the_worst() -> None:
    text = report.as_text([raid(1), raid(2, noticed_after=None)])
    assert re.search(r"total .* 1 of 2 ", text)
    assert re.search(r"worst .* never ", text)
    (trace,) = json.loads(report.as_json([raid(1), raid(2, noticed_after=None)]))["traces"]
    assert trace["worst"]["noticed_after_seconds"] is None
    assert (trace["total"]["raids"], trace["total"]["raids_noticed"]) == (2, 1)
    (trace,) = json.loads(report.as_json([raid(1), raid(2)]))["traces"]
    assert trace["worst"]["noticed_after_seconds"] == 100.0


# --- what is hostile, empty or huge ---------------------------------------------------------------------------------
def test_a_hostile_name_or_reason_does_nothing() -> None:
    hostile = raid(trace=HOSTILE, changes=[Change(START + HOUR, HOSTILE, "raid", HOSTILE)])
    markup, text = report.as_html([hostile]), report.as_text([hostile])
    assert "&lt;script&gt;alert(1)" in markup
    assert "alert(1)" in text
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", markup + text)
    assert json.loads(report.as_json([hostile]))["results"][0]["trace"] == HOSTILE


def test_new_lines_cannot_forge_a_line() -> None:
    forged = raid(changes=[Change(START, "normal", "raid", "why\n  Daily budget      never passed\r\nx\x85y\u2028z")])
    assert len(re.findall(r"^  Daily budget", report.as_text([forged]), re.MULTILINE)) == 1


def test_nobody_wrote() -> None:
    text = report.as_text([empty()])
    assert line(text, "Genuine senders answered within a day") == "nobody wrote"
    assert line(text, "Delay of a first reply: half of them at most") == "nobody was answered"
    assert "No genuine sender wrote. There was no raid." in read(report.as_html([empty()]))
    assert json.loads(report.as_json([empty()]))["results"][0]["served_in_a_day_percent"] is None


def test_huge_figures_neither_break_nor_widen_anything() -> None:
    most = 2**63 - 1
    huge = Result(
        **{
            **vars(raid()),
            "trace": "x" * 300,
            "genuine_senders": most,
            "served_in_a_day": most - 1,
            "with_shield": Bill(most, most, most),
            "without_shield": Bill(most, most, most),
            "inbound_micros": most,
            "delays": [0.0, 1e12],
            "noticed_after": 1e12,
            "hours": [Hour(START, most, most, most, most, most)],
            "days": [Day(START, most, 0)],
            "ends_at": START + datetime.timedelta(days=40_000),
            "detector_bytes": most,
            "judging_seconds": 1e-9,
        }
    )
    text = report.as_text([huge, huge])
    assert "99.99%" in text
    assert max(map(len, text.splitlines())) <= report.COLUMNS
    Page(report.as_html([huge, huge]))
    amount = json.loads(report.as_json([huge]))["results"][0]["inbound_cost"]["amount"]
    assert amount == "9223372036854.775807"


def test_many_hours_are_told_by_day() -> None:
    long = result(ends_at=START + 10 * DAY, hours=[Hour(START + n * HOUR, 2, 0, 2, 0, 0) for n in range(240)])
    page = read(report.as_html([long]))
    assert "hours are added up to days" in page
    assert "Sat 28 Oct 48 0" in page
    assert "Hour that begins at" not in page
    assert "Hour that begins at" in read(report.as_html([result()]))
