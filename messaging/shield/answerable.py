"""Which senders get no automatic reply, whoever they are and whatever they write (DESIGN.md, invariant 5)."""

from __future__ import annotations

import functools
from collections.abc import Collection

import phonenumbers
from phonenumbers import PhoneNumberType

from conversations.senders import number_of

#: Dear to call, shared by many, or no person's: https://www.itu.int/rec/T-REC-E.164 leaves them to each country.
_REFUSED_TYPES = {
    PhoneNumberType.PREMIUM_RATE: "premium rate",
    PhoneNumberType.SHARED_COST: "shared cost",
    PhoneNumberType.TOLL_FREE: "toll free",
    PhoneNumberType.PERSONAL_NUMBER: "personal number",
    PhoneNumberType.PAGER: "pager",
    PhoneNumberType.UAN: "company number",
    PhoneNumberType.VOICEMAIL: "voicemail",
    PhoneNumberType.FIXED_LINE: "fixed line",
}
#: Satellite and other networks without a country.
_GLOBAL = "001"


def refusal(sender: str, countries: Collection[str], own_numbers: Collection[str]) -> str:
    """Why `sender` (canonical) is never answered, or "" where he may be.

    A number that the metadata calls possible but not valid is of unknown type, because metadata lags the numbering
    plan: it may be answered where it begins as the mobile numbers of its country do.
    """
    number = number_of(sender)
    if number is None:
        return {"short": "short code", "name": "alphanumeric"}.get(sender.partition(":")[0], "withheld")
    if number in own_numbers:
        return "own number"
    try:
        parsed = phonenumbers.parse(number)
    except phonenumbers.NumberParseException:
        return "not a number"
    possible = phonenumbers.is_possible_number_with_reason(parsed) == phonenumbers.ValidationResult.IS_POSSIBLE
    # A national prefix inside ("+330612…") is read over by the parser; to us it would be a second sender, and a way
    # around the look-up of our own numbers.
    if not possible or phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.E164) != number:
        return "not a possible number"
    regions = phonenumbers.region_codes_for_country_code(parsed.country_code or 0)
    if _GLOBAL in regions:
        return "satellite or global network"
    region = phonenumbers.region_code_for_number(parsed)
    # Unallotted ranges have no region; then the country code's main one, or any it is shared by, must be allowed.
    allowed = [candidate for candidate in ((region,) if region else regions) if candidate in countries]
    if not allowed:
        return "country not allowed"
    kind = phonenumbers.number_type(parsed)
    if kind == PhoneNumberType.UNKNOWN:
        first = phonenumbers.national_significant_number(parsed)[0]
        return "" if any(first == _first_mobile_digit(candidate) for candidate in allowed) else "unknown range"
    return _REFUSED_TYPES.get(kind, "")


@functools.cache
def _first_mobile_digit(region: str) -> str:
    example = phonenumbers.example_number_for_type(region, PhoneNumberType.MOBILE)
    return phonenumbers.national_significant_number(example)[0] if example else ""
