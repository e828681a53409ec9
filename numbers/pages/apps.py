from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class PagesConfig(AppConfig):
    name = "pages"
    verbose_name = _("Public pages")

    def ready(self) -> None:
        from django.db.models.signals import post_delete, post_save

        from hotlines.models import Campaign, Hotline
        from replies.models import ReplyTemplate

        from . import kept
        from .models import Page

        for model in (Page, Hotline, Campaign, ReplyTemplate):
            for signal in (post_save, post_delete):
                signal.connect(kept.forget_all, sender=model, dispatch_uid=f"pages.{model.__name__}.{id(signal)}")
