"""Nothing in a request's head makes the server fail before the application is asked."""

from __future__ import annotations

import io
import sys
from collections.abc import Callable
from typing import Any

import pytest
from django.core.handlers.wsgi import WSGIHandler
from django.db import connections
from tests.inbox.webhook import path_of
from tests.world import World

from config.requests import Handler
from conversations.models import Message

FORM = "application/x-www-form-urlencoded"
UNPARSABLE = [
    f"{FORM}; x*=bogus''a",
    f"{FORM}; charset*=utf-8''%00",
    f"{FORM}; charset=\x00",
    f"{FORM}; charset=a\x00b",
    "multipart/form-data; boundary*=nonsense''x",
]


@pytest.fixture(autouse=True)
def _connection_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """A request's end must not close the connection that holds the test's transaction."""
    monkeypatch.setattr(connections["default"], "close_if_unusable_or_obsolete", lambda: None)


def call(handler: WSGIHandler, **environ: Any) -> str:
    statuses: list[str] = []
    base = {
        "REQUEST_METHOD": "POST",
        "PATH_INFO": "/hooks/plivo/x/message/",
        "SERVER_NAME": "testserver",
        "SERVER_PORT": "80",
        "HTTP_HOST": "testserver",
        "wsgi.input": io.BytesIO(b""),
        "wsgi.errors": sys.stderr,
        "wsgi.url_scheme": "http",
    }

    def start(status: str, _headers: object, _error: object = None, /) -> Callable[[bytes], object]:
        statuses.append(status)
        return lambda _written: None

    answer = handler({**base, **environ}, start)
    answer.close()
    return statuses[0]


@pytest.mark.parametrize("content_type", UNPARSABLE)
def test_a_content_type_that_cannot_be_parsed_is_none(db: None, content_type: str) -> None:
    with pytest.raises(ValueError, match=r"(Invalid encoding|embedded null)"):
        call(WSGIHandler(), CONTENT_TYPE=content_type)  # what we mend; once Django does, this test says so
    assert call(Handler(), CONTENT_TYPE=content_type) == "404 Not Found"


@pytest.mark.parametrize("content_type", UNPARSABLE)
def test_with_a_body_it_is_an_unsupported_media_type(world: World, content_type: str) -> None:
    path = path_of(world.north.hotline)
    environ = {"PATH_INFO": path, "CONTENT_LENGTH": "3", "wsgi.input": io.BytesIO(b"x=y")}
    assert call(Handler(), CONTENT_TYPE=content_type, **environ) == "415 Unsupported Media Type"
    assert Message.objects.count() == 0


@pytest.mark.parametrize(
    "environ",
    [
        {"PATH_INFO": "/hooks/plivo/\xff/message/"},
        {"PATH_INFO": "/hooks/plivo/a\x00/message/"},
        {"PATH_INFO": ""},
        {"QUERY_STRING": "a=%00&b=\xff"},
        {"HTTP_ACCEPT_LANGUAGE": "x" * 10_000},
        {"HTTP_ACCEPT": "\xff;q=x,,;"},
        {"HTTP_COOKIE": "session=\xff\x00; csrf"},
        {"CONTENT_LENGTH": "-1"},
        {"CONTENT_LENGTH": "9" * 30},
        {"REQUEST_METHOD": "P\xd6ST"},
        {"HTTP_X_FORWARDED_FOR": "\xff, ,,"},
        {"HTTP_X_PLIVO_SIGNATURE_V3": "\xff" * 300},
    ],
    ids=str,
)
def test_no_head_makes_a_server_error(world: World, environ: dict[str, str]) -> None:
    path = {"PATH_INFO": path_of(world.north.hotline)}
    for given in ({**environ}, {**path, **environ}):
        assert call(Handler(), CONTENT_TYPE=FORM, **given)[:1] in {"3", "4"}
