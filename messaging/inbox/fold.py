"""Counting what blocked senders wrote by the hundred, in one statement.

In a raid most messages come from senders who have had all their replies. Each is one more in a counter and an id that
must not come twice; a transaction of its own for each would be most of the database's work. So the webhook lets them
wait in the spool, and `drain` hands them to this module first. What the database does not find blocked is received
like any other message.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence

from conversations import at_once, sql
from hotlines.models import EndpointPin
from privacy import pseudonyms
from providers import registry
from providers.base import InboundMessage, Unusable
from shield.keywords import Keyword, keyword

from . import instructions, rows
from .arrival import Arrival
from .hooks import Hook

#: How many are counted in one statement.
SIZE = 200


def fold(waiting: Sequence[Arrival], find: Callable[[int], Hook | None]) -> list[Arrival]:
    """Count what is a blocked sender's; returns what is not, in its order. Raises the database's errors.

    `find` gives the hook of a hotline.
    """
    if not at_once.possible():
        return list(waiting)
    given = [_row(one, find) for one in waiting]
    counted = at_once.count_blocked([row for row in given if row is not None])
    return [
        one
        for one, row in zip(waiting, given, strict=True)
        if row is None or (row["hotline_id"], row["provider_id"]) not in counted
    ]


def _row(arrival: Arrival, find: Callable[[int], Hook | None]) -> sql.Values | None:
    """What to insert for a message whose sender may be blocked; None for anything else."""
    if arrival.row is not None:
        return rows.unpacked(arrival.row, arrival.received_at)
    hook = find(arrival.hotline_id)
    if hook is None or arrival.endpoint != EndpointPin.Endpoint.MESSAGE:
        return None
    try:
        message = registry.get(arrival.provider).parse_message(arrival.signed)
    except (Unusable, registry.UnknownProvider):
        return None
    if not isinstance(message, InboundMessage) or message.part is not None:
        return None
    if not rows.addressed_to(hook, message) or keyword(message.text) is Keyword.STOP or instructions.find(message.text):
        return None
    message = dataclasses.replace(message, received_at=arrival.received_at)
    pseudonym = pseudonyms.current(hook.organization_id, rows.sender_of(hook, message), message.received_at)
    return rows.message_row(hook, message, arrival.verification) | {"sender_key": pseudonym.key}
