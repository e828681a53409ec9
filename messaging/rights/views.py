"""The pages on which somebody asks what a hotline has stored about him. No sign-in: his phone proves who he is."""

from __future__ import annotations

import datetime
import zoneinfo
from collections.abc import Mapping
from typing import Any

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_http_methods, require_POST
from django_ratelimit.core import get_usage

from hotlines.models import Hotline
from inbox import clients

from . import access, codes, erasing
from .models import ERASED_AFTER, PAGE_LIFE, DataRequest
from .proving import MOST_A_DAY

#: Pages that one address may open.
_RATE = "20/h"


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def begin(request: HttpRequest, hotline: str) -> HttpResponse:
    """What the page is for; a POST makes a code and leads to its page."""
    found = get_object_or_404(
        Hotline.objects.select_related("organization").exclude(state=Hotline.State.DRAFT), uuid=hotline
    )
    context = {"hotline": found, "most": MOST_A_DAY, "hours": _hours(ERASED_AFTER)}
    if request.method != "POST":
        return _rendered(request, found, "rights/begin.html", context)
    usage = get_usage(
        request, group="rights", key=lambda _group, asked: clients.network(asked), rate=_RATE, increment=True
    )
    if usage is None or usage["should_limit"]:
        return _rendered(request, found, "rights/begin.html", {**context, "busy": True}, status=429 if usage else 503)
    secret = codes.new_page()
    DataRequest.objects.create(
        organization=found.organization,
        hotline=found,
        channel=DataRequest.Channel.CODE,
        code_digest=codes.digest(codes.of_page(secret)),
        page_digest=codes.digest(secret),
        created_at=timezone.now(),
    )
    return HttpResponseRedirect(reverse("rights:page", args=[secret]))


@never_cache
@require_GET
def page(request: HttpRequest, secret: str) -> HttpResponse:
    """The code until it has come, then what is stored; for an hour each."""
    asked = _asked(secret)
    hotline = asked.hotline
    if asked.proven_at is None:
        code = codes.written(codes.of_page(secret))
        waiting = {"hotline": hotline, "code": code, "secret": secret, "over": asked.created_at + PAGE_LIFE}
        return _rendered(request, hotline, "rights/code.html", waiting)
    context = {
        "asked": asked,
        "hotline": hotline,
        "secret": secret,
        "over": asked.proven_at + PAGE_LIFE,
        "hours": _hours(ERASED_AFTER),
        "conversations": access.stored(asked.organization_id, asked.conversations),
    }
    return _rendered(request, hotline, "rights/stored.html", context)


@never_cache
@require_POST
def erase(_request: HttpRequest, secret: str) -> HttpResponse:
    """Have it erased; asked twice, the first wish stands."""
    asked = _asked(secret)
    if asked.proven_at is None:
        raise Http404
    erasing.wish(asked, timezone.now())
    return HttpResponseRedirect(reverse("rights:page", args=[secret]))


@never_cache
@require_GET
def data(_request: HttpRequest, secret: str) -> HttpResponse:
    """What is stored, as a file."""
    asked = _asked(secret)
    if asked.proven_at is None:
        raise Http404
    return file_of(asked)


def file_of(asked: DataRequest, *, masked: bool = False) -> HttpResponse:
    """What is stored of who made a proven request, as a JSON file to be kept; `masked` for staff."""
    content = {
        "organization": asked.organization.name,
        "made_at": timezone.now().replace(microsecond=0),
        "conversations": access.stored(asked.organization_id, asked.conversations, masked=masked),
    }
    return JsonResponse(
        content,
        json_dumps_params={"ensure_ascii": False, "indent": 2},
        headers={"Content-Disposition": f'attachment; filename="paravent-{asked}.json"'},
    )


def _rendered(
    request: HttpRequest, hotline: Hotline | None, template: str, context: Mapping[str, Any], status: int = 200
) -> HttpResponse:
    """The page with its moments as the clocks of the organization's country show them."""
    zone = hotline.organization.time_zone if hotline else settings.TIME_ZONE
    with timezone.override(zoneinfo.ZoneInfo(zone)):
        return render(request, template, dict(context), status=status)


def _asked(secret: str) -> DataRequest:
    """The request whose page this is; 404 when its hour is over, or there is none."""
    now = timezone.now()
    asked = (
        DataRequest.objects.filter(page_digest=codes.digest(secret)).select_related("hotline", "organization").first()
    )
    if asked is None or (asked.proven_at or asked.created_at) <= now - PAGE_LIFE:
        raise Http404
    return asked


def _hours(duration: datetime.timedelta) -> int:
    return int(duration.total_seconds() // 3600)
