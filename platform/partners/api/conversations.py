"""Who writes to an organization's numbers, masked; and blocks."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from typing import Any, ClassVar

from django.db.models import Exists
from django.http import Http404
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
from .views import KeyedView, only

_RECENT, _LONGEST_REASON = 100, 100


class ConversationsQuery(listing.ListQuery):
    number = serializers.UUIDField(required=False)
    since = serializers.DateTimeField(required=False, help_text="Of their last message.")
    until = serializers.DateTimeField(required=False)
    test = serializers.BooleanField(required=False, allow_null=True, default=None)


class Blocking(Body):
    reason = serializers.CharField(max_length=_LONGEST_REASON, help_text="Colleagues read it. No names and no numbers.")
    until = serializers.DateTimeField(required=False, allow_null=True, help_text="Null: until somebody lifts it.")
    everywhere = serializers.BooleanField(default=False, help_text="On all numbers of the organization.")


class Unblocking(Body):
    reason = serializers.CharField(max_length=_LONGEST_REASON, help_text="Colleagues read it. No names and no numbers.")


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
        fields = listing.chosen_fields(wanted.get("fields", ""), list(shapes.ConversationShape().fields))
        if self.key.sandbox:
            return self.told({"results": [only(row, fields) for row in sandbox.conversations(wanted)], "next": None})
        now = timezone.now()
        rows = rows_of(self.key, now)
        for name, lookup in (
            ("number", "hotline__uuid"),
            ("since", "last_message_at__gte"),
            ("until", "last_message_at__lt"),
            ("test", "tester"),
        ):
            if wanted.get(name) is not None:
                rows = rows.filter(**{lookup: wanted[name]})

        def shape(found: Sequence[Any]) -> list[dict[str, Any]]:
            return [only(told(row, now), fields) for row in found]

        data = listing.page(rows, wanted, request, shape, by="last_message_at")
        return listing.answer(data, self.told(data))


class _OfOne(KeyedView):
    def row(self, conversation: int) -> Any:
        found = rows_of(self.key, timezone.now()).filter(pk=conversation).first()
        if found is None:
            raise Http404
        return found


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

    def reason(self, written: str) -> str:
        """Colleagues see who it was, in as many characters as a reason has."""
        return f"{written[:_LONGEST_REASON]} ({self.source})"[:200]


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
        form = Blocking(data=request.data)
        form.is_valid(raise_exception=True)
        wanted = form.validated_data
        return self.once(lambda: self._block(row, wanted), again=lambda: told(self.row(row.pk), timezone.now()))

    def _block(self, row: Conversation, wanted: dict[str, Any]) -> tuple[int, Any]:
        block = blocks.block_everywhere if wanted["everywhere"] else blocks.block_conversation
        block(row, None, self.reason(wanted["reason"]), wanted.get("until"))
        return 200, told(self.row(row.pk), timezone.now())


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
        form = Unblocking(data=request.data)
        form.is_valid(raise_exception=True)
        reason = form.validated_data["reason"]
        return self.once(lambda: self._unblock(row, reason), again=lambda: told(self.row(row.pk), timezone.now()))

    def _unblock(self, row: Conversation, reason: str) -> tuple[int, Any]:
        blocks.unblock(row, None, self.reason(reason))
        return 200, told(self.row(row.pk), timezone.now())
