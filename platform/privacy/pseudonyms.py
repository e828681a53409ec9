"""Senders as keyed pseudonyms: HMAC-SHA256 under a key of the organization and half-year (SECURITY.md 4.2).

Two organizations never get the same pseudonym for a person, and a copied database cannot be searched for a number.
"""

from __future__ import annotations

import datetime
import hashlib
import hmac
from dataclasses import dataclass

from django.utils import timezone

from . import datakeys

KEY_BYTES = 16
#: How far the clocks of our hosts may differ without a sender getting two rows when a half-year ends.
_CLOCKS_APART = datetime.timedelta(minutes=15)
#: One person should recognise a sender at a glance and not be able to tell who it is.
_ANIMALS = (
    "Loutre Mésange Hérisson Renard Chouette Belette Castor Cigogne Dauphin Écureuil Faucon Grillon Hibou Ibis Jument "
    "Koala Lézard Marmotte Narval Ocelot Panda Quetzal Rouge-gorge Salamandre Tortue Urubu Vison Wapiti Yack Zèbre "
    "Abeille Bouvreuil"
).split()


@dataclass(frozen=True)
class Pseudonym:
    key: bytes
    epoch: str


def _mac(secret: bytes, value: str) -> bytes:
    return hmac.digest(secret, b"v1|" + value.encode("utf-8", "surrogatepass"), "sha256")[:KEY_BYTES]


def _epoch(organization_id: int, now: datetime.datetime) -> str:
    """The half-year of `now`, or a later one that has begun for this organization.

    It has begun where a clock is ahead of ours, or `now` is the moment of a message that was kept for later. Going
    back would give a sender who has followed into the new half-year a second row, with all its slots.
    """
    epoch = datakeys.latest(organization_id, datakeys.Purpose.PSEUDONYM, datakeys.half_year(now))
    later = {datakeys.half_year(now + _CLOCKS_APART), datakeys.half_year(timezone.now())}
    begun = [
        candidate
        for candidate in later
        if candidate > epoch and datakeys.find(organization_id, datakeys.Purpose.PSEUDONYM, candidate)
    ]
    return max([epoch, *begun])


def current(organization_id: int, sender: str, now: datetime.datetime) -> Pseudonym:
    """The pseudonym under which `sender` (canonical, see `conversations.senders`) is stored from now on."""
    epoch = _epoch(organization_id, now)
    _, secret = datakeys.for_writing(organization_id, datakeys.Purpose.PSEUDONYM, epoch)
    return Pseudonym(_mac(secret, sender), epoch)


def previous_key(organization_id: int, sender: str, epoch: str) -> bytes | None:
    """The sender's key in the epoch before `epoch`, or None when the organization had no key then."""
    before = datakeys.before(organization_id, datakeys.Purpose.PSEUDONYM, epoch)
    found = datakeys.find(organization_id, datakeys.Purpose.PSEUDONYM, before) if before else None
    return _mac(found[1], sender) if found else None


def keys_of(organization_id: int, sender: str, now: datetime.datetime) -> set[bytes]:
    """All keys under which rows of `sender` may stand: that of now, and that of the half-year before."""
    known = current(organization_id, sender, now)
    previous = previous_key(organization_id, sender, known.epoch)
    return {known.key} if previous is None else {known.key, previous}


def fingerprint(organization_id: int, value: bytes) -> bytes:
    """Sixteen bytes that tell equal values apart from others, and tell nothing to one who lacks the master key.

    A plain hash of a request's body would give its sender away: numbers are few enough to try them all.
    """
    _, secret = datakeys.for_writing(organization_id, datakeys.Purpose.PSEUDONYM, datakeys.FOREVER)
    return hmac.digest(secret, b"fingerprint|" + value, "sha256")[:KEY_BYTES]


def readable(key: bytes | memoryview, hotline_uuid: object) -> str:
    """`Loutre-7F3A`: the same for a sender on one hotline, another on the next, so that people cannot link them."""
    digest = hashlib.sha256(bytes(key) + str(hotline_uuid).encode()).digest()
    return f"{_ANIMALS[digest[0] % len(_ANIMALS)]}-{digest[1:3].hex().upper()}"
