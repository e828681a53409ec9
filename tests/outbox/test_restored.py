"""A database restored from a backup sends nothing before a person says so (SECURITY.md F15)."""

from __future__ import annotations

import datetime
import shutil
import sqlite3
import subprocess
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.core import mail
from django.core.management import CommandError, call_command
from django.db.models.signals import post_migrate
from django.test import Client
from django.utils import timezone, translation
from tests import migrated, services
from tests.outbox.carrier import Carrier, written
from tests.outbox.test_workers import Site
from tests.processes import manage, production
from tests.world import World

from config import health
from conversations.models import Reply
from outbox import release, restored, send, settle, sweeps
from outbox.models import UsedDatabase
from providers.base import Knowledge

HOUR = datetime.timedelta(hours=1)


# --- real backups, real processes -------------------------------------------------------------------------------------
def new_site(url: str, folder: Path, **changes: str) -> Site:
    folder.mkdir(exist_ok=True)
    environment = production(url, folder, PARAVENT_ENGINE="embedded", PARAVENT_OPERATOR_MAIL="o@example.org", **changes)
    return Site(environment, folder / "ledger")


def elsewhere(site: Site, url: str, folder: Path) -> Site:
    """Another host, with the same secrets, on another database; it knows nothing of what the first one claimed."""
    folder.mkdir()
    environment = site.environment | {"PARAVENT_DATABASE_URL": url, "PARAVENT_DATA_DIR": str(folder)}
    return Site(environment, folder / "ledger")


def states(site: Site) -> dict[tuple[str, str], int]:
    return dict(Counter((state, detail) for state, _attempts, detail in site.rows()))


def dump(server: services.PostgreSQL, database: str, file: Path, *more: str) -> None:
    run(server, "pg_dump", "--format=custom", *more, f"--file={file}", database)


def run(server: services.PostgreSQL, program: str, *arguments: str) -> None:
    command = [server.psql.with_name(program), "-h", server.socket_folder, "-U", "paravent", *arguments]
    subprocess.run(command, check=True, capture_output=True)


def restore_into_another(server: services.PostgreSQL, site: Site, file: Path, folder: Path) -> Site:
    """As after the loss of a server: a fresh database, a fresh host."""
    url = server.create_database(f"fresh_{folder.name}_{folder.parent.name}")
    run(server, "pg_restore", "--dbname", url.rpartition("/")[2], str(file))
    return elsewhere(site, url, folder)


def restore_over(server: services.PostgreSQL, site: Site, file: Path, folder: Path) -> Site:
    """Into the same database, whose cluster and own oid stay; another host, so that nobody remembers a claim."""
    url = site.environment["PARAVENT_DATABASE_URL"]
    run(server, "pg_restore", "--clean", "--if-exists", "--dbname", url.rpartition("/")[2], str(file))
    return elsewhere(site, url, folder)


@pytest.fixture
def postgresql_site(postgresql_server: services.PostgreSQL, tmp_path: Path) -> Site:
    site = new_site(postgresql_server.create_database(tmp_path.name), tmp_path / "first")
    migrated.migrate(site.environment)
    return site


@pytest.mark.processes
@pytest.mark.parametrize("restore", [restore_into_another, restore_over])
@pytest.mark.proof
def test_a_restored_dump_sends_nothing_until_a_person_says_so(
    restore: Callable[..., Site], postgresql_server: services.PostgreSQL, postgresql_site: Site, tmp_path: Path
) -> None:
    postgresql_site.run("seed:3")
    file = tmp_path / "dump"
    dump(postgresql_server, tmp_path.name, file)
    postgresql_site.run("engine")
    assert len(postgresql_site.ledger()) == 9
    fresh = restore(postgresql_server, postgresql_site, file, tmp_path / "second")
    together = [fresh.start("meet:2", "engine", "mails") for _ in range(2)]
    mails = [process.communicate()[0] for process in together]
    assert [process.returncode for process in together] == [0, 0]
    assert sorted(mails) == ["0\n", "1\n"]  # whoever stopped it tells the operators, once
    assert (fresh.ledger(), states(fresh)) == ([], {("released", ""): 9})
    fresh.run("restored:expire", "engine")
    assert (fresh.ledger(), states(fresh)) == ([], {("expired", "restored"): 9})


@pytest.mark.processes
@pytest.mark.proof
def test_a_moved_server_sends_what_waits_after_a_person_said_that_it_was_moved(
    postgresql_server: services.PostgreSQL, postgresql_site: Site, tmp_path: Path
) -> None:
    postgresql_site.run("seed:2")
    dump(postgresql_server, tmp_path.name, tmp_path / "dump")
    moved = restore_into_another(postgresql_server, postgresql_site, tmp_path / "dump", tmp_path / "second")
    moved.run("engine")
    assert moved.ledger() == []
    moved.run("restored:keep", "engine")
    assert len(moved.ledger()) == len(set(moved.ledger())) == 6
    assert states(moved) == {("sent", ""): 6}


@pytest.mark.processes
def test_a_database_that_was_set_back_is_noticed_by_the_host_that_sent(
    postgresql_server: services.PostgreSQL, postgresql_site: Site, tmp_path: Path
) -> None:
    """As by point-in-time recovery: the same cluster, database and table, with yesterday's rows."""
    postgresql_site.run("seed:2")
    dump(postgresql_server, tmp_path.name, tmp_path / "dump", "--data-only", "--table=conversations_reply")
    postgresql_site.run("engine")
    assert len(postgresql_site.ledger()) == 6
    postgresql_server.execute("DELETE FROM conversations_reply", tmp_path.name)
    run(postgresql_server, "pg_restore", "--data-only", "--dbname", tmp_path.name, str(tmp_path / "dump"))
    assert postgresql_site.run("engine", "mails") == "1\n"
    assert (len(postgresql_site.ledger()), states(postgresql_site)) == (6, {("released", ""): 6})
    said = manage(postgresql_site.environment | {"PARAVENT_LANGUAGE": "en"}, "restored")
    assert "it has forgotten what was sent" in said
    postgresql_site.run("restored:expire", "seed-more", "engine")
    assert states(postgresql_site) == {("expired", "restored"): 6, ("sent", ""): 1}


def replaced_by_another_file(database: Path, copy: Path) -> None:
    shutil.copy(copy, database.with_name("new"))
    database.with_name("new").rename(database)


def copied_over(database: Path, copy: Path) -> None:
    """The file stays the same one, and so does its inode."""
    shutil.copy(copy, database)


@pytest.mark.processes
@pytest.mark.proof
@pytest.mark.parametrize("replace", [replaced_by_another_file, copied_over])
def test_a_restored_sqlite_file_sends_nothing_until_a_person_says_so(
    replace: Callable[[Path, Path], None], tmp_path: Path
) -> None:
    database, copy = tmp_path / "site" / "paravent.sqlite3", tmp_path / "copy"
    site = new_site(f"sqlite:///{database}", tmp_path / "site")
    migrated.migrate(site.environment)
    site.run("seed:2")
    with sqlite3.connect(database) as source, sqlite3.connect(copy) as target:
        source.backup(target)
    site.run("engine")
    assert len(site.ledger()) == 6
    for left in site.path.parent.glob("paravent.sqlite3-*"):
        left.unlink()
    replace(database, copy)
    together = [site.start("meet:2", "engine", "mails") for _ in range(2)]
    assert sorted(process.communicate()[0] for process in together) == ["0\n", "1\n"]
    assert (len(site.ledger()), states(site)) == (6, {("released", ""): 6})
    site.run("restored:expire", "engine")
    assert (len(site.ledger()), states(site)) == (6, {("expired", "restored"): 6})


@pytest.mark.processes
@pytest.mark.proof
def test_a_moved_sqlite_file_goes_on_when_a_person_says_so(tmp_path: Path) -> None:
    first = new_site(f"sqlite:///{tmp_path / 'first' / 'paravent.sqlite3'}", tmp_path / "first")
    migrated.migrate(first.environment)
    first.run("seed:1")
    with (
        sqlite3.connect(tmp_path / "first" / "paravent.sqlite3") as source,
        sqlite3.connect(tmp_path / "moved.sqlite3") as target,
    ):
        source.backup(target)
    moved = elsewhere(first, f"sqlite:///{tmp_path / 'moved.sqlite3'}", tmp_path / "second")
    moved.run("engine")
    assert moved.ledger() == []
    moved.run("restored:keep", "engine")
    assert (len(moved.ledger()), states(moved)) == (3, {("sent", ""): 3})


# --- one row, one rule ------------------------------------------------------------------------------------------------
def another() -> None:
    """As if the rows had been restored into this database."""
    UsedDatabase.objects.update(identity="another one")


def run_engine() -> None:
    for name in ("release_replies", "send_replies"):
        sweep = sweeps.find(name)
        assert sweep is not None
        sweep.run()


def test_nothing_is_claimed_even_where_nobody_looked_before(world: World, carrier: Carrier) -> None:
    written(world.north.hotline)
    now = timezone.now()
    assert release.release_due(now) == 1
    another()
    assert not send.send_one(now)
    UsedDatabase.objects.update(identity=restored.here(), stopped_at=now, reason="identity")
    assert not send.send_one(now)
    UsedDatabase.objects.update(stopped_at=None, reason="")
    assert send.send_one(now)
    assert len(carrier.calls) == 1


def test_without_the_row_nothing_is_sent(world: World, carrier: Carrier) -> None:
    written(world.north.hotline)
    UsedDatabase.objects.all().delete()
    run_engine()
    run_engine()
    assert carrier.calls == []
    assert UsedDatabase.objects.get().reason == "identity"


@pytest.mark.django_db(transaction=True)
def test_the_row_is_there_as_soon_as_its_table_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker that looks in the middle of an upgrade must not take its database for a restored one."""
    call_command("migrate", "outbox", "0001", verbosity=0)
    monkeypatch.setattr(post_migrate, "send", lambda **_more: [])
    call_command("migrate", "outbox", verbosity=0)
    assert restored.look()


def test_messages_are_received_and_stored_meanwhile(world: World, carrier: Carrier) -> None:
    another()
    run_engine()
    assert written(world.north.hotline) is not None
    run_engine()
    assert (carrier.calls, [reply.state for reply in Reply.objects.all()]) == ([], ["released"])


def test_where_all_is_well_looking_costs_one_query(
    world: World, carrier: Carrier, django_assert_num_queries: Any
) -> None:
    written(world.north.hotline)
    run_engine()
    assert restored._remembered() is not None
    with django_assert_num_queries(1):
        assert restored.look()


def test_a_mail_that_did_not_leave_is_sent_again(world: World, settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.ADMINS = [("", "operators@example.org")]
    another()

    def refuses(*_args: Any) -> None:
        raise OSError("no mail server")

    with monkeypatch.context() as patched:
        patched.setattr("outbox.alerts.mail_admins", refuses)
        assert not restored.look()
    assert mail.outbox == []
    assert [restored.look() for _ in range(3)] == [False] * 3
    assert [message.to for message in mail.outbox] == [["operators@example.org"]]
    told = mail.outbox[0].subject + mail.outbox[0].body
    assert [word for word in ("North", "South", world.north.hotline.number) if word in told] == []


@pytest.mark.parametrize("content", ["", "[", "[1]", "null", '["x", "y"]', "[1, null]"])
def test_a_torn_memory_of_the_last_claim_tells_nothing(world: World, settings: Any, content: str) -> None:
    settings.SPOOL_DIR.mkdir()
    (settings.SPOOL_DIR / "last-claim").write_text(content)
    assert restored.look()


def test_a_host_without_a_disk_sends_all_the_same(world: World, carrier: Carrier, settings: Any) -> None:
    settings.SPOOL_DIR.write_text("a file where a folder should be")
    written(world.north.hotline)
    run_engine()
    assert len(carrier.ledger) == 1


# --- what a person decides --------------------------------------------------------------------------------------------
def claimed_in_the_backup(world: World, carrier: Carrier, knowledge: Knowledge = Knowledge.UNKNOWN) -> Reply:
    carrier.says(knowledge)
    reply = written(world.north.hotline, "33639980101")
    assert reply is not None
    run_engine()
    return Reply.objects.get(pk=reply.pk)


def test_what_may_have_been_sent_is_never_released_again(world: World, carrier: Carrier) -> None:
    """The log is searched around the claim that the backup knows; that it has nothing there proves nothing now."""
    unknown = claimed_in_the_backup(world, carrier)
    other = written(world.north.hotline, "33639980102")
    assert other is not None
    now = timezone.now()
    assert release.release_due(now) == 1
    reply = send.claim(now)
    assert reply is not None
    another()
    restored.look()
    call_command("restored", "--expire", verbosity=0)
    rows = list(Reply.objects.order_by("pk"))
    assert [(row.state, row.absences) for row in rows] == [("unknown", 1)] * 2
    assert rows[1].detail == "restored"
    assert settle._attempt(Reply.objects.get(pk=unknown.pk), world.north.account, _covering()).absent_before
    decided = settle.decide(
        [settle._attempt(row, world.north.account, _covering()) for row in rows], [], settle._lease()
    )
    assert decided == dict.fromkeys([row.pk for row in rows])


def _covering() -> Any:
    class Read:
        covers_from = timezone.now() - 24 * HOUR

    return Read()


def test_keep_changes_no_reply(world: World, carrier: Carrier) -> None:
    claimed_in_the_backup(world, carrier)
    written(world.south.hotline)
    before = list(Reply.objects.order_by("pk").values())
    another()
    assert not restored.look()
    call_command("restored", "--keep", verbosity=0)
    assert list(Reply.objects.order_by("pk").values()) == before
    assert restored.look()


@pytest.mark.parametrize("choice", ["--expire", "--keep"])
def test_it_may_be_run_where_nothing_was_noticed(world: World, carrier: Carrier, choice: str) -> None:
    written(world.north.hotline)
    call_command("restored", choice)
    run_engine()
    assert len(carrier.ledger) == (0 if choice == "--expire" else 1)
    written(world.south.hotline)
    run_engine()
    assert len(carrier.ledger) == (1 if choice == "--expire" else 2)


def test_alone_it_shows_and_changes_nothing(world: World, carrier: Carrier, capsys: pytest.CaptureFixture[str]) -> None:
    claimed_in_the_backup(world, carrier)
    written(world.south.hotline)
    another()
    restored.look()
    before = (list(Reply.objects.order_by("pk").values()), list(UsedDatabase.objects.values()))
    with translation.override("en"):
        call_command("restored")
    assert (list(Reply.objects.order_by("pk").values()), list(UsedDatabase.objects.values())) == before
    said = capsys.readouterr().out
    assert "1 replies wait, 0 were being sent, 1 are of unknown outcome." in said
    assert "it is another one than was used last" in said
    assert "`manage.py restored --expire`" in said


def test_both_choices_at_once_are_refused(db: None) -> None:
    with pytest.raises(CommandError, match="not allowed with"):
        call_command("restored", "--expire", "--keep")


def test_what_a_host_remembers_from_before_is_not_held_against_an_accepted_database(
    world: World, carrier: Carrier
) -> None:
    written(world.north.hotline)
    run_engine()
    Reply.objects.all().delete()
    assert not restored.look()
    assert UsedDatabase.objects.get().reason == "forgotten"
    call_command("restored", "--keep", verbosity=0)
    assert restored.look()


# --- who is told ------------------------------------------------------------------------------------------------------
def first_page(user: Any) -> str:
    client = Client(headers={"accept-language": "en"})
    client.force_login(user)
    return client.get("/admin/").content.decode()


def test_operators_and_owners_read_it_on_the_first_page(world: World) -> None:
    people = {"operator": world.operator, "owner": world.north.owner, "viewer": world.north.viewer}
    told = "database may have been restored from a backup"
    assert [name for name, user in people.items() if told in first_page(user)] == []
    another()
    restored.look()
    assert [name for name, user in people.items() if told in first_page(user)] == ["operator", "owner"]
    assert ["manage.py restored" in first_page(user) for user in people.values()] == [True, False, False]


def test_health_says_it(world: World) -> None:
    assert health.ask(["sending"], port=0)[0].ok
    another()
    restored.look()
    found = health.ask(["sending"], port=0)[0]
    assert (found.ok, "manage.py restored" in found.says) == (False, True)
