"""The layout that makes `platform` and `numbers` possible as folder names, and the rooms small (DESIGN.md)."""

from __future__ import annotations

import base64
import os
import subprocess
import sys
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
AREAS = ("platform", "numbers", "messaging")
#: Lines; a module that grows past it becomes a package of the same name.
LONGEST = 400


def ours() -> list[Path]:
    return [package for area in AREAS for package in sorted((ROOT / area).iterdir()) if package.name != "__pycache__"]


@pytest.mark.parametrize(
    "area", [*AREAS, "tests", *(f"tests/{p.name}" for p in (ROOT / "tests").iterdir() if p.is_dir())]
)
def test_an_import_root_is_never_a_package(area: str) -> None:
    assert not (ROOT / area / "__init__.py").exists()


def test_every_package_of_an_area_is_one() -> None:
    assert [package.name for package in ours() if not (package / "__init__.py").is_file()] == []


def test_no_package_has_a_name_that_somebody_else_answers_to() -> None:
    names = {package.name for package in ours()}
    assert len(names) == len(ours())
    assert names & set(sys.stdlib_module_names) == set()
    assert names & set(packages_distributions()) == set()


@pytest.mark.parametrize("where", [ROOT, *(ROOT / area for area in AREAS)])
def test_the_standard_library_keeps_its_modules(where: Path) -> None:
    asked = "import decimal, numbers, platform, uuid; print(platform.__file__, numbers.__file__)"
    command = [sys.executable, "-c", asked]
    told = subprocess.run(command, cwd=where, capture_output=True, text=True, check=True).stdout
    assert str(ROOT / "platform") not in told
    assert str(ROOT / "numbers") not in told


def test_manage_py_puts_the_three_roots_on_the_path_and_nothing_before_the_standard_library() -> None:
    asked = (
        "import runpy, sys; runpy.run_path('manage.py', run_name='not main'); "
        "import config, hotlines, inbox, platform, numbers; print(platform.__file__); print(numbers.__file__)"
    )
    done = subprocess.run([sys.executable, "-c", asked], cwd=ROOT, capture_output=True, text=True, check=True)
    assert all(Path(line).parent == Path(subprocess.__file__).parent for line in done.stdout.split())


@pytest.mark.parametrize("package", ours(), ids=lambda package: package.name)
def test_modules_stay_small(package: Path) -> None:
    modules = [module for module in package.rglob("*.py") if "migrations" not in module.parts]
    lengths = {str(module.relative_to(ROOT)): len(module.read_text().splitlines()) for module in modules}
    assert {name: length for name, length in lengths.items() if length > LONGEST} == {}


#: As `make` gives it to tools that read no data.
TOOL = {
    "PARAVENT_DEMO": "1",
    "PARAVENT_SECRET_KEY": "only-for-tools-0123456789-abcdefghijklmnopqrstuvwxyz",
    "PARAVENT_MASTER_KEY": base64.b64encode(b"only-for-tools-master-key-32byte").decode(),
    "PARAVENT_DATABASE_URL": "sqlite://:memory:",
}


def test_a_process_starts_without_what_few_processes_need() -> None:
    """What draws PDFs takes 40 MB in each process."""
    asked = (
        "import runpy, sys; runpy.run_path('manage.py', run_name='not main'); import django; django.setup(); "
        "import config.urls; print(sorted({'fpdf', 'fontTools', 'uharfbuzz', 'rfc3161_client'} & set(sys.modules)))"
    )
    environment = {**os.environ, "DJANGO_SETTINGS_MODULE": "config.settings", **TOOL}
    done = subprocess.run(
        [sys.executable, "-c", asked], cwd=ROOT, capture_output=True, text=True, check=True, env=environment
    )
    assert done.stdout == "[]\n"
