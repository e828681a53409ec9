"""`make model`: every design, how many states it can reach, and what can go wrong in them."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence

from tests.model.delivery import Bounds
from tests.model.designs import DESIGNS, Design
from tests.model.exploring import explore

_NAMES = tuple(design.name for design in DESIGNS)


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.model", description=__doc__)
    plain = Bounds()
    parser.add_argument("--limit", type=int, default=plain.limit, help="replies at most (%(default)s)")
    parser.add_argument("--messages", type=int, default=plain.messages, help="messages of the sender (%(default)s)")
    parser.add_argument("--attempts", type=int, default=plain.attempts, help="deliveries of a message (%(default)s)")
    parser.add_argument("--kills", type=int, default=plain.kills, help="handlers and workers killed (%(default)s)")
    parser.add_argument("--only", nargs="+", choices=_NAMES, default=_NAMES, metavar="DESIGN", help=", ".join(_NAMES))
    parser.add_argument("--stories", action="store_true", help="tell the shortest story of each fault")
    options = parser.parse_args(arguments)
    bounds = Bounds(limit=options.limit, messages=options.messages, attempts=options.attempts, kills=options.kills)
    for design in DESIGNS:
        if design.name in options.only:
            _print(design, bounds, stories=options.stories)
    return 0


def _print(design: Design, bounds: Bounds, *, stories: bool) -> None:
    start = time.monotonic()
    explored = explore(design, bounds)
    seconds = time.monotonic() - start
    faults = ", ".join(explored.faults) or "none"
    sys.stdout.write(f"{design.name:<9}{explored.states:>9,} states {seconds:6.1f} s   {faults}\n")
    if stories:
        sys.stdout.write(f"{'':9}{design.summary}\n")
        for fault, story in explored.faults.items():
            sys.stdout.write(f"{'':11}{fault}: {' > '.join(story)}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
