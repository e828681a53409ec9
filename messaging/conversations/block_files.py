"""Blocks on all numbers as a file: from one organization's list, and into it again.

A file holds no number: each sender is sealed for the organization, and means nothing anywhere else. What a person
writes into a file of her own are numbers. Both are read by the same way, all of it or nothing.
"""

from __future__ import annotations

import base64
import binascii
import csv
import datetime
import io
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import timezone
from django.utils.formats import number_format
from django.utils.translation import gettext as _

from organizations.models import Organization
from privacy import datakeys, vault

from . import blocks, senders
from .models import Block
from .words import BlockCause

COLUMNS = ("sender", "reason", "until", "since")
#: Of a file, in bytes and in lines; of what is wrong with one, how many lines are told.
#: So many take some seconds, in which a small installation writes nothing else.
LARGEST, LONGEST, _TOLD = 1_000_000, 2_000, 20
_SEALED = "sealed:"
#: A spreadsheet takes what begins so for a formula.
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


@dataclass(frozen=True)
class Line:
    """One block to write: a canonical sender, and the end of the block, or None for "until a person lifts it"."""

    sender: str
    reason: str
    until: datetime.datetime | None


@dataclass(frozen=True)
class Taken:
    """How many blocks are new, and how many senders were blocked as long already."""

    new: int
    standing: int


# --- writing ----------------------------------------------------------------------------------------------------------
def dump(organization: Organization, now: datetime.datetime) -> str:
    """The standing blocks of the organization on all numbers, as CSV. Those whose number was erased are not in it."""
    file = io.StringIO()
    rows = csv.writer(file)
    rows.writerow(COLUMNS)
    found = Block.objects.filter(blocks.standing(now), organization=organization, conversation__isnull=True)
    for block in found.filter(cause=BlockCause.PERSON, sender_sealed__isnull=False).order_by("since", "pk"):
        if (sender := blocks.sender_of(block)) is not None:
            until = block.until.isoformat() if block.until else ""
            rows.writerow([_sealed(organization, sender), _no_formula(block.reason), until, block.since.isoformat()])
    return file.getvalue()


def _sealed(organization: Organization, sender: str) -> str:
    sealed = vault.seal(sender, _place(organization), datakeys.Purpose.NUMBER, datakeys.FOREVER)
    return _SEALED + base64.urlsafe_b64encode(sealed).decode()


def _place(organization: Organization) -> vault.Place:
    return vault.Place("block_file", organization.uuid, "sender", organization.pk)


def _no_formula(text: str) -> str:
    return f"'{text}" if text.startswith(_FORMULA) else text


def too_long() -> str:
    """What is said of a file that is too large or has too many lines."""
    most = number_format(LONGEST, force_grouping=True)
    return _("The file is too long: %(most)s lines are the most. Nobody was blocked.") % {"most": most}


# --- reading ----------------------------------------------------------------------------------------------------------
def take(organization: Organization, content: bytes, author: Any, reason: str) -> Taken:
    """Block who stands in the file, on all numbers; `reason` is for lines that have none.

    Raises `ValidationError` with the lines that are wrong; then nobody was blocked.
    """
    lines = list(_read(organization, content, reason))
    with transaction.atomic():
        written = [blocks.block_sender(organization.pk, line.sender, author, line.reason, line.until) for line in lines]
    new = sum(block is not None for block in written)
    return Taken(new, len(written) - new)


def _read(organization: Organization, content: bytes, reason: str) -> Iterator[Line]:
    rows = _rows(content)
    found: dict[str, Line] = {}
    wrong: list[str] = []
    for number, row in enumerate(rows, start=2):
        try:
            line = _line(organization, row, reason)
        except ValidationError as error:
            wrong.append(_("Line %(number)d: %(problem)s") % {"number": number, "problem": error.messages[0]})
            continue
        found.setdefault(line.sender, line)
    if wrong:
        more = [_("And %(count)d more lines.") % {"count": len(wrong) - _TOLD}] if len(wrong) > _TOLD else []
        raise ValidationError([*wrong[:_TOLD], *more, _("Nobody was blocked.")])
    if not found:
        raise ValidationError(_("There is no line with a sender in the file. Nobody was blocked."))
    yield from found.values()


def _rows(content: bytes) -> list[dict[str, str]]:
    """The file's lines by column; blank ones stay, as None's place, so that numbers of lines are a person's."""
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValidationError(_("The file is not UTF-8. Save it as “CSV UTF-8”. Nobody was blocked.")) from error
    if len(content) > LARGEST or text.count("\n") > LONGEST + 1:  # and the names of the columns
        raise ValidationError(too_long())
    head = text.partition("\n")[0]
    reader = csv.DictReader(io.StringIO(text.replace("\x00", ""), newline=""), delimiter=max(",;\t", key=head.count))
    names = [name.strip().casefold() for name in reader.fieldnames or ()]
    if "sender" not in names:
        raise ValidationError(
            _("The first line must name the columns; “sender” is not among them. Nobody was blocked.")
        )
    reader.fieldnames = names
    try:
        return [{name: (value or "").strip() for name, value in row.items() if name in COLUMNS} for row in reader]
    except (csv.Error, AttributeError) as error:
        raise ValidationError(_("The file is no table that can be read. Nobody was blocked.")) from error


def _line(organization: Organization, row: dict[str, str], reason: str) -> Line:
    said = row.get("reason", "")
    said = said[1:] if said.startswith("'") and said[1:].startswith(_FORMULA) else said
    return Line(_sender(organization, row["sender"]), (said or reason)[:200], _until(row.get("until", "")))


def _sender(organization: Organization, written: str) -> str:
    if written.startswith(_SEALED):
        try:
            sealed = base64.b64decode(written.removeprefix(_SEALED), altchars=b"-_", validate=True)
            return vault.unseal(sealed, _place(organization))
        except (binascii.Error, ValueError, vault.Unreadable) as error:
            raise ValidationError(_("this sender comes from another organization or another server.")) from error
    number = senders.canonical("".join(char for char in written if char not in " \N{NO-BREAK SPACE}.-/()'"))
    if senders.number_of(number) is None:
        raise ValidationError(_("write the number with + and its country code, like +33612345678."))
    return number


def _until(written: str) -> datetime.datetime | None:
    if not written:
        return None
    try:
        moment = datetime.datetime.fromisoformat(written)
    except ValueError as error:
        raise ValidationError(_("the end of the block is no date; write it like 2027-03-31.")) from error
    moment = moment if moment.tzinfo else timezone.make_aware(moment)
    if moment <= timezone.now():
        raise ValidationError(_("the end of the block lies in the past."))
    return moment
