from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class InboxConfig(AppConfig):
    name = "inbox"
    verbose_name = _("Inbox")

    def ready(self) -> None:
        from outbox import sweeps

        from . import hooks, parts, reconcile

        hooks.connect()
        sweeps.add(sweeps.Sweep(reconcile.reconcile_inbound, every=60.0, aside=True))
        sweeps.add(sweeps.Sweep(parts.join_late_parts, every=15.0))
