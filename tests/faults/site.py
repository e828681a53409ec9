"""One web process with PostgreSQL of its own, each on the disk that a test wants, and what it acknowledged."""

from __future__ import annotations

import contextlib
import json
import tempfile
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from tests import migrated, services
from tests.inbox.test_outages import _SEED, Site
from tests.processes import production, python, static_files
from tests.services import free_port


@contextlib.contextmanager
def made(folder: Path, *, servers: Path | None = None, **changes: str) -> Iterator[Site]:
    """A site that is migrated and seeded, and not started. `servers` is where PostgreSQL's folder shall be."""
    with contextlib.ExitStack() as stack:
        before, tempfile.tempdir = tempfile.tempdir, str(servers) if servers else tempfile.tempdir
        try:
            server = stack.enter_context(services.postgresql(durable=True))
        except services.Missing as error:
            pytest.skip(str(error))
        finally:
            tempfile.tempdir = before
        environment = production(server.create_database("paravent"), folder, **changes)
        migrated.migrate(environment)
        if "PARAVENT_DEMO" not in changes:  # a demo serves the files from where they lie
            static_files(folder)
        hook_token, token = json.loads(python(environment, "-c", _SEED))
        yield Site(server, environment, folder, free_port(), hook_token, token)


def senders(count: int, first: int = 0) -> list[str]:
    return [f"336398{number:05}" for number in range(first, first + count)]


def answers(site: Site, count: int, first: int = 0) -> Counter[int]:
    """Deliver a message of each of so many senders, sixteen at once; how often each status came."""
    with ThreadPoolExecutor(16) as pool:
        return Counter(pool.map(site.deliver, senders(count, first)))


def set_aside(folder: Path) -> list[str]:
    """Files of a spool that need a person."""
    return sorted(path.name for path in folder.iterdir() if path.suffix in {".failed", ".corrupt"})
