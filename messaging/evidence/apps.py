from __future__ import annotations

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class EvidenceConfig(AppConfig):
    name = "evidence"
    verbose_name = _("Evidence")

    def ready(self) -> None:
        from outbox import sweeps

        from . import chaining, revealing, stamps

        sweeps.add(sweeps.Sweep(chaining.link_all, every=10.0))
        sweeps.add(sweeps.Sweep(chaining.erase_salts, every=3600.0, aside=True))
        sweeps.add(sweeps.Sweep(chaining.sign_heads, every=600.0, aside=True))
        sweeps.add(sweeps.Sweep(stamps.stamp_heads, every=600.0, aside=True))
        sweeps.add(sweeps.Sweep(revealing.forget_old, every=86400.0, aside=True))
