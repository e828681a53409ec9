"""Databases with all migrations, copied from a template: to migrate takes seconds each time, to copy takes none.

Each kind of database is migrated once for all processes of a run (`tests/shared.py`).
"""

from __future__ import annotations

import contextlib
import os
import shutil
import sqlite3
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from unittest import mock

from tests import processes, services, shared

#: A copy is another database than its template, which is what sending stops for (`outbox.restored`): it is new.
_ACCEPTED = "UPDATE outbox_useddatabase SET identity = {}"
_HERE = (
    "concat_ws('/', (SELECT system_identifier FROM pg_control_system()), "
    "(SELECT oid FROM pg_database WHERE datname = current_database()), 'conversations_reply'::regclass::oid)"
)


def migrate(environment: Mapping[str, str]) -> None:
    """What `manage.py migrate` makes of the empty database that `environment` names. Raises `RuntimeError`."""
    url = environment.get("PARAVENT_DATABASE_URL", "")
    if url.startswith("postgres"):
        _postgresql(environment, url)
    else:
        _sqlite(environment, Path(url.removeprefix("sqlite:///") or _default(environment)))


@contextlib.contextmanager
def copied() -> Iterator[None]:
    """Meanwhile `migrate` copies the template into this process's own test database, where a run shares one."""
    if not os.environ.get(shared.FOLDER):  # to make a template for one process takes longer than to migrate
        yield
        return
    with mock.patch("config.management.commands.migrate.Command.handle", _copy):
        yield


def _copy(*_: object, **__: object) -> None:
    from django.db import connection  # noqa: PLC0415  this module also serves processes without Django

    name = str(connection.settings_dict["NAME"])
    inherited = {key: value for key, value in os.environ.items() if not key.startswith("PARAVENT_TEST_")}
    environment = {**inherited, **processes.IMPORTS}
    if connection.vendor == "postgresql":
        url = f"{os.environ['PARAVENT_DATABASE_URL'].rpartition('/')[0]}/{name}"
        _postgresql({**environment, "PARAVENT_DATABASE_URL": url}, url)
        return
    connection.ensure_connection()
    with contextlib.closing(sqlite3.connect(_sqlite_template(environment))) as template:
        template.backup(connection.connection)
    with connection.cursor() as cursor:
        cursor.execute(_ACCEPTED.format("%s"), ["in memory"])


def _template(environment: Mapping[str, str], suffix: str) -> str:
    """The simulator is an application more, with migrations of its own."""
    simulator = environment.get("PARAVENT_SIMULATOR") or environment.get("PARAVENT_DEMO") or "0"
    return f"{'demo' if simulator == '1' else 'production'}.{suffix}"


def _default(environment: Mapping[str, str]) -> str:
    return f"{environment['PARAVENT_DATA_DIR']}/paravent.sqlite3"


def _sqlite_template(environment: Mapping[str, str]) -> Path:
    def make(database: Path) -> None:
        data = str(shared.folder() / "data")
        fresh = {"PARAVENT_DATABASE_URL": f"sqlite:///{database}", "PARAVENT_DATA_DIR": data}
        processes.manage({**environment, **fresh}, "migrate", "--verbosity", "0")

    return shared.once(_template(environment, "sqlite3"), make)


def _sqlite(environment: Mapping[str, str], database: Path) -> None:
    database.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(_sqlite_template(environment), database)
    with contextlib.closing(sqlite3.connect(database)) as connection, connection:
        connection.execute(_ACCEPTED.format("?"), [f"inode {database.stat().st_ino}"])


def _postgresql(environment: Mapping[str, str], url: str) -> None:
    socket_folder, _, database = url.removeprefix("postgres://paravent@/").rpartition("/")
    to_server = ["-h", socket_folder, "-U", "paravent", "-d", database]
    programs, own = services.find_postgresql(), list[Path]()

    def make(dump: Path) -> None:
        processes.manage(environment, "migrate", "--verbosity", "0")
        _run(programs / "pg_dump", *to_server, "--no-owner", f"--file={dump}")
        own.append(dump)

    template = shared.once(_template(environment, "sql"), make)
    if own:  # this database was migrated itself
        return
    accepted = f"SET search_path = public; {_ACCEPTED.format(_HERE)}"  # which a dump leaves empty
    _run(programs / "psql", *to_server, "-Xq1", "-v", "ON_ERROR_STOP=1", "-f", str(template), "-c", accepted)


def _run(program: Path, *arguments: str) -> None:
    done = subprocess.run([program, *arguments], capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{program.name}: {done.stderr.strip()}")
