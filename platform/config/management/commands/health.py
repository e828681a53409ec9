from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from config import health

#: Where `serve` listens unless told otherwise.
_PORT = 8000


class Command(BaseCommand):
    help = (
        "Say in one line each whether this installation does its work: database, migrations, cache, this host's spool, "
        "replies that are due, unknown outcomes, providers, sweeps. Exit code 0 when all is well, else 1. It holds no "
        "personal data and changes nothing."
    )
    requires_system_checks: tuple[()] = ()  # when something is wrong is when it is needed

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--only", nargs="+", choices=health.NAMES, metavar="NAME", help=f"some of: {', '.join(health.NAMES)}"
        )
        parser.add_argument("--port", type=int, help="ask the web process on this port of this machine as well")
        parser.add_argument("--json", action="store_true", help="the same as JSON, with the numbers")

    def handle(self, *, only: Sequence[str] | None, port: int | None, **options: Any) -> None:
        names = only or [name for name in health.NAMES if name != health.WEB or port is not None]
        findings = health.ask(names, port or _PORT)
        well = all(finding.ok for finding in findings)
        if options["json"]:
            checks = {finding.name: {"ok": finding.ok, "says": finding.says, **finding.values} for finding in findings}
            self.stdout.write(json.dumps({"ok": well, "checks": checks}))
        else:
            for finding in findings:
                self.stdout.write(f"{'ok  ' if finding.ok else 'FAIL'}  {finding.name:<10}  {finding.says}")
        if not well:
            raise CommandError("not well: " + ", ".join(finding.name for finding in findings if not finding.ok))
