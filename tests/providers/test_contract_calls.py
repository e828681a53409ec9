"""What every provider must do when it is called: sending, its log, its numbers. Run for each line of the registry."""

from __future__ import annotations

import datetime
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from tests.providers.cases import SECRET, Case
from tests.providers.contract.base import LogContract
from tests.world import SENDER

from providers import http
from providers.base import Knowledge, LogEntry, LogQuery, Outcome, OutgoingReply, Unavailable

pytestmark = [pytest.mark.usefixtures("own_client"), pytest.mark.once]


# --- sending ----------------------------------------------------------------------------------------------------------
def test_what_its_answers_teach(case: Case, settings: Any) -> None:
    taught = set(Knowledge) - ({Knowledge.UNKNOWN} if case.contract.idempotent else set())
    assert set(case.contract.answers.values()) == taught
    with case.contract.carrier(settings) as carrier:
        for told, knowledge in case.contract.answers.items():
            reply = OutgoingReply(uuid.uuid4(), "33937000001", SENDER, "Réponse", "https://hotline.example.org/r/")
            carrier.script(told)
            outcome: Outcome = case.provider.send(reply, case.contract.credentials(SECRET, ""))
            assert outcome.knowledge is knowledge, told
            assert bool(outcome.provider_id) == (knowledge is Knowledge.ACCEPTED)
            assert not {SECRET, SENDER, reply.text} & {outcome.detail}
            assert len(outcome.detail) <= 60
        http.client().close()


# --- its log ----------------------------------------------------------------------------------------------------------
NOON = datetime.datetime(2026, 11, 2, 12, tzinfo=datetime.UTC)
HOUR = datetime.timedelta(hours=1)


def log_entries(count: int, *, inbound: bool) -> list[LogEntry]:
    """One entry a minute, from noon on."""
    ours, theirs = "33937000001", SENDER
    sender, recipient = (theirs, ours) if inbound else (ours, theirs)
    kind = "in" if inbound else "out"
    return [
        LogEntry(f"{kind}-{n}", inbound, sender, recipient, NOON + datetime.timedelta(minutes=n), units=n % 3 + 1)
        for n in range(count)
    ]


@pytest.fixture
def logged(case: Case, settings: Any) -> Iterator[tuple[LogContract, Any]]:
    """The provider's part for its log, and a server with 50 entries a direction; skipped where there is no log."""
    assert (case.provider.log is None) == (case.contract.log is None)
    if case.contract.log is None:
        pytest.skip("a provider without a log")
    with case.contract.carrier(settings) as carrier:
        case.contract.log.write(carrier, log_entries(50, inbound=True))
        case.contract.log.write(carrier, log_entries(50, inbound=False))
        yield case.contract.log, carrier


def read_log(case: Case, query: LogQuery, secret: str = SECRET) -> list[LogEntry]:
    """The whole listing, as a caller walks through it."""
    found: list[LogEntry] = []
    cursor: str | None = ""
    while cursor is not None:
        page = case.provider.read_log(query, case.contract.credentials(secret, ""), cursor)
        found += page.entries
        cursor = page.next
    return found


@pytest.mark.parametrize("inbound", [True, False])
@pytest.mark.parametrize(("first", "last"), [(0, 49), (10, 29), (10, 10), (-30, -10), (5, 44), (40, 90)])
def test_its_log_shows_all_of_one_direction_from_and_until(
    case: Case, logged: tuple[LogContract, Any], first: int, last: int, inbound: bool
) -> None:
    minute = datetime.timedelta(minutes=1)
    found = read_log(case, LogQuery(NOON + first * minute, NOON + last * minute, inbound))
    wanted = [entry for n, entry in enumerate(log_entries(50, inbound=inbound)) if first <= n <= last]
    assert sorted((e.id, e.inbound, e.sender, e.recipient, e.at, e.units) for e in found) == sorted(
        (e.id, e.inbound, e.sender, e.recipient, e.at, e.units) for e in wanted
    )
    assert all(entry.cost is not None and entry.status is not None for entry in found)


def test_a_log_that_cannot_be_read_never_looks_like_a_whole_one(case: Case, logged: tuple[LogContract, Any]) -> None:
    contract, carrier = logged
    query = LogQuery(NOON, NOON + HOUR, inbound=False)
    credentials = case.contract.credentials(SECRET, "")
    whole = case.provider.read_log(query, credentials)
    assert len(whole.entries) == contract.page
    for fault in contract.faults:
        for cursor in ("", whole.next):
            assert cursor is not None
            carrier.script_log(fault)
            with pytest.raises(Unavailable) as raised:
                case.provider.read_log(query, credentials, cursor)
            assert raised.value.retry_after is None, fault
            assert 0 < len(str(raised.value)) <= 60
            assert not any(secret in str(raised.value) for secret in (SECRET, SENDER, "33937000001"))
    carrier.script_log(contract.wait)
    with pytest.raises(Unavailable) as raised:
        case.provider.read_log(query, credentials)
    assert raised.value.retry_after == 7
    assert case.provider.read_log(query, credentials) == whole


# --- its numbers ------------------------------------------------------------------------------------------------------
NUMBER = "+33937000001"


def test_only_a_provider_that_can_detach_a_number_says_so(case: Case) -> None:
    assert case.provider.detachable == (case.contract.numbers is not None)
    if not case.provider.detachable:
        credentials = case.contract.credentials(SECRET, "")
        for call in (
            lambda: case.provider.application(NUMBER, credentials),
            lambda: case.provider.attach(NUMBER, "", credentials),
        ):
            with pytest.raises(Unavailable):
                call()


def test_a_number_is_detached_and_attached_again_however_often_it_is_said(case: Case, settings: Any) -> None:
    if case.contract.numbers is None:
        pytest.skip("a provider that cannot detach a number")
    home, credentials = case.contract.numbers.application, case.contract.credentials(SECRET, "")
    with case.contract.carrier(settings):
        assert case.provider.application(NUMBER, credentials) == home
        for application in ("", "", home, home, ""):
            case.provider.attach(NUMBER, application, credentials)
            assert case.provider.application(NUMBER, credentials) == application
        assert case.provider.application("+33937000002", credentials) == home
        http.client().close()


def test_what_a_provider_did_not_agree_to_is_never_taken_for_done(case: Case, settings: Any) -> None:
    contract, credentials = case.contract.numbers, case.contract.credentials(SECRET, "")
    if contract is None:
        pytest.skip("a provider that cannot detach a number")
    calls: list[Callable[[], object]] = [
        lambda: case.provider.application(NUMBER, credentials),
        lambda: case.provider.attach(NUMBER, "", credentials),
    ]
    with case.contract.carrier(settings) as carrier:
        for told, retry_after in [*((fault, None) for fault in contract.faults), (contract.wait, 7)]:
            for call in calls:
                contract.script(carrier, told)
                with pytest.raises(Unavailable) as raised:
                    call()
                assert raised.value.retry_after == retry_after, told
                assert 0 < len(str(raised.value)) <= 60
                assert SECRET not in str(raised.value)
        assert case.provider.application(NUMBER, credentials) == contract.application
        contract.script(carrier, contract.done)
        with pytest.raises(Unavailable):
            case.provider.attach(NUMBER, "", credentials)
        assert case.provider.application(NUMBER, credentials) == ""
        http.client().close()
