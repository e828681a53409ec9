"""Every constraint of every model is tried: the database itself refuses what must never be (SECURITY.md 2.2)."""

from __future__ import annotations

import copy
import datetime
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from django.apps import apps
from django.contrib.admin.models import LogEntry
from django.db import IntegrityError, connection, models, transaction
from tests.world import World

from conversations.models import Block, Conversation, DeliveryReport, Hold, Message, Reply
from evidence.models import Export, Head, Link, Reveal
from figures.models import WeekFigures
from hotlines.models import Account, Campaign, EndpointPin, Hotline, OwnKind, StateChange
from hotlines.policy import MAX_REPLY_LIMIT
from inbox.models import MessagePart
from organizations.models import Invitation, Member, Organization, Trail
from outbox.models import Summary, SweepTurn, UsedDatabase
from pages.models import Page
from partners import events
from partners.models import ApiKey, ApiWrite, Endpoint, Event, ExportJob
from privacy.models import DataKey, Pepper
from providers.models import GatewayLife, LogReading
from replies.models import Recording, ReplyTemplate, TextVersion
from rights.models import DataRequest
from shield.models import Alert, Detachment, HotlineLevel, Intake, LevelChange, Spending
from simulator.models import Line, PhoneText

NOW = datetime.datetime(2026, 11, 2, 12, tzinfo=datetime.UTC)
OURS = (
    *("privacy", "organizations", "hotlines", "replies", "providers", "pages"),
    *("conversations", "shield", "outbox", "inbox", "rights", "evidence", "figures", "partners", "simulator"),
)


@dataclass
class Rows:
    """One valid row of each kind, all of one organization."""

    world: World
    key: DataKey
    pin: EndpointPin
    conversation: Conversation
    message: Message
    reply: Reply
    report: DeliveryReport
    block: Block
    invitation: Invitation
    text: PhoneText

    @property
    def hotline(self) -> Hotline:
        return self.world.north.hotline

    @property
    def template(self) -> ReplyTemplate:
        return self.hotline.reply_templates.get(language="fr")

    @property
    def member(self) -> Member:
        return Member.objects.get(user=self.world.north.owner)


@pytest.fixture
def rows(world: World) -> Rows:
    north = world.north
    owned = {"organization": north.organization, "hotline": north.hotline}
    conversation = Conversation.objects.create(
        **owned,
        sender_key=b"s" * 16,
        key_epoch="2026-H2",
        messages_received=2,
        slots_used=1,
        first_message_at=NOW,
        last_message_at=NOW,
        episode_started_at=NOW,
    )
    message = Message.objects.create(
        **owned,
        account=north.account,
        conversation=conversation,
        provider_id="first",
        nonce_hash=b"n" * 16,
        disposition="answered",
        text_sealed=b"sealed",
        received_at=NOW,
    )
    reply = Reply.objects.create(
        **owned,
        conversation=conversation,
        message=message,
        episode=1,
        slot=1,
        purpose="reply",
        state="sent",
        decided_at=NOW,
        due_at=NOW,
        expires_at=NOW,
        text_sealed=b"sealed",
        claimed_at=NOW,
        claim_token=uuid.uuid4(),
        sent_at=NOW,
        provider_id="taken",
    )
    return Rows(
        world=world,
        key=DataKey.objects.create(
            organization_id=1, purpose="text", period="1999-01", wrapped=b"w", master_key_id="m"
        ),
        pin=EndpointPin.objects.create(hotline=north.hotline, endpoint="message", scheme="v3"),
        conversation=conversation,
        message=message,
        reply=reply,
        report=DeliveryReport.objects.create(
            reply=reply, account=north.account, nonce_hash=b"r" * 16, body_fingerprint=b"b" * 16, received_at=NOW
        ),
        block=Block.objects.create(
            organization=north.organization, conversation=conversation, cause="limit", episode=1, since=NOW
        ),
        invitation=Invitation.objects.create(organization=north.organization, name="x@example.org", role="viewer"),
        text=PhoneText.objects.create(**_phone_text(north.hotline)),
    )


def asked(rows: Rows) -> DataRequest:
    its = {"organization": rows.world.north.organization, "hotline": rows.hotline}
    return DataRequest.objects.create(**its, channel="code", code_digest=b"c", page_digest=b"p", created_at=NOW)


def letter(rows: Rows) -> DataRequest:
    its = {"organization": rows.world.north.organization, "reference": "1"}
    return DataRequest.objects.get_or_create(**its, channel="letter", defaults={"created_at": NOW, "proven_at": NOW})[0]


def reveal(rows: Rows, **changes: str) -> Reveal:
    its = {
        "conversation_id": 1,
        "pseudonym": "Loutre",
        "user_id": 1,
        "user_name": "owner",
        "reason": "court",
        "at": NOW,
    }
    return Reveal.objects.create(organization=rows.world.north.organization, **{**its, "note": "x", **changes})


def week(rows: Rows) -> WeekFigures:
    return WeekFigures.objects.create(hotline=rows.hotline, monday=NOW.date(), senders=15, published_at=NOW)


def link(rows: Rows) -> Link:
    its = {"organization": rows.world.north.organization, "hotline": rows.hotline, "message_id": 1, "position": 1}
    values = {"received_at": NOW, "provider_hash": b"p", "commit": b"c", "chain": b"c"}
    return Link.objects.get_or_create(**its, defaults=values)[0]


def export(rows: Rows) -> Export:
    its = {"organization": rows.world.north.organization, "conversation": rows.conversation}
    return Export.objects.create(**its, reason="x", asked_by=rows.world.north.owner, asked_at=NOW)


def hold_on(rows: Rows) -> Hold:
    return Hold.objects.create(
        organization=rows.world.north.organization,
        conversation=rows.conversation,
        reason="threats",
        since=NOW,
        review_at=NOW + datetime.timedelta(days=365),
    )


def _phone_text(hotline: Hotline) -> dict[str, Any]:
    """Whatever the simulator's table wants: it is a demo's, and only its unique column is of interest here."""
    values: dict[str, Any] = {}
    for field in PhoneText._meta.concrete_fields:
        if field.primary_key or field.has_default() or field.null or field.name == "uuid":
            continue
        if isinstance(field, models.ForeignKey):
            values[field.attname] = hotline.pk
        elif isinstance(field, models.DateTimeField):
            values[field.name] = NOW
        elif isinstance(field, models.BinaryField):
            values[field.name] = b"x"
        elif isinstance(field, models.CharField | models.TextField):
            values[field.name] = field.choices[0][0] if field.choices else "x"
        else:
            values[field.name] = 1
    return values


def again(row: Any, **changes: Any) -> None:
    """Insert `row` once more, as another row, with `changes`; its own unique columns get values of their own."""
    twin = copy.copy(row)
    twin.pk, twin._state = None, copy.copy(row._state)
    twin._state.adding = True
    fresh: dict[str, Any] = {"uuid": uuid.uuid4(), "number": "+33937099999", "hook_token": uuid.uuid4().hex[:22]}
    for name, value in {**fresh, **changes}.items():
        if name in changes or any(field.name == name for field in row._meta.concrete_fields):
            setattr(twin, name, value)
    twin.save(force_insert=True)


def set_to(row: Any, **changes: Any) -> None:
    """Write `changes` into `row` past all of our code."""
    type(row).objects.filter(pk=row.pk).update(**changes)


def another_message(rows: Rows) -> Message:
    return Message.objects.create(
        organization=rows.message.organization,
        hotline=rows.hotline,
        account=rows.message.account,
        conversation=rows.conversation,
        provider_id=f"next-{uuid.uuid4().hex[:8]}",
        disposition="answered",
        received_at=NOW,
    )


def another_reply(rows: Rows, **changes: Any) -> None:
    again(rows.reply, **{"message": another_message(rows), "slot": 2, "provider_id": "", "state": "failed", **changes})


def two_replies(rows: Rows, **state: Any) -> None:
    """Two replies of one conversation in the same state: the second is refused."""
    set_to(rows.reply, **state)
    another_reply(rows, **state)


def two_sender_blocks(rows: Rows) -> None:
    for _ in range(2):
        again(rows.block, conversation=None, sender_key=b"s" * 16, cause="person", reason="threats", episode=None)


def gateway_life(rows: Rows) -> GatewayLife:
    return GatewayLife.objects.get_or_create(account=rows.world.north.account, defaults={"seen_at": NOW})[0]


def reading_of(rows: Rows) -> LogReading:
    account = rows.world.north.account
    return LogReading.objects.create(account=account, identity=b"i" * 16, inbound_until=NOW)


def campaign(rows: Rows) -> Campaign:
    return Campaign.objects.create(organization=rows.world.north.organization, name="metro")


def own_kind(rows: Rows) -> OwnKind:
    policy = {"reply_limit": 2, "window_hours": 1, "block_hours": 1, "delay_seconds": 0, "jitter_seconds": 0}
    return OwnKind.objects.create(organization=rows.world.north.organization, name="festival", **policy)


def trail(rows: Rows) -> Trail:
    entry = LogEntry.objects.first() or LogEntry(user=rows.world.north.owner, action_flag=2, object_repr="x")
    if entry.pk is None:
        entry.save()
    return Trail.objects.create(entry=entry, organization=rows.world.north.organization, at=NOW)


def version(rows: Rows) -> TextVersion:
    return TextVersion.objects.create(
        template=rows.template, text="Autre.", state="waits", written_by=rows.world.north.owner
    )


def two_defaults(rows: Rows) -> None:
    for _ in range(2):
        again(rows.template, hotline=None)


def recording(rows: Rows) -> Recording:
    values = {"media_type": "audio/wav", "seconds": 1, "content": b"RIFF"}
    return Recording.objects.get_or_create(template=rows.template, defaults=values)[0]


def part(rows: Rows) -> MessagePart:
    """An open one, of two."""
    return MessagePart.objects.create(
        organization=rows.world.north.organization,
        hotline=rows.hotline,
        account=rows.world.north.account,
        group=b"g" * 16,
        number=1,
        total=2,
        provider_id="part",
        nonce_hash=b"p" * 16,
        content_sealed=b"sealed",
        received_at=NOW,
        stored_at=NOW,
    )


def spending(rows: Rows) -> Spending:
    return Spending.objects.create(
        scope="hotline",
        key=str(rows.hotline.pk),
        window="day",
        starts_at=NOW,
        micros=100,
        messages=10,
        recipients=5,
        cap_micros=100,
        cap_messages=10,
        cap_recipients=5,
    )


def level(rows: Rows) -> HotlineLevel:
    return HotlineLevel.objects.create(hotline=rows.hotline, since=NOW)


def level_change(rows: Rows) -> LevelChange:
    return LevelChange.objects.create(
        organization=rows.world.north.organization,
        hotline=rows.hotline,
        at=NOW,
        before="normal",
        after="raid",
        cause="arrivals",
    )


def alert(rows: Rows) -> Alert:
    organization = rows.world.north.organization
    return Alert.objects.create(kind="loop", key="k", organization=organization, hotline=rows.hotline, at=NOW)


def detachment(rows: Rows) -> Detachment:
    return Detachment.objects.create(
        organization=rows.world.north.organization, hotline=rows.hotline, decided_at=NOW, next_attempt_at=NOW
    )


def page(rows: Rows, **changes: Any) -> Page:
    given = {"slug": "north", "name": "North", "hotline": rows.hotline, **changes}
    return Page.objects.create(organization=rows.world.north.organization, **given)


def api_key(rows: Rows) -> ApiKey:
    organization = rows.world.north.organization
    return ApiKey.objects.create(organization=organization, label="key", mark="a", digest="d", expires_at=NOW)


def replaced_key(rows: Rows) -> ApiKey:
    row = api_key(rows)
    again(row, mark="n")
    set_to(row, replaced_by=ApiKey.objects.get(mark="n"))
    return ApiKey.objects.get(pk=row.pk)


def export_job(rows: Rows) -> ExportJob:
    since = NOW - datetime.timedelta(days=1)
    return ExportJob.objects.create(
        organization=rows.world.north.organization, key=api_key(rows), hotline=rows.hotline, since=since, until=NOW
    )


def week_event(rows: Rows) -> Event:
    return Event.objects.create(
        organization=rows.world.north.organization, kind="statistics.week", at=NOW, week=week(rows)
    )


def endpoint(rows: Rows) -> Endpoint:
    return Endpoint.objects.create(organization=rows.world.north.organization, label="hook", url="https://example.org/")


def event(rows: Rows) -> Event:
    return events.write_test(endpoint(rows), NOW).event


def state_event(rows: Rows) -> Event:
    organization = rows.world.north.organization
    change = StateChange.objects.create(
        organization=organization, hotline=rows.hotline, before="active", after="silent"
    )
    return Event.objects.create(organization=organization, kind=Event.Kind.STATE, at=NOW, state_change=change)


VIOLATIONS: dict[str, Callable[[Rows], None]] = {
    # privacy, organizations
    "datakey_one_per_period": lambda rows: again(rows.key),
    "Pepper.day": lambda _rows: again(Pepper.objects.create(day=NOW.date(), wrapped=b"w", master_key_id="k")),
    "organization_budgets_not_negative": lambda rows: set_to(rows.world.north.organization, month_budget=-1),
    "datakey_purpose_known": lambda rows: set_to(rows.key, purpose="fun"),
    "Organization.uuid": lambda rows: again(rows.world.north.organization, uuid=rows.world.south.organization.uuid),
    "member_once_per_organization": lambda rows: again(rows.member),
    "member_role_known": lambda rows: set_to(rows.member, role="god"),
    "invitation_once_per_name": lambda rows: again(rows.invitation),
    "invitation_role_known": lambda rows: set_to(rows.invitation, role="god"),
    # hotlines
    "Account.uuid": lambda rows: again(rows.world.north.account, label="new", uuid=rows.world.south.account.uuid),
    "account_label_once": lambda rows: again(rows.world.north.account),
    "account_pause_has_reason": lambda rows: set_to(rows.world.north.account, sending_paused_at=NOW),
    "account_tariff_known": lambda rows: set_to(rows.world.north.account, tariff="barter"),
    "account_prices_not_negative": lambda rows: set_to(rows.world.north.account, price_out="-0.01"),
    "hotline_budgets_not_negative": lambda rows: set_to(rows.hotline, replies_per_hour=0),
    "account_breaker_whole": lambda rows: set_to(rows.world.north.account, next_attempt_at=NOW),
    "hotline_keeps_no_longer": lambda rows: set_to(rows.hotline, text_days=181),
    "hotline_pace_in_range": lambda rows: set_to(rows.hotline, messages_per_second=0),
    "summary_once_a_day": lambda rows: again(
        Summary.objects.create(organization=rows.world.north.organization, day=NOW.date())
    ),
    "used_database_is_one": lambda _rows: UsedDatabase.objects.create(id=2, identity="other", accepted_at=NOW),
    "used_database_stop_has_reason": lambda _rows: UsedDatabase.objects.update_or_create(
        id=1, defaults={"identity": "this", "accepted_at": NOW, "stopped_at": NOW, "reason": ""}
    ),
    "SweepTurn.name": lambda _rows: again(SweepTurn.objects.create(name="release_replies", free_at=NOW)),
    "Hotline.uuid": lambda rows: again(rows.hotline, uuid=rows.world.south.hotline.uuid),
    "Hotline.number": lambda rows: again(rows.hotline, number=rows.world.south.hotline.number),
    "Hotline.hook_token": lambda rows: again(rows.hotline, hook_token=rows.world.south.hotline.hook_token),
    "hotline_reply_limit": lambda rows: set_to(rows.hotline, reply_limit=MAX_REPLY_LIMIT + 1),
    "hotline_state_known": lambda rows: set_to(rows.hotline, state="asleep"),
    "hotline_calls_known": lambda rows: set_to(rows.hotline, calls="sing"),
    "hotline_suspension_has_reason": lambda rows: set_to(rows.hotline, state="suspended"),
    "hotline_quiet_hours_whole": lambda rows: set_to(rows.hotline, quiet_from=datetime.time(22)),
    "hotline_window_positive": lambda rows: set_to(rows.hotline, window_hours=0),
    "hotline_not_own_successor": lambda rows: set_to(rows.hotline, successor=rows.hotline.pk),
    "hotline_not_own_stand_in": lambda rows: set_to(rows.hotline, stand_in=rows.hotline),
    "state_change_known": lambda rows: StateChange.objects.create(
        organization=rows.world.north.organization, hotline=rows.hotline, before="active", after="asleep"
    ),
    "pin_once_per_endpoint": lambda rows: again(rows.pin),
    "pin_endpoint_known": lambda rows: set_to(rows.pin, endpoint="fax"),
    # providers
    "LogReading.account": lambda rows: again(reading_of(rows)),
    "GatewayLife.account": lambda rows: again(gateway_life(rows)),
    "gateway_battery_in_percent": lambda rows: set_to(gateway_life(rows), battery=101),
    "reading_cursor_has_window": lambda rows: set_to(reading_of(rows), inbound_cursor="20"),
    # replies
    "template_once_per_hotline": lambda rows: again(rows.template),
    "template_once_per_organization": two_defaults,
    "template_step": lambda rows: set_to(rows.template, step=0),
    "template_not_empty": lambda rows: set_to(rows.template, text=""),
    "recording_seconds": lambda rows: set_to(recording(rows), seconds=61),
    "recording_format_known": lambda rows: set_to(recording(rows), media_type="text/html"),
    "Recording.uuid": lambda rows: again(
        recording(rows), uuid=recording(rows).uuid, template=rows.world.south.hotline.reply_templates.first()
    ),
    "Recording.template": lambda rows: again(recording(rows)),
    "campaign_once_per_organization": lambda rows: [campaign(rows), campaign(rows)],
    "campaign_turn_known": lambda rows: set_to(campaign(rows), turn="hour"),
    "kind_once_per_organization": lambda rows: [own_kind(rows), own_kind(rows)],
    "kind_reply_limit": lambda rows: set_to(own_kind(rows), reply_limit=0),
    "kind_has_name": lambda rows: set_to(own_kind(rows), name=""),
    "Trail.entry": lambda rows: [trail(rows), trail(rows)],
    "template_compared_if_first": lambda rows: set_to(rows.template, arm="b", step=2),
    "version_one_waits_per_text": lambda rows: again(version(rows)),
    "version_state_known": lambda rows: set_to(version(rows), state="odd"),
    "version_read_by_another": lambda rows: set_to(version(rows), state="used", decided_by=rows.world.north.owner),
    "template_purpose_known": lambda rows: set_to(rows.template, purpose="poem"),
    # conversations
    "conversation_once_per_sender": lambda rows: again(rows.conversation),
    "conversation_slots_within_messages": lambda rows: set_to(rows.conversation, slots_used=3),
    "conversation_block_has_cause": lambda rows: set_to(rows.conversation, blocked_until=NOW),
    "conversation_block_cause_known": lambda rows: set_to(rows.conversation, blocked_until=NOW, block_cause="mood"),
    "conversation_episode_from_one": lambda rows: set_to(rows.conversation, episode=0),
    "part_once_per_provider_id": lambda rows: again(part(rows), nonce_hash=None, number=2),
    "part_nonce_once": lambda rows: again(part(rows), provider_id="second", number=2),
    "part_once_in_open_group": lambda rows: again(part(rows), provider_id="second", nonce_hash=None, number=1),
    "part_number_in_total": lambda rows: set_to(part(rows), number=3),
    "part_open_has_content": lambda rows: set_to(part(rows), content_sealed=None),
    "message_once_per_provider_id": lambda rows: again(rows.message, nonce_hash=b"m" * 16),
    "message_nonce_once": lambda rows: again(rows.message, provider_id="second"),
    "message_blocked_without_content": lambda rows: set_to(rows.message, disposition="blocked"),
    "message_has_conversation": lambda rows: set_to(rows.message, conversation=None),
    "message_missed_without_content": lambda rows: again(
        rows.message, provider_id="second", disposition="missed", conversation=None, nonce_hash=None
    ),
    "message_disposition_known": lambda rows: set_to(rows.message, disposition="odd", text_sealed=None),
    "message_call_seconds": lambda rows: set_to(rows.message, seconds=3),
    "Reply.uuid": lambda rows: another_reply(rows, uuid=rows.reply.uuid),
    "Reply.message": lambda rows: another_reply(rows, message=rows.message),
    "reply_slot_once": lambda rows: another_reply(rows, slot=1),
    "reply_one_in_flight": lambda rows: two_replies(rows, state="unknown", provider_id=""),
    "reply_one_delayed": lambda rows: two_replies(rows, state="pending", delayed=True, provider_id=""),
    "reply_provider_id_once": lambda rows: another_reply(rows, state="sent", provider_id="taken"),
    "reply_slot_in_range": lambda rows: set_to(rows.reply, slot=MAX_REPLY_LIMIT + 1),
    "reply_purpose_known": lambda rows: set_to(rows.reply, purpose="notice"),
    "reply_state_known": lambda rows: set_to(rows.reply, state="odd"),
    "reply_by_hand_has_text": lambda rows: set_to(rows.reply, state="pending", by_hand=True, text_sealed=None),
    "reply_released_has_text": lambda rows: set_to(rows.reply, state="released", text_sealed=None),
    "reply_claim_has_owner": lambda rows: set_to(rows.reply, state="claimed", claim_token=None),
    "reply_sent_has_id": lambda rows: set_to(rows.reply, provider_id=""),
    "reply_delivery_known": lambda rows: set_to(rows.reply, delivery="lost"),
    "reply_suspected_if_first": lambda rows: set_to(rows.reply, slot=2, suspicion="t1"),
    "reply_absent_once": lambda rows: set_to(rows.reply, absences=models.F("absences") + 2),
    "reply_call_sent": lambda rows: set_to(rows.reply, channel="call", delayed=True),
    "reply_reservation_whole": lambda rows: set_to(rows.reply, to_settle=True),
    # shield
    "spending_once_per_window": lambda rows: again(spending(rows)),
    "spending_within_its_money": lambda rows: set_to(spending(rows), micros=101),
    "spending_within_its_messages": lambda rows: set_to(spending(rows), messages=11),
    "spending_within_its_recipients": lambda rows: set_to(spending(rows), recipients=6),
    "spending_known": lambda rows: set_to(spending(rows), window="year"),
    "recipient_counted_once": lambda rows: again(spending(rows).counted.create(sender_key=b"s" * 16)),
    "alert_once": lambda rows: again(alert(rows)),
    "alert_is_about_something": lambda rows: set_to(alert(rows), hotline=None),
    "level_known": lambda rows: set_to(level(rows), level="panic"),
    "level_raised_since": lambda rows: set_to(level(rows), detected="raid"),
    "level_change_changes": lambda rows: set_to(level_change(rows), after="normal"),
    "level_change_known": lambda rows: set_to(level_change(rows), cause="whim"),
    "intake_counts_what_it_saw": lambda _rows: Intake.objects.update_or_create(pk=1, defaults={"counted_to": 1}),
    "detachment_one_open": lambda rows: again(detachment(rows)),
    "detachment_knows_the_way_back": lambda rows: set_to(detachment(rows), detached_at=NOW),
    "detachment_ended_before_attached": lambda rows: set_to(detachment(rows), attached_at=NOW),
    "report_nonce_once": lambda rows: again(rows.report, body_fingerprint=b"c" * 16),
    "Block.uuid": lambda rows: again(rows.block, episode=2, uuid=rows.block.uuid),
    "block_of_conversation_or_sender": lambda rows: set_to(rows.block, sender_key=b"s" * 16),
    "block_ends_after_start": lambda rows: set_to(rows.block, until=NOW),
    "block_cause_known": lambda rows: set_to(rows.block, cause="mood"),
    "block_by_person_has_reason": lambda rows: set_to(rows.block, cause="person"),
    "block_by_limit_has_episode": lambda rows: set_to(rows.block, episode=None),
    "block_limit_once_per_episode": lambda rows: again(rows.block),
    "block_one_standing_per_sender": two_sender_blocks,
    "hold_one_standing": lambda rows: again(hold_on(rows)),
    "hold_has_reason": lambda rows: set_to(hold_on(rows), reason=""),
    "hold_lifted_with_reason": lambda rows: set_to(hold_on(rows), lifted_at=NOW),
    "hold_reviewed_later": lambda rows: set_to(hold_on(rows), review_at=NOW),
    "reveal_reason_known": lambda rows: reveal(rows, reason="curious"),
    "reveal_says_who_and_why": lambda rows: reveal(rows, note=""),
    "Link.message_id": lambda rows: again(link(rows), position=2, message_id=link(rows).message_id),
    "link_position_once": lambda rows: again(link(rows), message_id=2),
    "link_position_from_one": lambda rows: set_to(link(rows), position=0),
    "head_once_a_day": lambda rows: again(
        Head.objects.create(hotline=rows.hotline, day=NOW.date(), position=1, value=b"v", signature=b"s")
    ),
    "export_has_reason": lambda rows: set_to(export(rows), reason=""),
    "export_of_one_thing": lambda rows: set_to(export(rows), raid=level_change(rows)),
    "export_four_eyes": lambda rows: set_to(export(rows), approved_by=rows.world.north.owner, approved_at=NOW),
    "export_taken_when_approved": lambda rows: set_to(export(rows), taken_at=NOW, digest="d"),
    "week_told_once": lambda rows: again(week(rows)),
    "week_of_enough_senders": lambda rows: set_to(week(rows), senders=5),
    "DataRequest.uuid": lambda rows: again(letter(rows), uuid=letter(rows).uuid),
    "datarequest_code_once": lambda rows: again(asked(rows), page_digest=b"q"),
    "datarequest_page_once": lambda rows: again(asked(rows), code_digest=b"d"),
    "datarequest_by_code_or_letter": lambda rows: set_to(asked(rows), hotline=None),
    "datarequest_erases_what_is_proven": lambda rows: set_to(asked(rows), erase_at=NOW),
    "datarequest_erased_when_due": lambda rows: set_to(letter(rows), erased_at=NOW),
    # partners
    "Endpoint.uuid": lambda rows: again(endpoint(rows), label="second", uuid=Endpoint.objects.get().uuid),
    "endpoint_label_once": lambda rows: again(endpoint(rows)),
    "endpoint_audience_known": lambda rows: set_to(endpoint(rows), audience="all"),
    "endpoint_pause_has_reason": lambda rows: set_to(endpoint(rows), paused_at=NOW),
    "Event.uuid": lambda rows: again(event(rows), uuid=Event.objects.get().uuid),
    "Event.state_change": lambda rows: again(state_event(rows)),
    "event_span_once": lambda rows: again(
        Event.objects.create(organization=rows.world.north.organization, kind="blocks", at=NOW)
    ),
    "Event.week": lambda rows: again(week_event(rows)),
    "endpoint_signature_known": lambda rows: set_to(endpoint(rows), signature="rsa"),
    "ApiKey.uuid": lambda rows: again(api_key(rows), mark="b", uuid=ApiKey.objects.get().uuid),
    "ApiKey.mark": lambda rows: again(api_key(rows)),
    "ApiKey.replaced_by": lambda rows: again(replaced_key(rows), mark="c"),
    "api_key_audience_known": lambda rows: set_to(api_key(rows), audience="all"),
    "api_key_has_digest": lambda rows: set_to(api_key(rows), digest=""),
    "api_write_once_per_key": lambda rows: again(
        ApiWrite.objects.create(
            organization=rows.world.north.organization, key=api_key(rows), idempotency_key="x", status=200
        )
    ),
    "ExportJob.uuid": lambda rows: again(export_job(rows), uuid=ExportJob.objects.get().uuid),
    "export_job_state_known": lambda rows: set_to(export_job(rows), state="lost", finished_at=NOW),
    "export_job_span": lambda rows: set_to(export_job(rows), since=NOW),
    "export_job_waits_unfinished": lambda rows: set_to(export_job(rows), finished_at=NOW),
    "Page.uuid": lambda rows: again(page(rows), slug="second", uuid=Page.objects.get().uuid),
    "Page.slug": lambda rows: again(page(rows)),
    "page_of_one_thing": lambda rows: set_to(
        page(rows), campaign=Campaign.objects.create(organization=rows.world.north.organization, name="c")
    ),
    "page_one_list_per_organization": lambda rows: again(page(rows, hotline=None), slug="second"),
    "page_has_name": lambda rows: set_to(page(rows), name=""),
    "event_is_about_something": lambda rows: set_to(event(rows), kind="hotline.state_changed"),
    "delivery_once_per_endpoint": lambda rows: again(event(rows).deliveries.get()),
    "delivery_ends_when_delivered": lambda rows: set_to(event(rows).deliveries.get(), delivered_at=NOW),
    "PhoneText.uuid": lambda rows: again(rows.text, uuid=rows.text.uuid),
    "Line.hotline": lambda rows: again(Line.objects.create(hotline=rows.hotline)),
}


def constraints() -> dict[str, tuple[type[models.Model], set[str]]]:
    """Every constraint of ours by name, and every unique column as `Model.column`, with the columns it is about."""
    found: dict[str, tuple[type[models.Model], set[str]]] = {}
    for model in apps.get_models():
        if model._meta.app_label not in OURS:
            continue
        for constraint in model._meta.constraints:
            names = getattr(constraint, "fields", ())
            found[constraint.name] = (model, {model._meta.get_field(name).column for name in names})
        for field in model._meta.concrete_fields:
            if field.unique and not field.primary_key:
                found[f"{model.__name__}.{field.name}"] = (model, {field.column})
    return found


def test_no_constraint_is_without_a_try() -> None:
    assert set(VIOLATIONS) == set(constraints())
    assert {model for model, _columns in constraints().values()} >= {Account, Block, Conversation, Message, Reply}
    assert Organization in {model for model, _columns in constraints().values()}


@pytest.mark.parametrize("name", sorted(VIOLATIONS))
def test_the_database_refuses(rows: Rows, name: str) -> None:
    with pytest.raises(IntegrityError) as refused, transaction.atomic():
        VIOLATIONS[name](rows)
    model, columns = constraints()[name]
    table = model._meta.db_table
    if connection.vendor == "postgresql":
        violated = refused.value.__cause__.diag.constraint_name  # type: ignore[union-attr]
        if "." not in name:
            assert violated == name
        else:
            assert violated is not None
            assert violated.startswith(f"{table}_{next(iter(columns))}")
    elif columns:
        told = str(refused.value).removeprefix("UNIQUE constraint failed: ")
        assert set(told.split(", ")) == {f"{table}.{column}" for column in columns}
    else:
        assert str(refused.value) == f"CHECK constraint failed: {name}"
