"""The pages of webhooks and deliveries, as an owner uses them."""

from __future__ import annotations

from typing import Any

import pytest
from django.urls import reverse
from django.utils import timezone
from tests.partners.receiver import Receiver
from tests.partners.test_events import endpoint
from tests.people import signed_in
from tests.world import World

from partners import delivering, events
from partners.models import Delivery, Endpoint, Event


def page(name: str, *arguments: Any) -> str:
    return reverse(f"admin:partners_{name}", args=arguments)


def test_an_owner_sets_one_up_reads_its_key_tries_it_and_sees_what_became_of_it(world: World, settings: Any) -> None:
    settings.WEBHOOKS_MAY_STAY_HERE = True
    client = signed_in(world.north.owner)
    with Receiver() as receiver:
        fields = {"label": "our desk", "url": receiver.url, "audience": "own", "signature": "hmac"}
        assert client.post(page("endpoint_add"), fields).status_code == 302
        row = Endpoint.objects.get()
        assert (row.organization, row.secret[:6]) == (world.north.organization, "whsec_")
        assert row.secret in client.get(page("endpoint_secret", row.pk)).content.decode()
        assert row.secret not in client.get(page("endpoint_change", row.pk)).content.decode()
        assert client.post(page("endpoint_test", row.pk), {"_form_submitted": "True"}).status_code == 302
        assert delivering.deliver(timezone.now()) == 1
        assert receiver.received[0].verified(row.secret)["type"] == "test"
    listed = client.get(page("delivery_changelist")).content.decode()
    assert "delivered" in listed
    delivery = Delivery.objects.get()
    assert client.post(page("delivery_send_again", delivery.pk), {"_form_submitted": "True"}).status_code == 302
    delivery.refresh_from_db()
    assert (delivery.delivered_at, delivery.next_attempt_at is None) == (None, False)


def test_its_key_stays_when_it_is_changed(world: World) -> None:
    row, client = endpoint(world.north), signed_in(world.north.owner)
    before = row.secret
    fields = {"label": "renamed", "url": row.url, "audience": "partner"}
    assert client.post(page("endpoint_change", row.pk), fields).status_code == 302
    row.refresh_from_db()
    assert (row.label, row.audience, row.secret) == ("renamed", "partner", before)


@pytest.mark.parametrize("url", ["http://example.org/", "https://a:b@example.org/", "https:///x", "here"])
def test_an_address_that_may_not_be_is_refused_where_it_is_entered(world: World, settings: Any, url: str) -> None:
    settings.WEBHOOKS_MAY_STAY_HERE = False
    response = signed_in(world.north.owner).post(
        page("endpoint_add"), {"label": "hook", "url": url, "audience": "own", "signature": "hmac"}
    )
    assert response.status_code == 200
    assert "The address must" in response.content.decode()
    assert not Endpoint.objects.exists()


def test_one_that_is_paused_is_sent_nothing_and_its_list_says_so(world: World) -> None:
    row, client = endpoint(world.north), signed_in(world.north.owner)
    events.write_test(row, timezone.now())
    assert client.post(page("endpoint_pause", row.pk), {"_form_submitted": "True"}).status_code == 302
    assert delivering.deliver(timezone.now()) == 0
    assert "paused" in client.get(page("endpoint_changelist")).content.decode()
    refused = client.post(page("endpoint_test", row.pk), {"_form_submitted": "True"})
    assert "This webhook is paused. Resume it first." in refused.content.decode()
    assert Event.objects.count() == 1
    assert client.post(page("endpoint_resume", row.pk), {"_form_submitted": "True"}).status_code == 302
    row.refresh_from_db()
    assert (row.paused_at, row.paused_reason) == (None, "")
    Delivery.objects.update(attempts=1)
    assert "does not answer" in client.get(page("endpoint_changelist")).content.decode()
