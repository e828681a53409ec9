from django.apps import AppConfig
from django.contrib.admin import apps as admin_apps


class ConfigConfig(AppConfig):
    """Only so that Django finds the commands, templates and translations here; it has no models."""

    name = "config"

    def ready(self) -> None:
        from . import checks  # noqa: F401  registers them


class PeopleAdminConfig(admin_apps.AdminConfig):
    """The admin whose site knows members (`config.admin_site`)."""

    default = False
    default_site = "config.admin_site.PeopleAdminSite"
