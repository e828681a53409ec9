"""The way of a new number until it answers, step by step, on one page.

Apps above this one add their steps in their `ready()`: `replies` knows the texts, `shield` the money, `providers` the
connection, `conversations` whether anybody has written.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _

from . import number_rules, readiness, summary
from .models import Hotline


class Standing(enum.StrEnum):
    """`advice` keeps nobody from going on."""

    DONE = "done"
    ADVICE = "advice"
    TODO = "todo"


@dataclass(frozen=True)
class Step:
    """What is to be done, how it stands in sentences, and where; `template` shows more with `data`."""

    title: str
    standing: Standing
    sentences: Sequence[str] = ()
    url: str = ""
    label: str = ""
    template: str = ""
    data: Mapping[str, Any] = field(default_factory=dict)


#: In which order steps are taken; each app has one or two.
NUMBER, TEXTS, LIMITS, CONNECTION, PREVIEW, FIRST_MESSAGE, LIVE = range(7)
Builder = Callable[[HttpRequest, Hotline], Step]
_builders: dict[int, Builder] = {}


def add_step(place: int, builder: Builder) -> None:
    _builders[place] = builder


def steps(request: HttpRequest, hotline: Hotline) -> list[Step]:
    return [builder(request, hotline) for _place, builder in sorted(_builders.items())]


def change_url(hotline: Hotline, anchor: str = "") -> str:
    return reverse("admin:hotlines_hotline_change", args=(hotline.pk,)) + (f"#{anchor}" if anchor else "")


def _number(_request: HttpRequest, hotline: Hotline) -> Step:
    advice = number_rules.advice(hotline.number, timezone.localdate())
    said = _("%(name)s is a number of the kind “%(kind)s”.") % {
        "name": hotline.name,
        "kind": hotline.kind_label,
    }
    return Step(
        _("Number and kind"),
        Standing.ADVICE if advice else Standing.DONE,
        [said, *advice],
        change_url(hotline),
        _("Open the number"),
    )


def _live(_request: HttpRequest, hotline: Hotline) -> Step:
    if hotline.state == Hotline.State.ACTIVE:
        return Step(_("Go live"), Standing.DONE, summary.sentences(hotline)[:1])
    missing = readiness.missing(hotline)
    if missing:
        return Step(_("Go live"), Standing.TODO, [_("This is still missing:"), *missing])
    return Step(
        _("Go live"),
        Standing.TODO,
        [_("Nothing is missing. From the moment you activate it, everybody who writes is answered.")],
        template="hotlines/guide_live.html",
        data={"url": reverse("admin:hotlines_hotline_change_state", args=(hotline.pk,))},
    )


add_step(NUMBER, _number)
add_step(LIVE, _live)
