"""All texts of a number in one language are written on one page, beside those of another."""

from __future__ import annotations

import html
import re
from typing import Any

import pytest
from django.urls import reverse
from tests.people import signed_in
from tests.world import World

from organizations.models import Organization
from replies import versions
from replies.models import ReplyTemplate

pytestmark = [pytest.mark.once, pytest.mark.usefixtures("in_english")]

OLD = "Réponse de North."


def desk(world: World, language: str = "en") -> str:
    return reverse("admin:replies_replytemplate_desk", args=(world.north.hotline.pk, language))


def test_languages_stand_side_by_side_and_are_saved_together(world: World) -> None:
    hotline, client = world.north.hotline, signed_in(world.north.editor)
    versions.write(versions.new(hotline, "fr", "reply", 2), "Encore.", world.north.owner)
    versions.write(versions.new(hotline, "fr", "help", 1), "Aide.", world.north.owner)
    shown = client.get(desk(world)).content.decode()
    assert shown.count("not translated yet") == 2
    assert OLD in shown
    posted = {
        "text-reply-1": "Another reply.",
        "text-reply-2": "Again.",
        "text-help-1": "",
        "text-final-1": "Not asked.",
    }
    done = client.post(desk(world), posted, follow=True).content.decode()
    assert "2 texts were taken." in done
    rows = ReplyTemplate.objects.filter(hotline=hotline, language="en").order_by("purpose", "step")
    assert list(rows.values_list("purpose", "step", "text")) == [("reply", 1, "Another reply."), ("reply", 2, "Again.")]


def test_what_may_not_be_sent_stays_in_its_field_and_the_rest_is_taken(world: World) -> None:
    versions.write(versions.new(world.north.hotline, "fr", "reply", 2), "Encore.", world.north.owner)
    posted = {"text-reply-1": "Hello {name}", "text-reply-2": "Again."}
    response = signed_in(world.north.editor).post(desk(world), posted)
    shown = response.content.decode()
    assert (response.status_code, "looks like a placeholder" in shown, "Hello {name}" in shown) == (400, True, True)
    assert ReplyTemplate.objects.get(language="en", step=2, hotline=world.north.hotline).text == "Again."


def shown_at(client: Any, url: str) -> dict[str, str]:
    """The desk's form as a browser would post it."""
    page = client.get(url).content.decode()
    fields = {
        name: html.unescape(text)
        for name, text in re.findall(r'<textarea[^>]*name="([^"]+)"[^>]*>\n?(.*?)</textarea>', page, re.DOTALL)
    }
    return fields | dict(re.findall(r'<input type="hidden" name="(shown-[^"]+)" value="([^"]+)"', page))


def test_a_desk_that_was_open_writes_nothing_back(world: World) -> None:
    versions.write(versions.new(world.north.hotline, "fr", "final", 1), "Fin.", world.north.owner)
    client, other = signed_in(world.north.editor), signed_in(world.north.owner)
    stale = shown_at(client, desk(world))
    other.post(desk(world), shown_at(other, desk(world)) | {"text-reply-1": "Changed by somebody else."})
    answer = client.post(desk(world), stale | {"text-final-1": "Changed by me."}, follow=True)
    assert answer.status_code == 200
    now = shown_at(client, desk(world))
    assert (now["text-reply-1"], now["text-final-1"]) == ("Changed by somebody else.", "Changed by me.")


def test_two_who_write_the_same_place_are_told(world: World) -> None:
    client, other = signed_in(world.north.editor), signed_in(world.north.owner)
    stale = shown_at(client, desk(world))
    other.post(desk(world), shown_at(other, desk(world)) | {"text-reply-1": "Changed by somebody else."})
    refused = client.post(desk(world), stale | {"text-reply-1": "Changed by me."})
    said = refused.content.decode()
    assert (refused.status_code, "Changed by somebody else." in said, "Changed by me." in said) == (400, True, True)
    again = dict(re.findall(r'name="(shown-reply-1)" value="([^"]+)"', said))
    client.post(desk(world), stale | {"text-reply-1": "Changed by me."} | again)
    assert shown_at(client, desk(world))["text-reply-1"] == "Changed by me."


def test_a_desk_goes_on_with_the_text_that_waits(world: World) -> None:
    organization = world.north.organization
    Organization.objects.filter(pk=organization.pk).update(texts_need_approval=True)
    client = signed_in(world.north.editor)
    before = shown_at(client, desk(world))
    client.post(desk(world), before | {"text-reply-1": "Waits."})
    page = client.get(desk(world)).content.decode()
    assert shown_at(client, desk(world))["text-reply-1"] == "Waits."
    assert f"“{html.escape(before['text-reply-1'])}”" in page
    index = client.get(reverse("admin:index")).content.decode()
    assert "1 text waits for approval" in index
    listed = client.get(reverse("admin:replies_replytemplate_changelist"), {"waits": "yes"})
    assert [row.text for row in listed.context["cl"].result_list] == [before["text-reply-1"]]
    assert "waits for approval" not in signed_in(world.south.owner).get(reverse("admin:index")).content.decode()


def test_a_desk_is_read_by_all_and_written_by_editors(world: World) -> None:
    assert "<textarea" not in signed_in(world.north.viewer).get(desk(world)).content.decode()
    assert signed_in(world.north.viewer).post(desk(world), {"text-reply-1": "x"}).status_code == 403
    assert signed_in(world.south.owner).get(desk(world)).status_code == 404
    assert signed_in(world.north.editor).get(desk(world, "xx")).status_code == 404


def test_the_count_says_what_a_thousand_cost(world: World) -> None:
    url, editor = reverse("admin:replies_replytemplate_segments"), signed_in(world.north.editor)
    type(world.north.account).objects.filter(pk=world.north.account.pk).update(price_out="0.07")
    pk = str(world.north.hotline.pk)
    assert "1,000 of them cost 70.00\xa0EUR." in editor.post(url, {"text": "a", "hotline": pk}).json()["summary"]
    for other in ("", "x", "9" * 40, str(world.south.hotline.pk)):
        assert "cost" not in editor.post(url, {"text": "a", "hotline": other}).json()["summary"]
