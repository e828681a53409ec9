"""A time-stamping authority on loopback: OpenSSL's, which is not the library that the product checks stamps with."""

from __future__ import annotations

import shutil
import subprocess
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any, Self

_CONFIG = """
[tsa]
serial = {folder}/serial
crypto_device = builtin
signer_cert = {folder}/signer.pem
certs = {folder}/root.pem
signer_key = {folder}/signer.key
signer_digest = sha256
default_policy = 1.2.3.4.1
digests = sha256
accuracy = secs:1
ordering = yes
tsa_name = yes
ess_cert_id_chain = no
ess_cert_id_alg = sha256
"""
_USE = (
    "extendedKeyUsage=critical,timeStamping\nkeyUsage=critical,digitalSignature\nbasicConstraints=critical,CA:false\n"
)


class Authority(HTTPServer):
    """`broken` makes it answer something else: a status, or bytes."""

    def __init__(self, folder: Path, keys: Path | None = None) -> None:
        """With the keys of the authority in the folder `keys`, or new ones."""
        super().__init__(("127.0.0.1", 0), _Stamp)
        self.folder, self.asked = folder, 0
        self.broken: int | bytes | None = None
        if keys is None:
            self.folder.mkdir(exist_ok=True)
            self._make()
        else:
            shutil.copytree(keys, folder)
        (self.folder / "tsa.cnf").write_text(_CONFIG.format(folder=self.folder))
        self._thread = threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.01})

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/tsr"

    @property
    def root(self) -> Path:
        return self.folder / "root.pem"

    def _make(self) -> None:
        (self.folder / "serial").write_text("01\n")
        (self.folder / "use.cnf").write_text(_USE)
        key = ("-newkey", "rsa:2048", "-nodes", "-days", "3650")
        self.run("req", "-x509", *key, "-keyout", "root.key", "-out", "root.pem", "-subj", "/CN=Root of a test")
        self.run("req", *key[:3], "-keyout", "signer.key", "-out", "signer.csr", "-subj", "/CN=Stamps of a test")
        signed = ("-CA", "root.pem", "-CAkey", "root.key", "-CAcreateserial", "-days", "3650", "-extfile", "use.cnf")
        self.run("x509", "-req", "-in", "signer.csr", *signed, "-out", "signer.pem")

    def run(self, *arguments: str) -> str:
        done = subprocess.run(["openssl", *arguments], cwd=self.folder, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def answer(self, query: bytes) -> bytes:
        (self.folder / "query.tsq").write_bytes(query)
        self.run("ts", "-reply", "-config", "tsa.cnf", "-section", "tsa", "-queryfile", "query.tsq", "-out", "it.tsr")
        return (self.folder / "it.tsr").read_bytes()

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_details: object) -> None:
        self.shutdown()
        self.server_close()
        self._thread.join()


class _Stamp(BaseHTTPRequestHandler):
    server: Authority

    def do_POST(self) -> None:
        query = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.asked += 1
        broken = self.server.broken
        if isinstance(broken, int):
            self.send_error(broken)
            return
        content = broken if broken is not None else self.server.answer(query)
        self.send_response(200)
        self.send_header("Content-Type", "application/timestamp-reply")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_arguments: Any) -> None:
        pass
