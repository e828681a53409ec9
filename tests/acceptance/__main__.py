"""`make acceptance`: the whole of Paravent as production runs it, judged from outside.

PostgreSQL and Redis, two web processes, two workers, the scheduler and a fake Plivo, each a process of its own. 200
senders text 20 times, many at once, a quarter of it delivered more than once; a worker and a web process are killed in
the middle. `--break` seeds a fault instead: then the verdict must be FAILED.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from tests import processes, services
from tests.acceptance import delivery, plan, site, verdict
from tests.acceptance.delivery import Target
from tests.acceptance.verdict import Delivery, Sent, Verdict
from tests.fleet import Fleet
from tests.services import PostgreSQL

#: What `--break` can seed, and what the verdict must find then.
FAULTS = {
    "duplicates": "second reply to one message",
    "limit": "over the limit",
    "language": "wrong language or text",
    "silence": "reply to one who must hear nothing",
    "resend": "second reply to one message",
    "loss": "lost message",
}
_WORKER_PROCESSES = 2
#: Without a new message at the provider for so long, nothing more is coming.
_QUIET_SECONDS = 12.0
_LONGEST_WAIT = 240.0
_SETTLE_SECONDS = 3.0


@dataclass
class Run:
    """One run from seed to verdict. `fault` is a key of FAULTS or ""."""

    server: PostgreSQL
    fleet: Fleet
    wanted: plan.Plan
    targets: dict[str, Target]
    ledger: Path
    fault: str = ""
    deliveries: list[Delivery] = field(default_factory=list)

    def go(self, *, kill: bool) -> None:
        say, ports = _say, self.fleet.web_ports
        self._deliver(self.wanted.first)
        self._wait_for(lambda: self._have(self.wanted.before_stop), "the replies before STOP")
        self._deliver(self.wanted.second)
        say(f"{len(self.wanted.crowd)} messages at once")
        waiting = delivery.parcels(self.wanted.crowd, self.targets, ports, fresh_ids=self.fault == "duplicates")
        forged = delivery.forgeries(self.wanted.forged, self.targets, ports)
        if self.fault == "loss":
            lost = {message.id for message in self.wanted.crowd if not message.copies}
            self.deliveries += [Delivery(message, 200, time.time()) for message in lost]
            waiting = [parcel for parcel in waiting if parcel.message not in lost]
        during: dict[float, Callable[[], None]] = {}
        if kill:
            during = {0.3: lambda: self.fleet.kill("worker 0"), 0.6: self._kill_web}
        self.deliveries += delivery.deliver([*waiting, *forged], ports, during=during)
        say("waiting for the last replies")
        self._wait_for(lambda: self._have(self._least()), "all replies")
        if self.fault == "resend":
            time.sleep(_SETTLE_SECONDS)  # a delivery report still to come would settle them at once
            before = len(self.sent())
            self._release_again()
            self._wait_for(lambda: len(self.sent()) > before, "the replies sent again")
        time.sleep(_SETTLE_SECONDS)

    def verdict(self) -> Verdict:
        stored = self.server.execute("SELECT provider_id FROM conversations_message", "paravent").split()
        return verdict.judge(
            self.wanted,
            plan.LINES,
            self.deliveries,
            self.sent(),
            [provider_id for provider_id in stored if not provider_id.startswith("before-")],
            stuck=min(self._stuck(), self.fleet.kills * _WORKER_PROCESSES),
        )

    def sent(self) -> list[Sent]:
        """What the fake Plivo accepted, as its ledger has it; a line it is just writing is not there yet."""
        return [
            Sent(entry["src"], entry["dst"], entry["text"], entry["url"], entry["at"], entry["complaints"])
            for entry in site.entries(self.ledger)
            if entry["accepted"] or entry.get("complaints")
        ]

    def _kill_web(self) -> None:
        self.fleet.kill("web 1")
        self.fleet.wait_for_web(1)

    def _deliver(self, messages: Sequence[plan.Planned]) -> None:
        ports = self.fleet.web_ports
        self.deliveries += delivery.deliver(delivery.parcels(messages, self.targets, ports), ports)

    def _least(self) -> dict[tuple[str, str], int]:
        return {pair: expected.least for pair, expected in self.wanted.expected.items()}

    def _have(self, wanted: dict[tuple[str, str], int]) -> bool:
        pairs = [item.pair for item in self.sent()]
        return all(pairs.count(pair) >= count for pair, count in wanted.items() if count)

    def _wait_for(self, there: Callable[[], bool], what: str) -> None:
        """Until `there`, or until the provider has heard nothing for a while: the verdict says what is missing."""
        start = last_heard = time.monotonic()
        heard = -1
        while not there():
            size = self.ledger.stat().st_size
            if size != heard:
                heard, last_heard = size, time.monotonic()
            now = time.monotonic()
            if now - start > _LONGEST_WAIT or now - last_heard > _QUIET_SECONDS:
                _say(f"gave up waiting for {what}")
                return
            time.sleep(0.2)

    def _stuck(self) -> int:
        """Conversations with a reply of unknown outcome: only a process that was killed while sending leaves one."""
        count = "SELECT count(DISTINCT conversation_id) FROM conversations_reply WHERE state IN ('claimed', 'unknown')"
        return int(self.server.execute(count, "paravent"))

    def _release_again(self) -> None:
        """What a sender that repeats blindly would do to some replies that were sent."""
        self.server.execute(
            "UPDATE conversations_reply SET state = 'released', provider_id = '', sent_at = NULL WHERE id IN "
            "(SELECT r.id FROM conversations_reply r JOIN conversations_conversation c ON c.id = r.conversation_id "
            "WHERE r.state = 'sent' AND r.slot = 1 AND c.opted_out_at IS NULL ORDER BY r.id LIMIT 3)",
            "paravent",
        )


def run_once(senders: int, each: int, seed: int, fault: str, *, kill: bool) -> tuple[Verdict, float]:
    """Start everything, run the plan, stop everything. Raises `Missing` where there is no PostgreSQL or Redis."""
    with (
        tempfile.TemporaryDirectory(prefix="paravent-acceptance-") as name,
        services.postgresql(durable=True) as server,
        services.redis() as redis_url,
        ExitStack() as stack,
    ):
        folder, ledger = Path(name), Path(name) / "plivo.jsonl"
        ledger.touch()
        plivo_port = services.free_port()
        environment = site.environment(server.create_database("paravent"), folder, redis_url, plivo_port)
        processes.manage(environment, "migrate", "--verbosity", "0")
        targets = site.seeded(environment, "tests.acceptance.seed", [str(senders), str(each), str(seed), fault])
        fleet = stack.enter_context(_started(environment, folder))
        reports = ["--reports", "queued,sent,delivered", "--report-shuffled", "--report-times", "2"]
        reports += ["--report-to", f"http://127.0.0.1:{fleet.web_ports[0]}", "--report-retries", "1,2,4,8"]
        faults = ["--faults", "429:1=0.005,reset-after+accept=0.01", "--seed", "1"]
        log = folder / "plivo.log"
        plivo = site.fake_plivo(environment, log, ledger, plivo_port, targets.values(), *faults, *reports)
        stack.enter_context(plivo)
        run = Run(server, fleet, plan.make(senders, each, seed), targets, ledger, fault)
        start = time.monotonic()
        run.go(kill=kill)
        seconds = time.monotonic() - start
        found = run.verdict()
        if not found.passed:
            _say_logs(folder)
        for ended in fleet.ended():
            found.violations["process that ended by itself"].append(ended)
        return found, seconds


def _started(environment: dict[str, str], folder: Path) -> Fleet:
    """Two web processes that answer, two workers and a scheduler."""
    fleet = Fleet(folder)
    for number in range(2):
        fleet.add_web(environment, services.free_port())
        name = f"worker {number}"
        fleet.add(name, partial(processes.worker, environment, fleet.log(name), processes=_WORKER_PROCESSES))
    fleet.add("scheduler", partial(processes.scheduler, environment, fleet.log("scheduler")))
    try:
        for number in range(2):
            fleet.wait_for_web(number)
    except BaseException:
        fleet.stop()
        raise
    return fleet


def _say_logs(folder: Path) -> None:
    for log in sorted(folder.glob("*.log")):
        text = log.read_text(errors="replace").strip()
        if text:
            _say(f"{log.name} ends:\n{text[-1500:]}")


def _say(line: str) -> None:
    sys.stderr.write(f"== {line}\n")


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="acceptance", description=__doc__)
    parser.add_argument("--senders", type=int, default=200)
    parser.add_argument("--messages", type=int, default=20, help="of each sender")
    parser.add_argument("--seed", type=int, default=2017)
    parser.add_argument("--no-kill", action="store_true", help="let every process live")
    parser.add_argument("--break", dest="fault", choices=FAULTS, default="", help="a fault the verdict must find")
    options = parser.parse_args(arguments)
    try:
        with services.ended_by_signals():
            found, seconds = run_once(
                options.senders, options.messages, options.seed, options.fault, kill=not options.no_kill
            )
    except services.Missing as error:
        _say(f"nothing was proven: {error}")
        return 2
    sys.stdout.write(verdict.table(found, seconds) + "\n")
    if options.fault and not found.count(FAULTS[options.fault]):
        _say(f"the seeded fault was not found: {FAULTS[options.fault]}")
        return 3
    return 0 if found.passed else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
