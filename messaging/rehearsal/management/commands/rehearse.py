from __future__ import annotations

import argparse
import dataclasses
import pickle
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from rehearsal import report, scratch, traces
from rehearsal.result import Result
from rehearsal.terms import Terms

_CHILD = "--on-stage"
_SIZES = ("days", "genuine", "raid", "lookalikes")


class Command(BaseCommand):
    help = (
        "Replay a raid, or quiet days, against the real code on a scratch database: messages through the webhook, "
        "replies to a provider that only keeps a ledger. Says what it would have cost, who would have been answered "
        "and when it was noticed. Nothing of this installation is read or written, and nothing is sent to anybody."
    )
    requires_system_checks: list[str] = []

    def create_parser(self, prog_name: str, subcommand: str, **kwargs: Any) -> Any:
        kinds = "\n".join(f"  {name:22} {kind.description}" for name, kind in traces.TRACES.items())
        kwargs |= {"epilog": f"traces:\n{kinds}", "formatter_class": argparse.RawDescriptionHelpFormatter}
        return super().create_parser(prog_name, subcommand, **kwargs)

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("trace", nargs="?", help="which trace, see below")
        parser.add_argument("--from", dest="source", metavar="FILE", help="read the trace from this file instead")
        parser.add_argument("--save", metavar="FILE", help="write the trace to this file, and rehearse nothing")
        parser.add_argument("--seed", type=int, default=1)
        parser.add_argument("--seeds", type=int, default=1, help="so many seeds, one after the other from --seed on")
        parser.add_argument("--jobs", type=int, default=1, help="so many at a time")
        for size in _SIZES:
            parser.add_argument(f"--{size}", type=int)
        for term in dataclasses.fields(Terms):
            option = f"--{term.name.replace('_', '-')}"
            words = f"{term.metadata['help']} ({term.default})"
            parser.add_argument(option, type=type(term.default), default=term.default, help=words)
        parser.add_argument("--json", metavar="FILE", help="write the report as JSON too")
        parser.add_argument("--html", metavar="FILE", help="write the report as a page with plots too")
        parser.add_argument("--quiet", action="store_true", help="no progress bar")
        parser.add_argument(_CHILD, dest="on_stage", metavar="FOLDER", help=argparse.SUPPRESS)

    def handle(self, **options: Any) -> None:
        if options["on_stage"]:
            return _on_stage(Path(options["on_stage"]), quiet=options["quiet"])
        if options["save"]:
            trace = _trace(options, options["seed"])
            Path(options["save"]).write_text("".join(traces.dump(trace)))
            self.stdout.write(f"{len(trace.messages)} messages are in {options['save']}.")
            return None
        terms = Terms(**{term.name: options[term.name] for term in dataclasses.fields(Terms)})
        seeds = range(options["seed"], options["seed"] + max(options["seeds"], 1))
        with ThreadPoolExecutor(max(options["jobs"], 1)) as pool:
            played = pool.map(lambda seed: _rehearse(_trace(options, seed), terms, quiet=options["quiet"]), seeds)
            results = list(played)
        self.stdout.write(report.as_text(results))
        for name, made in (("json", report.as_json), ("html", report.as_html)):
            if options[name]:
                Path(options[name]).write_text(made(results))
                self.stdout.write(f"The report is in {options[name]}.")
        return None


def _trace(options: dict[str, Any], seed: int) -> traces.Trace:
    """Raises `CommandError` with a sentence that says what is wrong."""
    if bool(options["trace"]) == bool(options["source"]):
        raise CommandError(f"Name a trace, or a file with --from. There are: {', '.join(traces.TRACES)}.")
    sizes = {size: options[size] for size in _SIZES if options[size] is not None}
    if options["source"] and (sizes or options["seeds"] > 1):
        raise CommandError("A trace from a file has its own size and seed. Nothing was rehearsed.")
    try:
        if options["source"]:
            with Path(options["source"]).open() as lines:
                return traces.read(lines)
        return traces.make(options["trace"], seed, **sizes)
    except (OSError, UnicodeDecodeError, ValueError) as error:
        raise CommandError(f"{error} Nothing was rehearsed.") from error


# --- a process and a folder of its own for each trace -----------------------------------------------------------------
def _rehearse(trace: traces.Trace, terms: Terms, *, quiet: bool) -> Result:
    with tempfile.TemporaryDirectory(prefix="paravent-rehearsal-") as name:
        folder = Path(name)
        (folder / "task").write_bytes(pickle.dumps((trace, terms)))
        command = [sys.executable, sys.argv[0], "rehearse", _CHILD, name, *(["--quiet"] if quiet else [])]
        done = subprocess.run(command, env=scratch.environment(folder), check=False)  # noqa: S603  ourselves
        if done.returncode:
            raise CommandError(f"Seed {trace.seed} could not be rehearsed; what it said stands above.")
        result: Result = pickle.loads((folder / "result").read_bytes())  # noqa: S301  our own process wrote it
        return result


def _on_stage(folder: Path, *, quiet: bool) -> None:
    """In the process that `_rehearse` starts."""
    if not settings.DEMO or not settings.SIMULATOR:
        raise CommandError("This option is for a process that `rehearse` starts itself. Nothing was done.")
    from rehearsal.stage import Stage  # noqa: PLC0415  the simulator's models exist only here

    trace, terms = pickle.loads((folder / "task").read_bytes())  # noqa: S301  our own process wrote it
    bar = (lambda _share: None) if quiet else _bar(f"{trace.name} {trace.seed}")
    (folder / "result").write_bytes(pickle.dumps(Stage(trace, terms, bar).play()))


def _bar(label: str) -> Any:
    """Draws its share on a terminal's last line; elsewhere it is silent."""

    def draw(share: float) -> None:
        if sys.stderr.isatty():
            sys.stderr.write(f"\r{label} [{'#' * int(40 * share):40}] {share:4.0%}" + ("\n" if share == 1 else ""))
            sys.stderr.flush()

    return draw
