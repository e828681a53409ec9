"""Who writes to an organization's numbers, masked; and blocks."""

from __future__ import annotations

import datetime
from collections.abc import Callable
from typing import Any, ClassVar

from django.db.models import Exists
from django.shortcuts import get_object_or_404
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from conversations import blocks, states
from conversations.models import Conversation, Message
from partners.models import ApiKey, Scope

from . import listing, sandbox, shapes
from .bodies import Body
from .hotlines import Nothing
from .numbers import IDEMPOTENCY_KEY
from .views import KeyedView

_RECENT, _LONGEST_REASON = 100, 100


class ConversationsQuery(listing.ListQuery):
    number = serializers.UUIDField(required=False)
    since = serializers.DateTimeField(required=False, help_text="Of their last message.")
    until = serializers.DateTimeField(required=False)
    test = serializers.BooleanField(required=False, allow_null=True, default=None)


class Unblocking(Body):
    reason = serializers.CharField(max_length=_LONGEST_REASON, help_text="Colleagues read it. No names and no numbers.")


class Blocking(Unblocking):
    until = serializers.DateTimeField(required=False, allow_null=True, help_text="Null: until somebody lifts it.")
    everywhere = serializers.BooleanField(default=False, help_text="On all numbers of the organization.")


def rows_of(key: ApiKey, now: datetime.datetime) -> Any:
    rows = Conversation.objects.filter(organization=key.organization_id).select_related("hotline")
    everywhere: Exists = states.everywhere(now)
    return rows.annotate(is_blocked_everywhere=everywhere)


def told(row: Any, now: datetime.datetime) -> dict[str, Any]:
    return {
        "id": row.pk,
        "number": str(row.hotline.uuid),
        "sender": row.masked_sender,
        "pseudonym": row.pseudonym,
        "language": row.language,
        "state": states.state_of(row, now),
        "blocked_until": row.blocked_until if row.blocked_until and now < row.blocked_until < blocks.FOREVER else None,
        "messages": row.messages_received,
        "replies": row.slots_used,
        "episode": row.episode,
        "test": row.tester,
        "held": row.held,
        "first_message_at": row.first_message_at,
        "last_message_at": row.last_message_at,
    }


def _recent(row: Conversation) -> list[dict[str, Any]]:
    found = Message.objects.filter(conversation=row).select_related("reply").order_by("-received_at", "-pk")[:_RECENT]
    return [_message(message, getattr(message, "reply", None)) for message in found]


def _message(message: Message, reply: Any) -> dict[str, Any]:
    return {
        "received_at": message.received_at,
        "channel": message.channel,
        "became": message.disposition,
        "reply": reply.state if reply else None,
        "reply_language": reply.language if reply else None,
        "replied_at": reply.sent_at if reply else None,
        "delivery": reply.delivery if reply else None,
    }


class ConversationList(KeyedView):
    scopes: ClassVar = {"GET": Scope.CONVERSATIONS}

    @extend_schema(
        operation_id="list_conversations",
        tags=["Conversations"],
        parameters=[ConversationsQuery],
        responses={200: shapes.listed(shapes.ConversationShape, "Conversations"), 400: shapes.Problem},
    )
    def get(self, request: Request) -> Response:
        """Who wrote, the latest first. Who it is stays masked, and no text is told."""
        wanted = listing.asked(request, ConversationsQuery)
        if self.key.sandbox:
            return self.made_up(wanted, shapes.ConversationShape, sandbox.conversations(wanted))
        now = timezone.now()
        rows = listing.filtered(
            rows_of(self.key, now),
            wanted,
            number="hotline__uuid",
            since="last_message_at__gte",
            until="last_message_at__lt",
            test="tester",
        )
        return self.listed(
            wanted, shapes.ConversationShape, rows, "last_message_at", lambda found: [told(row, now) for row in found]
        )


class _OfOne(KeyedView):
    def row(self, conversation: int) -> Any:
        return get_object_or_404(rows_of(self.key, timezone.now()), pk=conversation)

    def told_now(self, conversation: int) -> dict[str, Any]:
        return told(self.row(conversation), timezone.now())


class ConversationDetail(_OfOne):
    scopes: ClassVar = {"GET": Scope.CONVERSATIONS}

    @extend_schema(
        operation_id="read_conversation",
        tags=["Conversations"],
        responses={200: shapes.ConversationDetail, 404: shapes.Problem},
    )
    def get(self, request: Request, conversation: int) -> Response:
        """One sender, and what became of the last messages."""
        listing.asked(request, Nothing)
        if self.key.sandbox:
            return self.told(sandbox.conversation(conversation))
        row = self.row(conversation)
        return self.told({**told(row, timezone.now()), "recent": _recent(row)})


class _Changing(_OfOne):
    scopes: ClassVar = {"POST": Scope.BLOCKS}

    def change(self, row: Any, how: Callable[..., Any], reason: str, *arguments: Any) -> Response:
        """By `how` of `conversations.blocks`. Colleagues see who it was, in as many characters as a reason has."""
        signed = f"{reason} ({self.source})"[:200]

        def apply() -> tuple[int, Any]:
            how(row, None, signed, *arguments)
            return 200, self.told_now(row.pk)

        return self.once(apply, again=lambda: self.told_now(row.pk))


_REFUSALS = dict.fromkeys((400, 404, 415, 422), shapes.Problem)


class BlockConversation(_Changing):
    @extend_schema(
        operation_id="block",
        tags=["Conversations"],
        parameters=[IDEMPOTENCY_KEY],
        request=Blocking,
        responses={200: shapes.ConversationShape, **_REFUSALS},
    )
    def post(self, request: Request, conversation: int) -> Response:
        """No longer answer this sender. What waits for him is not sent."""
        row = self.row(conversation)
        wanted = Blocking.of(request)
        block = blocks.block_everywhere if wanted["everywhere"] else blocks.block_conversation
        return self.change(row, block, wanted["reason"], wanted.get("until"))


class UnblockConversation(_Changing):
    @extend_schema(
        operation_id="unblock",
        tags=["Conversations"],
        parameters=[IDEMPOTENCY_KEY],
        request=Unblocking,
        responses={200: shapes.ConversationShape, **_REFUSALS},
    )
    def post(self, request: Request, conversation: int) -> Response:
        """Answer this sender again, in a new episode. Who wrote STOP is never answered again, whoever wishes it."""
        row = self.row(conversation)
        return self.change(row, blocks.unblock, Unblocking.of(request)["reason"])
