"""STOP and HELP and their kin, as the whole message and nothing less."""

from __future__ import annotations

import enum
import unicodedata

#: By language, without accents of capitals: what carriers and French law (CPCE L. 34-5) made customary.
STOP = frozenset(
    (
        "stop stopp stopall unsubscribe unsub cancel end quit "  # English, and what Plivo itself honours (DND service)
        "arret arrêt arreter arrêter desabonner "  # French
        "alto parar baja cancelar "  # Spanish, Portuguese
        "abmelden ende "  # German
        "basta disiscrivi "  # Italian
        "afmelden "  # Dutch
        "قف توقف "  # Arabic
        "стоп "  # Ukrainian, Russian
        "dur durdur iptal"  # Turkish
    ).split()
)
HELP = frozenset("aide help info ayuda hilfe aiuto ajuda hulp مساعدة допомога pomoc yardim yardım ajutor".split())


class Keyword(enum.Enum):
    NONE = enum.auto()
    STOP = enum.auto()
    HELP = enum.auto()


def keyword(text: str) -> Keyword:
    """What the whole of `text` says, after NFKC, case folding, and trimming of spaces and punctuation.

    "stop tu es belle" is a message; so is "ЅТОР" in Cyrillic look-alikes.
    """
    if len(text) > 40:
        return Keyword.NONE
    folded = unicodedata.normalize("NFKC", text).casefold()
    word = _edge_trimmed(folded)
    if word in STOP:
        return Keyword.STOP
    return Keyword.HELP if word in HELP else Keyword.NONE


def _edge_trimmed(text: str) -> str:
    def noise(char: str) -> bool:
        return unicodedata.category(char)[0] in "PZSC"

    start, end = 0, len(text)
    while start < end and noise(text[start]):
        start += 1
    while end > start and noise(text[end - 1]):
        end -= 1
    return text[start:end]
