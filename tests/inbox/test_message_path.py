from __future__ import annotations

from tests.signing import post_message
from tests.world import World, message_fields

from conversations.models import Conversation, Message, Reply
from outbox import sweeps


def test_a_signed_message_is_stored_once_and_its_reply_decided(world: World) -> None:
    hotline = world.north.hotline
    fields = message_fields(hotline, "Salut")
    first = post_message(hotline, fields, world.north.token)
    assert (first.status_code, first.content, first["Content-Type"]) == (200, b"<Response/>", "application/xml")
    again = post_message(hotline, fields, world.north.token)
    assert (again.status_code, again.content) == (200, b"<Response/>")
    assert Message.objects.count() == 1
    assert Conversation.objects.get().messages_received == 1
    reply = Reply.objects.get()
    assert (reply.slot, reply.state) == (1, "pending")
    assert sweeps.release_replies() == 1
    reply.refresh_from_db()
    assert (reply.state, reply.text) == ("released", "Réponse de North.")


def test_five_are_answered_and_the_sixth_is_not(world: World) -> None:
    hotline = world.north.hotline
    for _ in range(7):
        assert post_message(hotline, message_fields(hotline), world.north.token).status_code == 200
    assert list(Reply.objects.order_by("slot").values_list("slot", flat=True)) == [1, 2, 3, 4, 5]
    assert (
        list(Message.objects.order_by("pk").values_list("disposition", flat=True)) == ["answered"] * 5 + ["blocked"] * 2
    )
    assert Message.objects.filter(disposition="blocked", text_sealed__isnull=True).count() == 2
