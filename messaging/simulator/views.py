"""The phone's page, what its script asks for, and the loopback carrier's door. Nothing here exists in production."""

from __future__ import annotations

import functools
import json
import re
import uuid
from collections.abc import Callable
from typing import Any, TypeVar, cast

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from hotlines.models import Hotline
from privacy import vault

from . import carrier, journey, listing, phones, signing
from .script_texts import script_texts

_BODY_LIMIT = 64 * 1024

View = TypeVar("View", bound=Callable[..., HttpResponse])


def only_with_simulator(view: View) -> View:
    """The addresses exist only with the simulator; this holds even where somebody includes them by mistake."""

    @functools.wraps(view)
    def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if not settings.SIMULATOR:
            raise Http404
        return view(request, *args, **kwargs)

    return cast("View", never_cache(guarded))


@only_with_simulator
@require_GET
def page(request: HttpRequest) -> HttpResponse:
    """A phone to text the simulated hotlines with."""
    hotlines = [
        (hotline, phones.spaced(hotline.number)) for hotline in phones.hotlines().order_by("organization__name", "pk")
    ]
    addresses = {"sign": "sign/", "call": "call/", "state": "state/"}
    context = {
        "hotlines": hotlines,
        "examples": phones.EXAMPLES,
        "longest_text": phones.LONGEST_TEXT,
        "script_data": {"addresses": addresses, "texts": script_texts()},
        "languages": settings.LANGUAGES,
    }
    response = render(request, "simulator/phone.html", context)
    # Under "no-referrer" a browser posts the language's form with `Origin: null`, which CSRF protection refuses.
    response.headers["Referrer-Policy"] = "same-origin"
    return response


@only_with_simulator
@require_POST
def sign(request: HttpRequest) -> HttpResponse:
    """Take a text that was written on a phone, and hand back the request that a carrier would make of it.

    JSON `{hotline, phone, text}` to `{uuid, request: {path, headers, body}}`; the page's script posts the request.
    """
    try:
        asked = json.loads(request.body)
        written, text = str(asked["phone"]), str(asked["text"])
        hotline_uuid = uuid.UUID(str(asked["hotline"]))
    except (ValueError, KeyError, TypeError):
        return _problem(_("The page sent something unexpected. Load it again."))
    hotline = get_object_or_404(phones.hotlines(), uuid=hotline_uuid)
    phone = phones.digits(written)
    if phone is None:
        return _problem(_("That is not a number one can text from. Write it like +33 6 39 98 01 23."))
    text = text.encode("utf-8", "replace").decode()
    if not text.strip() or len(text) > phones.LONGEST_TEXT:
        return _problem(_("Write a text of 1 to %(most)d characters.") % {"most": phones.LONGEST_TEXT})
    if not carrier.application_of(hotline):
        return _problem(
            _("This number is disconnected at its carrier: nothing arrives, because what it receives costs too much.")
        )
    row = phones.remember(hotline, phone, text)
    signed = signing.message_request(hotline, phone, text, row.uuid)
    return JsonResponse({"uuid": str(row.uuid), "request": signed.as_json()})


@only_with_simulator
@require_POST
def call(request: HttpRequest) -> HttpResponse:
    """Call a hotline from a phone: JSON `{hotline, phone}` to `{uuid, ringing, over}`, two requests of a carrier.

    The page's script posts the first when it rings, plays what the answer says, and posts the second.
    """
    try:
        asked = json.loads(request.body)
        written, hotline_uuid = str(asked["phone"]), uuid.UUID(str(asked["hotline"]))
    except (ValueError, KeyError, TypeError):
        return _problem(_("The page sent something unexpected. Load it again."))
    hotline = get_object_or_404(phones.hotlines(), uuid=hotline_uuid)
    phone = phones.digits(written)
    if phone is None:
        return _problem(_("That is not a number one can text from. Write it like +33 6 39 98 01 23."))
    if not carrier.application_of(hotline):
        return _problem(
            _("This number is disconnected at its carrier: nothing arrives, because what it receives costs too much.")
        )
    name = uuid.uuid4()
    ringing, over = signing.call_requests(hotline, phone, name)
    return JsonResponse({"uuid": str(name), "ringing": ringing.as_json(), "over": over.as_json()})


@only_with_simulator
@require_GET
def state(request: HttpRequest) -> HttpResponse:
    """All that the page shows of a phone and a hotline, and the reports its script has to post. It changes nothing."""
    phone = phones.digits(request.GET.get("phone", ""))
    try:
        hotline_uuid = uuid.UUID(request.GET.get("hotline", ""))
    except ValueError:
        raise Http404 from None
    hotline = get_object_or_404(phones.hotlines(), uuid=hotline_uuid)
    if phone is None:
        return _problem(_("That is not a number one can text from. Write it like +33 6 39 98 01 23."))
    texts = phones.history(hotline, phone)
    footing = phones.footing(hotline, phone, timezone.now())
    return JsonResponse(
        {
            "texts": [_as_json(text) for text in texts],
            "journeys": journey.of_texts(hotline, texts),
            "reports": journey.reports_due(hotline, texts),
            "footing": {
                "slots_used": footing.slots_used,
                "reply_limit": footing.reply_limit,
                "cause": footing.cause,
                "until": footing.until.isoformat() if footing.until else "",
                "words": footing.words,
            },
            "active": hotline.state == Hotline.State.ACTIVE,
        }
    )


def _as_json(row: Any) -> dict[str, Any]:
    try:
        text = row.text
    except vault.Unreadable:
        text = "\N{REPLACEMENT CHARACTER}"
    return {
        "uuid": str(row.uuid),
        "arrived": row.reply_uuid is not None,
        "text": text,
        "at": row.created_at.isoformat(),
    }


def _problem(words: str) -> JsonResponse:
    return JsonResponse({"problem": words}, status=400)


@csrf_exempt
@only_with_simulator
@require_http_methods(["GET", "POST"])
def carrier_messages(request: HttpRequest, auth_id: str) -> HttpResponse:
    """Plivo's `/v1/Account/{auth_id}/Message/`, answered as Plivo answers: POST sends, GET lists."""
    account = carrier.authenticate(auth_id, request.headers.get("Authorization", ""))
    if account is None:
        return _not_authenticated()
    if request.method == "GET":
        try:
            return _said(listing.listing(account, request.GET.dict()))
        except (ValueError, KeyError) as error:
            return _refused(error)
    try:
        row = carrier.take(account, _ordered(request))
    except carrier.Refused as error:
        return _refused(error)
    return _said({"message": "message(s) queued", "message_uuid": [str(row.uuid)]}, 202)


@csrf_exempt
@only_with_simulator
@require_http_methods(["GET", "POST"])
def carrier_number(request: HttpRequest, auth_id: str, number: str) -> HttpResponse:
    """Plivo's `/v1/Account/{auth_id}/Number/{number}/`: GET is its record, POST hands its texts to somebody else."""
    account = carrier.authenticate(auth_id, request.headers.get("Authorization", ""))
    if account is None:
        return _not_authenticated()
    hotline = carrier.hotline_of(account, number)
    if hotline is None:
        return _refused("not a number of this account", 404)
    if request.method == "GET":
        application = carrier.application_of(hotline)
        named = f"/v1/Account/{auth_id}/Application/{application}/" if application else None
        return _said({"number": number, "application": named})
    try:
        carrier.attach(hotline, _ordered(request))
    except carrier.Refused as error:
        return _refused(error)
    return _said({"message": "changed"}, 202)


def _ordered(request: HttpRequest) -> bytes:
    """The body of a carrier's POST. Raises `carrier.Refused`."""
    if not re.fullmatch(r"application/json(;.*)?", request.headers.get("Content-Type", "")):
        raise carrier.Refused("JSON is expected")
    if int(request.headers.get("Content-Length") or 0) > _BODY_LIMIT:
        raise carrier.Refused("too large")
    return request.body


def _said(answer: dict[str, Any], status: int = 200) -> JsonResponse:
    return JsonResponse({"api_id": str(uuid.uuid4()), **answer}, status=status)


def _refused(error: object, status: int = 400) -> JsonResponse:
    return _said({"error": str(error)}, status)


def _not_authenticated() -> JsonResponse:
    refused = _refused("authentication failed", 401)
    refused.headers["WWW-Authenticate"] = 'Basic realm="carrier"'
    return refused
