"""STOP and HELP and their kin, as the whole message and nothing less."""

from __future__ import annotations

import enum
import unicodedata

#: By language, without accents of capitals: what carriers and French law (CPCE L. 34-5) made customary.
STOP = frozenset(
    (
        "stop stopp stopall unsubscribe unsub cancel end quit "  # English, and what Plivo itself honours (DND service)
        "arret arrêt arreter arrêter desabonner désabonner desinscrire désinscrire "  # French
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
_LONGEST = 40
#: What case folding leaves of the Turkish capital in "İPTAL".
_DOT_ABOVE = "\u0307"


class Keyword(enum.Enum):
    NONE = enum.auto()
    STOP = enum.auto()
    HELP = enum.auto()


def keyword(text: str) -> Keyword:
    """What the whole of `text` says, after trimming of spaces, punctuation and emoji, NFKC and case folding.

    "stop tu es belle" is a message; so is "ЅТОР" in Cyrillic look-alikes. "arrêt" and "STOPP" stop: whoever writes that
    alone wants to hear no more, and an opt-out by mistake costs one reply.
    """
    bare = _edge_trimmed(text)
    if len(bare) > _LONGEST:
        return Keyword.NONE
    word = _edge_trimmed(unicodedata.normalize("NFKC", bare).casefold().replace(_DOT_ABOVE, ""))
    if word in STOP:
        return Keyword.STOP
    return Keyword.HELP if word in HELP else Keyword.NONE


def _edge_trimmed(text: str) -> str:
    start, end = 0, len(text)
    while start < end and _is_noise(text[start]):
        start += 1
    while end > start and _is_noise(text[end - 1]):
        end -= 1
    return text[start:end]


def _is_noise(char: str) -> bool:
    """Punctuation, separators, symbols (emoji among them), controls, and what makes a symbol an emoji."""
    return unicodedata.category(char)[0] in "PZSC" or "\ufe00" <= char <= "\ufe0f"
