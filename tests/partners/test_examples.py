"""Every example of docs/partners runs against a real server, and the generated client too."""

from __future__ import annotations

import datetime
import importlib
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests import processes
from tests.demo_server import DemoServer

from partners import signing

pytestmark = [pytest.mark.processes, pytest.mark.once]

DOCS = Path(__file__).parents[2] / "docs" / "partners"
EXAMPLES = DOCS / "examples"
RUNNERS = {".sh": ["sh"], ".py": [sys.executable], ".php": ["php"], ".mjs": ["node"]}
_MAKE = """
import datetime, json
from django.utils import timezone
from figures.models import WeekFigures
from hotlines.models import Hotline
from pages.models import Page
from partners.models import ApiKey, Scope
hotline = Hotline.objects.get(pk=1)
Page.objects.all().delete()
for slug in ("un", "deux", "trois"):
    Page.objects.create(organization=hotline.organization, hotline=hotline, slug=slug, name=slug, published=True)
WeekFigures.objects.create(
    hotline=hotline, monday=datetime.date(2026, 11, 9), senders=20, messages=50, published_at=timezone.now()
)
keys = {}
for audience, scopes in (("partner", ["hotlines:read", "statistics:read"]), ("own", Scope.values)):
    key = ApiKey(
        organization=hotline.organization, label=audience, audience=audience, scopes=list(scopes),
        expires_at=timezone.now() + datetime.timedelta(days=1),
    )
    keys[audience] = key.new_secret()
    key.save()
print("MADE" + json.dumps({"number": hotline.number, "uuid": str(hotline.uuid), **keys}))
"""


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[DemoServer, dict[str, str]]]:
    with DemoServer(tmp_path_factory.mktemp("demo")) as server:
        printed = processes.manage(server.environment, "shell", "-c", _MAKE)
        yield server, json.loads(printed.partition("MADE")[2])


def run(name: str, *arguments: str, stdin: bytes = b"", **environment: str) -> subprocess.CompletedProcess[bytes]:
    """Skips where the example's language is not installed."""
    runner = RUNNERS[Path(name).suffix]
    if shutil.which(runner[0]) is None:
        pytest.skip(f"needs {runner[0]}: .ci/run installs it")
    kept = {variable: os.environ[variable] for variable in ("PATH", "LANG", "HOME") if variable in os.environ}
    return subprocess.run(
        [*runner, str(EXAMPLES / name), *arguments],
        input=stdin,
        capture_output=True,
        timeout=60,
        env={**kept, "NO_PROXY": "127.0.0.1", "no_proxy": "127.0.0.1", **environment},
        check=False,
    )


def printed(done: subprocess.CompletedProcess[bytes]) -> str:
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout.decode()


@pytest.mark.parametrize("suffix", RUNNERS)
def test_the_number_is_read(running: tuple[DemoServer, dict[str, str]], suffix: str) -> None:
    server, made = running
    said = printed(run(f"current{suffix}", "un", PARAVENT_URL=server.url))
    assert made["number"] in said
    if suffix == ".py":
        assert said.splitlines()[1] == "unchanged"


@pytest.mark.parametrize("suffix", [".sh", ".php", ".mjs"])
def test_figures_are_read_with_a_key(running: tuple[DemoServer, dict[str, str]], suffix: str) -> None:
    server, made = running
    said = printed(run(f"statistics{suffix}", "un", PARAVENT_URL=server.url, PARAVENT_KEY=made["partner"]))
    assert "2026-11-09" in said
    assert "20" in said
    refused = run(f"statistics{suffix}", "un", PARAVENT_URL=server.url, PARAVENT_KEY="wrong")
    assert refused.returncode != 0


def test_all_hotlines_are_read_page_by_page(running: tuple[DemoServer, dict[str, str]]) -> None:
    server, made = running
    said = printed(run("statistics.py", PARAVENT_URL=server.url, PARAVENT_KEY=made["partner"]))
    assert said.splitlines() == ["trois: 20", "deux: 20", "un: 20"]


def test_a_limit_is_changed(running: tuple[DemoServer, dict[str, str]]) -> None:
    server, made = running
    given = {"PARAVENT_URL": server.url, "PARAVENT_KEY": made["own"]}
    assert json.loads(printed(run("limit.sh", made["uuid"], **given)))["reply_limit"] == 3


@pytest.mark.parametrize("suffix", [".py", ".php", ".mjs"])
@pytest.mark.parametrize("way", ["hmac", "ed25519"])
def test_an_event_is_checked_and_a_forged_one_refused(suffix: str, way: str) -> None:
    if suffix == ".py" and way == "ed25519":
        pytest.skip("the Python library of the specification knows v1 alone")
    secret = signing.new_shared() if way == "hmac" else signing.new_private()
    body, now = b'{"type": "hotline.state_changed", "data": {"name": "\xc3\xa9"}}', datetime.datetime.now(datetime.UTC)
    given = {
        "PARAVENT_SIGNING_KEY": signing.public(secret),
        "WEBHOOK_ID": "msg_1",
        "WEBHOOK_TIMESTAMP": str(int(now.timestamp())),
        "WEBHOOK_SIGNATURE": signing.sign(secret, "msg_1", now, body),
    }
    assert printed(run(f"webhook{suffix}", stdin=body, **given)) == "hotline.state_changed\n"
    other = signing.new_shared() if way == "hmac" else signing.new_private()
    late = now - datetime.timedelta(minutes=6)
    for forged in (
        {**given, "WEBHOOK_ID": "msg_2"},
        {**given, "WEBHOOK_SIGNATURE": signing.sign(other, "msg_1", now, body)},
        {**given, "WEBHOOK_SIGNATURE": "v1,AAAA v1a,AAAA"},
        {
            **given,
            "WEBHOOK_TIMESTAMP": str(int(late.timestamp())),
            "WEBHOOK_SIGNATURE": signing.sign(secret, "msg_1", late, body),
        },
    ):
        assert run(f"webhook{suffix}", stdin=body, **forged).returncode != 0
    assert run(f"webhook{suffix}", stdin=body + b" ", **given).returncode != 0


def test_every_example_stands_in_the_guide_as_it_runs() -> None:
    guide = "".join(path.read_text(encoding="utf-8") for path in DOCS.glob("*.md"))
    blocks = {block.strip() for block in re.findall(r"```[a-z]+\n(.*?)```", guide, re.DOTALL)}
    missing = [path.name for path in EXAMPLES.iterdir() if path.read_text(encoding="utf-8").strip() not in blocks]
    assert missing == []


def test_the_generated_client_talks_to_a_running_server(
    running: tuple[DemoServer, dict[str, str]], tmp_path: Path, monkeypatch: Any
) -> None:
    """`make client` makes the same."""
    server, made = running
    subprocess.run(
        [
            *(sys.executable, "-m", "openapi_python_client", "generate", "--meta", "none"),
            *("--path", str(DOCS / "openapi.yaml"), "--output-path", str(tmp_path / "paravent_client")),
        ],
        check=True,
        capture_output=True,
        timeout=120,
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    client = importlib.import_module("paravent_client")
    public = importlib.import_module("paravent_client.api.public.current")
    hotlines = importlib.import_module("paravent_client.api.hotlines.list_hotlines")
    policy = importlib.import_module("paravent_client.api.numbers.read_policy")
    with client.Client(base_url=server.url) as anybody:
        assert public.sync(slug="un", client=anybody).number == made["number"]
    with client.AuthenticatedClient(base_url=server.url, token=made["partner"]) as partner:
        assert [row.slug for row in hotlines.sync(client=partner).results] == ["trois", "deux", "un"]
        refused = policy.sync_detailed(number=made["uuid"], client=partner)
        assert refused.status_code == 403
        assert refused.parsed.type_ == "urn:paravent:problem:forbidden"
