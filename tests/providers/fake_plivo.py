"""Plivo's message API on loopback: it checks what it gets, writes it down before it answers, and fails as it is told.

In a test:

    with FakePlivo() as plivo:
        plivo.script("429:7", "202")          # the next two requests; afterwards `plivo.default`
        ...
        assert plivo.accepted == 1

As a process, for runs that kill and restart ours (the verdict comes from the ledger, never from our own counters):

    python -m tests.providers.fake_plivo --port 8900 --ledger ledger.jsonl --account MAXX...:token \
        --faults reset-after+accept=0.01,429:1=0.005 --seed 7 --reports queued,sent,delivered --report-to http://127.0.0.1:8000

Its list of messages (`GET .../Message/`) shows what the ledger holds, and the inbound messages that `plivo.log.receive`
or `POST /control/inbound` told it of (JSON: account, from, to, uuid; optionally at, units). `plivo.script_log("429:7")`
and `--log-faults` are for the list alone; `--log-lag`, `--log-redacted` and `--log-requests` are as in `MessageLog`.

What its numbers are attached to is in `plivo.numbers`, and `plivo.numbers.script` says what requests for them meet.

A behaviour is `what[:argument][+accept]`:

    202, 400, 503, ...    that status; 202 accepts, the others only with `+accept`; `429:7` has Retry-After: 7
    garbage               202 with broken JSON          reset-before    connection reset, nothing read
    empty                 202 without a body            reset-after     connection reset after reading
    no-uuid               202 with an empty list        silent          read, never answered
    huge                  202 with a megabyte           slow:0.5        202 after that many seconds
    truncated             202, breaks off in its body   redirect        307 to the same address
    drip                  202, one byte at a time

Of these the list knows garbage, empty, truncated, huge, reset-before, reset-after, silent, slow:0.5, every status, and

    short                 the first row is left out, and no next page named
    nothing               an empty list that counts no rows, whatever there is
    repeated              the first page whatever the offset
"""

from __future__ import annotations

import argparse
import base64
import contextlib
import json
import random
import secrets
import signal
import socket
import struct
import threading
import uuid
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qsl, urlsplit

from tests.providers import plivo_numbers
from tests.providers.plivo_log import MessageLog, broken_list
from tests.providers.plivo_protocol import PATH, Ledger, complaints, post_signed, report_fields

#: Of the other behaviours, those after which Plivo has the message.
ACCEPTING = {"202", "garbage", "empty", "huge", "truncated", "slow", "drip"}


@dataclass(frozen=True)
class Behaviour:
    what: str
    argument: str
    accepts: bool

    @classmethod
    def parse(cls, written: str) -> Behaviour:
        head, _plus, accept = written.partition("+")
        what, _colon, argument = head.partition(":")
        if accept not in {"", "accept"}:
            raise ValueError(written)
        return cls(what, argument, accepts=bool(accept) or what in ACCEPTING)


@dataclass(frozen=True)
class Reports:
    """The delivery reports that follow an accepted message.

    Each of `statuses` is posted `times` times, each `delay` seconds after the one before, in order or `shuffled`; `to`
    is where to connect instead of the URL's own host (the signature is over the URL as given), to several in turn;
    a report that is not answered 2xx comes again after `retries`.
    """

    statuses: Sequence[str] = ()
    times: int = 1
    shuffled: bool = False
    to: Sequence[str] = ()
    retries: Sequence[float] = ()
    delay: float = 0.0


class Handler(BaseHTTPRequestHandler):
    server: FakePlivo
    protocol_version = "HTTP/1.1"
    # Headers and body in one segment: two writes would meet Nagle's algorithm and wait 40 ms for an ACK.
    wbufsize = -1
    timeout = 30
    behaviour: Behaviour

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  the base class's name
        pass

    def handle_one_request(self) -> None:
        try:
            first = self.connection.recv(200, socket.MSG_PEEK)
        except OSError:
            first = b""
        if not first:
            self.close_connection = True
            return
        listing = first.startswith(b"GET ")
        own = first.startswith(b"POST /control/") or b"/Number/" in first.partition(b"\r\n")[0]
        self.behaviour = Behaviour.parse("202") if own else self.server.next_behaviour(listing=listing)
        if self.behaviour.what == "reset-before":
            if not listing:
                self.server.ledger.write({"behaviour": "reset-before", "accepted": False})
            self._reset()
            return
        with contextlib.suppress(ConnectionError):
            super().handle_one_request()

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if self.path == "/control/inbound":
            self._answer(200, {"uuid": self.server.told_of(json.loads(body))})
            return
        if self._answered_of_number(body):
            return
        match = PATH.fullmatch(self.path)
        account = match["account"] if match else ""
        status, payload, wrong = self._judge(account, body)
        message_uuid = str(uuid.uuid4())
        accepted = not wrong and status == 202 and self.behaviour.accepts
        self.server.ledger.write(
            {
                "behaviour": self.behaviour.what if status == 202 else str(status),
                "accepted": accepted,
                "uuid": message_uuid,
                "account": account,
                "complaints": wrong,
                **{name: payload.get(name) for name in ("src", "dst", "text", "url")},
            }
        )
        report = self.server.reporter(account, message_uuid, payload) if accepted else None
        if status != 202:
            self._answer(status, {"api_id": str(uuid.uuid4()), "error": "; ".join(wrong) or "refused"})
        else:
            self._behave(message_uuid)
        if report:
            report.start()

    def _answered_of_number(self, body: bytes = b"") -> bool:
        match = plivo_numbers.PATH.fullmatch(self.path)
        if match is None:
            return False
        if not self.server.knows(match["account"], self.headers.get("Authorization", "")):
            self._answer(401, {"error": "credentials"})
        else:
            self._answer(*self.server.numbers.answer(self.command, match["account"], match["number"], body))
        return True

    def do_GET(self) -> None:
        if self._answered_of_number():
            return
        parts = urlsplit(self.path)
        match = PATH.fullmatch(parts.path)
        if match is None:
            self._answer(404, {"error": "path"})
        elif not self.server.knows(match["account"], self.headers.get("Authorization", "")):
            self._answer(401, {"error": "credentials"})
        elif wait := self.server.log.wait_needed(match["account"]):
            self._answer(429, {"error": "too many requests"}, {"Retry-After": str(int(wait) + 1)})
        else:
            status, answer, more = self.server.answer_list(match["account"], parts.query, self.behaviour)
            if status:
                self._answer(status, answer, **more)
            else:
                self._behave("")

    def _judge(self, account: str, body: bytes) -> tuple[int, dict[str, Any], list[str]]:
        """The status that the request deserves, whatever the script says; 202 leaves it to the script."""
        try:
            payload = json.loads(body)
        except ValueError:
            payload = None
        wrong = complaints(payload)
        if self.headers.get("Content-Type") != "application/json":
            wrong.append("content type")
        if not self.headers.get("Content-Length"):
            wrong.append("no content length")
        shown = payload if isinstance(payload, dict) else {}
        if not account:
            return 404, shown, ["path"]
        if not self.server.knows(account, self.headers.get("Authorization", "")):
            return 401, shown, [*wrong, "credentials"]
        return (400 if wrong else 202), shown, wrong

    def _behave(self, message_uuid: str) -> None:
        queued = {"api_id": str(uuid.uuid4()), "message": "message(s) queued", "message_uuid": [message_uuid]}
        broken = {
            "garbage": b"{'message_uuid': ",
            "empty": b"",
            "no-uuid": queued | {"message_uuid": [], "invalid_number": ["x"]},
            "huge": queued | {"padding": "x" * 1_000_000},
        }
        argument = self.behaviour.argument
        match self.behaviour.what:
            case "reset-after":
                self._reset()
            case "silent":
                self.close_connection = True
                self.server.closing.wait(float(argument or 30))
            case "truncated":
                self._answer(202, b'{"message_uuid', length=500)
            case "drip":
                self._drip()
            case "redirect":
                self._answer(307, b"", {"Location": self.path})
            case "slow" | "202" as what:
                self.server.closing.wait(float(argument) if what == "slow" else 0)
                self._answer(202, queued)
            case what if what in broken:
                self._answer(202, broken[what])
            case status:
                extra = {"Retry-After": argument} if argument else {}
                self._answer(int(status), {"api_id": str(uuid.uuid4()), "error": "as told"}, extra)

    def _drip(self) -> None:
        self._answer(202, b"", length=500)
        while not self.server.closing.wait(0.05):
            self.wfile.write(b" ")
            self.wfile.flush()

    def _answer(
        self, status: int, body: object, headers: Mapping[str, str] | None = None, length: int | None = None
    ) -> None:
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        for name, value in {"Content-Type": "application/json", **(headers or {})}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content) if length is None else length))
        self.end_headers()
        self.wfile.write(content)
        self.wfile.flush()
        if length is not None:
            self.close_connection = True

    def _reset(self) -> None:
        """RST instead of FIN: a client sees the connection reset and not closed."""
        self.close_connection = True
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()


@dataclass
class SentReport:
    url: str
    status_word: str
    answers: list[int] = field(default_factory=list)


class FakePlivo(ThreadingHTTPServer):
    """The server. `accounts` maps Auth ID to Auth Token; None lets every pair in."""

    daemon_threads = True
    block_on_close = False
    request_queue_size = 256

    def __init__(
        self,
        *,
        port: int = 0,
        accounts: Mapping[str, str] | None = None,
        ledger: Path | None = None,
        faults: Mapping[str, float] | None = None,
        seed: int = 0,
        reports: Reports | None = None,
        log: MessageLog | None = None,
        log_faults: Mapping[str, float] | None = None,
    ) -> None:
        super().__init__(("127.0.0.1", port), Handler)
        self.accounts = accounts
        self.ledger = Ledger(ledger)
        self.default = "202"
        self.closing = threading.Event()
        self.reports = reports or Reports()
        self.sent_reports: list[SentReport] = []
        self.log = log or MessageLog()
        self.numbers = plivo_numbers.Numbers()
        self._faults = dict(faults or {})
        self._log_faults = dict(log_faults or {})
        self._chance = random.Random(seed)
        self._scripted: deque[str] = deque()
        self._scripted_log: deque[str] = deque()
        self._lock = threading.Lock()
        self._reporting = threading.Condition()
        self._unfinished = 0

    def __enter__(self) -> Self:
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.closing.set()
        self.shutdown()
        self.server_close()
        self.ledger.close()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away is what some tests are about."""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    @property
    def entries(self) -> list[dict[str, Any]]:
        return self.ledger.entries

    @property
    def accepted(self) -> int:
        return sum(entry["accepted"] for entry in self.entries)

    def script(self, *behaviours: str) -> None:
        """What the next requests meet, one each."""
        for behaviour in behaviours:
            Behaviour.parse(behaviour)
        with self._lock:
            self._scripted.extend(behaviours)

    def script_log(self, *behaviours: str) -> None:
        """What the next requests for the list meet, one each."""
        for behaviour in behaviours:
            Behaviour.parse(behaviour)
        with self._lock:
            self._scripted_log.extend(behaviours)

    def next_behaviour(self, *, listing: bool = False) -> Behaviour:
        scripted, faults = (self._scripted_log, self._log_faults) if listing else (self._scripted, self._faults)
        with self._lock:
            if scripted:
                return Behaviour.parse(scripted.popleft())
            draw = self._chance.random() if faults or not listing else 1.0
        for behaviour, share in faults.items():
            draw -= share
            if draw < 0:
                return Behaviour.parse(behaviour)
        return Behaviour.parse("202" if listing else self.default)

    def answer_list(self, account: str, query: str, told: Behaviour) -> tuple[int, object, dict[str, Any]]:
        """Status, body and the rest of an answer to a request for the list; 0 where none comes.

        Its word for a reply's status is that of the last report.
        """
        status = self.reports.statuses[-1] if self.reports.statuses else "sent"
        parameters = dict(parse_qsl(query)) | ({"offset": "0"} if told.what == "repeated" else {})
        try:
            listed = self.log.listed(account, self.entries, parameters, status)
        except (ValueError, KeyError) as error:
            return 400, {"error": str(error)}, {}
        if told.what in {"202", "slow", "repeated"}:
            self.closing.wait(float(told.argument) if told.what == "slow" else 0)
            return 200, listed, {}
        return broken_list(listed, told.what, told.argument)

    def told_of(self, message: Mapping[str, Any]) -> str:
        """An inbound message from outside this process; returns its id."""
        return self.log.receive(
            message["account"],
            message["from"],
            message["to"],
            message.get("uuid", ""),
            at=message.get("at"),
            units=message.get("units", 1),
        )

    def knows(self, account: str, authorization: str) -> bool:
        if self.accounts is None:
            return authorization.startswith("Basic ")
        pair = f"{account}:{self.accounts.get(account, secrets.token_hex())}"
        return authorization == "Basic " + base64.b64encode(pair.encode()).decode()

    def reporter(self, account: str, message_uuid: str, payload: Mapping[str, Any]) -> threading.Thread | None:
        """A thread, not yet started, that will report on an accepted message; None where none is asked for."""
        if not self.reports.statuses or not self.accounts:
            return None
        with self._reporting:
            self._unfinished += 1
        arguments = (self.accounts[account], message_uuid, dict(payload))
        return threading.Thread(target=self._report_and_tell, args=arguments, daemon=True)

    def wait_for_reports(self, seconds: float = 10.0) -> bool:
        """Return when every report on what was accepted was answered or given up; False after `seconds`."""
        with self._reporting:
            return self._reporting.wait_for(lambda: self._unfinished == 0, seconds)

    def _report_and_tell(self, token: str, message_uuid: str, payload: Mapping[str, Any]) -> None:
        try:
            self._report(token, message_uuid, payload)
        finally:
            with self._reporting:
                self._unfinished -= 1
                self._reporting.notify_all()

    def _report(self, token: str, message_uuid: str, payload: Mapping[str, Any]) -> None:
        numbered = [*enumerate(self.reports.statuses, start=1)] * self.reports.times
        if self.reports.shuffled:
            with self._lock:
                self._chance.shuffle(numbered)
        for sequence, status in numbered:
            self.closing.wait(self.reports.delay)
            sent = SentReport(payload["url"], status)
            self.sent_reports.append(sent)
            for pause in (0.0, *self.reports.retries):
                if self.closing.wait(pause) and pause:
                    return
                fields = report_fields(message_uuid, payload["src"], payload["dst"], status, sequence)
                to = self.reports.to[sequence % len(self.reports.to)] if self.reports.to else ""
                sent.answers.append(post_signed(payload["url"], fields, token, to))
                if 200 <= sent.answers[-1] < 300:
                    break


def _pairs(written: str) -> Iterator[tuple[str, str]]:
    for part in filter(None, written.split(",")):
        name, _equals, value = part.rpartition("=")
        yield name, value


def main(arguments: Iterable[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--ledger", type=Path)
    parser.add_argument("--account", action="append", default=[], metavar="AUTH_ID:AUTH_TOKEN")
    parser.add_argument("--faults", default="", metavar="BEHAVIOUR=SHARE,...")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--reports", default="", metavar="STATUS,...")
    parser.add_argument("--report-times", type=int, default=1)
    parser.add_argument("--report-shuffled", action="store_true")
    parser.add_argument("--report-to", default="", metavar="URL,...")
    parser.add_argument("--report-delay", type=float, default=0.0, metavar="SECONDS")
    parser.add_argument("--report-retries", default="", metavar="SECONDS,...")
    parser.add_argument("--log-lag", type=float, default=0.0, metavar="SECONDS")
    parser.add_argument("--log-redacted", action="store_true")
    parser.add_argument("--log-requests", type=int, default=None, metavar="A_MINUTE")
    parser.add_argument("--log-faults", default="", metavar="BEHAVIOUR=SHARE,...")
    given = parser.parse_args(None if arguments is None else list(arguments))
    faults = {name: float(share) for name, share in _pairs(given.faults)}
    log_faults = {name: float(share) for name, share in _pairs(given.log_faults)}
    for behaviour in (*faults, *log_faults):
        Behaviour.parse(behaviour)
    server = FakePlivo(
        port=given.port,
        accounts=dict(pair.split(":", 1) for pair in given.account) or None,
        ledger=given.ledger,
        faults=faults,
        seed=given.seed,
        log=MessageLog(lag=given.log_lag, redacted=given.log_redacted, requests_per_minute=given.log_requests),
        log_faults=log_faults,
        reports=Reports(
            statuses=[word for word in given.reports.split(",") if word],
            times=given.report_times,
            shuffled=given.report_shuffled,
            to=[url for url in given.report_to.split(",") if url],
            delay=given.report_delay,
            retries=[float(pause) for pause in given.report_retries.split(",") if pause],
        ),
    )
    stopped = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopped.set())
    with server:
        print(server.url, flush=True)  # noqa: T201  whoever started us reads the port here
        stopped.wait()


if __name__ == "__main__":
    main()
