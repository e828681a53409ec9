"""A worker as a process of its own, on a database that others use too; what it does is on its command line.

    python -m tests.outbox.worker LEDGER STEP...

The carrier of these workers writes one line into the file LEDGER for each reply it takes, before it answers.
"""

from __future__ import annotations

import datetime
import json
import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import django

if __name__ == "__main__":
    django.setup()

from django.conf import settings
from django.core import mail
from django.core.management import call_command
from django.utils import timezone
from tests.outbox.carrier import Carrier, written
from tests.world import build_tenant

from conversations.models import Reply
from hotlines.models import Hotline
from outbox import embedded, release, send, sweeps
from providers.base import Credentials, Knowledge, Outcome, OutgoingReply

#: What a process that was killed leaves behind it: this status and no outcome.
KILLED = 9
_REPLIES_EACH = 3
_GIVE_UP_AFTER = 120.0


class Paper(Carrier):
    """A carrier whose ledger several processes write, and that may kill the worker that calls it."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.path = path
        self.kills = ""

    def send(self, reply: OutgoingReply, credentials: Credentials) -> Outcome:
        if self.kills == "before":
            os._exit(KILLED)
        line = f"{reply.recipient} {reply.uuid} {os.getpid()}\n"
        with self.path.open("ab", buffering=0) as ledger:
            ledger.write(line.encode())
        if self.kills == "after":
            os._exit(KILLED)
        return Outcome(Knowledge.ACCEPTED, provider_id=f"id-{reply.uuid}")


def seed(senders: int) -> None:
    """A hotline, and three replies to each of so many senders, released."""
    tenant = build_tenant("North", "+33937000001")
    for number in range(senders):
        for _ in range(_REPLIES_EACH):
            assert written(tenant.hotline, f"336399{number:05}") is not None
    while release.release_due(timezone.now()):
        pass


def seed_more() -> None:
    """One more reply to a new sender of the hotline that is there."""
    assert written(Hotline.objects.get(), "33639989999") is not None


def meet(ledger: Path, workers: int) -> None:
    """Wait until so many processes have come here, so that they work at the same time."""
    (ledger.parent / f"{ledger.name}.{os.getpid()}").touch()
    until = time.monotonic() + _GIVE_UP_AFTER
    while len(list(ledger.parent.glob(f"{ledger.name}.*"))) < workers:
        if time.monotonic() > until:
            sys.exit("the other workers did not come")
        time.sleep(0.005)


def work() -> None:
    """Run the sweep until nothing is left that could be sent."""
    until = time.monotonic() + _GIVE_UP_AFTER
    sweep = sweeps.find("send_replies")
    assert sweep is not None
    stuck = Reply.objects.filter(state__in=Reply.IN_FLIGHT).values("conversation")
    while Reply.objects.filter(state__in=Reply.WAITING).exclude(conversation__in=stuck).exists():
        if time.monotonic() > until:
            sys.exit("some replies were never sent")
        sweep.run_safely()


def engine() -> None:
    """What the embedded engine's thread does in three rounds, whatever there is to send."""
    for _ in range(3):
        for name in ("release_replies", "send_replies", "keep_promises"):
            sweep = sweeps.find(name)
            assert sweep is not None
            embedded.run_once(sweep)


def kill(carrier: Paper, when: str) -> Callable[[], None]:
    """Send one reply, and be killed before or after the carrier takes it."""

    def killed() -> None:
        carrier.kills = when
        send.send_one(timezone.now())

    return killed


def freeze() -> None:
    """Claim a reply, be stopped before the call until somebody says go on, and send as if nothing had been."""
    # A lease that is over in a moment, so that no test has to wait for a real one.
    settings.CLAIM_LEASE, settings.PROVIDER_TIMEOUT = 0.3, 0.05
    claim = send.claim

    def stopped(*moments: Any) -> Reply | None:
        reply = claim(*moments)
        os.kill(os.getpid(), signal.SIGSTOP)
        return reply

    send.claim = stopped
    assert send.send_one(timezone.now())


def later(function: Callable[[datetime.datetime], int], seconds: float) -> None:
    function(timezone.now() + datetime.timedelta(seconds=seconds))


def show() -> None:
    """Print the rows, first replies first."""
    rows = Reply.objects.order_by("conversation", "slot").values("slot", "state", "attempts", "detail")
    sys.stdout.write(json.dumps(list(rows)) + "\n")


def main(path: str, *steps: str) -> None:
    carrier = Paper(Path(path))
    send.registry.get = lambda _name: carrier  # type: ignore[assignment]
    functions: dict[str, Callable[..., Any]] = {
        "seed": lambda count: seed(int(count)),
        "seed-more": seed_more,
        "meet": lambda count: meet(carrier.path, int(count)),
        "work": work,
        "engine": engine,
        "restored": lambda choice: call_command("restored", f"--{choice}"),
        "mails": lambda: sys.stdout.write(f"{len(getattr(mail, 'outbox', []))}\n"),
        "frozen": freeze,
        "killed-before": kill(carrier, "before"),
        "killed-after": kill(carrier, "after"),
        "leases-expire": lambda: later(send.expire_leases, 61),
        "a-day-passes": lambda: later(send.finish_unknown, 24 * 3600 + 61),
        "show": show,
    }
    for step in steps:
        name, _, argument = step.partition(":")
        functions[name](*([argument] if argument else []))


if __name__ == "__main__":
    main(*sys.argv[1:])
