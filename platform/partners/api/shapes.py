"""What the API says, field by field: for its documentation, and to hold its answers to it."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from rest_framework import serializers

from conversations.states import STATES
from conversations.words import Disposition, ReplyState
from hotlines import choices
from hotlines.models import Hotline
from partners.models import Audience, Event, ExportJob, Scope
from replies.models import Arm, Purpose

LANGUAGES = tuple(code for code, _name in settings.LANGUAGES)


CONVERSATION_STATES = [(name, name) for name in STATES]


class Shape(serializers.Serializer[Any]):
    """Only told, never posted."""


class FieldError(Shape):
    pointer = serializers.CharField(help_text="Where, as a JSON Pointer (RFC 6901).", allow_blank=True)
    detail = serializers.CharField()


class Problem(Shape):
    """What went wrong (RFC 9457)."""

    type = serializers.CharField(help_text="A name that programs compare; it never changes.")
    title = serializers.CharField()
    status = serializers.IntegerField()
    detail = serializers.CharField(required=False)
    errors = FieldError(many=True, required=False)  # type: ignore[assignment]


class Words(Shape):
    """A text, and its language: not every text exists in every language."""

    text = serializers.CharField()
    language = serializers.CharField()


class Current(Shape):
    """Which number to show now."""

    slug = serializers.CharField()
    language = serializers.ChoiceField(settings.LANGUAGES)
    name = serializers.CharField()
    organization = serializers.CharField()
    state = serializers.ChoiceField([("in_service", "in service"), ("suspended", "suspended")])
    number = serializers.CharField(
        allow_null=True, help_text="In E.164, or a short code. Null while none is in service."
    )
    international = serializers.CharField(allow_null=True)
    national = serializers.CharField(allow_null=True)
    about = Words(allow_null=True)
    suspended = Words(allow_null=True, help_text="What to say while no number is in service.")
    contact_name = serializers.CharField(help_text="An innocent name under which phones may save the number.")
    try_number = serializers.CharField(allow_null=True, help_text="For who wants to see how it answers.")
    page = serializers.URLField()
    contact = serializers.URLField(allow_null=True, help_text="The number as a vCard.")
    refresh_after = serializers.IntegerField(help_text="Seconds.")


class HotlineShape(Current):
    """A number that may be shown, or several in turn, under one name."""

    id = serializers.UUIDField()
    kind = serializers.CharField(allow_null=True)
    languages = serializers.ListField(child=serializers.CharField(), help_text="In which it answers.")
    updated_at = serializers.DateTimeField()


class PublicText(Shape):
    language = serializers.CharField()
    purpose = serializers.ChoiceField(Purpose.choices)
    step = serializers.IntegerField()
    text = serializers.CharField()


class Week(Shape):
    """One week, Monday to Sunday. Null is not told: too few people, or one of them wrote most."""

    monday = serializers.DateField()
    senders = serializers.IntegerField(allow_null=True)
    messages = serializers.IntegerField(allow_null=True)
    languages = serializers.DictField(child=serializers.IntegerField())


class EventShape(Shape):
    id = serializers.CharField(help_text="The `webhook-id` under which endpoints get it.")
    type = serializers.ChoiceField(Event.Kind.choices)
    timestamp = serializers.DateTimeField()
    data = serializers.DictField()  # type: ignore[assignment]


class KeyShape(Shape):
    """What this key is and may."""

    label = serializers.CharField()  # type: ignore[assignment]
    organization = serializers.CharField()
    audience = serializers.ChoiceField(Audience.choices)
    scopes = serializers.ListField(child=serializers.ChoiceField(Scope.choices))
    sandbox = serializers.BooleanField()
    expires_at = serializers.DateTimeField()


class NumberShape(Shape):
    """A number of the organization."""

    id = serializers.UUIDField()
    name = serializers.CharField()
    number = serializers.CharField()
    kind = serializers.CharField()
    state = serializers.ChoiceField(Hotline.State.choices)
    successor = serializers.UUIDField(allow_null=True)
    languages = serializers.ListField(child=serializers.CharField())
    default_language = serializers.CharField()
    countries = serializers.ListField(child=serializers.CharField())


class PolicyShape(serializers.ModelSerializer[Hotline]):
    """How a number answers. Seconds and hours, as the names say."""

    class Meta:
        model = Hotline
        fields = (
            "reply_limit",
            "window_hours",
            "block_hours",
            "delay_seconds",
            "jitter_seconds",
            "quiet_from",
            "quiet_until",
            "languages",
            "default_language",
            "countries",
            "replies_per_hour",
        )

    languages = serializers.ListField(child=serializers.CharField(max_length=12), max_length=40)
    countries = serializers.ListField(child=serializers.CharField(max_length=2), min_length=1, max_length=300)

    def validate_languages(self, codes: list[str]) -> list[str]:
        """Those that the admin offers, each once."""
        known = {code for code, _name in choices.languages(self.instance.languages if self.instance else ())}
        return _each_once(codes, known)

    def validate_countries(self, codes: list[str]) -> list[str]:
        known = {code for code, _name in choices.countries(self.instance.countries if self.instance else ())}
        return _each_once(codes, known)


def _each_once(codes: list[str], known: set[str]) -> list[str]:
    if unknown := [code for code in codes if code not in known]:
        raise serializers.ValidationError(f"Not known: {', '.join(unknown)[:100]}.")
    return list(dict.fromkeys(codes))


class TemplateShape(Shape):
    """A text. `draft` is another that waits until a person has approved it; what is sent is `text`."""

    id = serializers.IntegerField()
    number = serializers.UUIDField(allow_null=True, help_text="Null: the organization's default for all its numbers.")
    purpose = serializers.ChoiceField(Purpose.choices)
    step = serializers.IntegerField()
    language = serializers.CharField()
    version = serializers.ChoiceField(Arm.choices)
    text = serializers.CharField(allow_null=True, help_text="Null while it has never been approved.")
    draft = serializers.CharField(allow_null=True)
    segments = serializers.IntegerField(allow_null=True, help_text="SMS that one costs; null for what is not sent.")
    updated_at = serializers.DateTimeField()


class ConversationShape(Shape):
    """One sender on one number. Who it is stays masked, and no text is told."""

    id = serializers.IntegerField()
    number = serializers.UUIDField()
    sender = serializers.CharField(help_text="Masked, like +33 •• •• •• •• 23.")
    pseudonym = serializers.CharField(help_text="The same for a sender on a number as long as he is known.")
    language = serializers.CharField(allow_blank=True)
    state = serializers.ChoiceField(CONVERSATION_STATES)
    blocked_until = serializers.DateTimeField(allow_null=True)
    messages = serializers.IntegerField()
    replies = serializers.IntegerField(help_text="In this episode.")
    episode = serializers.IntegerField()
    test = serializers.BooleanField()
    held = serializers.BooleanField(help_text="Whether it is kept as evidence.")
    first_message_at = serializers.DateTimeField()
    last_message_at = serializers.DateTimeField()


class MessageShape(Shape):
    received_at = serializers.DateTimeField()
    channel = serializers.CharField()
    became = serializers.ChoiceField(Disposition.choices)
    reply = serializers.ChoiceField(ReplyState.choices, allow_null=True)
    reply_language = serializers.CharField(allow_blank=True, allow_null=True)
    replied_at = serializers.DateTimeField(allow_null=True)
    delivery = serializers.CharField(allow_blank=True, allow_null=True)


class ConversationDetail(ConversationShape):
    recent = MessageShape(many=True, help_text="The last hundred messages, newest first, without their texts.")


class ExportShape(Shape):
    id = serializers.UUIDField()
    number = serializers.UUIDField()
    since = serializers.DateTimeField()
    until = serializers.DateTimeField()
    state = serializers.ChoiceField(ExportJob.State.choices)
    rows = serializers.IntegerField(allow_null=True)
    created_at = serializers.DateTimeField()
    finished_at = serializers.DateTimeField(allow_null=True)
    expires_at = serializers.DateTimeField(allow_null=True)
    file = serializers.URLField(allow_null=True, help_text="One conversation a line, as JSON, compressed by gzip.")


def listed(shape: type[serializers.BaseSerializer[Any]], name: str) -> type[serializers.BaseSerializer[Any]]:
    """A page of such rows."""
    fields = {
        "results": shape(many=True),
        "next": serializers.URLField(allow_null=True, help_text="The next page; null on the last."),
        "__doc__": f"A page of {name}.",
    }
    return type(f"{name}Page", (Shape,), fields)
