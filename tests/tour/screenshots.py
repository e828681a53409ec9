"""`make screenshots`: a demo is started, used as people would, and photographed into docs/pictures/.

A new picture is a function with `@picture(...)`; it gets a page of the wanted size, language and colours, signed in to
the admin where it asks for that. `make screenshots ONLY=admin` takes those whose name begins with "admin".
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from playwright.sync_api import Browser, Page, StorageState, expect
from tests.chromium import chromium
from tests.demo_server import DemoServer
from tests.processes import ROOT

FOLDER = ROOT / "docs" / "pictures"
PATIENCE_MS = 30_000
ANTI_HARASSMENT, LGBT = "+33 1 99 00 12 17", "+33 1 99 00 17 05"


@dataclass(frozen=True)
class Picture:
    """`width` and `height` in CSS pixels; `take` brings the page to where it is to be photographed."""

    name: str
    take: Callable[[Page, DemoServer], None]
    width: int
    height: int
    locale: str
    scheme: str
    signed_in: bool


PICTURES: list[Picture] = []


def picture(
    name: str,
    *,
    width: int = 1280,
    height: int = 860,
    locale: str = "fr-FR",
    scheme: str = "light",
    signed_in: bool = False,
) -> Callable[[Callable[[Page, DemoServer], None]], Callable[[Page, DemoServer], None]]:
    def register(take: Callable[[Page, DemoServer], None]) -> Callable[[Page, DemoServer], None]:
        PICTURES.append(Picture(name, take, width, height, locale, scheme, signed_in))
        return take

    return register


# --- the phone ------------------------------------------------------------------------------------------------------
def open_phone(page: Page, server: DemoServer, phone: str, hotline: str = ANTI_HARASSMENT) -> None:
    page.goto(f"{server.url}/simulator/?from={phone}")
    value = page.locator(f"#hotline option[data-number='{hotline}']").get_attribute("value")
    page.locator("#hotline").select_option(value)


def converse(page: Page, *texts: str) -> None:
    """Write each text, and wait until what follows from it is known."""
    for text in texts:
        before = page.locator("#bubbles .written").count()
        page.locator("#text").fill(text)
        page.locator("#text").press("Enter")
        expect(page.locator("#bubbles .written")).to_have_count(before + 1)
        expect(page.locator("#steps [data-step=delivered]")).to_have_attribute(
            "data-state", "done", timeout=PATIENCE_MS
        )
    page.locator("body").evaluate("document.activeElement.blur()")


@picture("phone", height=920)
def phone(page: Page, server: DemoServer) -> None:
    open_phone(page, server, "33639980123")
    converse(page, "Salut, c'est qui ?", "Pourquoi tu réponds pas ?")


@picture("phone-blocked", width=390, height=740)
def phone_blocked(page: Page, server: DemoServer) -> None:
    open_phone(page, server, "33639984567")
    converse(page, "Salut", "C'est qui ?", "Allô ?", "Réponds", "Tu m'as donné ce numéro !")
    page.locator("#text").fill("Réponds !!")
    page.locator("#text").press("Enter")
    expect(page.locator("#block")).to_be_visible(timeout=PATIENCE_MS)
    expect(page.locator("#steps [data-step=sent]")).to_have_attribute("data-state", "skipped", timeout=PATIENCE_MS)
    page.locator("body").evaluate("document.activeElement.blur()")
    page.locator(".phone").evaluate("phone => phone.scrollIntoView({ block: 'center' })")


@picture("phone-dark", height=920, locale="en-GB", scheme="dark")
def phone_dark(page: Page, server: DemoServer) -> None:
    open_phone(page, server, "447700900123")
    converse(page, "Hey, who is this?", "You gave me this number")


# --- the admin ------------------------------------------------------------------------------------------------------
def sign_in(page: Page, server: DemoServer) -> None:
    page.goto(f"{server.url}/admin/login/")
    page.locator("input[name=username]").fill(server.user)
    page.locator("input[name=password]").fill(server.password)
    page.locator("input[name=password]").press("Enter")
    page.wait_for_url("**/admin/")


def open_first(page: Page, server: DemoServer, path: str, text: str | None = None) -> None:
    """The list at `path`, then its row that holds `text`, or the first one."""
    page.goto(server.url + path)
    rows = page.locator("#result_list tbody tr, table tbody tr")
    row = rows.filter(has_text=text).first if text else rows.first
    row.locator("a").first.click()
    page.wait_for_load_state("networkidle")


@picture("admin-dashboard", signed_in=True)
def admin_dashboard(page: Page, server: DemoServer) -> None:
    page.goto(f"{server.url}/admin/")


@picture("admin-dashboard-dark", signed_in=True, locale="en-GB", scheme="dark")
def admin_dashboard_dark(page: Page, server: DemoServer) -> None:
    page.goto(f"{server.url}/admin/")


@picture("admin-hotlines", signed_in=True)
def admin_hotlines(page: Page, server: DemoServer) -> None:
    page.goto(f"{server.url}/admin/hotlines/hotline/")


@picture("admin-hotline", signed_in=True, height=1100)
def admin_hotline(page: Page, server: DemoServer) -> None:
    open_first(page, server, "/admin/hotlines/hotline/", "Anti-harcèlement")


@picture("admin-reply-text", signed_in=True)
def admin_reply_text(page: Page, server: DemoServer) -> None:
    open_first(page, server, "/admin/replies/replytemplate/")


@picture("admin-conversations", signed_in=True)
def admin_conversations(page: Page, server: DemoServer) -> None:
    page.goto(f"{server.url}/admin/conversations/conversation/")


@picture("admin-conversation", signed_in=True, height=1100)
def admin_conversation(page: Page, server: DemoServer) -> None:
    open_first(page, server, "/admin/conversations/conversation/")


@picture("admin-blocks", signed_in=True)
def admin_blocks(page: Page, server: DemoServer) -> None:
    page.goto(f"{server.url}/admin/conversations/block/")


# --- the guide for NGOs, in its two languages (docs/ngo) ------------------------------------------------------------
def in_both(
    name: str, **size: int
) -> Callable[[Callable[[Page, DemoServer], None]], Callable[[Page, DemoServer], None]]:
    def register(take: Callable[[Page, DemoServer], None]) -> Callable[[Page, DemoServer], None]:
        for language, locale in (("fr", "fr-FR"), ("en", "en-GB")):
            picture(f"guide-{name}-{language}", locale=locale, signed_in=True, **size)(take)
        return take

    return register


@in_both("steps", height=1500)
def guide_steps(page: Page, server: DemoServer) -> None:
    page.goto(f"{server.url}/admin/hotlines/hotline/1/guide/")


@in_both("desk", height=900)
def guide_desk(page: Page, server: DemoServer) -> None:
    page.goto(f"{server.url}/admin/replies/replytemplate/desk/1/en/")
    expect(page.locator(".pv-count").first).to_be_visible()


@in_both("by-hand", height=900)
def guide_by_hand(page: Page, server: DemoServer) -> None:
    """Of a sender who wrote just now, so that it is not the one whom another picture blocked."""
    open_phone(page, server, "+33639980177")
    converse(page, "Salut, ça va ?")
    open_first(page, server, "/admin/conversations/conversation/")
    page.locator("a[href$='/by_hand/'], a[hx-get$='/by_hand/'], a[href$='/by_hand']").first.click()
    expect(page.locator("#dialog textarea")).to_be_visible()


@in_both("campaign")
def guide_campaign(page: Page, server: DemoServer) -> None:
    page.goto(f"{server.url}/admin/hotlines/campaign/")
    if not page.locator("#result_list tbody a").count():
        page.goto(f"{server.url}/admin/hotlines/campaign/add/")
        page.locator("input[name=name]").fill("Métro")
        page.locator("[name=_save]").click()
        page.wait_for_url("**/campaign/")
        for number in (1, 2, 3):
            page.goto(f"{server.url}/admin/hotlines/hotline/{number}/change/")
            page.locator("select[name=campaign]").select_option(index=1)
            page.locator("[name=_save]").click()
            page.wait_for_url("**/hotline/")
    open_first(page, server, "/admin/hotlines/campaign/")


# --- what everybody reads --------------------------------------------------------------------------------------------
@picture("page", height=1180)
def page_of_a_number(page: Page, server: DemoServer) -> None:
    page.goto(f"{server.url}/fr/anti-relous/")


@picture("page-phone-ar", width=390, height=844, locale="ar-EG")
def page_on_a_phone(page: Page, server: DemoServer) -> None:
    page.goto(f"{server.url}/ar/anti-relous/")


@picture("widget-builder", signed_in=True, locale="en-GB")
def widget_builder(page: Page, server: DemoServer) -> None:
    page.goto(f"{server.url}/admin/pages/page/2/widget/")
    expect(page.locator("paravent-widget")).to_be_visible()


# --- a SIM in a phone (docs/providers/smsgate.md) ---------------------------------------------------------------------
def add_phone(page: Page, server: DemoServer, label: str) -> str:
    """An account for a phone, filled in as the guide says and not saved yet; returns its page's address."""
    page.goto(f"{server.url}/admin/hotlines/account/add/")
    page.locator("input[name=label]").fill(label)
    page.locator("select[name=provider]").select_option("smsgate")
    page.locator("[name=_save]").click()
    page.wait_for_url("**/change/")
    for name, value in {
        "credential_signing_key": "a-key-of-the-app",
        "credential_base_url": "https://api.sms-gate.app/3rdparty/v1",
        "credential_username": "ABC123",
        "credential_password": "the-password-of-the-app",
        "messages_per_hour": "30",
        "messages_per_day": "200",
        "recipients_per_month": "200",
    }.items():
        page.locator(f"input[name={name}]").fill(value)
    page.locator("select[name=tariff]").select_option("flat")
    return page.url


@picture("smsgate-account", signed_in=True, locale="en-GB", height=1900)
def smsgate_account(page: Page, server: DemoServer) -> None:
    add_phone(page, server, "SIM in the office phone")
    page.locator("body").evaluate("document.activeElement.blur()")
    page.locator("h1, [id=content]").first.evaluate("top => top.scrollIntoView()")


@picture("smsgate-address", signed_in=True, locale="en-GB")
def smsgate_address(page: Page, server: DemoServer) -> None:
    account = add_phone(page, server, "SIM in the drawer").rstrip("/").split("/")[-2]
    page.locator("[name=_save]").click()
    page.wait_for_url("**/account/")
    page.goto(f"{server.url}/admin/hotlines/hotline/add/")
    page.locator("input[name=name]").fill("Anti-relous")
    page.locator("input[name=number]").fill("+33612345678")
    page.locator("select[name=account]").select_option(account)
    page.locator("[name=_save]").click()
    page.wait_for_url("**/guide/")
    page.goto(page.url.replace("/guide/", "/webhook/"))


#: Signed in once: an address may do that ten times a minute.
_SIGNED_IN: dict[str, StorageState] = {}


# --- taking them ----------------------------------------------------------------------------------------------------
def photograph(browser: Browser, server: DemoServer, wanted: Picture, folder: Path) -> Path:
    """Take one picture. Raises `RuntimeError` when the page complains about anything."""
    complaints: list[str] = []
    known = _SIGNED_IN.get(server.url) if wanted.signed_in else None
    context = browser.new_context(
        storage_state=known,
        viewport={"width": wanted.width, "height": wanted.height},
        locale=wanted.locale,
        color_scheme="dark" if wanted.scheme == "dark" else "light",
        reduced_motion="reduce",
        timezone_id="Europe/Paris",
    )
    page = context.new_page()
    page.set_default_timeout(PATIENCE_MS)
    page.on("console", lambda said: complaints.append(said.text) if said.type == "error" else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    if wanted.signed_in and known is None:
        sign_in(page, server)
        _SIGNED_IN[server.url] = context.storage_state()
    wanted.take(page, server)
    page.wait_for_load_state("load")
    page.evaluate("document.fonts.ready")
    path = folder / f"{wanted.name}.png"
    page.screenshot(path=path)
    context.close()
    if complaints:
        raise RuntimeError(f"{wanted.name}: {complaints}")
    return path


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default="", help="pictures whose name begins so")
    parser.add_argument("--folder", type=Path, default=FOLDER)
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as data, DemoServer(Path(data)) as server, chromium() as browser:
        for wanted in PICTURES:
            if wanted.name.startswith(options.only):
                sys.stderr.write(f"{photograph(browser, server, wanted, options.folder).name}\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
