"""The verdict, from what was sent to us and what left us, as the two other parties wrote it down. Pure.

`deliveries` is the load generator's ledger and `sent` the fake Plivo's; `stored` are the provider's ids that the
database holds. No counter, state or decision of ours is asked, so none can cover up for another.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from tests.acceptance.plan import Expected, Line, Plan, Role

#: A reply whose claim was committed before the STOP may still be on its way: one call lasts this many seconds at most.
IN_FLIGHT_SECONDS = 6.0


@dataclass(frozen=True)
class Delivery:
    """One HTTP request. `status` is 0 where no answer came; moments are seconds since the epoch."""

    message: str
    status: int
    ended: float
    port: int = 0
    copy: int = 0


@dataclass(frozen=True)
class Sent:
    """One message that the provider accepted from us. `url` names the reply it reports on."""

    source: str
    recipient: str
    text: str
    url: str
    at: float
    complaints: Sequence[str] = ()

    @property
    def pair(self) -> tuple[str, str]:
        return self.source, self.recipient


@dataclass
class Verdict:
    """`violations` by what was broken; `figures` for the table."""

    violations: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    figures: dict[str, int] = field(default_factory=dict)

    @property
    def passed(self) -> bool:
        return not any(self.violations.values())

    def count(self, kind: str) -> int:
        return len(self.violations.get(kind, ()))


#: Everything that can be broken, in the order of the table.
KINDS = (
    "lost message",
    "stored without being sent",
    "forgery accepted",
    "message never accepted",
    "second reply to one message",
    "over the limit",
    "reply to one who must hear nothing",
    "reply after STOP",
    "wrong language or text",
    "reply to nobody's message",
    "missing reply",
    "request the provider complained about",
)


def judge(
    plan: Plan,
    lines: Sequence[Line],
    deliveries: Iterable[Delivery],
    sent: Sequence[Sent],
    stored: Collection[str],
    *,
    stuck: int = 0,
) -> Verdict:
    """Judge a finished run. `stuck` conversations may lack replies: killed processes left one of unknown outcome."""
    verdict = Verdict()
    by_message: dict[str, list[Delivery]] = defaultdict(list)
    for delivery in deliveries:
        by_message[delivery.message].append(delivery)
    _judge_messages(verdict, plan, by_message, stored)
    by_pair: dict[tuple[str, str], list[Sent]] = defaultdict(list)
    for item in sent:
        by_pair[item.pair].append(item)
        if item.complaints:
            verdict.violations["request the provider complained about"].append(f"{item.url}: {item.complaints}")
    _judge_repeats(verdict, sent)
    numbered = {line.number.removeprefix("+"): line for line in lines}
    missing = 0
    for pair, expected in plan.expected.items():
        missing += _judge_pair(verdict, numbered[pair[0]], pair, expected, by_pair.pop(pair, []))
    if missing <= stuck:
        verdict.violations.pop("missing reply", None)
    for pair, items in by_pair.items():
        verdict.violations["reply to nobody's message"].append(f"{pair}: {len(items)}")
    _judge_stops(verdict, plan, by_message, sent)
    verdict.figures |= {"replies": len(sent), "senders without all their replies": missing, "allowed of these": stuck}
    return verdict


def _judge_messages(
    verdict: Verdict, plan: Plan, by_message: Mapping[str, Sequence[Delivery]], stored: Collection[str]
) -> None:
    planned = {message.id for message in plan.messages}
    forged = {message.id for message in plan.forged}
    accepted = {
        message for message, tries in by_message.items() if any(200 <= delivery.status < 300 for delivery in tries)
    }
    found = verdict.violations
    found["lost message"] += sorted((accepted & planned) - set(stored))
    found["stored without being sent"] += sorted(set(stored) - planned)
    found["forgery accepted"] += sorted(accepted & forged)
    found["message never accepted"] += sorted(planned - accepted)
    requests = sum(len(tries) for tries in by_message.values())
    verdict.figures |= {
        "messages": len(planned),
        "requests": requests,
        "requests beyond the first of each message": requests - len(by_message),
        "requests without an answer": sum(not d.status for tries in by_message.values() for d in tries),
        "messages accepted": len(accepted & planned),
        "messages stored": len(set(stored) & planned),
    }


def _judge_repeats(verdict: Verdict, sent: Sequence[Sent]) -> None:
    """The report's address names one reply: two accepted messages with the same one are a reply sent twice."""
    for url, times in Counter(item.url for item in sent).items():
        if times > 1:
            verdict.violations["second reply to one message"].append(f"{url} was sent {times} times")


def _judge_pair(verdict: Verdict, line: Line, pair: tuple[str, str], expected: Expected, items: Sequence[Sent]) -> int:
    """Judge one sender on one hotline; returns 1 where he lacks replies."""
    found, who = verdict.violations, f"{pair[1]} on {line.name} ({expected.role.value})"
    if len(items) > line.limit:
        found["over the limit"].append(f"{who}: {len(items)} of {line.limit}")
    if expected.most == 0 and items:
        found["reply to one who must hear nothing"].append(f"{who}: {len(items)}")
    elif expected.role is Role.FEW and len(items) > expected.most:
        found["second reply to one message"].append(f"{who}: {len(items)} replies to {expected.most} messages")
    elif len(items) > expected.most:
        found["over the limit"].append(f"{who}: {len(items)}, expected {expected.most}")
    steps: Counter[int] = Counter()
    for item in items:
        language, step = line.texts.get(item.text, ("none of the hotline's texts", 0))
        steps[step] += 1
        if language != expected.language:
            found["wrong language or text"].append(f"{who}: {language} instead of {expected.language}")
    for step, times in steps.items():
        if times > 1 and step:
            found["second reply to one message"].append(f"{who}: step {step} came {times} times")
    if len(items) < expected.least:
        found["missing reply"].append(f"{who}: {len(items)} of {expected.least}")
        return 1
    return 0


def _judge_stops(
    verdict: Verdict, plan: Plan, by_message: Mapping[str, Sequence[Delivery]], sent: Sequence[Sent]
) -> None:
    """Nothing reaches the provider once a STOP was acknowledged, but for what was on its way already."""
    stops = {
        (message.line.number.removeprefix("+"), message.sender): message
        for message in plan.messages
        if message.text.strip(" !").casefold() in {"stop", "arret", "arrêt"}
    }
    for item in sent:
        stop = stops.get(item.pair)
        answered = [d.ended for d in by_message.get(stop.id, ()) if 200 <= d.status < 300] if stop else []
        if answered and item.at > min(answered) + IN_FLIGHT_SECONDS:
            verdict.violations["reply after STOP"].append(f"{item.pair}: {item.at - min(answered):.1f} s later")


def table(verdict: Verdict, seconds: float) -> str:
    lines = [f"{number:>7}  {name}" for name, number in verdict.figures.items()]
    lines += [f"{seconds:7.0f}  seconds", ""]
    lines += [f"{verdict.count(kind):>7}  {kind}" for kind in KINDS]
    for kind in KINDS:
        lines += [f"    {kind}: {example}" for example in verdict.violations.get(kind, [])[:5]]
    return "\n".join([*lines, "", "PASSED" if verdict.passed else "FAILED"])
