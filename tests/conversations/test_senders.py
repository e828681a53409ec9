"""A sender has one canonical form, however a provider or a phone writes him."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conversations import senders

PARIS, BERLIN = "+33937000001", "+4915110000001"


@pytest.mark.parametrize(
    ("written", "home", "canonical"),
    [
        ("0639980123", PARIS, "number:+33639980123"),
        ("06 39 98 01 23", PARIS, "number:+33639980123"),
        ("06.39.98.01.23", PARIS, "number:+33639980123"),
        ("+33 6 39 98 01 23", PARIS, "number:+33639980123"),
        ("+33639980123", PARIS, "number:+33639980123"),
        ("33639980123", PARIS, "number:+33639980123"),
        ("0033639980123", PARIS, "number:+33639980123"),
        ("+49 1511 0000002", PARIS, "number:+4915110000002"),
        ("015110000002", BERLIN, "number:+4915110000002"),
        ("38055", PARIS, "short:38055"),
        ("ORANGE", PARIS, "name:orange"),
        ("0639", PARIS, "short:0639"),
        ("06399801239999", PARIS, "name:06399801239999"),
        ("anonymous", PARIS, "withheld:"),
        ("", PARIS, "withheld:"),
        # Without a home what begins with 0 is a name: which country's number it is, nobody has said.
        ("0639980123", "", "name:0639980123"),
        ("33639980123", "", "number:+33639980123"),
        # Digits that are none of ASCII make no number.
        ("٠٦٣٩٩٨٠١٢٣", PARIS, "name:٠٦٣٩٩٨٠١٢٣"),
    ],
)
def test_one_form(written: str, home: str, canonical: str) -> None:
    assert senders.canonical(written, home) == canonical


@given(written=st.text(max_size=40), home=st.sampled_from(["", PARIS, BERLIN, "38055", "+1", "x"]))
def test_every_text_has_one_and_a_number_is_always_digits(written: str, home: str) -> None:
    found = senders.canonical(written, home)
    number = senders.number_of(found)
    assert found.partition(":")[0] in {"number", "short", "name", "withheld"}
    assert number is None or (number.startswith("+") and number[1:].isascii() and number[1:].isdigit())


@given(digits=st.from_regex(r"\+?[1-9][0-9]{6,14}", fullmatch=True))
def test_what_says_its_country_needs_no_home(digits: str) -> None:
    """As a provider writes it; with a home, the same text is the same number."""
    alone = senders.canonical(digits)
    assert alone == f"number:+{digits.removeprefix('+')}"
    if digits.startswith("+"):
        assert senders.canonical(digits, PARIS) == alone
