from __future__ import annotations

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class FiguresConfig(AppConfig):
    name = "figures"
    verbose_name = _("Figures")

    def ready(self) -> None:
        from outbox import sweeps

        from . import panel, publishing

        panel.connect()
        sweeps.add(sweeps.Sweep(publishing.publish_weeks, every=3600.0, aside=True))
