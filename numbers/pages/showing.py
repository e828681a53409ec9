"""What a page shows now: which number, and its words in the reader's language."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from dataclasses import dataclass

import phonenumbers
from django.conf import settings
from django.conf.locale import LANG_INFO
from django.urls import reverse

from hotlines import rotation, succession
from hotlines.models import Hotline
from replies import choosing, helplines, languages
from replies.models import Arm, Purpose, ReplyTemplate

from .models import Page


@dataclass(frozen=True)
class Words:
    """A text, and the language in which it really is: not everything is in every language."""

    text: str
    language: str

    @property
    def direction(self) -> str:
        """As HTML's `dir` has it."""
        known = LANG_INFO.get(self.language.lower()) or LANG_INFO.get(languages.base(self.language), {})
        return "rtl" if known.get("bidi") else "ltr"


@dataclass(frozen=True)
class Number:
    """A number as machines and as people write it. A short code is the same in all ways."""

    e164: str
    international: str
    national: str

    @property
    def tel(self) -> str:
        return f"tel:{self.e164}"

    @property
    def sms(self) -> str:
        return f"sms:{self.e164}"


@dataclass(frozen=True)
class Shown:
    """A page in one language. `number` is None while none is in service; then `suspended` is what to say.

    `speaker` is the hotline whose texts and countries the page has, also while no number is in service.
    """

    page: Page
    language: str
    name: Words
    about: Words | None
    number: Number | None
    hotline: Hotline | None
    suspended: Words | None
    demo: Number | None
    speaker: Hotline | None = None


@dataclass(frozen=True)
class Listed:
    """One page as the organization's list has it; `number` is None while none is in service."""

    page: Page
    name: Words
    number: Number | None
    hotline: Hotline | None


def number(e164: str) -> Number:
    try:
        parsed = phonenumbers.parse(e164)
    except phonenumbers.NumberParseException:
        return Number(e164, e164, e164)
    ways = phonenumbers.PhoneNumberFormat
    return Number(
        e164,
        phonenumbers.format_number(parsed, ways.INTERNATIONAL),
        phonenumbers.format_number(parsed, ways.NATIONAL),
    )


def published(slug: str) -> Page | None:
    """None where no page is published under this address."""
    rows = Page.objects.filter(slug=slug, published=True)
    related = ("organization", "hotline__organization", "campaign__organization", "demo")
    return rows.select_related(*related).first()


def hotline_of(page: Page, now: datetime.datetime) -> Hotline | None:
    """The number to give away now: by successor, or in turn among those that are well. None where none is."""
    if page.hotline is not None:
        return succession.current(page.hotline)
    if page.campaign is not None:
        return rotation.standing(page.campaign, now).shown
    return None


def shown(page: Page, language: str, now: datetime.datetime) -> Shown:
    hotline = hotline_of(page, now)
    spoken_for = hotline or _any(page)
    demo = page.demo if page.demo is not None and page.demo.state == Hotline.State.ACTIVE else None
    return Shown(
        page=page,
        language=language,
        name=_name(page, language),
        about=_about(page, spoken_for, language),
        number=number(hotline.number) if hotline else None,
        hotline=hotline,
        suspended=_text(spoken_for, Purpose.SUSPENDED, language) if spoken_for and not hotline else None,
        demo=number(demo.number) if demo else None,
        speaker=spoken_for,
    )


def listed(page: Page, language: str, now: datetime.datetime) -> list[Listed]:
    """The organization's other published pages; a few statements, however many there are."""
    others = Page.objects.filter(organization=page.organization_id, published=True).exclude(pk=page.pk)
    related = ("hotline__successor__successor", "campaign__organization")
    rows = [row for row in others.select_related(*related).order_by("name", "pk") if not row.is_list]
    standings = rotation.standings(list({row.campaign.pk: row.campaign for row in rows if row.campaign}.values()), now)
    found = []
    for row in rows:
        hotline = standings[row.campaign_id].shown if row.campaign_id else hotline_of(row, now)
        found.append(Listed(row, _name(row, language), number(hotline.number) if hotline else None, hotline))
    return found


def _any(page: Page) -> Hotline | None:
    """Whose texts speak while no number is in service."""
    if page.hotline is not None:
        return page.hotline
    return page.campaign.hotlines.order_by("pk").first() if page.campaign is not None else None


def _name(page: Page, language: str) -> Words:
    own = page.names.get(language)
    return Words(own, language) if own else Words(page.name, settings.LANGUAGE_CODE)


def _about(page: Page, hotline: Hotline | None, language: str) -> Words | None:
    if own := page.abouts.get(language):
        return Words(own, language)
    notice = _text(hotline, Purpose.NOTICE, language) if hotline else None
    if notice is not None and (notice.language == language or not page.abouts):
        return notice
    return next((Words(about, other) for other, about in page.abouts.items()), None)


def _text(hotline: Hotline, purpose: Purpose, language: str) -> Words | None:
    """The number's text, or its organization's; in its default language, or in any, where there is none in this one."""
    rows = choosing.query(hotline).filter(purpose=purpose, arm=Arm.A)

    def fitness(row: ReplyTemplate) -> tuple[bool, bool, bool]:
        return row.language == language, row.language == hotline.default_language, row.hotline_id is not None

    best = max(rows, key=fitness, default=None)
    return Words(best.text, best.language) if best else None


def replies(hotline: Hotline, language: str) -> list[Words]:
    """What somebody who writes reads first: in this language, or the nearest, and then in all others that it has."""
    texts = choosing.texts_of(hotline)
    found: dict[str, Words] = {}
    for wanted in (language, *hotline.languages):
        choice = choosing.choose(
            hotline, purpose=Purpose.REPLY, step=1, written="", remembered=wanted, number=None, texts=texts
        )
        if choice is not None:
            found.setdefault(choice.language, Words(choice.text, choice.language))
    return list(found.values())


def lines(page: Page, hotline: Hotline | None, today: datetime.date) -> Sequence[helplines.Line]:
    """Helplines of the countries that the number answers; what nobody has checked lately is left out."""
    if hotline is None:
        return []
    checked = page.helplines_checked_on is not None and today - page.helplines_checked_on <= helplines.KEEPS
    found = helplines.of(hotline.countries, hotline.kind)
    return [line for line in found if checked or not line.is_old(today)]


def url(page: Page, language: str, name: str = "page") -> str:
    """The public address, whole."""
    return settings.PUBLIC_URL + reverse(f"pages:{name}", args=(language, page.slug))
