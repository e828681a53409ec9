from __future__ import annotations

import os
from collections import Counter
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from privacy import keys, offline, rotation
from privacy.models import DataKey

Purpose = DataKey.Purpose
_SEALED_AGAIN = (Purpose.TEXT, Purpose.NUMBER, Purpose.CREDENTIALS)
_DESTROYED = (Purpose.TEXT, Purpose.NUMBER, Purpose.PSEUDONYM)


class Command(BaseCommand):
    help = "Make, change and destroy the keys that protect numbers and texts. What each is for: docs/operators/keys.md."
    requires_system_checks: tuple[()] = ()  # `create` and `list` are what one runs when the check has failed

    def add_arguments(self, parser: CommandParser) -> None:
        actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
        create = actions.add_parser("create", help="a master key in a new file of mode 0600")
        create.add_argument("path", type=Path)
        create.add_argument("--if-missing", action="store_true", help="say nothing when the file exists")
        actions.add_parser("list", help="which keys there are, and what is under each")
        actions.add_parser("verify", help="open everything that is sealed, and count what does not open")
        actions.add_parser("rewrap", help="wrap all data keys with the newest master key; takes seconds")
        drop = actions.add_parser("drop", help="take a master key out of the configuration, if nothing needs it")
        drop.add_argument("master", metavar="ID")
        again = actions.add_parser("reencrypt", help="seal everything anew with fresh data keys; may be interrupted")
        again.add_argument("--purpose", nargs="+", choices=_SEALED_AGAIN, default=_SEALED_AGAIN)
        epoch = actions.add_parser("new-epoch", help="begin new pseudonyms now; stop every process of the site first")
        destroy = actions.add_parser("destroy", help="destroy the data keys of a period, and so what they protect")
        destroy.add_argument("period", help="2026-11 for a month, 2026-H1 for the pseudonyms of a half-year")
        destroy.add_argument("--purpose", nargs="+", choices=_DESTROYED, required=True)
        destroy.add_argument("--yes", action="store_true", help="do not ask")
        for parsed in (again, epoch, destroy):
            parsed.add_argument("--organization", nargs="+", type=int, default=(), metavar="ID", help="only of these")

    def handle(self, *, action: str, **options: Any) -> None:
        try:
            getattr(self, f"_{action.replace('-', '_')}")(**options)
        except rotation.Refused as refusal:
            raise CommandError(str(refusal)) from refusal

    def _create(self, *, path: Path, if_missing: bool, **_options: Any) -> None:
        if keys.create_file(path):
            self.stdout.write(f"Created {path}. Keep a copy off this machine: without it, what is stored is lost.")
        elif not if_missing:
            raise CommandError(f"{path} exists and was left as it is. Choose another path for a further key.")

    def _list(self, **_options: Any) -> None:
        for position, master in enumerate(keys.configured()):
            files = len(offline.files_under(Path(settings.SPOOL_DIR), master.id))
            role = "newest" if position == 0 else "older"
            wrapped = rotation.wrapped_by(master.id)
            self.stdout.write(f"master {master.id}  {role}  {wrapped} keys, {files} files of this host's spool")
        standing = DataKey.objects.values_list("purpose", "period", "retired_at").order_by("purpose", "period")
        counted = Counter((purpose, period, retired is not None) for purpose, period, retired in standing)
        for (purpose, period, retired), count in counted.items():
            ends = "  retired, deleted within hours once nothing needs it" if retired else ""
            self.stdout.write(f"{purpose:<12} {period:<8} {count} organizations{ends}")

    def _verify(self, **_options: Any) -> None:
        outcome = rotation.verify(
            lambda column, found: self.stdout.write(f"{column}: {found.done} open, {found.unreadable} do not")
        )
        if outcome.unreadable:
            raise CommandError(
                f"{outcome.unreadable} values do not open: altered, moved, or their key was destroyed. The others are "
                "well; nothing was changed."
            )

    def _rewrap(self, **_options: Any) -> None:
        outcome = rotation.rewrap()
        self.stdout.write(f"{outcome.done} keys are now wrapped by master key {keys.current().id}.")
        if outcome.unreadable:
            raise CommandError(
                f"{outcome.unreadable} keys were left as they are, because no configured master key opens them. Add "
                "the one that `keys list` does not show and run this again."
            )

    def _drop(self, *, master: str, **_options: Any) -> None:
        if master not in {key.id for key in keys.configured()}:
            raise CommandError(f"No configured master key is called {master}. Nothing was changed; see `keys list`.")
        if master == keys.current().id:
            raise CommandError(f"{master} is the newest, which new keys are wrapped with. Nothing was changed.")
        if count := rotation.wrapped_by(master):
            raise CommandError(f"{count} keys need {master}. Nothing was changed. Run `keys rewrap` first.")
        if files := offline.files_under(Path(settings.SPOOL_DIR), master):
            raise CommandError(
                f"Messages that wait in this host's spool need {master}: {', '.join(path.name for path in files)}. "
                "Nothing was changed. Wait until they are stored, or see `manage.py spool`."
            )
        self._take_out(master)
        self.stdout.write(
            "Look at `keys list` on every other host before its file loses the key too. Once the last copy of the key "
            f"is destroyed, nothing personal can be read in any backup made before {timezone.now():%Y-%m-%d %H:%M} UTC."
        )

    def _take_out(self, master: str) -> None:
        path = os.environ.get("PARAVENT_MASTER_KEY_FILE")
        try:
            if path is None:
                raise OSError("no file is named in PARAVENT_MASTER_KEY_FILE")
            keys.rewrite_file(Path(path), keys.without(Path(path).read_text(), master))
        except OSError as error:
            self.stdout.write(
                f"Nothing needs {master} any more. Take its line out of PARAVENT_MASTER_KEY yourself; it could not be "
                f"done here ({error.strerror or error})."
            )
        else:
            self.stdout.write(f"{path} no longer holds {master}. Start the processes again.")

    def _reencrypt(self, *, purpose: list[str], organization: list[int], **_options: Any) -> None:
        if begun := rotation.retired():
            self.stdout.write(f"{begun} keys are retired already: this goes on with them and retires no others.")
        else:
            retired = rotation.retire(organization, purpose, timezone.now())
            self.stdout.write(f"{retired} keys were retired; nothing new is sealed with them after a minute.")
        outcome = rotation.reencrypt(lambda column, done: self.stdout.write(f"{column}: {done}"))
        self.stdout.write(
            f"{outcome.done} values were sealed anew. The hourly sweep does the same with what was written meanwhile, "
            "then deletes the retired keys. If this is interrupted, run it again or leave the rest to the sweep."
        )
        if outcome.unreadable:
            raise CommandError(
                f"{outcome.unreadable} values do not open and were left; their keys stay. See `keys verify`."
            )

    def _new_epoch(self, *, organization: list[int], **_options: Any) -> None:
        begun = rotation.new_epoch(organization or rotation.organizations(), timezone.now())
        self.stdout.write(
            f"New epochs for {len(begun)} organizations. Start the processes again; who comes again is recognized and "
            "keeps his counters."
        )

    def _destroy(self, *, period: str, purpose: list[str], organization: list[int], yes: bool, **_options: Any) -> None:
        if not yes:
            self.stdout.write(f"What was sealed for {', '.join(purpose)} in {period} becomes unreadable for ever.")
            if input(f"Type {period} to go on: ") != period:
                raise CommandError("Nothing was destroyed.")
        gone = rotation.destroy_period(period, purpose, organization)
        self.stdout.write(f"{gone} keys were destroyed. Processes that run have forgotten them within a minute.")
