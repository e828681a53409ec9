"""Web, worker and scheduler as processes of their own, started by the commands production uses."""

from __future__ import annotations

import base64
import contextlib
import http.client
import json
import os
import secrets
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import django
from tests import shared
from tests.services import Guarded, wait_until

ROOT = Path(__file__).resolve().parents[1]
PUBLIC_URL = "https://hotline.example.org"
HOST = "hotline.example.org"
_AREAS = ("platform", "numbers", "messaging")
#: Where a process of ours finds its modules, and with which settings.
IMPORTS = {
    "PYTHONPATH": os.pathsep.join([str(ROOT), *(str(ROOT / area) for area in _AREAS)]),
    "DJANGO_SETTINGS_MODULE": "config.settings",
}


def production(database_url: str, data: Path, redis_url: str | None = None, **changes: str) -> dict[str, str]:
    """The environment of a production process behind one proxy, with secrets made for this run."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("PARAVENT_", "DJANGO_"))}
    return {
        **inherited,
        **IMPORTS,
        "PYTHONWARNINGS": "ignore:No directory at",  # no static files were collected, and none are asked for
        "PARAVENT_SECRET_KEY": secrets.token_urlsafe(48),
        "PARAVENT_MASTER_KEY": base64.b64encode(secrets.token_bytes(32)).decode(),
        "PARAVENT_PUBLIC_URL": PUBLIC_URL,
        "PARAVENT_ALLOWED_HOSTS": HOST,
        "PARAVENT_TRUSTED_PROXIES": "1",
        "PARAVENT_DATABASE_URL": database_url,
        "PARAVENT_DATA_DIR": str(data),
        "PARAVENT_ENGINE": "celery",
        # What is tried is delivery, with few numbers of one country; budgets have tests of their own.
        "PARAVENT_DESTINATION_REPLIES_PER_DAY": "100000",
        "PARAVENT_COUNTRY_REPLIES_PER_HOUR": "1000000",
        "PARAVENT_MAIL_URL": "memorymail://",
        **({"PARAVENT_REDIS_URL": redis_url} if redis_url else {}),
        **changes,
    }


def static_files(data: Path) -> None:
    """What `collectstatic` leaves, for who asks for pages."""
    data.mkdir(parents=True, exist_ok=True)
    (data / "static").symlink_to(shared.once("collected", _collect) / "static")


def _collect(folder: Path) -> None:
    manage(production("sqlite://:memory:", folder), "collectstatic", "--no-input", "--verbosity", "0")


def no_static_files(data: Path) -> None:
    """The list that `collectstatic` leaves, empty: for who asks for no page with files. Making them takes long."""
    (data / "static").mkdir(parents=True)
    (data / "static/staticfiles.json").write_text(json.dumps({"version": "1.1", "paths": {}, "hash": ""}))


def manage(environment: Mapping[str, str], *arguments: str) -> str:
    """Run a command of manage.py to its end; returns what it printed. Raises `RuntimeError` with what it said."""
    return python(environment, str(ROOT / "manage.py"), *arguments)


def python(environment: Mapping[str, str], *arguments: str) -> str:
    """Run this Python to its end; returns what it printed. Raises `RuntimeError` with what it said."""
    done = subprocess.run(
        [sys.executable, *arguments], env=environment, cwd=ROOT, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise RuntimeError(f"{' '.join(arguments)}: {done.stderr.strip()}")
    return done.stdout


def be_one_of_them(environment: Mapping[str, str]) -> None:
    """Make this process a production process too, for seeding: settings are read once, so call it once, first."""
    for name in [name for name in os.environ if name.startswith("PARAVENT_")]:
        del os.environ[name]
    os.environ.update(environment)
    sys.path[1:1] = environment["PYTHONPATH"].split(os.pathsep)
    django.setup()


@contextlib.contextmanager
def web(
    environment: Mapping[str, str], port: int, log: Path, *, workers: int = 1, threads: int = 4
) -> Iterator[Guarded]:
    """A web process, answering when the block begins."""
    with serve(environment, port, log, workers=workers, threads=threads) as process:
        wait_until(lambda: answers(port), process, log, "the web process")
        yield process


def serve(environment: Mapping[str, str], port: int, log: Path, *, workers: int = 1, threads: int = 4) -> Guarded:
    """A web process that is starting; it is ready when `answers(port)`."""
    sizes = ["--workers", str(workers), "--threads", str(threads)]
    command = [sys.executable, str(ROOT / "manage.py"), "serve", "--port", str(port), *sizes]
    return Guarded(command, log=log, environment=environment)


def worker(environment: Mapping[str, str], log: Path, *, processes: int = 2) -> Guarded:
    """A worker that is starting; nothing tells when it is ready, and nothing has to."""
    command = [sys.executable, str(ROOT / "manage.py"), "worker", "--processes", str(processes)]
    return Guarded(command, log=log, environment=environment)


def scheduler(environment: Mapping[str, str], log: Path) -> Guarded:
    return Guarded([sys.executable, ROOT / "manage.py", "scheduler"], log=log, environment=environment)


def answers(port: int, timeout: float = 5.0) -> bool:
    """Whether the application behind `port` is loaded: even its 404 tells."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout)
    try:
        connection.request("GET", "/hooks/", headers={"Host": HOST})
        return connection.getresponse().status == 404
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
