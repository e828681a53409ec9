"""Four eyes: one person asks for an export, another approves it, and the first takes it."""

from __future__ import annotations

import hashlib
import tempfile
from typing import IO, Any

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import timezone, translation
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from conversations import holds
from conversations.models import Conversation
from organizations.models import Organization
from outbox import alerts
from privacy import recipients
from shield.models import LevelChange

from . import bundle, chaining, revealing, subjects
from .models import Export
from .models.export import TAKEN_WITHIN
from .subjects import Subject

#: What is kept in memory of a file before it goes to the disk.
_SPOOLED = 20_000_000


def ask(conversation: Conversation, user: Any, reason: str) -> Export:
    """Keep the conversation as evidence, and ask for its export. The organization is told by mail."""
    with transaction.atomic():
        if holds.of(conversation.pk) is None:
            holds.hold(conversation, user, reason)
        asked = _ask(conversation.organization, user, reason, conversation=conversation, name=conversation.pseudonym)
    _tell(asked, gettext_lazy("%(name)s asks to take a conversation out of Paravent as evidence."))
    return asked


def ask_for_raid(change: LevelChange, user: Any, reason: str) -> Export:
    """Keep what everybody wrote who took part in a raid, and ask for its export. The organization is told by mail.

    Raises `ValidationError` when detection found no group of senders.
    """
    subject = subjects.of_raid(change)
    if not subject.joined:
        raise ValidationError(
            _("Detection found no group of senders in it, so there is nobody to list. Export conversations instead."),
            code="nobody",
        )
    with transaction.atomic():
        holds.hold_all(subject.conversations, user, reason)
        asked = _ask(
            change.organization, user, reason, raid=change, name=f"{subject.hotline.name[:80]}, {subject.name}"
        )
    _tell(asked, gettext_lazy("%(name)s asks to take the list of who took part in a raid out of Paravent as evidence."))
    return asked


def _ask(organization: Organization, user: Any, reason: str, **about: Any) -> Export:
    return Export.objects.create(
        organization=organization, reason=reason, asked_by=user, asked_at=timezone.now(), **about
    )


def _tell(asked: Export, said: Promise) -> None:
    with translation.override(settings.LANGUAGE_CODE):
        subject = _("Paravent: an evidence export waits for approval")
        approval = _(
            "Another owner, or the operator, must approve it in the administration under “Evidence exports”; until "
            "then nothing leaves."
        )
        body = f"{str(said) % {'name': asked.asked_by.get_username()}} {approval}"
        alerts.mail(asked.organization, subject, body)


def approve(asked: Export, user: Any) -> None:
    """Let it be taken within a day. Raises `ValidationError` for who asked, and when it was approved already."""
    if asked.asked_by_id == user.pk:
        raise ValidationError(_("You asked for it: somebody else must approve it."), code="four_eyes")
    waiting = Export.objects.filter(pk=asked.pk, approved_at=None)
    if not waiting.update(approved_by=user, approved_at=timezone.now()):
        raise ValidationError(_("It was approved already."), code="approved")


def may_take(asked: Export, user: Any) -> bool:
    """Whether she asked for it and has the right still, it was approved within the last day, and something is left."""
    approved = (
        (asked.conversation_id is not None or asked.raid_id is not None)
        and asked.approved_at is not None
        and asked.approved_at > timezone.now() - TAKEN_WITHIN
    )
    return approved and asked.asked_by_id == user.pk and revealing.may(user, asked.organization_id)


def take(asked: Export) -> IO[bytes]:
    """The file, at its beginning; that it was taken is recorded before it leaves, with its SHA-256.

    It is sealed to the organization's own key where there is one.
    """
    chaining.link_all()
    file: IO[bytes] = _spooled()
    bundle.write(_subject(asked), file)
    file.seek(0)
    if recipient := asked.organization.evidence_recipient:
        plain, file = file, _spooled()
        with plain:
            recipients.seal(recipient, plain, file)
        file.seek(0)
    digest = hashlib.file_digest(file, "sha256").hexdigest()  # type: ignore[arg-type]
    Export.objects.filter(pk=asked.pk).update(taken_at=timezone.now(), digest=digest)
    file.seek(0)
    return file


def file_name(asked: Export) -> str:
    """What the file is called; it is for who keeps several."""
    return f"paravent-evidence-{asked}.zip" + (".age" if asked.organization.evidence_recipient else "")


def _subject(asked: Export) -> Subject:
    if asked.raid is not None:
        return subjects.of_raid(asked.raid)
    return subjects.of_conversation(Conversation.objects.get(exports=asked))


def _spooled() -> IO[bytes]:
    return tempfile.SpooledTemporaryFile(max_size=_SPOOLED)  # the response closes it
