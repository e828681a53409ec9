"""An owner sets up what the public sees."""

from __future__ import annotations

from typing import Any

import pytest
from django.urls import reverse
from tests.people import signed_in
from tests.world import World

from pages.models import Page

pytestmark = [pytest.mark.once, pytest.mark.usefixtures("in_english")]

ADD = "/admin/pages/page/add/"


def fields(world: World, **changes: Any) -> dict[str, Any]:
    return {
        "name": "Anti-relous",
        "slug": "anti-relous",
        "hotline": world.north.hotline.pk,
        "contact_name": "Camille",
        "published": "on",
        "name_en": "No more pests",
        "about_fr": "À donner à la place du vôtre.",
        **changes,
    }


def test_a_page_is_made_with_words_of_each_language(world: World) -> None:
    answer = signed_in(world.north.editor).post(ADD, fields(world))
    assert answer.status_code == 302, answer.context["adminform"].form.errors
    page = Page.objects.get()
    assert (page.organization, page.names, page.abouts) == (
        world.north.organization,
        {"en": "No more pests"},
        {"fr": "À donner à la place du vôtre."},
    )
    shown = signed_in(world.north.viewer).get(reverse("admin:pages_page_change", args=(page.pk,)))
    assert shown.status_code == 200
    listed = signed_in(world.north.owner).get(reverse("admin:pages_page_changelist")).content.decode()
    assert world.north.hotline.number in listed
    dated = fields(world, helplines_checked_on="2026-11-02")
    url = reverse("admin:pages_page_change", args=(page.pk,))
    assert signed_in(world.north.editor).post(url, dated).status_code == 302
    again = signed_in(world.north.editor).get(url).content.decode()
    assert 'type="date"' in again
    assert 'value="2026-11-02"' in again
    changed = signed_in(world.north.editor).get(reverse("admin:pages_page_change", args=(page.pk,))).content.decode()
    assert 'value="No more pests"' in changed


@pytest.mark.parametrize("slug", ["Anti", "a_b", "-a", "a--b", "", "a" * 41])
def test_an_address_that_nobody_can_type_is_refused(world: World, slug: str) -> None:
    assert signed_in(world.north.editor).post(ADD, fields(world, slug=slug)).status_code == 200
    assert not Page.objects.exists()


def test_another_organizations_number_is_not_offered_and_not_taken(world: World) -> None:
    answer = signed_in(world.north.editor).post(ADD, fields(world, hotline=world.south.hotline.pk))
    assert answer.status_code == 200
    assert not Page.objects.exists()


def test_an_address_belongs_to_one_organization_and_says_nothing_of_the_other(world: World) -> None:
    Page.objects.create(organization=world.south.organization, slug="anti-relous", name="South")
    answer = signed_in(world.north.editor).post(ADD, fields(world))
    assert answer.status_code == 200
    assert "South" not in answer.content.decode()
