from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class PartnersConfig(AppConfig):
    name = "partners"
    verbose_name = _("Partners")

    def ready(self) -> None:
        from outbox import sweeps

        from . import delivering, events, exporting

        sweeps.add(sweeps.Sweep(events.write_events, every=5.0))
        sweeps.add(sweeps.Sweep(delivering.deliver_events, every=5.0, aside=True))
        sweeps.add(sweeps.Sweep(exporting.make_exports, every=10.0, aside=True))
        sweeps.add(sweeps.Sweep(exporting.forget_what_keys_left, every=3600.0, aside=True))
