"""Whom we answer: exactly what the policy's countries and the refused types allow (SECURITY.md T5 to T7)."""

from __future__ import annotations

import re

import phonenumbers
import pytest
from hypothesis import given
from hypothesis import strategies as st
from phonenumbers import PhoneNumber, PhoneNumberFormat, PhoneNumberType
from tests.corpus.samples import Sample, samples
from tests.world import World

from conversations import senders
from hotlines.models import Hotline, default_countries
from inbox import hooks
from shield.answerable import refusal

FRANCE = frozenset(default_countries())
REGIONS = sorted(phonenumbers.SUPPORTED_REGIONS)
TYPES = sorted(value for name, value in vars(PhoneNumberType).items() if name.isupper() and isinstance(value, int))
#: Written out here once more, so that a type that is dropped there by mistake fails here.
ANSWERED_TYPES = {
    PhoneNumberType.MOBILE,
    PhoneNumberType.FIXED_LINE_OR_MOBILE,
    PhoneNumberType.VOIP,
    PhoneNumberType.UNKNOWN,
}
REASONS = {
    PhoneNumberType.FIXED_LINE: "fixed line",
    PhoneNumberType.TOLL_FREE: "toll free",
    PhoneNumberType.PREMIUM_RATE: "premium rate",
    PhoneNumberType.SHARED_COST: "shared cost",
    PhoneNumberType.PERSONAL_NUMBER: "personal number",
    PhoneNumberType.PAGER: "pager",
    PhoneNumberType.UAN: "company number",
    PhoneNumberType.VOICEMAIL: "voicemail",
}
Example = tuple[str, int, str]


def _examples() -> list[Example]:
    """(region, type, number in E.164) for every region and type that the metadata has an example of."""
    found = []
    for region in REGIONS:
        for kind in TYPES:
            number = phonenumbers.example_number_for_type(region, kind)
            if number is not None:
                found.append((region, kind, phonenumbers.format_number(number, PhoneNumberFormat.E164)))
    return found


EXAMPLES = _examples()


def answered(number: str, countries: frozenset[str] = FRANCE, own: frozenset[str] = frozenset()) -> bool:
    return refusal(senders.canonical(number), countries, own) == ""


def test_there_are_examples_of_nearly_every_country_and_of_every_type() -> None:
    assert len({region for region, _kind, _number in EXAMPLES}) == len(REGIONS) > 240
    assert {kind for _region, kind, _number in EXAMPLES} == set(REASONS) | {
        PhoneNumberType.MOBILE,
        PhoneNumberType.FIXED_LINE_OR_MOBILE,
        PhoneNumberType.VOIP,
    }
    assert len(EXAMPLES) > 1000


@pytest.mark.parametrize(
    "countries",
    [FRANCE, frozenset({"FR"}), frozenset({"BE", "CH"}), frozenset({"US"}), frozenset(REGIONS), frozenset()],
)
def test_the_answered_examples_are_exactly_those_of_allowed_countries_and_types(countries: frozenset[str]) -> None:
    """Region and type as the library reads them back: some examples are of a range that two countries share."""
    for number in {number for _region, _kind, number in EXAMPLES}:
        parsed = phonenumbers.parse(number)
        region, kind = phonenumbers.region_code_for_number(parsed), phonenumbers.number_type(parsed)
        expected = region in countries and kind in ANSWERED_TYPES
        assert answered(number, countries) == expected, (number, region, kind)


def test_each_refusal_says_its_reason() -> None:
    everywhere = frozenset(REGIONS)
    for number in {number for _region, _kind, number in EXAMPLES}:
        kind = phonenumbers.number_type(phonenumbers.parse(number))
        reason = refusal(f"number:{number}", everywhere, frozenset())
        # Some company numbers can be dialled within their country only.
        assert reason == REASONS.get(kind, "") or (kind, reason) == (PhoneNumberType.UAN, "not a possible number")
    assert refusal("number:+447400123456", FRANCE, frozenset()) == "country not allowed"


def test_no_network_without_a_country_is_answered() -> None:
    everywhere = frozenset([*REGIONS, "001"])
    for code in phonenumbers.COUNTRY_CODES_FOR_NON_GEO_REGIONS:
        number = phonenumbers.example_number_for_non_geo_entity(code)
        assert isinstance(number, PhoneNumber)
        written = phonenumbers.format_number(number, PhoneNumberFormat.E164)
        assert refusal(f"number:{written}", everywhere, frozenset()) == "satellite or global network"
    assert not answered("881612345678", everywhere)


@pytest.mark.parametrize("sample", samples("sender"), ids=str)
def test_the_corpus(sample: Sample) -> None:
    sender = senders.canonical(sample.text)
    assert sender == sample.canonical
    own = frozenset({"+33937000001", "+33937000002"})
    assert (refusal(sender, FRANCE, own) == "") == sample.answered


def test_the_numbers_kept_for_fiction_are_answered() -> None:
    """The metadata calls them possible and not valid; so it calls a range that was opened after it was made."""
    for last in range(0, 10_000, 37):
        assert answered(f"3363998{last:04}")
    assert answered("262639123456")  # no region owns it; the two that share its code begin so


@pytest.mark.parametrize("number", ["33000000000", "33700000000", "33871234567", "262812345678"])
def test_an_unknown_range_that_does_not_begin_like_a_mobile_number_is_not_answered(number: str) -> None:
    assert refusal(f"number:+{number}", FRANCE, frozenset()) == "unknown range"


@pytest.mark.parametrize(
    "number",
    ["336399801", "33639980", "3363998012345", "15551234", "33", "999639980123", "3380", "2626"],
)
def test_a_number_of_no_possible_length_or_country_is_not_answered(number: str) -> None:
    assert not answered(number, frozenset(REGIONS))


@pytest.mark.parametrize("own", ["+33937000001", "+33639980123", "+590690001234"])
def test_our_own_numbers_are_not_answered_however_they_are_written(own: str) -> None:
    numbers = frozenset({own})
    code = str(phonenumbers.parse(own).country_code)
    national = own.removeprefix("+" + code)
    for written in (own, own.removeprefix("+"), f"+{code}0{national}", f"{code}0{national}", f"{code}00{national}"):
        assert not answered(written, own=numbers), written
    assert refusal(f"number:{own}", FRANCE, numbers) == "own number"


def test_the_numbers_of_every_tenant_are_our_own(world: World) -> None:
    assert hooks.own_numbers() == {tenant.hotline.number for tenant in world.tenants}
    retired = Hotline.objects.create(
        organization=world.south.organization,
        account=world.south.account,
        name="Retired",
        number="+33639980555",
        state=Hotline.State.RETIRED,
    )
    assert hooks.own_numbers() == {*(tenant.hotline.number for tenant in world.tenants), retired.number}
    for number in hooks.own_numbers():
        assert refusal(f"number:{number}", FRANCE, hooks.own_numbers()) == "own number"


DIGITS = st.text(st.characters(categories=["Nd"]), min_size=1, max_size=16)
WRITTEN = st.one_of(st.text(max_size=30), DIGITS, st.from_regex(r"\+?[0-9<>, ;+]{1,40}", fullmatch=True))


@given(WRITTEN)
def test_only_ascii_digits_are_ever_answered_and_never_two_numbers(written: str) -> None:
    """What is answered becomes the provider's `dst`, where `<` separates destinations (SECURITY.md T7)."""
    sender = senders.canonical(written)
    number = senders.number_of(sender)
    if number is not None:
        assert re.fullmatch(r"\+[1-9][0-9]{6,14}", number, re.ASCII)
        assert number.removeprefix("+") in written
        assert len(re.findall("[0-9]+", written)) == 1
    if refusal(sender, frozenset(REGIONS), frozenset()) == "":
        assert number is not None


@given(WRITTEN)
def test_every_writing_has_one_canonical_form_that_is_its_own(written: str) -> None:
    sender = senders.canonical(written)
    kind, _colon, value = sender.partition(":")
    assert kind in {"number", "short", "name", "withheld"}
    assert len(value) <= 64 or kind == "name"
    if kind in {"number", "short"}:
        assert senders.canonical(value) == sender


# Iran has one of six digits; without its + that is a short code, and with it no number of E.164 that we know.
@given(st.sampled_from([one for one in EXAMPLES if len(one[2]) > 7]), st.sampled_from(["", "+", " ", "\t+"]))
def test_the_way_a_number_is_written_changes_neither_its_name_nor_the_answer(example: Example, before: str) -> None:
    _region, _kind, number = example
    written = before + number.removeprefix("+")
    assert senders.canonical(written) == f"number:{number}"
    assert senders.same_number(written, number)


@pytest.mark.parametrize(
    ("left", "right", "same"),
    [
        ("33937000001", "+33937000001", True),
        ("33937000001", "33937000002", False),
        ("33937000001", "33937000001<33899123456", False),
        ("٣٣٩٣٧٠٠٠٠٠١", "33937000001", False),
        ("38055", "38055", True),
        ("38055", "+38055", False),
        ("", "33937000001", False),
        ("InfoSMS", "infosms", True),
    ],
)
def test_whether_two_writings_are_one_number(left: str, right: str, same: bool) -> None:
    assert senders.same_number(left, right) is same
