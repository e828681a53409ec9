"""What senders write in tests."""

from __future__ import annotations


def words_of(sender: str, greeting: str = "Salut") -> str:
    """What a sender writes and no other does: many who wrote the same would be a suspicious group.

    Letters alone, and none twice in a row, so that likeness sees all of them.
    """
    odd_and_even = ("bdfgjklmnp", "aeiouqrstv")
    return f"{greeting} " + "".join(odd_and_even[place % 2][ord(sign) % 10] for place, sign in enumerate(sender[-7:]))
