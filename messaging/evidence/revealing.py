"""Showing a sender's number to a person: the only way there is, and it leaves a record first (SECURITY.md 4.5).

`tests/evidence/test_reveals.py` holds that nothing else takes a number out of its seal to show it.
"""

from __future__ import annotations

import datetime
from typing import Any

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import timezone, translation
from django.utils.translation import gettext as _

from conversations import senders
from conversations.models import Conversation
from organizations.models import Member, Organization
from outbox import alerts
from privacy import vault

from .models import Reveal
from .models.reveal import KEPT

#: Numbers that one person may see in a day.
MOST_A_DAY = 20
#: For how long the page shows a number after its record was written.
SHOWN_FOR = datetime.timedelta(minutes=2)
_DAY = datetime.timedelta(days=1)


def may(user: Any, organization_id: int) -> bool:
    """Whether she was given that right. It comes with no role, and operators of the platform have it no more."""
    members = Member.objects.filter(user_id=user.pk, organization_id=organization_id, may_reveal=True)
    return bool(user.is_active) and members.exists()


def record(conversation: Conversation, user: Any, reason: str, note: str) -> Reveal:
    """Write that she sees the number, before she does. Raises `ValidationError` when the day's numbers are used up.

    Her member's row is locked meanwhile: twenty-one tabs at once show twenty numbers.
    """
    now = timezone.now()
    with transaction.atomic():
        Member.objects.select_for_update().get(user_id=user.pk, organization_id=conversation.organization_id)
        today = Reveal.objects.filter(user_id=user.pk, at__gt=now - _DAY).count()
        if today < MOST_A_DAY:
            row = Reveal.objects.create(
                organization_id=conversation.organization_id,
                conversation_id=conversation.pk,
                pseudonym=conversation.pseudonym,
                user_id=user.pk,
                user_name=user.get_username(),
                reason=reason,
                note=note,
                at=now,
            )
    # Row first, network second: nobody waits for a mail with a lock in his hand.
    if today in {0, MOST_A_DAY}:
        _tell(conversation.organization, user, last=today == MOST_A_DAY)
    if today >= MOST_A_DAY:
        raise ValidationError(
            _("You have seen %(most)d numbers since this time yesterday; no more can be shown. The owners know.")
            % {"most": MOST_A_DAY},
            code="too_many",
        )
    return row


def latest(conversation: Conversation, user: Any) -> Reveal | None:
    """Her record of this conversation, if it is young enough for the page to show the number."""
    rows = Reveal.objects.filter(conversation_id=conversation.pk, user_id=user.pk, at__gt=timezone.now() - SHOWN_FOR)
    return rows.order_by("-at").first()


def number(conversation: Conversation, shown: Reveal) -> str | None:
    """The number in E.164, or None once erased. `shown` is the record without which nobody may ask."""
    if shown.conversation_id != conversation.pk:
        raise ValueError("the record is of another conversation")
    return senders.number_of(vault.read_or_none(conversation, "sender") or "")


def _tell(organization: Organization, user: Any, *, last: bool) -> None:
    """Mail the organization: once a day for each person, and when her day's numbers are used up."""
    with translation.override(settings.LANGUAGE_CODE):
        if last:
            subject = _("Paravent: a member has seen as many numbers as a day allows")
            body = _("%(name)s has seen %(most)d senders’ numbers within a day, and asked for more. That was refused.")
        else:
            subject = _("Paravent: a sender’s number was shown")
            body = _(
                "%(name)s was shown a sender’s number, for the first time in a day. Who saw which and why is in the "
                "administration under “Shown numbers”. Nothing has to be done if you know why."
            )
        alerts.mail(organization, subject, body % {"name": user.get_username(), "most": MOST_A_DAY})


def forget_old(now: datetime.datetime | None = None) -> int:
    """Delete records that are older than an access log is kept; returns how many."""
    return Reveal.objects.filter(at__lt=(now or timezone.now()) - KEPT).delete()[0]
