"""Keys of the API: who may read what, and what they changed."""

from __future__ import annotations

import base64
import hashlib
import hmac
import ipaddress
import secrets
import uuid
from collections.abc import Collection, Mapping
from typing import Any, ClassVar, Self
from urllib.parse import urlsplit

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from organizations.models import Organization
from organizations.tenancy import ScopedQuerySet
from pages.models import Page

#: What a key begins with, so that a scanner of published code finds one that leaked.
PREFIXES = {False: "pvk", True: "pvtest"}
_MARK = 8


class Audience(models.TextChoices):
    PARTNER = "partner", _("a partner: reads what is public anyway, and figures")
    OWN = "own", _("our own system: reads conversations, masked, and changes texts, limits and blocks")


class Scope(models.TextChoices):
    HOTLINES = "hotlines:read", _("numbers to show, and their texts")
    STATISTICS = "statistics:read", _("figures of whole weeks")
    EVENTS = "events:read", _("what happened")
    TEMPLATES = "templates:read", _("texts")
    WRITE_TEMPLATES = "templates:write", _("propose texts")
    POLICIES = "policies:read", _("limits")
    WRITE_POLICIES = "policies:write", _("change limits")
    CONVERSATIONS = "conversations:read", _("conversations, masked")
    BLOCKS = "blocks:write", _("block and unblock")
    EXPORTS = "exports:write", _("export conversations, masked")


#: What a partner may ever be given; whoever leaks such a key gives nothing away.
FOR_PARTNERS = frozenset({Scope.HOTLINES, Scope.STATISTICS, Scope.EVENTS})


def allowed(audience: str) -> frozenset[str]:
    return frozenset(FOR_PARTNERS) if audience == Audience.PARTNER else frozenset(Scope.values)


def validate_network(written: str) -> None:
    """Raises `ValidationError` for what is no address and no network."""
    try:
        ipaddress.ip_network(written, strict=False)
    except ValueError as error:
        raise ValidationError(_("“%(written)s” is not an address.") % {"written": written}) from error


def validate_origin(written: str) -> None:
    """Raises `ValidationError` for what no browser sends as `Origin` (RFC 6454)."""
    try:
        parts = urlsplit(written)
        right = parts.scheme in {"https", "http"} and parts.hostname and written == f"{parts.scheme}://{parts.netloc}"
    except ValueError:
        right = False
    if not right or "@" in written or written != written.lower():
        raise ValidationError(
            _("“%(written)s” is not an origin. Write it like https://www.example.org.") % {"written": written}
        )


class ApiKeyQuerySet(ScopedQuerySet["ApiKey"]):
    def usable(self) -> Self:
        return self.filter(Q(expires_at__gt=timezone.now()), revoked_at__isnull=True)


class ApiKey(models.Model):
    """One key. Of its secret only a digest is stored: 256 random bits need no slow one (ASVS 6.5.2)."""

    uuid = models.UUIDField(unique=True, default=uuid.uuid4, editable=False)
    organization = models.ForeignKey(
        Organization, models.CASCADE, related_name="api_keys", verbose_name=_("organization")
    )
    label = models.CharField(_("name"), max_length=80, help_text=_("Who uses it, so that you know what to revoke."))
    audience = models.CharField(_("who uses it"), max_length=8, choices=Audience, default=Audience.PARTNER)
    scopes = models.JSONField(_("may"), default=list)
    every_page = models.BooleanField(
        _("all public pages"), default=True, help_text=_("Those to come too. Otherwise the chosen ones alone.")
    )
    pages = models.ManyToManyField(Page, blank=True, related_name="+", verbose_name=_("public pages"))
    origins = models.JSONField(_("websites"), default=list, blank=True)
    networks = models.JSONField(_("addresses"), default=list, blank=True)
    sandbox = models.BooleanField(
        _("sandbox"),
        default=False,
        help_text=_("Reads made-up numbers and conversations, and changes nothing: for who builds something."),
    )
    mark = models.CharField(max_length=_MARK, unique=True, editable=False)
    digest = models.CharField(max_length=64, editable=False)
    created_at = models.DateTimeField(_("created"), auto_now_add=True)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+", editable=False
    )
    expires_at = models.DateTimeField(_("expires"))
    #: The one that took its place; it goes on beside it for a while, and is not replaced again.
    replaced_by = models.OneToOneField(
        "self", models.SET_NULL, null=True, blank=True, related_name="replaces", editable=False
    )
    revoked_at = models.DateTimeField(_("revoked"), null=True, editable=False)
    last_used_at = models.DateTimeField(_("last used"), null=True, editable=False)

    objects = ApiKeyQuerySet.as_manager()

    class Meta:
        verbose_name = _("key")
        verbose_name_plural = _("keys")
        ordering: ClassVar = ["organization", "label", "-pk"]
        constraints: ClassVar = [
            models.CheckConstraint(condition=Q(audience__in=["partner", "own"]), name="api_key_audience_known"),
            models.CheckConstraint(condition=~Q(mark="") & ~Q(digest=""), name="api_key_has_digest"),
        ]

    def __str__(self) -> str:
        return self.label

    def clean(self) -> None:
        for validate, name in ((validate_origin, "origins"), (validate_network, "networks")):
            for written in getattr(self, name):
                try:
                    validate(written)
                except ValidationError as error:
                    raise ValidationError({name: error}) from error

    def new_secret(self) -> str:
        """Give it a secret, and return the whole key, which nothing can show again."""
        self.mark = base64.b32encode(secrets.token_bytes(5)).decode().lower()
        whole = f"{PREFIXES[self.sandbox]}_{self.mark}_{secrets.token_urlsafe(32)}"
        self.digest = hashlib.sha256(whole.encode()).hexdigest()
        return whole

    def is_this(self, whole: str) -> bool:
        """In constant time."""
        return hmac.compare_digest(hashlib.sha256(whole.encode()).hexdigest(), self.digest)

    @property
    def usable(self) -> bool:
        return self.revoked_at is None and self.expires_at > timezone.now()

    def may(self, scope: str) -> bool:
        """What a partner may not have is refused here too, whatever its row says."""
        return scope in self.granted

    @property
    def granted(self) -> Collection[str]:
        return [scope for scope in Scope.values if scope in self.scopes and scope in allowed(self.audience)]

    def comes_from(self, address: str) -> bool:
        """Whether its addresses allow this one."""
        if not self.networks:
            return True
        try:
            client = ipaddress.ip_address(address)
        except ValueError:
            return False
        client = getattr(client, "ipv4_mapped", None) or client
        return any(client in ipaddress.ip_network(network, strict=False) for network in self.networks)


class ApiWrite(models.Model):
    """One change that a key made: the record of it, and what to answer when the same request comes again."""

    organization = models.ForeignKey(Organization, models.CASCADE, related_name="+", verbose_name=_("organization"))
    key = models.ForeignKey(ApiKey, models.CASCADE, related_name="writes", verbose_name=_("key"))
    idempotency_key = models.CharField(max_length=64, blank=True)
    method = models.CharField(_("method"), max_length=6)
    path = models.CharField(_("address"), max_length=200)
    #: Of the request, so that the same key with another request is refused.
    request_digest = models.CharField(max_length=64)
    status = models.PositiveSmallIntegerField(_("answer"))
    #: What was, and what is now, by field; nothing of a sender.
    changes = models.JSONField(_("changes"), default=dict)
    #: As it was sent, for a repeated request; null where it is read anew, because it tells of a sender.
    answer = models.TextField(null=True)  # noqa: DJ001
    at = models.DateTimeField(_("when"), default=timezone.now)

    objects = ScopedQuerySet.as_manager()

    class Meta:
        verbose_name = _("change by a key")
        verbose_name_plural = _("changes by keys")
        ordering: ClassVar = ["-pk"]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["key", "idempotency_key"], condition=~Q(idempotency_key=""), name="api_write_once_per_key"
            ),
        ]
        indexes: ClassVar = [models.Index(fields=["organization", "-at"], name="api_write_latest")]

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


def replacement(old: ApiKey, maker: Any) -> tuple[ApiKey, str]:
    """A key that may do the same for as long again, and the whole of it. Call it in a transaction."""
    names = ("organization", "label", "audience", "scopes", "every_page", "origins", "networks", "sandbox")
    new = ApiKey(**{name: getattr(old, name) for name in names}, created_by=maker)
    new.expires_at = timezone.now() + (old.expires_at - old.created_at)
    whole = new.new_secret()
    new.save()
    new.pages.set(old.pages.all())
    return new, whole


def changes_told(changes: Mapping[str, Any]) -> str:
    """What was and what is, by field, for people."""
    return "; ".join(f"{name}: {before} → {after}" for name, (before, after) in changes.items())
