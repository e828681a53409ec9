"""Which text answers, in which language. Called by the outbox, never in the webhook."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from django.db.models import Q, QuerySet

from hotlines.models import Hotline

from . import languages, lint, segments
from .models import Arm, Purpose, ReplyTemplate


@dataclass(frozen=True)
class Choice:
    """`language_seen` is the language the message itself showed, or "" where it showed none; `template` is the row.

    `compared` says that other senders get another text in its place, to see which does better.
    """

    text: str
    language: str
    language_seen: str = ""
    template: ReplyTemplate | None = field(default=None, compare=False)
    compared: bool = False


def texts_of(hotline: Hotline) -> Sequence[ReplyTemplate]:
    """All texts that a hotline may answer with, the organization's included."""
    return list(query(hotline))


def query(hotline: Hotline) -> QuerySet[ReplyTemplate]:
    """Those of `texts_of`, for who needs more of them; what waits for approval is none of them."""
    places = Q(hotline=hotline) | Q(hotline__isnull=True)
    return ReplyTemplate.objects.filter(places, organization=hotline.organization_id, approved=True)


def replies(hotline: Hotline) -> QuerySet[ReplyTemplate]:
    """The replies among `texts_of`, each of which stands for its language."""
    return query(hotline).filter(purpose=Purpose.REPLY, arm=Arm.A)


def choose(
    hotline: Hotline,
    *,
    purpose: str,
    step: int,
    written: str,
    remembered: str,
    number: str | None,
    texts: Sequence[ReplyTemplate] | None = None,
    shortest: bool = False,
    coin: bool = False,
) -> Choice | None:
    """The text for slot `step` in the sender's language, or None where the hotline has no text that can be sent.

    `texts` are those of `texts_of`, where many replies of a hotline are chosen at once. `shortest` prefers fewer
    segments to the better place: the hotline's text or the organization's, whichever costs less. `coin` is which of two
    texts that are compared he gets; the same for a sender every time.

    His language comes before the purpose: a reply that he reads before a last reply that he does not. `final` and
    `help` without a text use the reply's. `written` is his message, `number` his number in E.164 or None.
    """
    offered, default = hotline.languages, hotline.default_language
    expected = languages.ladder(seen=None, remembered=remembered, number=number, offered=offered, default=default)
    seen = languages.seen_in(written, expected)
    ladder = languages.ladder(seen=seen, remembered=remembered, number=number, offered=offered, default=default)
    purposes = list(dict.fromkeys((purpose, Purpose.REPLY)))
    by_place: dict[tuple[str, str], list[ReplyTemplate]] = {}
    for template in texts_of(hotline) if texts is None else texts:
        by_place.setdefault((template.language, template.purpose), []).append(template)
    for language in ladder:
        for wanted in purposes:
            fitting = by_place.get((language, wanted), [])
            if plain := [template for template in fitting if template.arm == Arm.A]:
                template = _best(plain, step, shortest=shortest)
                rival = None if shortest else _rival(template, fitting, step)
                chosen = rival if rival is not None and coin else template
                return Choice(lint.normalized(chosen.text), language, seen or "", chosen, compared=rival is not None)
    return None


def _rival(template: ReplyTemplate, fitting: Iterable[ReplyTemplate], step: int) -> ReplyTemplate | None:
    """What a first reply is compared with; in a raid nothing is, because whoever costs less is sent."""
    if step != 1:
        return None
    same = (rival for rival in fitting if rival.arm == Arm.B and rival.hotline_id == template.hotline_id)
    return next(same, None)


def _best(templates: Iterable[ReplyTemplate], step: int, *, shortest: bool) -> ReplyTemplate:
    """A text of this step or the nearest below it before one of a later step; the hotline's before the organization's.

    A later step's text is better than none: somebody may have written the second reply and not yet the first.
    """

    def fitness(template: ReplyTemplate) -> tuple[bool, int, bool, int]:
        cost = segments.count(lint.normalized(template.text)).segments if shortest else 0
        return template.step <= step, -cost, template.hotline_id is not None, -abs(step - template.step)

    return max(templates, key=fitness)
