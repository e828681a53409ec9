from __future__ import annotations

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class RightsConfig(AppConfig):
    name = "rights"
    verbose_name = _("Data rights")

    def ready(self) -> None:
        from inbox import instructions
        from outbox import sweeps

        from . import codes, erasing, proving

        instructions.add(instructions.Instruction(codes.looks_like_one, proving.prove))
        sweeps.add(sweeps.Sweep(erasing.erase_on_request, every=600.0, aside=True))
