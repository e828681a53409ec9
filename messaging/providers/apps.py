from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class ProvidersConfig(AppConfig):
    name = "providers"
    verbose_name = _("Providers")

    def ready(self) -> None:
        from hotlines import extension
        from hotlines import guide as way

        from . import checks, guide, registry  # noqa: F401  checks register themselves

        extension.tell_of_calls(registry.passes_calls)
        way.add_step(way.CONNECTION, guide.connection)
