from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class ShieldConfig(AppConfig):
    name = "shield"
    verbose_name = _("Shield")

    def ready(self) -> None:
        from hotlines import extension
        from hotlines.readiness import before_activation

        from . import level_panel, panel, readiness

        before_activation(readiness.budgets_missing)
        extension.add_panel(level_panel.PANEL)
        extension.add_panel(panel.PANEL)
