"""The verdict, from the two ledgers and the final dump. Pure: no counter of the application is asked."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from tests.chaos.evidence import Call, Evidence, Outage, ReplyRow
from tests.chaos.generator import TIMEOUT, Attempt
from tests.chaos.plan import Expected, Pair

#: Of the eligible replies, how many may be of unknown outcome for good: those that meet a reset twice, because absence
#: is believed once. In a run of a few hundred, one may be, with the four that its sender has waiting behind it, and one
#: more.
MOST_UNKNOWN, SOME_UNKNOWN = 0.001, 6
#: Messages a second, seconds of an answer, seconds until everything is sent after the load (SECURITY.md 2.7).
LEAST_RATE, MEDIAN, SLOW, LONGEST, DRAIN = 150.0, 0.1, 1.0, 8.0, 300.0
#: Of all messages, how many are delivered again; of all calls, how many meet a fault of the provider.
LEAST_AGAIN, LEAST_FAULTS = 0.10, 0.045
#: A reply claimed before its sender's STOP was stored may still be on its way.
IN_FLIGHT = 10.0
#: After an outage the messages that waited on disk come into the database, STOPs among them.
CATCH_UP = 30.0
_REFUSED = frozenset({"400"})
_WAITING = frozenset({"pending", "released"})

LOST, TWICE, INVENTED, NEVER = "acked but not stored", "stored twice", "stored, never delivered", "never accepted"
SECOND, OVER, NOBODY = "second reply to one message", "over the limit", "reply to nobody's message"
AFTER_STOP, UNRESOLVED = "reply after STOP", "eligible reply not resolved"
UNKNOWN = "unknown for good, beyond the share allowed"
UNTRUE, UNRECORDED = "recorded as sent, never accepted", "accepted, not recorded as sent"
#: What `Evidence.faults` calls the disk without room, which must have been met.
FULL_DISK = "disk of a web process full"
COMPLAINT, MISSED, ENDED = "request the provider complained about", "fault that never happened", "ended by itself"
UNBALANCED = "budget that is not the sum of its replies"
SLUGGISH, MILD = "too slow", "too few faults or redeliveries"
KINDS = (
    *(LOST, TWICE, INVENTED, NEVER, SECOND, OVER, NOBODY, AFTER_STOP, UNRESOLVED, UNKNOWN, UNTRUE, UNRECORDED),
    *(UNBALANCED, COMPLAINT, MISSED, ENDED, MILD, SLUGGISH),
)


@dataclass
class Verdict:
    """`violations` by what was broken, with their evidence; `figures` for the table, in its order."""

    violations: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    figures: dict[str, str] = field(default_factory=dict)

    @property
    def passed(self) -> bool:
        return not any(self.violations.values())

    def count(self, kind: str) -> int:
        return len(self.violations.get(kind, ()))


def judge(evidence: Evidence, *, timed: bool = True) -> Verdict:
    """Judge a finished run. Without `timed`, times are shown and not judged: a busy machine is no fault of ours."""
    verdict = Verdict()
    _judge_messages(verdict, evidence)
    _judge_calls(verdict, evidence)
    _judge_replies(verdict, evidence)
    _judge_stops(verdict, evidence)
    _judge_run(verdict, evidence)
    _judge_times(verdict, evidence, timed=timed)
    return verdict


def accepted_at(attempts: Iterable[Attempt]) -> dict[str, float]:
    """When each message was accepted first."""
    found: dict[str, float] = {}
    for attempt in attempts:
        if 200 <= attempt.status < 300:
            found[attempt.message] = min(attempt.end, found.get(attempt.message, attempt.end))
    return found


def _judge_messages(verdict: Verdict, evidence: Evidence) -> None:
    planned = {sms.id: sms.pair for sms in evidence.plan.messages}
    accepted = accepted_at(evidence.attempts)
    stored = Counter((row.id, row.source) for row in evidence.messages)
    by_message = _by_message(evidence.attempts)
    for message in planned.keys() - accepted.keys():
        verdict.violations[NEVER].append(f"{message}: {_told(by_message.get(message, ()))}")
    for message in accepted:
        if (message, planned[message][0]) not in stored:
            verdict.violations[LOST].append(f"{message}: {_told(by_message[message])}")
    delivered = {(message, planned[message][0]) for message in by_message}
    for (message, source), times in stored.items():
        if times > 1:
            verdict.violations[TWICE].append(f"{message} on {source}: {times} rows")
        if (message, source) not in delivered:
            verdict.violations[INVENTED].append(f"{message} on {source}")
    again = sum(len(tries) > 1 for tries in by_message.values())
    both = sum((message, planned[message][0]) in stored for message in accepted)
    verdict.figures |= {
        "distinct messages": f"{len(planned):,}",
        "of these accepted by us": f"{len(accepted):,}",
        "of these stored": f"{both:,}",
        "messages delivered more than once": f"{again:,} ({again / len(planned):.1%})",
        "requests": f"{len(evidence.attempts):,}",
        "requests without an answer": f"{sum(not attempt.status for attempt in evidence.attempts):,}",
        "requests answered 503": f"{sum(attempt.status == 503 for attempt in evidence.attempts):,}",
    }
    if again < LEAST_AGAIN * len(planned):
        verdict.violations[MILD].append(f"only {again} messages came more than once")


def _by_message(attempts: Iterable[Attempt]) -> dict[str, list[Attempt]]:
    found: dict[str, list[Attempt]] = defaultdict(list)
    for attempt in attempts:
        found[attempt.message].append(attempt)
    return found


def _told(attempts: Iterable[Attempt]) -> str:
    """The load generator's lines on one message."""
    return ", ".join(f"copy {a.copy} to web {a.web} at {a.start:.2f}-{a.end:.2f} s: {a.status}" for a in attempts)


def _judge_calls(verdict: Verdict, evidence: Evidence) -> None:
    """The provider's ledger by itself: nothing twice, nobody over his limit, nothing to strangers."""
    accepted = [call for call in evidence.calls if call.accepted]
    found = verdict.violations
    by_reply: dict[str, list[Call]] = defaultdict(list)
    by_slot: dict[tuple[str, str, str], list[Call]] = defaultdict(list)
    by_pair: Counter[Pair] = Counter()
    for call in accepted:
        by_reply[call.reply].append(call)
        by_slot[call.source, call.recipient, call.text].append(call)
        by_pair[call.source, call.recipient] += 1
    rows = {row.uuid: row for row in evidence.replies}
    twice = [calls for calls in by_reply.values() if len(calls) > 1]
    # The same text to the same number under two uuids: a second reply for one slot.
    twice += [calls for calls in by_slot.values() if len({call.reply for call in calls}) > 1]
    found[SECOND] += [f"{_said(calls)}; row {rows.get(calls[0].reply)}" for calls in twice]
    for pair, times in by_pair.items():
        expected = evidence.plan.expected.get(pair)
        if expected is None:
            found[NOBODY].append(f"{pair}: {times}")
        elif times > expected.limit:
            found[OVER].append(f"{pair}: {times} of {expected.limit}")
        elif times > expected.most:
            found[SECOND].append(f"{pair}: {times} replies to {expected.most} messages")
    found[COMPLAINT] += [f"{call.reply}: {call.complaints}" for call in evidence.calls if call.complaints]
    faults = Counter(call.behaviour for call in evidence.calls if call.behaviour != "202")
    faults["reset-before"] += evidence.resets
    requests = len(evidence.calls) + evidence.resets
    share = faults.total() / max(1, requests)
    named = ", ".join(f"{name} {times}" for name, times in sorted(faults.items()))
    verdict.figures |= {
        "calls to the provider": f"{requests:,}",
        "of these accepted": f"{len(accepted):,}",
        "calls that met a fault of the provider": f"{faults.total():,} ({share:.1%}): {named}",
    }
    # Of a few hundred calls chance may spare many.
    if not faults.total() or (requests > 2000 and share < LEAST_FAULTS * 0.9):
        found[MILD].append(f"only {share:.1%} of the calls met a fault of the provider")


def _said(calls: Iterable[Call]) -> str:
    """The provider's lines on some calls."""
    return "; ".join(
        f"{c.at:.2f} s {c.behaviour}{'+' if c.accepted else '-'} {c.source}>{c.recipient} {c.text!r} reply {c.reply}"
        for c in calls
    )


def _judge_replies(verdict: Verdict, evidence: Evidence) -> None:
    """Every eligible reply is sent, or refused for good by the provider; some few are unknown."""
    calls: dict[str, list[Call]] = defaultdict(list)
    for call in evidence.calls:
        calls[call.reply].append(call)
    rows: dict[Pair, list[ReplyRow]] = defaultdict(list)
    pair_of = {sms.id: sms.pair for sms in evidence.plan.messages}
    found, states = verdict.violations, Counter(row.state for row in evidence.replies)
    for row in evidence.replies:
        rows[pair_of.get(row.message, ("", ""))].append(row)
        sent = [call for call in calls[row.uuid] if call.accepted]
        if row.state == "sent" and not any(call.provider_id == row.provider_id for call in sent):
            found[UNTRUE].append(f"{row}; {_said(calls[row.uuid])}")
        if sent and row.state not in {"sent", "unknown", "unknown_final", "claimed"}:
            found[UNRECORDED].append(f"{row}; {_said(calls[row.uuid])}")
    eligible, resolved, unknown = 0, 0, 0
    for pair, expected in evidence.plan.expected.items():
        done, doubtful = _resolved(verdict, pair, expected, rows[pair], calls)
        eligible += expected.least
        resolved += min(done, expected.least)
        unknown += doubtful
    if unknown > max(SOME_UNKNOWN, MOST_UNKNOWN * eligible):
        left = [row for row in evidence.replies if row.state in {"unknown", "unknown_final", "claimed"}]
        found[UNKNOWN] += [f"{row}; {_said(calls[row.uuid])}" for row in left]
    verdict.figures |= {
        "eligible replies": f"{eligible:,}",
        "of these resolved": f"{resolved:,} ({resolved / max(1, eligible):.2%})",
        "unknown for good": f"{unknown:,} ({unknown / max(1, eligible):.2%})",
        "states of all replies": ", ".join(f"{state} {count:,}" for state, count in sorted(states.items())),
    }


def _resolved(
    verdict: Verdict, pair: Pair, expected: Expected, rows: Sequence[ReplyRow], calls: dict[str, list[Call]]
) -> tuple[int, int]:
    """How many of a sender's replies are resolved, and how many are unknown or wait behind one that is."""
    done, doubtful = 0, 0
    open_rows: list[ReplyRow] = []
    for row in rows:
        made = calls[row.uuid]
        refused = row.state == "failed" and bool(made) and made[-1].behaviour in _REFUSED
        if refused or any(call.accepted for call in made):
            done += 1
        elif row.state in {"unknown", "unknown_final"}:
            done, doubtful = done + 1, doubtful + 1
        else:
            open_rows.append(row)
    waiting = sum(row.state in _WAITING for row in open_rows) if doubtful else 0
    done, doubtful = done + waiting, doubtful + waiting
    if done < expected.least:
        told = "; ".join(f"{row} {_said(calls[row.uuid])}" for row in open_rows) or "no row was written"
        verdict.violations[UNRESOLVED].append(f"{pair} {expected.kind.name}: {done} of {expected.least}: {told}")
    return done, doubtful


def _judge_stops(verdict: Verdict, evidence: Evidence) -> None:
    """Nothing is sent once a STOP was acknowledged, but for what was on its way, or while STOPs waited on disk."""
    accepted = accepted_at(evidence.attempts)
    stops = {sms.pair: accepted[sms.id] for sms in evidence.plan.messages if sms.stop and sms.id in accepted}
    for call in evidence.calls:
        since = stops.get((call.source, call.recipient))
        if since is None or not call.accepted or call.at <= since + IN_FLIGHT:
            continue
        if not any(outage.start - 1 <= call.at and since <= outage.end + CATCH_UP for outage in evidence.outages):
            verdict.violations[AFTER_STOP].append(f"{call.at - since:.1f} s later: {_said([call])}")


def _judge_run(verdict: Verdict, evidence: Evidence) -> None:
    full = evidence.faults.get(FULL_DISK)
    if full and not any(attempt.status == 503 for attempt in evidence.attempts):
        verdict.violations[MISSED].append("no request met the full disk")
    verdict.violations[UNBALANCED] += list(evidence.unbalanced)
    verdict.violations[MISSED] += list(evidence.missed_faults)
    verdict.violations[ENDED] += list(evidence.ended_alone)
    verdict.figures |= {name: f"{times:,}" for name, times in sorted(evidence.faults.items())}


# --- times ----------------------------------------------------------------------------------------------------------
@dataclass(frozen=True)
class Latencies:
    """Seconds of the requests that were answered."""

    count: int
    median: float
    slow: float
    longest: float

    def __str__(self) -> str:
        shown = (self.median * 1000, self.slow * 1000, self.longest * 1000)
        return "{:.0f} / {:.0f} / {:.0f} ms".format(*shown) + f" ({self.count:,} requests)"


def latencies(seconds: Iterable[float]) -> Latencies:
    """Median, the one that 99 % do not exceed, and the longest; each by its rank, without interpolation."""
    ordered = sorted(seconds)
    if not ordered:
        return Latencies(0, 0.0, 0.0, 0.0)
    last = len(ordered) - 1
    return Latencies(len(ordered), ordered[last // 2], ordered[round(0.99 * last)], ordered[last])


def _judge_times(verdict: Verdict, evidence: Evidence, *, timed: bool) -> None:
    first = [attempt.start for attempt in evidence.attempts if attempt.copy == 0 and attempt.try_number == 1]
    load = max(first, default=0.0)
    accepted = accepted_at(evidence.attempts)
    rate = sum(at <= load for at in accepted.values()) / load if load else 0.0
    answered = [attempt for attempt in evidence.attempts if attempt.status and attempt.start <= load]
    everything = latencies(attempt.end - attempt.start for attempt in answered)
    down = latencies(a.end - a.start for a in answered if _meets(a, evidence.outages))
    well = latencies(a.end - a.start for a in answered if not _meets(a, evidence.outages))
    late = sum(not a.status and a.end - a.start >= TIMEOUT for a in evidence.attempts)
    drain = evidence.drained - load
    verdict.figures |= {
        "seconds of load": f"{load:.0f}",
        "messages accepted per second of load": f"{rate:.0f}",
        "answers, median / 99 % / longest": str(everything),
        "of these while the database was up": str(well),
        "of these in an outage of the database": str(down),
        "requests given up after 8 s": f"{late:,}",
        "seconds without the database": f"{sum(o.end - o.start for o in evidence.outages):.0f}",
        "seconds until all was sent, after the load": f"{max(0.0, drain):.0f}",
    }
    if not timed:
        return
    judged = (
        (rate >= LEAST_RATE, f"{rate:.0f} messages a second, at least {LEAST_RATE:.0f} are wanted"),
        (everything.median <= MEDIAN, f"the median answer took {everything.median * 1000:.0f} ms"),
        (everything.slow <= SLOW, f"99 % of the answers took up to {everything.slow * 1000:.0f} ms"),
        (everything.longest <= LONGEST and not late, f"{everything.longest:.1f} s, and {late} requests without end"),
        (drain <= DRAIN, f"{drain:.0f} s until all was sent"),
    )
    verdict.violations[SLUGGISH] += [said for well_enough, said in judged if not well_enough]


def _meets(attempt: Attempt, outages: Sequence[Outage]) -> bool:
    return any(attempt.start <= outage.end and outage.start <= attempt.end for outage in outages)


def table(verdict: Verdict) -> str:
    """For a terminal: figures, what was broken and how often, and the evidence of the first of each."""
    width = max(map(len, verdict.figures))
    lines = [f"{name:<{width}}  {value}" for name, value in verdict.figures.items()]
    lines += ["", *(f"{verdict.count(kind):>7}  {kind}" for kind in KINDS)]
    for kind in KINDS:
        lines += [f"    {kind}: {example}" for example in verdict.violations.get(kind, [])[:5]]
    return "\n".join([*lines, "", "PASSED" if verdict.passed else "FAILED"])
