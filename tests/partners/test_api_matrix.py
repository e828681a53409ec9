"""Every address of the API, asked by everybody: what is another's answers like what does not exist (W11, I1).

A route that is added without an entry here fails.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from django.core.cache import caches
from django.urls import get_resolver
from django.utils import timezone
from tests.partners.api_world import Asking, make_key, make_page
from tests.world import World, build_world
from tests.writing import write

from conversations.models import Conversation
from hotlines.models import Hotline
from organizations.models import Organization
from partners.models import ApiWrite, Audience, ExportJob, Scope
from partners.models.keys import FOR_PARTNERS
from replies.models import ReplyTemplate

#: In every name and text of the north, and nowhere else.
CANARY = "Zanzibar"


@dataclass
class Rows:
    """What addresses are made of: one row of the north."""

    world: World
    hotline: Hotline
    template: ReplyTemplate
    conversation: Conversation
    export: ExportJob
    asking: dict[str, Asking]


@dataclass(frozen=True)
class Route:
    """`scope` of a GET; `writes` is what is posted or patched, by whom it may be."""

    path: Callable[[Rows], str]
    scope: str | None
    public: bool = False
    of_row: bool = True
    writes: tuple[str, Callable[[Rows], Any], str] | None = None


def _fixed(path: str) -> Callable[[Rows], str]:
    return lambda _rows: path


ROUTES = {
    "schema": Route(_fixed("schema/"), None, public=True, of_row=False),
    "docs": Route(_fixed("docs/"), None, public=True, of_row=False),
    "current": Route(_fixed("hotlines/north/current/"), None, public=True),
    "key": Route(_fixed("key/"), None, of_row=False),
    "hotlines": Route(_fixed("hotlines/"), Scope.HOTLINES, of_row=False),
    "hotline": Route(_fixed("hotlines/north/"), Scope.HOTLINES),
    "texts": Route(_fixed("hotlines/north/texts/"), Scope.HOTLINES),
    "statistics": Route(_fixed("hotlines/north/statistics/"), Scope.STATISTICS),
    "events": Route(_fixed("events/"), Scope.EVENTS, of_row=False),
    "numbers": Route(_fixed("numbers/"), Scope.POLICIES, of_row=False),
    "number": Route(lambda rows: f"numbers/{rows.hotline.uuid}/", Scope.POLICIES),
    "policy": Route(
        lambda rows: f"numbers/{rows.hotline.uuid}/policy/",
        Scope.POLICIES,
        writes=("patch", lambda _rows: {"reply_limit": 4}, Scope.WRITE_POLICIES),
    ),
    "templates": Route(
        _fixed("templates/"),
        Scope.TEMPLATES,
        of_row=False,
        writes=(
            "post",
            lambda rows: {"number": str(rows.hotline.uuid), "purpose": "final", "language": "fr", "text": "Fin."},
            Scope.WRITE_TEMPLATES,
        ),
    ),
    "template": Route(
        lambda rows: f"templates/{rows.template.pk}/",
        Scope.TEMPLATES,
        writes=("patch", lambda _rows: {"text": "Autre."}, Scope.WRITE_TEMPLATES),
    ),
    "conversations": Route(_fixed("conversations/"), Scope.CONVERSATIONS, of_row=False),
    "conversation": Route(lambda rows: f"conversations/{rows.conversation.pk}/", Scope.CONVERSATIONS),
    "block": Route(
        lambda rows: f"conversations/{rows.conversation.pk}/block/",
        "",
        writes=("post", lambda _rows: {"reason": "x"}, Scope.BLOCKS),
    ),
    "unblock": Route(
        lambda rows: f"conversations/{rows.conversation.pk}/unblock/",
        "",
        writes=("post", lambda _rows: {"reason": "x"}, Scope.BLOCKS),
    ),
    "exports": Route(
        _fixed("exports/"),
        Scope.EXPORTS,
        of_row=False,
        writes=(
            "post",
            lambda rows: {
                "number": str(rows.hotline.uuid),
                "since": "2026-01-01T00:00:00Z",
                "until": "2026-02-01T00:00:00Z",
            },
            Scope.EXPORTS,
        ),
    ),
    "export": Route(lambda rows: f"exports/{rows.export.uuid}/", Scope.EXPORTS),
    "export-file": Route(lambda rows: f"exports/{rows.export.uuid}/file/", Scope.EXPORTS),
}


@pytest.fixture
def rows(db: None) -> Rows:
    caches["limits"].clear()
    world = build_world()
    north = world.north
    Organization.objects.filter(pk=north.organization.pk).update(name=f"North {CANARY}")
    Hotline.objects.filter(pk=north.hotline.pk).update(name=f"North {CANARY}", reply_limit=5)
    ReplyTemplate.objects.filter(hotline=north.hotline).update(text=f"Réponse de {CANARY}.")
    write(north, text=f"Bonjour {CANARY}")
    make_page(north, "north", name=f"Page {CANARY}")
    make_page(world.south, "south")
    key, whole = make_key(north)
    export = ExportJob.objects.create(
        organization=north.organization,
        key=key,
        hotline=north.hotline,
        since="2026-01-01T00:00:00Z",
        until="2026-02-01T00:00:00Z",
        state="done",
        content=zlib.compress(b""),
        finished_at=timezone.now(),
    )
    return Rows(
        world,
        Hotline.objects.get(pk=north.hotline.pk),
        ReplyTemplate.objects.get(hotline=north.hotline, language="fr"),
        Conversation.objects.get(hotline=north.hotline),
        export,
        {
            "anybody": Asking(),
            "north's partner": Asking(make_key(north, Audience.PARTNER)[1]),
            "north": Asking(whole),
            "south's partner": Asking(make_key(world.south, Audience.PARTNER)[1]),
            "south": Asking(make_key(world.south)[1]),
            "sandbox": Asking(make_key(world.south, sandbox=True)[1]),
        },
    )


def body_of(answer: Any) -> bytes:
    return bytes(answer.getvalue())


def test_every_address_has_an_entry() -> None:
    api = next(found for found in get_resolver().url_patterns if str(found.pattern) == "api/v1/")
    assert {route.name for route in api.url_patterns} == set(ROUTES)


def expected(route: Route, actor: str) -> int:
    """The status of a GET."""
    if route.public:
        return 200
    if actor == "anybody":
        return 401
    if route.scope == "":
        return 403 if actor == "sandbox" else 405
    if route.scope is not None and "partner" in actor and route.scope not in FOR_PARTNERS:
        return 403
    mine = actor in {"north", "north's partner"}
    return 200 if mine or not route.of_row else 404


@pytest.mark.parametrize("name", ROUTES)
def test_who_reads_what(rows: Rows, name: str) -> None:
    route = ROUTES[name]
    for actor, asking in rows.asking.items():
        answer = asking.get(route.path(rows))
        wanted = {405, 403} if route.scope == "" and actor != "anybody" else {expected(route, actor)}
        if actor == "sandbox" and name in {"template", "conversation"}:
            wanted = {200, 404}  # one of its own, where that has the same id
        assert answer.status_code in wanted, (name, actor, body_of(answer))
        mine = actor in {"north", "north's partner"}
        if not mine and not (route.public and route.of_row):
            assert CANARY not in body_of(answer).decode("utf-8", "replace"), (name, actor)
        if answer.status_code >= 400:
            assert answer.headers["Content-Type"] == "application/problem+json"


@pytest.mark.parametrize("name", [name for name, route in ROUTES.items() if route.writes])
def test_who_changes_what(rows: Rows, name: str) -> None:
    route = ROUTES[name]
    assert route.writes is not None
    method, body, _scope = route.writes
    before = state(rows)
    for actor, asking in rows.asking.items():
        if actor == "north":
            continue
        answer = asking.send(method, route.path(rows), body(rows), **{"If-Match": "*"})
        refused = {"anybody": {401}, "south": {404}, "sandbox": {403, 404}}.get(actor, {403})
        assert answer.status_code in refused, (name, actor, body_of(answer))
        assert CANARY not in body_of(answer).decode()
    assert state(rows) == before
    done = rows.asking["north"].send(method, route.path(rows), body(rows), **{"If-Match": "*"})
    assert done.status_code in ({400} if name == "unblock" else {200, 201, 202}), body_of(done)


def state(rows: Rows) -> Any:
    """Everything that a change could have changed."""
    return (
        list(Hotline.objects.values("pk", "reply_limit")),
        list(ReplyTemplate.objects.values("pk", "text")),
        list(Conversation.objects.values("pk", "blocked_until")),
        ExportJob.objects.count(),
        ApiWrite.objects.count(),
    )


@pytest.mark.parametrize("name", [name for name, route in ROUTES.items() if route.of_row and not route.public])
def test_anothers_row_answers_like_none(rows: Rows, name: str) -> None:
    """With its path put back where it was, the answer is the same, byte by byte."""
    route, south = ROUTES[name], rows.asking["south"]
    theirs = route.path(rows)
    absent = theirs
    for part, none in (
        (str(rows.hotline.uuid), "00000000-0000-4000-8000-000000000000"),
        (str(rows.export.uuid), "00000000-0000-4000-8000-000000000001"),
        ("hotlines/north/", "hotlines/none/"),
        (f"templates/{rows.template.pk}/", "templates/999999/"),
        (f"conversations/{rows.conversation.pk}/", "conversations/999999/"),
    ):
        absent = absent.replace(part, none)
    assert absent != theirs

    def ask(path: str) -> Any:
        if route.scope == "" and route.writes is not None:
            return south.send(route.writes[0], path, route.writes[1](rows))
        return south.get(path)

    one, other = ask(theirs), ask(absent)
    assert (one.status_code, body_of(one)) == (other.status_code, body_of(other))
    assert one.status_code == 404


@pytest.mark.parametrize("scope", Scope.values)
def test_each_scope_opens_its_own_addresses_alone(rows: Rows, scope: str) -> None:
    asking = Asking(make_key(rows.world.north, scopes=[scope])[1])
    for name, route in ROUTES.items():
        if route.public or route.scope is None:
            continue
        answer = asking.get(route.path(rows))
        if route.scope == scope and name not in {"export", "export-file"}:
            assert answer.status_code == 200, (scope, name)
        elif route.scope != scope:
            assert answer.status_code in {403, 405}, (scope, name)
