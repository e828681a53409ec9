"""What travels: the rows, and the constraints that hold what must always hold (SECURITY.md 2.2, DESIGN.md).

The code may be wrong; these constraints must not be. `tests/conversations/test_constraints.py` tries to violate each.

A foreign key is checked by a lock on the row it names, and PostgreSQL writes that lock into the row. All webhooks of a
raid would queue up at their one hotline, account and organization. These three are therefore without a constraint here
(`_SHARED`); they are never deleted while rows name them (PROTECT). No index is kept where another begins so.
"""

from __future__ import annotations

from .. import among  # noqa: F401, TID252  it registers its lookup
from .block import Block
from .conversation import Conversation, Message
from .keeping import FirstKept, Hold
from .reply import DeliveryReport, Reply

__all__ = ["Block", "Conversation", "DeliveryReport", "FirstKept", "Hold", "Message", "Reply"]
