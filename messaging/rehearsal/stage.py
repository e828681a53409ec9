"""The real webhook, decisions, detection, budgets, lanes and dispatcher, on a scratch database, under a clock of ours.

Only for a process that was started for it (`scratch.environment`): it turns the process's clock to the trace's time and
puts a provider in place that takes every message and keeps a ledger, which is the witness of what was sent.
"""

from __future__ import annotations

import datetime
import io
import sys
import time
import types
import uuid
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

from django.conf import settings
from django.core.handlers.wsgi import WSGIHandler
from django.core.management import call_command
from django.db import connection
from django.db.models import Q
from django.utils import timezone

from conversations.models import Conversation, Reply
from conversations.words import BlockCause, ReplyState
from hotlines.models import Hotline
from outbox import release, send
from providers import registry
from providers.base import Credentials, Knowledge, Outcome, OutgoingReply
from replies import segments
from replies.models import ReplyTemplate
from shield import baseline, changes, intake, judge, ledger, sentences
from shield.detector import Arrival, Detector, Group, block_of
from shield.likeness import shape
from shield.models import Detachment, HotlineLevel, LevelChange
from simulator import demo, signing

from . import figures
from .figures import Sent
from .result import Change, Result
from .terms import Terms
from .traces import Message, Trace

_SECOND = datetime.timedelta(seconds=1)
#: How long after a message replies leave: where nothing waited, and where others wait already.
_PROMPT, _BUSY = _SECOND, 15 * _SECOND
#: The steps of time while no reply waits, and while only deferred ones do; and the pause between sweeps that nobody
#: waits for.
_QUIET, _IDLE = 900 * _SECOND, 300 * _SECOND
_WEIGH = 15 * _SECOND
#: What was sent late is counted until then.
_AFTERMATH = datetime.timedelta(days=1)


@dataclass
class _Ledger:
    """A provider that takes everything."""

    stage: Stage
    entries: list[Sent] = field(default_factory=list)

    def send(self, reply: OutgoingReply, _credentials: Credentials) -> Outcome:
        self.entries.append(Sent(self.stage.now, f"+{reply.recipient}", segments.count(reply.text).segments))
        return Outcome(Knowledge.ACCEPTED, provider_id=str(uuid.uuid4()), detail="202")


class Stage:
    """Plays one trace. `progress` is told the share of messages that were played."""

    def __init__(self, trace: Trace, terms: Terms, progress: Callable[[float], None] = lambda _share: None) -> None:
        self.trace, self.terms, self._progress = trace, terms, progress
        first = trace.warm_up[0].at if trace.warm_up else trace.starts_at
        self.now = min(first, trace.starts_at)
        self._next, self._calm = self.now, True
        self._weighed = self._tidied = self.now
        self._application = WSGIHandler()
        self._add = Detector.add
        self._ledger = _Ledger(self)
        self.judging: list[float] = []
        self.detector_bytes = 0
        self._largest = 0
        #: Whether the number is disconnected at its provider, and how many messages did not arrive because of it.
        self._off, self._undelivered = False, 0

    def play(self) -> Result:
        """Everything, until a day after the trace's end, and what came of it."""
        self._open()
        self._warm_up()
        for number, message in enumerate(self.trace.messages):
            self._until(message.at)
            if self._off:
                self._undelivered += 1
            else:
                self._deliver(message)
            if number % 200 == 0:
                self._progress(number / len(self.trace.messages))
        self._until(self.trace.ends_at + _AFTERMATH)
        self._progress(1.0)
        return self._result()

    def _result(self) -> Result:
        conversations = Conversation.objects.filter(hotline=self.hotline)
        moved = LevelChange.objects.filter(hotline=self.hotline).order_by("at", "pk")
        early = conversations.filter(block_cause=BlockCause.LIMIT, slots_used__lt=self.terms.reply_limit)
        seen = figures.Seen(
            sent=self._ledger.entries,
            changes=[Change(change.at, change.before, change.after, sentences.cause(change)) for change in moved],
            blocks=conversations.exclude(block_cause="").count(),
            false_blocks=early.count() + conversations.filter(block_cause=BlockCause.PERSON).count(),
            detector_bytes=self.detector_bytes,
            judging=self.judging,
            undelivered=self._undelivered,
        )
        return figures.result(self.trace, seen, self.terms)

    def _open(self) -> None:
        timezone.now = lambda: self.now

        def timed(detector: Detector, arrivals: Iterable[Arrival]) -> dict[int, Group | None]:
            return self._timed(detector, arrivals)

        Detector.add = timed  # type: ignore[method-assign, assignment]
        # Where replies are sent from, and nowhere else: the webhook asks the real provider's file.
        send.registry = types.SimpleNamespace(  # type: ignore[attr-defined, assignment]
            get=lambda _name: self._ledger, UnknownProvider=registry.UnknownProvider
        )
        # One connection for all: opening one for each request would take a tenth of the time, and forget the PRAGMA.
        connection.close()
        connection.settings_dict["CONN_MAX_AGE"] = None
        call_command("migrate", verbosity=0)
        with connection.cursor() as cursor:  # a scratch database need not outlive its machine
            cursor.execute("PRAGMA synchronous=OFF")
        signing.RATE_IN = f"{self.terms.price_in:.5f}"
        demo.load()
        ReplyTemplate.objects.exclude(hotline__kind="anti-relous").delete()
        Hotline.objects.exclude(kind="anti-relous").delete()
        self.hotline = Hotline.objects.select_related("account", "organization").get()
        account, organization = self.hotline.account, self.hotline.organization
        account.price_out, account.price_in = self.terms.price_out, self.terms.price_in
        account.save()
        organization.day_budget, organization.month_budget = self.terms.day_budget, self.terms.month_budget
        organization.save()
        for name in ("reply_limit", "day_budget", "month_budget", "replies_per_hour", "delay_seconds"):
            setattr(self.hotline, name, getattr(self.terms, name))
        self.hotline.inbound_budget = self.terms.inbound_budget or None
        self.hotline.full_clean()
        self.hotline.save()

    def _warm_up(self) -> None:
        """Learn the quiet days, by the code that learns; nobody is answered in them, which would take an hour."""
        watched, known = changes.Watched(self.hotline, self.now), set()
        bins: dict[datetime.datetime, list[Arrival]] = {}
        for number, message in enumerate(self.trace.warm_up):
            if message.sender not in known:
                known.add(message.sender)
                arrival = Arrival(-number, message.at, block_of(message.sender), shape(message.text))
                bins.setdefault(baseline.bin_of(message.at), []).append(arrival)
        moment = baseline.bin_of(self.now)
        while self.trace.warm_up and moment < self.trace.starts_at:
            watched.detector.forget(moment)
            watched.detector.add(bins.get(moment, []))
            watched.learn(moment)
            moment += baseline.BIN
        HotlineLevel.objects.update(usual=watched.usual.dump(), folded_until=moment)
        self.now = self._next = self._weighed = self._tidied = self.trace.starts_at

    # --- time ---------------------------------------------------------------------------------------------------------
    def _until(self, moment: datetime.datetime) -> None:
        while self._next <= moment:
            self.now = self._next
            self._sweep()
            self._next = self.now + self._pause()
        self.now = moment

    def _pause(self) -> datetime.timedelta:
        self._calm = not self._waits()
        if self._calm:
            return _QUIET
        urgent = Q(state=ReplyState.PENDING, slot=1, suspicion="") | Q(state=ReplyState.RELEASED)
        if self.now >= self.trace.ends_at or not Reply.objects.filter(urgent).exists():
            return _IDLE
        return _BUSY if ledger.room(self.hotline, self.now) else _IDLE

    def _sweep(self) -> None:
        if self._waits():
            closed: Any = set()
            while release.release_due(self.now, closed=closed):
                pass
            while send.send_one(self.now):
                pass
        if self.now - self._weighed >= _WEIGH:
            self._weighed = self.now
            judge.weigh_all(self.now)
            self._keep_inbound_budget()
        if self.now - self._tidied >= _IDLE:
            self._tidied = self.now
            release.expire(self.now)
            ledger.settle()
            ledger.clean_up()

    def _keep_inbound_budget(self) -> None:
        """As `outbox.detaching`, with a provider that does at once what it is asked."""
        if not self.terms.inbound_budget:
            return
        intake.count(self.now)
        intake.decide(self.now)
        mine = Detachment.objects.filter(hotline=self.hotline, attached_at__isnull=True)
        mine.filter(ended_at__isnull=False).update(attached_at=self.now)
        mine.filter(detached_at__isnull=True).update(application="rehearsal", detached_at=self.now)
        self._off = mine.exists()

    def _waits(self) -> bool:
        return Reply.objects.filter(state__in=Reply.WAITING).exists()

    def _timed(self, detector: Detector, arrivals: Iterable[Arrival]) -> dict[int, Group | None]:
        """To read, compare and enter senders; their rows are fetched and written by the batch."""
        started = time.perf_counter()
        groups = self._add(detector, arrivals)
        self.judging += [(time.perf_counter() - started) / max(len(groups), 1)] * len(groups)
        self._measure()
        return groups

    def _measure(self) -> None:
        """Weigh the detector when it has grown by a fifth since it was weighed."""
        watched = judge.watched(self.hotline.pk)
        if watched is not None and len(watched.detector) > 1.2 * self._largest:
            self._largest = len(watched.detector)
            self.detector_bytes = max(self.detector_bytes, _weight(watched.detector))

    # --- the provider's side ------------------------------------------------------------------------------------------
    def _deliver(self, message: Message) -> None:
        phone = message.sender.removeprefix("+")
        request = signing.message_request(self.hotline, phone, message.text, uuid.uuid4())
        body = request.body.encode()
        environ = {
            "REQUEST_METHOD": "POST",
            "PATH_INFO": request.path,
            "CONTENT_TYPE": request.headers["Content-Type"],
            "CONTENT_LENGTH": str(len(body)),
            "SERVER_NAME": settings.ALLOWED_HOSTS[0],
            "SERVER_PORT": "80",
            "SERVER_PROTOCOL": "HTTP/1.1",
            "REMOTE_ADDR": "127.0.0.1",
            "wsgi.url_scheme": "http",
            "wsgi.input": io.BytesIO(body),
            "wsgi.errors": sys.stderr,
            **{f"HTTP_{name.upper().replace('-', '_')}": value for name, value in request.headers.items()},
        }
        statuses: list[str] = []

        def start(status: str, _headers: list[tuple[str, str]], _error: Any = None) -> Callable[[bytes], object]:
            statuses.append(status)
            return lambda _body: None

        b"".join(self._application(environ, start))
        if statuses != [f"{HTTPStatus.OK.value} {HTTPStatus.OK.phrase}"]:
            raise RuntimeError(f"the webhook answered {statuses} to a message of the trace")
        if self._waits():
            self._next = min(self._next, self.now + (_PROMPT if self._calm else _BUSY))


def _weight(thing: object, seen: set[int] | None = None) -> int:
    """Bytes of an object and of all that it holds."""
    seen = set() if seen is None else seen
    if id(thing) in seen or callable(thing) or isinstance(thing, type):
        return 0
    seen.add(id(thing))
    total = sys.getsizeof(thing)
    if isinstance(thing, dict):
        parts: Iterable[object] = [*thing.keys(), *thing.values()]
    elif isinstance(thing, str | bytes | int | float | datetime.datetime):
        parts = []
    elif isinstance(thing, Iterable):
        parts = list(thing)
    else:
        parts = []
    parts = [*parts, *vars(thing).values()] if hasattr(thing, "__dict__") else parts
    return total + sum(_weight(part, seen) for part in parts)
