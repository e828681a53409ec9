"""The simulator: Plivo's protocol and signatures, spoken with the loopback carrier of `simulator`. Demo only."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from django.conf import settings
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from .base import Credentials, Finding, Line, right
from .plivo import Plivo


class Simulator(Plivo):
    name: ClassVar = "simulator"
    label: ClassVar[Any] = _("Simulator")

    def examine(self, lines: Sequence[Line], credentials: Credentials) -> Sequence[Finding]:
        return [right(gettext("The simulator is this installation itself: there is nothing to enter."))]

    def api_url(self) -> str:
        return f"{settings.PUBLIC_URL}/simulator/carrier"
