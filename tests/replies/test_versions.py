"""A text is changed at once, or by two people; what it was stays to be read, and can be taken again."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.urls import reverse
from hypothesis import given
from hypothesis import strategies as st
from tests.people import signed_in
from tests.world import World

from hotlines.models import Hotline
from organizations.models import Organization
from replies import choosing, differences, history, readiness, text_files, versions
from replies.models import Purpose, ReplyTemplate, TextVersion

pytestmark = [pytest.mark.once, pytest.mark.usefixtures("in_english")]

OLD, NEW = "Réponse de North.", "Une autre réponse."


@pytest.fixture
def two_people(world: World) -> World:
    Organization.objects.filter(pk=world.north.organization.pk).update(texts_need_approval=True)
    return world


def template(world: World) -> ReplyTemplate:
    return ReplyTemplate.objects.get(hotline=world.north.hotline, language="fr")


def answered(world: World) -> str:
    hotline = Hotline.objects.get(pk=world.north.hotline.pk)
    choice = choosing.choose(hotline, purpose="reply", step=1, written="", remembered="fr", number=None)
    return choice.text if choice else ""


def states(world: World) -> list[tuple[str, str]]:
    rows = TextVersion.objects.filter(template__hotline=world.north.hotline).order_by("pk")
    return list(rows.values_list("text", "state"))


def page(row: ReplyTemplate, name: str = "change", *more: int) -> str:
    return reverse(f"admin:replies_replytemplate_{name}", args=(row.pk, *more))


def act(user: User, row: ReplyTemplate, name: str, **fields: str) -> Any:
    """What a dialog posts that she opened just now."""
    version = versions.waiting(row)
    seen = {"seen": str(version.pk if version else 0)}
    return signed_in(user).post(page(row, name), {"_form_submitted": "True", **seen, **fields}, follow=True)


# --- the rule ---------------------------------------------------------------------------------------------------------
def test_where_one_person_is_enough_a_text_is_used_at_once(world: World) -> None:
    versions.write(template(world), f" {NEW} ", world.north.editor)
    assert answered(world) == NEW
    assert states(world) == [(OLD, "used"), (NEW, "used")]


def test_where_two_are_wanted_it_waits_and_the_old_one_is_sent(two_people: World) -> None:
    version = versions.write(template(two_people), NEW, two_people.north.editor)
    assert (answered(two_people), states(two_people)) == (OLD, [(OLD, "used"), (NEW, "waits")])
    with pytest.raises(ValidationError, match="You wrote this text"):
        versions.approve(version, two_people.north.editor)
    assert answered(two_people) == OLD
    versions.approve(version, two_people.north.owner)
    assert (answered(two_people), states(two_people)) == (NEW, [(OLD, "used"), (NEW, "used")])
    with pytest.raises(ValidationError, match="decided about"):
        versions.refuse(version, two_people.north.owner, "late")


def test_a_refused_text_is_never_sent(two_people: World) -> None:
    version = versions.write(template(two_people), NEW, two_people.north.editor)
    versions.refuse(version, two_people.north.owner, "too harsh")
    version.refresh_from_db()
    assert (answered(two_people), version.state, version.reason) == (OLD, "refused", "too harsh")


def test_a_newer_text_takes_the_place_of_the_one_that_waits(two_people: World) -> None:
    older = versions.write(template(two_people), NEW, two_people.north.editor)
    versions.write(template(two_people), "Encore une autre.", two_people.north.owner)
    assert [state for _text, state in states(two_people)] == ["used", "refused", "waits"]
    with pytest.raises(ValidationError):
        versions.approve(older, two_people.north.owner)


def test_a_new_text_that_waits_is_sent_to_nobody_and_counts_for_nothing(two_people: World) -> None:
    hotline = two_people.north.hotline
    ReplyTemplate.objects.filter(organization=hotline.organization).delete()
    version = versions.write(versions.new(hotline, "fr", "reply", 1), NEW, two_people.north.editor)
    assert (answered(two_people), len(readiness.texts_missing(hotline))) == ("", 1)
    versions.approve(version, two_people.north.owner)
    assert (answered(two_people), readiness.texts_missing(hotline)) == (NEW, [])


@pytest.mark.parametrize("text", ["", "{prénom}", "x" * 3000])
def test_what_may_not_be_sent_is_neither_used_nor_kept(world: World, text: str) -> None:
    with pytest.raises(ValidationError):
        versions.write(template(world), text, world.north.editor)
    assert (answered(world), states(world)) == (OLD, [])


def test_a_text_that_may_no_longer_be_sent_is_not_approved(two_people: World) -> None:
    number = "+33937000077"
    version = versions.write(template(two_people), f"Écrivez au {number}.", two_people.north.editor)
    Hotline.objects.filter(pk=two_people.north.hotline.pk).update(number=number)
    with pytest.raises(ValidationError, match="stands in the text"):
        versions.approve(version, two_people.north.owner)
    assert answered(two_people) == OLD


def test_a_translators_file_waits_as_well(two_people: World) -> None:
    hotline, place = two_people.north.hotline, (Purpose.REPLY, 1)
    text_files.apply(hotline, "fr", {place: NEW}, two_people.north.editor)
    assert (answered(two_people), states(two_people)[-1]) == (OLD, (NEW, "waits"))


def test_a_recording_is_a_text_too(two_people: World) -> None:
    row = template(two_people)
    version = versions.hear_again(row, two_people.north.editor)
    assert (version is not None, answered(two_people)) == (True, "Reply of North.")
    Organization.objects.update(texts_need_approval=False)
    assert versions.hear_again(row, two_people.north.editor) is None


# --- the pages --------------------------------------------------------------------------------------------------------
def fields(world: World, **changed: str) -> dict[str, str]:
    row = template(world)
    place = {"hotline": str(row.hotline_id), "purpose": row.purpose, "step": "1", "language": "fr", "arm": "a"}
    return {**place, "text": row.text, **changed}


def test_a_text_is_written_by_one_and_approved_by_another(two_people: World) -> None:
    north, row = two_people.north, template(two_people)
    shown = signed_in(north.editor).post(page(row), fields(two_people, text=NEW), follow=True).content.decode()
    assert "somebody else has approved it" in shown
    assert answered(two_people) == OLD
    assert "You wrote this text" in act(north.editor, row, "approve").content.decode()
    assert NEW in signed_in(north.owner).get(page(row, "approve")).content.decode()
    assert act(north.viewer, row, "approve").status_code == 403
    assert act(two_people.south.owner, row, "approve").status_code == 404
    assert "sent from now on" in act(north.owner, row, "approve").content.decode()
    assert answered(two_people) == NEW
    assert "decided about" in act(north.owner, row, "approve").content.decode()


@pytest.mark.parametrize("name", ["approve", "refuse"])
def test_nobody_decides_about_a_text_that_she_has_not_read(two_people: World, name: str) -> None:
    north, row = two_people.north, template(two_people)
    read = versions.write(row, NEW, north.editor)
    assert f'value="{read.pk}"' in signed_in(north.owner).get(page(row, name)).content.decode()
    versions.write(template(two_people), "Plus récent.", north.editor)
    refused = act(north.owner, row, name, seen=str(read.pk), reason="x").content.decode()
    assert "A newer text waits." in refused
    assert [state for _text, state in states(two_people)][-1] == "waits"
    assert answered(two_people) == OLD


def test_a_refusal_says_why(two_people: World) -> None:
    north, row = two_people.north, template(two_people)
    signed_in(north.owner).post(page(row), fields(two_people, text=NEW))
    act(north.editor, row, "refuse", reason="too harsh")
    shown = signed_in(north.viewer).get(page(row)).content.decode()
    assert "too harsh" in shown
    assert answered(two_people) == OLD


def test_who_approved_a_text_approved_its_place(two_people: World) -> None:
    row = template(two_people)
    signed_in(two_people.north.editor).post(page(row), fields(two_people, purpose="help", language="en"))
    row.refresh_from_db()
    assert (row.purpose, row.language) == ("reply", "fr")


def test_a_new_text_in_the_form_waits(two_people: World) -> None:
    url = reverse("admin:replies_replytemplate_add")
    signed_in(two_people.north.editor).post(url, fields(two_people, step="2", text=NEW))
    row = ReplyTemplate.objects.get(hotline=two_people.north.hotline, step=2)
    assert (row.approved, versions.waiting(row) is not None) == (False, True)
    hotline = reverse("admin:hotlines_hotline_change", args=(two_people.north.hotline.pk,))
    assert "waits for approval" in signed_in(two_people.north.viewer).get(hotline).content.decode()


def test_one_goes_back_to_an_older_text(world: World) -> None:
    north, row = world.north, template(world)
    last = row.updated_at
    signed_in(north.editor).post(page(row), fields(world, text=NEW))
    older = TextVersion.objects.get(text=OLD)
    assert older.written_at == last
    shown = signed_in(north.viewer).get(page(row)).content.decode()
    assert "<ins>" in shown
    assert "Use this text again" not in shown
    assert signed_in(north.viewer).post(page(row, "again", older.pk)).status_code == 403
    assert signed_in(world.south.owner).post(page(row, "again", older.pk)).status_code == 404
    foreign = ReplyTemplate.objects.filter(hotline=world.south.hotline).first()
    assert foreign is not None
    assert signed_in(world.south.owner).post(page(foreign, "again", older.pk)).status_code == 404
    assert answered(world) == NEW
    signed_in(north.editor).post(page(row, "again", older.pk))
    assert answered(world) == OLD
    assert [entry.version.text for entry in history.of(template(world))] == [OLD, NEW, OLD]


# --- side by side -----------------------------------------------------------------------------------------------------


# --- differences ------------------------------------------------------------------------------------------------------
WORDS = st.lists(st.sampled_from(["a", "b", "c", " ", "\n", "d e"]), max_size=12).map("".join)


@given(before=WORDS | st.text(max_size=40), after=WORDS | st.text(max_size=40))
def test_a_difference_holds_both_texts(before: str, after: str) -> None:
    pieces = differences.between(before, after)
    assert "".join(piece.text for piece in pieces if piece.kind != "in") == before
    assert "".join(piece.text for piece in pieces if piece.kind != "out") == after
    assert all(piece.text for piece in pieces)
    if before == after:
        assert all(piece.kind == "same" for piece in pieces)
