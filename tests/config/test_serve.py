"""`manage.py serve`: what it refuses to start with, and that it ends whenever it is told to."""

from __future__ import annotations

import contextlib
import http.client
import logging
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from tests.demo_server import DemoServer
from tests.processes import ROOT
from tests.services import free_port

from config.management import web_process
from config.management.commands import serve
from outbox import embedded

Start = Callable[[dict[str, str], int], subprocess.Popen[bytes]]
PATIENCE = 30.0
#: Later than this a web process would have been killed, which looks the same from outside.
SOONER_THAN_KILLED = serve.KILL_AFTER - 1


@pytest.fixture
def listener() -> Iterator[int]:
    """A port on which something listens, as a server of ours would: willing to share it."""
    with socket.socket() as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        yield taken.getsockname()[1]


def test_a_port_that_is_taken_is_refused_with_what_to_do(listener: int) -> None:
    with pytest.raises(CommandError) as refusal:
        call_command("serve", port=listener)
    assert f"Port {listener} is taken" in str(refusal.value)
    assert f"make run PORT={listener + 1}" in str(refusal.value)


def test_a_free_port_is_free_and_the_probe_starts_nothing() -> None:
    port = free_port()
    call_command("serve", port=port, probe=True)
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port), timeout=1)


def test_an_address_that_is_not_this_machines_is_refused_in_words() -> None:
    with pytest.raises(CommandError, match=r"Cannot listen on 192\.0\.2\.1:8000: .+ Nothing was started\."):
        serve.require_free_port("192.0.2.1", 8000)


def test_more_than_one_process_needs_the_other_engine() -> None:
    with pytest.raises(CommandError, match="--workers 2 needs the engine celery"):
        call_command("serve", port=free_port(), workers=2)


@pytest.mark.parametrize("options", [{"workers": 0}, {"threads": 0}, {"workers": -1}])
def test_less_than_one_is_refused(options: dict[str, int]) -> None:
    with pytest.raises(CommandError, match="at least 1"):
        call_command("serve", port=free_port(), **options)


def test_only_web_processes_have_a_limit_on_statements(monkeypatch: pytest.MonkeyPatch, settings: Any) -> None:
    monkeypatch.delenv("PARAVENT_STATEMENT_TIMEOUT_MS", raising=False)
    serve.prepare_environment(8123)
    assert os.environ["PARAVENT_STATEMENT_TIMEOUT_MS"] == "2000"
    assert settings.STATEMENT_TIMEOUT_MS == 0
    monkeypatch.setenv("PARAVENT_STATEMENT_TIMEOUT_MS", "700")
    serve.prepare_environment(8123)
    assert os.environ["PARAVENT_STATEMENT_TIMEOUT_MS"] == "700"


def test_a_demo_knows_its_address_and_production_is_told(monkeypatch: pytest.MonkeyPatch, settings: Any) -> None:
    monkeypatch.delenv("PARAVENT_PUBLIC_URL")
    settings.DEMO = False
    serve.prepare_environment(8123)
    assert "PARAVENT_PUBLIC_URL" not in os.environ
    settings.DEMO = True
    serve.prepare_environment(8123)
    assert os.environ["PARAVENT_PUBLIC_URL"] == "http://127.0.0.1:8123"


def test_production_needs_its_static_files(settings: Any, tmp_path: Path) -> None:
    settings.STATIC_ROOT = tmp_path
    with pytest.raises(CommandError, match=r"Run `manage\.py collectstatic`"):
        serve.require_static_files()
    (tmp_path / "staticfiles.json").write_text("{}")
    serve.require_static_files()


# --- as processes ---------------------------------------------------------------------------------------------------
@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> DemoServer:
    """A demo that is ready to be started."""
    return DemoServer(tmp_path_factory.mktemp("demo"))


@pytest.fixture
def start() -> Iterator[Start]:
    """Starts `serve` in a group of its own, which is gone after the test however that ended."""
    groups = []

    def start(environment: dict[str, str], port: int) -> subprocess.Popen[bytes]:
        command = [sys.executable, str(ROOT / "manage.py"), "serve", "--port", str(port)]
        process = subprocess.Popen(
            command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True
        )
        groups.append(process.pid)
        return process

    yield start
    for group in groups:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(group, signal.SIGKILL)


def finish(process: subprocess.Popen[bytes]) -> tuple[int, str]:
    """Its exit code and all it said; a process that does not end by itself fails the test."""
    try:
        said, _ = process.communicate(timeout=SOONER_THAN_KILLED)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        said, _ = process.communicate()
        pytest.fail(f"it did not end:\n{said.decode()}")
    return process.returncode, said.decode()


def until(ready: Callable[[], object], process: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + PATIENCE
    while not ready():
        assert process.poll() is None, finish(process)
        assert time.monotonic() < end, "it never came that far"
        time.sleep(0.01)


def web_processes(process: subprocess.Popen[bytes]) -> list[int]:
    """The children that run our application."""
    return [int(child) for child in Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()]


def status(port: int, path: str = "/simulator/") -> int:
    """What the server answers; 0 while nobody does."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", path)
        return connection.getresponse().status
    except OSError:
        return 0
    finally:
        connection.close()


@pytest.mark.processes
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_ends_it_and_frees_the_port(demo: DemoServer, start: Start, number: signal.Signals) -> None:
    process = start(demo.environment, demo.port)
    until(lambda: status(demo.port) == 200, process)
    children = web_processes(process)
    assert len(children) == 1
    # A terminal tells the whole group of Ctrl-C and of its end, an orchestrator the one that it started.
    (os.kill if number == signal.SIGTERM else os.killpg)(process.pid, number)
    code, said = finish(process)
    assert (code, said.splitlines()[-1]) == (0, "Paravent has ended.")
    assert ("Traceback" in said, "panic" in said, "Killing" in said) == (False, False, False)
    assert status(demo.port) == 0
    assert [pid for pid in children if Path(f"/proc/{pid}").exists()] == []


@pytest.mark.processes
def test_a_signal_in_its_first_moments_is_not_lost(demo: DemoServer, start: Start) -> None:
    """The moment in which a web process could still have its parent's signal handlers, and ignore the signal."""
    process = start(demo.environment, demo.port)
    until(lambda: web_processes(process), process)
    process.send_signal(signal.SIGTERM)
    code, _said = finish(process)
    assert code == 0
    assert status(demo.port) == 0


@pytest.mark.processes
def test_a_web_process_that_dies_is_replaced(demo: DemoServer, start: Start) -> None:
    process = start(demo.environment, demo.port)
    until(lambda: status(demo.port) == 200, process)
    (first,) = web_processes(process)
    os.kill(first, signal.SIGKILL)
    until(lambda: web_processes(process) not in ([], [first]) and status(demo.port) == 200, process)
    process.send_signal(signal.SIGTERM)
    assert finish(process)[0] == 0


@pytest.mark.processes
def test_a_server_that_is_killed_leaves_nobody_on_its_port(demo: DemoServer, start: Start) -> None:
    process = start(demo.environment, demo.port)
    until(lambda: status(demo.port) == 200, process)
    process.kill()
    # The pipe ends when the last process that holds it has ended.
    process.communicate(timeout=PATIENCE)
    assert status(demo.port) == 0


def test_what_the_embedded_engine_is_sending_is_finished_first(monkeypatch: pytest.MonkeyPatch) -> None:
    order = []

    def sweep() -> None:
        embedded._stop.wait()
        order.append("the reply is sent")

    thread = threading.Thread(target=sweep, name=embedded.THREAD, daemon=True)
    thread.start()
    monkeypatch.setattr(logging, "shutdown", lambda: order.append("the log is written"))
    monkeypatch.setattr(os, "_exit", lambda code: order.append(f"the process ends with {code}"))
    web_process._end()
    embedded._stop.clear()
    assert order == ["the reply is sent", "the log is written", "the process ends with 0"]


@pytest.mark.processes
def test_without_the_simulator_its_pages_and_hooks_do_not_exist(demo: DemoServer, start: Start) -> None:
    process = start({**demo.environment, "PARAVENT_SIMULATOR": "0"}, demo.port)
    until(lambda: status(demo.port, "/admin/login/") == 200, process)
    carrier = "/simulator/carrier/v1/Account/MAXXXXXXXXXXXXXXXXXX/Message/"
    answers = {path: status(demo.port, path) for path in ("/simulator/", "/simulator/state/", carrier)}
    process.send_signal(signal.SIGTERM)
    finish(process)
    assert set(answers.values()) == {404}, answers


@pytest.mark.processes
def test_tables_of_another_version_are_refused(demo: DemoServer, start: Start, tmp_path: Path) -> None:
    code, said = finish(start({**demo.environment, "PARAVENT_DATA_DIR": str(tmp_path)}, demo.port))
    assert code == 1
    assert "Run `manage.py migrate`, then start again. Nothing was started." in said


@pytest.mark.processes
def test_production_listens_only_with_safe_settings(demo: DemoServer, start: Start) -> None:
    code, said = finish(start({**demo.environment, "PARAVENT_DEMO": "0", "PARAVENT_SIMULATOR": "1"}, demo.port))
    assert code == 1
    for wrong in ("config.E003", "config.E004", "config.E005"):
        assert wrong in said
    assert "answers at" not in said
