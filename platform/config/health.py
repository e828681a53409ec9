"""Whether this installation does its work: what `manage.py health` asks, one function for each question.

No answer holds a number, a text, a name or a row's id, so it may go into any monitoring. Nothing here waits long: the
database and the cache have their time-outs, and whoever asks has one too.
"""

from __future__ import annotations

import datetime
import http.client
import secrets
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from urllib.parse import urlsplit

from django.conf import settings
from django.core.cache import caches
from django.db import DatabaseError, InterfaceError, connection
from django.db.migrations.executor import MigrationExecutor
from django.db.models import Exists, Min, OuterRef, Q

from conversations import retention
from conversations.models import Reply
from hotlines.models import Account
from inbox import deadline, spool
from outbox import clock, restored, routing, sweeps
from outbox.models import SweepTurn
from providers.models import LogReading

#: Seconds after which something that goes on all the time has stopped (SECURITY.md L1: settled within 5 minutes).
STUCK_AFTER = 300
#: Periods that a sweep may be late by, and the least time that counts as late.
_KEPT_TOO_LONG = datetime.timedelta(hours=2)
_PERIODS, _AT_LEAST = 3, 60
_WEB_TIMEOUT = 5.0
#: A page that every middleware takes part in and no database; it redirects, so that no log has a line for each look.
NO_DATABASE = "/i18n/setlang/"

Value = int | float | str | None


@dataclass(frozen=True)
class Finding:
    """The answer to one question; `says` is for people, `values` are the same as numbers."""

    name: str
    ok: bool
    says: str
    values: dict[str, Value] = field(default_factory=dict)


def database() -> Finding:
    start = time.monotonic()
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
        cursor.fetchone()
    milliseconds = round((time.monotonic() - start) * 1000)
    return Finding("database", ok=True, says=f"answers in {milliseconds} ms", values={"milliseconds": milliseconds})


def migrations() -> Finding:
    executor = MigrationExecutor(connection)
    missing = len(executor.migration_plan(executor.loader.graph.leaf_nodes()))
    says = f"{missing} are missing: run `manage.py migrate`" if missing else "all applied"
    return Finding("migrations", ok=not missing, says=says, values={"missing": missing})


def cache() -> Finding:
    """Also the broker: both are the one Redis or Valkey. Nothing is lost without it, but replies wait."""
    if not settings.REDIS_URL:
        return Finding("cache", ok=True, says="in this process's memory")
    name, value = f"health-{secrets.token_hex(8)}", secrets.token_hex(8)
    try:
        caches["default"].set(name, value, timeout=60)
        kept = caches["default"].get(name) == value
        caches["default"].delete(name)
    except Exception as error:  # noqa: BLE001  each driver has its own, and what they say may hold a password
        return Finding("cache", ok=False, says=f"does not answer: {type(error).__name__}")
    return Finding("cache", ok=kept, says="answers" if kept else "forgets at once what it is given")


def disk() -> Finding:
    """The spool of this host: writable, nothing set aside, and nothing that waits for long."""
    own = spool.current()
    if not settings.SPOOL_DIR.is_dir():  # not made here: who asks may be another user than who serves
        return Finding("spool", ok=False, says="there is none yet: `manage.py serve` makes it")
    try:
        own.prepare()
    except OSError as error:
        return Finding("spool", ok=False, says=f"cannot be written: {error.strerror}")
    depth, share, oldest = own.depth(), own.share(), _oldest_waiting()
    needs_a_person = depth.failed + depth.corrupt
    values: dict[str, Value] = {
        "waiting_bytes": depth.bytes,
        "waiting_seconds": oldest,
        "share": round(share, 3),
        "failed": depth.failed,
        "corrupt": depth.corrupt,
    }
    if needs_a_person:
        says = f"{depth.failed} files failed and {depth.corrupt} are damaged: see `manage.py spool`"
    elif oldest:
        says = f"{depth.bytes} bytes wait since {oldest} s, {share:.0%} of the room"
    else:
        says = "writable, nothing waits"
    return Finding("spool", ok=not needs_a_person and oldest <= STUCK_AFTER, says=says, values=values)


def _oldest_waiting() -> int:
    """Seconds since the oldest segment that holds something was begun or last written; 0 where nothing waits."""
    times = []
    for path in spool.current().segments():
        try:
            status = path.stat()
        except FileNotFoundError:
            continue  # taken into the database meanwhile
        if status.st_size:
            times.append(status.st_mtime)
    return max(1, int(time.time() - min(times))) if times else 0


def sending() -> Finding:
    """Whether a person has to say first that this database is no backup (`outbox.restored`)."""
    since = restored.stopped_since()
    seconds = _age(since, clock.shared_now())
    says = "goes on" if since is None else f"stopped since {seconds} s, after a restore: run `manage.py restored`"
    return Finding("sending", ok=since is None, says=says, values={"stopped_seconds": seconds})


def replies() -> Finding:
    """The oldest reply that could leave now. One that is held back by its account or its conversation is not late."""
    now = clock.shared_now()
    in_flight = Reply.objects.filter(conversation=OuterRef("conversation"), state__in=Reply.IN_FLIGHT)
    free = Reply.objects.filter(routing.could_leave(now), ~Exists(in_flight), state__in=Reply.WAITING, due_at__lte=now)
    waiting = Reply.objects.filter(state__in=Reply.WAITING, due_at__lte=now).count()
    seconds = _age(free.aggregate(oldest=Min("due_at"))["oldest"], now)
    says = f"{waiting} due, the oldest that may leave since {seconds} s"
    if seconds > STUCK_AFTER:
        says += ": does a worker run, and a scheduler?"
    return Finding("replies", ok=seconds <= STUCK_AFTER, says=says, values={"due": waiting, "oldest_seconds": seconds})


def outcomes() -> Finding:
    """Claims that nobody ended, and replies of which nobody knows whether they were sent."""
    now = clock.shared_now()
    states = Reply.objects.values_list("state", flat=True)
    unknown = states.filter(state=Reply.State.UNKNOWN).count()
    day = now - datetime.timedelta(days=1)
    final = states.filter(state=Reply.State.UNKNOWN_FINAL, finished_at__gt=day).count()
    too_old = now - datetime.timedelta(seconds=settings.CLAIM_LEASE + STUCK_AFTER)
    stuck = states.filter(state=Reply.State.CLAIMED, claimed_at__lt=too_old).count()
    says = f"{unknown} unknown, {final} unknown for good since a day"
    if stuck:
        says += f", {stuck} claimed and never ended: does a scheduler run?"
    values: dict[str, Value] = {"unknown": unknown, "unknown_final_last_day": final, "claims_never_ended": stuck}
    return Finding("outcomes", ok=not stuck, says=says, values=values)


def providers() -> Finding:
    """Accounts that send nothing now, and how far the providers' lists are read: for a person to know, no failure."""
    now = clock.shared_now()
    silent = Account.objects.filter(next_attempt_at__isnull=False).count()
    held = Account.objects.filter(Q(sending_paused_at__isnull=False) | Q(resume_sending_at__gt=now)).count()
    read = LogReading.objects.aggregate(oldest=Min("inbound_until"))["oldest"]
    says = f"{silent} accounts whose provider is silent, {held} paused"
    if read is not None:
        says += f", lists read until {_age(read, now)} s ago"
    values: dict[str, Value] = {
        "silent": silent,
        "paused": held,
        "list_read_seconds_ago": None if read is None else _age(read, now),
    }
    return Finding("providers", ok=True, says=says, values=values)


def schedule() -> Finding:
    """When the sweeps that run once over all hosts last had their turn; one that never had one is not late yet."""
    now = clock.shared_now()
    turns = dict(SweepTurn.objects.values_list("name", "free_at"))
    ages: dict[str, Value] = {}
    late = []
    for sweep in sweeps.schedule():
        if sweep.name in turns:
            ages[sweep.name] = age = _age(turns[sweep.name] - datetime.timedelta(seconds=sweep.every), now)
            if age > max(_PERIODS * sweep.every, _AT_LEAST):
                late.append(f"{sweep.name} {age} s ago")
    if not ages:
        return Finding("sweeps", ok=True, says="no row tells: one process runs them, or none has run yet")
    says = f"last ran {', '.join(late)}: do a scheduler and a worker run?" if late else f"{len(ages)} in time"
    return Finding("sweeps", ok=not late, says=says, values=ages)


def kept() -> Finding:
    """By how much the oldest text or number has outlived its time; erased every hour, so two hours are too many."""
    late = retention.oldest_beyond(clock.shared_now())
    hours = round(late.total_seconds() / 3600, 1)
    says = "nothing is kept longer than its number allows"
    if late:
        says = f"the oldest is {hours} h beyond its time" + (
            ": does the sweep keep_no_longer run?" if hours > 2 else ""
        )
    return Finding("retention", ok=late <= _KEPT_TOO_LONG, says=says, values={"hours_beyond": hours})


def web(port: int) -> Finding:
    """Whether the web process on this machine's `port` answers. It may well do so without a database."""
    host = settings.ALLOWED_HOSTS[0].lstrip(".") if settings.ALLOWED_HOSTS else urlsplit(settings.PUBLIC_URL).netloc
    asked = http.client.HTTPConnection("127.0.0.1", port, timeout=_WEB_TIMEOUT)
    try:
        asked.request("GET", NO_DATABASE, headers={"Host": host})
        status = asked.getresponse().status
    except (OSError, http.client.HTTPException) as error:
        return Finding("web", ok=False, says=f"nothing answers on port {port}: {type(error).__name__}")
    finally:
        asked.close()
    answers = status == http.HTTPStatus.FOUND
    says = f"answers on port {port}" if answers else f"answers {status} on port {port}"
    return Finding("web", ok=answers, says=says, values={"status": status})


def _age(since: datetime.datetime | None, now: datetime.datetime) -> int:
    return 0 if since is None else max(0, int((now - since).total_seconds()))


#: What the database has to answer, itself first.
OF_DATABASE: dict[str, Callable[[], Finding]] = {
    "database": database,
    "migrations": migrations,
    "sending": sending,
    "replies": replies,
    "outcomes": outcomes,
    "providers": providers,
    "sweeps": schedule,
    "retention": kept,
}
OF_HOST: dict[str, Callable[[], Finding]] = {"cache": cache, "spool": disk}
#: Asked only where there is a port to ask.
WEB = "web"
NAMES = (*OF_DATABASE, *OF_HOST, WEB)


def ask(names: Sequence[str], port: int) -> list[Finding]:
    """The findings in the order of `NAMES`. A database that does not answer is asked once, not by every question."""
    first = _of_database("database") if OF_DATABASE.keys() & set(names) else None
    findings = []
    for name in (name for name in NAMES if name in names):
        if name == WEB:
            findings.append(web(port))
        elif name in OF_HOST:
            findings.append(OF_HOST[name]())
        elif first is not None and (name == first.name or not first.ok):
            findings.append(replace(first, name=name))
        else:
            findings.append(_of_database(name))
    return findings


def _of_database(name: str) -> Finding:
    try:
        with deadline.armed():
            return OF_DATABASE[name]()
    except (DatabaseError, InterfaceError) as error:
        return Finding(name, ok=False, says=f"the database does not answer this: {type(error).__name__}")
