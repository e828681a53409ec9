"""What partners read: numbers to show, their public texts, figures of weeks, what happened."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, ClassVar

from django.conf import settings
from django.db.models import QuerySet
from django.shortcuts import get_object_or_404
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from figures.models import WeekFigures
from pages import board, showing
from pages.models import Page
from partners.models import ApiKey, Audience, Event, Scope
from partners.visible import numbers_of, numbers_under, pages_for
from replies import choosing
from replies.models import Arm, Purpose

from . import listing, sandbox, shapes
from .views import KeyedView

_PUBLIC = (Purpose.REPLY, Purpose.FINAL, Purpose.NOTICE, Purpose.SUSPENDED)
_WEEKS = 104


class Localized(listing.ListQuery):
    #: Each is looked up with its words; more would keep others waiting.
    limit = serializers.IntegerField(required=False, min_value=1, max_value=listing.USUAL, default=listing.USUAL)
    language = serializers.ChoiceField(choices=shapes.LANGUAGES, required=False, default=settings.LANGUAGE_CODE)
    kind = serializers.CharField(required=False, max_length=40)
    state = serializers.ChoiceField(choices=["in_service", "suspended"], required=False)


class Language(serializers.Serializer[Any]):
    language = serializers.ChoiceField(choices=shapes.LANGUAGES, required=False, default=settings.LANGUAGE_CODE)


class TextsQuery(serializers.Serializer[Any]):
    language = serializers.CharField(required=False, max_length=12)


class EventsQuery(listing.ListQuery):
    type = serializers.ChoiceField(choices=Event.Kind.choices, required=False)


class Nothing(serializers.Serializer[Any]):
    """Where nothing can be asked."""


def page_of(key: ApiKey, slug: str) -> Page:
    """Raises `Http404` for what is not there and for what is another's, alike."""
    return get_object_or_404(pages_for(key), slug=slug)


def _told(page: Page, language: str) -> dict[str, Any]:
    numbers = numbers_of(page)
    kinds = {number.kind for number in numbers}
    return {
        "id": str(page.uuid),
        **board.describe(showing.shown(page, language, timezone.now())),
        "kind": kinds.pop() if len(kinds) == 1 else None,
        "languages": sorted({code for number in numbers for code in number.languages}),
        "updated_at": page.updated_at,
    }


class HotlineList(KeyedView):
    scopes: ClassVar = {"GET": Scope.HOTLINES}

    @extend_schema(
        operation_id="list_hotlines",
        tags=["Hotlines"],
        parameters=[Localized],
        responses={200: shapes.listed(shapes.HotlineShape, "Hotlines"), 400: shapes.Problem},
    )
    def get(self, request: Request) -> Response:
        """The hotlines that this key may show."""
        wanted = listing.asked(request, Localized)
        if self.key.sandbox:
            return self.made_up(wanted, shapes.HotlineShape, sandbox.hotlines(wanted))

        def tell(rows: Sequence[Any]) -> list[dict[str, Any]]:
            told = (_told(page, wanted["language"]) for page in rows)
            return [row for row in told if listing.fits(row, wanted, "kind", "state")]

        rows = pages_for(self.key).select_related("organization", "demo")
        return self.listed(wanted, shapes.HotlineShape, rows, "created_at", tell)


class HotlineDetail(KeyedView):
    scopes: ClassVar = {"GET": Scope.HOTLINES}

    @extend_schema(
        operation_id="read_hotline",
        tags=["Hotlines"],
        parameters=[Language],
        responses={200: shapes.HotlineShape, 404: shapes.Problem},
    )
    def get(self, request: Request, slug: str) -> Response:
        """One of them."""
        wanted = listing.asked(request, Language)
        if self.key.sandbox:
            return self.told(sandbox.hotline(slug, wanted["language"]))
        return self.told(_told(page_of(self.key, slug), wanted["language"]))


class HotlineTexts(KeyedView):
    scopes: ClassVar = {"GET": Scope.HOTLINES}

    @extend_schema(
        operation_id="list_texts",
        tags=["Hotlines"],
        parameters=[TextsQuery],
        responses={200: shapes.PublicText(many=True), 404: shapes.Problem},
    )
    def get(self, request: Request, slug: str) -> Response:
        """What it says: its replies, and its notices for pages, in each of its languages."""
        wanted = listing.asked(request, TextsQuery)
        if self.key.sandbox:
            texts: Iterable[dict[str, Any]] = sandbox.texts(slug)
        else:
            texts = _texts(page_of(self.key, slug))
        language = wanted.get("language")
        return self.told([text for text in texts if not language or text["language"] == language])


def _texts(page: Page) -> list[dict[str, Any]]:
    """A number's own text stands for its organization's; of a campaign, those of all its numbers, each once."""
    found: dict[tuple[str, str, int, str], dict[str, Any]] = {}
    for number in numbers_of(page):
        places: dict[tuple[str, str, int], Any] = {}
        for row in choosing.query(number).filter(purpose__in=_PUBLIC, arm=Arm.A):
            place = (row.language, row.purpose, row.step)
            if row.language in number.languages and (place not in places or row.hotline_id is not None):
                places[place] = row
        for (language, purpose, step), row in places.items():
            found[language, purpose, step, row.text] = {
                "language": language,
                "purpose": purpose,
                "step": step,
                "text": row.text,
            }
    return [found[place] for place in sorted(found)]


class HotlineStatistics(KeyedView):
    scopes: ClassVar = {"GET": Scope.STATISTICS}

    @extend_schema(
        operation_id="read_statistics",
        tags=["Hotlines"],
        responses={200: shapes.Week(many=True), 404: shapes.Problem},
    )
    def get(self, request: Request, slug: str) -> Response:
        """Figures of its last 104 weeks, newest first.

        A week is told once, some days after it is over, and never changed. Numbers are rounded, and nothing is told of
        fewer than eleven people. Tests are not counted.
        """
        listing.asked(request, Nothing)
        if self.key.sandbox:
            return self.told(sandbox.weeks(slug))
        return self.told(_weeks(page_of(self.key, slug)))


def _weeks(page: Page) -> list[dict[str, Any]]:
    """Those of all its numbers together, of what was told of each."""
    rows = WeekFigures.objects.filter(hotline__in=numbers_of(page)).order_by("-monday")
    weeks: dict[Any, dict[str, Any]] = {}
    for row in rows:
        week = weeks.setdefault(row.monday, {"monday": row.monday, "senders": None, "messages": None, "languages": {}})
        for name in ("senders", "messages"):
            value = getattr(row, name)
            if value is not None:
                week[name] = (week[name] or 0) + value
        for language, count in row.languages.items():
            week["languages"][language] = week["languages"].get(language, 0) + count
    return list(weeks.values())[:_WEEKS]


class EventList(KeyedView):
    scopes: ClassVar = {"GET": Scope.EVENTS}

    @extend_schema(
        operation_id="list_events",
        tags=["Events"],
        parameters=[EventsQuery],
        responses={200: shapes.listed(shapes.EventShape, "Events"), 400: shapes.Problem},
    )
    def get(self, request: Request) -> Response:
        """What happened, newest first: the same events that webhooks get, for who cannot be called.

        A partner's key reads of changes of numbers and of weeks; a key of the organization's own system of all.
        """
        wanted = listing.asked(request, EventsQuery)
        if self.key.sandbox:
            return self.made_up(wanted, shapes.EventShape, sandbox.events(wanted))
        rows: QuerySet[Event] = Event.objects.filter(organization=self.key.organization_id)
        rows = listing.filtered(rows.exclude(kind=Event.Kind.TEST), wanted, type="kind")
        if self.key.audience == Audience.PARTNER:
            rows = _for_partner(rows, self.key)
        return self.listed(wanted, shapes.EventShape, rows, "at", lambda found: [_event(row) for row in found])


def _for_partner(rows: QuerySet[Event], key: ApiKey) -> QuerySet[Event]:
    """Of the numbers that the key may show."""
    numbers = numbers_under(pages_for(key))
    return rows.filter(state_change__hotline__in=numbers) | rows.filter(week__hotline__in=numbers)


def _event(row: Event) -> dict[str, Any]:
    return {"id": row.message_id, "type": row.kind, "timestamp": row.at, "data": row.data}


class KeyDetail(KeyedView):
    @extend_schema(operation_id="read_key", tags=["Key"], responses={200: shapes.KeyShape, 401: shapes.Problem})
    def get(self, request: Request) -> Response:
        """What this key is, and what it may do."""
        listing.asked(request, Nothing)
        key = self.key
        return self.told(
            {
                "label": key.label,
                "organization": key.organization.name,
                "audience": key.audience,
                "scopes": list(key.granted),
                "sandbox": key.sandbox,
                "expires_at": key.expires_at,
            }
        )
