"""The verdict must be able to fail: a run in which all is well passes, and each thing that can be broken is found."""

from __future__ import annotations

import dataclasses
import json
import uuid
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests import doc_pages
from tests.chaos import evidence, plan, report, verdict
from tests.chaos.evidence import Call, Evidence, MessageRow, Outage, ReplyRow
from tests.chaos.generator import Attempt
from tests.chaos.plan import Kind, Sms


def well(messages: int = 400, seed: int = 1, rate: float = 200.0) -> Evidence:
    """A run in which everything went as it should: one call in twenty met a fault, and what it refused came again."""
    wanted = plan.make(messages, seed)
    found = Evidence(wanted, [], [], [], [], drained=messages / rate + 5)
    attempts: list[Attempt] = []
    calls: list[Call] = []
    replies: list[ReplyRow] = []
    steps: dict[plan.Pair, int] = {}
    for number, sms in enumerate(wanted.messages):
        start = number / rate
        attempts.append(Attempt(sms.id, 0, number % 2, start, start + 0.05, 200, 1))
        if number % 6 == 0:
            attempts.append(Attempt(sms.id, 1, 1, start + 1, start + 1.05, 200, 1))
        step = steps.get(sms.pair, 0) + 1
        if sms.stop or step > wanted.expected[sms.pair].least:
            continue
        steps[sms.pair] = step
        row = ReplyRow(uuid.UUID(int=number).hex, sms.id, sms.pair[0], step, "sent", 1, f"id-{number}", "")
        call = Call(start + 0.5, "202", True, row.provider_id, *sms.pair, text_of(sms, step), row.uuid)
        if len(replies) % 17 == 0:
            calls.append(dataclasses.replace(call, behaviour="429", accepted=False, provider_id=""))
        calls.append(call)
        replies.append(row)
    found.attempts, found.calls, found.replies = attempts, calls, replies
    found.messages = [MessageRow(sms.id, sms.pair[0], "answered") for sms in wanted.messages]
    return found


def text_of(sms: Sms, step: int) -> str:
    return plan.line_of(sms.pair).text("fr", step)


def of(run: Evidence, kind: Kind) -> Sms:
    return next(sms for sms in run.plan.messages if run.plan.expected[sms.pair].kind is kind)


def judged(run: Evidence, *, timed: bool = True) -> dict[str, int]:
    found = verdict.judge(run, timed=timed)
    return {kind: len(examples) for kind, examples in found.violations.items() if examples}


@settings(deadline=None, max_examples=15)
@given(st.integers(200, 900), st.integers(0, 1000))
def test_a_run_in_which_all_is_well_passes(messages: int, seed: int) -> None:
    run = well(messages, seed)
    assert judged(run) == {}
    found = verdict.judge(run)
    assert found.figures["distinct messages"] == found.figures["of these stored"] == str(messages)
    assert found.figures["of these resolved"].endswith("(100.00%)")


def without(rows: Sequence[object], row: object) -> list[object]:
    return [other for other in rows if other != row]


def change_call(run: Evidence, call: Call, **changes: object) -> None:
    run.calls = [dataclasses.replace(other, **changes) if other == call else other for other in run.calls]  # type: ignore[arg-type]


def change_reply(run: Evidence, row: ReplyRow, **changes: object) -> None:
    run.replies = [dataclasses.replace(other, **changes) if other == row else other for other in run.replies]  # type: ignore[arg-type]


def sent_row(run: Evidence) -> tuple[ReplyRow, Call]:
    """Any reply but those with a call that was refused before."""
    for row in run.replies:
        calls = [call for call in run.calls if call.reply == row.uuid]
        if len(calls) == 1:
            return row, calls[0]
    raise AssertionError


def lose(run: Evidence) -> None:
    run.messages = run.messages[:-1]


def store_on_another_hotline(run: Evidence) -> None:
    first = run.messages[0]
    other = next(row.source for row in run.messages if row.source != first.source)
    run.messages = [dataclasses.replace(first, source=other), *run.messages[1:]]


def store_twice(run: Evidence) -> None:
    run.messages = [*run.messages, run.messages[5]]


def invent(run: Evidence) -> None:
    run.messages = [*run.messages, MessageRow("of nobody", run.messages[0].source, "answered")]


def never_accept(run: Evidence) -> None:
    refused = of(run, Kind.STOP)
    run.attempts = [
        dataclasses.replace(attempt, status=503) if attempt.message == refused.id else attempt
        for attempt in run.attempts
    ]


def send_twice(run: Evidence) -> None:
    """Within the limit, so that only the repetition shows."""
    pairs = {pair for pair, expected in run.plan.expected.items() if expected.most < expected.limit}
    call = next(call for call in run.calls if call.accepted and (call.source, call.recipient) in pairs)
    run.calls = [*run.calls, dataclasses.replace(call, at=call.at + 5, provider_id="again")]


def send_one_slot_under_two_names(run: Evidence) -> None:
    """Two replies of one sender with the same text."""
    pair = next(pair for pair, expected in run.plan.expected.items() if expected.most >= 2 and expected.least >= 2)
    first, second = [call for call in run.calls if call.accepted and (call.source, call.recipient) == pair][:2]
    change_call(run, second, text=first.text)


def pass_the_limit(run: Evidence) -> None:
    pair = next(
        pair for pair, expected in run.plan.expected.items() if expected.limit == expected.least and expected.limit > 1
    )
    last = [call for call in run.calls if (call.source, call.recipient) == pair][-1]
    run.calls = [*run.calls, dataclasses.replace(last, text="one more", reply="beyond", provider_id="beyond")]


def answer_a_copy(run: Evidence) -> None:
    """One text, two replies, and both within the limit."""
    sms = of(run, Kind.ONCE)
    call = next(call for call in run.calls if call.accepted and call.recipient == sms.pair[1])
    run.calls = [*run.calls, dataclasses.replace(call, text=text_of(sms, 2), reply="second", provider_id="second")]


def answer_a_stranger(run: Evidence) -> None:
    run.calls = [*run.calls, dataclasses.replace(run.calls[-1], recipient="33600000000", reply="x", provider_id="x")]


def keep_a_reply_back(run: Evidence) -> None:
    row, call = sent_row(run)
    run.calls = [other for other in run.calls if other != call]
    change_reply(run, row, state="released", provider_id="")


def decide_nothing(run: Evidence) -> None:
    row, call = sent_row(run)
    run.calls = [other for other in run.calls if other != call]
    run.replies = [other for other in run.replies if other != row]


def fail_without_a_reason(run: Evidence) -> None:
    row, call = sent_row(run)
    run.calls = [other for other in run.calls if other != call]
    change_reply(run, row, state="failed", provider_id="")


def fail_after_a_refusal_for_now(run: Evidence) -> None:
    row, call = sent_row(run)
    change_call(run, call, behaviour="429", accepted=False, provider_id="")
    change_reply(run, row, state="failed", provider_id="")


def leave_unknown(run: Evidence) -> None:
    for _ in range(verdict.SOME_UNKNOWN + 1):
        row, call = sent_row(run)
        run.calls = [other for other in run.calls if other != call]
        change_reply(run, row, state="unknown", provider_id="")


def claim_it_was_sent(run: Evidence) -> None:
    _row, call = sent_row(run)
    change_call(run, call, behaviour="400", accepted=False, provider_id="")


def bear_another_id(run: Evidence) -> None:
    row, _call = sent_row(run)
    change_reply(run, row, provider_id="not this one")


def forget_that_it_was_sent(run: Evidence) -> None:
    row, _call = sent_row(run)
    change_reply(run, row, state="expired", provider_id="")


def stopped(run: Evidence) -> tuple[Sms, float]:
    sms = next(sms for sms in run.plan.messages if sms.stop)
    return sms, verdict.accepted_at(run.attempts)[sms.id]


def answer_after_stop(run: Evidence, seconds: float = verdict.IN_FLIGHT + 1) -> None:
    sms, at = stopped(run)
    call = Call(at + seconds, "202", True, "late", *sms.pair, text_of(sms, 1), "late")
    run.calls = [*run.calls, call]


def send_nonsense(run: Evidence) -> None:
    run.calls = [dataclasses.replace(run.calls[0], complaints=("dst is not one number",)), *run.calls[1:]]


def spare_us(run: Evidence) -> None:
    run.missed_faults = ["nobody reached after-claim"]


def meet_no_full_disk(run: Evidence) -> None:
    run.faults = {verdict.FULL_DISK: 1}


def lose_money(run: Evidence) -> None:
    run.unbalanced = ["+33937000001: 100 millionths and 2 messages counted, 150 and 3 in its replies"]


def end(run: Evidence) -> None:
    run.ended_alone = ["worker 1: 2"]


def deliver_once(run: Evidence) -> None:
    run.attempts = [attempt for attempt in run.attempts if attempt.copy == 0]


def spare_the_calls(run: Evidence) -> None:
    run.calls = [call for call in run.calls if call.behaviour == "202"]


def be_slow(run: Evidence) -> None:
    run.attempts = [
        dataclasses.replace(attempt, end=attempt.end + (1.5 if number % 50 == 0 else 0))
        for number, attempt in enumerate(run.attempts)
    ]


def be_slow_for_all(run: Evidence) -> None:
    run.attempts = [dataclasses.replace(attempt, end=attempt.start + 0.2) for attempt in run.attempts]


def answer_too_late(run: Evidence) -> None:
    first = run.attempts[0]
    run.attempts = [dataclasses.replace(first, end=first.start + 8.01, status=0), first, *run.attempts[1:]]


def take_in_too_few(run: Evidence) -> None:
    run.attempts = [
        dataclasses.replace(attempt, start=attempt.start * 2, end=attempt.start * 2 + 0.05) for attempt in run.attempts
    ]


def drain_for_ever(run: Evidence) -> None:
    run.drained += verdict.DRAIN


@pytest.mark.parametrize(
    ("broken", "kinds"),
    [
        (lose, {verdict.LOST}),
        (store_on_another_hotline, {verdict.LOST, verdict.INVENTED}),
        (store_twice, {verdict.TWICE}),
        (invent, {verdict.INVENTED}),
        (never_accept, {verdict.NEVER}),
        (send_twice, {verdict.SECOND}),
        (send_one_slot_under_two_names, {verdict.SECOND}),
        (pass_the_limit, {verdict.OVER}),
        (answer_a_copy, {verdict.SECOND}),
        (answer_a_stranger, {verdict.NOBODY}),
        (keep_a_reply_back, {verdict.UNRESOLVED}),
        (decide_nothing, {verdict.UNRESOLVED}),
        (fail_without_a_reason, {verdict.UNRESOLVED}),
        (fail_after_a_refusal_for_now, {verdict.UNRESOLVED}),
        (leave_unknown, {verdict.UNKNOWN}),
        (claim_it_was_sent, {verdict.UNTRUE, verdict.UNRESOLVED}),
        (bear_another_id, {verdict.UNTRUE}),
        (forget_that_it_was_sent, {verdict.UNRECORDED}),
        (answer_after_stop, {verdict.AFTER_STOP}),
        (send_nonsense, {verdict.COMPLAINT}),
        (spare_us, {verdict.MISSED}),
        (meet_no_full_disk, {verdict.MISSED}),
        (end, {verdict.ENDED}),
        (lose_money, {verdict.UNBALANCED}),
        (deliver_once, {verdict.MILD}),
        (spare_the_calls, {verdict.MILD}),
        (be_slow, {verdict.SLUGGISH}),
        (be_slow_for_all, {verdict.SLUGGISH}),
        (answer_too_late, {verdict.SLUGGISH}),
        (take_in_too_few, {verdict.SLUGGISH}),
        (drain_for_ever, {verdict.SLUGGISH}),
    ],
)
def test_what_is_broken_is_found(broken: Callable[[Evidence], None], kinds: set[str]) -> None:
    run = well()
    broken(run)
    assert set(judged(run)) == kinds
    found = verdict.judge(run)
    assert not found.passed
    assert kinds <= set(verdict.KINDS)
    assert verdict.table(found).endswith("FAILED")
    if kinds == {verdict.SLUGGISH}:
        assert judged(run, timed=False) == {}


def test_a_refusal_for_good_resolves_a_reply() -> None:
    run = well()
    row, call = sent_row(run)
    change_call(run, call, behaviour="400", accepted=False, provider_id="")
    change_reply(run, row, state="failed", provider_id="")
    assert judged(run) == {}


@pytest.mark.parametrize(("messages", "allowed"), [(400, 2), (16000, 3)])
def test_few_may_be_unknown_and_what_waits_behind_them_counts_with_them(
    messages: int, allowed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(verdict, "SOME_UNKNOWN", 2)
    run = well(messages)
    eligible = sum(expected.least for expected in run.plan.expected.values())
    assert allowed == max(verdict.SOME_UNKNOWN, int(verdict.MOST_UNKNOWN * eligible))
    pair = next(pair for pair, expected in run.plan.expected.items() if expected.least == 5)
    theirs = [call for call in run.calls if call.accepted and (call.source, call.recipient) == pair]
    for number, call in enumerate(theirs, start=1):
        row = next(row for row in run.replies if row.uuid == call.reply)
        run.calls = [other for other in run.calls if other != call]
        change_reply(run, row, state="unknown" if number == 1 else "released", provider_id="")
        assert judged(run) == ({} if number <= allowed else {verdict.UNKNOWN: 1})


def test_a_reply_on_its_way_or_from_the_time_of_an_outage_is_no_reply_after_stop() -> None:
    run = well()
    answer_after_stop(run, verdict.IN_FLIGHT - 1)
    assert judged(run) == {}
    run = well()
    answer_after_stop(run)
    _sms, at = stopped(run)
    run.outages = [Outage(at - 2, at + 3)]
    assert judged(run) == {}


def test_what_happened_in_an_outage_is_shown_beside() -> None:
    run = well()
    run.outages = [Outage(0.5, 1.0)]
    figures = verdict.judge(run).figures
    everything, well_, down = (
        int(figures[name].rpartition("(")[2].split()[0].replace(",", ""))
        for name in (
            "answers, median / 99 % / longest",
            "of these while the database was up",
            "of these in an outage of the database",
        )
    )
    assert everything == well_ + down
    assert down > 0


@settings(deadline=None)
@given(st.lists(st.floats(0, 10), min_size=1, max_size=300))
def test_latencies_are_what_was_measured(seconds: list[float]) -> None:
    found = verdict.latencies(seconds)
    assert {found.median, found.slow, found.longest} <= set(seconds)
    assert found.longest == max(seconds)
    assert sum(second > found.slow for second in seconds) <= 0.01 * len(seconds) + 1
    assert found.median <= found.slow <= found.longest


def test_the_plan_is_what_was_asked_for() -> None:
    wanted = plan.make(3000, 7)
    assert plan.make(3000, 7) == wanted
    assert len({sms.id for sms in wanted.messages}) == len(wanted.messages) == 3000
    assert [sms.at for sms in wanted.messages] == sorted(sms.at for sms in wanted.messages)
    for kind in Kind:
        share = sum(sms.kind is kind for sms in wanted.messages) / 3000
        assert share == pytest.approx(kind.value, abs=0.02)
    assert {pair[0] for pair in wanted.expected} == {line.number.removeprefix("+") for line in plan.LINES}
    assert any(expected.least == expected.limit for expected in wanted.expected.values())
    assert any(sms.stop for sms in wanted.messages)


def test_the_provider_s_ledger_is_read_as_it_was_written(tmp_path: Path) -> None:
    ledger = tmp_path / "plivo.jsonl"
    reply = str(uuid.uuid4())
    url = f"https://hotline.example.org/hooks/plivo/token/report/{reply}/"
    common = {"n": 1, "at": 105.5, "uuid": "id", "account": "MA", "complaints": []}
    entries = [
        {"n": 1, "at": 105.0, "behaviour": "reset-before", "accepted": False},
        common | {"behaviour": "slow", "accepted": True, "src": "1", "dst": "2", "text": "t", "url": url},
    ]
    ledger.write_text("".join(json.dumps(entry) + "\n" for entry in entries) + '{"n": 3, "at"')
    calls, resets = evidence.calls(ledger, began=100.0)
    assert resets == 1
    assert calls == [Call(5.5, "slow", True, "id", "1", "2", "t", reply.replace("-", ""))]


def test_the_page_has_the_command_and_the_figures(tmp_path: Path) -> None:
    page = tmp_path / "reliability.md"
    page.write_text("before\n{}\nold\n{}\nafter\n".format(*doc_pages.marks(report.PART)))
    report.write(page, verdict.judge(well()), ["--messages", "400", "--write", "docs/reliability.md"])
    text = page.read_text()
    assert "`python -m tests.chaos --messages 400`" in text
    assert f"| {verdict.LOST} | 0 |" in text
