from __future__ import annotations

import argparse
import decimal
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
        parser.add_argument("--reply-limit", type=int, help="replies to one sender (5)")
        parser.add_argument("--price-out", type=decimal.Decimal, help="a reply's segment (0.0763)")
        parser.add_argument("--price-in", type=decimal.Decimal, help="an inbound message (0.0075)")
        parser.add_argument("--day-budget", type=decimal.Decimal, help="for the replies of a day (50)")
        parser.add_argument("--replies-per-hour", type=int, help="60")
        parser.add_argument("--delay-seconds", type=int, help="the safety delay (0)")
        parser.add_argument("--json", metavar="FILE", help="write the report as JSON too")
        parser.add_argument("--html", metavar="FILE", help="write the report as a page with plots too")
        parser.add_argument("--quiet", action="store_true", help="no progress bar")
        parser.add_argument(_CHILD, dest="on_stage", metavar="FILE", help=argparse.SUPPRESS)

    def handle(self, **options: Any) -> None:
        if options["on_stage"]:
            return self._on_stage(options)
        if options["save"]:
            trace = _trace(options)
            Path(options["save"]).write_text("".join(traces.dump(trace)))
            self.stdout.write(f"{len(trace.messages)} messages are in {options['save']}.")
            return None
        _trace({**options, "check": True})
        seeds = range(options["seed"], options["seed"] + max(options["seeds"], 1))
        with ThreadPoolExecutor(max(options["jobs"], 1)) as pool:
            results = list(pool.map(lambda seed: _rehearse(seed, options), seeds))
        self.stdout.write(report.as_text(results))
        for name, made in (("json", report.as_json), ("html", report.as_html)):
            if options[name]:
                Path(options[name]).write_text(made(results))
                self.stdout.write(f"The report is in {options[name]}.")
        return None

    def _on_stage(self, options: dict[str, Any]) -> None:
        """In the process that `_rehearse` starts."""
        if not settings.DEMO or not settings.SIMULATOR:
            raise CommandError("This option is for a process that `rehearse` starts itself. Nothing was done.")
        from rehearsal.stage import Stage, Terms  # noqa: PLC0415  the simulator's models exist only here

        names = ("reply_limit", "price_out", "price_in", "day_budget", "replies_per_hour", "delay_seconds")
        terms = Terms(**{name: options[name] for name in names if options[name] is not None})
        bar = (lambda _share: None) if options["quiet"] else _bar(f"{options['trace'] or 'trace'} {options['seed']}")
        result = Stage(_trace(options), terms, bar).play()
        Path(options["on_stage"]).write_bytes(pickle.dumps(result))


def _trace(options: dict[str, Any]) -> traces.Trace:
    """Raises `CommandError` with a sentence that says what is wrong."""
    if bool(options["trace"]) == bool(options["source"]):
        raise CommandError(f"Name a trace, or a file with --from. There are: {', '.join(traces.TRACES)}.")
    try:
        if options["source"]:
            with Path(options["source"]).open() as lines:
                return traces.read(lines)
        sizes = {size: options[size] for size in _SIZES if options[size] is not None}
        return traces.make(options["trace"], options["seed"], **sizes)
    except (OSError, UnicodeDecodeError, ValueError) as error:
        raise CommandError(f"{error} Nothing was rehearsed.") from error


def _rehearse(seed: int, options: dict[str, Any]) -> Result:
    """One trace in a process and a folder of its own."""
    with tempfile.TemporaryDirectory(prefix="paravent-rehearsal-") as folder:
        outcome = Path(folder) / "result"
        command = [sys.executable, sys.argv[0], "rehearse", _CHILD, str(outcome), "--seed", str(seed)]
        command += [options["trace"]] if options["trace"] else ["--from", options["source"]]
        passed = (*_SIZES, "reply_limit", "price_out", "price_in", "day_budget", "replies_per_hour", "delay_seconds")
        for name in passed:
            if options[name] is not None:
                command += [f"--{name.replace('_', '-')}", str(options[name])]
        command += ["--quiet"] if options["quiet"] else []
        done = subprocess.run(command, env=scratch.environment(Path(folder)), check=False)  # noqa: S603  ourselves
        if done.returncode:
            raise CommandError(f"Seed {seed} could not be rehearsed; what it said stands above.")
        result: Result = pickle.loads(outcome.read_bytes())  # noqa: S301  our own process wrote it
        return result


def _bar(label: str) -> Any:
    """Draws its share on a terminal's last line; elsewhere it is silent."""

    def draw(share: float) -> None:
        if sys.stderr.isatty():
            sys.stderr.write(f"\r{label} [{'#' * int(40 * share):40}] {share:4.0%}" + ("\n" if share == 1 else ""))
            sys.stderr.flush()

    return draw
