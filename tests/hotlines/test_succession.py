"""A number that is suspended has one that takes its place: ready at once, shown to partners, told to no sender."""

from __future__ import annotations

from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.test import Client
from django.urls import reverse
from django.utils import translation
from tests.world import Tenant, World

from hotlines import lifecycle, succession
from hotlines.models import Hotline, StateChange
from replies.models import ReplyTemplate

State = Hotline.State


@pytest.fixture(autouse=True)
def _english() -> Any:
    with translation.override("en"):
        yield


def number(tenant: Tenant, name: str, state: str = State.DRAFT, *, ready: bool = True) -> Hotline:
    hotline = Hotline.objects.create(
        organization=tenant.organization,
        account=tenant.account,
        name=name,
        number=f"+3393700{1000 + Hotline.objects.count()}",
        kind="anti-harassment",
        state=state,
        state_reason="raid" if state == State.SUSPENDED else "",
        day_budget=10,
        month_budget=100,
    )
    if ready:
        ReplyTemplate.objects.create(organization=tenant.organization, hotline=hotline, language="fr", text="Non.")
    return hotline


def suspend(hotline: Hotline, successor: Hotline | None, author: Any = None) -> None:
    lifecycle.change_state(hotline, State.SUSPENDED, "raid", successor, author)


def test_a_draft_that_is_ready_takes_over_in_the_same_moment_and_it_is_recorded(world: World) -> None:
    north = world.north
    spare = number(north, "spare")
    assert succession.spares(north.hotline) == [spare]
    suspend(north.hotline, spare, north.owner)
    spare.refresh_from_db()
    assert (north.hotline.state, spare.state) == (State.SUSPENDED, State.ACTIVE)
    assert succession.current(north.hotline) == spare
    changes = StateChange.objects.order_by("pk").values_list("hotline", "before", "after", "successor", "author")
    assert [*changes] == [
        (north.hotline.pk, "active", "suspended", spare.pk, north.owner.pk),
        (spare.pk, "draft", "active", None, north.owner.pk),
    ]


@pytest.mark.parametrize(
    ("state", "ready", "said"),
    [
        (State.DRAFT, False, "second is not ready to take its place:"),
        (State.SILENT, True, "second does not answer either."),
        (State.SUSPENDED, True, "second does not answer either."),
        (State.RETIRED, True, "second does not answer either."),
    ],
)
def test_a_number_that_could_not_answer_takes_nobodys_place(world: World, state: str, ready: bool, said: str) -> None:
    second = number(world.north, "second", state, ready=ready)
    assert succession.spares(world.north.hotline) == []
    with pytest.raises(ValidationError) as raised:
        suspend(world.north.hotline, second)
    assert raised.value.messages[0] == said
    world.north.hotline.refresh_from_db()
    assert world.north.hotline.state == State.ACTIVE
    assert not StateChange.objects.exists()


def test_the_line_is_followed_to_its_end_and_never_in_a_circle(world: World) -> None:
    first, second, third = world.north.hotline, number(world.north, "second"), number(world.north, "third")
    suspend(first, second)
    second.refresh_from_db()
    suspend(second, third)
    first.refresh_from_db()
    assert succession.current(first) == succession.current(second) == third
    third.refresh_from_db()
    lifecycle.change_state(third, State.RETIRED, successor=None)
    assert succession.current(Hotline.objects.get(pk=first.pk)) is None
    Hotline.objects.filter(pk=third.pk).update(successor=first)
    assert [hotline.name for hotline in succession.line(Hotline.objects.get(pk=first.pk))] == [
        first.name,
        "second",
        "third",
    ]
    Hotline.objects.filter(pk=first.pk).update(state=State.ACTIVE, state_reason="", successor=None)
    Hotline.objects.filter(pk=second.pk).update(state=State.ACTIVE, state_reason="", successor=first)
    with pytest.raises(ValidationError, match="circle"):
        suspend(Hotline.objects.get(pk=first.pk), second)


def test_it_comes_back_without_its_successor_and_another_organizations_number_takes_no_place(world: World) -> None:
    spare = number(world.north, "spare")
    suspend(world.north.hotline, spare)
    lifecycle.change_state(world.north.hotline, State.ACTIVE)
    assert (world.north.hotline.successor, succession.current(world.north.hotline)) == (None, world.north.hotline)
    foreign = number(world.south, "foreign")
    with pytest.raises(ValidationError, match="another organization"):
        suspend(world.north.hotline, foreign)
    foreign.refresh_from_db()
    assert foreign.state == State.DRAFT


# --- what is said -----------------------------------------------------------------------------------------------------
def page(user: Any, hotline: Hotline) -> str:
    client = Client(headers={"accept-language": "en"})
    client.force_login(user)
    return client.get(reverse("admin:hotlines_hotline_change", args=(hotline.pk,))).content.decode()


def test_the_hotlines_page_says_who_could_take_over_and_who_did(world: World) -> None:
    hotline, viewer = world.north.hotline, world.north.viewer
    assert "No number is ready to take its place." in page(viewer, hotline)
    spare = number(world.north, "spare")
    number(world.south, "foreign")
    assert "Ready to take its place within a minute: spare." in page(viewer, hotline)
    suspend(hotline, spare)
    assert "Partners show spare in its place. No sender is told." in page(viewer, hotline)
    lifecycle.change_state(spare, State.RETIRED)
    assert "Partners are told that no number takes its place." in page(viewer, hotline)


def test_the_dialog_offers_what_may_take_over_and_says_that_it_did(world: World) -> None:
    spare, silent = number(world.north, "spare"), number(world.north, "quiet one", State.SILENT)
    client = Client(headers={"accept-language": "en"})
    client.force_login(world.north.editor)
    address = reverse("admin:hotlines_hotline_change_state", args=(world.north.hotline.pk,))
    offered = client.get(address).content.decode()
    assert "spare (draft)" in offered
    assert silent.name not in offered
    posted = {"_form_submitted": "True", "state": "suspended", "reason": "raid", "successor": spare.pk}
    response = client.post(address, posted)
    assert "spare takes its place." in client.get(response["Location"]).content.decode()


@pytest.mark.parametrize(
    ("written", "refused"),
    [
        ("+33937001002", True),
        ("09 37 00 10 02", True),
        ("0033 (0)9.37.00-10 02", True),
        ("le 09\u00a037\u00a000\u00a010\u00a002 !", True),
        ("3919", False),
        ("09 37 00 10 03", False),
        ("09 37 00 10 0, puis 2", False),
        ("", False),
    ],
)
def test_no_sender_is_sent_a_number_of_the_organization(world: World, written: str, refused: bool) -> None:
    spare = number(world.north, "spare", ready=False)
    assert spare.number == "+33937001002"
    for tenant, purpose, wrong in (
        (world.north, "reply", refused),
        (world.north, "help", refused),
        (world.north, "suspended", False),
        (world.south, "reply", False),
    ):
        text = ReplyTemplate(
            organization=tenant.organization, language="en", purpose=purpose, text=f"Stop. {written}".strip()
        )
        try:
            text.full_clean()
            found = False
        except ValidationError as error:
            found = "would go on there" in str(error.message_dict.get("text"))
        assert found is wrong
