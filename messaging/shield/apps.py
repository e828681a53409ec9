from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class ShieldConfig(AppConfig):
    name = "shield"
    verbose_name = _("Shield")

    def ready(self) -> None:
        from hotlines import extension
        from hotlines import guide as way
        from hotlines.readiness import before_activation

        from . import guide, level_panel, panel, readiness

        before_activation(readiness.budgets_missing)
        way.add_step(way.LIMITS, guide.limits)
        way.add_step(way.PREVIEW, guide.lived_through)
        extension.add_panel(level_panel.PANEL)
        extension.add_panel(panel.PANEL)
