"""The way of a new number until it answers: what each step says while it is open, and once it is done."""

from __future__ import annotations

import datetime
import decimal

import pytest
from django.urls import reverse
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.people import signed_in
from tests.world import World
from tests.writing import write

from conversations import testers
from conversations.models import Conversation
from hotlines.guide import Standing, Step
from hotlines.models import Account, Hotline
from replies.models import ReplyTemplate
from shield import preview

pytestmark = [pytest.mark.once, pytest.mark.usefixtures("in_english")]

DONE, ADVICE, TODO = Standing.DONE, Standing.ADVICE, Standing.TODO


def steps(world: World, **asked: str) -> dict[str, Step]:
    url = reverse("admin:hotlines_hotline_guide", args=(world.north.hotline.pk,))
    response = signed_in(world.north.viewer).get(url, asked)
    assert response.status_code == 200
    return {step.title: step for step in response.context["steps"]}


def said(step: Step) -> str:
    return " ".join(step.sentences)


def test_steps_stand_in_their_order_and_one_link_leads_on(world: World) -> None:
    found = steps(world)
    assert list(found) == [
        "Number and kind",
        "Texts",
        "Limits, and what they cost",
        "Connection to the provider",
        "What a sender lives through",
        "Text it yourself",
        "Go live",
    ]
    for step in found.values():
        assert step.url or step.template or step.standing is DONE


def test_a_french_mobile_number_is_advised_against_with_its_source(world: World) -> None:
    Hotline.objects.filter(pk=world.north.hotline.pk).update(number="+33612345678")
    step = steps(world)["Number and kind"]
    assert step.standing is ADVICE
    assert "Source: " in said(step)


def test_texts_name_the_languages_without_one(world: World) -> None:
    hotline = world.north.hotline
    assert steps(world)["Texts"].standing is DONE
    Hotline.objects.filter(pk=hotline.pk).update(languages=["fr", "en", "ar"])
    step = steps(world)["Texts"]
    assert (step.standing, "in another language: Arabic." in said(step)) == (ADVICE, True)
    ReplyTemplate.objects.filter(organization=hotline.organization).delete()
    assert steps(world)["Texts"].standing is TODO


def test_limits_say_what_a_sender_costs_and_for_how_many_a_day_is_enough(world: World) -> None:
    hotline = world.north.hotline
    Account.objects.update(price_out=decimal.Decimal("0.07"))
    Hotline.objects.filter(pk=hotline.pk).update(reply_limit=3, day_budget=decimal.Decimal(7), month_budget=100)
    step = steps(world)["Limits, and what they cost"]
    assert "A sender gets 3 replies at most" in said(step)
    assert "The first reply costs 0.07\xa0EUR, one sender 0.21\xa0EUR at most in an episode." in said(step)
    assert "is enough for the first reply to 100 senders." in said(step)
    Hotline.objects.filter(pk=hotline.pk).update(day_budget=None)
    step = steps(world)["Limits, and what they cost"]
    assert (step.standing, "has no budget yet" in said(step)) == (TODO, True)
    Account.objects.update(tariff="flat", messages_per_month=900, recipients_per_month=200, price_out=None)
    step = steps(world)["Limits, and what they cost"]
    assert (step.standing, "A fixed fee" in said(step)) == (DONE, True)


def test_the_connection_is_done_once_it_was_tested_and_again_after_new_credentials(world: World) -> None:
    account = world.north.account
    assert steps(world)["Connection to the provider"].standing is TODO
    Account.objects.filter(pk=account.pk).update(examined_at=timezone.now(), examined_right=False)
    assert "something is wrong" in said(steps(world)["Connection to the provider"])
    Account.objects.filter(pk=account.pk).update(examined_right=True)
    assert steps(world)["Connection to the provider"].standing is DONE
    page = reverse("admin:hotlines_account_change", args=(account.pk,))
    owner = signed_in(world.north.owner)
    form = owner.get(page).context["adminform"].form
    fields = {name: form[name].value() for name in form.fields}
    posted = {name: "" if value is None else value for name, value in fields.items()}
    assert owner.post(page, posted).status_code == 302
    account.refresh_from_db()
    assert account.examined_right
    secret = next(name for name in posted if name.startswith("credential_") and "token" in name)
    assert owner.post(page, {**posted, secret: "another-token-0123456789"}).status_code == 302
    account.refresh_from_db()
    assert (account.examined_at, account.examined_right) == (None, None)


def test_a_test_of_the_connection_is_remembered(world: World) -> None:
    Account.objects.filter(pk=world.north.account.pk).update(credentials_sealed=b"")
    page = reverse("admin:hotlines_account_connection", args=(world.north.account.pk,))
    assert signed_in(world.north.owner).get(page).status_code == 200
    account = Account.objects.get(pk=world.north.account.pk)
    assert (account.examined_right, account.examined_at is not None) == (False, True)
    assert Account.objects.get(pk=world.south.account.pk).examined_at is None


def test_a_first_message_is_seen_and_can_be_marked_as_a_test(world: World) -> None:
    assert "Nothing has arrived yet" in said(steps(world)["Text it yourself"])
    write(world.north)
    step = steps(world)["Text it yourself"]
    assert (step.standing, "mark it as test" in said(step)) == (DONE, True)
    testers.mark(Conversation.objects.get(), tester=True)
    assert "mark it as test" not in said(steps(world)["Text it yourself"])


def test_going_live_names_what_is_missing_and_then_offers_the_button(world: World) -> None:
    hotline = world.north.hotline
    assert steps(world)["Go live"].standing is DONE
    Hotline.objects.filter(pk=hotline.pk).update(state="draft")
    assert (steps(world)["Go live"].standing, steps(world)["Go live"].template) == (TODO, "hotlines/guide_live.html")
    Hotline.objects.filter(pk=hotline.pk).update(day_budget=None)
    step = steps(world)["Go live"]
    assert (step.standing, step.template, "no budget yet" in said(step)) == (TODO, "", True)


def test_a_new_number_leads_to_its_way(world: World) -> None:
    fields = {
        "name": "Nouvelle",
        "number": "+33937000055",
        "account": str(world.north.account.pk),
        "kind": "lgbt",
        "languages": ["fr", "en"],
        "default_language": "fr",
        "countries": ["FR"],
    }
    response = signed_in(world.north.owner).post(reverse("admin:hotlines_hotline_add"), fields, follow=True)
    row = Hotline.objects.get(number="+33937000055")
    assert response.redirect_chain == [(reverse("admin:hotlines_hotline_guide", args=(row.pk,)), 302)]


# --- what a sender lives through --------------------------------------------------------------------------------------
def test_the_phone_shows_the_texts_of_the_language_and_ends_where_he_is_blocked(world: World) -> None:
    Hotline.objects.filter(pk=world.north.hotline.pk).update(reply_limit=2, delay_seconds=3600, jitter_seconds=0)
    page = reverse("admin:hotlines_hotline_guide", args=(world.north.hotline.pk,))
    shown = signed_in(world.north.viewer).get(page, {"language": "en"}).content.decode()
    screen = shown[shown.index('<ol class="pv-phone-screen"') :]
    screen = screen[: screen.index("</ol>")]
    assert screen.count("Reply of North.") == 2
    assert screen.count("after 1 hour") == 2
    order = ["Message 1", "Message 2", "blocked for", "Message 3", "No reply any more."]
    assert [screen.index(word) for word in order] == sorted(screen.index(word) for word in order)
    assert "Réponse de North." in signed_in(world.north.viewer).get(page, {"language": "xx"}).content.decode()


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    limit=st.integers(1, 20),
    delay=st.integers(0, 6 * 3600),
    jitter=st.integers(0, 7200),
    quiet=st.none() | st.tuples(st.times(), st.times()),
)
def test_a_preview_has_as_many_replies_as_the_limit_and_one_message_more(
    world: World, limit: int, delay: int, jitter: int, quiet: tuple[datetime.time, datetime.time] | None
) -> None:
    hotline = world.north.hotline
    hotline.reply_limit, hotline.delay_seconds, hotline.jitter_seconds = limit, delay, jitter
    hotline.quiet_from, hotline.quiet_until = quiet or (None, None)
    turns = preview.turns(hotline, "fr", timezone.now())
    assert [turn.text is not None for turn in turns] == [True] * limit + [False]
    assert [turn.blocked_for is not None for turn in turns] == [False] * (limit - 1) + [True, False]
    for turn in turns[:limit]:
        assert turn.waits == datetime.timedelta(seconds=delay)
        assert turn.waits_most == datetime.timedelta(seconds=delay + jitter)
