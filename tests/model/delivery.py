"""A model of delivery: what can happen to one sender's messages, in every order, under eleven designs.

It answers why Paravent delivers as it does, and what a change of that would cost, before anybody writes code. It lives
among the tests because it is one: `tests/model/test_delivery.py` holds what each design can do wrong, and
`python -m tests.model` (`make model`) prints it with the shortest story of each fault.

**What is modelled.** One hotline with a reply limit and one sender with some messages. The provider delivers each
message by a webhook until it is acknowledged or its attempts are used up, may deliver an acknowledged one once more,
and may take our answer or lose it. Several handlers and workers run at once. Any of them may be killed between any two
steps, and a broker may forget everything it holds. A call that sends ends accepted, refused, or unknown, and behind
unknown is either. One step is what nothing can divide: a transaction, one call, one message to the broker. An SMS
counts as sent when the provider has accepted it, whoever learnt of it.

**What is assumed**, and where the code holds it:

- A transaction that committed stays (`synchronous_commit`, `synchronous=FULL`), and a unique key stands.
- A design whose lease is long enough never takes a claim from an owner who is alive (`config.checks`: the lease is
  longer than five call time-outs).
- A design that reads the provider's log reads the truth there (`config.checks`: not before the log has settled).
- Nothing dies for ever: a handler or worker that was killed is replaced, and a fault that heals has healed at the end.

**What is not modelled.** Time, several senders, the spool, budgets, delays, and which text is sent.

`designs.py` holds the designs, `exploring.py` visits every state they can reach.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum
from typing import NamedTuple, TypeVar

T = TypeVar("T")


@dataclass(frozen=True)
class Bounds:
    """How much can happen. Every state within the bounds is visited, so they decide how long it takes."""

    #: Replies the sender may get at most.
    limit: int = 1
    messages: int = 2
    #: Deliveries of a message that was not acknowledged.
    attempts: int = 2
    #: Deliveries of a message that was acknowledged already, all messages together.
    repeats: int = 1
    #: Handlers and workers killed, together.
    kills: int = 1
    #: Times that a broker forgets everything; only a design with a broker has one.
    broker_losses: int = 1
    handlers: int = 2
    workers: int = 2


class Reply(IntEnum):
    """The state of a message's row in the outbox."""

    NONE = 0
    NOT_DUE = 1
    WAITING = 2
    CLAIMED = 3
    DONE = 4
    UNKNOWN = 5


class HandlerStep(IntEnum):
    """What a webhook does next."""

    BEGIN = 0
    CONTINUE = 1
    ANSWER = 2


class WorkerStep(IntEnum):
    """What a worker does next; the last three are what its call has taught it."""

    BEGIN = 0
    CALL = 1
    ACCEPTED = 5
    REFUSED = 6
    UNKNOWN = 7


class Handler(NamedTuple):
    """A webhook being handled."""

    message: int
    step: HandlerStep = HandlerStep.BEGIN
    #: What it keeps in mind: the count it has read, or whether it has a reply to give.
    mind: int = 0


class Worker(NamedTuple):
    """A reply being sent."""

    message: int
    step: WorkerStep = WorkerStep.BEGIN


class State(NamedTuple):
    """Everything there is at one moment. Tuples by message have one entry for each message."""

    #: Rows of each message.
    stored: tuple[int, ...]
    #: Replies promised to the sender, as counted.
    counted: int
    #: Whether a message has a reply promised.
    promised: tuple[int, ...]
    outbox: tuple[Reply, ...]
    #: The messages that the broker holds.
    queue: tuple[int, ...]
    #: SMS that the provider accepted, by message.
    sent: tuple[int, ...]
    acknowledged: tuple[int, ...]
    attempts_left: tuple[int, ...]
    repeats_left: int
    kills_left: int
    losses_left: int
    handlers: tuple[Handler, ...] = ()
    workers: tuple[Worker, ...] = ()


#: What happened, in a word, and what there is then.
Step = tuple[str, State]

#: Steps that need not happen: the model does not count on a kill to come to an end.
FAULTS = frozenset({"handler killed", "worker killed", "broker forgets"})


def beginning(bounds: Bounds, *, has_broker: bool) -> State:
    none = (0,) * bounds.messages
    return State(
        stored=none,
        counted=0,
        promised=none,
        outbox=(Reply.NONE,) * bounds.messages,
        queue=(),
        sent=none,
        acknowledged=none,
        attempts_left=(bounds.attempts,) * bounds.messages,
        repeats_left=bounds.repeats,
        kills_left=bounds.kills,
        losses_left=bounds.broker_losses if has_broker else 0,
    )


# --- changes of a state ---------------------------------------------------------------------------------------------
def changed(values: tuple[T, ...], index: int, value: T) -> tuple[T, ...]:
    return (*values[:index], value, *values[index + 1 :])


def without(values: tuple[T, ...], value: T) -> tuple[T, ...]:
    at = values.index(value)
    return values[:at] + values[at + 1 :]


def replace_handler(state: State, old: Handler, *new: Handler) -> State:
    return state._replace(handlers=tuple(sorted((*without(state.handlers, old), *new))))


def replace_worker(state: State, old: Worker, *new: Worker) -> State:
    return state._replace(workers=tuple(sorted((*without(state.workers, old), *new))))


def start_worker(state: State, message: int) -> State:
    return state._replace(workers=tuple(sorted((*state.workers, Worker(message)))))


def store(state: State, message: int, *, promise: bool) -> State:
    """One transaction: the message's row, and where it has a reply, the counter."""
    return state._replace(
        stored=changed(state.stored, message, 1),
        counted=state.counted + promise,
        promised=changed(state.promised, message, int(promise)),
    )


def send(state: State, message: int) -> State:
    return state._replace(sent=changed(state.sent, message, state.sent[message] + 1))


def mark(state: State, message: int, reply: Reply) -> State:
    return state._replace(outbox=changed(state.outbox, message, reply))


# --- what happens whatever the design -------------------------------------------------------------------------------
def deliveries(state: State, bounds: Bounds) -> Iterator[Step]:
    """The provider calls the webhook, for the first time or again."""
    if len(state.handlers) >= bounds.handlers:
        return
    for message in range(bounds.messages):
        begun = state._replace(handlers=tuple(sorted((*state.handlers, Handler(message)))))
        left = state.attempts_left[message]
        if not state.acknowledged[message] and left > 0:
            yield f"deliver {message}", begun._replace(attempts_left=changed(state.attempts_left, message, left - 1))
        elif state.acknowledged[message] and state.repeats_left > 0:
            yield f"deliver {message} again", begun._replace(repeats_left=state.repeats_left - 1)


def faults(state: State) -> Iterator[Step]:
    if state.kills_left > 0:
        survived = state._replace(kills_left=state.kills_left - 1)
        for handler in set(state.handlers):
            yield "handler killed", replace_handler(survived, handler)
        for worker in set(state.workers):
            yield "worker killed", replace_worker(survived, worker)
    if state.losses_left > 0 and state.queue:
        yield "broker forgets", state._replace(queue=(), losses_left=state.losses_left - 1)


def answers(state: State, handler: Handler, *, with_reply: bool = False) -> Iterator[Step]:
    """The webhook answers; a reply in the answer is sent where the provider gets it."""
    ended, message = replace_handler(state, handler), handler.message
    taken = ended._replace(acknowledged=changed(ended.acknowledged, message, 1))
    yield "answered", send(taken, message) if with_reply else taken
    yield "answer lost", ended


def calls(state: State, worker: Worker) -> Iterator[Step]:
    """The worker asks the provider to send, and learns what it can."""
    message, accepted = worker.message, send(state, worker.message)
    yield "sent", replace_worker(accepted, worker, Worker(message, WorkerStep.ACCEPTED))
    yield "refused", replace_worker(state, worker, Worker(message, WorkerStep.REFUSED))
    yield "timed out, was sent", replace_worker(accepted, worker, Worker(message, WorkerStep.UNKNOWN))
    yield "timed out, was not sent", replace_worker(state, worker, Worker(message, WorkerStep.UNKNOWN))
