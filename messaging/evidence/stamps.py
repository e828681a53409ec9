"""Time stamps (RFC 3161) of the daily seals: somebody else's word that a seal existed at a time.

The authority is told a hash and nothing else. A seal that got no stamp asks again with the next run; what is stored was
verified against the certificates that the operator trusts.
"""

from __future__ import annotations

import datetime
import logging
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
from cryptography import x509
from django.conf import settings
from django.utils import timezone

from . import chaining
from .models import Head

if TYPE_CHECKING:
    from rfc3161_client import TimeStampResponse

log = logging.getLogger("paravent.evidence")

#: A seal that is older than this asks no more: a stamp of today says nothing about a day long past.
ASKED_FOR = datetime.timedelta(days=30)
#: Seals that are stamped in one run, so that a run ends.
BATCH = 100
_TIMEOUT = 10.0
_TYPE = "application/timestamp-query"
#: RFC 3161 sets no limit; real answers with certificates are under 10 kB.
_LONGEST = 100_000


class Refused(Exception):
    """The authority could not be reached, or what it answered is no stamp of what it was asked for."""


def stamp_heads(now: datetime.datetime | None = None) -> int:
    """Have the seals stamped that are not; returns how many were. The first failure ends the run."""
    if not settings.TSA_URL:
        return 0
    now, made = now or timezone.now(), 0
    waiting = Head.objects.filter(stamp=None, day__gt=(now - ASKED_FOR).date()).select_related("hotline")
    for head in waiting.order_by("day", "pk")[:BATCH]:
        try:
            stamp = stamped(content_of(head))
        except Refused as error:
            log.error("the time stamp of seal %s was refused: %s", head.pk, error)
            return made
        made += Head.objects.filter(pk=head.pk, stamp=None).update(stamp=stamp)
    return made


def content_of(head: Head) -> bytes:
    """What the signature and the stamp of a seal are over."""
    return chaining.signed(head.hotline, head.day, head.position, bytes(head.value))


def stamped(content: bytes) -> bytes:
    """The authority's answer (TimeStampResp, DER) over `content`, verified. Raises `Refused`."""
    # Here and below: few processes ever ask for a stamp, and all would load the libraries.
    from rfc3161_client import (  # noqa: PLC0415
        HashAlgorithm,
        TimestampRequestBuilder,
        VerificationError,
        VerifierBuilder,
    )

    asked = TimestampRequestBuilder(content, HashAlgorithm.SHA256).build()
    try:
        answer = httpx.post(
            settings.TSA_URL, content=asked.as_bytes(), headers={"Content-Type": _TYPE}, timeout=_TIMEOUT
        )
        answer.raise_for_status()
    except httpx.HTTPError as error:
        raise Refused(type(error).__name__) from error
    if len(answer.content) > _LONGEST:
        raise Refused("too long")
    builder = VerifierBuilder.from_request(asked)
    for certificate in certificates():
        builder = builder.add_root_certificate(certificate)
    try:
        builder.build().verify_message(_decoded(answer.content), content)
    except (VerificationError, ValueError, TypeError) as error:
        raise Refused(str(error)) from error
    return answer.content


def time_of(stamp: bytes) -> datetime.datetime:
    """When the authority says that it was."""
    return _decoded(stamp).tst_info.gen_time


def certificates() -> list[x509.Certificate]:
    """The ones that the operator trusts. Raises `OSError` and `ValueError` for a file that holds none."""
    return x509.load_pem_x509_certificates(Path(settings.TSA_CERTIFICATES).read_bytes())


def _decoded(answer: bytes) -> TimeStampResponse:
    """Raises `ValueError` and `TypeError` for what is no answer with a stamp.

    OpenSSL, and so many an authority, sends its certificates in any order, where DER wants a SET sorted (X.690, 11.6);
    the library insists. The signature does not cover them, so they are put in order first.
    """
    from asn1crypto import cms, tsp  # noqa: PLC0415
    from rfc3161_client import decode_timestamp_response  # noqa: PLC0415

    response = tsp.TimeStampResp.load(answer)
    signed = response["time_stamp_token"]["content"]
    if len(signed["certificates"]) > 1:
        signed["certificates"] = cms.CertificateSet(sorted(signed["certificates"], key=lambda one: one.dump()))
    return decode_timestamp_response(response.dump())
