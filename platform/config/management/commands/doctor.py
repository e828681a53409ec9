from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from config import doctor

_MARKS = {True: "ok  ", False: "FAIL", None: "?   "}


class Command(BaseCommand):
    help = (
        "Look for what is wrong with this installation and say what to do: settings, database, cache, workers, clock, "
        "keys, the public address, each active number, and, by asking its provider, each account. It changes nothing "
        "and sends nothing. Exit code 1 where something is to be done. For monitoring use `health`."
    )
    requires_system_checks: tuple[()] = ()  # they are among what it asks

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--offline", action="store_true", help="ask no provider")

    def handle(self, *, offline: bool, **_options: Any) -> None:
        wrong = 0
        for line in doctor.examine(ask_providers=not offline):
            wrong += line.ok is False
            self.stdout.write(f"{_MARKS[line.ok]}  {line.about:<12}  {line.says}")
        if wrong:
            raise CommandError(f"{wrong} to do: see the lines with FAIL")
