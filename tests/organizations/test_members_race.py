"""Two owners who leave at the same moment: one of them stays."""

from __future__ import annotations

import threading

import pytest
from django.db import connection
from tests.world import build_tenant

from organizations import members
from organizations.models import Member


@pytest.mark.postgresql
@pytest.mark.django_db(transaction=True)
def test_two_owners_who_leave_at_once_leave_one() -> None:
    west = build_tenant("West", "+33937000003")
    Member.objects.filter(organization=west.organization).update(role="owner")
    owners = list(Member.objects.filter(organization=west.organization))
    together, refused = threading.Barrier(len(owners)), []

    def leave(member: Member) -> None:
        try:
            together.wait()
            members.remove(member)
        except members.LastOwner:
            refused.append(member)
        finally:
            connection.close()

    threads = [threading.Thread(target=leave, args=(member,)) for member in owners]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(refused) == 1
    assert list(Member.objects.filter(organization=west.organization)) == refused
