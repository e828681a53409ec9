"""Changing a text: at once, or by two people where the organization wants that; and what it was before.

Every way to change a text leads through here: the form, the desk of translations, a translator's file, going back to an
older version. What waits for the second person is answered to nobody.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import Count
from django.utils import timezone
from django.utils.translation import gettext as _

from hotlines.models import Hotline
from organizations.models import Organization

from . import lint
from .models import ReplyTemplate, TextVersion

State = TextVersion.State


def needs_approval(organization_id: int) -> bool:
    """Whether a second person must read each text before it is used."""
    return Organization.objects.filter(pk=organization_id, texts_need_approval=True).exists()


def new(hotline: Hotline, language: str, purpose: str, step: int) -> ReplyTemplate:
    """A text of a hotline that is not saved yet, for `write`."""
    return ReplyTemplate(
        organization_id=hotline.organization_id, hotline=hotline, purpose=purpose, step=step, language=language
    )


def write(template: ReplyTemplate, text: str, author: Any, *, source: str = "") -> TextVersion:
    """Give `template`, which may be new, another text; it waits where somebody else has to approve it, and where no
    person wrote it: then `source` says what did, and `author` is who answers for that.

    Raises `ValidationError` for a text that may not be sent, and then changes nothing.
    """
    text = lint.normalized(text)
    template.text, before = text, template.text
    template.full_clean()
    with transaction.atomic():
        waits = bool(source) or needs_approval(template.organization_id)
        if template.pk is None:
            template.approved = not waits
            template.save()
        else:
            _remember(template, before)
            if waits:
                template.text = before
            else:
                template.approved = True
                template.save(update_fields=["text", "approved", "updated_at"])
        return _record(template, text, author, waits=waits, source=source)


def hear_again(template: ReplyTemplate, author: Any) -> TextVersion | None:
    """A recording was changed: what is heard is a text too. None where nobody has to approve; else it is not spoken
    until somebody does.
    """
    if not needs_approval(template.organization_id):
        return None
    with transaction.atomic():
        _remember(template, template.text)
        template.approved = False
        template.save(update_fields=["approved", "updated_at"])
        return _record(template, template.text, author, waits=True)


def approve(version: TextVersion, reader: Any) -> None:
    """Use a text that waits. Raises `ValidationError`, in words."""
    with transaction.atomic():
        row, template = _waiting(version)
        if row.written_by_id == reader.pk:
            raise ValidationError(_("You wrote this text: somebody else must approve it."), code="own")
        template.text, template.approved = row.text, True
        template.full_clean()
        template.save(update_fields=["text", "approved", "updated_at"])
        _decide(row, State.USED, reader)


def refuse(version: TextVersion, reader: Any, reason: str) -> None:
    """Put a text aside that waits; the one before it stays. Raises `ValidationError`, in words."""
    with transaction.atomic():
        row, _template = _waiting(version)
        row.reason = reason
        _decide(row, State.REFUSED, reader)


def waiting(template: ReplyTemplate) -> TextVersion | None:
    return template.versions.filter(state=State.WAITS).select_related("written_by").first()


def count_waiting(organizations: Collection[Organization]) -> dict[int, int]:
    """How many texts wait, by organization: of members, or of a system of theirs."""
    rows = TextVersion.objects.filter(state=State.WAITS, template__organization__in=organizations).order_by()
    return dict(rows.values_list("template__organization").annotate(count=Count("pk")))


def _waiting(version: TextVersion) -> tuple[TextVersion, ReplyTemplate]:
    template = ReplyTemplate.objects.select_for_update().get(pk=version.template_id)
    row = TextVersion.objects.select_for_update().get(pk=version.pk)
    if row.state != State.WAITS:
        raise ValidationError(_("Somebody has decided about this text already."), code="decided")
    return row, template


def _decide(row: TextVersion, state: str, reader: Any) -> None:
    row.state, row.decided_by, row.decided_at = state, reader, timezone.now()
    row.save(update_fields=["state", "decided_by", "decided_at", "reason"])


def _remember(template: ReplyTemplate, text: str) -> None:
    """The text that was there before anybody kept versions, since it was last saved."""
    if not TextVersion.objects.filter(template=template).exists():
        TextVersion.objects.create(template=template, text=text, state=State.USED, written_at=template.updated_at)


def _record(template: ReplyTemplate, text: str, author: Any, *, waits: bool, source: str = "") -> TextVersion:
    """What waited before is put aside by the newer one."""
    TextVersion.objects.filter(template=template, state=State.WAITS).update(
        state=State.REFUSED, decided_at=timezone.now(), reason=_("replaced by a newer text")
    )
    return TextVersion.objects.create(
        template=template, text=text, written_by=author, state=State.WAITS if waits else State.USED, source=source
    )
