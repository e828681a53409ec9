"""The simulator: Plivo's protocol and signatures, spoken with the loopback carrier of `simulator`. Demo only."""

from __future__ import annotations

from typing import Any, ClassVar

from django.conf import settings
from django.utils.translation import gettext_lazy as _

from .plivo import Plivo


class Simulator(Plivo):
    name: ClassVar = "simulator"
    label: ClassVar[Any] = _("Simulator")

    def api_url(self) -> str:
        return f"{settings.PUBLIC_URL}/simulator/carrier"
