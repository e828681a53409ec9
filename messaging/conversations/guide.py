"""The step of a new number that is a message of one's own to it."""

from __future__ import annotations

from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _

from hotlines.guide import Standing, Step
from hotlines.models import Hotline

from .models import Conversation


def first_message(_request: HttpRequest, hotline: Hotline) -> Step:
    """Whether anything has arrived: only that proves that the provider reaches us."""
    title = _("Text it yourself")
    first = Conversation.objects.filter(hotline=hotline).order_by("pk").first()
    if first is None:
        said = [
            _("Nothing has arrived yet. Enter the number's address at the provider, then text the number."),
            _("Your message is kept and shown here; a draft answers nobody."),
        ]
        url = reverse("admin:hotlines_hotline_webhook", args=(hotline.pk,))
        return Step(title, Standing.TODO, said, url, _("Show webhook address"))
    moment = date_format(timezone.localtime(first.first_message_at), "SHORT_DATETIME_FORMAT")
    said = [_("The first message arrived on %(moment)s.") % {"moment": moment}]
    if not first.tester:
        said.append(_("If it was yours, open its conversation and mark it as test: then you can send yourself a text."))
    url = reverse("admin:conversations_conversation_change", args=(first.pk,))
    return Step(title, Standing.DONE, said, url, _("Open the conversation"))
