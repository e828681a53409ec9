"""No line of our logs holds a webhook token, a number or a text, whatever was sent (SECURITY.md B13)."""

from __future__ import annotations

import io
import logging
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from django.db import OperationalError, connection
from django.test import Client
from django.utils import timezone
from tests.inbox.webhook import deliver, headers_of, path_of, post
from tests.world import World, message_fields

from config import logs
from conversations.models import Reply
from inbox import hooks, outage
from outbox import release

NUMBER, TEXT = "33639980777", "un texte que personne ne doit lire"


@pytest.fixture
def written() -> Iterator[io.StringIO]:
    """What our own handler writes, as it is configured; not what pytest captures."""
    (handler,) = (h for h in logging.getLogger().handlers if isinstance(h.formatter, logs.Line))
    assert isinstance(handler, logging.StreamHandler)
    stream = io.StringIO()
    before = handler.setStream(stream)
    yield stream
    handler.setStream(before)


def test_nothing_but_our_handler_writes_what_django_logs() -> None:
    """Django's own handlers would write the path as it is, and mail whole requests."""
    for name in ("django", "django.request", "django.security", "django.db.backends", "paravent", "paravent.webhook"):
        assert logging.getLogger(name).handlers == []
    server = logging.getLogger("django.server")
    ours = [handler for handler in server.handlers if type(handler) is logging.StreamHandler]  # the rest is pytest's
    assert [type(handler.formatter) for handler in ours] == [logs.Line]
    assert server.propagate is False


def everything(world: World, settings: Any) -> None:
    """Every kind of answer that the webhook has, about one number and one text."""
    hotline, token = world.north.hotline, world.north.token
    path, fields = path_of(hotline), message_fields(hotline, TEXT, NUMBER)
    assert deliver(world.north, fields, nonce="1" * 20) == 200
    assert deliver(world.north, fields) == 200
    assert deliver(world.north, {**fields, "MessageUUID": "other"}, nonce="1" * 20) == 403
    assert deliver(world.north, {**fields, "To": "33600000000"}) == 200
    assert deliver(world.north, {**fields, "From": NUMBER + "<" + NUMBER, "MessageUUID": "x"}) == 200
    assert post(path, fields) == 403
    assert post(path, fields, headers_of(path, fields, "forged")) == 403
    assert post(path + "?Text=x", fields) == 403
    assert post(path, {**fields, "Text": TEXT * 3000}, headers_of(path, fields, token)) == 413
    assert post(path, fields, content_type="text/plain") == 415
    assert post(path.rstrip("/"), fields) == 404
    assert post(path + "1/", fields) == 404
    for method in (Client().get, Client().delete):
        assert method(path).status_code == 405

    def fail(*_statement: object) -> None:
        raise OperationalError(f"{NUMBER} {TEXT}")

    hooks.find(hotline.hook_token)
    with connection.execute_wrapper(fail):
        assert deliver(world.north, {**fields, "MessageUUID": "y"}) == 200
        settings.SPOOL_MEGABYTES = 0
        assert deliver(world.north, {**fields, "MessageUUID": "y"}) == 503
    outage.over()
    release.release_due(timezone.now())
    report = path_of(hotline, f"report/{Reply.objects.get().uuid}")
    for status in ("sent", "teleported"):
        said = {"MessageUUID": "z", "Status": status, "To": NUMBER, "From": hotline.number}
        assert post(report, said, headers_of(report, said, token)) == 200
    assert post(report, {"x": TEXT}, headers_of(report, {"x": TEXT}, token)) == 200


@pytest.mark.django_db(transaction=True)
def test_no_answer_of_the_webhook_leaves_a_secret_in_the_log(world: World, written: io.StringIO, settings: Any) -> None:
    everything(world, settings)
    lines = written.getvalue()
    for secret in (world.north.hotline.hook_token, NUMBER, NUMBER[2:], TEXT, world.north.token, "Réponse"):
        assert secret not in lines
    for expected in (
        "WARNING paravent.security webhook refused: V3 signature does not match",
        "WARNING paravent.security nonce used twice on hotline",
        "WARNING paravent.webhook unreadable message on hotline",
        "ERROR paravent.webhook database does not answer: OperationalError",
        "WARNING django.request Forbidden: /hooks/plivo/…/message/",
        "WARNING django.request Not Found: /hooks/plivo/…/message\n",
        "WARNING django.request Method Not Allowed: /hooks/plivo/…/message/",
    ):
        assert expected in lines


def test_a_traceback_loses_its_tokens_too(world: World, written: io.StringIO) -> None:
    path = path_of(world.north.hotline)
    try:
        raise RuntimeError(f"could not resolve {path}report/x/")
    except RuntimeError:
        logging.getLogger("anything").exception("failed for %s", f"https://hotline.example.org{path}")
    lines = written.getvalue()
    assert lines.count("/hooks/plivo/…/message/") == 1  # what the exception says is not told at all
    assert world.north.hotline.hook_token not in lines
    assert "Traceback" in lines


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("GET /hooks/plivo/AAAAAAAAAAAAAAAAAAAAAA/message/ 403", "GET /hooks/plivo/…/message/ 403"),
        ("'/hooks/plivo/short'", "'/hooks/plivo/…"),
        ("/hooks/x/a/message/ /hooks/y/b/report/1/", "/hooks/x/…/message/ /hooks/y/…/report/1/"),
        ("/hooks/plivo/%2e%2e/x", "/hooks/plivo/…/x"),
        ("/hooks/", "/hooks/"),
        ("nothing of the kind", "nothing of the kind"),
    ],
)
def test_what_is_taken_out(before: str, after: str) -> None:
    assert logs.without_secrets(before) == after


def test_a_flood_leaves_no_line_for_each_request(world: World, written: io.StringIO) -> None:
    for _ in range(80):
        post(path_of(world.north.hotline), {"x": "y"})
    lines = written.getvalue().splitlines()
    assert len([line for line in lines if "django.request" in line]) <= 61
    assert not [line for line in lines if "Too Many Requests" in line]


def test_a_foreign_host_leaves_one_line_and_no_traceback(world: World, written: io.StringIO) -> None:
    assert post(path_of(world.north.hotline), {"x": "y"}, HTTP_HOST="evil.example") == 400
    lines = written.getvalue().splitlines()
    assert [line.split(" ", 2)[2].partition(":")[0] for line in lines if "DisallowedHost" in line] == [
        "ERROR django.security.DisallowedHost Invalid HTTP_HOST header"
    ]
    assert "Traceback" not in written.getvalue()


def test_a_worker_keeps_our_handler() -> None:
    pytest.importorskip("celery")
    from config.celery import app  # noqa: PLC0415  it starts where Celery is installed, and only there

    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    try:
        app.log.setup_logging_subsystem(loglevel="WARNING")
        assert any(isinstance(handler.formatter, logs.Line) for handler in root.handlers)
    finally:
        root.handlers[:], root.level = handlers, level


def test_a_traceback_tells_kinds_and_places_and_not_what_the_exceptions_say() -> None:
    secret = "Key (sender)=(33639" + "980123)"  # in two, because a traceback shows lines of source
    try:
        try:
            raise ValueError(secret)
        except ValueError as error:
            raise RuntimeError(secret) from error
    except RuntimeError:
        exc_info = sys.exc_info()
    record = logging.LogRecord("x", logging.ERROR, __file__, 1, "it failed", (), exc_info)
    logging.Formatter().format(record)  # another handler keeps what it says with the record
    line = logs.Line("%(message)s").format(record)
    assert "980123" not in line
    assert line.startswith("it failed\n")
    assert [kind in line for kind in ("builtins.ValueError", "builtins.RuntimeError", "test_logs.py")] == [True] * 3
    assert line.index("ValueError") < line.index("which led to") < line.rindex("RuntimeError")


def test_causes_that_go_in_a_circle_are_told_once() -> None:
    """As django-redis raises them when Redis is down: the log must not go round for ever."""
    first, second = OSError("one"), ValueError("two")
    first.__cause__, second.__cause__ = second, first
    told = logs.Line().formatException((OSError, first, None))
    assert told.count("builtins.OSError") == told.count("builtins.ValueError") == 1
