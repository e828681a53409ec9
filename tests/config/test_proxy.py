"""The proxy's rules (deploy/caddy/Caddyfile), held by a real Caddy in front of a server that tells what reached it."""

from __future__ import annotations

import http.client
import http.server
import json
import os
import shutil
import socket
import subprocess
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from tests.processes import HOST, ROOT
from tests.services import Guarded, free_port, wait_until

CADDY = ROOT / "deploy/caddy"
TOKEN = "a-token-that-no-log-may-hold"
HOOK = f"/hooks/plivo/{TOKEN}/message/"
LIMIT = 64 * 1024
#: Refused before the body was sent whole: then a client may see no answer.
NO_ANSWER = 0

pytestmark = [
    pytest.mark.processes,
    pytest.mark.skipif(shutil.which("caddy") is None, reason="no caddy was found (Debian: caddy)"),
]


class Told(http.server.BaseHTTPRequestHandler):
    """Answers with the request's headers as they arrived and the length of its body."""

    def do_POST(self) -> None:
        length = len(self.rfile.read(int(self.headers["Content-Length"] or 0)))
        if "X-Leave" in self.headers:
            self.close_connection = True
            return
        answer = json.dumps({"headers": self.headers.items(), "length": length}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    do_GET = do_POST  # noqa: N815  the name http.server looks for

    def log_message(self, *_what: Any) -> None:
        """Say nothing."""


class Server(http.server.ThreadingHTTPServer):
    def handle_error(self, *_what: Any) -> None:
        """A connection that the proxy broke off is no news."""


@dataclass
class Proxy:
    tls: int
    clear: int
    log: Path
    upstream: http.server.ThreadingHTTPServer

    def ask(
        self,
        method: str,
        path: str,
        headers: dict[str, str] | None = None,
        body: bytes | Iterator[bytes] = b"",
        port: int | None = None,
    ) -> tuple[int, Any]:
        """The status, and what reached the server behind, or where the proxy points to."""
        connection = http.client.HTTPConnection("127.0.0.1", port or self.tls, timeout=20)
        try:
            connection.request(method, path, body, {"Host": HOST, **(headers or {})})
            answer = connection.getresponse()
            told = answer.read()
        except (BrokenPipeError, ConnectionResetError):
            return NO_ANSWER, None
        finally:
            connection.close()
        return answer.status, json.loads(told) if answer.status == 200 else answer.headers["Location"]


def adapted(upstreams: str, folder: Path) -> dict[str, Any]:
    """The Caddyfile with these upstreams as Caddy's own JSON. Fails where Caddy refuses it."""
    (folder / "upstreams").write_text(upstreams)
    file = folder / "Caddyfile"
    file.write_text((CADDY / "Caddyfile").read_text().replace("/etc/caddy/upstreams", str(folder / "upstreams")))
    done = subprocess.run(
        ["caddy", "adapt", "--adapter", "caddyfile", "--config", file],
        env={**os.environ, "DOMAIN": HOST},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


@pytest.fixture(scope="module")
def proxy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Proxy]:
    """The proxy on two ports of this machine; without certificates, the port of TLS speaks in clear here."""
    folder = tmp_path_factory.mktemp("caddy")
    upstream = Server(("127.0.0.1", 0), Told)
    threading.Thread(target=upstream.serve_forever, daemon=True).start()
    hosts = (CADDY / "upstreams.hosts").read_text()
    configuration = adapted(hosts.replace("127.0.0.1:8000", f"127.0.0.1:{upstream.server_port}"), folder)
    found = Proxy(free_port(), free_port(), folder / "log", upstream)
    ports = {":443": found.tls, ":80": found.clear}
    for server in configuration["apps"]["http"]["servers"].values():
        server["listen"] = [f"127.0.0.1:{ports[address]}" for address in server["listen"]]
        server["automatic_https"] = {"disable": True}
        server.pop("tls_connection_policies", None)
    configuration["apps"].pop("tls", None)
    (folder / "caddy.json").write_text(json.dumps(configuration))
    environment = {"PATH": os.environ["PATH"], "HOME": str(folder)}
    with Guarded(
        ["caddy", "run", "--config", folder / "caddy.json"], log=found.log, environment=environment
    ) as process:
        wait_until(lambda: _answers(found), process, found.log, "Caddy")
        yield found
    upstream.shutdown()
    upstream.server_close()


def _answers(proxy: Proxy) -> bool:
    try:
        return proxy.ask("GET", "/")[0] == 200
    except OSError:
        return False


@pytest.mark.parametrize("file", sorted(CADDY.glob("upstreams.*")), ids=lambda file: file.suffix)
def test_caddy_takes_the_file_with_each_kind_of_upstream(file: Path, tmp_path: Path) -> None:
    servers = adapted(file.read_text(), tmp_path)["apps"]["http"]["servers"].values()
    assert sorted(address for server in servers for address in server["listen"]) == [":443", ":80"]


def test_a_header_with_an_underscore_does_not_arrive(proxy: Proxy) -> None:
    sent = {"X_Plivo_Signature_V3": "forged", "X-Plivo-Signature-V3": "true", "x_forwarded_for": "192.0.2.1"}
    arrived = proxy.ask("POST", HOOK, sent)[1]["headers"]
    assert [name for name, _ in arrived if "_" in name] == []
    assert [value for name, value in arrived if name.lower() == "x-plivo-signature-v3"] == ["true"]


def test_one_hop_arrives_and_it_is_not_what_the_client_wrote(proxy: Proxy) -> None:
    sent = {"X-Forwarded-For": "192.0.2.1, 192.0.2.2", "X-Forwarded-Proto": "gopher"}
    arrived = {name.lower(): value for name, value in proxy.ask("POST", HOOK, sent)[1]["headers"]}
    # In clear because of this test; where TLS ends at the proxy it writes https.
    assert (arrived["x-forwarded-for"], arrived["x-forwarded-proto"]) == ("127.0.0.1", "http")
    assert arrived["host"] == HOST


@pytest.mark.parametrize("path", [HOOK, "/hooks/plivo/x/report/y/"])
def test_a_webhook_holds_64_kib_and_not_a_byte_more(proxy: Proxy, path: str) -> None:
    assert proxy.ask("POST", path, body=b"x" * LIMIT)[1]["length"] == LIMIT
    assert proxy.ask("POST", path, body=b"x" * (LIMIT + 1))[0] == 413


def test_a_page_may_send_more_than_a_webhook_but_not_without_end(proxy: Proxy) -> None:
    assert proxy.ask("POST", "/admin/", body=b"x" * (LIMIT + 1))[1]["length"] == LIMIT + 1
    assert proxy.ask("POST", "/admin/", body=b"x" * (5 * 1024 * 1024 + 1))[0] in {NO_ANSWER, 413}


def test_a_webhook_that_hides_its_length_is_refused(proxy: Proxy) -> None:
    assert proxy.ask("POST", HOOK, body=iter([b"Text=stop"]))[0] in {NO_ANSWER, 411}


def test_a_client_that_breaks_off_takes_no_web_process_out_of_use(proxy: Proxy) -> None:
    for _ in range(3):
        with socket.create_connection(("127.0.0.1", proxy.tls)) as rude:
            rude.sendall(f"POST {HOOK} HTTP/1.1\r\nHost: {HOST}\r\nContent-Length: 100\r\n\r\nbye".encode())
    assert proxy.ask("POST", HOOK, body=b"next")[0] == 200


def test_in_clear_a_webhook_is_refused_and_a_person_is_shown_the_way(proxy: Proxy) -> None:
    assert proxy.ask("POST", HOOK, port=proxy.clear) == (403, None)
    assert proxy.ask("GET", "/admin/?q=1", port=proxy.clear) == (308, f"https://{HOST}/admin/?q=1")


def test_no_line_of_the_log_tells_a_token_or_an_address(proxy: Proxy) -> None:
    assert proxy.ask("POST", HOOK, {"X-Leave": "without an answer"}, b"x")[0] == 502
    lines = [line for line in proxy.log.read_text().splitlines() if '"status":502' in line]
    assert len(lines) == 1
    assert json.loads(lines[0])["request"] == {"proto": "HTTP/1.1", "method": "POST", "host": HOST}
    assert TOKEN not in proxy.log.read_text()
