from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class RepliesConfig(AppConfig):
    name = "replies"
    verbose_name = _("Texts")

    def ready(self) -> None:
        from hotlines import guide as way
        from hotlines import lifecycle
        from hotlines.readiness import before_activation

        from . import guide, packs, readiness

        lifecycle.at_beginning(packs.copy_to_hotline)
        lifecycle.texts_of_kind(packs.of_number)
        before_activation(readiness.texts_missing)
        way.add_step(way.TEXTS, guide.texts)
