"""The test of a connection: what a provider says of an account and its numbers, and what to enter where it is wrong."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from django.conf import settings
from django.urls import reverse
from django.utils.translation import gettext as _

from hotlines.models import Account, Hotline
from privacy import vault

from . import registry
from .base import Credentials, Finding, Line, Unavailable, right, unknown, wrong


@dataclass(frozen=True)
class Examined:
    """An account's findings, and the addresses that belong to each of its numbers."""

    findings: Sequence[Finding]
    lines: Sequence[tuple[Hotline, Line]]

    @property
    def right(self) -> bool:
        """Whether nothing was found wrong; what cannot be asked is not."""
        return not any(finding.ok is False for finding in self.findings)


def line_of(hotline: Hotline) -> Line:
    """The addresses at which the provider must reach the hotline."""
    named = {"provider": hotline.account.provider, "token": hotline.hook_token}
    message, call = (f"{settings.PUBLIC_URL}{reverse(name, kwargs=named)}" for name in ("hook-message", "hook-call"))
    return Line(hotline.number, message, call if hotline.calls != Hotline.Calls.REJECT else "")


def examine(account: Account) -> Examined:
    """Ask the provider, which may take some seconds. Nothing is changed, and nothing is sent to anybody."""
    hotlines = account.hotlines.exclude(state=Hotline.State.RETIRED).select_related("account").order_by("name")
    lines = [(hotline, line_of(hotline)) for hotline in hotlines]
    try:
        provider, credentials = registry.get(account.provider), account.credentials
    except registry.UnknownProvider:
        return Examined([wrong(_("This provider is not offered here."))], lines)
    except vault.Unreadable:
        return Examined([wrong(_("The key of the credentials is gone: enter them again."))], lines)
    if not credentials:
        return Examined([wrong(_("The account has no credentials yet."))], lines)
    findings = list(provider.examine([line for _hotline, line in lines], credentials))
    if not lines:
        findings.append(unknown(_("No number uses this account yet.")))
    return Examined(findings, lines)


# --- what the providers' files say it with ----------------------------------------------------------------------------
def asked(
    account: Callable[[], Iterable[Finding]], number: Callable[[Line], Iterable[Finding]], lines: Sequence[Line]
) -> list[Finding]:
    """The account's findings, and then each number's: what cannot be had is a finding too."""
    try:
        found = list(account())
    except Unavailable as error:
        return [_refused(error)]
    for line in lines:
        try:
            found += number(line)
        except Unavailable as error:
            words = _("%(number)s: the provider says nothing of this number (%(code)s). Does the account own it?")
            found.append(wrong(words % {"number": line.number, "code": error}))
    return found


def _refused(error: Unavailable) -> Finding:
    code = str(error)
    if code in {"401", "403"}:
        return wrong(_("The provider refuses the credentials (%(code)s). Enter them again.") % {"code": code})
    words = _("The provider could not be asked (%(code)s). Look at the address and at its status page.")
    return wrong(words % {"code": code})


def address(line: Line, what: str, written: object, wanted: str) -> Finding:
    """Whether the address that a provider has is ours. What stands behind # is not sent."""
    named = {"number": line.number, "what": what}
    if isinstance(written, str) and written.partition("#")[0] == wanted:
        return right(_("%(number)s: %(what)s is right.") % named)
    if not written:
        return wrong(_("%(number)s: %(what)s is empty. Enter the address below.") % named)
    return wrong(_("%(number)s: %(what)s is another address. Enter the one below.") % named)


def nothing_to_ask(_lines: Sequence[Line], _credentials: Credentials) -> list[Finding]:
    """Of a gateway that answers no questions."""
    return [unknown(_("This gateway cannot be asked. Text a number of it, and look whether a message arrives."))]
