"""The loopback carrier: Plivo's `POST /v1/Account/{auth_id}/Message/`, which believes nothing it is sent.

It is what the demo and the tests send to in place of https://api.plivo.com, and it is stricter than Plivo, so that a
mistake of ours shows here and not on an invoice.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import json
import re
import uuid
from typing import Any

from django.conf import settings
from django.urls import Resolver404, resolve

from hotlines.models import Account, Hotline
from replies import segments

from . import phones
from .models import Line, PhoneText

_DESTINATION = re.compile(r"[1-9][0-9]{6,14}", re.ASCII)
_FIXED = {"type": "sms", "method": "POST", "log": "false", "trackable": False}
_WRITTEN = ("src", "dst", "text", "url")


class Refused(Exception):
    """What Plivo would answer 400 to; the text is what it would say."""


def authenticate(auth_id: str, authorization: str) -> Account | None:
    """The simulator's account whose id stands in the path and in the Basic credentials, or None."""
    scheme, _space, encoded = authorization.partition(" ")
    try:
        name, _colon, password = base64.b64decode(encoded, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return None
    if scheme.lower() != "basic" or name != auth_id:
        return None
    for account in Account.objects.filter(provider=phones.PROVIDER):
        credentials = account.credentials
        if credentials.get("auth_id") == auth_id and credentials.get("auth_token"):
            right = hmac.compare_digest(credentials["auth_token"].encode(), password.encode())
            return account if right else None
    return None


#: The application that every number is attached to at first: our webhook.
_APPLICATION = "1"


def application_of(hotline: Hotline) -> str:
    """What the hotline's texts are handed to; "" for nothing."""
    line = Line.objects.filter(hotline=hotline).first()
    return _APPLICATION if line is None else line.application


def attach(hotline: Hotline, body: bytes) -> None:
    """Plivo's `POST /Number/{number}/`: `app_id` is an application of the account, or "". Raises `Refused`."""
    order = _object(body)
    if order.keys() != {"app_id"} or order["app_id"] not in ("", _APPLICATION):
        raise Refused("app_id is not an application of this account")
    Line.objects.update_or_create(hotline=hotline, defaults={"application": order["app_id"]})


def take(account: Account, body: bytes) -> PhoneText:
    """Bring the text to its phone. Raises `Refused` for anything that our own provider's file would not send."""
    order = _read(body)
    hotline = _source(account, order["src"])
    if not _DESTINATION.fullmatch(order["dst"]):
        raise Refused("dst is not the digits of one number")
    if order["dst"] == order["src"]:
        raise Refused("src and dst are the same")
    counted = segments.count(order["text"])
    if not counted.units or counted.units > counted.encoding.longest:
        raise Refused(f"text has {counted.units} units of at most {counted.encoding.longest}")
    return phones.remember(hotline, order["dst"], order["text"], reply_uuid=_reply_of(hotline, order["url"]))


def _read(body: bytes) -> dict[str, str]:
    """The four fields that differ from one text to the next; the others must be what they always are."""
    order = _object(body)
    if set(order) != {*_WRITTEN, *_FIXED}:
        raise Refused("not the fields of a message")
    # 0 == False in Python and not in JSON: the type counts.
    wrong = [name for name, value in _FIXED.items() if (type(order[name]), order[name]) != (type(value), value)]
    wrong += [name for name in _WRITTEN if not isinstance(order[name], str)]
    if wrong:
        raise Refused(f"{', '.join(sorted(wrong))} invalid")
    return {name: order[name] for name in _WRITTEN}


def _object(body: bytes) -> dict[str, Any]:
    try:
        order = json.loads(body)
    except ValueError as error:
        raise Refused("not JSON") from error
    if not isinstance(order, dict):
        raise Refused("not an object")
    return order


def hotline_of(account: Account, number: str) -> Hotline | None:
    """The hotline of the account whose number it is, in digits."""
    return phones.hotlines().filter(account=account, number__in=[number, f"+{number}"]).first()


def _source(account: Account, source: str) -> Hotline:
    hotline = hotline_of(account, source)
    if hotline is None:
        raise Refused("src is not a number of this account")
    return hotline


def _reply_of(hotline: Hotline, url: str) -> uuid.UUID:
    """The reply that the report URL names; it must be this hotline's report address at our public URL."""
    public: str = settings.PUBLIC_URL
    try:
        match: Any = resolve(url.removeprefix(public)) if url.startswith(f"{public}/") else None
    except Resolver404:
        match = None
    wanted = {"provider": phones.PROVIDER, "token": hotline.hook_token}
    if match is None or match.url_name != "hook-report" or not wanted.items() <= match.kwargs.items():
        raise Refused("url is not this number's report address")
    reply: uuid.UUID = match.kwargs["reply"]
    return reply
