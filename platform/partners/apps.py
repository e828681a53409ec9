from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class PartnersConfig(AppConfig):
    name = "partners"
    verbose_name = _("Partners")

    def ready(self) -> None:
        from outbox import sweeps

        from . import delivering, events

        sweeps.add(sweeps.Sweep(events.write_events, every=5.0))
        sweeps.add(sweeps.Sweep(delivering.deliver_events, every=5.0, aside=True))
