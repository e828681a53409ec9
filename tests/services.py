"""PostgreSQL and Redis of the tests' own, in a temporary folder, gone when whoever started them is gone.

As context managers (`with postgresql() as server:`), as fixtures (see `tests/conftest.py`), and around any command:

    python tests/services.py run -- pytest tests/outbox -m postgresql

which sets `PARAVENT_TEST_DATABASE_URL` and `PARAVENT_TEST_REDIS_URL` for it. Only the standard library is needed here.

A server runs under a guard process that holds a pipe from us. The pipe closes when we end, however we end (also by
SIGKILL, when no code of ours runs any more), and the guard then stops the server and removes its folder.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import pwd
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

_START_SECONDS = 30.0
_STOP_SECONDS = 15.0
_POSTGRESQL_PROGRAMS = ("initdb", "postgres", "psql", "pg_ctl")
_REDIS_PROGRAMS = ("valkey-server", "redis-server")
#: Whom the servers run as where the tests run as root: PostgreSQL refuses to be root.
_UNPRIVILEGED = ("postgres", "nobody")


class Missing(Exception):
    """A service cannot be had here; the text is one line that says what to install."""


@dataclass
class PostgreSQL:
    """A server, running unless it was stopped. `socket_folder` is the only way in; `log` is what it says."""

    socket_folder: Path
    psql: Path
    options: Mapping[str, object] = field(default_factory=dict)
    _guard: Guarded | None = field(default=None, repr=False)

    @property
    def log(self) -> Path:
        return self.socket_folder / "log"

    @property
    def data(self) -> Path:
        return self.socket_folder / "data"

    def start(self) -> None:
        """Start it, or start it again on the same data and socket; returns when it answers."""
        flags = [part for name, value in self.options.items() for part in ("-c", f"{name}={value}")]
        command: list[str | Path] = [self.psql.with_name("postgres"), "-D", self.data, *flags]
        # SIGQUIT: end at once; what it would still write is thrown away with the folder
        guard = Guarded(command, log=self.log, folder=self.socket_folder, stop_signal=signal.SIGQUIT)
        self._guard = guard
        wait_until(self.answers, guard, self.log, "PostgreSQL")

    def stop_immediately(self) -> None:
        """`pg_ctl stop -m immediate`: it ends as in a crash, and recovers when it is started again."""
        _checked([self.psql.with_name("pg_ctl"), "stop", "-D", self.data, "-m", "immediate"], self.socket_folder)
        if self._guard is not None:
            self._guard.wait()  # to close its pipe before it has seen the end would make it remove the folder

    def close(self) -> None:
        """End it if it runs. Its folder goes with a server that was running, as its guard sees to."""
        if self._guard is not None:
            self._guard.stop()

    def answers(self) -> bool:
        try:
            return self.execute("SELECT 1") == "1"
        except RuntimeError:
            return False

    def url(self, database: str = "paravent") -> str:
        """The URL of `database`, as `PARAVENT_DATABASE_URL` wants it."""
        return database_url(self.socket_folder, database)

    def execute(self, statement: str, database: str = "postgres") -> str:
        """Run `statement` by psql, outside a transaction; returns what it printed, unaligned."""
        command = [str(self.psql), "-XqtA", "-v", "ON_ERROR_STOP=1", "-h", str(self.socket_folder), "-U", "paravent"]
        done = subprocess.run([*command, "-d", database, "-c", statement], capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(done.stderr.strip())
        return done.stdout.strip()

    def create_database(self, database: str) -> str:
        """Create `database`; returns its URL."""
        self.execute(f'CREATE DATABASE "{database}"')
        return self.url(database)


def database_url(socket_folder: Path, database: str) -> str:
    return f"postgres://paravent@/{socket_folder}/{database}"


def find_postgresql() -> Path:
    """The folder of the newest PostgreSQL's programs, on PATH or where Debian keeps them. Raises `Missing`."""
    on_path = shutil.which("initdb")
    candidates = [Path(on_path).resolve().parent] if on_path else []
    candidates += sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=_version, reverse=True)
    for folder in candidates:
        if all((folder / program).exists() for program in _POSTGRESQL_PROGRAMS):
            return folder
    raise Missing("no PostgreSQL server was found (initdb on PATH or in /usr/lib/postgresql; Debian: postgresql)")


def _version(folder: Path) -> int:
    name = folder.parent.name
    return int(name) if name.isdigit() else 0


def find_redis() -> Path:
    """Valkey's or Redis's server program. Raises `Missing`."""
    for program in _REDIS_PROGRAMS:
        if found := shutil.which(program, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin"):
            return Path(found)
    raise Missing("neither valkey-server nor redis-server was found (Debian: redis-server)")


@contextlib.contextmanager
def postgresql(*, durable: bool = False) -> Iterator[PostgreSQL]:
    """A fresh server with a superuser `paravent`. Only a `durable` one waits for the disk, as production does.

    Raises `Missing` where there is no PostgreSQL.
    """
    programs = find_postgresql()
    with _own_folder("postgresql") as folder:
        data = folder / "data"
        locale = ["--encoding=UTF8", "--no-locale", "--auth=trust", "--username=paravent", "--no-sync"]
        _checked([programs / "initdb", "-D", data, *locale], folder)
        options = {"unix_socket_directories": folder, "listen_addresses": "", "max_connections": 200}
        if not durable:
            options |= {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
        server = PostgreSQL(folder, programs / "psql", options)
        try:
            server.start()
            yield server
        finally:
            server.close()


@dataclass
class Redis:
    """Redis or Valkey, running unless it was killed. It writes nothing to disk: a new start remembers nothing."""

    program: Path
    folder: Path
    port: int
    password: str
    _guard: Guarded | None = field(default=None, repr=False)

    @property
    def url(self) -> str:
        return f"redis://:{self.password}@127.0.0.1:{self.port}/0"

    def start(self) -> None:
        """Start it, or start it again on the same port; returns when it answers."""
        flags = ["--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
        command: list[str | Path] = [self.program, *flags, "--dir", str(self.folder), "--requirepass", self.password]
        self._guard = guard = Guarded(command, log=self.folder / "log", folder=self.folder)
        wait_until(lambda: _pongs(self.port, self.password), guard, self.folder / "log", self.program.name)

    def kill(self) -> None:
        if self._guard is not None:
            self._guard.kill()

    def close(self) -> None:
        if self._guard is not None:
            self._guard.stop()


@contextlib.contextmanager
def redis_server() -> Iterator[Redis]:
    """A fresh server that may be killed and started again. Raises `Missing` where there is none."""
    program = find_redis()
    with _own_folder("redis") as folder:
        server = Redis(program, folder, free_port(), secrets.token_hex(8))
        try:
            server.start()
            yield server
        finally:
            server.close()


@contextlib.contextmanager
def redis() -> Iterator[str]:
    """A fresh Redis or Valkey that writes nothing to disk; yields its URL. Raises `Missing` where there is none."""
    with redis_server() as server:
        yield server.url


def _pongs(port: int, password: str) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1) as connection:
            connection.sendall(f"AUTH {password}\r\nPING\r\n".encode())
            answers = connection.makefile("rb")
            return [answers.readline(), answers.readline()] == [b"+OK\r\n", b"+PONG\r\n"]
    except OSError:
        return False


def free_port() -> int:
    """A TCP port of the loopback address that nobody listens on at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


# --- folders, users and the guard -----------------------------------------------------------------------------------
def _owner() -> pwd.struct_passwd | None:
    """The account the servers run as, or None for our own."""
    if os.geteuid() != 0:
        return None
    for name in _UNPRIVILEGED:
        with contextlib.suppress(KeyError):
            return pwd.getpwnam(name)
    raise Missing(f"PostgreSQL does not run as root, and there is no user {' or '.join(_UNPRIVILEGED)}")


@contextlib.contextmanager
def _own_folder(name: str) -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix=f"paravent-{name}-"))
    try:
        if owner := _owner():
            os.chown(folder, owner.pw_uid, owner.pw_gid)
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _as_owner() -> dict[str, Any]:
    """What makes subprocess drop root's rights, where we have them."""
    owner = _owner()
    return {"user": owner.pw_uid, "group": owner.pw_gid, "extra_groups": []} if owner else {}


def _checked(command: Sequence[str | Path], folder: Path) -> None:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, **_as_owner())
    if done.returncode:
        raise RuntimeError(f"{command[0]} failed: {done.stderr.strip()}")


class Guarded:
    """A process that ends when its owner does. It leads a process group of its own, guard included."""

    def __init__(
        self,
        command: Sequence[str | Path],
        *,
        log: Path,
        folder: Path | None = None,
        environment: Mapping[str, str] | None = None,
        stop_signal: signal.Signals = signal.SIGTERM,
    ) -> None:
        self._guard = subprocess.Popen(
            [
                sys.executable,
                __file__,
                "guard",
                str(log),
                str(folder or ""),
                str(int(stop_signal)),
                *map(str, command),
            ],
            stdin=subprocess.PIPE,
            env=environment,
            start_new_session=True,  # Ctrl-C in a terminal is for us; the guard learns of it when the pipe closes
        )

    @property
    def pid(self) -> int:
        """The guard's, which is also the group's; the process is its child."""
        return self._guard.pid

    @property
    def running(self) -> bool:
        return self._guard.poll() is None

    def wait(self) -> None:
        """Wait until the process ends by itself."""
        self._guard.wait(_STOP_SECONDS)
        self._close_pipe()

    def kill(self) -> None:
        """SIGKILL to the whole group at once: nothing in it gets to clean up."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        self._guard.wait()
        self._close_pipe()

    def let_go(self) -> None:
        """Have it end; `stop` waits until it has."""
        self._close_pipe()

    def stop(self) -> None:
        self._close_pipe()
        try:
            self._guard.wait(_STOP_SECONDS + 5)
        except subprocess.TimeoutExpired:
            self.kill()

    def _close_pipe(self) -> None:
        if self._guard.stdin is not None:
            self._guard.stdin.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.stop()


def _guard(log: Path, folder: str, stop_signal: int, command: Sequence[str]) -> int:
    """Hold the process `command`: stop it when standard input closes, and leave nothing in `folder`."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: None)
    rights = _as_owner() if folder else {}
    with log.open("ab") as output:
        server = subprocess.Popen(
            command, cwd=folder or None, stdin=subprocess.DEVNULL, stdout=output, stderr=output, **rights
        )
    stopping = threading.Event()

    def stop() -> None:
        while os.read(0, 1):  # not by sys.stdin: a thread that waits in its buffer would break the end of the guard
            pass
        stopping.set()
        server.send_signal(stop_signal)
        try:
            server.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            if folder:
                shutil.rmtree(folder, ignore_errors=True)
            os.killpg(os.getpgrp(), signal.SIGKILL)

    threading.Thread(target=stop, daemon=True).start()
    status = int(server.wait())
    if folder and stopping.is_set():
        shutil.rmtree(folder, ignore_errors=True)
    return status


def wait_until(ready: Callable[[], bool], process: Guarded, log: Path, name: str) -> None:
    """Wait for `ready`. Raises `RuntimeError`, with what `process` said, when it ends or 30 s are over."""
    until = time.monotonic() + _START_SECONDS
    while not ready():
        if not process.running or time.monotonic() > until:
            raise RuntimeError(f"{name} did not start:\n{log.read_text(errors='replace') if log.exists() else ''}")
        time.sleep(0.05)


# --- around a command -----------------------------------------------------------------------------------------------
@dataclass(frozen=True)
class Started:
    """The services that could be had, and one line for each that could not."""

    environment: dict[str, str]
    missing: tuple[str, ...]


@contextlib.contextmanager
def everything(*, durable: bool = False) -> Iterator[Started]:
    """PostgreSQL and Redis where they can be had, as the variables that `tests/settings.py` and the fixtures read."""
    environment, missing = {}, []
    with contextlib.ExitStack() as stack:
        try:
            environment["PARAVENT_TEST_DATABASE_URL"] = stack.enter_context(postgresql(durable=durable)).url()
        except Missing as error:
            missing.append(str(error))
        try:
            environment["PARAVENT_TEST_REDIS_URL"] = stack.enter_context(redis())
        except Missing as error:
            missing.append(str(error))
        yield Started(environment, tuple(missing))


@contextlib.contextmanager
def ended_by_signals() -> Iterator[None]:
    """Turn SIGTERM and SIGHUP into SystemExit, so that `finally` blocks run, as they do for Ctrl-C."""

    def leave(number: int, _frame: object) -> None:
        raise SystemExit(128 + number)

    before = {number: signal.signal(number, leave) for number in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _run(command: Sequence[str], *, durable: bool) -> int:
    with ended_by_signals(), everything(durable=durable) as started:
        for line in started.missing:
            sys.stderr.write(f"left out: {line}\n")
        return subprocess.run(command, env={**os.environ, **started.environment}, check=False).returncode


def main(arguments: Sequence[str]) -> int:
    if arguments[:1] == ["guard"]:
        return _guard(Path(arguments[1]), arguments[2], int(arguments[3]), arguments[4:])
    parser = argparse.ArgumentParser(description="Run a command with PostgreSQL and Redis of its own.")
    parser.add_argument("run", choices=["run"])
    parser.add_argument("--durable", action="store_true", help="PostgreSQL waits for the disk, as in production")
    parser.add_argument("command", nargs="+")
    options = parser.parse_args(arguments)
    return _run(options.command, durable=options.durable)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
