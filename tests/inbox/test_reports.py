"""Delivery reports: in any order, repeated, about replies of others, they move a reply forward only (DESIGN.md, 6)."""

from __future__ import annotations

import itertools
import random
import uuid
from decimal import Decimal
from typing import Any
from urllib.parse import urlencode

import pytest
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.inbox.webhook import deliver, headers_of, path_of, post, rows
from tests.world import Tenant, World, message_fields

from conversations.models import DeliveryReport, Message, Reply
from hotlines.models import Hotline
from outbox import release, reports, send
from providers.base import Knowledge, Outcome, SignedRequest
from providers.plivo import Plivo

PROVIDER_ID = "db342550-7f1d-11e1-8ea7-1231380bc196"


def reply_of(tenant: Tenant, knowledge: Knowledge | None = Knowledge.ACCEPTED, sender: str = "33639980123") -> Reply:
    """A reply that was called out to the provider with that knowledge; None: still claimed."""
    assert deliver(tenant, message_fields(tenant.hotline, sender=sender)) == 200
    release.release_due(timezone.now())
    reply = send.claim(timezone.now())
    assert reply is not None
    if knowledge is not None:
        accepted = knowledge is Knowledge.ACCEPTED
        send.record(reply, Outcome(knowledge, provider_id=PROVIDER_ID if accepted else ""))
    return Reply.objects.get(pk=reply.pk)


def fields_of(status: str, sequence: int | str = 1, provider_id: str = PROVIDER_ID, **changes: str) -> dict[str, str]:
    return {
        "MessageUUID": provider_id,
        "ParentMessageUUID": provider_id,
        "From": "33937000001",
        "To": "33639980XXX",
        "Status": status,
        "Units": "1",
        "TotalRate": "0.07627",
        "TotalAmount": "0.07627",
        "ErrorCode": "",
        "Sequence": str(sequence),
        **changes,
    }


def report(
    tenant: Tenant, reply: Reply | uuid.UUID, fields: dict[str, str], *, scheme: str = "v3", nonce: str | None = None
) -> int:
    path = path_of(tenant.hotline, f"report/{reply.uuid if isinstance(reply, Reply) else reply}")
    return post(path, fields, headers_of(path, fields, tenant.token, scheme=scheme, nonce=nonce))


def said(reply: Reply) -> tuple[str, str, int, str, Decimal | None]:
    reply.refresh_from_db()
    return reply.state, reply.delivery, reply.delivery_sequence, reply.error_code, reply.cost


# --- forward only -----------------------------------------------------------------------------------------------------
def test_a_reply_goes_forward_with_its_reports(world: World) -> None:
    reply = reply_of(world.north)
    for sequence, status in enumerate(["queued", "sent", "delivered"], start=1):
        assert report(world.north, reply, fields_of(status, sequence)) == 200
        assert said(reply) == ("sent", status, sequence, "", Decimal("0.07627"))
    assert DeliveryReport.objects.count() == 3


def test_a_late_report_moves_nothing_back(world: World) -> None:
    reply = reply_of(world.north)
    for status, sequence in [("delivered", 3), ("sent", 2), ("queued", 1), ("sent", 9), ("queued", 999)]:
        assert report(world.north, reply, fields_of(status, sequence)) == 200
        assert said(reply) == ("sent", "delivered", 3, "", Decimal("0.07627"))


def test_a_failure_keeps_its_code_and_the_highest_cost_is_kept(world: World) -> None:
    reply = reply_of(world.north)
    assert report(world.north, reply, fields_of("sent", 2, TotalAmount="0.15254")) == 200
    assert report(world.north, reply, fields_of("undelivered", 3, ErrorCode="300", TotalAmount="0.07627")) == 200
    assert said(reply) == ("sent", "undelivered", 3, "300", Decimal("0.15254"))


@pytest.mark.parametrize("status", ["", "teleported", "SENT ", "sent\x00x", "é", "x" * 500, "None", "0"])
def test_an_unknown_word_is_kept_as_unknown_and_changes_nothing_but_the_cost(world: World, status: str) -> None:
    reply = reply_of(world.north)
    assert report(world.north, reply, fields_of(status)) == 200
    assert said(reply) == ("sent", "", 0, "", Decimal("0.07627"))
    assert DeliveryReport.objects.get().status == ""
    assert report(world.north, reply, fields_of("delivered", 1)) == 200
    assert said(reply) == ("sent", "delivered", 1, "", Decimal("0.07627"))


@pytest.mark.parametrize("status", ["DELIVERED", "Delivered"])
def test_a_status_is_read_in_any_case(world: World, status: str) -> None:
    reply = reply_of(world.north)
    assert report(world.north, reply, fields_of(status)) == 200
    assert said(reply)[1] == "delivered"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *itertools.product(["Sequence"], ["", "-1", "x", "1.5", "٣", "9" * 40, "1000001"]),
        *itertools.product(["TotalAmount"], ["", "-1", "NaN", "sNaN", "Infinity", "1e9", "1e-999999", "9" * 400, "٣"]),
        *itertools.product(["ErrorCode"], ["", "x" * 400, "\x00", "é"]),
        *itertools.product(["Units"], ["", "-1", "1e3", "9" * 40]),
    ],
)  # fmt: skip
def test_no_value_of_a_report_makes_it_fail(world: World, name: str, value: str) -> None:
    reply = reply_of(world.north)
    assert report(world.north, reply, fields_of("delivered", 1) | {name: value}) == 200
    assert said(reply)[1] == "delivered"


def test_a_report_without_an_id_or_with_a_parameter_twice_is_acknowledged_and_changes_nothing(world: World) -> None:
    reply = reply_of(world.north)
    before = rows()["Reply"]
    assert report(world.north, reply, {"Status": "delivered"}) == 200
    path = path_of(world.north.hotline, f"report/{reply.uuid}")
    body = urlencode([*fields_of("delivered").items(), ("Status", "failed")])
    twice = {**fields_of("delivered"), "Status": ["delivered", "failed"]}
    headers = headers_of(path, twice, world.north.token)  # type: ignore[arg-type]  # the SDK takes lists
    assert post(path, body, headers) == 200
    assert rows()["Reply"] == before


# --- whose reply ------------------------------------------------------------------------------------------------------
def test_a_report_reaches_no_reply_but_its_hotlines(world: World) -> None:
    """Another organization's reply, another hotline's of the same account, and none at all: the same answer."""
    south = reply_of(world.south)
    second = Hotline.objects.create(
        organization=world.north.organization,
        account=world.north.account,
        name="Second",
        number="+33937000003",
        state=Hotline.State.ACTIVE,
    )
    before = rows()["Reply"]
    assert report(world.north, south, fields_of("delivered")) == 200
    assert report(world.north, uuid.uuid4(), fields_of("delivered")) == 200
    path = path_of(second, f"report/{south.uuid}")
    assert post(path, fields_of("failed"), headers_of(path, fields_of("failed"), world.north.token)) == 200
    assert rows()["Reply"] == before
    assert DeliveryReport.objects.count() == 0


def test_a_report_on_a_reply_that_was_never_sent_changes_nothing(world: World) -> None:
    """Its path is known to nobody before the first call: such a report is forged by whoever holds the secret."""
    deliver(world.north, message_fields(world.north.hotline))
    pending = Reply.objects.get()
    assert report(world.north, pending, fields_of("delivered")) == 200
    release.release_due(timezone.now())
    assert report(world.north, pending, fields_of("delivered")) == 200
    pending.refresh_from_db()
    assert (pending.state, pending.delivery, pending.attempts) == ("released", "", 0)


@pytest.mark.parametrize("path", ["report/", "report/x/", "report/6F9619FF-8B86-4D01-B42D-00CF4FC964FF/"])
def test_a_report_that_names_no_reply_finds_nothing(world: World, path: str) -> None:
    address = path_of(world.north.hotline).replace("message/", path)
    assert post(address, fields_of("sent"), headers_of(address, fields_of("sent"), world.north.token)) == 404


# --- what it settles --------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("status", ["queued", "sent", "delivered", "undelivered", "failed", "teleported"])
def test_a_report_settles_a_reply_of_unknown_outcome(world: World, status: str) -> None:
    """Its path names the reply, so even a word we do not know proves that the provider took it."""
    reply = reply_of(world.north, Knowledge.UNKNOWN)
    assert report(world.north, reply, fields_of(status)) == 200
    reply.refresh_from_db()
    assert (reply.state, reply.provider_id, reply.detail) == ("sent", PROVIDER_ID, "settled by report")
    assert reply.delivery == ("" if status == "teleported" else status)
    assert reply.sent_at == reply.claimed_at


@pytest.mark.parametrize("state", ["claimed", "unknown_final", "released"])
def test_a_report_settles_whatever_says_less_than_it(world: World, state: str) -> None:
    reply = reply_of(world.north, None if state == "claimed" else Knowledge.UNKNOWN)
    Reply.objects.filter(pk=reply.pk).update(state=state)
    assert report(world.north, reply, fields_of("sent")) == 200
    reply.refresh_from_db()
    assert (reply.state, reply.provider_id) == ("sent", PROVIDER_ID)


def test_a_worker_that_comes_after_the_report_changes_nothing(world: World) -> None:
    reply = reply_of(world.north, None)
    assert report(world.north, reply, fields_of("delivered", 3)) == 200
    settled = rows()["Reply"]
    for knowledge in Knowledge:
        late = Outcome(knowledge, provider_id=PROVIDER_ID if knowledge is Knowledge.ACCEPTED else "")
        send.record(reply, late)
        assert rows()["Reply"] == settled


@pytest.mark.parametrize("state", ["failed", "expired", "dropped"])
def test_a_report_does_not_wake_what_has_ended(world: World, state: str) -> None:
    reply = reply_of(world.north, Knowledge.REFUSED)
    Reply.objects.filter(pk=reply.pk).update(state=state)
    before = rows()["Reply"]
    assert report(world.north, reply, fields_of("delivered")) == 200
    assert rows()["Reply"] == before


def test_a_report_under_another_id_is_not_this_replys(world: World) -> None:
    reply = reply_of(world.north)
    before = rows()["Reply"]
    assert report(world.north, reply, fields_of("failed", 9, "another-id")) == 200
    assert rows()["Reply"] == before


def test_a_report_under_another_replys_id_changes_neither_and_its_nonce_is_spent(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    sent = reply_of(world.north)
    unknown = reply_of(world.north, Knowledge.UNKNOWN, sender="33639980124")
    before, nonce = rows()["Reply"], "9" * 20
    assert report(world.north, unknown, fields_of("delivered", 1), scheme="v2", nonce=nonce) == 200
    assert rows()["Reply"] == before
    assert f"report on reply {unknown.pk} contradicts another one" in caplog.text
    assert report(world.north, unknown, fields_of("delivered", 1, "forged"), scheme="v2", nonce=nonce) == 403
    assert rows()["Reply"] == before
    assert said(sent)[0] == "sent"


@pytest.mark.parametrize("length", [128, 129, 5000])
def test_an_id_longer_than_ours_is_still_one_id(world: World, length: int) -> None:
    reply = reply_of(world.north, Knowledge.UNKNOWN)
    for sequence, status in enumerate(["queued", "delivered"], start=1):
        assert report(world.north, reply, fields_of(status, sequence, "x" * length)) == 200
    assert said(reply)[:3] == ("sent", "delivered", 2)


# --- W2 for reports ---------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("scheme", ["v2", "v3"])
def test_a_reports_nonce_carries_no_second_report(world: World, scheme: str) -> None:
    reply, nonce = reply_of(world.north), "8" * 20
    assert report(world.north, reply, fields_of("sent", 2), scheme=scheme, nonce=nonce) == 200
    before = rows()
    for status in ("delivered", "failed", "queued"):
        assert report(world.north, reply, fields_of(status, 3), scheme=scheme, nonce=nonce) == 403
        assert rows() == before
    assert report(world.north, reply, fields_of("sent", 2), scheme=scheme, nonce=nonce) == 200
    assert rows() == before


def test_a_message_and_a_report_may_share_a_nonce(world: World) -> None:
    """Their paths differ, and so does what was signed: one proves nothing about the other."""
    reply, nonce = reply_of(world.north), "7" * 20
    assert deliver(world.north, message_fields(world.north.hotline), nonce=nonce) == 200
    assert report(world.north, reply, fields_of("sent", 2), nonce=nonce) == 200
    assert (said(reply)[1], Message.objects.count()) == ("sent", 2)


# --- any order, any number --------------------------------------------------------------------------------------------
WORDS = st.sampled_from(["queued", "sent", "delivered", "undelivered", "rejected", "failed", "teleported", ""])
REPORTS = st.lists(
    st.builds(
        lambda word, sequence, code, amount: fields_of(word, sequence, ErrorCode=code, TotalAmount=amount),
        WORDS,
        st.one_of(st.integers(0, 3), st.sampled_from(["", "x", 999_999])),
        st.sampled_from(["", "30", "300"]),
        st.sampled_from(["", "0.00000", "0.07627", "0.15254", "nonsense"]),
    ),
    min_size=1,
    max_size=6,
)
STARTS = ["sent", "claimed", "released", "unknown", "unknown_final", "failed", "dropped"]


@pytest.mark.parametrize("state", STARTS)
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(written=REPORTS, times=st.integers(1, 3), seeds=st.lists(st.integers(0, 1 << 20), min_size=2, max_size=3))
def test_any_permutation_and_multiplicity_ends_in_the_same_row(
    world: World, state: str, written: list[dict[str, str]], times: int, seeds: list[int]
) -> None:
    reply = Reply.objects.first() or reply_of(world.north, Knowledge.ACCEPTED if state == "sent" else Knowledge.UNKNOWN)
    Reply.objects.filter(pk=reply.pk).update(state=state)
    start = dict(Reply.objects.filter(pk=reply.pk).values().get())
    ends = [_apply(reply, start, written, random.Random(seed), times) for seed in seeds]
    assert ends == [ends[0]] * len(ends)
    Reply.objects.filter(pk=reply.pk).update(**start)


def _apply(
    reply: Reply, start: dict[str, Any], written: list[dict[str, str]], chance: random.Random, times: int
) -> dict[str, Any]:
    """The row after all of `written`, each `times` times or once more, in an order of chance."""
    Reply.objects.filter(pk=reply.pk).update(**start)
    DeliveryReport.objects.all().delete()
    bodies = [urlencode(fields).encode() for fields in written] * times + [urlencode(chance.choice(written)).encode()]
    deliveries = [(body, str(number).encode()) for number, body in enumerate(bodies)]
    deliveries += chance.sample(deliveries, len(deliveries) // 2)  # the very same request again
    chance.shuffle(deliveries)
    for body, nonce in deliveries:
        parsed = Plivo().parse_report(SignedRequest("POST", "", {}, body))
        assert reports.take(
            reply.organization_id,
            reply.hotline.account_id,
            reply.hotline_id,
            reply.uuid,
            parsed,
            body=body,
            nonce_hash=nonce,
        )
    row = Reply.objects.filter(pk=reply.pk).values().get()
    return {**row, "finished_at": row["finished_at"] is not None}
