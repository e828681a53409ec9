"""What became of the texts on a phone, in words: decided, sent, delivered. It only reads."""

from __future__ import annotations

from typing import Any

from django.utils.translation import get_language_info, gettext_lazy, ngettext, pgettext, pgettext_lazy
from django.utils.translation import gettext as _

from conversations.models import Message, Reply
from conversations.words import Disposition, ReplyState
from hotlines.models import Hotline

from . import signing
from .models import PhoneText

_DECIDED: dict[str, Any] = {
    Disposition.WAITING: gettext_lazy("A reply is already on its way. This text gets none of its own."),
    Disposition.STOP: gettext_lazy("STOP understood: nothing is sent, not even a confirmation."),
    Disposition.STOPPED: gettext_lazy("You have stopped this number: counted, and nothing of it is kept."),
    Disposition.BLOCKED: gettext_lazy("You are blocked: counted, and nothing of it is kept."),
    Disposition.LIMIT: gettext_lazy("Over the limit: counted, and nothing of it is kept."),
    Disposition.NOT_ANSWERABLE: gettext_lazy("A sender of this kind or country is never answered."),
    Disposition.NOT_ANSWERING: gettext_lazy("The number is not active: it receives, and answers nobody."),
    Disposition.INSTRUCTION: gettext_lazy("A code for the page of data rights: counted, and never answered."),
    Disposition.UNREADABLE: gettext_lazy("Signed, but no message we can read: kept for a person to see."),
}
_SHORT: dict[str, Any] = {
    Disposition.WAITING: gettext_lazy("a reply is on its way"),
    Disposition.STOP: pgettext_lazy("text", "stopped"),
    Disposition.STOPPED: gettext_lazy("no answer: stopped"),
    Disposition.BLOCKED: gettext_lazy("no answer: blocked"),
    Disposition.LIMIT: gettext_lazy("no answer: over the limit"),
    Disposition.NOT_ANSWERABLE: gettext_lazy("never answered"),
    Disposition.NOT_ANSWERING: gettext_lazy("number not active"),
    Disposition.INSTRUCTION: gettext_lazy("no answer: a code"),
    Disposition.UNREADABLE: pgettext_lazy("text", "unreadable"),
}
_DELIVERY: dict[str, Any] = {
    "queued": gettext_lazy("The carrier has queued it."),
    "sent": gettext_lazy("The carrier has sent it."),
    "delivered": gettext_lazy("On your phone: the carrier's signed report says so."),
    "undelivered": gettext_lazy("The carrier could not deliver it."),
    "failed": gettext_lazy("The carrier refused it."),
}
_FINAL_STATES = (ReplyState.FAILED, ReplyState.UNKNOWN_FINAL, ReplyState.EXPIRED, ReplyState.DROPPED)


def of_texts(hotline: Hotline, texts: list[PhoneText]) -> dict[str, dict[str, Any]]:
    """By the text's uuid: what the page says below each bubble and in the steps beside the phone."""
    written = [str(text.uuid) for text in texts if text.reply_uuid is None]
    arrived = {text.reply_uuid: str(text.uuid) for text in texts if text.reply_uuid is not None}
    journeys = {
        message.provider_id: _of_message(hotline, message)
        for message in Message.objects.filter(hotline=hotline, provider_id__in=written).select_related("reply")
    }
    for reply in Reply.objects.filter(hotline=hotline, uuid__in=arrived):
        journeys[arrived[reply.uuid]] = {"caption": _caption(hotline, reply)}
    return journeys


def reports_due(hotline: Hotline, texts: list[PhoneText]) -> list[dict[str, Any]]:
    """The carrier's next signed report on each reply that arrived and is not yet known to be delivered."""
    arrived = {text.reply_uuid: text for text in texts if text.reply_uuid is not None}
    reports = []
    for reply in Reply.objects.filter(hotline=hotline, uuid__in=arrived, delivery__in=signing.NEXT_REPORT):
        if reply.state in _FINAL_STATES:
            continue
        status, sequence = signing.NEXT_REPORT[reply.delivery]
        message = arrived[reply.uuid].uuid
        request = signing.report_request(hotline, reply.uuid, message, status, sequence, reply.segments or 1)
        reports.append(request.as_json())
    return reports


def _of_message(hotline: Hotline, message: Message) -> dict[str, Any]:
    reply: Reply | None = getattr(message, "reply", None)
    if reply is None:
        words = _DECIDED.get(message.disposition, message.get_disposition_display())
        caption = _SHORT.get(message.disposition, message.get_disposition_display())
        return {
            "disposition": message.disposition,
            "caption": str(caption),
            "decided": str(words),
            "sent": "",
            "delivered": "",
            "ended": True,
        }
    return {
        "disposition": message.disposition,
        "caption": pgettext("text", "answered"),
        "decided": _("It gets reply %(slot)d of %(limit)d.") % {"slot": reply.slot, "limit": hotline.reply_limit},
        "due_at": reply.due_at.isoformat() if reply.state == ReplyState.PENDING else "",
        "sent": _sent(reply),
        "delivered": str(_DELIVERY.get(reply.delivery, "")) if reply.state == ReplyState.SENT else "",
        "ended": reply.state in _FINAL_STATES or reply.delivery in {"delivered", "undelivered", "failed"},
    }


def _sent(reply: Reply) -> str:
    """Empty while nothing was sent and may still be."""
    if reply.state == ReplyState.SENT:
        return _("Language chosen: %(language)s. %(segments)s; the carrier took it.") % {
            "language": _language(reply.language),
            "segments": _segments(reply),
        }
    if reply.state in (*_FINAL_STATES, ReplyState.UNKNOWN):
        return str(reply.get_state_display())
    return ""


def _caption(hotline: Hotline, reply: Reply) -> str:
    return _("Reply %(slot)d of %(limit)d · %(language)s · %(segments)s") % {
        "slot": reply.slot,
        "limit": hotline.reply_limit,
        "language": _language(reply.language),
        "segments": _segments(reply),
    }


def _segments(reply: Reply) -> str:
    count = reply.segments or 1
    return ngettext("%(count)d SMS", "%(count)d SMS", count) % {"count": count}


def _language(code: str) -> str:
    try:
        return str(get_language_info(code)["name_translated"])
    except KeyError:
        return code
