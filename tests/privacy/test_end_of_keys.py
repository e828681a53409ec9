"""Keys whose time is over go when nothing is left that they open, and never before."""

from __future__ import annotations

import datetime

from tests.world import World
from tests.writing import write

from conversations.models import Conversation, Message
from privacy import datakeys, pseudonyms, rotation, vault
from privacy.datakeys import Purpose
from privacy.models import DataKey

LATER = datetime.datetime(2027, 6, 30, 12, tzinfo=datetime.UTC)


def periods(purpose: str) -> set[str]:
    return {*DataKey.objects.filter(purpose=purpose).values_list("period", flat=True)}


def test_a_months_keys_go_with_the_last_thing_they_open(world: World) -> None:
    message = write(world.north)
    place = message.place
    for period in ("2026-08", "2026-09", "2026-10"):
        Message.objects.update(text_sealed=vault.seal("text", place, Purpose.TEXT, period))
    vault.seal("number", place, Purpose.NUMBER, "2026-08")
    now = datetime.datetime(2026, 12, 10, 12, tzinfo=datetime.UTC)
    rotation.end_periods(now)
    assert not periods(Purpose.TEXT) & {"2026-08", "2026-09"}
    assert "2026-10" in periods(Purpose.TEXT)
    assert "2026-08" not in periods(Purpose.NUMBER)
    datakeys.forget()
    message.refresh_from_db()
    assert message.text == "text"
    Message.objects.update(text_sealed=None)
    rotation.end_periods(LATER)
    assert not periods(Purpose.TEXT)
    assert {datakeys.FOREVER} <= periods(Purpose.CREDENTIALS)


def test_who_was_silent_for_two_half_years_cannot_be_told_from_a_stranger(world: World) -> None:
    organization, sender = world.north.organization.pk, "number:+33612345678"
    november = datetime.datetime(2026, 11, 29, 12, tzinfo=datetime.UTC)
    old = pseudonyms.current(organization, sender, november).key
    rotation.end_periods(LATER)
    assert "2026-H2" in periods(Purpose.PSEUDONYM)
    datakeys.forget()
    pseudonyms.current(organization, sender, LATER)
    assert old in pseudonyms.keys_of(organization, sender, LATER)
    rotation.end_periods(datetime.datetime(2027, 7, 1, 12, tzinfo=datetime.UTC))
    datakeys.forget()
    assert old not in pseudonyms.keys_of(organization, sender, LATER)
    assert periods(Purpose.PSEUDONYM) <= {"2027-H1", datakeys.FOREVER}


def test_what_still_waits_for_its_months_key_keeps_it(world: World) -> None:
    """A number that was sealed long ago and is still in use."""
    write(world.north)
    conversation = Conversation.objects.get()
    sealed = vault.seal("number:+33612345678", conversation.place, Purpose.NUMBER, "2026-01")
    Conversation.objects.update(sender_sealed=sealed)
    rotation.end_periods(LATER)
    assert "2026-01" in periods(Purpose.NUMBER)
