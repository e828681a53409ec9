"""What `manage.py doctor` asks besides `health`: once, by a person who sets an installation up or looks for a fault.

Unlike health it asks others (the public address, the providers), takes its time, and names accounts and numbers of the
installation. It changes nothing and sends nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import httpx
from django.conf import settings
from django.core.checks import ERROR, run_checks
from django.db import DatabaseError, InterfaceError
from django.utils import timezone

from conversations import sql
from evidence import stamps
from hotlines import readiness
from hotlines.models import Account, Hotline
from privacy import vault
from providers import examining

from . import health

#: Seconds by which this host's clock may differ from the database's: leases and paces are judged by both.
_CLOCK = 2.0
#: And from the time-stamping authority's, which is told in whole seconds and comes over the network.
_STAMP_CLOCK = 10.0
_TIMEOUT = 10.0


@dataclass(frozen=True)
class Line:
    """One line of the report: well, not well, or None where nobody can tell; about what; and what to do."""

    ok: bool | None
    about: str
    says: str


def examine(*, ask_providers: bool = True) -> Iterator[Line]:
    """All of it, the cheapest first; what needs the database ends where it does not answer."""
    yield from _settings()
    findings = health.ask([name for name in health.NAMES if name != health.WEB], port=0)
    yield from (Line(finding.ok, finding.name, finding.says) for finding in findings)
    yield _public_address()
    if not findings[0].ok:
        return
    try:
        yield _clock()
        yield from _keys()
        yield from _hotlines()
        if ask_providers:
            yield from _accounts()
            yield from _stamps()
    except (DatabaseError, InterfaceError) as error:
        yield Line(ok=False, about="database", says=f"failed in between: {type(error).__name__}. Ask again.")


def _settings() -> Iterator[Line]:
    """Django's own checks and ours, with those of a deployment where this is one."""
    found = [message for message in run_checks(include_deployment_checks=not settings.DEMO) if message.level >= ERROR]
    if not found:
        yield Line(ok=True, about="settings", says="nothing is unsafe" + (" (a demo)" if settings.DEMO else ""))
    for message in found:
        yield Line(ok=False, about="settings", says=f"{message.id}: {message.msg}")


def _public_address() -> Line:
    """Whether `PUBLIC_URL`, asked from here, leads to this application. A provider asks from elsewhere."""
    url = f"{settings.PUBLIC_URL}{health.NO_DATABASE}"
    try:
        answer = httpx.get(url, timeout=_TIMEOUT, follow_redirects=False)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        says = f"{settings.PUBLIC_URL} cannot be reached from here ({type(error).__name__}): look at name, proxy, TLS."
        return Line(ok=False, about="address", says=says)
    ours = answer.status_code == httpx.codes.FOUND and answer.headers.get("location") == "/"
    if not ours:
        says = f"{settings.PUBLIC_URL} is answered by something else ({answer.status_code}): look at the proxy."
        return Line(ok=False, about="address", says=says)
    return Line(
        ok=True,
        about="address",
        says=f"{settings.PUBLIC_URL} leads here; that it does from outside too is yours to see.",
    )


def _clock() -> Line:
    seconds = abs(sql.clock_ahead().total_seconds())
    says = f"{seconds:.1f} s between this host and the database"
    if seconds > _CLOCK:
        says += ": let a time service set both"
    return Line(ok=seconds <= _CLOCK, about="clock", says=says)


def _keys() -> Iterator[Line]:
    """Whether what was sealed can be opened: every account's credentials."""
    lost = []
    accounts = Account.objects.exclude(credentials_sealed=b"").order_by("pk")
    for account in accounts:
        try:
            account.credentials  # noqa: B018  it opens them
        except vault.Unreadable:
            lost.append(account.label)
    if lost:
        says = f"the key of {', '.join(lost)} is gone: is PARAVENT_MASTER_KEY the one that sealed them?"
        yield Line(ok=False, about="keys", says=says)
    else:
        yield Line(ok=True, about="keys", says=f"all credentials can be opened ({len(accounts)})")


def _hotlines() -> Iterator[Line]:
    """Numbers that people think answer, and that lack something."""
    for hotline in Hotline.objects.filter(state=Hotline.State.ACTIVE).select_related("account", "organization"):
        missing = readiness.missing(hotline)
        if not hotline.pins.exists():
            missing.append("No signed request has arrived yet: text it.")
        if missing:
            yield Line(ok=False, about=hotline.number, says=" ".join(missing))
        else:
            yield Line(ok=True, about=hotline.number, says="answers")


def _accounts() -> Iterator[Line]:
    for account in Account.objects.select_related("organization").order_by("organization", "pk"):
        if account.sending_paused_at:
            yield Line(ok=False, about=account.label, says=f"sending is paused ({account.sending_paused_reason}).")
        for finding in examining.examine(account).findings:
            yield Line(finding.ok, account.label, finding.says)


def _stamps() -> Iterator[Line]:
    """Whether the time-stamping authority stamps, and what its clock says of ours."""
    if not settings.TSA_URL:
        return
    try:
        stamp = stamps.stamped(b"paravent doctor")
    except (stamps.Refused, OSError, ValueError) as error:
        says = f"no stamp: {error}. Are PARAVENT_TSA_URL and PARAVENT_TSA_CERTIFICATES those of one authority?"
        yield Line(ok=False, about="time stamps", says=says)
        return
    seconds = abs((timezone.now() - stamps.time_of(stamp)).total_seconds())
    says = f"{settings.TSA_URL} stamps; its clock and ours differ by {seconds:.0f} s"
    yield Line(ok=seconds <= _STAMP_CLOCK, about="time stamps", says=says)
