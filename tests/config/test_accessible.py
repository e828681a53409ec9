"""Every page a volunteer opens has no violation of WCAG 2.2 AA, in five languages, right to left, in the dark and on a
phone, and none needs scrolling sideways.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page
from tests import accessible
from tests.demo_server import DemoServer
from tests.tour.screenshots import converse, open_phone, sign_in

pytestmark = [pytest.mark.browser, pytest.mark.processes]

PAGES = (
    "/admin/",
    "/admin/hotlines/hotline/",
    "/admin/hotlines/hotline/add/",
    "/admin/hotlines/hotline/1/change/",
    "/admin/hotlines/hotline/1/guide/",
    "/admin/hotlines/campaign/",
    "/admin/hotlines/campaign/add/",
    "/admin/hotlines/ownkind/",
    "/admin/hotlines/account/",
    "/admin/pages/page/",
    "/admin/pages/page/1/change/",
    "/admin/pages/page/1/widget/",
    "/admin/partners/apikey/",
    "/admin/partners/apikey/add/",
    "/admin/replies/replytemplate/",
    "/admin/replies/replytemplate/1/change/",
    "/admin/replies/replytemplate/desk/1/en/",
    "/admin/replies/replytemplate/file/1/en/",
    "/admin/conversations/conversation/",
    "/admin/conversations/conversation/1/change/",
    "/admin/conversations/block/",
    "/admin/shield/alert/",
    "/admin/organizations/organization/1/change/",
    "/admin/organizations/member/",
    "/admin/organizations/trail/",
    "/accounts/sessions/",
    "/accounts/2fa/",
)
#: Each page once in each way to look at it would take minutes: they are dealt out.
WAYS = {
    "fr": {"locale": "fr-FR", "viewport": {"width": 1280, "height": 900}},
    "ar phone": {"locale": "ar-EG", "viewport": {"width": 390, "height": 844}},
    "ar": {"locale": "ar-EG", "viewport": {"width": 1280, "height": 900}},
    "de dark": {"locale": "de-DE", "viewport": {"width": 1280, "height": 900}, "color_scheme": "dark"},
    "es phone": {"locale": "es-ES", "viewport": {"width": 390, "height": 844}},
}


@pytest.fixture
def looked_at(browser: Browser, server: DemoServer, request: pytest.FixtureRequest) -> Iterator[Page]:
    context = browser.new_context(**WAYS[request.param])
    page = context.new_page()
    # A sender of its own: what the others wrote is on the same phone.
    open_phone(page, server, f"+3363998010{[*WAYS].index(request.param)}")
    converse(page, "Salut")
    sign_in(page, server)
    yield page
    context.close()


#: The others are looked at with `make faults`.
_AT_ONCE = ("fr", "ar phone")
_LOOKED_AT = [name if name in _AT_ONCE else pytest.param(name, marks=pytest.mark.proof) for name in WAYS]


@pytest.mark.parametrize("looked_at", _LOOKED_AT, indirect=True)
def test_no_page_breaks_a_rule_or_is_wider_than_its_screen(
    looked_at: Page, server: DemoServer, request: pytest.FixtureRequest
) -> None:
    broken: dict[str, list[str]] = {}
    # All in one way at least; the others share them.
    for path in PAGES if request.node.callspec.id == "fr" else PAGES[[*WAYS].index(request.node.callspec.id) % 2 :: 2]:
        answer = looked_at.goto(f"{server.url}{path}")
        assert answer is not None
        assert answer.status == 200, path
        found = accessible.violations(looked_at)
        wide = looked_at.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        broken[path] = found + ([f"{wide} px wider than its screen"] if wide > 0 else [])
    assert {path: found for path, found in broken.items() if found} == {}
