"""An organization makes kinds of its own numbers: without code, and for itself alone."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.urls import reverse
from tests.people import signed_in
from tests.world import Tenant, World

from hotlines import lifecycle
from hotlines.models import Hotline, OwnKind
from replies.models import ReplyTemplate

pytestmark = pytest.mark.once


def make(tenant: Tenant, name: str = "festival", user: User | None = None) -> Any:
    page = reverse("admin:hotlines_hotline_make_kind", args=(tenant.hotline.pk,))
    return signed_in(user or tenant.editor).post(page, {"_form_submitted": "True", "name": name}, follow=True)


def add(tenant: Tenant, kind: str, number: str = "+33937000055") -> Any:
    fields = {
        "name": "Second",
        "number": number,
        "account": tenant.account.pk,
        "kind": kind,
        "languages": ["fr", "en", "de"],
        "default_language": "fr",
        "countries": ["FR"],
    }
    return signed_in(tenant.owner).post(reverse("admin:hotlines_hotline_add"), fields)


def test_a_new_number_begins_as_the_one_its_kind_was_made_of(world: World) -> None:
    north = world.north
    Hotline.objects.filter(pk=north.hotline.pk).update(reply_limit=3, delay_seconds=120, window_hours=12)
    assert "can be chosen as the kind" in make(north).content.decode()
    Hotline.objects.filter(pk=north.hotline.pk).update(reply_limit=9)
    ReplyTemplate.objects.filter(hotline=north.hotline, language="fr").update(text="Changé depuis.")
    assert add(north, "festival").status_code == 302
    row = Hotline.objects.get(number="+33937000055")
    assert (row.kind_label, row.reply_limit, row.delay_seconds, row.window_hours) == ("festival", 3, 120, 12)
    texts = dict(row.reply_templates.values_list("language", "text"))
    assert texts == {"fr": "Réponse de North.", "en": "Reply of North."}


def test_a_kind_is_chosen_by_its_organization_alone(world: World) -> None:
    make(world.north)
    page = reverse("admin:hotlines_hotline_add")
    assert "festival" in signed_in(world.north.owner).get(page).content.decode()
    assert "festival" not in signed_in(world.south.owner).get(page).content.decode()
    assert add(world.south, "festival").status_code == 200
    assert not Hotline.objects.filter(number="+33937000055").exists()
    with pytest.raises(OwnKind.DoesNotExist):
        lifecycle.begin(Hotline(organization=world.south.organization, kind="festival"))


@pytest.mark.parametrize("name", ["", "  ", "lgbt", "x" * 41])
def test_a_kind_has_a_name_of_its_own(world: World, name: str) -> None:
    make(world.north, name)
    assert not OwnKind.objects.exists()


def test_two_kinds_of_one_name_are_not_made(world: World) -> None:
    make(world.north)
    assert "already exists" in make(world.north).content.decode()
    assert OwnKind.objects.count() == 1
    with pytest.raises(ValidationError):
        lifecycle.make_kind(world.north.hotline, "festival")
    make(world.south)
    assert OwnKind.objects.count() == 2


def test_viewers_make_none_and_nobody_makes_one_of_another_organizations_number(world: World) -> None:
    assert make(world.north, user=world.north.viewer).status_code == 403
    assert make(world.north, user=world.south.owner).status_code == 404
    assert not OwnKind.objects.exists()


def test_a_number_outlives_its_kind(world: World) -> None:
    make(world.north)
    add(world.north, "festival")
    row = Hotline.objects.get(number="+33937000055")
    kind = OwnKind.objects.get()
    page = reverse("admin:hotlines_ownkind_delete", args=(kind.pk,))
    assert signed_in(world.north.editor).post(page, {"post": "yes"}).status_code == 302
    shown = signed_in(world.north.owner).get(reverse("admin:hotlines_hotline_change", args=(row.pk,)))
    assert (shown.status_code, "festival" in shown.content.decode()) == (200, True)
    brought = reverse("admin:replies_replytemplate_of_kind", args=(row.pk,))
    assert signed_in(world.north.editor).post(brought, follow=True).status_code == 200


def test_numbers_are_listed_by_kind(world: World) -> None:
    make(world.north)
    add(world.north, "festival")
    client = signed_in(world.north.viewer)
    assert client.get("/admin/hotlines/hotline/", {"kind": "festival"}).context["cl"].result_count == 1
