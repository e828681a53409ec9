"""compose.yaml and a unit, started as plain processes: their commands, variables, secrets, database role and cache."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from tests.config.test_deployment import DOMAIN, SERVICES, SYSTEMD, environment_of, one
from tests.processes import ROOT, no_static_files
from tests.services import Guarded, PostgreSQL, find_redis, free_port, wait_until

pytestmark = pytest.mark.processes
#: The tests' server has a superuser named paravent already.
ROLE = "paravent_app"


@dataclass
class Installation:
    """What `docker compose up` would have, on this machine."""

    folder: Path
    environment: dict[str, str]
    port: int

    def manage(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, str(ROOT / "manage.py"), *arguments]
        return subprocess.run(command, env=self.environment, capture_output=True, text=True, check=False)

    def start(self, part: str, arguments: list[str]) -> Guarded:
        here = {"0.0.0.0": "127.0.0.1", "8000": str(self.port)}
        command: list[str | Path] = [sys.executable, ROOT / "manage.py"]
        command += [here.get(argument, argument) for argument in arguments]
        return Guarded(command, log=self.log(part), environment=self.environment)

    def log(self, part: str) -> Path:
        return self.folder / f"{part}.log"

    def checks(self, *names: str) -> dict[str, Any]:
        """What `manage.py health` says."""
        told = self.manage("health", "--json", "--port", str(self.port), *(["--only", *names] if names else []))
        found: dict[str, Any] = json.loads(told.stdout)["checks"]
        return found

    def well(self, *names: str) -> bool:
        return all(check["ok"] for check in self.checks(*names).values())


def secrets_of(folder: Path) -> Path:
    """The secrets as the script writes them, pointing to the services of this machine."""
    made = folder / "secrets"
    script = [str(ROOT / "deploy/compose/secrets.sh"), "smtp://127.0.0.1:9", str(made)]
    subprocess.run(script, check=True, capture_output=True)
    return made


def point(file: Path, old: str, new: str) -> str:
    """Replace in a secret; returns what it then says."""
    text = file.read_text()
    assert old in text
    file.chmod(0o600)
    file.write_text(text.replace(old, new))
    return file.read_text().strip()


def prepare_database(server: PostgreSQL, secrets: Path) -> None:
    """Run what the database's container runs when its volume is new."""
    script = (ROOT / "deploy/compose/database.sh").read_text().replace("paravent", ROLE)
    script = script.replace("/run/secrets", str(secrets)).replace("--username postgres", "")
    environment = {**os.environ, "PGHOST": str(server.socket_folder), "PGUSER": "paravent"}
    environment["PATH"] = f"{server.psql.parent}:{environment['PATH']}"
    subprocess.run(["sh", "-c", script], env=environment, check=True, capture_output=True)
    assert server.execute(f"SELECT rolsuper FROM pg_roles WHERE rolname = '{ROLE}'") == "f"


def cache(secrets: Path, port: int, log: Path) -> Guarded:
    """The cache with the options of its container."""
    program, configuration, *options = SERVICES["cache"]["command"]
    assert (program, configuration) == ("valkey-server", "/run/secrets/cache_config")
    here = ["--port", str(port), "--bind", "127.0.0.1"]
    return Guarded([find_redis(), secrets / "cache_config", *options, *here], log=log)


@pytest.fixture(scope="module")
def installation(
    tmp_path_factory: pytest.TempPathFactory, postgresql_server: PostgreSQL, redis_url: str
) -> Iterator[Installation]:
    folder = tmp_path_factory.mktemp("installation")
    # `redis_url` skips these tests where there is no Redis; the cache here has options of its own.
    secrets, cache_port = secrets_of(folder), free_port()
    with ExitStack() as stack:
        prepare_database(postgresql_server, secrets)
        point(secrets / "database_url", "paravent:", f"{ROLE}:")
        point(secrets / "database_url", "@database/paravent", f"@/{postgresql_server.socket_folder}/{ROLE}")
        point(secrets / "cache_url", "@cache:6379", f"@127.0.0.1:{cache_port}")
        stack.enter_context(cache(secrets, cache_port, folder / "cache.log"))
        given = {
            name: value.replace("/run/secrets", str(secrets)).replace("${DOMAIN}", DOMAIN["DOMAIN"])
            for name, value in SERVICES["web"]["environment"].items()
        }
        given["PARAVENT_PUBLIC_URL"] = f"https://{DOMAIN['DOMAIN']}"
        given |= {f"PARAVENT_{name}": DOMAIN[name] for name in ("MAIL_FROM", "OPERATOR_MAIL")}
        environment = {"PATH": os.environ["PATH"], "PARAVENT_DATA_DIR": str(folder / "data"), **given}
        found = Installation(folder, environment, free_port())
        no_static_files(folder / "data")
        done = found.manage(*SERVICES["migrate"]["command"])
        assert done.returncode == 0, done.stderr
        yield found


@pytest.mark.proof
def test_the_parts_of_compose_start_work_and_end(installation: Installation) -> None:
    parts = ("web", "worker", "scheduler")
    running = {part: installation.start(part, SERVICES[part]["command"]) for part in parts}
    try:
        web = running["web"]
        wait_until(lambda: installation.well("web"), web, installation.log("web"), "the web process")
        # The turns of the sweeps are rows that only a worker writes, and only when a scheduler told it to.
        wait_until(
            lambda: "release_replies" in installation.checks("sweeps")["sweeps"],
            running["worker"],
            installation.log("worker"),
            "the worker",
        )
        told = installation.checks()
        assert {name: check["says"] for name, check in told.items() if not check["ok"]} == {}
        for part in ("worker", "scheduler"):
            done = installation.manage(*SERVICES[part]["healthcheck"]["test"][3:])
            assert done.returncode == 0, done.stdout
    finally:
        for process in running.values():
            process.stop()
    for part in parts:
        assert "Traceback" not in installation.log(part).read_text(), part


def test_without_database_and_cache_the_web_container_stays_well(installation: Installation) -> None:
    """It goes on receiving, into its spool: whoever replaced it for that would make an outage of it."""
    broken = {"PARAVENT_DATABASE_URL_FILE": "database_url", "PARAVENT_REDIS_URL_FILE": "cache_url"}
    secrets = installation.folder / "elsewhere"
    secrets.mkdir()
    (secrets / "database_url").write_text(f"postgres://x:x@127.0.0.1:{free_port()}/x")
    (secrets / "cache_url").write_text(f"redis://:x@127.0.0.1:{free_port()}/0")
    environment = installation.environment | {name: str(secrets / file) for name, file in broken.items()}
    alone = Installation(installation.folder / "elsewhere", environment, free_port())
    web = alone.start("web", SERVICES["web"]["command"])
    try:
        wait_until(lambda: alone.well("web", "spool"), web, alone.log("web"), "the web process")
        assert {name for name, check in alone.checks().items() if check["ok"]} == {"web", "spool"}
    finally:
        web.stop()


@pytest.mark.proof
def test_one_unit_is_all_that_a_small_machine_needs(tmp_path: Path) -> None:
    """paravent.service: its command with its variables, and credentials where it looks for them."""
    unit = SYSTEMD / "paravent.service"
    secrets = secrets_of(tmp_path)
    names = {"secret.key": "secret_key", "master.key": "master_key", "mail.url": "mail_url"}
    for credential, secret in names.items():
        (secrets / secret).rename(secrets / credential)
    given = {name: value.replace("%d", str(secrets)) for name, value in environment_of(unit).items()}
    lines = [line for line in (SYSTEMD / "environment").read_text().splitlines() if line and line[0] != "#"]
    given |= dict(line.split("=", 1) for line in lines)
    environment = {"PATH": os.environ["PATH"], **given, "PARAVENT_DATA_DIR": str(tmp_path / "data")}
    machine = Installation(tmp_path, environment, free_port())
    no_static_files(tmp_path / "data")
    done = machine.manage("migrate", "--noinput")
    assert done.returncode == 0, done.stderr
    process = machine.start("serve", shlex.split(one(unit, "ExecStart"))[2:])
    try:
        wait_until(machine.well, process, machine.log("serve"), "the one process")
        assert {"web", "spool", "database"} <= machine.checks().keys()
    finally:
        process.stop()
    assert "Paravent has ended." in machine.log("serve").read_text()
