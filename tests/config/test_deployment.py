"""What starts Paravent outside the tests: Dockerfile, compose.yaml, systemd units. They run what the tests run."""

from __future__ import annotations

import fnmatch
import json
import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml
from django.core.management import get_commands, load_command_class
from django.core.management.base import BaseCommand
from tests import processes
from tests.processes import ROOT

from config.management import web_process
from config.management.commands import serve
from outbox import sweeps

COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "compose.yaml").read_text())
SERVICES: dict[str, Any] = COMPOSE["services"]
OURS = {name: service for name, service in SERVICES.items() if str(service["image"]).startswith("paravent:")}
DOCKERFILE = (ROOT / "Dockerfile").read_text()
SYSTEMD = ROOT / "deploy/systemd"
UNITS = sorted(SYSTEMD.glob("*.service"), key=lambda unit: unit.name)
DOMAIN = {"DOMAIN": "hotline.example.org", "MAIL_FROM": "a@example.org", "OPERATOR_MAIL": "b@example.org"}
#: Variables whose value is a secret: only ever as a file.
SECRET = {"SECRET_KEY", "MASTER_KEY", "DATABASE_URL", "REDIS_URL", "MAIL_URL"}
CONFIGURATION = [
    ROOT / "compose.yaml",
    ROOT / "Dockerfile",
    *sorted(path for path in SYSTEMD.iterdir() if path.is_file()),
    *sorted((ROOT / "deploy/compose").iterdir()),
    *sorted((ROOT / "docs/operators").glob("*.md")),
]


def instructions(dockerfile: str) -> list[tuple[str, str]]:
    """(instruction, argument) of each line, continued lines joined, comments left out."""
    lines = [line for line in dockerfile.splitlines() if not line.startswith("#")]
    joined = "\n".join(lines).replace("\\\n", " ")
    pairs = [line.strip().split(maxsplit=1) for line in joined.splitlines() if line.strip()]
    return [(name, " ".join(argument.split())) for name, argument in pairs]


def settings_of(unit: Path) -> list[tuple[str, str]]:
    """(key, value) of each line of a unit; a key may stand several times."""
    lines = [line.strip() for line in unit.read_text().splitlines()]
    found = [line.partition("=") for line in lines if line and line[0] not in "#[;"]
    return [(key, value) for key, _, value in found]


def one(unit: Path, key: str) -> str:
    (value,) = [value for name, value in settings_of(unit) if name == key]
    return value


def seconds(duration: str) -> int:
    number, unit = re.fullmatch(r"(\d+)(s|m)?", duration).groups()  # type: ignore[union-attr]
    return int(number) * (60 if unit == "m" else 1)


def argument_lists() -> Iterator[tuple[str, list[str]]]:
    """Every call of manage.py, with where it stands."""
    for name, service in OURS.items():
        yield f"compose.yaml {name}", service["command"]
        test = service.get("healthcheck", {}).get("test")
        if test:
            assert test[:3] == ["CMD", "python", "manage.py"]
            yield f"compose.yaml {name} healthcheck", test[3:]
    told = dict(instructions(DOCKERFILE))
    assert json.loads(told["ENTRYPOINT"]) == ["python", "manage.py"]
    yield "Dockerfile", json.loads(told["CMD"])
    health = json.loads(told["HEALTHCHECK"].partition("CMD ")[2])
    assert health[:2] == ["python", "manage.py"]
    yield "Dockerfile healthcheck", health[2:]
    for unit in UNITS:
        program, script, *arguments = shlex.split(one(unit, "ExecStart"))
        assert (program, script) == ("/opt/paravent/.venv/bin/python", "manage.py")
        yield unit.name, arguments


@pytest.mark.parametrize(
    ("where", "arguments"), list(argument_lists()), ids=lambda value: value if type(value) is str else ""
)
def test_every_command_is_one_that_takes_these_options(where: str, arguments: Sequence[str]) -> None:
    name, *options = arguments
    application = get_commands()[name]
    command = application if isinstance(application, BaseCommand) else load_command_class(application, name)
    command.create_parser("manage.py", name).parse_args(options)


def test_every_part_runs_the_command_that_the_tests_run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(processes, "Guarded", lambda command, **_more: [str(part) for part in command])
    log = tmp_path / "log"
    started: dict[str, Any] = {
        "web": processes.serve({}, 1, log),
        "worker": processes.worker({}, log),
        "scheduler": processes.scheduler({}, log),
    }
    tested = {part: Path(command[1]).name + " " + command[2] for part, command in started.items()}
    assert {part: f"manage.py {SERVICES[part]['command'][0]}" for part in tested} == tested
    units = {"web": "paravent-web", "worker": "paravent-worker@", "scheduler": "paravent-scheduler"}
    executed = {part: shlex.split(one(SYSTEMD / f"{name}.service", "ExecStart")) for part, name in units.items()}
    assert {part: " ".join(command[1:3]) for part, command in executed.items()} == tested
    assert shlex.split(one(SYSTEMD / "paravent.service", "ExecStart"))[2] == "serve"


# --- settings and secrets -------------------------------------------------------------------------------------------
def variables_read() -> set[str]:
    text = (ROOT / "platform/config/settings.py").read_text()
    return set(re.findall(r'\bsetting(?:_bool|_int)?\(\s*"(\w+)"', text)) | set(re.findall(r'"PARAVENT_(\w+)"', text))


@pytest.mark.parametrize("file", CONFIGURATION, ids=lambda file: file.name)
def test_every_variable_is_one_that_the_settings_read(file: Path) -> None:
    named = set(re.findall(r"\bPARAVENT_([A-Z][A-Z_]*[A-Z])\b", file.read_text()))
    known = variables_read()
    assert {name for name in named if name.removesuffix("_FILE") not in known} == set()


def test_every_variable_is_explained_to_operators() -> None:
    explained = set(re.findall(r"`PARAVENT_(\w+)`", (ROOT / "docs/operators/install.md").read_text()))
    assert variables_read() - explained == set()


def environment_of(unit: Path) -> dict[str, str]:
    pairs = [pair for key, value in settings_of(unit) if key == "Environment" for pair in shlex.split(value)]
    return dict(pair.split("=", 1) for pair in pairs)


def test_secrets_are_files_everywhere() -> None:
    for name, service in OURS.items():
        given = {variable.removeprefix("PARAVENT_") for variable in service["environment"]}
        assert given & SECRET == set(), name
        assert given >= {f"{variable}_FILE" for variable in SECRET}, name
        files = {Path(value).name for value in service["environment"].values() if value.startswith("/run/secrets/")}
        assert files == set(service["secrets"]), name
    for unit in UNITS:
        credentials = [value.split(":") for key, value in settings_of(unit) if key == "LoadCredential"]
        assert [path for name, path in credentials if path != f"/etc/paravent/{name}"] == []
        read = {value for variable, value in environment_of(unit).items() if variable.endswith("_FILE")}
        assert read == {f"%d/{name}" for name, _ in credentials}, unit.name
    assert set(COMPOSE["secrets"]) == {secret for service in SERVICES.values() for secret in service.get("secrets", [])}


def test_no_secret_reaches_the_image_or_the_history() -> None:
    assert "secrets/" in (ROOT / ".gitignore").read_text().splitlines()
    written = [argument for name, argument in instructions(DOCKERFILE) if name in {"ENV", "ARG"}]
    assert [word for argument in written for word in re.findall(r"\w*(?:KEY|PASSWORD|TOKEN|SECRET)\w*", argument)] == []


def test_the_script_writes_every_secret_once(tmp_path: Path) -> None:
    folder = tmp_path / "secrets"
    command = ["sh", str(ROOT / "deploy/compose/secrets.sh"), "smtp://mail.example.org:25", str(folder)]
    subprocess.run(command, check=True, capture_output=True)
    before = {file.name: file.read_text() for file in folder.iterdir()}
    assert set(before) == set(COMPOSE["secrets"])
    assert (folder.stat().st_mode & 0o777, {file.stat().st_mode & 0o777 for file in folder.iterdir()}) == (
        0o700,
        {0o444},
    )
    subprocess.run(command, check=True, capture_output=True)
    assert {file.name: file.read_text() for file in folder.iterdir()} == before


# --- what each part may do, and for how long ------------------------------------------------------------------------
def test_every_container_is_restarted_bounded_and_without_rights() -> None:
    for name, service in SERVICES.items():
        assert service["restart"] == ("on-failure" if name == "migrate" else "unless-stopped"), name
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert re.fullmatch(r"\d+[mg]", service["mem_limit"]), name
    assert {name for name, service in SERVICES.items() if not service.get("read_only")} == {"database"}
    assert {name for name, service in SERVICES.items() if "ports" in service} == {"proxy"}


def test_only_those_who_must_reach_the_outside() -> None:
    closed = {name for name, network in COMPOSE["networks"].items() if network.get("internal")}
    inside = {name for name, service in SERVICES.items() if set(service["networks"]) <= closed}
    assert inside == {"database", "cache", "migrate", "scheduler"}


def test_a_commit_that_was_reported_is_on_the_disk() -> None:
    database = SERVICES["database"]
    given = {part for part in database["command"] if "=" in part}
    assert given >= {"fsync=on", "synchronous_commit=on", "full_page_writes=on"}
    assert "--data-checksums" in database["environment"]["POSTGRES_INITDB_ARGS"].split()
    assert "database:/var/lib/postgresql/data" in database["volumes"]


def test_messages_that_wait_on_disk_outlive_their_container_and_their_process() -> None:
    (data,) = re.findall(r"PARAVENT_DATA_DIR=(\S+)", DOCKERFILE)
    assert SERVICES["web"]["volumes"] == [f"spool:{data}/spool"]
    assert "spool" in COMPOSE["volumes"]
    for unit in UNITS:
        assert environment_of(unit)["PARAVENT_DATA_DIR"] == "/var/lib/" + one(unit, "StateDirectory")


def test_whoever_is_told_to_end_has_the_time_to() -> None:
    web = serve.KILL_AFTER + web_process.LAST_CALL
    assert seconds(SERVICES["web"]["stop_grace_period"]) > web
    assert all(
        seconds(one(SYSTEMD / f"{name}.service", "TimeoutStopSec")) > web for name in ("paravent", "paravent-web")
    )
    (longest,) = sweeps.send_replies.__defaults__ or ()
    worker = longest + 2 * 5.0  # connecting and reading, each as long as PROVIDER_TIMEOUT
    assert seconds(SERVICES["worker"]["stop_grace_period"]) > worker
    assert seconds(one(SYSTEMD / "paravent-worker@.service", "TimeoutStopSec")) > worker
    assert {one(unit, "KillMode") for unit in UNITS} == {"mixed"}


def test_units_are_hardened_alike_and_never_given_up() -> None:
    own = {"Description", "Documentation", "After", "PartOf", "Conflicts", "ExecStart", "TimeoutStopSec", "MemoryMax"}
    own |= {"LoadCredential", "Environment", "WantedBy"}
    common = [[(key, value) for key, value in settings_of(unit) if key not in own] for unit in UNITS]
    assert common == [common[0]] * len(UNITS)
    needed = {"NoNewPrivileges": "yes", "ProtectSystem": "strict", "ProtectHome": "yes", "CapabilityBoundingSet": ""}
    needed |= {"Restart": "always", "StartLimitIntervalSec": "0", "StateDirectoryMode": "0700", "User": "paravent"}
    assert dict(common[0]).items() >= needed.items()
    assert all(one(unit, "MemoryMax") for unit in UNITS)


# --- the image ------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    "image", sorted({s["image"] for s in SERVICES.values()} | set(re.findall("FROM (\\S+)", DOCKERFILE)))
)
def test_every_image_is_of_one_version(image: str) -> None:
    if image.startswith("paravent:"):
        assert image == "paravent:${VERSION:-local}"
    else:
        assert re.fullmatch(r"[\w./-]+:\d+\.\d+(\.\d+)?-[a-z-]+", image)


def test_the_image_has_the_python_that_the_tests_run_on() -> None:
    (lowest,) = re.findall(r'requires-python = ">=(\d+\.\d+)"', (ROOT / "pyproject.toml").read_text())
    assert set(re.findall(r"FROM python:(\d+\.\d+)\.", DOCKERFILE)) == {lowest}


def test_the_image_installs_by_hash_and_runs_as_nobody() -> None:
    told = instructions(DOCKERFILE)
    runs = [argument for name, argument in told if name == "RUN"]
    assert [run for run in runs if "pip install" in run and "--require-hashes" not in run] == []
    assert sum("pip install" in run and "production.txt" in run for run in runs) == 1
    names = [name for name, _ in told]
    assert "ADD" not in names
    assert dict(told)["USER"] == "10001:10001"
    assert {"RUN", "COPY"} & set(names[names.index("USER") :]) == set()
    assert dict(told)["STOPSIGNAL"] == "SIGTERM"
    assert any("manage.py collectstatic" in run for run in runs)
    assert any(".mo" in run for run in runs)


def test_the_image_gets_what_runs_and_nothing_else() -> None:
    rules = [rule for rule in (ROOT / ".dockerignore").read_text().splitlines() if rule and rule[0] != "#"]
    assert rules[0] == "*"
    kept = {rule[1:] for rule in rules if rule.startswith("!")}
    copied = [argument.split() for name, argument in instructions(DOCKERFILE) if name == "COPY"]
    assert {part for words in copied if not words[0].startswith("--") for part in words[:-1]} == kept
    dropped = [rule.removeprefix("**/") for rule in rules[1:] if not rule.startswith("!")]
    tracked = subprocess.run(["git", "ls-files", *kept], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    files = tracked.splitlines()
    assert [
        file for file in files if any(fnmatch.fnmatch(part, rule) for part in Path(file).parts for rule in dropped)
    ] == []
    texts = {file.removesuffix(".po") for file in files if file.endswith(".po")}
    assert {file.removesuffix(".mo") for file in files if file.endswith(".mo")} == texts != set()


# --- by the tools that read these files -----------------------------------------------------------------------------
def composer() -> list[str]:
    if shutil.which("docker"):
        plugin = subprocess.run(["docker", "compose", "version"], capture_output=True, check=False)
        if plugin.returncode == 0:
            return ["docker", "compose"]
    if shutil.which("docker-compose"):
        return ["docker-compose"]
    pytest.skip("neither docker compose nor docker-compose was found (Debian: docker-compose)")


def configured(tmp_path: Path, variables: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    file = tmp_path / "environment"
    file.write_text("".join(f"{name}={value}\n" for name, value in variables.items()))
    command = [*composer(), "--file", "compose.yaml", "--env-file", str(file), "config"]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def test_compose_accepts_the_file(tmp_path: Path) -> None:
    done = configured(tmp_path, DOMAIN)
    assert done.returncode == 0, done.stderr
    web = yaml.safe_load(done.stdout)["services"]["web"]
    assert web["environment"]["PARAVENT_PUBLIC_URL"] == "https://hotline.example.org"


@pytest.mark.parametrize("missing", DOMAIN)
def test_compose_says_what_is_not_set(tmp_path: Path, missing: str) -> None:
    done = configured(tmp_path, {name: value for name, value in DOMAIN.items() if name != missing})
    assert done.returncode != 0
    assert missing in done.stderr


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="no systemd-analyze was found (Debian: systemd)")
def test_systemd_accepts_the_units(tmp_path: Path) -> None:
    python = tmp_path / "opt/.venv/bin/python"
    python.parent.mkdir(parents=True)
    python.write_text("#!/bin/sh\n")
    python.chmod(0o755)
    units = []
    for unit in [*UNITS, SYSTEMD / "paravent.target"]:
        units.append(tmp_path / unit.name)
        units[-1].write_text(unit.read_text().replace("/opt/paravent", str(tmp_path / "opt")))
    done = subprocess.run(["systemd-analyze", "verify", *units], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
