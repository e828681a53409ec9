"""The machine of `test_stateful`: senders, workers that may be slow or die at any point, a carrier with its reports and
its log, which lags and hides numbers, messages that never come or come late, clocks, persons.
"""

from __future__ import annotations

import contextlib
import dataclasses
import datetime
from collections import Counter
from dataclasses import dataclass

import time_machine
from django.core.exceptions import ValidationError
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from tests.outbox.carrier import accepted, deliver, empty_tables, inbound, reported
from tests.outbox.logbook import Logbook, is_ours_since, masked
from tests.world import World

from conversations import blocks
from conversations.models import Conversation, Message, Reply
from conversations.words import ReplyState
from hotlines.models import Account, Hotline
from inbox import receive, reconcile
from outbox import by_hand, release, send, settle
from providers.base import Delivery, InboundMessage, Knowledge, LogTerms, Outcome, OutgoingReply
from providers.models import LogReading

START = datetime.datetime(2026, 3, 2, 12, tzinfo=datetime.UTC)
HOUR = datetime.timedelta(hours=1)
LEASE = datetime.timedelta(seconds=60)
#: How late the carrier's log may be: as late as the settle time allows.
LAGS = (0, 300, 900, 900)
SENDERS = ("33639980101", "33639980102", "33639980103")
ENDED = (ReplyState.SENT, ReplyState.FAILED, ReplyState.UNKNOWN_FINAL, ReplyState.EXPIRED, ReplyState.DROPPED)
WINDOW_HOURS, BLOCK_HOURS = 48, 24

ACTS = ("blocks", "unblocks", "unblocks", "silences", "activates", "activates", "resumes", "resumes")

indices = st.integers(0, 7)


@dataclass
class Worker:
    """A worker that holds a claim; `outcome` is what it learned and has not written yet."""

    reply: Reply
    claimed_at: datetime.datetime
    outcome: Outcome | None = None


@dataclass(frozen=True)
class Call:
    """What a worker learns, and whether the carrier took the reply."""

    knowledge: Knowledge
    taken: bool = False
    retry_after: float | None = None


CALLS = (
    Call(Knowledge.ACCEPTED, taken=True),
    Call(Knowledge.ACCEPTED, taken=True),
    Call(Knowledge.UNKNOWN, taken=True),
    Call(Knowledge.UNKNOWN, taken=True),
    Call(Knowledge.UNKNOWN),
    Call(Knowledge.REFUSED),
    Call(Knowledge.REFUSED_FOR_NOW),
    Call(Knowledge.REFUSED_FOR_NOW, retry_after=90),
    Call(Knowledge.ACCOUNT_REFUSED),
)

AFTER_A_CALL = ("writes", "writes", "is slow", "dies")


@dataclass
class Acceptance:
    """What the carrier took, and the ledger by which it judges us."""

    reply: Reply
    provider_id: str
    claimed_at: datetime.datetime


class Path(RuleBasedStateMachine):
    world: World
    #: The carrier's log of the example that is played.
    logbook: Logbook = Logbook()

    def __init__(self) -> None:
        super().__init__()
        self.clock = time_machine.travel(START, tick=False)
        self.time = self.clock.start()
        self.hotline: Hotline = self.world.north.hotline
        self.messages: list[tuple[InboundMessage, str]] = []
        self.workers: list[Worker] = []
        self.ledger: list[Acceptance] = []
        self.reports: dict[int, list[tuple[int, int, str]]] = {}
        self.conversations: dict[str, int] = {}
        self.stopped: dict[int, datetime.datetime] = {}
        self.lost: list[InboundMessage] = []
        #: What a person wrote, by the reply's row.
        self.by_hand: dict[int, str] = {}
        self.episodes: dict[str, dict[int, datetime.datetime]] = {sender: {} for sender in SENDERS}

    @property
    def now(self) -> datetime.datetime:
        return datetime.datetime.now(datetime.UTC)

    @initialize(
        limit=st.integers(1, 3),
        delay=st.sampled_from([0, 0, 0, 5, 3600]),
        lag=st.sampled_from(LAGS),
        hidden=st.booleans(),
    )
    def a_hotline(self, limit: int, delay: int, lag: int, hidden: bool) -> None:
        self.limit, self.hidden = limit, hidden
        Path.logbook = Logbook(lag=lag, log=LogTerms(lag=900, requests_per_minute=10_000, days=90))
        LogReading.objects.all().delete()
        is_ours_since(self.world.north, START - HOUR)
        hotline = self.hotline
        hotline.reply_limit, hotline.delay_seconds, hotline.state = limit, delay, Hotline.State.ACTIVE
        hotline.window_hours, hotline.block_hours = WINDOW_HOURS, BLOCK_HOURS
        hotline.save()
        self._resume()

    # --- senders ----------------------------------------------------------------------------------------------------
    @rule(
        sender=st.sampled_from(SENDERS),
        text=st.sampled_from(["Salut"] * 8 + ["AIDE", "STOP"]),
        calls=st.lists(st.sampled_from(CALLS), max_size=1),
        then=st.sampled_from(AFTER_A_CALL),
    )
    def a_sender_writes(self, sender: str, text: str, calls: list[Call | None], then: str) -> None:
        """And, often, a worker is there."""
        self._write_and_stop(sender, text)
        self.workers_work(0, calls, then)

    def _write_and_stop(self, sender: str, text: str) -> None:
        message = self._deliver(sender, text)
        conversation = self.conversations[sender]
        if text == "STOP" and conversation not in self.stopped:
            self.stopped[conversation] = self.now
            # One that is being sent may still wait again, and is dropped when somebody looks at it.
            assert not Reply.objects.filter(conversation=conversation, state__in=Reply.WAITING).exists()
        if conversation in self.stopped:
            assert not Reply.objects.filter(message__provider_id=message.id).exists()

    @precondition(lambda self: self.messages)
    @rule(index=indices, what=st.sampled_from(["the same request", "the same message", "the same nonce"]))
    def something_comes_again(self, index: int, what: str) -> None:
        message, nonce = self.messages[-1 - index % len(self.messages)]
        before = Message.objects.count(), Reply.objects.count()
        if what == "the same nonce":
            receipt = deliver(self.hotline, inbound(self.hotline, message.sender, at=self.now), nonce)
            assert receipt is receive.Receipt.NONCE_REUSED
        else:
            receipt = deliver(self.hotline, message, nonce if what == "the same request" else None)
            assert receipt is receive.Receipt.DUPLICATE
        assert (Message.objects.count(), Reply.objects.count()) == before

    @rule(sender=st.sampled_from(SENDERS), comes=st.booleans(), index=indices)
    def a_message_is_lost_or_comes_after_all(self, sender: str, comes: bool, index: int) -> None:
        """The carrier has it, and its webhook does not reach us; or does, late."""
        if comes and self.lost:
            message = self.lost.pop(index % len(self.lost))
            self._receive(dataclasses.replace(message, received_at=self.now))
        else:
            self.lost.append(inbound(self.hotline, sender, "Salut", self.now, f"lost-{len(self.logbook.entries)}"))
            self._log_inbound(self.lost[-1])

    # --- workers ----------------------------------------------------------------------------------------------------
    @precondition(lambda self: self.messages)
    @rule(
        pause=st.sampled_from([0, 0, 6, 61, 961]),
        calls=st.lists(st.sampled_from((*CALLS, None)), min_size=1, max_size=3),
        then=st.sampled_from(AFTER_A_CALL),
    )
    def workers_work(self, pause: int, calls: list[Call | None], then: str) -> None:
        """Each claims a reply and calls at once, or, where there is no `Call`, not yet."""
        if pause:
            self.time_passes(pause)
        for call in calls:
            before = len(self.workers)
            self.a_worker_claims()
            if call is not None and len(self.workers) > before:
                self._call(self.workers[-1], call, then)

    def a_worker_claims(self) -> None:
        release.release_due(self.now)
        reply = send.claim(self.now)
        if reply is None:
            return
        assert reply.conversation_id not in self.stopped
        assert reply.hotline.state == Hotline.State.ACTIVE
        assert reply.due_at <= self.now < reply.expires_at
        assert self._paused() is None
        self.workers.append(Worker(reply, self.now))

    @precondition(lambda self: self._idle())
    @rule(index=indices, call=st.sampled_from(CALLS), then=st.sampled_from(AFTER_A_CALL))
    def a_worker_calls(self, index: int, call: Call, then: str) -> None:
        idle = self._idle()
        self._call(idle[index % len(idle)], call, then)

    def _call(self, worker: Worker, call: Call, then: str) -> None:
        provider_id = accepted(OutgoingReply(worker.reply.uuid, "", "", "", "")).provider_id
        if call.taken:
            self.ledger.append(Acceptance(worker.reply, provider_id, worker.claimed_at))
            recipient = (worker.reply.conversation.sender or "").removeprefix("number:+")
            self.logbook.sent(
                self.world.north, masked(recipient) if self.hidden else recipient, self.now, name=provider_id
            )
        worker.outcome = Outcome(
            call.knowledge,
            provider_id=provider_id if call.knowledge is Knowledge.ACCEPTED else "",
            detail="told",
            retry_after=call.retry_after,
        )
        if then == "dies":
            self.workers.remove(worker)
        elif then == "writes":
            self._write(worker)

    @precondition(lambda self: self._informed())
    @rule(index=indices)
    def a_slow_worker_writes(self, index: int) -> None:
        informed = self._informed()
        self._write(informed[index % len(informed)])

    def _write(self, worker: Worker) -> None:
        self.workers.remove(worker)
        before = Reply.objects.get(pk=worker.reply.pk)
        assert worker.outcome is not None
        send.record(worker.reply, worker.outcome)
        after = Reply.objects.get(pk=worker.reply.pk)
        if before.claim_token != worker.reply.claim_token or before.state != ReplyState.CLAIMED:
            assert (after.state, after.due_at, after.detail) == (before.state, before.due_at, before.detail)

    # --- the carrier reports ----------------------------------------------------------------------------------------
    @precondition(lambda self: self.ledger)
    @rule(index=indices, told=st.lists(st.tuples(st.sampled_from([None, *Delivery]), st.integers(0, 3)), min_size=1))
    def the_carrier_reports(self, index: int, told: list[tuple[Delivery | None, int]]) -> None:
        acceptance = self.ledger[-1 - index % len(self.ledger)]
        for status, sequence in told[:4]:
            before = Reply.objects.get(pk=acceptance.reply.pk)
            assert reported(acceptance.reply, acceptance.provider_id, status, sequence)
            after = Reply.objects.get(pk=acceptance.reply.pk)
            if before.state in {ReplyState.CLAIMED, ReplyState.UNKNOWN, ReplyState.UNKNOWN_FINAL}:
                assert after.state == ReplyState.SENT
            if after.state == ReplyState.SENT and status is not None:
                self.reports.setdefault(after.pk, []).append((status.rank, sequence, status.value))

    # --- persons and clocks -----------------------------------------------------------------------------------------
    @precondition(lambda self: self.messages)
    @rule(
        sender=st.sampled_from(SENDERS),
        act=st.sampled_from(
            ["blocks", "unblocks", "unblocks", "silences", "activates", "activates", "resumes", "resumes"]
        ),
    )
    def a_person_acts(self, sender: str, act: str) -> None:
        if act in {"silences", "activates"}:
            self.hotline.state = Hotline.State.SILENT if act == "silences" else Hotline.State.ACTIVE
            self.hotline.save()
        elif act == "resumes":
            self._resume()
        elif sender in self.conversations:
            conversation = Conversation.objects.get(pk=self.conversations[sender])
            if act == "blocks":
                blocks.block_conversation(conversation, self.world.north.owner, "insults")
                return
            with contextlib.suppress(ValidationError):
                blocks.unblock(conversation, self.world.north.owner, "a mistake")
                self.episodes[sender] = {}

    @rule(seconds=st.sampled_from([1, 30, 61, 61, 61, 961, 961, 1200, 3600, 7200, 25 * 3600, 49 * 3600]))
    def time_passes(self, seconds: int) -> None:
        self.time.shift(datetime.timedelta(seconds=seconds))
        # A call begins and ends within its lease, or never (`send` looks at its watch); what it taught may be written
        # late, but a worker that has held its claim for a day is no worker any more.
        self.workers = [
            worker
            for worker in self.workers
            if self.now - worker.claimed_at < (LEASE if worker.outcome is None else 23 * HOUR)
        ]
        self._sweep()

    def _sweep(self) -> None:
        send.expire_leases(self.now)
        release.expire(self.now)
        send.finish_unknown(self.now)
        self._settle()
        reconcile.reconcile_inbound()

    def _settle(self) -> None:
        """What the log's word makes of a reply is what the carrier's ledger says."""
        taken = {acceptance.reply.pk: acceptance.provider_id for acceptance in self.ledger}
        unknown = set(Reply.objects.filter(state=ReplyState.UNKNOWN).values_list("pk", flat=True))
        settle.settle_unknown()
        for row in Reply.objects.filter(pk__in=unknown):
            assert row.state != ReplyState.RELEASED or row.pk not in taken
            assert row.state != ReplyState.SENT or row.provider_id == taken.get(row.pk)

    # --- what must always hold --------------------------------------------------------------------------------------
    @invariant()
    def no_message_is_answered_twice(self) -> None:
        taken = Counter(acceptance.reply.message_id for acceptance in self.ledger)
        assert max(taken.values(), default=0) <= 1

    @invariant()
    def no_episode_has_more_answers_than_the_limit(self) -> None:
        taken = Counter((acceptance.reply.conversation_id, acceptance.reply.episode) for acceptance in self.ledger)
        assert max(taken.values(), default=0) <= getattr(self, "limit", 0)

    @invariant()
    def nothing_is_sent_to_who_wrote_stop(self) -> None:
        for acceptance in self.ledger:
            stopped = self.stopped.get(acceptance.reply.conversation_id)
            assert stopped is None or acceptance.claimed_at <= stopped

    @invariant()
    def one_reply_of_a_conversation_is_in_flight(self) -> None:
        rows = Reply.objects.filter(state__in=Reply.IN_FLIGHT).values_list("conversation", flat=True)
        assert max(Counter(rows).values(), default=0) <= 1
        held = Counter(worker.reply.conversation_id for worker in self._idle())
        assert max(held.values(), default=0) <= 1

    @invariant()
    def every_message_is_stored_and_counted_once(self) -> None:
        rows = Counter(Message.objects.values_list("provider_id", "disposition"))
        stored = Counter({name: count for (name, became), count in rows.items() if became != "missed"})
        assert stored == Counter(message.id for message, _ in self.messages)
        missed = {name: count for (name, became), count in rows.items() if became == "missed"}
        assert set(missed) <= {message.id for message in self.lost}
        assert max(missed.values(), default=0) <= 1
        counts = Counter(self.conversations[message.sender] for message, _ in self.messages)
        assert dict(Conversation.objects.values_list("pk", "messages_received")) == counts

    @invariant()
    def what_was_reported_only_moves_forward(self) -> None:
        for pk, known in self.reports.items():
            assert Reply.objects.get(pk=pk).delivery == max(known)[2]

    def teardown(self) -> None:
        try:
            self._every_reply_ends()
        finally:
            self.clock.stop()
            empty_tables()

    def _every_reply_ends(self) -> None:
        """Late answers, late reports, then all faults are healed: within four days nothing waits any more."""
        if not hasattr(self, "limit"):
            return
        self.time_passes(61)
        for _ in range(8):
            self._resume()
            for _ in range(10):
                self.a_worker_claims()
                if not self.workers:
                    break
                while self._idle():
                    self.a_worker_calls(0, CALLS[0], "writes")
                while self.workers:
                    self.a_slow_worker_writes(0)
            self.time_passes(12 * 3600)
        assert set(Message.objects.filter(disposition="missed").values_list("provider_id", flat=True)) == {
            message.id for message in self.lost
        }
        for index in range(len(self.ledger)):
            self.the_carrier_reports(index, [(Delivery.DELIVERED, 2), (Delivery.QUEUED, 0), (Delivery.SENT, 1)])
        self.no_message_is_answered_twice()
        self.no_episode_has_more_answers_than_the_limit()
        self.nothing_is_sent_to_who_wrote_stop()
        self.what_was_reported_only_moves_forward()
        assert not Reply.objects.exclude(state__in=ENDED).exists()

    # --- hands and eyes ---------------------------------------------------------------------------------------------
    def _deliver(self, sender: str, text: str) -> InboundMessage:
        message = inbound(self.hotline, sender, text, self.now, f"message-{len(self.messages)}")
        self._log_inbound(message)
        return self._receive(message)

    def _log_inbound(self, message: InboundMessage) -> None:
        self.logbook.received(self.world.north, message.id, self.now, sender=message.sender)

    def _receive(self, message: InboundMessage) -> InboundMessage:
        self.messages.append((message, f"nonce{len(self.messages):05}"))
        assert deliver(self.hotline, *self.messages[-1]) is receive.Receipt.STORED
        conversation = Message.objects.select_related("conversation").get(provider_id=message.id).conversation
        assert conversation is not None
        assert self.conversations.setdefault(message.sender, conversation.pk) == conversation.pk
        self._see_episode(message.sender, conversation.episode)
        return message

    def _see_episode(self, sender: str, episode: int) -> None:
        """An episode begins at its first message, and the next one no sooner than a window later."""
        seen = self.episodes[sender]
        if episode not in seen and seen:
            assert self.now >= seen[max(seen)] + HOUR * WINDOW_HOURS
            assert episode == max(seen) + 1
        seen.setdefault(episode, self.now)

    def _idle(self) -> list[Worker]:
        return [worker for worker in self.workers if worker.outcome is None]

    def _informed(self) -> list[Worker]:
        return [worker for worker in self.workers if worker.outcome is not None]

    def _paused(self) -> datetime.datetime | None:
        return Account.objects.get(pk=self.hotline.account_id).sending_paused_at

    def _resume(self) -> None:
        Account.objects.filter(pk=self.hotline.account_id).update(
            sending_paused_at=None, sending_paused_reason="", resume_sending_at=None
        )


class PathWithHands(Path):
    """Also with persons who write replies themselves; apart, so that the path's bugs are found as fast as before."""

    @precondition(lambda self: self.messages)
    @rule(sender=st.sampled_from(SENDERS))
    def a_person_writes(self, sender: str) -> None:
        if sender in self.conversations:
            conversation = Conversation.objects.get(pk=self.conversations[sender])
            text = f"By hand {len(self.by_hand)}."
            with contextlib.suppress(ValidationError):
                self.by_hand[by_hand.write(conversation, text).pk] = text
                self._see_episode(sender, Conversation.objects.get(pk=conversation.pk).episode)

    @invariant()
    def what_a_person_wrote_is_what_leaves(self) -> None:
        written = dict(getattr(self, "by_hand", {}))
        for acceptance in self.ledger:
            text = acceptance.reply.text
            assert text == written.get(acceptance.reply.pk, text)
