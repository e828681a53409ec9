"""`make acceptance`: the whole of Paravent as production runs it, judged from outside.

PostgreSQL and Redis, two web processes, two workers, the scheduler and a fake Plivo, each a process of its own. 200
senders text 20 times, many at once, a quarter of it delivered more than once; a worker and a web process are killed in
the middle. `--break` seeds a fault instead: then the verdict must be FAILED.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from tests import processes, services
from tests.acceptance import delivery, plan, verdict
from tests.acceptance.delivery import Target
from tests.acceptance.verdict import Delivery, Sent, Verdict
from tests.services import Guarded, PostgreSQL

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
class Fleet:
    """Every process of the run; what is killed is started again under the same name."""

    environment: dict[str, str]
    folder: Path
    stack: ExitStack
    running: dict[str, Guarded] = field(default_factory=dict)
    web_ports: list[int] = field(default_factory=list)
    kills: int = 0

    def start(self) -> None:
        self.web_ports = [services.free_port(), services.free_port()]
        for number in range(2):
            self._start_web(number)
        for number in range(2):
            self._start_worker(number)
        self._keep("scheduler", processes.scheduler(self.environment, self._log("scheduler")))

    def _start_web(self, number: int) -> None:
        name, port = f"web {number}", self.web_ports[number]
        web = processes.web(self.environment, port, self._log(name), workers=1, threads=4)
        self.running[name] = self.stack.enter_context(web)

    def _start_worker(self, number: int) -> None:
        name = f"worker {number}"
        self._keep(name, processes.worker(self.environment, self._log(name), processes=_WORKER_PROCESSES))

    def _keep(self, name: str, process: Guarded) -> None:
        self.running[name] = self.stack.enter_context(process)

    def _log(self, name: str) -> Path:
        return self.folder / f"{name}.log"

    def kill_worker(self) -> None:
        self.running["worker 0"].kill()
        self.kills += 1
        self._start_worker(0)

    def kill_web(self) -> None:
        self.running["web 1"].kill()
        self.kills += 1
        self._start_web(1)

    def ended(self) -> list[str]:
        """Processes that ended though nobody killed them."""
        return [name for name, process in self.running.items() if not process.running]


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
            during = {0.3: self.fleet.kill_worker, 0.6: self.fleet.kill_web}
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
        entries = [json.loads(line) for line in self.ledger.read_text().splitlines() if line.endswith("}")]
        return [
            Sent(entry["src"], entry["dst"], entry["text"], entry["url"], entry["at"], entry["complaints"])
            for entry in entries
            if entry["accepted"] or entry.get("complaints")
        ]

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
        environment = processes.production(
            server.create_database("paravent"),
            folder,
            redis_url,
            PARAVENT_DEMO="1",  # the one switch that allows another address than Plivo's
            PARAVENT_SIMULATOR="0",
            PARAVENT_PLIVO_API_URL=f"http://127.0.0.1:{plivo_port}",
            PARAVENT_ALLOWED_HOSTS=f"{processes.HOST},127.0.0.1",
        )
        processes.manage(environment, "migrate", "--verbosity", "0")
        targets = _seeded(environment, senders, each, seed, fault)
        fleet = Fleet(environment, folder, stack)
        fleet.start()
        stack.enter_context(_fake_plivo(environment, folder, ledger, plivo_port, targets, fleet.web_ports[0]))
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


def _seeded(environment: dict[str, str], senders: int, each: int, seed: int, fault: str) -> dict[str, Target]:
    arguments = [str(senders), str(each), str(seed), fault]
    printed = processes.python(environment, "-m", "tests.acceptance.seed", *arguments)
    return {number: Target(**target) for number, target in json.loads(printed).items()}


def _fake_plivo(
    environment: dict[str, str], folder: Path, ledger: Path, port: int, targets: dict[str, Target], web_port: int
) -> Guarded:
    """It refuses some requests for now and drops the answer of others; its reports come in any order, and twice."""
    command = [sys.executable, "-m", "tests.providers.fake_plivo", "--port", str(port), "--ledger", str(ledger)]
    for account in {f"{target.auth_id}:{target.auth_token}" for target in targets.values()}:
        command += ["--account", account]
    command += ["--faults", "429:1=0.005,reset-after+accept=0.01", "--seed", "1"]
    command += ["--reports", "queued,sent,delivered", "--report-shuffled", "--report-times", "2"]
    command += ["--report-to", f"http://127.0.0.1:{web_port}", "--report-retries", "1,2,4,8"]
    return Guarded(command, log=folder / "plivo.log", environment=environment)


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
