from __future__ import annotations

import dataclasses
import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.django import TestCase

from privacy import datakeys, keys, vault
from privacy.datakeys import Purpose
from privacy.models import DataKey

PLACE = vault.Place("conversations_message", uuid.UUID(int=1), "text_sealed", 1)
OTHER_PLACES = {
    "row": dataclasses.replace(PLACE, row=uuid.UUID(int=2)),
    "column": dataclasses.replace(PLACE, column="sender_sealed"),
    "table": dataclasses.replace(PLACE, table="conversations_reply"),
    "organization": dataclasses.replace(PLACE, organization_id=2),
}

texts = st.text(max_size=200)


class Sealing(TestCase):
    """Generated values, each example in a transaction of its own."""

    @given(value=texts)
    def test_what_is_sealed_is_read_where_it_lies(self, value: str) -> None:
        sealed = vault.seal(value, PLACE, Purpose.TEXT, "2026-11")
        assert vault.unseal(sealed, PLACE) == value
        assert vault.unseal(memoryview(sealed), PLACE) == value

    @given(value=texts, moved=st.sampled_from(sorted(OTHER_PLACES)))
    def test_moved_elsewhere_it_does_not_open(self, value: str, moved: str) -> None:
        vault.seal("the other organization has a key of its own", OTHER_PLACES["organization"], Purpose.TEXT, "2026-11")
        sealed = vault.seal(value, PLACE, Purpose.TEXT, "2026-11")
        with pytest.raises(vault.Unreadable):
            vault.unseal(sealed, OTHER_PLACES[moved])

    @given(value=texts, position=st.integers(0), bit=st.integers(0, 7))
    def test_no_bit_can_be_changed(self, value: str, position: int, bit: int) -> None:
        for period in ("2026-10", "2026-11", "2026-12"):  # so that an altered key id may be that of another key
            vault.seal("", PLACE, Purpose.TEXT, period)
        sealed = bytearray(vault.seal(value, PLACE, Purpose.TEXT, "2026-11"))
        sealed[position % len(sealed)] ^= 1 << bit
        with pytest.raises(vault.Unreadable):
            vault.unseal(bytes(sealed), PLACE)

    @given(value=texts, length=st.integers(0))
    def test_nor_anything_cut_off(self, value: str, length: int) -> None:
        sealed = vault.seal(value, PLACE, Purpose.TEXT, "2026-11")
        with pytest.raises(vault.Unreadable):
            vault.unseal(sealed[: length % len(sealed)], PLACE)

    @given(value=texts)
    def test_the_same_value_never_looks_the_same(self, value: str) -> None:
        assert vault.seal(value, PLACE, Purpose.TEXT, "2026-11") != vault.seal(value, PLACE, Purpose.TEXT, "2026-11")

    @given(value=st.text(st.characters(categories=["Cs", "L"]), max_size=20))
    def test_lone_surrogates_are_replaced_and_nothing_else(self, value: str) -> None:
        read = vault.unseal(vault.seal(value, PLACE, Purpose.TEXT, "2026-11"), PLACE)
        kept = [char for char in value if not "\ud800" <= char <= "\udfff"]
        assert [char for char in read if char != "\ufffd"] == kept
        assert ("\ufffd" in read) == (len(kept) != len(value))


def test_every_byte_of_a_sealed_value_counts(db: None) -> None:
    sealed = vault.seal("Salut", PLACE, Purpose.TEXT, "2026-11")
    for position in range(len(sealed)):
        altered = bytearray(sealed)
        altered[position] ^= 0x80
        with pytest.raises(vault.Unreadable):
            vault.unseal(bytes(altered), PLACE)


@pytest.mark.parametrize("junk", [b"", b"\x01", b"\x01" + bytes(8), b"\x01" + bytes(8) + bytes(12), b"\xff" * 60])
def test_what_was_never_sealed_is_unreadable(db: None, junk: bytes) -> None:
    with pytest.raises(vault.Unreadable):
        vault.unseal(junk, PLACE)


def test_the_key_of_another_purpose_or_period_does_not_open_it(db: None) -> None:
    sealed = vault.seal("Salut", PLACE, Purpose.TEXT, "2026-11")
    for purpose, period in ((Purpose.NUMBER, "2026-11"), (Purpose.TEXT, "2026-12")):
        other, _ = datakeys.for_writing(PLACE.organization_id, purpose, period)
        renamed = sealed[:1] + other.pk.to_bytes(8, "big") + sealed[9:]
        with pytest.raises(vault.Unreadable):
            vault.unseal(renamed, PLACE)


def test_a_destroyed_key_takes_the_value_with_it(db: None) -> None:
    sealed = vault.seal("Salut", PLACE, Purpose.TEXT, "2026-11")
    DataKey.objects.get().delete()
    datakeys.forget()
    with pytest.raises(vault.Unreadable):
        vault.unseal(sealed, PLACE)


@pytest.mark.parametrize("change", [{"organization_id": 2}, {"purpose": "number"}, {"period": "2026-12"}])
def test_a_data_key_copied_to_another_row_does_not_unwrap(db: None, change: dict[str, object]) -> None:
    sealed = vault.seal("Salut", PLACE, Purpose.TEXT, "2026-11")
    DataKey.objects.update(**change)
    datakeys.forget()
    with pytest.raises(vault.Unreadable):
        vault.unseal(sealed, dataclasses.replace(PLACE, organization_id=int(str(change.get("organization_id", 1)))))


def test_a_data_key_cannot_be_read_without_the_master_key(db: None) -> None:
    _, secret = datakeys.for_writing(1, Purpose.TEXT, "2026-11")
    row = DataKey.objects.get()
    assert secret not in bytes(row.wrapped)
    assert keys.current().unwrap(bytes(row.wrapped), row.context) == secret
