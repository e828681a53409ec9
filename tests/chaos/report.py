"""docs/reliability.md's table, and the folder that holds a run's evidence."""

from __future__ import annotations

import dataclasses
import importlib.metadata
import json
import os
import platform
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tests import doc_pages
from tests.bench.report import machine
from tests.chaos.evidence import Evidence
from tests.chaos.verdict import KINDS, Verdict

PART = "chaos"
_PACKAGES = ("Django", "granian", "celery", "psycopg")


def write(page: Path, verdict: Verdict, arguments: Sequence[str]) -> None:
    """Put the result into its part of `page`."""
    doc_pages.put(page, PART, section(verdict, arguments))


def section(verdict: Verdict, arguments: Sequence[str]) -> str:
    """The result as Markdown."""
    shown = [argument for argument in arguments if not argument.startswith(("--write", "--keep", "docs/"))]
    versions = ", ".join(f"{name} {importlib.metadata.version(name)}" for name in _PACKAGES)
    lines = [
        "",
        f"- Date: {datetime.now(UTC):%Y-%m-%d}",
        f"- Machine: {machine()}",
        f"- Software: Python {platform.python_version()}, {versions}",
        f"- Command: `{' '.join(['python -m tests.chaos', *shown])}`",
        f"- Result: {'passed' if verdict.passed else 'FAILED'}",
        "",
        "| what was broken | times |",
        "|---|--:|",
        *(f"| {kind} | {verdict.count(kind)} |" for kind in KINDS),
        "",
        "| what happened | |",
        "|---|--:|",
        *(f"| {name} | {value} |" for name, value in verdict.figures.items()),
        "",
    ]
    return "\n".join([*lines, ""])


def keep(folder: Path, evidence: Evidence) -> None:
    """Write what a person needs who wants to know why, beside the fake Plivo's ledger and the logs."""
    for name in ("attempts", "messages", "replies", "outages"):
        _lines(folder / f"{name}.jsonl", getattr(evidence, name))
    _lines(folder / "plan.jsonl", evidence.plan.messages)


def _lines(path: Path, rows: Iterable[Any]) -> None:
    with path.open("w") as file:
        for row in rows:
            file.write(json.dumps(dataclasses.asdict(row), default=str) + os.linesep)
