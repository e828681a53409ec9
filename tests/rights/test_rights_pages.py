"""Staff sees who asked, and answers letters; each page says no more than it must."""

from __future__ import annotations

import datetime
import json
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.test import Client
from django.urls import reverse
from tests.people import signed_in
from tests.world import SENDER, World
from tests.writing import write

from rights.models import DataRequest

ENTER = reverse("admin:rights_datarequest_enter")


def letter(world: World, **changes: Any) -> dict[str, Any]:
    organization = world.north.organization.pk
    return {"organization": organization, "number": f"+{SENDER}", "reference": "2026-17", "proof": "on", **changes}


def test_a_letter_is_looked_up_and_its_number_forgotten(world: World) -> None:
    message = write(world.north, "T’es où ?")
    write(world.south, "for another organization")
    client = signed_in(world.north.editor)
    response = client.post(ENTER, letter(world), follow=True)
    asked = DataRequest.objects.get()
    assert (asked.channel, asked.author) == ("letter", world.north.editor)
    assert asked.conversations == [message.conversation_id]
    shown = response.content.decode()
    assert "1 conversation was found" in shown
    assert message.conversation is not None
    assert message.conversation.pseudonym in shown
    assert SENDER not in shown
    assert not any(SENDER in str(value) for value in DataRequest.objects.values_list().get())


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"number": "0612345678"}, "country code"),
        ({"number": "somebody"}, "country code"),
        ({"proof": ""}, "anybody could read"),
        ({"reference": ""}, "required"),
        ({"organization": 0}, "valid choice"),
    ],
)
def test_what_is_missing_is_said_and_nothing_is_written(world: World, changes: dict[str, Any], said: str) -> None:
    response = signed_in(world.north.editor).post(ENTER, letter(world, **changes))
    assert response.status_code == 400
    assert said in response.content.decode()
    assert not DataRequest.objects.exists()


def test_no_letter_is_answered_for_another_organization(world: World) -> None:
    write(world.south, "for another organization")
    response = signed_in(world.north.owner).post(ENTER, letter(world, organization=world.south.organization.pk))
    assert response.status_code == 400
    assert not DataRequest.objects.exists()


def test_only_an_owner_gets_the_file_and_it_is_recorded(world: World) -> None:
    write(world.north, "T’es où ?")
    signed_in(world.north.editor).post(ENTER, letter(world))
    file = reverse("admin:rights_datarequest_data", args=[DataRequest.objects.get().pk])
    assert signed_in(world.north.editor).get(file).status_code == 403
    assert signed_in(world.south.owner).get(file).status_code == 404
    before = LogEntry.objects.count()
    content = json.loads(signed_in(world.north.owner).get(file).content)
    assert content["conversations"][0]["messages"][0]["text"] == "T’es où ?"
    assert SENDER not in json.dumps(content)
    assert LogEntry.objects.count() == before + 1


def test_what_somebody_proved_himself_is_no_file_for_staff(world: World) -> None:
    visitor = Client()
    visitor.post(reverse("rights:begin", args=[world.north.hotline.uuid]))
    asked = DataRequest.objects.get()
    file = reverse("admin:rights_datarequest_data", args=[asked.pk])
    assert signed_in(world.north.owner).get(file).status_code == 403
    page = reverse("admin:rights_datarequest_change", args=[asked.pk])
    shown = signed_in(world.north.owner).get(page)
    assert shown.context["actions_detail"] == []
    assert "Not known before the code has come" in shown.content.decode()


def test_an_owner_has_a_letters_data_erased(world: World) -> None:
    write(world.north, "T’es où ?")
    owner = signed_in(world.north.owner)
    owner.post(ENTER, letter(world))
    asked = DataRequest.objects.get()
    page = reverse("admin:rights_datarequest_change", args=[asked.pk])
    assert [button["title"] for button in owner.get(page).context["actions_detail"]] == ["Get what is stored", "Erase"]
    erase = reverse("admin:rights_datarequest_erase", args=[asked.pk])
    assert owner.post(erase, {"_form_submitted": "True"}).status_code == 302
    asked.refresh_from_db()
    assert asked.erase_at is not None
    assert "erasure waits" in owner.get(reverse("admin:rights_datarequest_changelist")).content.decode()


def test_a_hotlines_page_tells_the_public_address_and_its_times_are_the_countrys(world: World) -> None:
    hotline = world.north.hotline
    shown = signed_in(world.north.viewer).get(reverse("admin:hotlines_hotline_change", args=[hotline.pk]))
    address = reverse("rights:begin", args=[hotline.uuid])
    assert f'href="https://hotline.example.org{address}"' in shown.content.decode()
    world.north.organization.time_zone = "Pacific/Kiritimati"
    world.north.organization.save()
    visitor = Client(headers={"accept-language": "fr"})
    page = visitor.post(address)["Location"]
    until = DataRequest.objects.get().created_at + datetime.timedelta(hours=15)
    assert f"jusqu’à {until:%H:%M}" in visitor.get(page).content.decode()
