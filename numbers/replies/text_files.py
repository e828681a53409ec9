"""The texts of a number in one language as a file that a translator edits: the form of a pack, with the texts of the
number's default language above each line.

What comes back is looked at as a whole before a row is touched: a file with a mistake changes nothing.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import QuerySet
from django.utils.translation import gettext as _

from hotlines.choices import language_name
from hotlines.models import Hotline

from . import lint, packs, versions
from .models import Arm, Purpose, ReplyTemplate

#: Bytes that a file may have; all texts of a number are some 5 kB.
LARGEST = 200_000
#: Says of a pack whether a native speaker has read it; of an NGO's file it says nothing, and is let pass.
_REVIEWED = "reviewed"

Place = tuple[Purpose, int]


@dataclass(frozen=True)
class Applied:
    """How many texts a file has brought and changed; the others were as they are."""

    added: int
    changed: int
    same: int


def written(hotline: Hotline, tag: str) -> str:
    """The file, TOML: what is there in `tag`, and "" for what is not."""
    source, there = _texts(hotline, hotline.default_language), _texts(hotline, tag)
    return "\n".join([*_lines(hotline, tag, source, there), ""])


def read(content: bytes) -> dict[Place, str]:
    """The texts of a file; those that are "" are not translated yet and not among them.

    Raises `ValidationError` with a sentence for each mistake.
    """
    if len(content) > LARGEST:
        raise ValidationError(_("The file is too large. Nothing was changed."), code="large")
    try:
        rows = tomllib.loads(content.decode("utf-8-sig"))
    except (UnicodeDecodeError, tomllib.TOMLDecodeError, RecursionError) as error:
        said = _("The file cannot be read: %(reason)s. Nothing was changed. Each text stands between quotes.")
        raise ValidationError(said, code="form", params={"reason": error}) from error
    found: dict[Place, str] = {}
    problems: list[str] = []
    for name, value in rows.items():
        if name == _REVIEWED:
            continue
        try:
            found |= _checked(name, value)
        except ValidationError as error:
            problems += [f"{name}: {said}" for said in error.messages]
    if problems:
        raise ValidationError([*problems, _("Nothing was changed.")], code="texts")
    return found


def apply(hotline: Hotline, tag: str, texts: dict[Place, str], author: Any = None) -> Applied:
    """Write the texts of a file, or have them approved first.

    Raises `ValidationError` where one may not be sent, and then changes nothing.
    """
    counted = {"added": 0, "changed": 0, "same": 0}
    with transaction.atomic():
        Hotline.objects.select_for_update(no_key=True).get(pk=hotline.pk)
        rows = {(row.purpose, row.step): row for row in _rows(hotline, tag)}
        for (purpose, step), text in texts.items():
            row = rows.get((purpose, step))
            if row is None:
                row = versions.new(hotline, tag, purpose, step)
                counted["added"] += 1
            elif row.text == text:
                counted["same"] += 1
                continue
            else:
                counted["changed"] += 1
            try:
                versions.write(row, text, author)
            except ValidationError as error:
                told = [f"{purpose} {step}: {said}" for said in error.messages]
                raise ValidationError([*told, _("Nothing was changed.")], code="texts") from error
    return Applied(**counted)


def _texts(hotline: Hotline, tag: str) -> dict[Place, str]:
    return {(Purpose(row.purpose), row.step): row.text for row in _rows(hotline, tag)}


def _rows(hotline: Hotline, tag: str) -> QuerySet[ReplyTemplate]:
    """A translator gets the texts A; those that are compared with them are written on their page."""
    return ReplyTemplate.objects.filter(hotline=hotline, language=tag, arm=Arm.A)


def _lines(hotline: Hotline, tag: str, source: dict[Place, str], there: dict[Place, str]) -> Iterator[str]:
    heading = _("%(hotline)s: texts in %(language)s") % {"hotline": hotline.name, "language": language_name(tag)}
    yield _comment(heading)
    yield _comment(_("Write each text between its quotes. Leave quotes empty where there is none. Save as UTF-8."))
    for purpose in Purpose:
        steps = sorted({step for its, step in (*source, *there) if its == purpose})
        if not steps:
            continue
        yield ""
        yield _comment(str(purpose.label))
        several = purpose == Purpose.REPLY
        yield from [f"{purpose.value} = ["] if several else []
        for step in range(1, steps[-1] + 1) if several else steps[:1]:
            place = (purpose, step)
            if place in source and tag != hotline.default_language:
                yield _comment(f"{hotline.default_language}: {source[place]}")
            text = json.dumps(there.get(place, ""), ensure_ascii=False)
            yield f"  {text}," if several else f"{purpose.value} = {text}"
        yield from ["]"] if several else []


def _comment(text: str) -> str:
    return "\n".join(f"# {line}" for line in text.splitlines() or [""])


def _checked(name: str, value: Any) -> dict[Place, str]:
    if name not in Purpose.values:
        known = ", ".join(Purpose.values)
        raise ValidationError(_("This word is unknown; known are %(known)s."), params={"known": known})
    texts = value if isinstance(value, list) else [value]
    most = packs.most_texts(Purpose(name))
    if len(texts) > most:
        raise ValidationError(_("There are more texts than can ever be sent (%(most)s)."), params={"most": most})
    found: dict[Place, str] = {}
    for step, text in enumerate(texts, start=1):
        if not isinstance(text, str):
            raise ValidationError(_("A text stands between quotes."))
        if text := lint.normalized(text):
            lint.validate_text(text)
            found[Purpose(name), step] = text
    return found
