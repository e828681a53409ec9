from __future__ import annotations

import base64
import contextlib
import os
import sqlite3
import stat
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
from cryptography.exceptions import InvalidTag
from django.core.exceptions import ImproperlyConfigured
from django.core.management import CommandError, call_command
from tests import migrated
from tests.processes import ROOT, manage, no_static_files, production

from privacy import keys


# --- the file -------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077])
def test_a_new_key_file_is_for_its_owner_only(tmp_path: Path, umask: int) -> None:
    path, before = tmp_path / "made/master.key", os.umask(umask)
    try:
        assert keys.create_file(path)
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert len(base64.b64decode(path.read_text(), validate=False)) == 32
    assert list(path.parent.iterdir()) == [path]


def test_an_existing_file_is_left_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "master.key"
    path.write_text("what somebody relies on")
    assert not keys.create_file(path)
    assert path.read_text() == "what somebody relies on"
    assert list(tmp_path.iterdir()) == [path]


def test_of_many_who_create_it_at_once_one_does(tmp_path: Path) -> None:
    path, barrier, answers = tmp_path / "master.key", threading.Barrier(16), []

    def create() -> None:
        barrier.wait()
        answers.append((keys.create_file(path), path.read_text()))

    threads = [threading.Thread(target=create) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(made for made, _ in answers) == [False] * 15 + [True]
    assert {text for _, text in answers} == {path.read_text()}
    assert list(tmp_path.iterdir()) == [path]


def test_a_crash_while_writing_leaves_no_half_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def crash(_descriptor: int) -> None:
        raise OSError("no space left on device")

    monkeypatch.setattr(os, "fsync", crash)
    with pytest.raises(OSError, match="no space left"):
        keys.create_file(tmp_path / "master.key")
    assert list(tmp_path.iterdir()) == []


def test_the_command_says_what_to_keep_and_leaves_an_existing_file(tmp_path: Path, capsys: Any) -> None:
    path = tmp_path / "master.key"
    call_command("keys", "create", path)
    assert "Keep a copy off this machine" in capsys.readouterr().out
    text = path.read_text()
    call_command("keys", "create", path, if_missing=True)
    assert capsys.readouterr().out == ""
    with pytest.raises(CommandError, match="exists and was left as it is"):
        call_command("keys", "create", path)
    assert path.read_text() == text


# --- what is configured ---------------------------------------------------------------------------------------------
@pytest.mark.parametrize("text", ["", " \n\t"])
def test_no_key_is_refused_with_what_to_do(settings: Any, text: str) -> None:
    settings.MASTER_KEYS = text
    with pytest.raises(ImproperlyConfigured) as refusal:
        keys.current()
    assert str(refusal.value) == keys.MISSING


@pytest.mark.parametrize(
    "text",
    [
        "not base64 at all!",
        base64.b64encode(bytes(31)).decode(),
        base64.b64encode(bytes(33)).decode(),
        base64.b64encode(bytes(32)).decode()[:-1],
        base64.b64encode(bytes(32)).decode() + "\nhalf a line",
        base64.b64encode(bytes(32)).decode() * 2,
        "é" * 44,
    ],
)
def test_a_malformed_key_is_refused_with_what_to_do(settings: Any, text: str) -> None:
    settings.MASTER_KEYS = text
    with pytest.raises(ImproperlyConfigured) as refusal:
        keys.current()
    assert str(refusal.value) == keys.MALFORMED


def test_the_first_of_several_keys_is_the_one_that_wraps(settings: Any) -> None:
    first, second = keys.generate(), keys.generate()
    settings.MASTER_KEYS = f"{first}\r\n{second}\n"
    assert keys.current().secret == base64.b64decode(first)
    for text in (first, second):
        key = keys._parse(text)[0]
        assert keys.by_id(key.id) == key


def test_a_wrapped_key_opens_for_its_context_and_master_only() -> None:
    master, other = (keys._parse(keys.generate())[0] for _ in range(2))
    wrapped = master.wrap(bytes(32), "datakey|1|text|2026-11")
    assert master.unwrap(wrapped, "datakey|1|text|2026-11") == bytes(32)
    for key, context in ((other, "datakey|1|text|2026-11"), (master, "datakey|2|text|2026-11")):
        with pytest.raises(InvalidTag):
            key.unwrap(wrapped, context)


def test_what_names_a_key_does_not_tell_it() -> None:
    text = keys.generate()
    [key] = keys._parse(text)
    assert key.id not in base64.b64decode(text).hex()
    assert len(key.id) == 16


# --- a process without one ------------------------------------------------------------------------------------------
@pytest.mark.processes
@pytest.mark.parametrize("command", [["check"], ["serve", "--port", "0"], ["migrate"]])
@pytest.mark.parametrize(
    ("key", "sentence"), [("", keys.MISSING), ("half a key", keys.MALFORMED)], ids=["missing", "malformed"]
)
def test_without_a_key_no_command_starts(tmp_path: Path, command: list[str], key: str, sentence: str) -> None:
    environment = production(f"sqlite:///{tmp_path / 'db.sqlite3'}", tmp_path, PARAVENT_MASTER_KEY=key)
    with pytest.raises(RuntimeError) as refusal:
        manage(environment, *command)
    assert sentence in str(refusal.value)
    with contextlib.closing(sqlite3.connect(tmp_path / "db.sqlite3")) as database:
        assert database.execute("SELECT * FROM sqlite_master").fetchall() == []


@pytest.mark.processes
def test_without_a_key_the_web_process_does_not_load(tmp_path: Path) -> None:
    environment = production(f"sqlite:///{tmp_path / 'db.sqlite3'}", tmp_path, PARAVENT_MASTER_KEY="")
    command = [sys.executable, "-c", "import config.wsgi"]
    done = subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert keys.MISSING in done.stderr


@pytest.mark.processes
def test_with_another_key_than_the_datas_nothing_is_served(tmp_path: Path) -> None:
    environment = production(f"sqlite:///{tmp_path / 'db.sqlite3'}", tmp_path)
    migrated.migrate(environment)
    no_static_files(tmp_path)
    manage(environment, "shell", "-c", "from privacy import datakeys; datakeys.for_writing(1, 'text', '2026-11')")
    other = {**environment, "PARAVENT_MASTER_KEY": keys.generate()}
    for command in (["serve", "--port", "0"], ["migrate"]):
        with pytest.raises(RuntimeError, match=r"\(privacy\.E002\) Data was protected with master key"):
            manage(other, *command)
