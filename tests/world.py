"""Two organizations with everything an NGO has, so that every test has somebody who must not see."""

from __future__ import annotations

import decimal
import uuid
from dataclasses import dataclass, field
from typing import Any

from django.contrib.auth.models import User
from tests.words import words_of

from hotlines.models import Account, Hotline
from organizations.models import Member, Organization
from replies.models import ReplyTemplate

AUTH_ID = "MAXXXXXXXXXXXXXXXXXX"
SENDER = "33639980123"


@dataclass
class Tenant:
    organization: Organization
    account: Account
    hotline: Hotline
    owner: User
    editor: User
    viewer: User
    token: str
    members: dict[str, User] = field(default_factory=dict)


@dataclass
class World:
    north: Tenant
    south: Tenant
    operator: User

    @property
    def tenants(self) -> tuple[Tenant, Tenant]:
        return self.north, self.south


def build_tenant(name: str, number: str, **hotline: Any) -> Tenant:
    organization = Organization.objects.create(
        name=name, alert_email=f"alerts@{name.lower()}.example", day_budget=50_000, month_budget=500_000
    )
    token = f"{name.lower()}-auth-token-not-real-000000"
    account = Account(organization=organization, provider="plivo", label=f"{name} Plivo")
    account.price_out, account.price_in = decimal.Decimal("0.05"), decimal.Decimal("0.0075")
    account.credentials = {"auth_id": AUTH_ID, "auth_token": token}
    account.save()
    row = Hotline.objects.create(
        organization=organization,
        account=account,
        name=f"{name} line",
        number=number,
        state=Hotline.State.ACTIVE,
        **{
            "kind": "anti-harassment",
            "reply_limit": 5,
            "delay_seconds": 0,
            "jitter_seconds": 0,
            "messages_per_second": 500,
            "replies_per_hour": 100_000,
            "day_budget": 50_000,
            "month_budget": 500_000,
            **hotline,
        },
    )
    for language, text in (("fr", f"Réponse de {name}."), ("en", f"Reply of {name}.")):
        ReplyTemplate.objects.create(organization=organization, hotline=row, language=language, text=text)
    users = {}
    for role in Member.Role:
        user = User.objects.create_user(f"{role.value}-{name.lower()}", f"{role.value}@{name.lower()}.example", "pw")
        user.is_staff = True
        user.save()
        Member.objects.create(organization=organization, user=user, role=role)
        users[role.value] = user
    return Tenant(organization, account, row, users["owner"], users["editor"], users["viewer"], token, users)


def build_world() -> World:
    return World(
        north=build_tenant("North", "+33937000001"),
        south=build_tenant("South", "+33937000002"),
        operator=User.objects.create_superuser("operator", "operator@example.org", "pw"),
    )


def message_fields(hotline: Hotline, text: str | None = None, sender: str = SENDER, **changes: str) -> dict[str, str]:
    """The parameters of one inbound SMS, as Plivo posts them."""
    return {
        "From": sender,
        "To": hotline.number.removeprefix("+"),
        "Type": "sms",
        "Text": words_of(sender) if text is None else text,
        "MessageUUID": str(uuid.uuid4()),
        "Units": "1",
        "TotalRate": "0.00750",
        "TotalAmount": "0.00750",
        "MessageIntent": "",
        "PowerpackUUID": "",
        **changes,
    }
