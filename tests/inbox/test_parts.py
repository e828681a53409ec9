"""A long message that comes part by part is one message: in any order, again and again, late, or with parts missing."""

from __future__ import annotations

import datetime
import threading
import uuid
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.db import connections, transaction
from django.db.models import QuerySet
from django.test import Client
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.providers.cases import SECRET
from tests.providers.contract import vonage_sms as contract
from tests.providers.contract.base import Text
from tests.world import SENDER, Tenant, World

from conversations.models import Conversation, Message, Reply
from conversations.words import Disposition
from inbox import fold, hooks, parts, receive
from inbox.arrival import Arrival
from inbox.models import MessagePart
from providers.base import InboundMessage, Part, Verification

pytestmark = pytest.mark.django_db

NUMBER = "33937000001"


@pytest.fixture
def tenant(world: World) -> Tenant:
    account = world.north.account
    account.provider = "vonage_sms"
    account.credentials = dict(contract.credentials(SECRET))
    account.save()
    return world.north


class Sender:
    """A phone that cuts `texts` into parts, each with an id of its own."""

    def __init__(self, tenant: Tenant, texts: Sequence[str], *, reference: str = "42", sender: str = SENDER) -> None:
        self.url = f"https://hotline.example.org/hooks/vonage_sms/{tenant.hotline.hook_token}/message/"
        self.reference = reference
        self.parts = [Text(str(uuid.uuid4()), sender, NUMBER, text, len(texts)) for text in texts]

    def request(self, number: int) -> Any:
        return contract.part(self.url, SECRET, self.parts[number - 1], number, self.reference)

    def deliver(self, number: int) -> int:
        return deliver(self.request(number))


def deliver(request: Any) -> int:
    path = urlsplit(request.url).path
    return Client().post(path, request.body, content_type="application/json").status_code


def rows_are(*, waiting: int, emptied: int) -> None:
    assert MessagePart.objects.filter(content_sealed__isnull=False).count() == waiting
    assert MessagePart.objects.filter(content_sealed__isnull=True).count() == emptied


def age(by: datetime.timedelta) -> None:
    """As if the parts had been stored so much earlier."""
    for part in MessagePart.objects.all():
        MessagePart.objects.filter(pk=part.pk).update(stored_at=part.stored_at - by)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    order=st.permutations([1, 2, 3]).flatmap(
        lambda once: st.lists(st.sampled_from(once), max_size=4).map(lambda again: [*once, *again])
    )
)
def test_in_any_order_and_however_often_it_is_one_message(tenant: Tenant, order: list[int]) -> None:
    with transaction.atomic():
        phone = Sender(tenant, ["Tu es ", "là ? Réponds", " &=moi"])
        assert [deliver(phone.request(number)) for number in order] == [200] * len(order)
        message = Message.objects.get()
        assert (message.text, message.units, message.provider_id) == ("Tu es là ? Réponds &=moi", 3, phone.parts[0].id)
        assert Conversation.objects.get().messages_received == 1
        assert Reply.objects.count() == 1
        rows_are(waiting=0, emptied=3)
        transaction.set_rollback(True)


def test_nothing_is_answered_before_all_is_there_and_nothing_is_readable_in_the_database(tenant: Tenant) -> None:
    phone = Sender(tenant, ["Tu es ", "là ?"])
    assert phone.deliver(2) == 200
    assert Message.objects.count() + Reply.objects.count() == 0
    part = MessagePart.objects.get()
    assert b"33639980" not in bytes(part.content_sealed or b"") + bytes(part.group)
    assert parts.join_late_parts() == 0
    rows_are(waiting=1, emptied=0)


def test_what_is_missing_is_not_waited_for_for_ever_and_comes_as_a_message_of_its_own(tenant: Tenant) -> None:
    phone = Sender(tenant, ["un ", "deux ", "trois ", "quatre"])
    for number in (4, 2):
        phone.deliver(number)
    age(parts.PATIENCE)
    assert parts.join_late_parts() == 1
    message = Message.objects.get()
    assert (message.text, message.units, message.provider_id) == ("[…]deux […]quatre", 2, phone.parts[1].id)
    assert parts.join_late_parts() == 0
    assert phone.deliver(2) == 200  # known
    assert phone.deliver(3) == 200  # late
    age(parts.PATIENCE)
    parts.join_late_parts()
    assert [one.text for one in Message.objects.order_by("pk")] == ["[…]deux […]quatre", "[…]trois […]"]
    rows_are(waiting=0, emptied=3)
    age(parts.REMEMBERED)
    parts.join_late_parts()
    assert MessagePart.objects.count() == 0


def test_a_reference_that_is_used_again_begins_another_message(tenant: Tenant) -> None:
    first, second = Sender(tenant, ["un ", "deux"]), Sender(tenant, ["eins ", "zwei"])
    for phone, number in ((first, 1), (second, 1), (second, 2)):
        assert phone.deliver(number) == 200
    assert [one.text for one in Message.objects.order_by("pk")] == ["un […]", "eins zwei"]


def test_parts_of_two_senders_and_two_messages_never_meet(tenant: Tenant) -> None:
    phones = [
        Sender(tenant, ["a1 ", "a2"]),
        Sender(tenant, ["b1 ", "b2"], sender="33639980199"),
        Sender(tenant, ["c1 ", "c2"], reference="43"),
    ]
    for number in (1, 2):
        for phone in phones:
            phone.deliver(number)
    assert {one.text for one in Message.objects.all()} == {"a1 a2", "b1 b2", "c1 c2"}


def test_stop_in_two_parts_is_heard(tenant: Tenant) -> None:
    phone = Sender(tenant, ["ST", "OP"])
    for number in (1, 2):
        phone.deliver(number)
    assert Message.objects.get().disposition == Disposition.STOP


def test_a_nonce_that_comes_with_another_part_is_refused(tenant: Tenant) -> None:
    phone = Sender(tenant, ["un ", "deux"])
    nonce = {"nonce": "once-and-never-again"}
    bodies = [
        contract.signed(
            phone.url,
            SECRET,
            contract.fields_of(part)
            | nonce
            | {"concat": "true", "concat-ref": "1", "concat-total": "2", "concat-part": str(number)},
        )
        for number, part in enumerate(phone.parts, 1)
    ]
    assert [deliver(body) for body in bodies] == [200, 403]
    rows_are(waiting=1, emptied=0)


@pytest.mark.parametrize("step", ["named", "received"])
def test_a_process_that_dies_between_two_steps_leaves_work_that_is_finished_once(
    tenant: Tenant, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    class Killed(BaseException):
        pass

    def die(*_arguments: object, **_named: object) -> None:
        raise Killed

    phone = Sender(tenant, ["un ", "deux"])
    phone.deliver(1)
    if step == "named":
        monkeypatch.setattr(receive, "receive", die)
    else:
        monkeypatch.setattr(QuerySet, "update", _dying_when_it_empties(die))
    with pytest.raises(Killed):
        phone.deliver(2)
    monkeypatch.undo()
    assert Message.objects.count() == (0 if step == "named" else 1)
    rows_are(waiting=2, emptied=0)
    age(parts.PATIENCE)
    assert parts.join_late_parts() == 1
    assert Message.objects.get().text == "un deux"
    assert Reply.objects.count() == 1
    rows_are(waiting=0, emptied=2)


def _dying_when_it_empties(die: Any) -> Any:
    update = QuerySet.update

    def patched(self: Any, **values: Any) -> int:
        if "content_sealed" in values:
            die()
        return update(self, **values)

    return patched


def test_parts_whose_key_is_gone_are_dropped_and_hold_up_nothing(tenant: Tenant) -> None:
    Sender(tenant, ["un ", "deux"]).deliver(1)
    MessagePart.objects.update(content_sealed=b"\x01" + bytes(60))
    Sender(tenant, ["drei ", "vier"], reference="9").deliver(1)
    age(parts.PATIENCE)
    assert parts.join_late_parts() == 2
    assert Message.objects.get().text == "drei […]"
    rows_are(waiting=0, emptied=2)


@pytest.mark.postgresql  # SQLite has one writer
@pytest.mark.django_db(transaction=True)
def test_the_last_two_parts_at_the_same_moment_are_one_message(tenant: Tenant) -> None:
    for round_number in range(5):
        phone = Sender(tenant, ["un ", "deux ", "trois"], reference=str(round_number))
        phone.deliver(1)
        barrier = threading.Barrier(2)
        answers: list[int] = []

        def last(
            number: int, phone: Sender = phone, barrier: threading.Barrier = barrier, answers: list[int] = answers
        ) -> None:
            barrier.wait()
            answers.append(phone.deliver(number))
            connections.close_all()

        threads = [threading.Thread(target=last, args=(number,)) for number in (2, 3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert answers == [200, 200]
    assert [one.text for one in Message.objects.all()] == ["un deux trois"] * 5
    rows_are(waiting=0, emptied=15)


def test_a_sender_written_as_at_home_stays_who_he_is(tenant: Tenant) -> None:
    hook = hooks.of_hotline(tenant.hotline.pk)
    assert hook is not None
    for number, text in ((1, "un "), (2, "deux")):
        part = Part("42", number, 2)
        found = InboundMessage(str(number), "06 39 98 01 23", None, text, timezone.now(), national=True, part=part)
        assert parts.take(hook, found, part, Verification("none")) is receive.Receipt.STORED
    assert Message.objects.get().text == "un deux"
    assert Conversation.objects.get().sender == "number:+33639980123"


@pytest.mark.postgresql  # SQLite counts one by one
def test_parts_that_waited_on_disk_are_not_counted_as_messages_of_a_blocked_sender(tenant: Tenant) -> None:
    Sender(tenant, ["Salut"]).deliver(1)
    until = timezone.now() + datetime.timedelta(hours=1)
    Conversation.objects.update(blocked_until=until, block_cause="limit")
    phone = Sender(tenant, ["un ", "deux"])
    hook = hooks.of_hotline(tenant.hotline.pk)
    assert hook is not None
    now, proof = timezone.now(), Verification("sha256")
    waiting = [
        Arrival("message", "vonage_sms", tenant.hotline.pk, request, proof, now)
        for request in (phone.request(1), phone.request(2), Sender(tenant, ["seul"]).request(1))
    ]
    assert fold.fold(waiting, lambda _pk: hook) == waiting[:2]
    assert Message.objects.count() == 2


@pytest.mark.parametrize(
    ("texts", "total", "whole"),
    [({1: "a", 2: "b"}, 2, "ab"), ({2: "b"}, 3, "[…]b[…]"), ({}, 2, "[…]"), ({1: "", 3: "c"}, 4, "[…]c[…]")],
)
def test_what_is_missing_is_shown_once_for_each_gap(texts: dict[int, str], total: int, whole: str) -> None:
    assert parts.joined(texts, total) == whole
