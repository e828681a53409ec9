"""Plivo's list of messages: read as its documentation and its SDK's fixtures have it, and never by halves."""

from __future__ import annotations

import datetime
import json
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import httpx
import plivo
import pytest
import time_machine
from plivo.rest import client as sdk
from tests.providers.fake_plivo import FakePlivo
from tests.providers.plivo_log import MessageLog
from tests.world import AUTH_ID

from providers import http
from providers.base import Delivery, LogEntry, LogQuery, Unavailable
from providers.plivo import Plivo, _log_page

TOKEN = "token-of-the-tests"
NOON = datetime.datetime(2026, 11, 2, 12, tzinfo=datetime.UTC)
MINUTE = datetime.timedelta(minutes=1)
QUERY = LogQuery(NOON, NOON + 60 * MINUTE, inbound=False)
KOLKATA = datetime.timezone(datetime.timedelta(hours=5, minutes=30))
CREDENTIALS = {"auth_id": AUTH_ID, "auth_token": TOKEN}


def row(**changes: Any) -> dict[str, Any]:
    """One object of a list, as the SDK's fixture has it."""
    return {
        "error_code": None,
        "from_number": "33937000001",
        "message_direction": "outbound",
        "message_state": "sent",
        "message_time": "2026-11-02 17:36:14+05:30",
        "message_type": "sms",
        "message_uuid": "5b40a428-bfc7-4daf-9d06-726c558bf3b8",
        "resource_uri": "/v1/Account/MAXXXXXXXXXXXXXXXXXX/Message/5b40a428-bfc7-4daf-9d06-726c558bf3b8/",
        "to_number": "33639980123",
        "total_amount": "0.07627",
        "total_rate": "0.07627",
        "units": 1,
        **changes,
    }


def answer(*rows: Any, **meta: Any) -> dict[str, Any]:
    return {
        "api_id": "x",
        "meta": {"limit": 20, "offset": 0, "next": None, "previous": None, **meta},
        "objects": [*rows],
    }


@pytest.fixture
def server(settings: Any) -> Iterator[FakePlivo]:
    http.client.cache_clear()
    with FakePlivo(accounts={AUTH_ID: TOKEN}) as made:
        settings.PLIVO_API_URL = made.url
        yield made
        http.client().close()
    http.client.cache_clear()


# --- one page ---------------------------------------------------------------------------------------------------------
def test_a_row_is_read_in_whatever_zone_it_is_shown() -> None:
    page = _log_page(answer(row()), QUERY, 0)
    assert page.next is None
    assert page.entries == (
        LogEntry(
            id="5b40a428-bfc7-4daf-9d06-726c558bf3b8",
            inbound=False,
            sender="33937000001",
            recipient="33639980123",
            at=datetime.datetime(2026, 11, 2, 12, 6, 14, tzinfo=datetime.UTC),
            status=Delivery.SENT,
            units=1,
            cost=Decimal("0.07627"),
        ),
    )


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"message_time": "2026-11-02 12:06:14"}, {"at": NOON + datetime.timedelta(minutes=6, seconds=14)}),
        ({"message_state": "undelivered", "error_code": "300"}, {"status": Delivery.UNDELIVERED, "error_code": "300"}),
        ({"error_code": "000", "message_state": "delivered"}, {"status": Delivery.DELIVERED, "error_code": ""}),
        ({"message_state": "read", "units": None, "total_amount": None}, {"status": None, "units": None, "cost": None}),
        ({"from_number": None, "to_number": None}, {"sender": "", "recipient": ""}),
        ({"units": "3", "total_amount": "0.22881"}, {"units": 3, "cost": Decimal("0.22881")}),
    ],
)
def test_what_a_row_may_lack_or_say(changes: dict[str, Any], expected: dict[str, Any]) -> None:
    (entry,) = _log_page(answer(row(**changes)), QUERY, 0).entries
    assert {name: getattr(entry, name) for name in expected} == expected


@pytest.mark.parametrize(
    "broken",
    [
        None,
        [],
        "text",
        {},
        {"meta": {}, "objects": []},
        {"meta": None, "objects": []},
        {"meta": {"next": None}, "objects": None},
        {"meta": {"next": None}, "objects": {}},
        {"error": "too many requests"},
        answer(row(), offset=20),
        answer(row(), total_count=2),
        answer(total_count=1),
        answer("row"),
        answer(row(message_uuid=None)),
        answer(row(message_uuid="")),
        answer(row(message_time=None)),
        answer(row(message_time="yesterday")),
        answer(row(message_direction="inbound")),
        answer(row(message_direction=None)),
        answer(row(message_time="2026-11-02 17:36:14")),
        answer(row(message_time="2026-11-02 12:06:14+05:30")),
    ],
    ids=lambda broken: json.dumps(broken)[:60],
)
def test_a_page_in_doubt_is_no_page(broken: object) -> None:
    with pytest.raises(Unavailable):
        _log_page(broken, QUERY, 0)


@pytest.mark.parametrize(
    ("meta", "rows", "following"),
    [
        ({"next": "/more"}, 1, "1"),
        ({"next": "/more", "total_count": 1}, 1, "1"),  # as the fixture has it: named, and nothing follows
        ({"next": "/more"}, 0, None),
        ({"next": None}, 1, None),
        ({"next": None, "total_count": 1}, 1, None),
    ],
)
def test_when_a_listing_goes_on(meta: dict[str, Any], rows: int, following: str | None) -> None:
    assert _log_page(answer(*[row()] * rows, **meta), QUERY, 0).next == following


# --- the fake is what the SDK expects ---------------------------------------------------------------------------------
def test_the_sdk_reads_the_same_list(server: FakePlivo, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sdk, "PLIVO_API_BASE_URI", f"{server.url}/v1/Account")
    for n in range(23):
        server.log.receive(AUTH_ID, f"336399800{n:02}", "33937000001", f"id-{n}", at=(NOON + n * MINUTE).timestamp())
    client = plivo.RestClient(AUTH_ID, TOKEN)
    since = {"message_time__gte": "2026-11-02 12:00:00.000000", "message_time__lte": "2026-11-02 13:00:00.000000"}
    theirs = [
        (item.message_uuid, item.from_number, item.to_number)
        for offset in (0, 20)
        for item in client.messages.list(message_direction="inbound", limit=20, offset=offset, **since)
    ]
    ours, cursor = [], ""
    while cursor is not None:
        page = Plivo().read_log(LogQuery(NOON, NOON + 60 * MINUTE, inbound=True), CREDENTIALS, cursor)
        ours += [(entry.id, entry.sender, entry.recipient) for entry in page.entries]
        cursor = page.next  # type: ignore[assignment]
    assert ours == theirs
    assert [name for name, *_ in ours] == [f"id-{n}" for n in range(22, -1, -1)]


def test_what_it_took_is_listed_after_its_lag_with_its_end_hidden(settings: Any) -> None:
    http.client.cache_clear()
    log = MessageLog(lag=600, redacted=True, zone=KOLKATA)
    with FakePlivo(log=log) as server, time_machine.travel(NOON, tick=False) as clock:
        settings.PLIVO_API_URL = server.url
        sent = {"src": "33937000001", "dst": "33639980123", "text": "Salut", "type": "sms", "url": "https://x.example/"}
        for behaviour in ("202", "503", "503+accept", "reset-before"):
            server.script(behaviour)
            http.post(
                f"{server.url}/v1/Account/{AUTH_ID}/Message/",
                json={**sent, "method": "POST", "log": "false", "trackable": False},
                auth=(AUTH_ID, TOKEN),
                accepted_id=lambda _answer: "x",
            )
        assert Plivo().read_log(QUERY, CREDENTIALS).entries == ()
        clock.shift(600)
        entries = Plivo().read_log(QUERY, CREDENTIALS).entries
        http.client().close()
    http.client.cache_clear()
    assert {entry.id for entry in entries} == {entry["uuid"] for entry in server.entries if entry["accepted"]}
    assert [(entry.recipient, entry.at, entry.units) for entry in entries] == [("33639980XXX", NOON, 1)] * 2


def test_it_is_told_of_messages_by_another_process(server: FakePlivo) -> None:
    told = {"account": AUTH_ID, "from": "33639980123", "to": "33937000001", "uuid": "told", "at": NOON.timestamp()}
    assert httpx.post(f"{server.url}/control/inbound", json=told).json() == {"uuid": "told"}
    (entry,) = Plivo().read_log(LogQuery(NOON, NOON, inbound=True), CREDENTIALS).entries
    assert (entry.id, entry.sender, entry.recipient, entry.at) == ("told", "33639980123", "33937000001", NOON)
    assert (server.entries, Plivo().read_log(QUERY, CREDENTIALS).entries) == ([], ())


def test_it_is_as_strict_as_plivo(server: FakePlivo) -> None:
    address = f"{server.url}/v1/Account/{AUTH_ID}/Message/"
    good = {
        "message_direction": "inbound",
        "message_time__gte": "2026-11-02 12:00",
        "message_time__lte": "2026-11-02 13:00:00",
    }
    statuses = [
        httpx.get(address, params={**good, **changes}, auth=(AUTH_ID, token)).status_code
        for changes, token in [
            ({}, TOKEN),
            ({}, "another"),
            ({"limit": "21"}, TOKEN),
            ({"offset": "-1"}, TOKEN),
            ({"message_direction": "both"}, TOKEN),
            ({"message_time__gte": "2026-11-02T12:00"}, TOKEN),
            ({"colour": "blue"}, TOKEN),
        ]
    ]
    assert statuses == [200, 401, 400, 400, 400, 400, 400]
    assert httpx.get(f"{server.url}/v1/", auth=(AUTH_ID, TOKEN)).status_code == 404


def test_it_allows_no_more_requests_a_minute_than_it_is_told(server: FakePlivo) -> None:
    server.log.requests_per_minute = 3
    with time_machine.travel(NOON, tick=False) as clock:
        for _ in range(3):
            Plivo().read_log(QUERY, CREDENTIALS)
        clock.shift(20)
        with pytest.raises(Unavailable, match="429") as refused:
            Plivo().read_log(QUERY, CREDENTIALS)
        assert refused.value.retry_after == 41
