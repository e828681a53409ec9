"""A passkey and an app's code, in a real browser with an authenticator of its own; under the policy of content."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect
from tests.demo_server import DemoServer
from tests.one_time import code

pytestmark = [pytest.mark.browser, pytest.mark.processes]


def signed_in(page: Page, server: DemoServer, base: str) -> None:
    page.goto(f"{base}/admin/login/")
    page.locator("input[name=username]").fill(server.user)
    page.locator("input[name=password]").fill(server.password)
    page.locator("input[name=password]").press("Enter")


def test_a_passkey_and_a_code_are_added_and_let_her_in(browser: Browser, tmp_path: Path) -> None:
    with DemoServer(tmp_path) as server:
        # Browsers know passkeys on localhost and not on its address.
        base = server.url.replace("127.0.0.1", "localhost")
        context = browser.new_context(locale="en")
        page = context.new_page()
        complaints: list[str] = []
        page.on("console", lambda said: complaints.append(said.text) if said.type in {"error", "warning"} else None)
        signed_in(page, server, base)
        page.wait_for_url("**/admin/")
        page.goto(f"{base}/accounts/2fa/totp/activate/")
        page.locator("input[name=password]").fill(server.password)
        page.locator("input[name=password]").press("Enter")
        secret = page.locator("#authenticator_secret").input_value()
        page.locator("input[name=code]").fill(code(secret))
        page.locator("input[name=code]").press("Enter")
        expect(page.locator("#recovery_codes")).to_be_visible()

        devices = context.new_cdp_session(page)
        devices.send("WebAuthn.enable")
        phone = {"protocol": "ctap2", "transport": "internal", "hasResidentKey": True, "hasUserVerification": True}
        devices.send("WebAuthn.addVirtualAuthenticator", {"options": {**phone, "isUserVerified": True}})
        page.goto(f"{base}/accounts/2fa/webauthn/add/")
        page.locator("input[name=name]").fill("phone")
        page.locator("#mfa_webauthn_add").click()
        page.wait_for_url("**/accounts/2fa/")

        for way in ("passkey", "code"):
            context.clear_cookies()
            signed_in(page, server, base)
            page.wait_for_url("**/accounts/2fa/authenticate/")
            if way == "passkey":
                page.locator("#mfa_webauthn_authenticate").click()
            else:
                page.locator("input[name=code]").first.fill(code(secret, ahead=1))
                page.locator("input[name=code]").first.press("Enter")
            page.wait_for_url("**/admin/")
        assert complaints == []
        context.close()
