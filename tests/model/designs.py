"""The eleven designs: what a webhook and a worker do, step by step. Their faults are in `exploring.Fault`."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum, auto

from tests.model.delivery import (
    Bounds,
    Handler,
    HandlerStep,
    Reply,
    State,
    Step,
    Worker,
    WorkerStep,
    answers,
    calls,
    changed,
    deliveries,
    faults,
    mark,
    replace_handler,
    replace_worker,
    start_worker,
    store,
    without,
)


@dataclass(frozen=True)
class Design(ABC):
    """A way to deliver. `name` is SECURITY's and the documentation's, `summary` says what it does."""

    name: str
    summary: str

    has_broker = False
    #: Whether a reply of unknown outcome is a row that says so; elsewhere it is lost without a trace.
    records_unknown = False

    def steps(self, state: State, bounds: Bounds) -> Iterator[Step]:
        """Everything that may happen next."""
        yield from deliveries(state, bounds)
        yield from faults(state)
        for handler in set(state.handlers):
            yield from self.handle(state, handler, bounds)
        yield from self.work(state, bounds)

    @abstractmethod
    def handle(self, state: State, handler: Handler, bounds: Bounds) -> Iterator[Step]:
        """The next step of a webhook."""

    def work(self, _state: State, _bounds: Bounds) -> Iterator[Step]:
        """The next steps of all workers; a design that replies in the webhook's answer has none."""
        yield from ()


def receive_once(state: State, handler: Handler, limit: int, next_step: HandlerStep) -> State:
    """One transaction under the sender's lock: the message and, within the limit, its promise."""
    promise = state.counted < limit
    stored = store(state, handler.message, promise=promise)
    return replace_handler(stored, handler, Handler(handler.message, next_step, int(promise)))


@dataclass(frozen=True)
class CountThenInsert(Design):
    """Read the count, insert, reply in the answer: what one writes first."""

    def handle(self, state: State, handler: Handler, bounds: Bounds) -> Iterator[Step]:
        message, step, count = handler
        if step == HandlerStep.BEGIN:
            yield "count read", replace_handler(state, handler, Handler(message, HandlerStep.CONTINUE, state.counted))
        elif step == HandlerStep.CONTINUE:
            replies = count < bounds.limit
            inserted = state._replace(
                stored=changed(state.stored, message, state.stored[message] + 1),
                counted=count + 1 if replies else state.counted,
            )
            yield "inserted", replace_handler(inserted, handler, Handler(message, HandlerStep.ANSWER, int(replies)))
        else:
            yield from answers(state, handler, with_reply=bool(handler.mind))


@dataclass(frozen=True)
class ReplyInAnswer(Design):
    """One transaction with a unique key, reply in the answer."""

    #: Whether a message that is known already gets the same answer once more, or an empty one.
    repeats_answer: bool = False

    def handle(self, state: State, handler: Handler, bounds: Bounds) -> Iterator[Step]:
        message = handler.message
        if handler.step == HandlerStep.ANSWER:
            yield from answers(state, handler, with_reply=bool(handler.mind))
        elif state.stored[message]:
            again = int(self.repeats_answer and bool(state.promised[message]))
            yield "known already", replace_handler(state, handler, Handler(message, HandlerStep.ANSWER, again))
        else:
            yield "committed", receive_once(state, handler, bounds.limit, HandlerStep.ANSWER)


@dataclass(frozen=True)
class Broker(Design):
    """A broker holds what is to be sent."""

    #: The webhook commits, then tells the broker; otherwise it tells the broker alone, and the worker stores.
    stores_first: bool = True
    #: The broker forgets a message when it was sent, and gives it again until then; otherwise when a worker takes it.
    late_ack: bool = False

    has_broker = True

    def handle(self, state: State, handler: Handler, bounds: Bounds) -> Iterator[Step]:
        message = handler.message
        queued = state._replace(queue=tuple(sorted((*state.queue, message))))
        answering = Handler(message, HandlerStep.ANSWER)
        if handler.step == HandlerStep.ANSWER:
            yield from answers(state, handler)
        elif not self.stores_first:
            yield "queued", replace_handler(queued, handler, answering)
        elif handler.step == HandlerStep.CONTINUE:
            yield "queued", replace_handler(queued if handler.mind else state, handler, answering)
        elif state.stored[message]:
            yield "known already", replace_handler(state, handler, answering)
        else:
            yield "committed", receive_once(state, handler, bounds.limit, HandlerStep.CONTINUE)

    def work(self, state: State, bounds: Bounds) -> Iterator[Step]:
        if len(state.workers) < bounds.workers:
            for message in set(state.queue):
                if not self.late_ack:
                    yield "taken", start_worker(state._replace(queue=without(state.queue, message)), message)
                elif message not in {worker.message for worker in state.workers}:
                    yield "taken", start_worker(state, message)
        for worker in set(state.workers):
            yield from self._work_on(state, worker, bounds)

    def _work_on(self, state: State, worker: Worker, bounds: Bounds) -> Iterator[Step]:
        message, step = worker
        if step == WorkerStep.BEGIN and not self.stores_first:
            yield from self._store(state, worker, bounds)
        elif step in {WorkerStep.BEGIN, WorkerStep.CALL}:
            if self.late_ack and message not in state.queue:
                yield "gone", replace_worker(state, worker)
            else:
                yield from calls(state, worker)
        elif step == WorkerStep.ACCEPTED or not self.late_ack:
            forgotten = self.late_ack and message in state.queue
            after = state._replace(queue=without(state.queue, message)) if forgotten else state
            yield "done", replace_worker(after, worker)
        else:
            yield "given back", replace_worker(state, worker)

    @staticmethod
    def _store(state: State, worker: Worker, bounds: Bounds) -> Iterator[Step]:
        message = worker.message
        if state.stored[message]:
            yield "known already", replace_worker(state, worker)
        else:
            promise = state.counted < bounds.limit
            going_on = [Worker(message, WorkerStep.CALL)] if promise else []
            yield "committed", replace_worker(store(state, message, promise=promise), worker, *going_on)


class ReadsLog(Enum):
    """Whether the provider's own log settles what is unknown, and when it is read."""

    NEVER = auto()
    SETTLED = auto()
    TOO_EARLY = auto()


@dataclass(frozen=True)
class Outbox(Design):
    """The promised reply is a row of the same transaction; a worker commits its claim before it calls."""

    #: What timed out, and what a dead worker had claimed, is sent again instead of being unknown.
    retries_unknown: bool = False
    reads_log: ReadsLog = ReadsLog.NEVER
    #: A claim may run out under a worker that is alive, and its reply waits again.
    short_lease: bool = False

    records_unknown = True

    def handle(self, state: State, handler: Handler, bounds: Bounds) -> Iterator[Step]:
        message = handler.message
        if handler.step == HandlerStep.ANSWER:
            yield from answers(state, handler)
        elif state.stored[message]:
            yield "known already", replace_handler(state, handler, Handler(message, HandlerStep.ANSWER))
        else:
            promise = state.counted < bounds.limit
            stored = mark(store(state, message, promise=promise), message, Reply.WAITING if promise else Reply.NOT_DUE)
            yield "committed", replace_handler(stored, handler, Handler(message, HandlerStep.ANSWER))

    def work(self, state: State, bounds: Bounds) -> Iterator[Step]:
        if len(state.workers) < bounds.workers:
            for message, reply in enumerate(state.outbox):
                if reply == Reply.WAITING:
                    yield "claimed", start_worker(mark(state, message, Reply.CLAIMED), message)
        for worker in set(state.workers):
            yield from self._work_on(state, worker)
        yield from self._sweep(state)

    @property
    def _after_unknown(self) -> Reply:
        return Reply.WAITING if self.retries_unknown else Reply.UNKNOWN

    def _work_on(self, state: State, worker: Worker) -> Iterator[Step]:
        message, step = worker
        if step == WorkerStep.BEGIN:
            yield from calls(state, worker)
        else:
            reply = {WorkerStep.ACCEPTED: Reply.DONE, WorkerStep.REFUSED: Reply.WAITING}.get(step, self._after_unknown)
            yield f"recorded as {reply.name.lower()}", replace_worker(mark(state, message, reply), worker)

    def _sweep(self, state: State) -> Iterator[Step]:
        """What time brings: a claim whose owner is gone, and what the provider's log says of the unknown."""
        alive = {worker.message for worker in state.workers}
        for message, reply in enumerate(state.outbox):
            if reply == Reply.CLAIMED and message not in alive:
                yield "lease expired", mark(state, message, self._after_unknown)
            if reply == Reply.CLAIMED and message in alive and self.short_lease:
                yield "lease expired, owner alive", mark(state, message, Reply.WAITING)
            if reply == Reply.UNKNOWN and self.reads_log != ReadsLog.NEVER:
                if self.reads_log == ReadsLog.TOO_EARLY:
                    yield "not in the log yet", mark(state, message, Reply.WAITING)
                yield "settled by the log", mark(state, message, Reply.DONE if state.sent[message] else Reply.WAITING)


DESIGNS: tuple[Design, ...] = (
    Broker("D0", "tell the broker, acknowledge, store later", stores_first=False),
    CountThenInsert("D1", "count, insert, reply in the answer"),
    ReplyInAnswer("D2", "one transaction, reply in the answer, nothing to a duplicate"),
    ReplyInAnswer("D2b", "the same, a duplicate gets the reply again", repeats_answer=True),
    Broker("D3", "commit, then tell the broker, which forgets what is taken"),
    Broker("D4", "commit, then tell the broker, which gives again what is not done", late_ack=True),
    Outbox("D5b", "outbox, what timed out is sent again", retries_unknown=True),
    Outbox("D5", "outbox, what is unknown stays unknown"),
    Outbox("D6", "outbox, what is unknown is settled by the provider's log", reads_log=ReadsLog.SETTLED),
    Outbox("D6-early", "D6 with the log read too early", reads_log=ReadsLog.TOO_EARLY),
    Outbox("D6-lease", "D6 with a lease shorter than the call", reads_log=ReadsLog.SETTLED, short_lease=True),
)


def named(name: str) -> Design:
    """The design of that name. Raises `KeyError` where there is none."""
    return {design.name: design for design in DESIGNS}[name]
