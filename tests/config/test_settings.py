"""Production refuses to start with an unsafe value, secrets come from files as well, and the safe values are safe."""

from __future__ import annotations

import base64
import contextlib
import os
import re
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from django.db import connection

ROOT = Path(__file__).resolve().parents[2]
SAFE = {
    "PARAVENT_SECRET_KEY": "a-secret-key-that-only-this-test-knows-0123456789abcdefgh",
    "PARAVENT_MASTER_KEY": base64.b64encode(bytes(range(32))).decode(),
    "PARAVENT_PUBLIC_URL": "https://hotline.example.org",
    "PARAVENT_ALLOWED_HOSTS": "hotline.example.org",
}


def check(tmp_path: Path, *arguments: str, **changes: str) -> subprocess.CompletedProcess[str]:
    """`manage.py check` in a process of its own, with `SAFE` and `changes` as its whole environment."""
    return manage(tmp_path, "check", *arguments, **changes)


def manage(tmp_path: Path, *arguments: str, **changes: str) -> subprocess.CompletedProcess[str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PARAVENT_", "DJANGO_"))}
    settings = {name: value for name, value in {**SAFE, **changes}.items() if value}
    return subprocess.run(
        [sys.executable, "manage.py", *arguments],
        cwd=ROOT,
        env={**kept, "PARAVENT_DATA_DIR": str(tmp_path), **settings},
        capture_output=True,
        text=True,
        check=False,
    )


def test_safe_values_have_no_finding(tmp_path: Path) -> None:
    done = check(tmp_path, "--deploy", "--fail-level", "WARNING")
    assert (done.returncode, done.stdout) == (0, "System check identified no issues (1 silenced).\n"), done.stderr


@pytest.mark.parametrize(
    ("changes", "id"),
    [
        ({"PARAVENT_DEBUG": "1"}, "config.E001"),
        ({"PARAVENT_SECRET_KEY": "short"}, "config.E002"),
        ({"PARAVENT_SECRET_KEY": "a" * 60}, "config.E002"),
        ({"PARAVENT_PUBLIC_URL": "http://hotline.example.org"}, "config.E003"),
        ({"PARAVENT_PUBLIC_URL": ""}, "config.E003"),
        ({"PARAVENT_ALLOWED_HOSTS": "*"}, "config.E004"),
        ({"PARAVENT_ALLOWED_HOSTS": ""}, "config.E004"),
        ({"PARAVENT_SIMULATOR": "1"}, "config.E005"),
        ({"PARAVENT_PLIVO_API_URL": "http://127.0.0.1:9"}, "config.E006"),
        ({"PARAVENT_SETTLE_TIME": "899"}, "config.E009"),
        ({"PARAVENT_ENGINE": "magic"}, "config.E007"),
        ({"PARAVENT_MASTER_KEY": ""}, "privacy.E001"),
        ({"PARAVENT_MASTER_KEY": "not a key"}, "privacy.E001"),
    ],
)
def test_an_unsafe_value_is_refused(tmp_path: Path, changes: dict[str, str], id: str) -> None:  # noqa: A002
    done = check(tmp_path, **changes)
    assert done.returncode == 1
    assert re.findall(r"\((\w+\.E\d+)\)", done.stderr) == [id]


def test_without_a_secret_key_nothing_starts_and_the_sentence_says_what_to_do(tmp_path: Path) -> None:
    done = check(tmp_path, PARAVENT_SECRET_KEY="")
    assert done.returncode == 1
    assert "PARAVENT_SECRET_KEY_FILE" in done.stderr
    assert "Nothing was started" in done.stderr


@pytest.mark.parametrize("amount", ["fifty", "-1", "NaN", "1e999999999"])
def test_a_budget_that_is_no_amount_is_refused(tmp_path: Path, amount: str) -> None:
    done = check(tmp_path, PARAVENT_PLATFORM_DAY_BUDGET=amount)
    assert done.returncode == 1
    assert "no amount. Nothing was started. Write it like 50.00." in done.stderr


@pytest.mark.parametrize("name", ["PARAVENT_SECRET_KEY", "PARAVENT_MASTER_KEY"])
def test_a_secret_may_be_in_a_file(tmp_path: Path, name: str) -> None:
    file = tmp_path / "secret"
    file.write_text(SAFE[name] + "\n")
    done = check(tmp_path, "--deploy", "--fail-level", "WARNING", **{name: "", f"{name}_FILE": str(file)})
    assert done.returncode == 0, done.stderr


def test_the_database_url_may_ask_for_tls(tmp_path: Path) -> None:
    url = "postgres://paravent@db.example.org/paravent?sslmode=verify-full"
    done = manage(tmp_path, "diffsettings", PARAVENT_DATABASE_URL=url)
    assert "'sslmode': 'verify-full'" in done.stdout
    assert "'connect_timeout': 2" in done.stdout


def test_a_demo_may_do_what_production_may_not(tmp_path: Path) -> None:
    done = check(tmp_path, PARAVENT_DEMO="1", PARAVENT_PUBLIC_URL="http://127.0.0.1:8000")
    assert done.returncode == 0, done.stderr


def test_sqlite_overwrites_what_is_erased(settings: Any) -> None:
    """Whatever the library was built with: Debian's does so by itself, others do not."""
    if connection.vendor != "sqlite":
        pytest.skip("about SQLite")
    with contextlib.closing(sqlite3.connect(":memory:")) as raw:
        raw.execute("PRAGMA secure_delete=OFF")
        raw.executescript(settings.DATABASES["default"]["OPTIONS"]["init_command"])
        assert raw.execute("PRAGMA secure_delete").fetchone() == (1,)
