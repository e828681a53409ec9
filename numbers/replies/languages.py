from __future__ import annotations


def seen_in(text: str, offered: list[str]) -> str | None:
    return None


def ladder(*, seen: str | None, remembered: str, number: str | None, offered: list[str], default: str) -> list[str]:
    return [default]
