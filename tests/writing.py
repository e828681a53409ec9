"""One text of a sender, through the webhook: what most tests of what comes after begin with."""

from __future__ import annotations

from tests.signing import post_message
from tests.world import SENDER, Tenant, message_fields

from conversations.models import Message
from hotlines.models import Hotline


def write(tenant: Tenant, text: str = "Salut", hotline: Hotline | None = None, sender: str = SENDER) -> Message:
    """The Message that a text to `hotline`, or to the tenant's own, became."""
    to = hotline or tenant.hotline
    assert post_message(to, message_fields(to, text, sender), tenant.token).status_code == 200
    return Message.objects.latest("pk")
