"""A trace in a file: what is dumped is read back, and whatever else is read is refused with its line."""

from __future__ import annotations

import datetime
import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.rehearsal.small import MADE_UP, lines, small

from rehearsal.traces import STARTS_AT, Message, dump, read

HOUR = datetime.timedelta(hours=1)


@pytest.mark.parametrize("name", [*MADE_UP, "anti-harcelement-2017"])
def test_what_is_dumped_is_read_back(name: str) -> None:
    assert read(dump(small(name))) == small(name)


def test_a_line_is_plain_ascii_and_ends() -> None:
    assert all(line.isascii() and line.endswith("}\n") and line.count("\n") == 1 for line in lines(small("mix")))


HEADER = {
    "trace": "own",
    "seed": 0,
    "starts_at": "2026-03-04T00:00:00Z",
    "ends_at": "2026-03-07T00:00:00+00:00",
    "messages": 1,
}
MESSAGE = {"at": "2026-03-04T10:00:00+01:00", "sender": "+33612345678", "text": "Salut", "raid": False}


def test_a_trace_may_be_written_by_hand() -> None:
    trace = read([json.dumps(HEADER), json.dumps(MESSAGE)])
    at = datetime.datetime(2026, 3, 4, 9, tzinfo=datetime.UTC)
    assert trace.messages == (Message(at, "+33612345678", "Salut", raid=False),)
    assert (trace.name, trace.seed, trace.starts_at, trace.raid_starts_at) == ("own", 0, STARTS_AT, None)
    before = read([json.dumps(HEADER), json.dumps(MESSAGE | {"at": "2026-03-03T10:00:00Z"})])
    assert (len(before.warm_up), before.messages) == (1, ())


@pytest.mark.parametrize(
    ("header", "message", "said"),
    [
        ({"seed": True}, {}, "Line 1: seed must be a whole number."),
        ({"seed": 1.5}, {}, "Line 1: seed must be a whole number."),
        ({"trace": None}, {}, "Line 1: trace must be a text."),
        (
            {"more": 1},
            {},
            "Line 1: it must be an object of trace, seed, starts_at, ends_at, messages, and nothing else.",
        ),
        ({"starts_at": "soon"}, {}, "Line 1: 'soon' is no moment, such as 2026-03-04T00:00:00+00:00."),
        ({"starts_at": "2026-03-04T00:00:00"}, {}, "Line 1: a moment must tell its time zone, such as +00:00."),
        ({"starts_at": "0001-01-01T00:00:00+14:00"}, {}, "Line 1: a moment must be of this century."),
        ({"ends_at": "9999-12-31T23:59:59-14:00"}, {}, "Line 1: a moment must be of this century."),
        ({"ends_at": "2026-03-04T00:00:00Z"}, {}, "Line 1: ends_at must be after starts_at, within 366 days."),
        ({"ends_at": "2027-03-06T00:00:00Z"}, {}, "Line 1: ends_at must be after starts_at, within 366 days."),
        ({"messages": 2}, {}, "Line 2: the header promises 2 messages, and 1 came."),
        ({}, {"raid": 0}, "Line 2: raid must be true or false."),
        ({}, {"sender": "0612345678"}, "Line 2: sender must be a number in E.164, such as +33612345678."),
        ({}, {"sender": "+33612345678\n"}, "Line 2: sender must be a number in E.164, such as +33612345678."),
        ({}, {"sender": "+٣٣٦١٢٣٤٥٦٧٨"}, "Line 2: sender must be a number in E.164, such as +33612345678."),
        ({}, {"text": "\ud83d"}, "Line 2: text has half a character."),
        ({}, {"at": "2026-03-07T00:00:00Z"}, "Line 2: at is before the line above it"),
        ({}, {"at": "2026-02-17T23:59:59Z"}, "Line 2: at is before the line above it"),
        ({}, {"at": "2026-03-03T23:59:59Z", "raid": True}, "Line 2: a raid in the warm-up is none."),
    ],
)
def test_what_is_wrong_with_a_line_is_told(header: dict[str, Any], message: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=r"^Line \d+: ") as refused:
        read([json.dumps(HEADER | header), json.dumps(MESSAGE | message)])
    assert str(refused.value).startswith(said)


@pytest.mark.parametrize(
    ("given_lines", "said"),
    [
        ([], "Line 1: there is no header."),
        ([""], "Line 1: it is not JSON."),
        (["[" * 100_000], "Line 1: it is not JSON."),
        (["9" * 5000], "Line 1: it is not JSON."),
        (["null"], "Line 1: it must be an object of"),
        ([json.dumps(HEADER), "\n"], "Line 2: it is not JSON."),
        ([json.dumps(HEADER | {"messages": 2}), *[json.dumps(MESSAGE)] * 2, "{"], "Line 4: it is not JSON."),
    ],
)
def test_what_is_no_trace_is_refused(given_lines: list[str], said: str) -> None:
    with pytest.raises(ValueError, match=r"^Line \d") as refused:
        read(given_lines)
    assert str(refused.value).startswith(said)


def test_messages_that_are_out_of_order_are_refused() -> None:
    two = [json.dumps(MESSAGE), json.dumps(MESSAGE | {"at": "2026-03-04T08:59:59Z"})]
    assert len(read([json.dumps(HEADER | {"messages": 2}), *reversed(two)]).messages) == 2
    with pytest.raises(ValueError, match="Line 3: at is before the line above it"):
        read([json.dumps(HEADER | {"messages": 2}), *two])


def test_a_file_that_is_not_utf_8_is_refused(tmp_path: Any) -> None:
    path = tmp_path / "trace.jsonl"
    path.write_bytes(json.dumps(HEADER).encode() + b"\n" + b"\xff" * 20_000)
    with path.open(encoding="utf-8") as opened, pytest.raises(ValueError, match=r"Line \d: what follows is not UTF-8"):
        read(opened)


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.datetimes().map(str),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
MOMENTS = st.datetimes(timezones=st.none() | st.just(datetime.UTC) | st.just(datetime.timezone(14 * HOUR)))


@st.composite
def nearly(draw: Any, good: dict[str, Any]) -> str:
    """A good line of which some fields are anything, or are missing."""
    wrong = draw(st.dictionaries(st.sampled_from(sorted(good)), VALUES | MOMENTS.map(lambda at: at.isoformat())))
    missing = draw(st.sets(st.sampled_from(sorted(good)), max_size=1))
    return json.dumps({key: value for key, value in (good | wrong).items() if key not in missing})


GARBAGE = st.text() | VALUES.map(json.dumps)


@given(
    header=st.just(json.dumps(HEADER)) | nearly(HEADER) | GARBAGE,
    rest=st.lists(st.just(json.dumps(MESSAGE)) | nearly(MESSAGE) | GARBAGE, max_size=4),
)
def test_whatever_is_read_is_a_trace_or_refused_with_its_line(header: str, rest: list[str]) -> None:
    given_lines = [header, *rest]
    try:
        trace = read(given_lines)
    except ValueError as error:
        number = int(str(error).removeprefix("Line ").partition(":")[0])
        assert 1 <= number <= len(given_lines)
    else:
        assert read(dump(trace)) == trace
        assert len(trace.messages) + len(trace.warm_up) == len(rest)


def test_lines_are_read_one_after_the_other() -> None:
    """A file of any size stops at its first bad line."""

    def endless() -> Iterator[str]:
        yield json.dumps(HEADER)
        while True:
            yield "x"

    with pytest.raises(ValueError, match="Line 2"):
        read(endless())
