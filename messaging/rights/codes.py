"""The code that a person texts from his phone, to prove that its number is his (SECURITY.md 4.4).

Eight digits and letters after PV, without those that look alike (Crockford's base 32): forty bits, good for an hour.
"""

from __future__ import annotations

import hashlib
import secrets
import unicodedata

_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_LOOKS_LIKE = str.maketrans({"O": "0", "I": "1", "L": "1"})
_PREFIX, _LENGTH = "PV", 8
#: PV, eight characters, and what somebody may write between and around them.
_LONGEST_TEXT = 24


def new_page() -> str:
    """The secret of a page's address: 192 random bits."""
    return secrets.token_urlsafe(24)


def of_page(secret: str) -> str:
    """The code that belongs to a page, bare: it can be shown again, and is stored nowhere."""
    bits = int.from_bytes(hashlib.sha256(f"code|{secret}".encode()).digest()[:5], "big")
    return "".join(_ALPHABET[bits >> 5 * place & 31] for place in range(_LENGTH))


def written(code: str) -> str:
    """`PV-7K3M-Q2ZT`, to be read and typed."""
    return f"{_PREFIX}-{code[:4]}-{code[4:]}"


def bare(text: str) -> str | None:
    """The code in `text` without what it is written with, or None when the text is not one and nothing more."""
    if len(text) > _LONGEST_TEXT:
        return None
    typed = "".join(char for char in unicodedata.normalize("NFKC", text).upper() if char.isalnum())
    prefix, code = typed[: len(_PREFIX)], typed[len(_PREFIX) :].translate(_LOOKS_LIKE)
    return code if prefix == _PREFIX and len(code) == _LENGTH and {*code} <= {*_ALPHABET} else None


def looks_like_one(text: str) -> bool:
    """Whether `text` may be a code. For every message that comes: most end at the first comparison."""
    return len(text) <= _LONGEST_TEXT and text.lstrip()[:2].upper() == _PREFIX and bare(text) is not None


def digest(secret: str) -> bytes:
    """What is stored of a code, bare, or of a page's address: who reads the table can use neither."""
    return hashlib.sha256(secret.encode()).digest()
