"""Which number takes another's place. Partners and the organization's own site are told, and never a sender.

A raid that gets the successor's number in a reply moves on to it (SECURITY.md 3.4).
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

from . import readiness
from .models import Hotline

State = Hotline.State
#: Digits in a text that may be a number, with what people write between them.
_WRITTEN = re.compile(r"\+?[0-9](?:[\s().\-/\u00a0\u202f]*[0-9]){5,}")
#: So many last digits are the same, however a number's beginning is written: +33, 0033 or 0.
_SAME = 9


def line(hotline: Hotline) -> Iterator[Hotline]:
    """The hotline, its successor, the successor's successor; each once."""
    seen: set[int] = set()
    found: Hotline | None = hotline
    while found is not None and found.pk not in seen:
        yield found
        seen.add(found.pk)
        found = found.successor


def current(hotline: Hotline) -> Hotline | None:
    """The number to show now in the place of `hotline`: itself, or the first of its successors that is active."""
    return next((found for found in line(hotline) if found.state == State.ACTIVE), None)


def spares(hotline: Hotline) -> list[Hotline]:
    """Drafts of the same organization that lack nothing, and so can take its place at once."""
    drafts = Hotline.objects.filter(organization=hotline.organization_id, state=State.DRAFT).exclude(pk=hotline.pk)
    return [draft for draft in drafts.order_by("name") if not readiness.missing(draft)]


def check(hotline: Hotline, successor: Hotline) -> None:
    """Raise `ValidationError`, in words, where `successor` cannot take the place of `hotline`."""
    if hotline in line(successor):
        raise ValidationError(_("The two numbers would send people round in a circle."), code="circle")
    if successor.state == State.DRAFT and (problems := readiness.missing(successor)):
        about = _("%(name)s is not ready to take its place:") % {"name": successor}
        raise ValidationError([about, *problems], code="not_ready")
    if successor.state not in {State.DRAFT, State.ACTIVE}:
        raise ValidationError(_("%(name)s does not answer either.") % {"name": successor}, code="not_ready")


def sentence(hotline: Hotline) -> str:
    """What its people should know: which number partners show instead, or whether one is ready to take over."""
    if hotline.state in {State.SUSPENDED, State.RETIRED}:
        instead = current(hotline)
        if instead is None:
            return _("Partners are told that no number takes its place.")
        return _("Partners show %(name)s in its place. No sender is told.") % {"name": instead}
    if hotline.state != State.ACTIVE:
        return ""
    ready = spares(hotline)
    if not ready:
        return _(
            "No number is ready to take its place. In a raid that lasts, a second one is worth having: add a number "
            "and complete it, and leave it a draft."
        )
    names = ", ".join(str(spare) for spare in ready)
    return _("Ready to take its place within a minute: %(names)s.") % {"names": names}


def check_text(text: str, organization_id: int) -> None:
    """Raise `ValidationError`, in words, where a text for a sender names one of the organization's numbers."""
    named = named_in(text, organization_id)
    if named is not None:
        told = _("The number of %(name)s stands in the text. Whoever gets it would go on there. Take it out.")
        raise ValidationError(told % {"name": named}, code="names a number")


def named_in(text: str, organization_id: int) -> Hotline | None:
    """The organization's hotline whose number stands in `text`, however it is written there."""
    written = {re.sub(r"[^0-9]", "", found)[-_SAME:] for found in _WRITTEN.findall(text)}
    if not written:
        return None
    numbers = Hotline.objects.filter(organization=organization_id)
    return next((hotline for hotline in numbers if hotline.number.removeprefix("+")[-_SAME:] in written), None)
