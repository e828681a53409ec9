"""What an organization's own systems change by the API: once, in the version they read, as drafts, and on record."""

from __future__ import annotations

import datetime
import gzip
import json
import threading
import zlib
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.db import connection
from django.utils import timezone
from tests.partners.api_world import Asking, make_key
from tests.people import signed_in
from tests.world import SENDER, World
from tests.writing import write

from conversations.models import Block, Conversation, Reply
from hotlines.models import Hotline
from outbox import sweeps
from partners import exporting
from partners.api import views
from partners.models import ApiWrite, ExportJob
from replies import choosing, versions
from replies.models import ReplyTemplate, TextVersion

pytestmark = pytest.mark.usefixtures("in_english")


@pytest.fixture
def own(world: World) -> Asking:
    return Asking(make_key(world.north, created_by=world.north.owner)[1])


@pytest.fixture
def south(world: World) -> Asking:
    return Asking(make_key(world.south)[1])


@pytest.fixture
def conversation(world: World) -> Conversation:
    write(world.north)
    return Conversation.objects.get(hotline=world.north.hotline)


# --- policies ---------------------------------------------------------------------------------------------------------
def policy(world: World) -> str:
    return f"numbers/{world.north.hotline.uuid}/policy/"


def change(asking: Asking, path: str, body: Any, **headers: str) -> Any:
    """A change of what has just been read."""
    etag = asking.get(path).headers["ETag"]
    return asking.send("patch", path, body, **{"If-Match": etag, **headers})


def test_limits_are_changed_and_what_is_not_named_stays(world: World, own: Asking) -> None:
    answer = change(own, policy(world), {"reply_limit": 3, "quiet_from": "22:00", "quiet_until": "07:00"})
    assert (answer.status_code, answer.json()["reply_limit"], answer.json()["block_hours"]) == (200, 3, 2160)
    hotline = Hotline.objects.get(pk=world.north.hotline.pk)
    assert (hotline.reply_limit, hotline.quiet_from, hotline.delay_seconds) == (3, datetime.time(22), 0)
    assert answer.headers["ETag"] == own.get(policy(world)).headers["ETag"]


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"reply_limit": 0}, "/reply_limit"),
        ({"reply_limit": 21}, "/reply_limit"),
        ({"reply_limit": "x"}, "/reply_limit"),
        ({"reply_limit": None}, "/reply_limit"),
        ({"window_hours": 10**12}, "/window_hours"),
        ({"delay_seconds": -1}, "/delay_seconds"),
        ({"quiet_from": "22:00"}, "/quiet_until"),
        ({"languages": ["xx-yy-zz-qq"]}, "/languages"),
        ({"languages": []}, "/default_language"),
        ({"languages": "fr"}, "/languages"),
        ({"default_language": "tr"}, "/default_language"),
        ({"countries": ["France"]}, "/countries/0"),
        ({"countries": ["fr"]}, "/countries"),
        ({"countries": ["ZZ"]}, "/countries"),
        ({"countries": []}, "/countries"),
        ({"languages": ["fr", "zz"]}, "/languages"),
        ({"\\ud800": 1}, "/"),
        ({"state": "retired"}, "/state"),
        ({"number": "+33612345678"}, "/number"),
        ([], ""),
        ("x", ""),
    ],
)
def test_limits_that_cannot_be_are_refused_and_nothing_is_changed(
    world: World, own: Asking, body: Any, pointer: str
) -> None:
    before = own.get(policy(world)).json()
    answer = change(own, policy(world), json.dumps(body))
    assert (answer.status_code, answer.headers["Content-Type"]) == (400, "application/problem+json"), answer.content
    assert answer.json()["errors"][0]["pointer"].startswith(pointer)
    assert own.get(policy(world)).json() == before
    assert not ApiWrite.objects.exists()


@pytest.mark.parametrize("body", [b"{", b"\xff\xfe", b"[" * 20_000, b"x" * 70_000, b'{"reply_limit": NaN}'])
def test_what_is_no_json_is_refused(world: World, own: Asking, body: bytes) -> None:
    answer = change(own, policy(world), body)
    assert answer.status_code in {400, 413}
    assert answer.headers["Content-Type"] == "application/problem+json"


def test_a_change_names_the_version_that_it_changes(world: World, own: Asking) -> None:
    unnamed = own.send("patch", policy(world), {"reply_limit": 3})
    assert (unnamed.status_code, unnamed.json()["type"]) == (428, "urn:paravent:problem:precondition-required")
    stale = own.get(policy(world)).headers["ETag"]
    assert change(own, policy(world), {"reply_limit": 4}).status_code == 200
    late = own.send("patch", policy(world), {"reply_limit": 3}, **{"If-Match": stale})
    assert (late.status_code, late.json()["type"]) == (412, "urn:paravent:problem:precondition-failed")
    assert Hotline.objects.get(pk=world.north.hotline.pk).reply_limit == 4


# --- texts ------------------------------------------------------------------------------------------------------------
def template(world: World, language: str = "fr") -> ReplyTemplate:
    return ReplyTemplate.objects.get(hotline=world.north.hotline, language=language, purpose="reply")


def sent_text(world: World, language: str = "fr") -> str:
    hotline = Hotline.objects.get(pk=world.north.hotline.pk)
    choice = choosing.choose(hotline, purpose="reply", step=1, written="", remembered=language, number=None)
    return choice.text if choice else ""


def test_a_text_is_a_draft_until_a_person_has_approved_it(world: World, own: Asking) -> None:
    row = template(world)
    answer = change(own, f"templates/{row.pk}/", {"text": "Un autre texte."})
    assert (answer.json()["text"], answer.json()["draft"]) == ("Réponse de North.", "Un autre texte.")
    assert sent_text(world) == "Réponse de North."
    waiting = versions.waiting(row)
    assert waiting is not None
    # Who made the key answers for what it writes, and cannot be the second person.
    with pytest.raises(ValidationError, match="You wrote this text"):
        versions.approve(waiting, world.north.owner)
    history = signed_in(world.north.editor).get(f"/admin/replies/replytemplate/{row.pk}/change/").content.decode()
    assert "API: own of North" in history
    page = signed_in(world.north.editor).get("/admin/").content.decode()
    assert "1 text waits for approval" in page
    versions.approve(waiting, world.north.editor)
    assert sent_text(world) == "Un autre texte."
    assert own.get(f"templates/{row.pk}/").json()["draft"] is None


def test_a_text_for_an_empty_place_is_sent_to_nobody_before_that(world: World, own: Asking) -> None:
    Hotline.objects.filter(pk=world.north.hotline.pk).update(languages=["fr", "en", "de"])
    body = {"number": str(world.north.hotline.uuid), "purpose": "reply", "language": "de", "text": "Bitte nicht mehr."}
    answer = own.send("post", "templates/", body)
    assert (answer.status_code, answer.json()["text"], answer.json()["draft"]) == (201, None, "Bitte nicht mehr.")
    assert sent_text(world, "de") == "Réponse de North."
    taken = own.send("post", "templates/", body)
    assert (taken.status_code, taken.json()["type"]) == (409, "urn:paravent:problem:conflict")


@pytest.mark.parametrize(
    "text", ["", " ", "Bonjour {prénom}", "Appelez le +33937000001", "x" * 2001, "a\x00b", None, 5, ["x"]]
)
def test_a_text_that_may_not_be_sent_is_refused(world: World, own: Asking, text: Any) -> None:
    answer = change(own, f"templates/{template(world).pk}/", {"text": text})
    told = answer.status_code == 400 and answer.json()["errors"][0]["pointer"] == "/text"
    assert told or (text == 5 and answer.status_code == 200)
    assert TextVersion.objects.filter(text__contains="prénom").count() == 0


def test_a_language_that_the_number_does_not_answer_is_refused(world: World, own: Asking) -> None:
    body = {"number": str(world.north.hotline.uuid), "purpose": "reply", "language": "tr", "text": "Lütfen."}
    assert own.send("post", "templates/", body).json()["errors"][0]["pointer"] == "/language"


# --- blocks -----------------------------------------------------------------------------------------------------------
def test_a_sender_is_blocked_and_unblocked(world: World, own: Asking, conversation: Conversation) -> None:
    path = f"conversations/{conversation.pk}/"
    answer = own.send("post", f"{path}block/", {"reason": "insults"})
    assert (answer.status_code, answer.json()["state"]) == (200, "person")
    block = Block.objects.get()
    assert (block.reason, block.author) == ("insults (API: own of North)", None)
    assert answer.json()["blocked_until"] is None  # until somebody lifts it
    sweeps.release_replies()
    assert Reply.objects.get().state == Reply.State.DROPPED
    freed = own.send("post", f"{path}unblock/", {"reason": "a mistake"})
    assert (freed.status_code, freed.json()["state"], freed.json()["episode"]) == (200, "answered", 2)
    again = own.send("post", f"{path}unblock/", {"reason": "a mistake"})
    assert (again.status_code, again.json()["errors"][0]["detail"]) == (400, "This sender is not blocked.")


def test_a_sender_is_blocked_on_all_numbers(world: World, own: Asking, conversation: Conversation) -> None:
    until = (timezone.now() + datetime.timedelta(days=3)).isoformat()
    body = {"reason": "insults", "everywhere": True, "until": until}
    assert own.send("post", f"conversations/{conversation.pk}/block/", body).json()["state"] == "everywhere"
    assert Block.objects.get().conversation is None


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({}, "/reason"),
        ({"reason": " "}, "/reason"),
        ({"reason": "x", "until": "2020-01-01T00:00:00Z"}, ""),
        ({"reason": "x", "until": "0000-01-01"}, "/until"),
        ({"reason": "x" * 101}, "/reason"),
        ({"reason": "x", "untill": "2027-01-01T00:00:00Z"}, "/untill"),
        ({"reason": "x", "everywhere": "perhaps"}, "/everywhere"),
    ],
)
def test_a_block_that_cannot_be_is_refused(
    own: Asking, conversation: Conversation, body: dict[str, Any], pointer: str
) -> None:
    answer = own.send("post", f"conversations/{conversation.pk}/block/", body)
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (400, pointer)
    assert not Block.objects.exists()


# --- once -------------------------------------------------------------------------------------------------------------
def test_a_request_that_comes_again_happens_once(world: World, own: Asking, conversation: Conversation) -> None:
    path, body = f"conversations/{conversation.pk}/block/", {"reason": "insults"}
    first = own.send("post", path, body, **{"Idempotency-Key": "a-1"})
    again = own.send("post", path, body, **{"Idempotency-Key": "a-1"})
    assert (again.status_code, again.json()) == (200, first.json())
    assert (first.headers.get("Idempotency-Replayed"), again.headers["Idempotency-Replayed"]) == (None, "true")
    assert Block.objects.count() == ApiWrite.objects.count() == 1
    other = own.send("post", path, {"reason": "threats"}, **{"Idempotency-Key": "a-1"})
    assert (other.status_code, other.json()["type"]) == (422, "urn:paravent:problem:key-reused")


def test_a_name_of_a_request_belongs_to_its_key(world: World, own: Asking, conversation: Conversation) -> None:
    second = Asking(make_key(world.north)[1])
    path, body = f"conversations/{conversation.pk}/block/", {"reason": "insults"}
    own.send("post", path, body, **{"Idempotency-Key": "a-1"})
    assert "Idempotency-Replayed" not in second.send("post", path, body, **{"Idempotency-Key": "a-1"}).headers


def test_a_change_that_comes_again_is_no_conflict_with_itself(world: World, own: Asking) -> None:
    """As when both arrive at once: the second finds the first one's change."""
    etag = own.get(policy(world)).headers["ETag"]
    headers = {"If-Match": etag, "Idempotency-Key": "p-1"}
    first = own.send("patch", policy(world), {"reply_limit": 4}, **headers)
    write_row = ApiWrite.objects.get()
    hidden = ApiWrite.objects.filter(pk=write_row.pk)
    hidden.update(idempotency_key="hidden")  # not yet there when the second looks for it
    shown = views.KeyedView._done

    def late(self: Any, *arguments: Any) -> Any:
        found = shown(self, *arguments)
        hidden.update(idempotency_key="p-1")
        return found

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(views.KeyedView, "_done", late)
        again = own.send("patch", policy(world), {"reply_limit": 4}, **headers)
    assert (again.status_code, again.headers["Idempotency-Replayed"]) == (200, "true")
    assert (again.content, again.headers["ETag"]) == (first.content, first.headers["ETag"])


def test_a_change_is_on_the_numbers_history(world: World, own: Asking) -> None:
    change(own, policy(world), {"reply_limit": 4})
    history = signed_in(world.north.owner).get(f"/admin/hotlines/hotline/{world.north.hotline.pk}/history/")
    assert "API: own of North: reply_limit: 5 → 4" in history.content.decode()
    page = signed_in(world.north.owner).get(f"/admin/partners/apiwrite/{ApiWrite.objects.get().pk}/change/")
    assert "reply_limit: 5 → 4" in page.content.decode()


def test_nothing_is_taken_in_pieces_of_unknown_length(world: World, own: Asking) -> None:
    answer = own.client.generic(
        "PATCH", f"/api/v1/{policy(world)}", headers={**own.headers, "Transfer-Encoding": "chunked"}, CONTENT_LENGTH=""
    )
    assert (answer.status_code, answer.json()["type"]) == (411, "urn:paravent:problem:length-required")


def test_a_key_with_a_long_name_can_block(world: World, conversation: Conversation) -> None:
    row, whole = make_key(world.north)
    type(row).objects.filter(pk=row.pk).update(label="x" * 80)
    answer = Asking(whole).send("post", f"conversations/{conversation.pk}/block/", {"reason": "y" * 100})
    assert (answer.status_code, len(Block.objects.get().reason)) == (200, 188)


def test_who_is_erased_is_in_no_answer_and_no_export(world: World, own: Asking, conversation: Conversation) -> None:
    path, headers = f"conversations/{conversation.pk}/block/", {"Idempotency-Key": "e-1"}
    own.send("post", path, {"reason": "x"}, **headers)
    export = f"exports/{own.send('post', 'exports/', span(world)).json()['id']}/"
    exporting.make_exports()
    Conversation.objects.filter(pk=conversation.pk).update(sender_sealed=None)
    assert own.send("post", path, {"reason": "x"}, **headers).json()["sender"] == "erased"
    lines = gzip.decompress(own.get(f"{export}file/").getvalue()).decode()
    assert '"sender": "erased"' in lines
    job = ExportJob.objects.get()
    assert len(zlib.decompress(bytes(job.content or b""))) == 8


def test_what_was_refused_may_be_tried_again(own: Asking, conversation: Conversation) -> None:
    path = f"conversations/{conversation.pk}/unblock/"
    headers = {"Idempotency-Key": "a-2"}
    assert own.send("post", path, {"reason": "a mistake"}, **headers).status_code == 400
    own.send("post", f"conversations/{conversation.pk}/block/", {"reason": "insults"})
    assert own.send("post", path, {"reason": "a mistake"}, **headers).status_code == 200


@pytest.mark.parametrize("name", ["x" * 65, "a\x01b"])
def test_a_name_that_cannot_be_kept_is_refused(own: Asking, conversation: Conversation, name: str) -> None:
    path = f"conversations/{conversation.pk}/block/"
    answer = own.send("post", path, {"reason": "insults"}, **{"Idempotency-Key": name})
    assert (answer.status_code, Block.objects.count()) == (400, 0)


@pytest.mark.postgresql
@pytest.mark.django_db(transaction=True)
def test_the_same_request_at_the_same_moment_happens_once(world: World) -> None:
    write(world.north)
    conversation = Conversation.objects.get()
    _row, whole = make_key(world.north)
    answers: list[Any] = []

    def ask() -> None:
        try:
            path = f"conversations/{conversation.pk}/block/"
            answers.append(Asking(whole).send("post", path, {"reason": "insults"}, **{"Idempotency-Key": "same"}))
        finally:
            connection.close()

    threads = [threading.Thread(target=ask) for _number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.content for answer in answers}) == 1
    assert Block.objects.count() == ApiWrite.objects.count() == 1


def test_owners_read_what_keys_changed(world: World, own: Asking, conversation: Conversation) -> None:
    own.send("post", f"conversations/{conversation.pk}/block/", {"reason": "insults"})
    page = signed_in(world.north.owner).get("/admin/partners/apiwrite/").content.decode()
    assert f"/api/v1/conversations/{conversation.pk}/block/" in page
    assert signed_in(world.north.editor).get("/admin/partners/apiwrite/").status_code == 403


# --- exports ----------------------------------------------------------------------------------------------------------
def span(world: World, **changes: Any) -> dict[str, Any]:
    now, day = timezone.now(), datetime.timedelta(days=1)
    given = {"since": (now - day).isoformat(), "until": (now + day).isoformat()}
    return {"number": str(world.north.hotline.uuid), **given, **changes}


def test_an_export_is_a_job_whose_file_can_be_fetched(world: World, own: Asking, south: Asking) -> None:
    for number in range(5):
        write(world.north, sender=f"3361234{number:04}")
    begun = own.send("post", "exports/", span(world))
    assert (begun.status_code, begun.json()["state"], begun.json()["file"]) == (202, "waiting", None)
    path = f"exports/{begun.json()['id']}/"
    assert begun.headers["Location"] == f"/api/v1/{path}"
    assert own.get(f"{path}file/").status_code == 404
    assert exporting.make_exports() == 1
    done = own.get(path).json()
    assert (done["state"], done["rows"]) == ("done", 5)
    file = own.get(f"{path}file/")
    lines = [json.loads(line) for line in gzip.decompress(file.getvalue()).splitlines()]
    assert [line["sender"] for line in lines] == [f"+33 •• •• •• •• 0{number}" for number in range(5)]
    one = own.get(f"conversations/{lines[0]['id']}/").json()
    assert lines[0] == {name: value for name, value in one.items() if name != "recent"}
    assert "33612340001" not in "".join(map(str, lines))
    assert south.get(path).status_code == south.get(f"{path}file/").status_code == 404
    assert [row["id"] for row in own.get("exports/").json()["results"]] == [begun.json()["id"]]


def test_an_export_is_gone_after_a_day(world: World, own: Asking) -> None:
    path = f"exports/{own.send('post', 'exports/', span(world)).json()['id']}/"
    exporting.make_exports()
    exporting.forget_what_keys_left(timezone.now() + datetime.timedelta(hours=25))
    assert (own.get(path).json()["file"], own.get(f"{path}file/").status_code) == (None, 404)


def test_an_export_that_fails_is_tried_three_times(world: World, own: Asking, monkeypatch: Any) -> None:
    own.send("post", "exports/", span(world))
    monkeypatch.setattr(exporting, "_chosen", lambda *_arguments: 1 / 0)
    for _time in range(4):
        assert exporting.make_exports() == 0
    job = ExportJob.objects.get()
    assert (job.state, job.attempts) == ("failed", 3)


def test_an_export_that_ends_its_process_is_given_up(world: World, own: Asking, monkeypatch: Any) -> None:
    class Killed(BaseException):
        """As a process ends."""

    def end(*_arguments: Any) -> Any:
        raise Killed

    own.send("post", "exports/", span(world))
    now = timezone.now()
    monkeypatch.setattr(exporting, "_chosen", end)
    for _time in range(3):
        with pytest.raises(Killed):
            exporting.make_exports(now)
        assert exporting.make_exports(now) == 0  # somebody has claimed it
        now += datetime.timedelta(minutes=11)
    assert exporting.make_exports(now) == 0
    assert ExportJob.objects.get().state == "failed"


def test_a_key_cannot_pile_up_exports(world: World, own: Asking) -> None:
    statuses = [own.send("post", "exports/", span(world)).status_code for _time in range(6)]
    assert statuses == [202] * 5 + [409]


@pytest.mark.parametrize(
    "changes", [{"until": "2020-01-01T00:00:00Z"}, {"since": "2001-01-01T00:00:00Z"}, {"since": "x"}]
)
def test_a_span_that_cannot_be_is_refused(world: World, own: Asking, changes: dict[str, str]) -> None:
    assert own.send("post", "exports/", span(world, **changes)).status_code == 400


def test_what_is_old_is_forgotten(world: World, own: Asking, conversation: Conversation) -> None:
    path = f"conversations/{conversation.pk}/block/"
    own.send("post", path, {"reason": "insults"}, **{"Idempotency-Key": "a-1"})
    exporting.forget_what_keys_left(timezone.now() + datetime.timedelta(hours=25))
    assert (ApiWrite.objects.get().answer, ApiWrite.objects.get().idempotency_key) == (None, "")
    exporting.forget_what_keys_left(timezone.now() + datetime.timedelta(days=400))
    assert not ApiWrite.objects.exists()


def test_no_answer_to_a_change_holds_who_it_is(own: Asking, conversation: Conversation) -> None:
    own.send("post", f"conversations/{conversation.pk}/block/", {"reason": "x"}, **{"Idempotency-Key": "a"})
    assert SENDER not in json.dumps(ApiWrite.objects.get().answer)
