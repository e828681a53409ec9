"""What the page's script says. It reads them from the page, because the policy for scripts allows none inline."""

from __future__ import annotations

from django.utils.translation import gettext as _
from django.utils.translation import pgettext


def script_texts() -> dict[str, str]:
    """Every text of `phone.js` in the reader's language. `{name}` is filled in there."""
    return {
        "on_its_way": _("on its way"),
        "retrying": _("no network, trying again"),
        "not_sent": _("not sent"),
        "no_network": _("The server does not answer. What you wrote stays, and what was signed is tried again."),
        "back": _("The server answers again."),
        "refused": _("The webhook refused the request ({status})."),
        "called": _("You call."),
        "busy": _("busy tone"),
        "spoken": _("spoken message"),
        "heard": _("{name} says: {text}"),
        "arrived": _("Reply from {name}: {text}"),
        "you_wrote": _("You:"),
        "they_wrote": _("{name}:"),
        "until": _("Until {moment}."),
        "replies": _("{used} of {limit} replies"),
        "due": _("It leaves in {seconds} s: the person who gave you this number has time to go."),
        "signed": _("HMAC-SHA256 over the address and every field; nonce {nonce}"),
        "stored": _("It answered {status} after {ms} ms."),
        "nothing_sent": _("Nothing is sent."),
        "nothing_delivered": _("Nothing is delivered."),
        "state_done": pgettext("step", "done"),
        "state_active": pgettext("step", "under way"),
        "state_skipped": pgettext("step", "not needed"),
        "state_waiting": pgettext("step", "not yet"),
        "state_failed": pgettext("step", "failed"),
    }
