from __future__ import annotations

import contextlib
import threading
import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.db import connection, transaction

from privacy import checks, datakeys, keys, vault
from privacy.datakeys import Purpose
from privacy.models import DataKey

PLACE = vault.Place("conversations_message", uuid.UUID(int=1), "text_sealed", 1)


class Undone(Exception):
    pass


@contextlib.contextmanager
def undone() -> Iterator[None]:
    """A transaction, or a savepoint within one, that comes to nothing."""
    with contextlib.suppress(Undone), transaction.atomic():
        yield
        raise Undone


def test_one_key_for_each_organization_purpose_and_period(db: None) -> None:
    wanted = [
        (organization, purpose, period)
        for organization in (1, 2)
        for purpose in (Purpose.TEXT, Purpose.NUMBER)
        for period in ("2026-11", "2026-12")
    ]
    secrets = [datakeys.for_writing(*identity)[1] for identity in wanted * 2]
    assert len(set(secrets)) == len(wanted)
    assert secrets[: len(wanted)] == secrets[len(wanted) :]
    assert DataKey.objects.count() == len(wanted)


@pytest.mark.django_db(transaction=True)
def test_a_key_of_a_transaction_that_failed_seals_nothing_afterwards() -> None:
    with undone():
        vault.seal("in a form that was refused", PLACE, Purpose.TEXT, "2026-11")
    sealed = vault.seal("Salut", PLACE, Purpose.TEXT, "2026-11")
    datakeys.forget()  # another process, or this one tomorrow
    assert vault.unseal(sealed, PLACE) == "Salut"


def test_nor_does_a_key_of_a_savepoint(db: None) -> None:
    with undone():
        vault.seal("undone", PLACE, Purpose.TEXT, "2026-11")
    sealed = vault.seal("Salut", PLACE, Purpose.TEXT, "2026-11")
    datakeys.forget()
    assert vault.unseal(sealed, PLACE) == "Salut"


def test_a_key_read_in_a_transaction_that_failed_is_not_remembered_either(db: None) -> None:
    with undone():
        sealed = vault.seal("undone", PLACE, Purpose.TEXT, "2026-11")
        datakeys.forget()
        assert vault.unseal(sealed, PLACE) == "undone"
    with pytest.raises(vault.Unreadable):
        vault.unseal(sealed, PLACE)


@pytest.mark.django_db(transaction=True)
def test_a_known_key_costs_no_query(django_assert_num_queries: Any) -> None:
    sealed = vault.seal("Salut", PLACE, Purpose.TEXT, "2026-11")
    with django_assert_num_queries(0):
        vault.seal("Salut", PLACE, Purpose.TEXT, "2026-11")
        vault.unseal(sealed, PLACE)


def test_a_key_of_the_open_transaction_costs_one_look(db: None, django_assert_num_queries: Any) -> None:
    sealed = vault.seal("Salut", PLACE, Purpose.TEXT, "2026-11")
    with django_assert_num_queries(0):
        vault.seal("Salut", PLACE, Purpose.TEXT, "2026-11")
        vault.unseal(sealed, PLACE)


@pytest.mark.postgresql
@pytest.mark.django_db(transaction=True)
def test_processes_that_need_a_new_key_at_once_agree_on_one() -> None:
    barrier, secrets = threading.Barrier(8), []

    def need() -> None:
        barrier.wait()
        try:
            secrets.append(datakeys.for_writing(1, Purpose.TEXT, "2026-11")[1])
        finally:
            connection.close()

    threads = [threading.Thread(target=need) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(secrets) == 8
    assert len(set(secrets)) == 1
    assert DataKey.objects.count() == 1


def test_a_period_without_a_key_has_none(db: None) -> None:
    assert datakeys.find(1, Purpose.PSEUDONYM, "2026-H1") is None
    made = datakeys.for_writing(1, Purpose.PSEUDONYM, "2026-H1")
    assert datakeys.find(1, Purpose.PSEUDONYM, "2026-H1") == made


def test_the_absence_of_a_key_is_not_remembered(db: None) -> None:
    """Another process may make it at any moment."""
    identity = {"organization_id": 1, "purpose": Purpose.PSEUDONYM, "period": "2027-H1"}
    assert datakeys.find(1, Purpose.PSEUDONYM, "2027-H1") is None
    row = DataKey(**identity, master_key_id=keys.current().id)
    row.wrapped = keys.current().wrap(bytes(32), row.context)
    row.save()
    found = datakeys.find(1, Purpose.PSEUDONYM, "2027-H1")
    assert found is not None
    assert found[1] == bytes(32)


# --- two master keys ------------------------------------------------------------------------------------------------
def test_rotation_reads_the_old_and_writes_with_the_new(db: None, settings: Any) -> None:
    old, new = settings.MASTER_KEYS, keys.generate()
    before = vault.seal("before", PLACE, Purpose.TEXT, "2026-10")
    settings.MASTER_KEYS = f"{new}\n{old}\n"
    datakeys.forget()
    assert vault.unseal(before, PLACE) == "before"
    after = vault.seal("after", PLACE, Purpose.TEXT, "2026-11")
    assert [row.master_key_id for row in DataKey.objects.order_by("period")] == [
        keys._parse(old)[0].id,
        keys._parse(new)[0].id,
    ]
    settings.MASTER_KEYS = new
    datakeys.forget()
    assert vault.unseal(after, PLACE) == "after"
    with pytest.raises(ImproperlyConfigured, match="which PARAVENT_MASTER_KEY does not hold"):
        vault.unseal(before, PLACE)


def test_a_start_with_another_key_than_the_datas_is_refused(db: None, settings: Any) -> None:
    vault.seal("Salut", PLACE, Purpose.TEXT, "2026-11")
    assert checks.master_keys_fit(databases=["default"]) == []
    used = keys.current().id
    settings.MASTER_KEYS = keys.generate()
    [problem] = checks.master_keys_fit(databases=["default"])
    assert (problem.id, used in problem.msg) == ("privacy.E002", True)
    assert checks.master_keys_fit(databases=None) == []
