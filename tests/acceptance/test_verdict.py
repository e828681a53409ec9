"""The verdict must be able to fail: a run in which all is well passes, and each thing that can be broken is found."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.acceptance import plan, verdict
from tests.acceptance.plan import Role
from tests.acceptance.verdict import Delivery, Sent


@dataclasses.dataclass
class Ledgers:
    """What the parties wrote down about one run."""

    plan: plan.Plan
    deliveries: list[Delivery]
    sent: list[Sent]
    stored: list[str]
    stuck: int = 0

    def judge(self) -> verdict.Verdict:
        return verdict.judge(self.plan, plan.LINES, self.deliveries, self.sent, self.stored, stuck=self.stuck)

    def pair_of(self, role: Role) -> tuple[str, str]:
        return next(pair for pair, expected in self.plan.expected.items() if expected.role is role)

    def of(self, role: Role) -> list[Sent]:
        pair = self.pair_of(role)
        return [item for item in self.sent if item.pair == pair]

    def reply(self, role: Role, language: str, step: int, at: float = 2.0) -> Sent:
        source, recipient = self.pair_of(role)
        line = next(line for line in plan.LINES if line.number == f"+{source}")
        return Sent(source, recipient, line.text(language, step), f"https://example.org/{len(self.sent)}/", at)


def well(senders: int = 20, each: int = 8, seed: int = 1) -> Ledgers:
    """A run in which everything went as it should."""
    wanted = plan.make(senders, each, seed)
    deliveries = [
        Delivery(message.id, 200, 1.0 + copy, copy=copy)
        for message in wanted.messages
        for copy in range(message.copies + 1)
    ]
    deliveries += [Delivery(message.id, 403, 1.0) for message in wanted.forged]
    found = Ledgers(wanted, deliveries, [], [message.id for message in wanted.messages])
    for (source, recipient), expected in wanted.expected.items():
        line = next(line for line in plan.LINES if line.number == f"+{source}")
        for step in range(1, expected.most + 1):
            url = f"https://example.org/{len(found.sent)}/"
            found.sent.append(Sent(source, recipient, line.text(expected.language, step), url, 2.0))
    return found


@settings(deadline=None, max_examples=20)
@given(st.integers(20, 60), st.integers(6, 20), st.integers(0, 1000))
def test_a_run_in_which_all_is_well_passes(senders: int, each: int, seed: int) -> None:
    found = well(senders, each, seed).judge()
    assert found.passed, dict(found.violations)
    assert found.figures["messages accepted"] == found.figures["messages stored"] == found.figures["messages"]
    assert found.figures["senders without all their replies"] == 0


def lose(run: Ledgers) -> None:
    run.stored.pop()


def invent(run: Ledgers) -> None:
    run.stored.append("of nobody")


def let_a_forgery_in(run: Ledgers) -> None:
    run.deliveries.append(Delivery(run.plan.forged[0].id, 200, 1.0))


def refuse(run: Ledgers) -> None:
    refused = run.plan.messages[0].id
    run.deliveries = [
        dataclasses.replace(delivery, status=503) if delivery.message == refused else delivery
        for delivery in run.deliveries
    ]
    run.stored.remove(refused)


def send_twice(run: Ledgers) -> None:
    run.sent.append(run.of(Role.STOP_LATER)[0])


def answer_a_copy(run: Ledgers) -> None:
    language = run.plan.expected[run.pair_of(Role.FEW)].language
    run.sent.append(run.reply(Role.FEW, language, len(run.of(Role.FEW)) + 1))


def use_a_slot_twice(run: Ledgers) -> None:
    first, second = run.of(Role.PERSISTENT)[:2]
    run.sent[run.sent.index(second)] = dataclasses.replace(second, text=first.text)


def pass_the_limit(run: Ledgers) -> None:
    language = run.plan.expected[run.pair_of(Role.PERSISTENT_TWO)].language
    run.sent.append(run.reply(Role.PERSISTENT_TWO, language, 3))


def answer_the_blocked(run: Ledgers) -> None:
    run.sent.append(run.reply(Role.BLOCKED_EVERYWHERE, "fr", 1))


def answer_a_name(run: Ledgers) -> None:
    run.sent.append(run.reply(Role.ALPHANUMERIC, "fr", 1))


def answer_after_stop(run: Ledgers) -> None:
    last = run.of(Role.STOP_AMID)[-1]
    run.sent[run.sent.index(last)] = dataclasses.replace(last, at=20.0)


def answer_in_another_language(run: Ledgers) -> None:
    first = run.of(Role.BOTH)[0]
    right = run.plan.expected[first.pair].language
    run.sent[run.sent.index(first)] = run.reply(Role.BOTH, "es" if right != "es" else "en", 1)


def send_another_lines_text(run: Ledgers) -> None:
    first = run.of(Role.BOTH)[0]
    run.sent[run.sent.index(first)] = dataclasses.replace(first, text=plan.OTHER.text("fr", 1))


def answer_a_stranger(run: Ledgers) -> None:
    run.sent.append(dataclasses.replace(run.sent[0], recipient="33600000000", url="https://example.org/new/"))


def keep_a_reply_back(run: Ledgers) -> None:
    run.sent.remove(run.of(Role.ELSEWHERE)[-1])


def send_nonsense(run: Ledgers) -> None:
    run.sent[0] = dataclasses.replace(run.sent[0], complaints=["dst is not one number in digits"])


@pytest.mark.parametrize(
    ("broken", "kinds"),
    [
        (lose, {"lost message"}),
        (invent, {"stored without being sent"}),
        (let_a_forgery_in, {"forgery accepted"}),
        (refuse, {"message never accepted"}),
        (send_twice, {"second reply to one message", "over the limit"}),
        (answer_a_copy, {"second reply to one message"}),
        (use_a_slot_twice, {"second reply to one message"}),
        (pass_the_limit, {"over the limit"}),
        (answer_the_blocked, {"reply to one who must hear nothing"}),
        (answer_a_name, {"reply to one who must hear nothing"}),
        (answer_after_stop, {"reply after STOP"}),
        (answer_in_another_language, {"wrong language or text"}),
        (send_another_lines_text, {"wrong language or text"}),
        (answer_a_stranger, {"reply to nobody's message"}),
        (keep_a_reply_back, {"missing reply"}),
        (send_nonsense, {"request the provider complained about"}),
    ],
)
def test_what_is_broken_is_found(broken: Callable[[Ledgers], None], kinds: set[str]) -> None:
    run = well()
    broken(run)
    found = run.judge()
    if broken in {answer_the_blocked, answer_a_name}:
        found.violations.pop("wrong language or text", None)  # any text is wrong there
    assert {kind for kind, examples in found.violations.items() if examples} == kinds
    assert not found.passed
    assert kinds <= set(verdict.KINDS)
    assert "FAILED" in verdict.table(found, 1.0)


def test_a_killed_process_excuses_one_conversation_and_no_more() -> None:
    run = well()
    run.stuck = 1
    keep_a_reply_back(run)
    assert run.judge().passed
    run.sent.remove(run.of(Role.BOTH)[-1])
    assert run.judge().count("missing reply") == 2


def test_a_reply_on_its_way_when_stop_was_acknowledged_is_no_fault() -> None:
    run = well()
    last = run.of(Role.STOP_AMID)[-1]
    run.sent[run.sent.index(last)] = dataclasses.replace(last, at=1.0 + verdict.IN_FLIGHT_SECONDS)
    assert run.judge().passed


def test_the_plan_is_what_was_asked_for() -> None:
    wanted = plan.make(200, 20, 2017)
    assert plan.make(200, 20, 2017) == wanted
    numbers = [role for role in plan.roles(200) if role not in {Role.FEW, Role.SHORT_CODE, Role.ALPHANUMERIC}]
    assert len(numbers) == 200
    assert {expected.role for expected in wanted.expected.values()} == set(Role)
    texts = {message.sender: 0 for message in wanted.messages}
    for message in wanted.messages:
        texts[message.sender] += 1
    few = {pair[1] for pair, expected in wanted.expected.items() if expected.role is Role.FEW}
    assert {count for sender, count in texts.items() if sender not in few} == {20}
    again = sum(message.copies for message in wanted.messages)
    assert again >= len(wanted.messages) / 10
    assert len({message.id for message in wanted.messages}) == len(wanted.messages)
