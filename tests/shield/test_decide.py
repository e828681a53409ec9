from __future__ import annotations

import dataclasses
import datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from conversations.words import BlockCause, Disposition, ReplyPurpose
from hotlines.policy import MAX_REPLY_LIMIT, Policy
from shield.decide import Decision, Incoming, Standing, decide, episode_ends, fresh
from shield.keywords import Keyword

START = datetime.datetime(2026, 3, 1, 12, tzinfo=datetime.UTC)
SECOND = datetime.timedelta(seconds=1)
HOUR = datetime.timedelta(hours=1)
MICROSECOND = datetime.timedelta(microseconds=1)
KEPT_WITHOUT_CONTENT = {Disposition.BLOCKED, Disposition.LIMIT, Disposition.STOPPED}

limits = st.integers(1, MAX_REPLY_LIMIT)
hours = st.integers(1, 8760).map(lambda count: HOUR * count)
policies = st.builds(
    Policy,
    reply_limit=limits,
    window=hours,
    block_time=hours,
    safety_delay=st.sampled_from([0, 1, 5, 3600, 6 * 3600]).map(lambda count: SECOND * count),
    jitter=st.sampled_from([0, 900, 7200]).map(lambda count: SECOND * count),
    quiet_from=st.just(None),
    quiet_until=st.just(None),
    answering=st.booleans(),
)
moments = st.datetimes(
    datetime.datetime.fromisoformat("2020-01-01"),
    datetime.datetime.fromisoformat("2032-01-01"),
    timezones=st.just(datetime.UTC),
)


@st.composite
def standings(draw: Any) -> Standing:
    """Anything that the constraints of `conversations_conversation` allow a row to say."""
    cause = draw(st.sampled_from(["", *BlockCause]))
    return Standing(
        episode=draw(st.integers(1, 1000)),
        episode_started_at=draw(moments),
        slots_used=draw(st.integers(0, MAX_REPLY_LIMIT)),
        reply_due_at=draw(st.none() | moments),
        opted_out_at=draw(st.none() | moments),
        blocked_until=draw(moments) if cause else None,
        block_cause=cause,
    )


incomings = st.builds(
    Incoming,
    keyword=st.sampled_from(Keyword),
    refusal=st.sampled_from(["", "short code"]),
    reply_waiting=st.booleans(),
    blocked_everywhere=st.booleans(),
)


def rules(**changes: Any) -> Policy:
    return Policy(**{"reply_limit": 5, "window": 30 * 24 * HOUR, "block_time": 90 * 24 * HOUR, **changes})


def played(policy: Policy, count: int, step: datetime.timedelta = SECOND, **incoming: Any) -> list[Decision]:
    """`count` messages of one sender, `step` apart, each judged by what the one before left."""
    standing, now, decisions = fresh(START), START, []
    for _ in range(count):
        decision = decide(policy, standing, Incoming(**incoming), now)
        decisions.append(decision)
        standing, now = decision.standing, now + step
    return decisions


def dispositions(decisions: list[Decision]) -> list[Disposition]:
    return [decision.disposition for decision in decisions]


# --- one decision ---------------------------------------------------------------------------------------------------
@settings(max_examples=500)
@given(policy=policies, standing=standings(), incoming=incomings, now=moments, chance=st.floats(0, 1, exclude_max=True))
def test_what_holds_for_every_decision(
    policy: Policy, standing: Standing, incoming: Incoming, now: datetime.datetime, chance: float
) -> None:
    decision = decide(policy, standing, incoming, now, chance)
    after = decision.standing
    new_episode = now >= episode_ends(policy, standing)
    before = dataclasses.replace(standing, slots_used=0) if new_episode else standing

    assert after.episode == standing.episode + new_episode
    assert after.episode_started_at == (now if new_episode else standing.episode_started_at)
    assert (decision.reply is None) == (decision.disposition is not Disposition.ANSWERED)
    assert after.slots_used == before.slots_used + (decision.reply is not None)
    if decision.reply is not None:
        assert (decision.reply.episode, decision.reply.slot) == (after.episode, after.slots_used)
        assert 1 <= decision.reply.slot <= policy.reply_limit
        assert decision.reply.due_at >= now + policy.safety_delay
        assert decision.reply.delayed == (decision.reply.due_at > now)
        assert after.reply_due_at == (decision.reply.due_at if decision.reply.delayed else None)
        assert standing.opted_out_at is None
        assert not incoming.refusal
        assert policy.answering
        assert not incoming.reply_waiting
        assert not incoming.blocked_everywhere
    assert decision.limit_reached == (decision.reply is not None and decision.reply.slot == policy.reply_limit)
    assert (after.blocked_until is None) == (after.block_cause == "")
    if decision.disposition in KEPT_WITHOUT_CONTENT:
        assert not decision.keep_content
    assert decision.drop_waiting == (decision.disposition is Disposition.STOP)


@given(standing=standings(), incoming=incomings, now=moments, policy=policies)
def test_an_opted_out_sender_stays_so_for_ever(
    policy: Policy, standing: Standing, incoming: Incoming, now: datetime.datetime
) -> None:
    stopped = dataclasses.replace(standing, opted_out_at=START)
    decision = decide(policy, stopped, incoming, now)
    assert (decision.disposition, decision.reply, decision.keep_content) == (Disposition.STOPPED, None, False)
    assert decision.standing.opted_out_at == START


@given(standing=standings(), incoming=incomings, now=moments, policy=policies)
def test_stop_is_silent_whatever_else_is_true(
    policy: Policy, standing: Standing, incoming: Incoming, now: datetime.datetime
) -> None:
    listening = dataclasses.replace(standing, opted_out_at=None)
    decision = decide(policy, listening, dataclasses.replace(incoming, keyword=Keyword.STOP), now)
    assert (decision.disposition, decision.reply, decision.drop_waiting) == (Disposition.STOP, None, True)
    assert (decision.standing.opted_out_at, decision.standing.reply_due_at) == (now, None)
    blocked = decision.standing.blocked_until is not None and now < decision.standing.blocked_until
    assert decision.keep_content == (not blocked and not incoming.blocked_everywhere)


@given(policy=policies, standing=standings(), now=moments)
def test_an_episode_ends_exactly_when_window_and_block_are_over(
    policy: Policy, standing: Standing, now: datetime.datetime
) -> None:
    ends = standing.episode_started_at + policy.window
    if standing.blocked_until is not None and standing.blocked_until > ends:
        ends = standing.blocked_until
    assert decide(policy, standing, Incoming(), ends - MICROSECOND).standing.episode == standing.episode
    renewed = decide(policy, standing, Incoming(), ends).standing
    assert (renewed.episode, renewed.episode_started_at) == (standing.episode + 1, ends)
    assert renewed.slots_used <= 1


# --- sequences ------------------------------------------------------------------------------------------------------
@given(limit=limits, more=st.integers(0, 20))
def test_without_a_delay_every_message_up_to_the_limit_is_answered(limit: int, more: int) -> None:
    decisions = played(rules(reply_limit=limit), limit + more)
    assert dispositions(decisions) == [Disposition.ANSWERED] * limit + [Disposition.BLOCKED] * more
    assert [decision.reply.slot for decision in decisions[:limit] if decision.reply] == list(range(1, limit + 1))
    assert [decision.limit_reached for decision in decisions] == [False] * (limit - 1) + [True] + [False] * more
    assert [decision.keep_content for decision in decisions] == [True] * limit + [False] * more


@given(limit=limits)
def test_the_last_slot_asks_for_the_final_text_where_there_is_a_first_one_too(limit: int) -> None:
    purposes = [decision.reply.purpose for decision in played(rules(reply_limit=limit), limit) if decision.reply]
    last = [ReplyPurpose.FINAL] if limit > 1 else [ReplyPurpose.REPLY]
    assert purposes == [ReplyPurpose.REPLY] * (limit - 1) + last


@given(limit=limits)
def test_help_is_answered_as_help_and_takes_its_slot(limit: int) -> None:
    decisions = played(rules(reply_limit=limit), limit + 1, keyword=Keyword.HELP)
    assert [decision.reply.purpose for decision in decisions[:limit] if decision.reply] == [ReplyPurpose.HELP] * limit
    assert decisions[limit].disposition is Disposition.BLOCKED


@pytest.mark.parametrize(
    ("policy", "incoming", "disposition"),
    [
        ({}, {"refusal": "short code"}, Disposition.NOT_ANSWERABLE),
        ({"answering": False}, {}, Disposition.NOT_ANSWERING),
        ({}, {"reply_waiting": True}, Disposition.WAITING),
        ({}, {"blocked_everywhere": True}, Disposition.BLOCKED),
    ],
)
def test_what_is_not_answered_takes_no_slot(
    policy: dict[str, Any], incoming: dict[str, Any], disposition: Disposition
) -> None:
    decisions = played(rules(**policy), 20, **incoming)
    assert dispositions(decisions) == [disposition] * 20
    assert [decision.standing.slots_used for decision in decisions] == [0] * 20
    assert {decision.standing for decision in decisions} == {fresh(START)}


def test_while_a_delayed_reply_is_pending_no_message_gets_one_of_its_own() -> None:
    policy = rules(safety_delay=HOUR)
    decisions = played(policy, 13, step=datetime.timedelta(minutes=10))
    answered = [Disposition.ANSWERED]
    assert dispositions(decisions) == (answered + [Disposition.WAITING] * 5) * 2 + answered
    assert decisions[-1].standing.slots_used == 3


def test_a_limit_that_was_lowered_holds_at_once() -> None:
    used = dataclasses.replace(fresh(START), slots_used=3)
    decision = decide(rules(reply_limit=2), used, Incoming(), START + SECOND)
    assert (decision.disposition, decision.keep_content) == (Disposition.LIMIT, False)
    assert decision.standing == used


def test_over_the_limit_after_a_block_that_ends_before_the_window() -> None:
    policy = rules(reply_limit=1, window=10 * HOUR, block_time=HOUR)
    answered = decide(policy, fresh(START), Incoming(), START)
    assert (answered.standing.blocked_until, answered.standing.block_cause) == (START + HOUR, BlockCause.LIMIT)
    for hour, disposition in ((0, Disposition.BLOCKED), (1, Disposition.LIMIT), (10, Disposition.ANSWERED)):
        decision = decide(policy, answered.standing, Incoming(), START + HOUR * hour)
        assert decision.disposition is disposition


def test_the_limits_own_block_outlasts_the_window() -> None:
    policy = rules(reply_limit=1, window=HOUR, block_time=10 * HOUR)
    answered = decide(policy, fresh(START), Incoming(), START)
    still = decide(policy, answered.standing, Incoming(), START + 10 * HOUR - MICROSECOND)
    assert still.disposition is Disposition.BLOCKED
    again = decide(policy, answered.standing, Incoming(), START + 10 * HOUR)
    assert (again.disposition, again.standing.episode, again.standing.slots_used) == (Disposition.ANSWERED, 2, 1)


@given(policy=policies, steps=st.lists(st.integers(-100, 100), min_size=1, max_size=30))
def test_a_clock_that_jumps_back_gives_no_slot_again(policy: Policy, steps: list[int]) -> None:
    """Time wanders by hours in both directions: still at most `reply_limit` for each episode, and none begins early."""
    standing, now, slots = fresh(START), START, []
    for step in steps:
        ends = episode_ends(policy, standing)
        decision = decide(policy, standing, Incoming(), now)
        assert decision.standing.episode == standing.episode or now >= ends
        assert decision.standing.episode_started_at <= max(now, standing.episode_started_at)
        if decision.reply:
            slots.append((decision.reply.episode, decision.reply.slot))
        standing, now = decision.standing, now + HOUR * step
    assert slots == sorted(set(slots))
    assert all(slot <= policy.reply_limit for _, slot in slots)


# --- the whole life of a sender -------------------------------------------------------------------------------------
class Sender(RuleBasedStateMachine):
    """One sender and whatever happens to him; the ledger, not the standing, says how often he was answered."""

    def __init__(self) -> None:
        super().__init__()
        self.now = START
        self.ledger: list[tuple[int, int]] = []
        self.waiting: datetime.datetime | None = None
        self.stopped = False
        self.episode_end: datetime.datetime | None = None

    @initialize(policy=policies)
    def begin(self, policy: Policy) -> None:
        self.policy = dataclasses.replace(policy, answering=True)
        self.standing = fresh(self.now)

    @rule(keyword=st.sampled_from(Keyword), refused=st.booleans(), everywhere=st.booleans(), chance=st.floats(0, 0.99))
    def write(self, keyword: Keyword, refused: bool, everywhere: bool, chance: float) -> None:
        incoming = Incoming(
            keyword=keyword,
            refusal="own number" if refused else "",
            reply_waiting=self.waiting is not None,
            blocked_everywhere=everywhere,
        )
        decision = decide(self.policy, self.standing, incoming, self.now, chance)
        if self.episode_end is not None and self.now < self.episode_end:
            assert decision.standing.episode == self.standing.episode
        if decision.reply:
            assert not any([self.stopped, refused, everywhere, self.waiting])
            assert (decision.reply.episode, decision.reply.slot) not in self.ledger
            assert decision.reply.slot <= self.policy.reply_limit
            self.ledger.append((decision.reply.episode, decision.reply.slot))
            self.waiting = decision.reply.due_at if decision.reply.delayed else None
        self.stopped |= keyword is Keyword.STOP
        if decision.drop_waiting:
            self.waiting = None
        self.standing = decision.standing
        self.episode_end = episode_ends(self.policy, self.standing)

    @rule(hours=st.sampled_from([0, 1, 24, 720, 2160, 8760, -1, -24]))
    def time_passes(self, hours: int) -> None:
        self.now += HOUR * hours

    @precondition(lambda self: self.waiting is not None)
    @rule()
    def the_reply_leaves(self) -> None:
        assert self.waiting is not None
        self.now = max(self.now, self.waiting)
        self.waiting = None

    @rule(hours=st.integers(1, 5000))
    def a_person_blocks(self, hours: int) -> None:
        until = self.now + HOUR * hours
        self.standing = dataclasses.replace(self.standing, blocked_until=until, block_cause=BlockCause.PERSON)
        self.episode_end = episode_ends(self.policy, self.standing)

    @rule(policy=policies)
    def the_policy_changes(self, policy: Policy) -> None:
        self.policy = policy
        self.episode_end = episode_ends(self.policy, self.standing)

    @invariant()
    def no_episode_has_more_than_the_highest_limit(self) -> None:
        for episode in {episode for episode, _ in self.ledger}:
            slots = [slot for number, slot in self.ledger if number == episode]
            assert slots == list(range(1, len(slots) + 1))
            assert len(slots) <= MAX_REPLY_LIMIT


def test_whatever_happens_to_a_sender() -> None:
    run_state_machine_as_test(Sender, settings=settings(max_examples=150, stateful_step_count=30, deadline=None))
