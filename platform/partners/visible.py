"""What partners may know of: the numbers that published pages show."""

from __future__ import annotations

from collections.abc import Iterable

from django.db.models import QuerySet

from hotlines import succession
from hotlines.models import Hotline
from pages.models import Page

from .models import ApiKey


def pages_of(organization_id: int) -> QuerySet[Page]:
    """The published pages of numbers and campaigns."""
    rows = Page.objects.filter(organization=organization_id, published=True).select_related("hotline", "campaign")
    return rows.exclude(hotline__isnull=True, campaign__isnull=True)


def pages_for(key: ApiKey) -> QuerySet[Page]:
    """Those that a key may read. Where it was given some, and they are gone, it reads none."""
    rows = pages_of(key.organization_id)
    return rows if key.every_page else rows.filter(pk__in=key.pages.values("pk"))


def numbers_of(page: Page) -> list[Hotline]:
    """The numbers that stood, stand or may stand under it."""
    if page.hotline is not None:
        return list(succession.line(page.hotline))
    return list(page.campaign.hotlines.order_by("pk")) if page.campaign is not None else []


def numbers_under(pages: Iterable[Page]) -> set[int]:
    """Their ids."""
    return {number.pk for page in pages for number in numbers_of(page)}
