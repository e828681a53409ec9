"""Plivo's record of a number, `/v1/Account/{auth_id}/Number/{number}/`: which application it is attached to.

Sources: plivo.com/docs/numbers/api (the account phone number object, update a number) and the `plivo` SDK, which sends
the same request.
"""

from __future__ import annotations

import json
import re
import threading
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

PATH = re.compile(r"(?:/[\w-]+)*/v1/Account/(?P<account>[MS]A[A-Z0-9]{18})/Number/(?P<number>[0-9]{3,15})/", re.ASCII)
#: What every number is attached to at first.
APPLICATION = "20372631212782780"


@dataclass
class Numbers:
    """`script` says what the next requests meet, one each: `202` (or 200) does what is asked, `forgets` only says so,
    `500` or any status refuses, `500+done` does it and refuses, `429:7` asks to wait for so many seconds.
    """

    applications: dict[str, str] = field(default_factory=dict)
    #: Method, number, and the application that was asked for, of every request.
    requests: list[tuple[str, str, str]] = field(default_factory=list)
    _scripted: deque[str] = field(default_factory=deque)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def script(self, *behaviours: str) -> None:
        with self._lock:
            self._scripted.extend(behaviours)

    def answer(self, method: str, account: str, number: str, body: bytes) -> tuple[int, object, Mapping[str, str]]:
        """Status, body and headers of the answer."""
        with self._lock:
            told = self._scripted.popleft() if self._scripted else "202"
            asked = json.loads(body) if body else {}
            self.requests.append((method, number, asked.get("app_id", "")))
            if method == "POST" and told in {"202", "500+done"}:
                self.applications[number] = asked["app_id"]
            application = self.applications.get(number, APPLICATION)
        status, _colon, wait = told.removesuffix("+done").partition(":")
        if status not in {"202", "forgets"}:
            return int(status), {"error": "as told"}, {"Retry-After": wait} if wait else {}
        return (200, self._record(account, number, application), {}) if method == "GET" else (202, _CHANGED, {})

    @staticmethod
    def _record(account: str, number: str, application: str) -> dict[str, Any]:
        named = f"/v1/Account/{account}/Application/{application}/" if application else None
        return {"number": number, "application": named, "sms_enabled": True, "voice_enabled": True}


_CHANGED = {"message": "changed"}
