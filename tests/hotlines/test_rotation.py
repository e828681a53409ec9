"""Numbers of a campaign are given away in turn, and none that is not well."""

from __future__ import annotations

import datetime
from collections import Counter
from typing import Any

import pytest
from django.urls import reverse
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st
from tests.people import signed_in
from tests.world import World

from hotlines import rotation
from hotlines.models import Account, Campaign, Hotline
from shield.models import HotlineLevel

pytestmark = pytest.mark.once

NOW = datetime.datetime(2026, 11, 30, 12, tzinfo=datetime.UTC)
DAY = datetime.timedelta(days=1)


@pytest.fixture
def campaign(world: World) -> Campaign:
    """Of three numbers, another every day."""
    north = world.north
    campaign = Campaign.objects.create(organization=north.organization, name="Métro", turn="day")
    Hotline.objects.filter(pk=north.hotline.pk).update(campaign=campaign)
    for number in range(2):
        Hotline.objects.create(
            organization=north.organization,
            account=north.account,
            campaign=campaign,
            name=f"Line {number}",
            number=f"+3393700008{number}",
            kind="lgbt",
            state="active",
        )
    return campaign


def shown(campaign: Campaign, now: datetime.datetime = NOW) -> Hotline | None:
    return rotation.standing(campaign, now).shown


def doubts(campaign: Campaign) -> list[str]:
    return [member.doubt for member in rotation.standing(campaign, timezone.now()).members]


def test_every_number_has_its_day(campaign: Campaign) -> None:
    days = Counter(shown(campaign, NOW + number * DAY) for number in range(9))
    assert sorted(days.values()) == [3, 3, 3]
    assert shown(campaign, NOW) != shown(campaign, NOW + DAY)


def test_a_day_is_one_of_the_organizations_clock(campaign: Campaign) -> None:
    midnight = datetime.datetime(2026, 11, 30, 23, tzinfo=datetime.UTC)  # in Paris
    assert shown(campaign, midnight - datetime.timedelta(seconds=1)) != shown(campaign, midnight)


@given(st.sampled_from(["never", "day", "week"]), st.integers(1, 9), st.dates(datetime.date(2024, 1, 1)))
def test_a_turn_is_one_of_the_numbers_and_lasts_its_time(kind: str, numbers: int, day: datetime.date) -> None:
    place = rotation.turn(kind, numbers, day)
    assert 0 <= place < numbers
    monday = day - datetime.timedelta(days=day.weekday())
    if kind == "week":
        assert place == rotation.turn(kind, numbers, monday)
    if kind == "never":
        assert place == 0


def silent(hotline: Hotline) -> None:
    Hotline.objects.filter(pk=hotline.pk).update(state="silent")


def raided(hotline: Hotline) -> None:
    HotlineLevel.objects.filter(hotline=hotline).delete()
    HotlineLevel.objects.create(hotline=hotline, level="raid", detected="raid", since=NOW, raised_at=NOW)


def paused(hotline: Hotline) -> None:
    Account.objects.filter(pk=hotline.account_id).update(sending_paused_at=NOW, sending_paused_reason="no credit")


def unanswered(hotline: Hotline) -> None:
    later = timezone.now() + datetime.timedelta(seconds=30)
    Account.objects.filter(pk=hotline.account_id).update(
        next_attempt_at=later, unanswered=5, unanswered_since=timezone.now(), attempt_wait=30
    )


@pytest.mark.parametrize("done", [silent, raided])
def test_a_number_that_is_not_well_is_passed_over(campaign: Campaign, done: Any) -> None:
    hotline = shown(campaign)
    assert hotline is not None
    done(hotline)
    assert [bool(doubt) for doubt in doubts(campaign)].count(True) == 1
    assert {shown(campaign, NOW + number * DAY) for number in range(6)} == set(campaign.hotlines.exclude(pk=hotline.pk))


@pytest.mark.parametrize("done", [paused, unanswered])
def test_where_none_can_send_none_is_given_away(campaign: Campaign, done: Any) -> None:
    first = campaign.hotlines.first()
    assert first is not None
    done(first)
    assert (all(doubts(campaign)), shown(campaign, timezone.now())) == (True, None)


def test_a_campaign_without_numbers_gives_none(world: World) -> None:
    assert shown(Campaign.objects.create(organization=world.north.organization, name="leer")) is None


# --- the page ---------------------------------------------------------------------------------------------------------
def test_the_page_shows_which_number_is_given_away_and_why_another_is_not(world: World, campaign: Campaign) -> None:
    raided(world.north.hotline)
    page = reverse("admin:hotlines_campaign_change", args=(campaign.pk,))
    seen = signed_in(world.north.viewer).get(page).content.decode()
    assert "It is being raided." in seen
    assert "<strong>now</strong>" in seen
    assert signed_in(world.south.owner).get(page).status_code == 404
    assert "Métro" in signed_in(world.north.viewer).get("/admin/hotlines/campaign/").content.decode()


def test_a_list_of_campaigns_costs_what_one_costs(
    world: World, campaign: Campaign, django_assert_max_num_queries: Any
) -> None:
    client = signed_in(world.north.viewer)
    client.get("/admin/hotlines/campaign/")
    for number in range(20):
        Campaign.objects.create(organization=world.north.organization, name=f"C{number}")
    with django_assert_max_num_queries(12):
        seen = client.get("/admin/hotlines/campaign/").content.decode()
    assert seen.count("none is well") == 20


def test_a_number_joins_a_campaign_of_its_own_organization_alone(world: World, campaign: Campaign) -> None:
    page = reverse("admin:hotlines_hotline_change", args=(world.south.hotline.pk,))
    client = signed_in(world.south.owner)
    form = client.get(page).context["adminform"].form
    assert list(form.fields["campaign"].queryset) == []
    posted = {name: form[name].value() for name in form.fields}
    posted = {name: "" if value is None else value for name, value in posted.items()}
    assert client.post(page, {**posted, "campaign": str(campaign.pk)}).status_code == 200
    assert Hotline.objects.get(pk=world.south.hotline.pk).campaign is None
