from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class OutboxConfig(AppConfig):
    name = "outbox"
    verbose_name = _("Outbox")

    def ready(self) -> None:
        from . import settle, sweeps

        sweeps.add(sweeps.Sweep(settle.settle_unknown, every=60.0))
