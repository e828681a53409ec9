"""An endpoint that has seen V3 never takes V2 again, whatever any process remembers (SECURITY.md W5)."""

from __future__ import annotations

import uuid

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from tests.inbox.webhook import count, deliver, headers_of, path_of, post
from tests.world import Tenant, World, message_fields

from conversations.models import Message
from hotlines.models import EndpointPin, Hotline
from inbox import hooks


def text(tenant: Tenant, scheme: str) -> int:
    return deliver(tenant, message_fields(tenant.hotline), scheme=scheme)


def report(tenant: Tenant, scheme: str) -> int:
    path = path_of(tenant.hotline, f"report/{uuid.uuid4()}")
    fields = {"MessageUUID": str(uuid.uuid4()), "Status": "sent"}
    return post(path, fields, headers_of(path, fields, tenant.token, scheme=scheme))


def pins() -> list[tuple[int, str, str]]:
    return list(EndpointPin.objects.order_by("pk").values_list("hotline", "endpoint", "scheme"))


def test_v2_is_taken_until_v3_was_seen_and_never_after(world: World) -> None:
    assert [text(world.north, scheme) for scheme in ("v2", "v2", "v3", "v2", "v3", "both", "v2")] == [
        200,
        200,
        200,
        403,
        200,
        200,
        403,
    ]
    assert pins() == [(world.north.hotline.pk, "message", "v3")]
    assert Message.objects.count() == 5


def test_a_pin_holds_one_endpoint_of_one_hotline(world: World) -> None:
    second = Hotline.objects.create(
        organization=world.north.organization, account=world.north.account, name="Second", number="+33937000003"
    )
    assert text(world.north, "v3") == 200
    assert report(world.north, "v2") == 200
    assert text(world.south, "v2") == 200
    path, fields = path_of(second), message_fields(second)
    assert post(path, fields, headers_of(path, fields, world.north.token, scheme="v2")) == 200
    assert text(world.north, "v2") == 403
    assert [report(world.north, scheme) for scheme in ("v3", "v2")] == [200, 403]
    assert pins() == [(world.north.hotline.pk, "message", "v3"), (world.north.hotline.pk, "report", "v3")]


def test_a_forged_v3_pins_nothing(world: World) -> None:
    """Or anybody could lock a provider out that signs V2 only."""
    path, fields = path_of(world.north.hotline), message_fields(world.north.hotline)
    assert post(path, fields, headers_of(path, fields, "forged")) == 403
    v2 = headers_of(path, fields, world.north.token, scheme="v2")
    assert post(path, fields, {**v2, **headers_of(path, fields, "forged")}) == 403
    assert count() == {}
    assert post(path, fields, v2) == 200


def test_a_v3_that_says_nothing_usable_pins_as_well(world: World) -> None:
    path, nothing = path_of(world.north.hotline), {"x": "y"}
    assert post(path, nothing, headers_of(path, nothing, world.north.token)) == 200
    assert text(world.north, "v2") == 403


def test_another_processes_pin_holds_against_what_this_one_remembers(world: World) -> None:
    assert text(world.north, "v2") == 200
    remembered = hooks.find(world.north.hotline.hook_token)
    pin = EndpointPin(hotline=world.north.hotline, endpoint="message", scheme="v3", since=timezone.now())
    EndpointPin.objects.bulk_create([pin])  # sends no signal, as another process's save sends none here
    assert hooks.find(world.north.hotline.hook_token) is remembered
    assert remembered is not None
    assert remembered.pins == {}
    assert text(world.north, "v2") == 403
    assert text(world.north, "v3") == 200
    assert Message.objects.count() == 2


def test_a_pin_that_a_person_reset_elsewhere_is_gone_here_too(world: World) -> None:
    assert text(world.north, "v3") == 200
    assert text(world.north, "v2") == 403
    EndpointPin.objects.all()._raw_delete("default")  # again without a signal
    assert text(world.north, "v2") == 200
    assert pins() == []


def test_a_pin_reset_here_is_forgotten_at_once(world: World) -> None:
    assert text(world.north, "v3") == 200
    EndpointPin.objects.get().delete()
    assert text(world.north, "v2") == 200


def test_two_processes_that_pin_at_once_leave_one_pin(world: World) -> None:
    for _ in range(2):
        hooks.pin(world.north.hotline.pk, "message", "v3")
    assert pins() == [(world.north.hotline.pk, "message", "v3")]


@pytest.mark.parametrize(("scheme", "looks"), [("v3", 0), ("v2", 1)])
def test_only_the_weaker_scheme_asks_the_database_for_its_pin(world: World, scheme: str, looks: int) -> None:
    assert text(world.north, scheme) == 200
    hooks.find(world.north.hotline.hook_token)
    with CaptureQueriesContext(connection) as queries:
        assert text(world.north, scheme) == 200
    assert sum('FROM "hotlines_endpointpin"' in query["sql"] for query in queries) == looks
