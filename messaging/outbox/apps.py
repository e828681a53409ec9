from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class OutboxConfig(AppConfig):
    name = "outbox"
    verbose_name = _("Outbox")

    def ready(self) -> None:
        from django.db.models.signals import post_migrate

        from hotlines import extension, rotation

        from . import comparing, doubts, restored, settle, sweeps

        post_migrate.connect(restored.begin, sender=self, dispatch_uid="outbox.restored.begin")
        extension.add_panel(comparing.PANEL)
        rotation.add_doubt(doubts.doubts)
        sweeps.add(sweeps.Sweep(settle.settle_unknown, every=60.0, aside=True))
