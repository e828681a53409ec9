"""Four eyes: one person asks for the export of a conversation, another approves it, and the first takes it."""

from __future__ import annotations

import hashlib
import tempfile
from typing import IO, Any

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import timezone, translation
from django.utils.translation import gettext as _

from conversations import holds
from conversations.models import Conversation
from outbox import alerts

from . import bundle, chaining, revealing
from .models import Export
from .models.export import TAKEN_WITHIN

#: What is kept in memory of a file before it goes to the disk.
_SPOOLED = 20_000_000


def ask(conversation: Conversation, user: Any, reason: str) -> Export:
    """Keep the conversation as evidence, and ask for its export. The organization is told by mail."""
    with transaction.atomic():
        if holds.of(conversation.pk) is None:
            holds.hold(conversation, user, reason)
        asked = Export.objects.create(
            organization_id=conversation.organization_id,
            conversation=conversation,
            pseudonym=conversation.pseudonym,
            reason=reason,
            asked_by=user,
            asked_at=timezone.now(),
        )
    with translation.override(settings.LANGUAGE_CODE):
        body = _(
            "%(name)s asks to take a conversation out of Paravent as evidence. Another owner, or the operator, must "
            "approve it in the administration under “Evidence exports”; until then nothing leaves."
        )
        subject = _("Paravent: an evidence export waits for approval")
        alerts.mail(conversation.organization, subject, body % {"name": user.get_username()})
    return asked


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
        asked.conversation_id is not None
        and asked.approved_at is not None
        and asked.approved_at > timezone.now() - TAKEN_WITHIN
    )
    return approved and asked.asked_by_id == user.pk and revealing.may(user, asked.organization_id)


def take(asked: Export) -> IO[bytes]:
    """The zip file, at its beginning; that it was taken is recorded before it leaves, with its SHA-256."""
    chaining.link_all()
    file = tempfile.SpooledTemporaryFile(max_size=_SPOOLED)  # noqa: SIM115  the response closes it
    bundle.write(Conversation.objects.get(exports=asked), file)
    file.seek(0)
    digest = hashlib.sha256()
    while part := file.read(1 << 20):
        digest.update(part)
    Export.objects.filter(pk=asked.pk).update(taken_at=timezone.now(), digest=digest.hexdigest())
    file.seek(0)
    return file
