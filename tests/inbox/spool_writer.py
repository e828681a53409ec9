"""A process that appends to a spool as fast as it can, and says each number once it is on disk.

    python -m tests.inbox.spool_writer FOLDER [LIMIT]

LIMIT in bytes is what a file may grow to, as on a disk that fills up.
"""

from __future__ import annotations

import os
import resource
import sys
from pathlib import Path

import django


def main(folder: Path, limit: int | None) -> None:
    from inbox.spool import Full, Spool  # noqa: PLC0415  needs the settings

    if limit is not None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
    writer = Spool(folder, 10**9)
    for number in range(100_000):
        try:
            writer.append(f"{number}".encode() * 50)
        except Full:
            os.write(1, f"full {number}\n".encode())
            return
        os.write(1, f"{number}\n".encode())


if __name__ == "__main__":
    django.setup()
    main(Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else None)
