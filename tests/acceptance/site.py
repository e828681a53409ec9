"""What a run from outside stands on: the seeded installation, and the fake Plivo beside it with its ledger."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from tests import processes
from tests.acceptance.delivery import Target
from tests.services import Guarded


def environment(database_url: str, data: Path, redis_url: str | None, plivo_port: int, **more: str) -> dict[str, str]:
    """Production's environment, but for the address of Plivo: `PARAVENT_DEMO` is the one switch that allows another."""
    return processes.production(
        database_url,
        data,
        redis_url,
        PARAVENT_DEMO="1",
        PARAVENT_SIMULATOR="0",
        PARAVENT_PLIVO_API_URL=f"http://127.0.0.1:{plivo_port}",
        PARAVENT_ALLOWED_HOSTS=f"{processes.HOST},127.0.0.1",
        **more,
    )


def seeded(environment: Mapping[str, str], module: str, arguments: Sequence[str]) -> dict[str, Target]:
    """Run `module`, which seeds the database and prints the hotlines' addresses and tokens by their numbers."""
    printed = processes.python(environment, "-m", module, *arguments)
    return {number: Target(**target) for number, target in json.loads(printed).items()}


def fake_plivo(
    environment: Mapping[str, str], log: Path, ledger: Path, port: int, targets: Iterable[Target], *more: str
) -> Guarded:
    """A fake Plivo as a process; `more` are arguments of it."""
    command = [sys.executable, "-m", "tests.providers.fake_plivo", "--port", str(port), "--ledger", str(ledger)]
    for account in sorted({f"{target.auth_id}:{target.auth_token}" for target in targets}):
        command += ["--account", account]
    return Guarded([*command, *more], log=log, environment=environment)


def entries(ledger: Path) -> list[dict[str, Any]]:
    """The fake Plivo's ledger; a line it is just writing is not there yet."""
    return [json.loads(line) for line in ledger.read_text().splitlines() if line.endswith("}")]
