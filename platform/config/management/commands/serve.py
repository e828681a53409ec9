from __future__ import annotations

import errno
import logging
import os
import signal
import socket
import threading
import time
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.checks import Tags
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import DatabaseError, connections
from django.db.migrations.executor import MigrationExecutor
from granian.constants import HTTPModes, Interfaces
from granian.log import LogLevels
from granian.server import Server

from config.management import web_process
from inbox import spool

#: A provider waits 8 s; a query that takes longer than this many milliseconds has lost its message anyway.
STATEMENT_TIMEOUT_MS = 2000
#: Seconds a web process has to finish what it does when it is told to end; then it is killed.
KILL_AFTER = 15
_ANNOUNCE_WITHIN = 60.0


log = logging.getLogger("paravent.spool")


class Command(BaseCommand):
    help = (
        "Serve pages and webhooks over HTTP. With the embedded engine (the default without PARAVENT_REDIS_URL) the one "
        "web process also sends the replies; with Celery, start `worker` and `scheduler` besides. "
        "System checks run first: nothing listens with unsafe settings. SIGTERM or Ctrl-C ends it."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--host", default="127.0.0.1", help="address to listen on (%(default)s)")
        parser.add_argument("--port", type=int, default=8000, help="port to listen on (%(default)s)")
        parser.add_argument("--workers", type=int, default=1, help="web processes (%(default)s)")
        parser.add_argument(
            "--threads",
            type=int,
            help="requests each process answers at once (2 embedded, else 4), each with a database connection",
        )
        parser.add_argument("--probe", action="store_true", help="only see whether the port is free")

    def handle(self, *, host: str, port: int, workers: int, threads: int | None, probe: bool, **_options: Any) -> None:
        embedded = settings.ENGINE == "embedded"
        if workers < 1 or (threads is not None and threads < 1):
            raise CommandError("--workers and --threads are at least 1.")
        if embedded and workers > 1:
            raise CommandError(
                f"--workers {workers} needs the engine celery: embedded, the one web process also sends the replies. "
                "Set PARAVENT_REDIS_URL and start `manage.py worker` and `manage.py scheduler` besides, or leave "
                "--workers out. Nothing was started."
            )
        require_free_port(host, port)
        if probe:
            return
        require_static_files()
        require_spool()
        self.check(tags=[Tags.database], databases=["default"])
        require_migrations()
        prepare_environment(port)
        started = web_process.fork_cleanly(workers)
        server = Server(
            "config.wsgi:application",
            address=host,
            port=port,
            interface=Interfaces.WSGI,
            http=HTTPModes.http1,
            websockets=False,
            workers=workers,
            blocking_threads=threads or (2 if embedded else 4),
            respawn_failed_workers=True,
            workers_kill_timeout=KILL_AFTER,
            log_level=LogLevels.error,
            # No access log: a webhook's path holds the hotline's token.
            log_access=False,
        )
        threading.Thread(target=self._announce, args=(host, port, started), daemon=True).start()
        # A terminal that closes ends it too; by itself the server would take that as a wish for fresh web processes.
        server.on_startup(lambda: signal.signal(signal.SIGHUP, server.signal_handler_interrupt))
        server.serve(target_loader=web_process.load)
        self.stdout.write("Paravent has ended.")

    def _announce(self, host: str, port: int, started: threading.Event) -> None:
        """Say where it answers; only once all processes `started`, because a fork copies what a thread holds."""
        started.wait()
        until = time.monotonic() + _ANNOUNCE_WITHIN
        while time.monotonic() < until:
            try:
                socket.create_connection((reachable(host), port), timeout=1).close()
            except OSError:
                time.sleep(0.1)
                continue
            self.stdout.write(f"Paravent answers at http://{bracketed(host)}:{port}/  Ctrl-C ends it.")
            self.stdout.flush()
            return


def reachable(host: str) -> str:
    """Where this machine reaches a server that listens on `host`."""
    return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104


def bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def prepare_environment(port: int) -> None:
    """Set what the web processes read when they start; only they have a limit on statements."""
    os.environ.setdefault("PARAVENT_STATEMENT_TIMEOUT_MS", str(STATEMENT_TIMEOUT_MS))
    if settings.DEMO:
        os.environ.setdefault("PARAVENT_PUBLIC_URL", f"http://127.0.0.1:{port}")


def require_free_port(host: str, port: int) -> None:
    """Raise `CommandError` when something listens there: the server itself would share the port without a word."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
            probe.listen(1)
        except OSError as error:
            where = f"{bracketed(host)}:{port}"
            if error.errno == errno.EADDRINUSE:
                raise CommandError(
                    f"Port {port} is taken: something else listens on {where}. Stop it, or choose another port "
                    f"(`make run PORT={port + 1}`, `manage.py serve --port {port + 1}`). Nothing was started."
                ) from error
            raise CommandError(f"Cannot listen on {where}: {error.strerror}. Nothing was started.") from error


def require_migrations() -> None:
    """Raise `CommandError` while the database's tables are not those of this code.

    A database that does not answer is no reason: messages then wait in the spool.
    """
    connection = connections["default"]
    try:
        executor = MigrationExecutor(connection)
        missing = executor.migration_plan(executor.loader.graph.leaf_nodes())
    except DatabaseError:
        return
    finally:
        connections.close_all()
    if missing:
        raise CommandError(
            f"The database lacks {len(missing)} migrations of this version. Run `manage.py migrate`, then start again. "
            "Nothing was started."
        )


def require_spool() -> None:
    """Raise `CommandError` where messages could not be kept while the database is down (SECURITY.md 2.6).

    A disk that is full now is no reason: what waits on it would never be drained.
    """
    try:
        spool.current().prepare()
    except OSError as error:
        if error.errno in {errno.ENOSPC, errno.EDQUOT}:
            log.error("the spool's disk is full: until it has room, an outage of the database loses messages")
            return
        raise CommandError(
            f"The spool's folder {settings.SPOOL_DIR} cannot be written: {error.strerror}. Messages that arrive while "
            "the database is down would be lost. Make the folder writable for this user, or set PARAVENT_SPOOL_DIR to "
            "a folder on a local disk that is. Nothing was started."
        ) from error


def require_static_files() -> None:
    """Raise `CommandError` where production has not collected the files its pages refer to."""
    if settings.STATIC_ROOT is not None and not (Path(settings.STATIC_ROOT) / "staticfiles.json").exists():
        raise CommandError(
            "The pages' static files are not collected. Run `manage.py collectstatic`, then start again."
        )
