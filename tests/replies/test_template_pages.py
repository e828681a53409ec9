"""The pages of reply texts: the live count is the same count that saving and sending use."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse
from tests.world import World

from hotlines.models import Hotline
from replies import lint, segments
from replies.models import ReplyTemplate

COUNT = "/admin/replies/replytemplate/segments/"
ADD = "/admin/replies/replytemplate/add/"


def signed_in(user: User, *, csrf: bool = False) -> Client:
    client = Client(headers={"Accept-Language": "en"}, enforce_csrf_checks=csrf)
    client.force_login(user)
    return client


def counted(user: User, text: str) -> Any:
    return signed_in(user).post(COUNT, {"text": text})


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("Bonjour.", "1 SMS (GSM-7), 152 characters left in the last one"),
        ("a" * 160, "1 SMS (GSM-7), 0 characters left in the last one"),
        ("a" * 161, "2 SMS (GSM-7), 145 characters left in the last one"),
        ("l’a", "1 SMS (UCS-2), 67 characters left in the last one"),
        ("", "The text is empty."),
    ],
)
def test_the_count_says_what_the_text_costs(world: World, text: str, told: str) -> None:
    assert counted(world.north.editor, text).json()["summary"] == told


def test_the_count_is_the_one_of_segments(world: World) -> None:
    for text in ("x", "é" * 150, "ç" * 71, "😀" * 40, "€" * 90, "a\r\nb"):
        answer = counted(world.north.editor, text).json()
        right = segments.count(lint.normalized(text))
        assert (answer["segments"], answer["encoding"]) == (right.segments, right.encoding.name)


def test_a_cheaper_text_is_offered_where_it_saves_money(world: World) -> None:
    text = "C’est trop. " * 8
    answer = counted(world.north.editor, text).json()
    assert answer["segments"] == 2
    assert answer["cheaper"] == lint.cheaper(text)
    assert answer["offer"].endswith("it is 1 SMS.")
    assert answer["forcing"] == [{"char": "’", "name": "U+2019 RIGHT SINGLE QUOTATION MARK", "replacement": "'"}]
    assert counted(world.north.editor, "C’est trop.").json()["cheaper"] == ""


def test_what_saving_would_refuse_is_said_while_writing(world: World) -> None:
    assert "looks like a placeholder" in counted(world.north.editor, "Bonjour {name}").json()["problems"][0]
    assert counted(world.north.editor, "").json()["problems"] == []


def test_the_count_refuses_what_nobody_writes(world: World) -> None:
    assert counted(world.north.editor, "x" * 10_001).status_code == 413
    assert counted(world.north.viewer, "x").status_code == 403
    assert signed_in(world.north.editor, csrf=True).post(COUNT, {"text": "x"}).status_code == 403
    assert Client().post(COUNT, {"text": "x"}).status_code == 302


def test_a_text_is_stored_in_one_form(world: World) -> None:
    fields = {"hotline": world.north.hotline.pk, "purpose": "reply", "step": 2, "language": "fr"}
    text = " De\u0301sole\u0301.\r\nAdieu. "
    assert signed_in(world.north.editor).post(ADD, {**fields, "text": text}).status_code == 302
    assert ReplyTemplate.objects.get(step=2).text == "Désolé.\nAdieu."


def test_a_second_text_in_the_same_place_is_refused_in_words(world: World) -> None:
    client, fields = signed_in(world.north.editor), {"purpose": "reply", "step": 1, "language": "fr", "text": "x"}
    here = client.post(ADD, {**fields, "hotline": world.north.hotline.pk})
    assert "There is already a text for this purpose" in here.content.decode()
    assert client.post(ADD, fields).status_code == 302
    default = ReplyTemplate.objects.get(organization=world.north.organization, hotline=None)
    assert default.text == "x"
    assert "There is already a text for this purpose" in client.post(ADD, fields).content.decode()
    elsewhere = signed_in(world.south.editor).post(ADD, fields)
    assert elsewhere.status_code == 302
    change = reverse("admin:replies_replytemplate_change", args=(default.pk,))
    assert client.post(change, {**fields, "text": "y"}).status_code == 302


def test_a_text_that_no_phone_shows_is_refused(world: World) -> None:
    fields = {"hotline": world.north.hotline.pk, "purpose": "help", "step": 1, "language": "fr", "text": "a\ufffdb"}
    assert signed_in(world.north.editor).post(ADD, fields).status_code == 200
    assert not ReplyTemplate.objects.filter(purpose="help").exists()


def test_a_text_in_a_language_that_is_not_answered_is_taken_with_a_warning(world: World) -> None:
    fields = {"hotline": world.north.hotline.pk, "purpose": "reply", "step": 1, "language": "ar", "text": "كفى"}
    answer = signed_in(world.north.editor).post(ADD, fields, follow=True)
    assert "does not answer in this language yet" in answer.content.decode()
    assert '<bdi lang="ar">كفى</bdi>' in answer.content.decode()


def test_the_texts_of_the_kind_are_brought_by_one_click(world: World) -> None:
    hotline = world.north.hotline
    ReplyTemplate.objects.filter(hotline=hotline).delete()
    url = reverse("admin:replies_replytemplate_of_kind", args=(hotline.pk,))
    page = signed_in(world.north.editor).get(reverse("admin:hotlines_hotline_change", args=(hotline.pk,)))
    assert f'action="{url}"' in page.content.decode()
    assert "texts were added." in signed_in(world.north.editor).post(url, follow=True).content.decode()
    texts = ReplyTemplate.objects.filter(hotline=hotline).count()
    assert texts > 0
    assert "Nothing was missing" in signed_in(world.north.editor).post(url, follow=True).content.decode()
    assert ReplyTemplate.objects.filter(hotline=hotline).count() == texts
    for user in (world.north.viewer, world.south.owner):
        assert signed_in(user).post(url).status_code == 404


def test_taking_the_last_text_from_an_active_number_is_warned_of(world: World) -> None:
    hotline = world.north.hotline
    text = ReplyTemplate.objects.get(hotline=hotline, language="fr")
    delete = reverse("admin:replies_replytemplate_delete", args=(text.pk,))
    answer = signed_in(world.north.editor).post(delete, {"post": "yes"}, follow=True)
    assert "North line: There is no reply text in the default language (French)" in answer.content.decode()
    fields = {"purpose": "reply", "step": 1, "language": "fr", "text": "Bonsoir."}
    answer = signed_in(world.north.editor).post(ADD, fields, follow=True)
    assert "There is no reply text" not in answer.content.decode()


def test_the_list_tells_language_place_and_cost(world: World) -> None:
    ReplyTemplate.objects.create(organization=world.north.organization, language="fr", text="Par défaut.")
    shown = signed_in(world.north.viewer).get(reverse("admin:replies_replytemplate_changelist")).content.decode()
    for word in ("all hotlines (default)", "North line", "French", "English", "1 (GSM-7)"):
        assert word in shown


def test_the_form_offers_own_hotlines_and_no_other(world: World) -> None:
    form = signed_in(world.north.editor).get(ADD).context["adminform"].form
    assert list(form.fields["hotline"].queryset) == list(Hotline.objects.filter(organization=world.north.organization))
    assert "organization" not in form.fields


def test_the_list_of_many_texts_costs_no_more_queries(world: World, django_assert_max_num_queries: Any) -> None:
    for step in range(2, 9):
        for language in ("fr", "en", "es"):
            ReplyTemplate.objects.create(
                organization=world.north.organization,
                hotline=world.north.hotline,
                step=step,
                language=language,
                text="x",
            )
    client = signed_in(world.north.owner)
    with django_assert_max_num_queries(12):
        assert client.get(reverse("admin:replies_replytemplate_changelist")).status_code == 200
