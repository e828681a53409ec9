"""The texts that come with the platform: a file for each kind and language in `packs/`, and historical ones to choose.

A pack is a starting point. Copied to a hotline its texts are the NGO's rows, and no later copy changes them.
"""

from __future__ import annotations

import functools
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.core.exceptions import ImproperlyConfigured, ValidationError
from django.db import transaction
from django.db.models import Q

from hotlines.models import Hotline, OwnKind
from hotlines.policy import MAX_REPLY_LIMIT

from . import lint
from .languages import base
from .models import Arm, Purpose, ReplyTemplate

FOLDER = Path(__file__).parent / "packs"


@dataclass(frozen=True)
class PackText:
    purpose: Purpose
    step: int
    text: str


@dataclass(frozen=True)
class HistoricalText:
    """A text of an earlier number, word for word, with the year and where it was used."""

    name: str
    kind: str
    purpose: Purpose
    language: str
    year: int
    source: str
    text: str


@dataclass(frozen=True)
class Pack:
    """`reviewed` says that a native speaker has read it."""

    texts: tuple[PackText, ...]
    reviewed: bool


@functools.cache
def packs() -> dict[str, dict[str, Pack]]:
    """Every pack by kind and language, read and checked once in a process. Raises `ImproperlyConfigured`."""
    found: dict[str, dict[str, Pack]] = {}
    for path in sorted(FOLDER.glob("*/*.toml")):
        found.setdefault(path.parent.name, {})[path.stem] = _read_pack(path)
    return found


@functools.cache
def historical() -> tuple[HistoricalText, ...]:
    """Texts of earlier numbers that an NGO may choose, oldest first. Raises `ImproperlyConfigured`."""
    path = FOLDER / "historical.toml"
    rows = [
        HistoricalText(**{**row, "purpose": _purpose(row["purpose"], path), "text": _checked(row["text"], path)})
        for row in _read(path)["text"]
    ]
    return tuple(sorted(rows, key=lambda row: (row.year, row.name)))


def for_language(kind: str, tag: str) -> tuple[PackText, ...]:
    """The pack of a kind in a language, or in the language without its region; empty where there is none."""
    pack = _pack(kind, tag)
    return pack.texts if pack else ()


def unreviewed(kind: str, tag: str, text: str) -> bool:
    """Whether `text` is still word for word that of a pack which no native speaker has read."""
    pack = _pack(kind, tag)
    return pack is not None and not pack.reviewed and text in {its.text for its in pack.texts}


def _pack(kind: str, tag: str) -> Pack | None:
    by_language = packs().get(kind, {})
    return by_language.get(tag) or by_language.get(base(tag))


def copy_to_hotline(hotline: Hotline, languages: Iterable[str] | None = None) -> list[ReplyTemplate]:
    """Create the texts of the hotline's kind that it lacks in `languages` (its own where None); returns what is new.

    No text that the NGO wrote is changed, and none is put aside: where it, or its organization's default, has a text
    of its own in a language, the pack adds nothing that would be sent in its place.
    """
    with transaction.atomic():
        # Two copies at once: the second waits and finds nothing missing.
        Hotline.objects.select_for_update(no_key=True).get(pk=hotline.pk)
        own = _own_kind(hotline)
        return [
            ReplyTemplate.objects.create(
                organization_id=hotline.organization_id,
                hotline=hotline,
                purpose=missing.purpose,
                step=missing.step,
                language=tag,
                text=missing.text,
            )
            for tag in (hotline.languages if languages is None else languages)
            for missing in _missing(hotline, tag, own)
        ]


def of_number(hotline: Hotline) -> list[list[Any]]:
    """A number's own texts as `OwnKind.texts` keeps them: those that are sent, and none that is being compared."""
    rows = ReplyTemplate.objects.filter(hotline=hotline, arm=Arm.A, approved=True)
    return [list(row) for row in rows.order_by("language").values_list("purpose", "step", "language", "text")]


def _own_kind(hotline: Hotline) -> OwnKind | None:
    """The organization's own kind that the number is of, as long as it is there."""
    if hotline.kind in packs():
        return None
    return OwnKind.objects.filter(organization=hotline.organization_id, name=hotline.kind).first()


def _own_texts(own: OwnKind, tag: str) -> tuple[PackText, ...]:
    """As `for_language`, of an organization's own kind."""
    rows = own.texts
    for wanted in (tag, base(tag)):
        if found := [PackText(Purpose(row[0]), row[1], row[3]) for row in rows if row[2] == wanted]:
            return tuple(found)
    return ()


def _missing(hotline: Hotline, tag: str, own: OwnKind | None) -> list[PackText]:
    pack = _own_texts(own, tag) if own else for_language(hotline.kind, tag)
    stored = ReplyTemplate.objects.filter(
        Q(hotline=hotline) | Q(hotline__isnull=True),
        organization=hotline.organization_id,
        language__in=(tag, base(tag)),
    )
    there, of_the_ngo = set(), set()
    for row in stored:
        text = PackText(Purpose(row.purpose), row.step, row.text)
        if row.hotline_id is None or text not in pack:
            of_the_ngo.add(_series(text.purpose))
        if row.hotline_id is not None and row.language == tag:
            there.add((text.purpose, text.step))
    return [text for text in pack if _series(text.purpose) not in of_the_ngo and (text.purpose, text.step) not in there]


def _series(purpose: Purpose) -> Purpose:
    """Purposes whose texts stand in for each other count as one: a last reply takes the place of a reply."""
    return Purpose.REPLY if purpose == Purpose.FINAL else purpose


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ImproperlyConfigured(f"{path} cannot be read: {error}") from error


def _read_pack(path: Path) -> Pack:
    texts, rows = [], _read(path)
    reviewed = rows.pop("reviewed", None)
    for name, value in rows.items():
        purpose = _purpose(name, path)
        steps = value if isinstance(value, list) else [value]
        if len(steps) > most_texts(purpose):
            raise ImproperlyConfigured(f"{path}: {name} has {len(steps)} texts, more than can ever be sent.")
        texts += [PackText(purpose, number, _checked(text, path)) for number, text in enumerate(steps, start=1)]
    if not any(text.purpose == Purpose.REPLY for text in texts):
        raise ImproperlyConfigured(f"{path} has no reply.")
    if not isinstance(reviewed, bool):
        raise ImproperlyConfigured(f"{path} must say whether a native speaker has read it: reviewed = true or false.")
    return Pack(tuple(texts), reviewed)


def most_texts(purpose: Purpose) -> int:
    """How many texts of a purpose can ever be sent to one sender."""
    return MAX_REPLY_LIMIT if purpose == Purpose.REPLY else 1


def _purpose(name: str, path: Path) -> Purpose:
    try:
        return Purpose(name)
    except ValueError as error:
        raise ImproperlyConfigured(f"{path}: {name} is none of {', '.join(Purpose.values)}.") from error


def _checked(text: str, path: Path) -> str:
    try:
        lint.validate_text(text)
    except ValidationError as error:
        raise ImproperlyConfigured(f"{path}: {' '.join(error.messages)} ({text})") from error
    return lint.normalized(text)
