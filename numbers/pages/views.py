"""Pages for everybody: no cookie, no script needed, nothing of another host."""

from __future__ import annotations

import zoneinfo
from typing import Any

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import timezone
from django.utils.cache import get_conditional_response, patch_vary_headers
from django.utils.http import content_disposition_header
from django.utils.translation import get_language_from_request

from hotlines import choices
from hotlines.models import Hotline

from . import board, codes, helping, showing, steps
from . import contact as contacts
from .anonymous import anonymous
from .kept import Kept, etag
from .models import Page

#: Where people go who have to leave at once: known to all, in every language, and suspicious to nobody.
ELSEWHERE = "https://{language}.wikipedia.org/"


@anonymous
def choose_language(request: HttpRequest, slug: str) -> HttpResponse:
    """To the page in the language that the reader's browser prefers."""
    _found(slug)
    language = get_language_from_request(request)
    answer = HttpResponseRedirect(reverse("pages:page", args=(language, slug)))
    answer.headers["Content-Language"] = language
    patch_vary_headers(answer, ["Accept-Language"])
    return answer


@anonymous
def page(request: HttpRequest, language: str, slug: str) -> HttpResponseBase:
    """The number with all that there is to know about it; or the list of an organization's pages."""
    body = _pages.get((slug, language), lambda: _rendered(slug, language))
    if body is None:
        raise Http404
    return _kept(request, HttpResponse(body))


@anonymous
def contact(request: HttpRequest, language: str, slug: str) -> HttpResponseBase:
    """The number for a phone's address book, under its innocent name."""
    found = _found(slug)
    _shown, _hotline, number = _in_service(found, language)
    body = contacts.card(found.contact_name, number.e164)
    answer = HttpResponse(body, content_type="text/vcard; charset=utf-8")
    filename = contacts.filename(found.contact_name)
    answer.headers["Content-Disposition"] = str(content_disposition_header(as_attachment=True, filename=filename))
    return _kept(request, answer)


@anonymous
def poster(request: HttpRequest, language: str, slug: str) -> HttpResponseBase:
    """The page on paper, to be put up."""
    body = _posters.get((slug, language), lambda: _drawn(slug, language))
    if body is None:
        raise Http404
    answer = HttpResponse(body, content_type="application/pdf")
    answer.headers["Content-Disposition"] = f'inline; filename="{slug}-{language}.pdf"'
    return _kept(request, answer)


#: As long as the number that partners are told (`board`), and posters as long as caches keep them.
_pages: Kept[str] = Kept(board.KEPT, 256)
_posters: Kept[bytes] = Kept(board.FRESH, 64)


def _rendered(slug: str, language: str) -> str | None:
    found = showing.published(slug)
    return render_to_string("pages/page.html", _context(found, language)) if found else None


def _drawn(slug: str, language: str) -> bytes | None:
    from . import poster as posters  # noqa: PLC0415  its fonts and their tools take 40 MB, and few processes draw one

    found = showing.published(slug)
    shown = showing.shown(found, language, timezone.now()) if found else None
    if found is None or shown is None or shown.hotline is None or shown.number is None:
        return None
    today = timezone.localdate(timezone=zoneinfo.ZoneInfo(found.organization.time_zone))
    return posters.pdf(shown, shown.hotline, shown.number, today)


def _found(slug: str) -> Page:
    found = showing.published(slug)
    if found is None:
        raise Http404
    return found


def _in_service(found: Page, language: str) -> tuple[showing.Shown, Hotline, showing.Number]:
    shown = showing.shown(found, language, timezone.now())
    if shown.hotline is None or shown.number is None:
        raise Http404
    return shown, shown.hotline, shown.number


def _context(found: Page, language: str) -> dict[str, Any]:
    now = timezone.now()
    shown = showing.shown(found, language, now)
    listed = showing.listed(found, language, now) if found.is_list else []
    speakers = [shown.speaker] if shown.speaker else [entry.hotline for entry in listed if entry.hotline]
    return {
        "shown": shown,
        "page": found,
        "language": language,
        "languages": [(code, label, showing.url(found, code)) for code, label in settings.LANGUAGES],
        "any_language": settings.PUBLIC_URL + reverse("pages:any", args=(found.slug,)),
        "elsewhere": ELSEWHERE.format(language=language),
        "listed": listed,
        "helplines": helping.of(found, speakers, now.date()),
        "asks": _asks(shown.speaker),
        # The admin asks for https; a row that another way wrote must not become a script.
        "website": found.website if found.website.startswith("https://") else "",
        **(_of_number(shown, shown.hotline, shown.number) if shown.hotline and shown.number else {}),
    }


def _of_number(shown: showing.Shown, hotline: Hotline, number: showing.Number) -> dict[str, Any]:
    page = shown.page
    replies = showing.replies(hotline, shown.language)
    return {
        "steps": steps.of(hotline),
        "reply": replies[0] if replies else None,
        "other_replies": [(choices.language_name(words.language), words) for words in replies[1:]],
        "saved_as": contacts.plain(page.contact_name),
        "code": codes.svg(contacts.card(page.contact_name, number.e164)),
        "demo_speaks": page.demo is not None and page.demo.calls != Hotline.Calls.REJECT,
    }


def _asks(hotline: Hotline | None) -> str | None:
    """Of which number somebody may ask what it has stored about him: a draft has nothing, and no page for it."""
    return str(hotline.uuid) if hotline is not None and hotline.state != Hotline.State.DRAFT else None


def _kept(request: HttpRequest, answer: HttpResponse) -> HttpResponseBase:
    """For caches: fresh for a minute, and then asked for again by what it was."""
    answer.headers["Cache-Control"] = f"public, max-age={board.FRESH}"
    version = answer.headers["ETag"] = etag(answer.content)
    return get_conditional_response(request, etag=version, response=answer) or answer
