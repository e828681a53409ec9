"""Conversations of who tries a number: answered like all others, and counted apart."""

from __future__ import annotations

from .models import Conversation


def mark(conversation: Conversation, *, tester: bool) -> None:
    """Count this conversation as a test from now on, also what is there already, or with all others again.

    Figures that were published stay as they are (`figures.publishing`).
    """
    Conversation.objects.filter(pk=conversation.pk).update(tester=tester)
