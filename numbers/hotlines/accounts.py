"""What a person does with an account."""

from __future__ import annotations

from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

from .models import Account


def resume_sending(account: Account) -> None:
    """Send again after a pause. Replies that waited less than a day leave now; if the provider still refuses, the
    account is paused again, and nothing is lost by trying.
    """
    paused = Account.objects.filter(pk=account.pk, sending_paused_at__isnull=False)
    if not paused.update(sending_paused_at=None, sending_paused_reason="", resume_sending_at=None):
        raise ValidationError(_("Sending is not paused on this account."), code="not_paused")
    account.refresh_from_db(fields=["sending_paused_at", "sending_paused_reason", "resume_sending_at"])
