"""Exports that keys asked for are made, and forgotten after a day."""

from __future__ import annotations

import array
import datetime
import json
import logging
import zlib
from collections.abc import Iterator

from django.db.models import Q
from django.utils import timezone, translation
from rest_framework.renderers import JSONRenderer

from conversations.models import Conversation
from outbox import faults

from .api import conversations
from .models import ApiWrite, ExportJob
from .models.jobs import LIFE

log = logging.getLogger("paravent.partners")

_BATCH, _MOST_ATTEMPTS = 500, 3
#: After so long whoever had claimed one is taken for dead.
_LEASE = datetime.timedelta(minutes=10)
#: How long an answer is kept for a request that comes again, and the record of a change itself.
_ANSWERS_KEPT, _WRITES_KEPT = datetime.timedelta(days=1), datetime.timedelta(days=396)


def make_exports(now: datetime.datetime | None = None) -> int:
    """The sweep: each that waits, the oldest first; returns how many were made."""
    now = now or timezone.now()
    waiting = ExportJob.objects.filter(state=ExportJob.State.WAITING)
    # One that ended its process three times would end the next one too.
    waiting.filter(attempts__gte=_MOST_ATTEMPTS, claimed_at__lt=now - _LEASE).update(
        state=ExportJob.State.FAILED, finished_at=now
    )
    due = waiting.filter(Q(claimed_at__isnull=True) | Q(claimed_at__lt=now - _LEASE)).defer("content")
    return sum(_make(job, now) for job in due.select_related("key").order_by("pk")[:20])


def _make(job: ExportJob, now: datetime.datetime) -> bool:
    """Claimed first: another process takes it again only when the lease is over."""
    waiting = ExportJob.objects.filter(pk=job.pk, state=ExportJob.State.WAITING)
    if not waiting.filter(attempts=job.attempts).update(attempts=job.attempts + 1, claimed_at=now):
        return False
    ended = {"state": ExportJob.State.FAILED, "finished_at": now}
    if not job.key.usable:
        waiting.update(**ended)
        return False
    try:
        ids = _chosen(job)
    except Exception as error:  # noqa: BLE001  one export must not keep all others waiting
        log.error("export %s failed: %s", job.pk, faults.named(error))
        waiting.update(**(ended if job.attempts + 1 >= _MOST_ATTEMPTS else {"claimed_at": None}))
        return False
    content = zlib.compress(ids.tobytes())
    done = waiting.update(state=ExportJob.State.DONE, rows=len(ids), content=content, finished_at=timezone.now())
    return bool(done)


def _chosen(job: ExportJob) -> array.array[int]:
    """The conversations of a job, in their order."""
    rows = Conversation.objects.filter(
        hotline=job.hotline_id, last_message_at__gte=job.since, last_message_at__lt=job.until
    )
    return array.array("q", rows.order_by("pk").values_list("pk", flat=True).iterator(chunk_size=10_000))


def file_of(job: ExportJob) -> Iterator[bytes]:
    """Its lines, compressed as they are read: as the list of conversations tells them now. Who was erased since is not
    among them.
    """
    ids = array.array("q")
    ids.frombytes(zlib.decompress(bytes(job.content or b"")))
    packed = zlib.compressobj(wbits=31)
    with translation.override("en"):
        for start in range(0, len(ids), _BATCH):
            now = timezone.now()
            rows = conversations.rows_of(job.key, now).filter(pk__in=ids[start : start + _BATCH].tolist())
            for row in rows.order_by("pk"):
                line = json.loads(JSONRenderer().render(conversations.told(row, now)))
                yield packed.compress(json.dumps(line, ensure_ascii=False).encode() + b"\n")
    yield packed.flush()


def forget_what_keys_left(now: datetime.datetime | None = None) -> int:
    """Files after a day, answers for repeated requests after a day, the record of changes after 13 months."""
    now = now or timezone.now()
    done = ExportJob.objects.filter(state=ExportJob.State.DONE, finished_at__lt=now - LIFE)
    gone = done.update(state=ExportJob.State.EXPIRED, content=None)
    gone += ExportJob.objects.filter(created_at__lt=now - _WRITES_KEPT).delete()[0]
    gone += ApiWrite.objects.filter(~Q(idempotency_key=""), at__lt=now - _ANSWERS_KEPT).update(
        answer=None, idempotency_key=""
    )
    return int(gone + ApiWrite.objects.filter(at__lt=now - _WRITES_KEPT).delete()[0])
