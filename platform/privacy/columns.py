"""Where sealed values lie: every binary column whose name ends with `_sealed`, of every model.

A model that has one has a `uuid` and knows its organization, since that is what the value is bound to (`vault.Place`).
"""

from __future__ import annotations

import uuid
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Any

from django.apps import apps
from django.db import models
from django.db.models.functions import Substr

from . import vault

_SUFFIX = "_sealed"


@dataclass(frozen=True)
class Column:
    """A column of sealed values; `organization` is the path to the organization's id."""

    model: type[models.Model]
    name: str
    organization: str

    @property
    def table(self) -> str:
        return self.model._meta.db_table

    def __str__(self) -> str:
        return f"{self.table}.{self.name}"

    def _everything(self) -> models.QuerySet[Any]:
        """Every row, whatever the model's own managers leave out."""
        return self.model._base_manager.all()  # noqa: SLF001  documented: docs.djangoproject.com/en/5.2/topics/db/managers/

    def rows(self) -> models.QuerySet[Any]:
        """All rows that hold a value, over all organizations."""
        return self._everything().filter(**{f"{self.name}__isnull": False})

    def under(self, key_ids: Collection[int]) -> models.QuerySet[Any]:
        """The rows whose value was sealed with one of these data keys; no index helps to find them."""
        heads = [vault.key_bytes(key_id) for key_id in key_ids]
        found: models.QuerySet[Any] = self.rows().alias(_key=_head(self.name)).filter(_key__in=heads)
        return found

    def keys_in_use(self) -> set[int]:
        """The ids of all data keys that something in this column is sealed with: one walk through the table."""
        heads = self.rows().order_by().values_list(_head(self.name), flat=True).distinct()
        return {int.from_bytes(bytes(head), "big") for head in heads}

    def values(self, rows: models.QuerySet[Any], batch: int) -> Iterator[list[Value]]:
        """What these rows hold, `batch` at a time, in the order of their ids."""
        last = 0
        while found := list(
            rows.filter(pk__gt=last).order_by("pk").values_list("pk", "uuid", self.organization, self.name)[:batch]
        ):
            yield [Value(self, pk, row, organization, bytes(sealed)) for pk, row, organization, sealed in found]
            last = found[-1][0]


@dataclass(frozen=True)
class Value:
    """One sealed value and where it lies."""

    column: Column
    pk: int
    row: uuid.UUID
    organization_id: int
    sealed: bytes

    @property
    def place(self) -> vault.Place:
        return vault.Place(self.column.table, self.row, self.column.name, self.organization_id)

    def replace(self, sealed: bytes | None) -> bool:
        """Write another value in its stead; False when somebody else changed or erased it meanwhile."""
        same = self.column.rows().filter(pk=self.pk, **{self.column.name: self.sealed})
        return bool(same.update(**{self.column.name: sealed}))


def _head(name: str) -> Substr:
    return Substr(name, 1 + vault.KEY_AT, vault.KEY_BYTES, output_field=models.BinaryField())


def keys_in_use() -> set[int]:
    """The ids of all data keys that anything of this installation is sealed with."""
    return set().union(*(column.keys_in_use() for column in all_columns()))


def all_columns() -> list[Column]:
    """Every sealed column of this installation."""
    found = []
    for model in apps.get_models():
        names = [field.name for field in model._meta.local_concrete_fields if field.name.endswith(_SUFFIX)]
        found += [Column(model, name, _organization(model)) for name in names]
    return found


def _organization(model: type[models.Model]) -> str:
    own = {field.name for field in model._meta.get_fields()}
    return "organization_id" if "organization" in own else "hotline__organization_id"
