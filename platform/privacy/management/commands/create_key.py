from __future__ import annotations

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from privacy import keys


class Command(BaseCommand):
    help = "Create a master key in a new file of mode 0600. An existing file is left as it is."
    requires_system_checks: list[str] = []  # it is what one runs when the check has failed

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("path", type=Path)
        parser.add_argument("--if-missing", action="store_true", help="say nothing when the file exists")

    def handle(self, *, path: Path, if_missing: bool, **_options: Any) -> None:
        if keys.create_file(path):
            self.stdout.write(f"Created {path}. Keep a copy off this machine: without it, what is stored is lost.")
        elif not if_missing:
            raise CommandError(f"{path} exists and was left as it is. Choose another path for a further key.")
