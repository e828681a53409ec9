"""The recorded requests of `tests/vectors/plivo`, as the verifier gets them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from providers.base import SignedRequest

FOLDER = Path(__file__).parent.parent / "vectors/plivo"


@dataclass(frozen=True)
class Vector:
    """`request` is what arrived on the wire, `url` the public address it was signed for, `params` what it says."""

    name: str
    request: SignedRequest
    url: str
    params: dict[str, str]
    token: str
    main_token: str

    def __str__(self) -> str:
        return self.name


def _load(path: Path) -> Vector:
    described: dict[str, Any] = json.loads(path.read_text())
    head, _blank, body = path.with_suffix(".http").read_bytes().partition(b"\r\n\r\n")
    lines = head.decode("ascii").split("\r\n")
    headers = dict(line.split(": ", 1) for line in lines[1:])
    request = SignedRequest(
        method=described["method"],
        url=described["url"],
        headers={name.lower(): value for name, value in headers.items()},
        body=body,
    )
    return Vector(
        path.stem,
        request,
        described["url"],
        described["params"],
        described["auth_token"],
        described["main_auth_token"],
    )


def load_all() -> list[Vector]:
    """Every recorded request: messages, reports and calls."""
    return [_load(path) for path in sorted(FOLDER.glob("*.json")) if not path.name.startswith("api_")]
