"""What a hotline may spend must be said before it may answer: a raid does not wait until somebody thinks of it."""

from __future__ import annotations

from django.utils.translation import gettext as _

from hotlines.models import Account, Hotline


def budgets_missing(hotline: Hotline) -> list[str]:
    """In words, which prices, limits and budgets are not given yet, and on which page they are."""
    account, organization = hotline.account, hotline.organization
    if account.tariff == Account.Tariff.FLAT:
        if not _is_limited(account, "messages") or not _is_limited(account, "recipients"):
            return [
                _(
                    "The account has a fixed fee and no limits yet. Enter on its page how many messages and how many "
                    "recipients the operator's terms allow, at least per month."
                )
            ]
        return []
    missing = []
    if account.price_out is None:
        missing.append(_("The account has no price yet. Enter on its page what a segment costs."))
    if hotline.day_budget is None or hotline.month_budget is None:
        missing.append(_("This number has no budget yet. Say on this page what it may spend in a day and in a month."))
    if organization.day_budget is None or organization.month_budget is None:
        missing.append(_("The organization has no budget yet. Say on its page what it may spend in a day and a month."))
    return missing


def _is_limited(account: Account, what: str) -> bool:
    return any(getattr(account, f"{what}_per_{window}") is not None for window in ("hour", "day", "month"))
