"""A person blocks while messages arrive: nothing is sent that was not on its way.

A message that is being decided at that moment may not see a block on all numbers yet, because its statement looks at
the database as it was when it began. Its reply is then dropped when it is due: releasing and sending look again.
"""

from __future__ import annotations

import threading

import pytest
from django.db import connection
from tests.signing import post_message
from tests.world import build_tenant, message_fields

from conversations import blocks
from conversations.models import Conversation, Message, Reply
from hotlines.models import Hotline
from outbox import sweeps


@pytest.mark.postgresql
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("block", [blocks.block_conversation, blocks.block_everywhere], ids=["here", "everywhere"])
def test_nothing_is_sent_after_a_block_whatever_arrived_meanwhile(block: object) -> None:
    west = build_tenant("West", "+33937000003")
    Hotline.objects.update(reply_limit=10)
    assert post_message(west.hotline, message_fields(west.hotline), west.token).status_code == 200
    conversation = Conversation.objects.get()
    together, statuses = threading.Barrier(5), []

    def write() -> None:
        together.wait()
        answers = [post_message(west.hotline, message_fields(west.hotline), west.token) for _ in range(3)]
        statuses.extend(answer.status_code for answer in answers)
        connection.close()

    threads = [threading.Thread(target=write) for _ in range(4)]
    for thread in threads:
        thread.start()
    together.wait()
    assert callable(block)
    block(conversation, west.owner, "insults")
    for thread in threads:
        thread.join()
    assert statuses == [200] * 12
    sweeps.release_replies()
    assert set(Reply.objects.values_list("state", "detail")) <= {("dropped", "blocked by a person")}
    blocked = Message.objects.filter(disposition="blocked")
    assert Reply.objects.count() + blocked.count() == 13
    assert not blocked.filter(text_sealed__isnull=False).exists()
