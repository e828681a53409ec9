"""The organization that `make run` shows: three numbers of the simulator, and an owner who may change them."""

from __future__ import annotations

import decimal
import secrets
import string
import uuid
from dataclasses import dataclass

from django.contrib.auth import get_user_model
from django.contrib.auth.models import User
from django.db import transaction

from hotlines.models import Account, Hotline, default_countries
from organizations.models import Member, Organization
from pages.models import Page
from replies import packs

from .phones import PROVIDER

#: By this the demo is known again, whatever it is renamed to.
ORGANIZATION = uuid.UUID("7d0f2017-1027-4a00-8000-000000000033")
OWNER = "demo"
COUNTRIES = [*default_countries(), "BE", "CH", "LU", "GB", "ES", "DE", "IT", "NL", "PT"]
#: What a segment cost the number of 2017 (CAMPAIGNS.md).
PRICE_OUT, PRICE_IN = decimal.Decimal("0.07627"), decimal.Decimal("0.0075")
PRICE_CALL = decimal.Decimal("0.0085")
_UPPER_AND_DIGITS = string.ascii_uppercase + string.digits


@dataclass(frozen=True)
class Line:
    """A hotline of the demo. The numbers are of the range that ARCEP keeps for fiction: nobody has them."""

    name: str
    number: str
    kind: str
    delay_seconds: int
    calls: Hotline.Calls
    #: Of its public page.
    slug: str


LINES = (
    Line("Anti-harcèlement", "+33199001217", "anti-harassment", 0, Hotline.Calls.SPEAK, "anti-harcelement"),
    Line("Anti-relous", "+33199001027", "anti-relous", 0, Hotline.Calls.TEXT, "anti-relous"),
    Line("LGBT", "+33199001705", "lgbt", 5, Hotline.Calls.REJECT, "lgbt"),
)


@transaction.atomic
def load() -> bool:
    """Create the demo's organization. False, and no change, where it exists: what somebody changed in it stays."""
    if Organization.objects.filter(uuid=ORGANIZATION).exists():
        return False
    organization = Organization.objects.create(
        uuid=ORGANIZATION,
        name="Association de démonstration",
        alert_email="alertes@example.org",
        day_budget=decimal.Decimal(50),
        month_budget=decimal.Decimal(500),
    )
    account = Account(organization=organization, provider=PROVIDER, label="Simulateur")
    account.price_out, account.price_in, account.price_call = PRICE_OUT, PRICE_IN, PRICE_CALL
    account.credentials = _new_credentials()
    account.save()
    for line in LINES:
        hotline = Hotline(
            organization=organization,
            account=account,
            name=line.name,
            number=line.number,
            kind=line.kind,
            state=Hotline.State.ACTIVE,
            countries=COUNTRIES,
            reply_limit=5,
            delay_seconds=line.delay_seconds,
            calls=line.calls,
            jitter_seconds=0,
            messages_per_second=20,
            replies_per_hour=600,
            day_budget=decimal.Decimal(20),
            month_budget=decimal.Decimal(200),
        )
        hotline.full_clean()
        hotline.save()
        packs.copy_to_hotline(hotline)
        Page.objects.create(organization=organization, slug=line.slug, name=line.name, hotline=hotline, published=True)
    Page.objects.create(organization=organization, slug="numeros", name="Nos numéros", published=True)
    return True


def renew_password() -> str:
    """Give the demo's owner a new password, the only one that works from now on, and return it."""
    user, created = get_user_model().objects.get_or_create(username=OWNER)
    organization = Organization.objects.get(uuid=ORGANIZATION)
    if created:
        Member.objects.create(organization=organization, user=user, role=Member.Role.OWNER)
    password = "-".join(secrets.token_hex(2) for _ in range(4))
    _open_admin(user, password)
    return password


def _open_admin(user: User, password: str) -> None:
    user.is_staff = user.is_active = True
    user.set_password(password)
    user.save()


def _new_credentials() -> dict[str, str]:
    """Random, and of the form that Plivo's have."""
    tail = "".join(secrets.choice(_UPPER_AND_DIGITS) for _ in range(18))
    return {"auth_id": f"MA{tail}", "auth_token": secrets.token_urlsafe(30)}
