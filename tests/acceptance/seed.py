"""Two organizations with the plan's hotlines, and the blocks a person set; run as a process of production's settings.

    python -m tests.acceptance.seed <senders> <each> <seed> [limit|language|silence [<language>]]

prints the hotlines' addresses and tokens as JSON. The fourth argument seeds a fault that the verdict must find; with
the fifth the hotlines have texts in that language alone.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from typing import Any

import django
from tests.acceptance import plan


def seed(wanted: plan.Plan, fault: str, languages: Sequence[str] = plan.LANGUAGES) -> dict[str, dict[str, str]]:
    from tests.world import build_world  # noqa: PLC0415  needs the application

    from hotlines.models import Hotline  # noqa: PLC0415

    world = build_world()
    for tenant, auth_id in ((world.north, "MANORTHNORTHNORTHNOR"), (world.south, "MASOUTHSOUTHSOUTHSOU")):
        tenant.account.credentials = {"auth_id": auth_id, "auth_token": tenant.token}
        tenant.account.save()
    second = Hotline.objects.create(
        organization=world.north.organization,
        account=world.north.account,
        name="second",
        number=plan.TWO.number,
        kind="anti-relous",
        state=Hotline.State.ACTIVE,
        delay_seconds=0,
        jitter_seconds=0,
        messages_per_second=500,
    )
    places = {
        plan.FIVE: (world.north.hotline, world.north),
        plan.TWO: (second, world.north),
        plan.OTHER: (world.south.hotline, world.south),
    }
    for line, (hotline, _tenant) in places.items():
        _prepare(hotline, line, fault, languages)
    if fault != "silence":
        _block(wanted, world)
    return {
        line.number: {
            "path": f"/hooks/plivo/{hotline.hook_token}/message/",
            "auth_id": tenant.account.credentials["auth_id"],
            "auth_token": tenant.token,
        }
        for line, (hotline, tenant) in places.items()
    }


def _prepare(hotline: Any, line: plan.Line, fault: str, languages: Sequence[str]) -> None:
    """The line's limit, four languages, and a text of its own for every step in each."""
    from replies.models import ReplyTemplate  # noqa: PLC0415

    hotline.reply_limit = line.limit + (fault == "limit")
    hotline.languages = list(languages)
    hotline.countries = ["FR", "GB", "ES"]
    # It is no raid: so many are usual for it.
    hotline.replies_per_hour = 1_000_000
    hotline.inbound_budget = None
    hotline.save()
    ReplyTemplate.objects.filter(hotline=hotline).delete()
    for written, (language, step) in line.texts.items():
        if language not in languages:
            continue
        tongue = {"fr": "en", "en": "fr"}.get(language, language) if fault == "language" else language
        ReplyTemplate.objects.create(
            organization=hotline.organization, hotline=hotline, language=tongue, step=step, text=written
        )


def _block(wanted: plan.Plan, world: Any) -> None:
    """Blocks need a conversation: each of these senders has texted once, before the run and unanswered."""
    from django.utils import timezone  # noqa: PLC0415

    from conversations import blocks  # noqa: PLC0415
    from conversations.models import Conversation, Reply  # noqa: PLC0415
    from inbox import hooks, receive  # noqa: PLC0415
    from providers.base import InboundMessage, Verification  # noqa: PLC0415

    for block, pairs in (
        (blocks.block_conversation, wanted.blocked),
        (blocks.block_everywhere, wanted.blocked_everywhere),
    ):
        for sender, line in pairs:
            hook = hooks.find(world.north.hotline.hook_token)
            assert isinstance(hook, hooks.Hook)
            first = InboundMessage(f"before-{sender}", sender, line.number, "Salut", timezone.now())
            receive.receive(hook, first, Verification("v3", f"before-{sender}"))
            conversation = Conversation.objects.latest("pk")
            block(conversation, world.north.owner, "acceptance")
            # The block dropped its reply: it is the block that keeps him silent, and nothing else.
            Reply.objects.filter(conversation=conversation, state="dropped").get()


def main(arguments: Sequence[str]) -> int:
    senders, each, number = map(int, arguments[:3])
    django.setup()
    wanted = plan.make(senders, each, number)
    sys.stdout.write(json.dumps(seed(wanted, "".join(arguments[3:4]), arguments[4:5] or plan.LANGUAGES)))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
