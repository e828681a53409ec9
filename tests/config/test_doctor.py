"""`manage.py doctor` finds each thing that is wrong, and says what to do."""

from __future__ import annotations

import datetime
from collections.abc import Callable
from io import StringIO
from typing import Any

import httpx
import pytest
from django.core.checks import Error
from django.core.management import CommandError, call_command
from django.db import OperationalError
from django.utils import timezone, translation
from tests.world import World

from config import doctor, health
from conversations import sql
from hotlines.models import Account, EndpointPin, Hotline
from providers import examining
from providers.base import right, unknown, wrong

pytestmark = pytest.mark.once


@pytest.fixture
def well(world: World, settings: Any, monkeypatch: pytest.MonkeyPatch) -> World:
    """Everything as it should be, and providers and the public address that say so."""
    settings.SPOOL_DIR.mkdir()
    monkeypatch.setattr(doctor, "run_checks", lambda **_options: [])
    monkeypatch.setattr(httpx, "get", lambda *_args, **_more: httpx.Response(302, headers={"Location": "/"}))
    monkeypatch.setattr(examining, "examine", lambda _account: examining.Examined([right("It is known.")], []))
    for tenant in world.tenants:
        EndpointPin.objects.create(hotline=tenant.hotline, endpoint="message", scheme="v3")
    return world


def run(*options: str) -> str:
    out = StringIO()
    with translation.override("en"):
        call_command("doctor", *options, stdout=out)
    return out.getvalue()


def failing(*options: str) -> str:
    """The report's lines that say FAIL."""
    out = StringIO()
    with translation.override("en"), pytest.raises(CommandError):
        call_command("doctor", *options, stdout=out)
    return "\n".join(line for line in out.getvalue().splitlines() if line.startswith("FAIL"))


def test_where_all_is_well_every_line_says_so(well: World) -> None:
    said = run()
    assert {line[:4] for line in said.splitlines()} == {"ok  "}
    for about in ("settings", "database", "address", "clock", "keys", "+33937000001", "North Plivo"):
        assert f"  {about}" in said


def test_what_nobody_can_tell_is_no_failure(well: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(examining, "examine", lambda _account: examining.Examined([unknown("Text it.")], []))
    assert "?     North Plivo   Text it." in run()


def no_route(*_args: Any, **_more: Any) -> Any:
    raise httpx.ConnectError("no route")


FAULTS: list[tuple[str, Callable[[World, pytest.MonkeyPatch], object], str]] = [
    (
        "settings",
        lambda _world, patch: patch.setattr(
            doctor, "run_checks", lambda **_o: [Error("It is weak.", id="config.E002")]
        ),
        "config.E002: It is weak.",
    ),
    ("address gone", lambda _world, patch: patch.setattr(httpx, "get", no_route), "cannot be reached from here"),
    (
        "another's address",
        lambda _world, patch: patch.setattr(httpx, "get", lambda *_a, **_m: httpx.Response(200)),
        "is answered by something else (200)",
    ),
    (
        "clock",
        lambda _world, patch: patch.setattr(sql, "clock_ahead", lambda: datetime.timedelta(seconds=-9)),
        "9.0 s between this host and the database: let a time service set both",
    ),
    (
        "keys",
        lambda world, _patch: Account.objects.filter(pk=world.north.account.pk).update(credentials_sealed=b"\x01" * 60),
        "the key of North Plivo is gone",
    ),
    (
        "budget",
        lambda world, _patch: Hotline.objects.filter(pk=world.north.hotline.pk).update(day_budget=None),
        "This number has no budget yet.",
    ),
    ("no request yet", lambda _world, _patch: EndpointPin.objects.all().delete(), "No signed request has arrived yet"),
    (
        "provider",
        lambda _world, patch: patch.setattr(
            examining, "examine", lambda _account: examining.Examined([wrong("Enter them again.")], [])
        ),
        "North Plivo   Enter them again.",
    ),
    (
        "paused",
        lambda world, _patch: Account.objects.filter(pk=world.north.account.pk).update(
            sending_paused_at=timezone.now(), sending_paused_reason="402"
        ),
        "sending is paused (402).",
    ),
]


@pytest.mark.parametrize(("fault", "words"), [row[1:] for row in FAULTS], ids=[row[0] for row in FAULTS])
def test_each_fault_has_a_line_that_says_what_to_do(
    well: World, monkeypatch: pytest.MonkeyPatch, fault: Callable[[World, pytest.MonkeyPatch], object], words: str
) -> None:
    fault(well, monkeypatch)
    assert words in failing()


def test_offline_no_provider_is_asked(well: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(examining, "examine", no_route)
    assert "North Plivo" not in run("--offline")


def test_without_a_database_it_says_so_and_ends(well: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def gone() -> health.Finding:
        raise OperationalError("gone")

    monkeypatch.setitem(health.OF_DATABASE, "database", gone)
    said = failing()
    assert "FAIL  database" in said
    assert "keys" not in said
