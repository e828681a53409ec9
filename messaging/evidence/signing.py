"""The signature of an organization's evidence: Ed25519 (RFC 8032), its seed wrapped like every other key."""

from __future__ import annotations

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from privacy import datakeys


def _key(organization_id: int) -> Ed25519PrivateKey:
    _row, seed = datakeys.for_writing(organization_id, datakeys.Purpose.EVIDENCE, datakeys.FOREVER)
    return Ed25519PrivateKey.from_private_bytes(seed)


def sign(organization_id: int, content: bytes) -> bytes:
    """64 bytes."""
    return _key(organization_id).sign(content)


def public_key(organization_id: int) -> str:
    """64 hexadecimal digits, to be kept outside this installation: who changes the key changes them."""
    return _key(organization_id).public_key().public_bytes(Encoding.Raw, PublicFormat.Raw).hex()
