"""`manage.py worker` and `manage.py scheduler`: Celery, or a sentence that says what is missing."""

from __future__ import annotations

import importlib.util
import json
import re
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from tests import processes
from tests.demo_server import DemoServer
from tests.services import Guarded, wait_until


@pytest.mark.parametrize("command", ["worker", "scheduler"])
def test_without_celery_it_says_what_to_install(command: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _name: None)
    with pytest.raises(CommandError, match=r"Celery is not installed\. Install requirements/production\.txt"):
        call_command(command)


@pytest.mark.parametrize("command", ["worker", "scheduler"])
def test_without_redis_it_says_what_to_set(command: str, settings: Any) -> None:
    settings.REDIS_URL = ""
    with pytest.raises(CommandError, match="PARAVENT_REDIS_URL is not set"):
        call_command(command)


@pytest.mark.parametrize("command", ["worker", "scheduler"])
def test_beside_the_embedded_engine_it_is_not_needed(command: str, settings: Any) -> None:
    settings.REDIS_URL, settings.ENGINE = "redis://127.0.0.1:1/0", "embedded"
    with pytest.raises(CommandError, match="PARAVENT_ENGINE is embedded"):
        call_command(command)


@pytest.fixture
def demo(redis_url: str, tmp_path: Path) -> Iterator[DemoServer]:
    """The demo on the production engine: its web process sends nothing itself."""
    with DemoServer(tmp_path, PARAVENT_REDIS_URL=redis_url) as server:
        yield server


def call(url: str, body: dict[str, Any] | str | None = None, headers: dict[str, str] | None = None) -> Any:
    data = body if isinstance(body, str) or body is None else json.dumps(body)
    request = urllib.request.Request(url, data.encode() if data else None, headers or {})
    with urllib.request.urlopen(request, timeout=10) as answer:
        content = answer.read().decode()
        return answer, content


def write(demo: DemoServer, text: str) -> dict[str, str]:
    """Text the first hotline of the demo as its page does; returns what the page's state is asked with."""
    answer, page = call(f"{demo.url}/simulator/")
    cookie = answer.headers["Set-Cookie"].partition(";")[0]
    token = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', page)
    hotline = re.search(r'<option value="([0-9a-f-]{36})"', page)
    assert token is not None
    assert hotline is not None
    asked = {"hotline": hotline[1], "phone": "33639980050"}
    headers = {"Content-Type": "application/json", "Cookie": cookie, "X-CSRFToken": token[1]}
    signed = json.loads(call(f"{demo.url}/simulator/sign/", {**asked, "text": text}, headers)[1])["request"]
    assert call(demo.url + signed["path"], signed["body"], signed["headers"])[0].status == 200
    return asked


@pytest.mark.processes
def test_worker_and_scheduler_answer_a_text_and_end_when_told(demo: DemoServer, tmp_path: Path) -> None:
    logs = {name: tmp_path / f"{name}.log" for name in ("worker", "scheduler")}
    running = {
        name: Guarded([sys.executable, processes.ROOT / "manage.py", name], log=log, environment=demo.environment)
        for name, log in logs.items()
    }
    try:
        asked = write(demo, "Salut, c'est qui ?")
        query = f"hotline={asked['hotline']}&phone={asked['phone']}"

        def answered() -> bool:
            texts = json.loads(call(f"{demo.url}/simulator/state/?{query}")[1])["texts"]
            return [text["arrived"] for text in texts] == [False, True]

        wait_until(answered, running["worker"], logs["worker"], "the worker")
    finally:
        for process in running.values():
            process.stop()
    for name, log in logs.items():
        assert "Traceback" not in log.read_text(), name
