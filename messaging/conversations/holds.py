"""Keeping a conversation as evidence, and ending that. While a hold stands, `retention` erases nothing of it."""

from __future__ import annotations

import datetime
from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import Exists, Min, OuterRef, QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from .models import Conversation, FirstKept, Hold, Message, Reply
from .models.keeping import LONGEST, REVIEWED_AFTER

_TOGETHER = 500


def of(conversation_id: int) -> Hold | None:
    """The hold that stands on a conversation, or None."""
    return Hold.objects.filter(conversation_id=conversation_id, lifted_at=None).first()


def standing(conversation: str = "conversation_id") -> Exists:
    """For a queryset whose column `conversation` names a conversation: whether a hold stands on it."""
    return Exists(Hold.objects.filter(conversation_id=OuterRef(conversation), lifted_at=None))


def hold(conversation: Conversation, author: Any, reason: str) -> Hold:
    """From now on nothing of it is erased. Raises `ValidationError` without a reason, or when one stands already."""
    if not reason.strip():
        raise ValidationError(_("Say why; whoever reviews it in a year has to know."), code="reason")
    with transaction.atomic():
        Conversation.objects.select_for_update().get(pk=conversation.pk)
        if of(conversation.pk) is not None:
            raise ValidationError(_("This conversation is held already."), code="held")
        Conversation.objects.filter(pk=conversation.pk).update(held=True)
        made = _new(conversation, author, reason)
        made.save()
        return made


def hold_all(conversations: QuerySet[Conversation], author: Any, reason: str) -> int:
    """As `hold` for all that are not held yet, which may be the thousands of a raid; returns how many."""
    with transaction.atomic():
        free = list(conversations.filter(~standing("pk")).select_for_update(of=("self",)).order_by("pk"))
        for start in range(0, len(free), _TOGETHER):
            some = free[start : start + _TOGETHER]
            Conversation.objects.filter(pk__in=[one.pk for one in some]).update(held=True)
            Hold.objects.bulk_create([_new(one, author, reason) for one in some])
        return len(free)


def _new(conversation: Conversation, author: Any, reason: str) -> Hold:
    now = timezone.now()
    return Hold(
        organization_id=conversation.organization_id,
        conversation=conversation,
        reason=reason.strip(),
        author=author,
        since=now,
        review_at=now + REVIEWED_AFTER,
    )


def lift(conversation: Conversation, author: Any, reason: str) -> None:
    """What is over is erased within an hour. Raises `ValidationError` without a reason, or when none stands."""
    if not reason.strip():
        raise ValidationError(_("Say why it is no longer needed."), code="reason")
    changes = {"lifted_at": timezone.now(), "lifted_by": author, "lifted_reason": reason.strip()}
    with transaction.atomic():
        if not Hold.objects.filter(conversation=conversation, lifted_at=None).update(**changes):
            raise ValidationError(_("This conversation is not held."), code="not_held")
        Conversation.objects.filter(pk=conversation.pk).update(held=False)
        _search_again(conversation.pk)


def review(conversation: Conversation, author: Any, reason: str) -> None:
    """It is needed for another year. Raises as `lift` does."""
    if not reason.strip():
        raise ValidationError(_("Say why; whoever reviews it in a year has to know."), code="reason")
    renewed = Hold.objects.filter(conversation=conversation, lifted_at=None).update(
        review_at=timezone.now() + REVIEWED_AFTER, reason=reason.strip(), author=author
    )
    if not renewed:
        raise ValidationError(_("This conversation is not held."), code="not_held")


def end_the_longest(now: datetime.datetime) -> int:
    """Lift what has stood for six years; returns how many."""
    over = Hold.objects.filter(lifted_at=None, since__lt=now - LONGEST)
    concerned = list(over.values_list("conversation_id", flat=True))
    with transaction.atomic():
        ended = over.update(lifted_at=now, lifted_reason="six years")
        Conversation.objects.filter(pk__in=concerned).update(held=False)
    for conversation_id in concerned:
        _search_again(conversation_id)
    return ended


def _search_again(conversation_id: int) -> None:
    """Have the next search for what is over begin no later than with this conversation."""
    for model in (Message, Reply):
        first = model.objects.filter(conversation_id=conversation_id).aggregate(first=Min("pk"))["first"]
        if first is not None:
            FirstKept.objects.filter(table=model._meta.db_table, row__gt=first).update(row=first)
