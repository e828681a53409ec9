"""The words in which the shield speaks of a hotline."""

from __future__ import annotations

from django.db import models
from django.utils.translation import pgettext_lazy


class Level(models.TextChoices):
    NORMAL = "normal", pgettext_lazy("level of the shield", "normal")
    WATCH = "watch", pgettext_lazy("level of the shield", "watch")
    RAID = "raid", pgettext_lazy("level of the shield", "raid")
    SILENT = "silent", pgettext_lazy("level of the shield", "silent")


class Cause(models.TextChoices):
    """Why a level changed: senders, texts, a group of either; what a budget holds. `sentences` says it to people."""

    ARRIVALS = "arrivals"
    TEXTS = "texts"
    GROUP = "group"
    HALF = "half"
    SPENT = "spent"
    ROOM = "room"
    CALM = "calm"
