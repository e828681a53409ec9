"""Which texts are alike: an exact key for short ones, MinHash for longer ones (SECURITY.md 3.3). Pure.

A raid pastes a text and changes a letter, a digit, an emoji. What it changes cheaply is stripped first; what is left is
compared by its letter triples. A signature is a tuple of minima, and the share of equal ones estimates how many triples
two texts share.
"""

from __future__ import annotations

import random
import unicodedata
import zlib
from dataclasses import dataclass

#: A text with fewer letters has too few triples to tell likeness from chance.
SHORT = 20
PERMUTATIONS, BANDS = 24, 8
_ROWS = PERMUTATIONS // BANDS
#: Signatures that agree in this share of their places are of texts that are alike.
ALIKE = 0.5
_PRIME = (1 << 61) - 1
_chance = random.Random("paravent likeness")  # noqa: S311  fixed, so that all processes see the same likeness
_FACTORS = [(_chance.randrange(1, _PRIME), _chance.randrange(_PRIME)) for _ in range(PERMUTATIONS)]


@dataclass(frozen=True)
class Shape:
    """What is compared of a text. `signature` is empty for a short text, which is like its equals alone."""

    letters: str
    signature: tuple[int, ...] = ()

    @property
    def bands(self) -> list[tuple[int, ...]]:
        """Keys of which two texts that are alike have one in common, most probably."""
        return [(start, *self.signature[start : start + _ROWS]) for start in range(0, len(self.signature), _ROWS)]


def shape(text: str) -> Shape:
    """The shape of a text; one without letters is like all others without letters."""
    letters = bare(text)
    return Shape(letters) if len(letters) < SHORT else Shape(letters, _signature(letters))


def bare(text: str) -> str:
    """Letters alone, without case, marks, compatibility forms and repetitions: "Saluuut !!! 👋" is "salut"."""
    kept: list[str] = []
    for char in unicodedata.normalize("NFKD", text).casefold():
        if char.isalpha() and (not kept or kept[-1] != char):
            kept.append(char)
    return "".join(kept)


def _signature(letters: str) -> tuple[int, ...]:
    written = (letters[start : start + 3].encode("utf-8", "surrogatepass") for start in range(len(letters) - 2))
    triples = {zlib.crc32(three) for three in written}
    return tuple(min([(factor * triple + added) % _PRIME for triple in triples]) for factor, added in _FACTORS)


def agreement(first: Shape, second: Shape) -> float:
    """How alike two texts are, from 0 to 1."""
    if not first.signature or not second.signature:
        return float(first.letters == second.letters)
    return sum(one == other for one, other in zip(first.signature, second.signature, strict=True)) / PERMUTATIONS
