from django.apps import AppConfig


class ConfigConfig(AppConfig):
    """Only so that Django finds the commands, templates and translations here; it has no models."""

    name = "config"

    def ready(self) -> None:
        from . import checks  # noqa: F401  registers them
