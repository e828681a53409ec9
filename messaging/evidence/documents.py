"""The report of an export, to be read by the police or a lawyer: a page for a browser, and the same on paper."""

from __future__ import annotations

import contextlib
import datetime
import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.template.loader import render_to_string
from django.utils.formats import date_format
from django.utils.timezone import localtime
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from conversations.senders import number_of

from .subjects import Subject

if TYPE_CHECKING:
    from .paper import Paper

#: So many rows of a table are printed; the page in HTML has all of them.
PRINTED = 1000


@dataclass(frozen=True)
class Document:
    """What a report is made of: `records.of` and `subjects.lines`, and the key that signs the export."""

    subject: Subject
    records: list[dict[str, Any]]
    participants: list[dict[str, Any]]
    made_at: datetime.datetime
    public_key: str

    @property
    def title(self) -> str:
        if self.subject.is_raid:
            return _("A raid on a hotline number")
        return _("Messages received by a hotline number")

    @property
    def facts(self) -> list[tuple[str, str]]:
        """Names and values, at the head of the report."""
        hotline = self.subject.hotline
        number = f"{hotline.name}, {hotline.number}"
        told = [(_("Organization"), hotline.organization.name), (_("Number that received them"), number)]
        if self.subject.is_raid:
            clusters = {line["cluster"] for line in self.participants}
            told += [
                (_("Participants"), str(len(self.participants))),
                (_("Waves"), str(max((line["wave"] for line in self.participants), default=0))),
                (_("Groups of like texts or numbers"), str(len(clusters))),
            ]
        else:
            forged = _("as the network gave it; it can be forged")
            told.append((_("Number of the sender"), f"{self._sender} — {forged}"))
        told.append((_("Messages"), self._counted))
        told.append((_("Made on"), f"{date_format(localtime(self.made_at), 'DATETIME_FORMAT')} (UTC{self._offset})"))
        return told

    @property
    def _sender(self) -> str:
        sender = next((record["sender"] for record in self.records if record["sender"]), None)
        return number_of(sender or "") or _("erased or withheld")

    @property
    def _counted(self) -> str:
        threats = sum(record["threat"] for record in self.records)
        if not threats:
            return str(len(self.records))
        found = ngettext(
            "%(count)d has words of a threat, as found by a list of phrases",
            "%(count)d have words of a threat, as found by a list of phrases",
            threats,
        )
        return f"{len(self.records)}; {found % {'count': threats}}"

    @property
    def _offset(self) -> str:
        return date_format(localtime(self.made_at), "O")

    @property
    def message_names(self) -> list[str]:
        return [_("No."), _("Received"), _("Text")]

    @property
    def messages(self) -> Iterator[tuple[str, str, str]]:
        """Position, time and text of each message, as a person reads them."""
        # gettext finds no texts within f-strings.
        said_erased, said_none, said_mark = _("erased"), _("no text"), _("threat?")
        erased, none, mark = f"({said_erased})", f"({said_none})", f" [{said_mark}]"
        for record in self.records:
            event = record["event"]
            text = erased if event is None else event["text"]
            text = none if text is None else text
            yield str(record["position"]), _moment(record["received_at"]), text + (mark if record["threat"] else "")

    @property
    def participant_names(self) -> list[str]:
        return [_("Wave"), _("Group"), _("Number"), _("First message"), _("Messages"), _("Threats?")]

    @property
    def participant_rows(self) -> Iterator[tuple[str, ...]]:
        """One line for each, by wave and group."""
        ordered = sorted(self.participants, key=lambda line: (line["wave"], line["cluster"], line["joined_at"]))
        unknown = _("erased or withheld")
        for line in ordered:
            number = line["number"] or f"({unknown})"
            counted = (str(line["messages"]), str(line["threats"]))
            yield str(line["wave"]), str(line["cluster"]), number, _moment(line["joined_at"]), *counted

    @property
    def explained(self) -> list[str]:
        """How it can be checked, and what it is not."""
        return [
            _(
                "Each message was, within seconds of its reception, written into a chain of hash values (SHA-256) of "
                "this number; the end of the chain is signed every day (Ed25519) and mailed to the organization. The "
                "program verify.py in this file, with the command python3 verify.py, checks without Paravent that no "
                "message of this list was changed, added or left out."
            ),
            _("Public key: %(key)s") % {"key": self.public_key},
            _(
                "Times are those of the server that received the messages. This document states what was received; who "
                "wrote it must be established by an inquiry. A report by a commissaire de justice is stronger evidence."
            ),
        ]

    @property
    def raid_explained(self) -> str:
        return _(
            "Listed are the senders whom detection found to be of a group: texts that are alike, or numbers that lie "
            "together, many within an hour. A wave ends with an hour of silence. That somebody is in a group does not "
            "prove that he knew of the others."
        )


def page(document: Document) -> bytes:
    """The report in HTML, in the active language."""
    return render_to_string("evidence/report.html", {"document": document}).encode()


def pdf(document: Document, language: str) -> bytes:
    """The report in PDF, in the active language, which `language` names."""
    from .paper import Paper  # noqa: PLC0415  its libraries take half a second, and few processes ever print

    title = f"{document.subject.hotline.organization.name} — {document.subject.name}"
    with contextlib.closing(Paper(document.title, language, title)) as paper:
        paper.facts(document.facts)
        if document.subject.is_raid:
            paper.heading(_("Who took part"))
            paper.paragraph(document.raid_explained)
            _print(paper, document.participant_names, document.participant_rows, (2, 2, 5, 6, 3, 3))
        paper.heading(_("The messages"))
        _print(paper, document.message_names, document.messages, (2, 5, 14))
        if paper.left_out:
            paper.paragraph(
                _("Letters that this document cannot draw are named in brackets; the .html file beside it shows them.")
            )
        paper.heading(_("How it can be checked"))
        for said in document.explained:
            paper.paragraph(said)
        return bytes(paper.output())


def _print(paper: Paper, names: list[str], rows: Iterator[Sequence[str]], widths: Sequence[int]) -> None:
    paper.rows(names, itertools.islice(rows, PRINTED), widths)
    if next(rows, None) is not None:
        said = _("The first %(shown)d are printed here; the .html file beside this one has all of them.")
        paper.paragraph(said % {"shown": PRINTED})


def _moment(written: str) -> str:
    at = localtime(datetime.datetime.fromisoformat(written))
    return f"{date_format(at, 'SHORT_DATE_FORMAT')} {date_format(at, 'H:i:s')}"
