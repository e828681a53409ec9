"""A hotline's pages: made from its kind, activated only when it can answer, its secret shown on one page."""

from __future__ import annotations

import datetime
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.test import Client
from django.urls import reverse
from django.utils import timezone, translation
from tests.people import signed_in
from tests.signing import post_message
from tests.world import Tenant, World, message_fields

from conversations import blocks
from conversations.models import Conversation
from hotlines import choices, durations, lifecycle, number_rules, summary
from hotlines.models import Account, EndpointPin, Hotline
from organizations.models import Organization
from replies.models import ReplyTemplate


def page(hotline: Hotline, name: str = "change") -> str:
    return reverse(f"admin:hotlines_hotline_{name}", args=(hotline.pk,))


def added(tenant: Tenant, **changes: Any) -> Hotline:
    fields = {
        "name": "new line",
        "number": "+33937000055",
        "account": tenant.account.pk,
        "kind": "anti-relous",
        "languages": ["fr", "en"],
        "default_language": "fr",
        "countries": ["FR", "BE"],
        **changes,
    }
    response = signed_in(tenant.editor).post(reverse("admin:hotlines_hotline_add"), fields)
    assert response.status_code == 302, response.context["errors"]
    hotline = Hotline.objects.get(number=fields["number"])
    assert response["Location"] == page(hotline, "guide")
    hotline.day_budget, hotline.month_budget = 20, 200
    hotline.save()
    return hotline


def fields_of(hotline: Hotline, **changes: Any) -> dict[str, Any]:
    return {
        "name": hotline.name,
        "account": hotline.account_id,
        "languages": hotline.languages,
        "default_language": hotline.default_language,
        "countries": hotline.countries,
        "reply_limit": hotline.reply_limit,
        "window_hours": "30 days",
        "block_hours": "90 days",
        "calls": "text",
        "delay_seconds": "1 h",
        "jitter_seconds": "15 min",
        "text_days": 30,
        "number_days": 30,
        "body_days": 3,
        "messages_per_second": "1",
        "replies_per_hour": "60",
        "day_budget": "20.00",
        "month_budget": "200.00",
        **changes,
    }


def test_a_new_hotline_is_a_draft_with_the_policy_and_the_texts_of_its_kind(world: World) -> None:
    hotline = added(world.north)
    assert (hotline.organization, hotline.state) == (world.north.organization, "draft")
    assert (hotline.reply_limit, hotline.delay_seconds, hotline.jitter_seconds) == (2, 3600, 900)
    assert (hotline.window_hours, hotline.block_hours) == (720, 2160)
    assert (hotline.languages, hotline.countries) == (["fr", "en"], ["FR", "BE"])
    texts = ReplyTemplate.objects.filter(hotline=hotline)
    assert set(texts.filter(purpose="reply").values_list("language", flat=True)) == {"fr", "en"}
    assert set(texts.values_list("organization", flat=True)) == {world.north.organization.pk}


def test_a_default_language_outside_the_languages_is_refused_in_words(world: World) -> None:
    fields = {"name": "x", "number": "+33937000055", "account": world.north.account.pk, "kind": "lgbt"}
    fields |= {"languages": ["en"], "default_language": "fr", "countries": ["FR"]}
    response = signed_in(world.north.editor).post(reverse("admin:hotlines_hotline_add"), fields)
    assert "must be one of the hotline" in response.content.decode()
    assert not Hotline.objects.filter(name="x").exists()


def test_durations_are_typed_and_shown_in_words(world: World) -> None:
    hotline = world.north.hotline
    changed = fields_of(
        hotline, window_hours="2 days 12 h", block_hours="1 day", delay_seconds="90 min", jitter_seconds="5 s"
    )
    assert signed_in(world.north.editor).post(page(hotline), changed).status_code == 302
    hotline.refresh_from_db()
    assert (hotline.window_hours, hotline.block_hours, hotline.delay_seconds, hotline.jitter_seconds) == (
        60,
        24,
        5400,
        5,
    )
    shown = signed_in(world.north.editor).get(page(hotline)).content.decode()
    assert 'value="1 hour 30 minutes"' in shown
    assert 'value="2 days 12 hours"' in shown


@pytest.mark.parametrize(
    ("field", "typed", "said"),
    [
        ("delay_seconds", "soon", "Write a number and a unit"),
        ("delay_seconds", "60", "Write a number and a unit"),
        ("delay_seconds", "7 h", "From 0 to 6 hours."),
        ("window_hours", "90 min", "Whole hours, please."),
        ("window_hours", "0", "From 1 hour to 365 days."),
        ("reply_limit", "11", "less than or equal to 10"),
        ("text_days", "181", "less than or equal to 180"),
        ("number_days", "0", "greater than or equal to 1"),
        ("body_days", "8", "less than or equal to 7"),
        ("quiet_from", "22:00", "Give both ends"),
        ("languages", [], "This field is required."),
        ("countries", ["XX"], "not one of the available choices"),
    ],
)
def test_what_makes_no_sense_is_refused_in_words(world: World, field: str, typed: Any, said: str) -> None:
    response = signed_in(world.north.editor).post(
        page(world.north.hotline), fields_of(world.north.hotline, **{field: typed})
    )
    assert response.status_code == 200
    assert said in response.content.decode()


@pytest.mark.parametrize(
    ("typed", "stored"), [("0.1", "0.10"), ("0.5", "0.50"), ("500", "500.00"), ("0.09", ""), ("501", ""), ("", "")]
)
def test_the_pace_of_a_number_is_the_editors_within_bounds(world: World, typed: str, stored: str) -> None:
    hotline = world.north.hotline
    answer = signed_in(world.north.editor).post(page(hotline), fields_of(hotline, messages_per_second=typed))
    assert answer.status_code == (302 if stored else 200)
    if not stored:
        assert "messages_per_second" in answer.context["adminform"].form.errors
    hotline.refresh_from_db()
    assert str(hotline.messages_per_second) == (stored or "500.00")


def test_a_new_number_has_the_pace_of_a_long_code(world: World) -> None:
    assert str(added(world.north).messages_per_second) == "1.00"


def test_the_number_is_fixed_once_it_is_used(world: World) -> None:
    hotline = world.north.hotline
    changed = fields_of(hotline, number="+33937000099", kind="lgbt", organization=world.south.organization.pk)
    assert signed_in(world.north.editor).post(page(hotline), changed).status_code == 302
    hotline.refresh_from_db()
    assert (hotline.number, hotline.kind, hotline.organization) == (
        "+33937000001",
        "anti-harassment",
        world.north.organization,
    )


def test_a_reader_sees_words_instead_of_codes(world: World) -> None:
    shown = signed_in(world.north.viewer).get(page(world.north.hotline)).content.decode()
    assert "French, English" in shown
    assert "France (+33)" in shown
    assert "30 days" in shown
    assert '["fr"' not in shown
    assert 'name="_save"' not in shown


# --- the life cycle --------------------------------------------------------------------------------------------------
def change_state(user: User, hotline: Hotline, **fields: Any) -> Any:
    return signed_in(user).post(page(hotline, "change_state"), {"_form_submitted": "True", **fields})


def test_a_hotline_without_a_text_in_its_default_language_is_not_activated(world: World) -> None:
    hotline = added(world.north)
    ReplyTemplate.objects.filter(hotline=hotline, language="fr").delete()
    refused = change_state(world.north.editor, hotline, state="active")
    assert "There is no reply text in the default language (French)" in refused.content.decode()
    hotline.refresh_from_db()
    assert hotline.state == "draft"
    assert "Missing before it can be activated" in signed_in(world.north.viewer).get(page(hotline)).content.decode()
    # The organization's default is enough.
    ReplyTemplate.objects.create(organization=world.north.organization, language="fr", text="Bonsoir.")
    assert change_state(world.north.editor, hotline, state="active").status_code == 302
    hotline.refresh_from_db()
    assert hotline.state == "active"


def test_an_active_hotline_does_not_take_a_default_language_without_a_text(world: World) -> None:
    hotline, editor = world.north.hotline, signed_in(world.north.editor)
    changed = fields_of(hotline, languages=["fr", "es"], default_language="es")
    assert (
        "There is no reply text in the default language (Spanish)"
        in editor.post(page(hotline), changed).content.decode()
    )
    ReplyTemplate.objects.create(organization=hotline.organization, hotline=hotline, language="es", text="Basta.")
    assert editor.post(page(hotline), changed).status_code == 302


def test_a_hotline_whose_account_has_no_credentials_is_not_activated(world: World) -> None:
    hotline = added(world.north)
    Account.objects.filter(pk=world.north.account.pk).update(credentials_sealed=b"")
    with pytest.raises(ValidationError) as refused:
        lifecycle.change_state(hotline, "active")
    with translation.override("en"):
        assert refused.value.messages == ["The account has no credentials yet. Enter them on the account's page."]


@pytest.mark.parametrize(
    ("model", "changes", "said"),
    [
        (Hotline, {"month_budget": None}, "This number has no budget yet."),
        (Organization, {"day_budget": None}, "The organization has no budget yet."),
        (Account, {"price_out": None}, "The account has no price yet."),
        (Account, {"tariff": "flat", "price_out": None}, "The account has a fixed fee and no limits yet."),
        (Account, {"tariff": "flat", "messages_per_month": 500}, "The account has a fixed fee and no limits yet."),
        (Account, {"tariff": "flat", "messages_per_day": 500, "recipients_per_month": 99}, ""),
    ],
)
def test_a_hotline_without_a_budget_is_not_activated(
    world: World, model: type[Any], changes: dict[str, Any], said: str
) -> None:
    hotline = added(world.north)
    model.objects.update(**changes)
    answer = change_state(world.north.owner, hotline, state="active")
    hotline.refresh_from_db()
    assert (hotline.state, said in answer.content.decode()) == ("draft" if said else "active", True)


def test_what_a_number_may_spend_is_the_owners_to_say(world: World) -> None:
    hotline = world.north.hotline
    wanted = {"day_budget": "7.00", "month_budget": "70.00", "replies_per_hour": "30"}
    for user, said in ((world.north.editor, "50000.00"), (world.north.owner, "7.00")):
        assert signed_in(user).post(page(hotline), fields_of(hotline, **wanted)).status_code == 302
        hotline.refresh_from_db()
        assert str(hotline.day_budget) == said
    assert (str(hotline.month_budget), hotline.replies_per_hour) == ("70.00", 30)


def test_a_suspension_has_a_reason_and_may_have_a_successor(world: World) -> None:
    north, hotline = world.north, world.north.hotline
    successor = added(north)
    assert "Say why" in change_state(north.owner, hotline, state="suspended").content.decode()
    done = change_state(north.owner, hotline, state="suspended", reason="too many threats", successor=successor.pk)
    assert done.status_code == 302
    hotline.refresh_from_db()
    assert (hotline.state, hotline.state_reason, hotline.successor) == ("suspended", "too many threats", successor)
    entry = LogEntry.objects.latest("pk")
    assert entry.user == north.owner
    assert "too many threats" in entry.change_message
    assert change_state(north.owner, hotline, state="active").status_code == 302
    hotline.refresh_from_db()
    assert (hotline.state, hotline.state_reason, hotline.successor) == ("active", "", None)


def test_a_dialog_is_told_where_to_go_and_a_plain_form_is_redirected(world: World) -> None:
    """The theme posts dialogs by htmx, which follows a redirect silently."""
    hotline, fields = world.north.hotline, {"_form_submitted": "True", "state": "silent"}
    client = signed_in(world.north.owner)
    by_htmx = client.post(page(hotline, "change_state"), fields, headers={"HX-Request": "true"})
    assert (by_htmx.status_code, by_htmx["HX-Redirect"], by_htmx.content) == (200, page(hotline), b"")
    plain = client.post(page(hotline, "change_state"), {**fields, "state": "active"})
    assert (plain.status_code, plain["Location"]) == (302, page(hotline))


def test_looking_at_a_dialog_changes_nothing(world: World) -> None:
    hotline = world.north.hotline
    before = (hotline.hook_token, hotline.state)
    for name in ("change_state", "rotate_webhook", "reset_pins"):
        assert signed_in(world.north.owner).get(page(hotline, name)).status_code == 200
    hotline.refresh_from_db()
    assert (hotline.hook_token, hotline.state) == before


def test_drafts_to_which_nobody_wrote_can_be_deleted_and_nothing_else(world: World) -> None:
    client = signed_in(world.north.editor)
    assert client.get(page(world.north.hotline, "delete")).status_code == 403
    written, untouched = added(world.north), added(world.north, name="untouched", number="+33937000056")
    post_message(written, message_fields(written), world.north.token)
    assert client.post(page(written, "delete"), {"post": "yes"}).status_code == 403
    assert client.post(page(untouched, "delete"), {"post": "yes"}).status_code == 302
    assert set(Hotline.objects.filter(organization=world.north.organization)) == {written, world.north.hotline}


# --- the webhook address ---------------------------------------------------------------------------------------------
def test_the_owner_reads_and_renews_the_webhook_address(world: World) -> None:
    hotline, client = world.north.hotline, signed_in(world.north.owner)
    old = hotline.hook_token
    address = f"https://hotline.example.org/hooks/plivo/{old}/message/"
    assert f'value="{address}"' in client.get(page(hotline, "webhook")).content.decode()
    done = client.post(page(hotline, "rotate_webhook"), {"_form_submitted": "True"})
    assert (done.status_code, done["Location"]) == (302, page(hotline, "webhook"))
    hotline.refresh_from_db()
    assert hotline.hook_token != old
    assert hotline.hook_token in client.get(page(hotline, "webhook")).content.decode()
    assert hotline.hook_token not in LogEntry.objects.latest("pk").change_message
    gone = Client().post(f"/hooks/plivo/{old}/message/", "x", content_type="application/x-www-form-urlencoded")
    assert gone.status_code == 404
    assert post_message(hotline, message_fields(hotline), world.north.token).status_code == 200


def test_the_owner_resets_the_signature_pins(world: World) -> None:
    hotline = world.north.hotline
    post_message(hotline, message_fields(hotline), world.north.token)
    assert EndpointPin.objects.filter(hotline=hotline).exists()
    for user, status in ((world.north.editor, 403), (world.north.owner, 302)):
        assert signed_in(user).post(page(hotline, "reset_pins"), {"_form_submitted": "True"}).status_code == status
    assert not EndpointPin.objects.filter(hotline=hotline).exists()


# --- what it says ----------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("number", ["+33612345678", "+33712345678"])
def test_a_french_mobile_number_is_taken_with_a_warning(world: World, number: str) -> None:
    hotline = added(world.north, number=number)
    shown = signed_in(world.north.viewer).get(page(hotline)).content.decode()
    assert "reserved for use between people" in shown
    assert "2022-1583" in shown


@pytest.mark.parametrize("number", ["+33937000055", "+32470123456", "+33199001217", "38055"])
def test_other_numbers_are_taken_without_one(number: str) -> None:
    assert number_rules.advice(number, datetime.date(2026, 11, 24)) == []


def test_a_rule_holds_from_its_date() -> None:
    assert number_rules.advice("+33612345678", datetime.date(2022, 12, 31)) == []
    assert len(number_rules.advice("+33612345678", datetime.date(2023, 1, 1))) == 1
    assert all(rule.source and rule.url.startswith("https://") for rule in number_rules.rules())


def test_the_page_says_in_sentences_what_the_number_does(world: World) -> None:
    hotline = world.north.hotline
    hotline.delay_seconds, hotline.jitter_seconds = 3600, 900
    hotline.quiet_from, hotline.quiet_until = datetime.time(22), datetime.time(8)
    with translation.override("en"):
        assert summary.sentences(hotline) == [
            "This number is active: it answers.",
            "A sender gets 5 replies at most in 30 days, then a block of 90 days.",
            "The reply leaves 1 hour to 1 hour 15 minutes after the message.",
            "Between 10 p.m. and 8 a.m. (Europe/Paris) nothing is sent; replies wait for the end.",
        ]


def test_blocks_show_with_count_and_cause(world: World) -> None:
    north, hotline = world.north, world.north.hotline
    for _ in range(5):
        post_message(hotline, message_fields(hotline), north.token)
    for tail, text in (("1", "STOP"), ("2", "x"), ("3", "x")):
        post_message(hotline, message_fields(hotline, text, sender=f"3363998099{tail}"), north.token)
    person, everywhere = Conversation.objects.order_by("pk")[2:4]
    blocks.lift(blocks.block_conversation(person, north.owner, "a mistake"), north.owner, "undone")
    blocks.block_conversation(person, north.owner, "insults")
    blocks.block_everywhere(everywhere, north.owner, "threats", timezone.now() + datetime.timedelta(days=3))
    context = signed_in(north.viewer).get(page(hotline)).context
    panel = next(box["data"] for box in context["panels"] if "blocks" in box["template"])
    assert [(row["standing"], row["recent"]) for row in panel["rows"]] == [(1, 1), (1, 1), (1, 2), (1, 1)]
    listed = [signed_in(north.viewer).get(row["url"]).context["cl"].result_count for row in panel["rows"][:3]]
    assert listed == [1, 1, 2]


def test_every_duration_that_is_shown_is_understood_again() -> None:
    for language in ("en", "fr"):
        with translation.override(language):
            for seconds in (1, 59, 60, 3600, 5400, 86_400, 90_061, 2_592_000, 31_536_000):
                assert durations.parse(durations.spoken(seconds)) == seconds


@pytest.mark.parametrize("text", ["", "h", "1", "1 parsec", "1 h x", "١ h", "-1 h", "1e3 s", "99999999 s"])
def test_other_writings_of_durations_are_not(text: str) -> None:
    with pytest.raises(ValueError, match=r".*"):
        durations.parse(text)


def test_countries_and_languages_have_names_in_both_languages() -> None:
    with translation.override("fr"):
        assert choices.country_name("DE") == "Allemagne (+49)"
        assert choices.language_name("uk") == "Ukrainien"
    with translation.override("en"):
        assert choices.country_name("DE") == "Germany (+49)"
        assert choices.country_name("ZZ") == "ZZ"
        assert choices.languages(["eu"])[-1] == ("eu", "Basque")


@pytest.mark.parametrize(
    ("provider", "shown"), [("plivo", True), ("twilio", True), ("smsgate", False), ("vonage", False)]
)
def test_the_address_for_calls_is_shown_where_the_provider_passes_calls_on(
    world: World, provider: str, shown: bool
) -> None:
    Account.objects.filter(pk=world.north.account.pk).update(provider=provider)
    told = signed_in(world.north.owner).get(page(world.north.hotline, "webhook")).content.decode()
    assert f"/hooks/{provider}/{world.north.hotline.hook_token}/message/" in told
    assert (f"/hooks/{provider}/{world.north.hotline.hook_token}/call/" in told) is shown
