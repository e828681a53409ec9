from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class ProvidersConfig(AppConfig):
    name = "providers"
    verbose_name = _("Providers")

    def ready(self) -> None:
        from hotlines import extension

        from . import checks, registry  # noqa: F401  checks register themselves

        extension.tell_of_calls(registry.passes_calls)
