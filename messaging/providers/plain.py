"""What a provider says that can do nothing but pass on and send: a beginning for most providers' files."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from . import examining
from .base import Calls, Credentials, Finding, Line, LogPage, LogQuery, LogTerms, Unavailable


class Plain:
    """Without a log that is read, without calls, and with numbers that stay where they are. A file says what it can."""

    log: ClassVar[LogTerms | None] = None
    calls: ClassVar[Calls | None] = None
    detachable: ClassVar = False

    def read_log(self, query: LogQuery, credentials: Credentials, cursor: str = "") -> LogPage:
        raise Unavailable("a provider whose log is not read")

    def examine(self, lines: Sequence[Line], credentials: Credentials) -> Sequence[Finding]:
        return examining.nothing_to_ask(lines, credentials)

    def application(self, number: str, credentials: Credentials) -> str:
        raise Unavailable("a number that is not detached")

    def attach(self, number: str, application: str, credentials: Credentials) -> None:
        raise Unavailable("a number that is not detached")
