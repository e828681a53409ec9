"""Where the time of one webhook goes: the application called in this process, without a server or a network.

Named steps are timed by wrapping them, which costs about a microsecond each; what they call is inside them. The table
of functions comes from cProfile, which makes everything slower: read its order, not its times.
"""

from __future__ import annotations

import cProfile
import functools
import importlib
import io
import pstats
import time
from collections import defaultdict
from collections.abc import Callable
from typing import Any

from tests.bench.target import BLOCKED_SENDERS, REPLY_LIMIT, Target

_REPEATS = 400
#: As each is looked up when it is called; a step that was renamed is reported, not an error.
STEPS = (
    "django.core.handlers.base:BaseHandler.get_response",
    "django.middleware.common:CommonMiddleware.__call__",
    "config.headers:PolicyMiddleware.process_response",
    "rest_framework.views:APIView.dispatch",
    "rest_framework.views:APIView.initial",
    "inbox.views:SignedHook.post",
    "inbox.hooks:find",
    "inbox.views:SignedHook._signed_request",
    "inbox.views:SignedHook._verify",
    "providers.plivo:Plivo.verify",
    "providers.plivo:Plivo.parse_message",
    "inbox.receive:receive",
    "inbox.rows:message_row",
    "inbox.receive:_draft",
    "inbox.receive:decide",
    "inbox.receive:keyword",
    "shield.answerable:refusal",
    "privacy.pseudonyms:current",
    "privacy.pseudonyms:previous_key",
    "privacy.vault:seal",
    "conversations.at_once:receive_at_once",
    "conversations.at_once:receive_known",
    "inbox.spool:Spool.append",
    "inbox.arrival:Arrival.packed",
    "inbox.fold:fold",
    "conversations.at_once:count_blocked",
    "conversations.sql:count_message",
    "conversations.sql:insert_message",
    "conversations.sql:insert_reply",
    "django.db.backends.base.base:BaseDatabaseWrapper.connect",
    "django.db.backends.base.base:BaseDatabaseWrapper.commit",
    "django.db.backends.base.base:BaseDatabaseWrapper.close",
    "django.db.backends.utils:CursorWrapper.execute",
    "psycopg:Cursor.execute",
)


def environ(raw: bytes) -> dict[str, Any]:
    """A prepared request as the WSGI server would hand it over."""
    head, _, body = raw.partition(b"\r\n\r\n")
    first, *lines = head.decode().split("\r\n")
    method, path, _ = first.split(" ")
    headers = dict(line.split(": ", 1) for line in lines)
    special = {"Content-Type": "CONTENT_TYPE", "Content-Length": "CONTENT_LENGTH"}
    return {
        "REQUEST_METHOD": method,
        "PATH_INFO": path,
        "SCRIPT_NAME": "",
        "QUERY_STRING": "",
        "SERVER_NAME": "127.0.0.1",
        "SERVER_PORT": "8000",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": "127.0.0.1",
        "wsgi.input": io.BytesIO(body),
        "wsgi.errors": io.StringIO(),
        "wsgi.url_scheme": "http",
        **{special.get(name, "HTTP_" + name.upper().replace("-", "_")): value for name, value in headers.items()},
    }


def call(application: Callable[..., Any], raw: bytes) -> None:
    statuses: list[str] = []
    answer = application(environ(raw), lambda status, _headers: statuses.append(status))
    b"".join(answer)
    answer.close()
    if statuses != ["200 OK"]:
        raise RuntimeError(f"answered {statuses}")


def breakdown(target: Target) -> str:
    """Tables of wall microseconds for each case, of the steps of (b) and (c), and of the functions of (b)."""
    application = importlib.import_module("config.wsgi").application
    for _ in range(REPLY_LIMIT):
        for raw in (target.request(sender) for sender in range(BLOCKED_SENDERS)):
            call(application, raw)
    lines = ["case   wall us   CPU us   (in this process, one thread)"]
    for key in "abcd":
        wall, cpu = _timed(application, target.prepared(key, _REPEATS))
        lines.append(f"({key}) {wall:10.0f} {cpu:8.0f}")
    timer = _Timer()
    missing = [step for step in STEPS if not timer.wrap(step)]
    for key in "bc":
        timer.reset()
        for raw in target.prepared(key, _REPEATS):
            call(application, raw)
        lines += [
            "",
            f"steps of ({key}): calls, wall us and CPU us per request, what they call included",
            *timer.lines(),
        ]
    timer.unwrap()
    lines += [f"not there any more: {step}" for step in missing]
    return "\n".join([*lines, "", _functions(application, target)])


def _timed(application: Callable[..., Any], prepared: list[bytes]) -> tuple[float, float]:
    wall, cpu = time.perf_counter(), time.process_time()
    for raw in prepared:
        call(application, raw)
    each = 1e6 / len(prepared)
    return (time.perf_counter() - wall) * each, (time.process_time() - cpu) * each


def _functions(application: Callable[..., Any], target: Target) -> str:
    prepared = target.prepared("b", _REPEATS)
    profiler = cProfile.Profile()
    profiler.enable()
    for raw in prepared:
        call(application, raw)
    profiler.disable()
    text = io.StringIO()
    pstats.Stats(profiler, stream=text).strip_dirs().sort_stats("tottime").print_stats(45)
    return f"functions of (b), {_REPEATS} requests\n{text.getvalue()}"


class _Timer:
    """Wraps functions where they are looked up, and counts and times their calls."""

    def __init__(self) -> None:
        self._calls: dict[str, int] = defaultdict(int)
        self._wall: dict[str, float] = defaultdict(float)
        self._cpu: dict[str, float] = defaultdict(float)
        self._originals: list[tuple[Any, str, Any]] = []

    def wrap(self, step: str) -> bool:
        module, _, path = step.partition(":")
        try:
            owner: Any = importlib.import_module(module)
            *parents, name = path.split(".")
            for parent in parents:
                owner = getattr(owner, parent)
            original = getattr(owner, name)
        except (ImportError, AttributeError):
            return False

        @functools.wraps(original)
        def timed(*args: Any, **kwargs: Any) -> Any:
            wall, cpu = time.perf_counter(), time.thread_time()
            try:
                return original(*args, **kwargs)
            finally:
                self._cpu[step] += time.thread_time() - cpu
                self._wall[step] += time.perf_counter() - wall
                self._calls[step] += 1

        self._originals.append((owner, name, original))
        setattr(owner, name, timed)
        return True

    def unwrap(self) -> None:
        for owner, name, original in self._originals:
            setattr(owner, name, original)

    def reset(self) -> None:
        for counted in (self._calls, self._wall, self._cpu):
            counted.clear()

    def lines(self) -> list[str]:
        each = 1e6 / _REPEATS
        return [
            f"{self._calls[step] / _REPEATS:6.1f} {self._wall[step] * each:9.1f} {self._cpu[step] * each:9.1f}  {step}"
            for step in STEPS
            if self._calls[step]
        ]
