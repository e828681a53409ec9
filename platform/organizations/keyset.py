"""Lists of what grows for ever, newest first: a page begins where another ended, and nothing is counted.

A page by its number costs the more the further back it lies, and its count reads everything. These pages cost the same
wherever they are: an index by organization and moment gives each organization's, and the few are merged.
"""

from __future__ import annotations

import datetime
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Self

from django.contrib.admin.views.main import PAGE_VAR
from django.db import connection
from django.db.models import OuterRef, Q, QuerySet
from django.http import HttpRequest

from .models import Organization
from .scoped_admin import ReadOnlyAdmin, access

if TYPE_CHECKING:
    # unfold is untyped; it has the shape of Django's own.
    from django.contrib.admin.views.main import ChangeList
else:
    from unfold.views import ChangeList

_WRITTEN = re.compile(r"(older|newer)-(\d{1,18})-(\d{1,18})", re.ASCII)
_EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)
_MICROSECOND = datetime.timedelta(microseconds=1)


@dataclass(frozen=True)
class Place:
    """Between two rows: before (`older`) or behind the one of this moment and id. Written in an address."""

    older: bool
    at: datetime.datetime
    pk: int

    @classmethod
    def read(cls, written: str) -> Self | None:
        """None for anything that `str` did not write: that is the first page."""
        found = _WRITTEN.fullmatch(written)
        if found is None:
            return None
        try:
            at = _EPOCH + int(found[2]) * _MICROSECOND
        except OverflowError:
            return None
        return cls(found[1] == "older", at, int(found[3]))

    def __str__(self) -> str:
        return f"{'older' if self.older else 'newer'}-{(self.at - _EPOCH) // _MICROSECOND}-{self.pk}"

    def condition(self, column: str) -> Q:
        """Rows of this side. Its first part is what an index finds by."""
        side = "lt" if self.older else "gt"
        beyond = Q(**{f"{column}__{side}": self.at}) | Q(**{column: self.at, f"pk__{side}": self.pk})
        return Q(**{f"{column}__{side}e": self.at}) & beyond


@dataclass(frozen=True)
class Page:
    """Rows, newest first, and the places of its neighbours; None where there is none."""

    rows: list[Any]
    newer: Place | None = None
    older: Place | None = None


def page(
    rows: QuerySet[Any], column: str, place: Place | None, size: int, organizations: list[int] | None = None
) -> Page:
    """`size` rows at `place`, the newest where None; two statements.

    Each of `organizations` is looked up by itself; None where `rows` are few, as those of one conversation.
    """
    backwards = place is not None and not place.older
    order = (column, "pk") if backwards else (f"-{column}", "-pk")
    beyond = rows.filter(place.condition(column)) if place else rows
    ordered = beyond.order_by(*order)
    # Ids alone first: what else a row holds, and what is joined to it, would be sorted with them.
    ids = _ids(ordered, size + 1, organizations)
    found = list(rows.filter(pk__in=ids).order_by(*order)[: size + 1])
    more, found = len(found) > size, found[:size]
    if backwards:
        found.reverse()
    if not found:
        return Page([])
    first, last = (Place(older, getattr(row, column), row.pk) for older, row in ((False, found[0]), (True, found[-1])))
    has_newer = more if backwards else place is not None
    return Page(found, first if has_newer else None, last if more or backwards else None)


def _ids(rows: QuerySet[Any], size: int, organizations: list[int] | None) -> list[int]:
    """The first `size` of each organization, by the index that begins with it; one statement on PostgreSQL."""
    if organizations is None:
        return list(rows.values_list("pk", flat=True)[:size])
    if connection.vendor == "postgresql" and len(organizations) > 1:
        from django.contrib.postgres.expressions import ArraySubquery  # noqa: PLC0415  wants a driver of PostgreSQL

        mine = rows.filter(organization=OuterRef("pk")).values("pk")[:size]
        arrays = (
            Organization.objects.filter(pk__in=organizations).order_by().values_list(ArraySubquery(mine), flat=True)
        )
        return [pk for array in arrays for pk in array]
    found: list[int] = []
    for organization in organizations:
        found += rows.filter(organization=organization).values_list("pk", flat=True)[:size]
    return found


# --- in the admin -----------------------------------------------------------------------------------------------------
@dataclass(frozen=True)
class _Links:
    """In the place of a paginator, whose template the theme includes."""

    newest: str
    newer: str
    older: str
    template_name: ClassVar = "paravent/pages.html"


class KeysetChangeList(ChangeList):
    def get_results(self, request: HttpRequest) -> None:
        admin: Any = self.model_admin
        place = Place.read(request.GET.get(PAGE_VAR, ""))
        found = page(self.queryset, admin.newest_by, place, self.list_per_page, _organizations(request, admin))
        self.paginator: Any = _Links(
            self.get_query_string(remove=[PAGE_VAR]) if place else "", self._link(found.newer), self._link(found.older)
        )
        self.result_list = found.rows
        self.result_count = self.full_result_count = len(found.rows)
        self.show_full_result_count = self.show_admin_actions = self.can_show_all = self.multi_page = False

    def _link(self, place: Place | None) -> str:
        return self.get_query_string({PAGE_VAR: str(place)}) if place else ""


def _organizations(request: HttpRequest, admin: ReadOnlyAdmin) -> list[int]:
    who = access(request)
    if who.operator:
        return list(Organization.objects.order_by("pk").values_list("pk", flat=True))
    return sorted(who.organizations(admin.view_roles))


class KeysetAdmin(ReadOnlyAdmin):
    """A page of rows that are never typed, by pages that cost the same wherever they are.

    `newest_by` is their moment; an index by organization and it must be there.
    """

    newest_by: ClassVar[str]
    sortable_by: ClassVar[Any] = ()

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return KeysetChangeList

    def get_ordering(self, request: HttpRequest) -> tuple[str, ...]:
        return (f"-{self.newest_by}", "-pk")
