"""What the phone's page asks for: signed requests, and the state of a phone and a hotline."""

from __future__ import annotations

import json
import uuid
from typing import Any
from urllib.parse import parse_qsl

import pytest
from django.test import Client
from django.urls import reverse
from plivo.utils import validate_v3_signature
from tests.signing import PUBLIC
from tests.world import World

from conversations.models import Conversation, Message, Reply
from hotlines.models import Hotline
from outbox import sweeps
from simulator import phones
from simulator.models import PhoneText

from .conftest import PHONE, post, sign, state, write

pytestmark = pytest.mark.once


def send_what_is_due() -> None:
    sweeps.release_replies()
    sweeps.send_replies()


def test_the_signed_request_is_one_that_plivos_sdk_believes(hotline: Hotline) -> None:
    signed = sign(hotline, "Salut ça va ? & = \N{WAVING HAND SIGN}\nمرحبا").json()
    request = signed["request"]
    assert request["path"] == f"/hooks/simulator/{hotline.hook_token}/message/"
    fields = dict(parse_qsl(request["body"], keep_blank_values=True))
    assert (fields["From"], fields["To"]) == (PHONE, "33199001217")
    assert (fields["MessageUUID"], fields["Text"]) == (signed["uuid"], "Salut ça va ? & = \N{WAVING HAND SIGN}\nمرحبا")
    token = hotline.account.credentials["auth_token"]
    headers = request["headers"]
    nonce, signature = headers["X-Plivo-Signature-V3-Nonce"], headers["X-Plivo-Signature-V3"]
    assert validate_v3_signature("POST", PUBLIC + request["path"], nonce, token, signature, fields)
    assert not validate_v3_signature("POST", PUBLIC + request["path"], nonce, token + "x", signature, fields)


@pytest.mark.usefixtures("carrier_reachable")
def test_a_text_is_answered_reported_and_shown(hotline: Hotline) -> None:
    message = write(hotline, "Salut, c'est qui ?")
    before = state(hotline)
    assert [text["text"] for text in before["texts"]] == ["Salut, c'est qui ?"]
    assert before["journeys"][message]["decided"] == "It gets reply 1 of 5."
    assert (before["journeys"][message]["sent"], before["journeys"][message]["ended"]) == ("", False)
    assert before["reports"] == []
    send_what_is_due()
    reply = Reply.objects.get()
    statuses = []
    for _ in range(3):
        (report,) = state(hotline)["reports"]
        assert post(report).status_code == 200
        reply.refresh_from_db()
        statuses.append((reply.delivery, reply.delivery_sequence))
    assert statuses == [("queued", 1), ("sent", 2), ("delivered", 3)]
    after = state(hotline)
    assert after["reports"] == []
    assert [(text["arrived"], text["text"]) for text in after["texts"]] == [
        (False, "Salut, c'est qui ?"),
        (True, reply.text),
    ]
    journey = after["journeys"][message]
    assert (journey["ended"], journey["delivered"]) == (True, "On your phone: the carrier's signed report says so.")
    assert journey["sent"] == "Language chosen: French. 1 SMS; the carrier took it."
    assert after["journeys"][str(PhoneText.objects.last().uuid)] == {"caption": "Reply 1 of 5 · French · 1 SMS"}


@pytest.mark.usefixtures("carrier_reachable")
def test_a_report_that_overtakes_the_answer_of_its_call_settles_the_reply(
    hotline: Hotline, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The phone may see a text before our own call has returned: its report then finds the reply claimed."""
    from outbox import send  # noqa: PLC0415

    write(hotline, "Salut")
    record = send.record

    def report_first(reply: Reply, outcome: Any, *clock: Any) -> None:
        (report,) = state(hotline)["reports"]
        assert post(report).status_code == 200
        record(reply, outcome, *clock)

    monkeypatch.setattr(send, "record", report_first)
    send_what_is_due()
    reply = Reply.objects.get()
    assert (reply.state, reply.delivery, reply.provider_id) == ("sent", "queued", str(PhoneText.objects.last().uuid))


@pytest.mark.usefixtures("carrier_reachable")
def test_five_are_answered_the_sixth_is_not_and_the_page_says_why(hotline: Hotline) -> None:
    for _ in range(5):
        write(hotline, "Salut")
        send_what_is_due()
    sixth = write(hotline, "Réponds !")
    send_what_is_due()
    shown = state(hotline)
    assert [text["arrived"] for text in shown["texts"]] == [False, True] * 5 + [False]
    assert shown["journeys"][sixth]["caption"] == "no answer: blocked"
    assert shown["journeys"][sixth]["ended"] is True
    footing = shown["footing"]
    until = Conversation.objects.get().blocked_until
    assert until is not None
    assert (footing["slots_used"], footing["reply_limit"], footing["cause"]) == (5, 5, "limit")
    assert footing["until"] == until.isoformat()
    assert footing["words"] == (
        "Blocked: you have had all 5 replies. Further texts are counted, and nothing of them is kept."
    )
    french = state(hotline, language="fr")["footing"]["words"]
    assert french.startswith("Bloqué\N{NO-BREAK SPACE}: vous avez reçu les 5 réponses.")


def test_stop_is_said_and_has_no_end(hotline: Hotline) -> None:
    write(hotline, "STOP")
    footing = state(hotline)["footing"]
    assert (footing["cause"], footing["until"], footing["slots_used"]) == ("stop", "", 0)
    assert footing["words"] == "You wrote STOP: this number never answers you again."


def test_another_phone_and_another_hotline_see_nothing_of_it(hotline: Hotline, delayed_hotline: Hotline) -> None:
    write(hotline, "Salut")
    assert state(hotline, phone="33639984567")["texts"] == []
    assert state(hotline, phone="33639984567")["footing"]["slots_used"] == 0
    assert state(delayed_hotline)["texts"] == []
    assert len(state(hotline)["texts"]) == 1


def test_with_a_safety_delay_the_page_knows_when_and_later_texts_wait(delayed_hotline: Hotline) -> None:
    first = write(delayed_hotline, "Salut")
    second = write(delayed_hotline, "T'es là ?")
    journeys = state(delayed_hotline)["journeys"]
    assert journeys[first]["due_at"] == Reply.objects.get().due_at.isoformat()
    assert journeys[second]["caption"] == "a reply is on its way"


def test_a_person_who_blocks_is_named_as_cause(hotline: Hotline) -> None:
    write(hotline, "Salut")
    conversation = Conversation.objects.get()
    Conversation.objects.update(blocked_until=conversation.last_message_at.replace(year=2999), block_cause="person")
    footing = state(hotline)["footing"]
    assert (footing["cause"], footing["words"]) == ("person", "Somebody of the association blocked you.")


def test_a_sender_from_a_country_that_is_not_allowed_reads_why(hotline: Hotline) -> None:
    message = write(hotline, "Hey", phone="+1 202 555 0123")
    assert Message.objects.get().reason == "country not allowed"
    assert state(hotline, phone="12025550123")["journeys"][message]["caption"] == "never answered"


@pytest.mark.parametrize(
    "text",
    ["<script>alert(1)</script>", "\u202eevil\u202c", "\ud83d", "a\x00b", "é" * 1600, "\N{WAVING HAND SIGN}" * 70],
    ids=["markup", "bidi", "half a pair", "NUL", "long", "emoji"],
)
def test_strange_texts_are_signed_and_taken(hotline: Hotline, text: str) -> None:
    write(hotline, text)
    assert Message.objects.get().disposition == "answered"


@pytest.mark.parametrize("text", ["", " \n ", "a" * 1601])
def test_texts_that_no_phone_sends_are_refused(hotline: Hotline, text: str) -> None:
    answer = sign(hotline, text)
    assert (answer.status_code, list(answer.json())) == (400, ["problem"])
    assert not PhoneText.objects.exists()


@pytest.mark.parametrize("phone", ["", "moi", "+33 6 39 98 01 23 44 55 66 77", "12", "٣٣٦٣٩٩٨٠١٢٣", "1<2"])
def test_numbers_that_no_phone_has_are_refused(hotline: Hotline, phone: str) -> None:
    assert sign(hotline, "Salut", phone).status_code == 400
    assert Client().get("/simulator/state/", {"hotline": hotline.uuid, "phone": phone}).status_code == 400


@pytest.mark.parametrize(
    "written", ["33639980123", "+33639980123", "0033639980123", "+33 6 39 98 01 23", "+33-6.39.98(01)23"]
)
def test_a_number_may_be_written_as_people_do(written: str) -> None:
    assert phones.digits(written) == "33639980123"


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"hotline":1,"phone":"33639980123","text":"a"}', b"\xff"])
def test_a_request_of_another_shape_is_no_error_of_ours(hotline: Hotline, body: bytes) -> None:
    assert Client().post("/simulator/sign/", body, content_type="application/json").status_code == 400


def test_a_hotline_of_another_provider_is_the_same_as_none(world: World, hotline: Hotline) -> None:
    """Neither signed for, nor seen: not even that it exists."""
    real = world.north.hotline
    answers = [sign(real, "Salut"), sign(Hotline(uuid=uuid.uuid4()), "Salut")]
    answers += [
        Client().get("/simulator/state/", {"hotline": hotline_uuid, "phone": PHONE})
        for hotline_uuid in (real.uuid, uuid.uuid4(), "x")
    ]
    assert {answer.status_code for answer in answers} == {404}
    assert answers[0].content == answers[1].content
    assert not PhoneText.objects.exists()
    page = Client().get("/simulator/").content.decode()
    assert (str(hotline.uuid) in page, str(real.uuid) in page) == (True, False)
    assert real.hook_token not in page


def test_the_page_holds_no_secret(hotline: Hotline) -> None:
    page = Client().get("/simulator/").content.decode()
    credentials = hotline.account.credentials
    assert [secret for secret in (hotline.hook_token, *credentials.values()) if secret in page] == []


def test_looking_changes_no_row(hotline: Hotline) -> None:
    write(hotline, "Salut")
    before = [list(model.objects.values()) for model in (PhoneText, Message, Conversation, Reply)]
    state(hotline)
    assert [list(model.objects.values()) for model in (PhoneText, Message, Conversation, Reply)] == before


def test_the_table_holds_neither_number_nor_text(hotline: Hotline) -> None:
    write(hotline, "Un texte bien reconnaissable")
    (row,) = PhoneText.objects.values()
    stored = repr({name: bytes(value) if isinstance(value, memoryview) else value for name, value in row.items()})
    assert PHONE not in stored
    assert "reconnaissable" not in stored


@pytest.mark.parametrize(("language", "title"), [("fr", "Deux numéros"), ("en", "Two numbers"), ("xx", "Deux numéros")])
def test_the_page_speaks_the_browsers_language(hotline: Hotline, language: str, title: str) -> None:
    page = Client().get("/simulator/", headers={"Accept-Language": language}).content.decode()
    assert f">{title}</h2>" in page


def test_the_address_that_serve_prints_leads_to_the_phone(db: None) -> None:
    answer = Client().get("/")
    assert (answer.status_code, answer["Location"]) == (302, "/simulator/")


def test_without_a_number_the_page_says_what_to_do(db: None) -> None:
    page = Client().get("/simulator/", headers={"Accept-Language": "en"}).content.decode()
    assert "There is no number to text yet" in page


def test_the_pages_policy_for_scripts_is_the_strict_one(hotline: Hotline) -> None:
    answer = Client().get("/simulator/")
    policy = dict(part.strip().partition(" ")[::2] for part in answer["Content-Security-Policy"].split(";"))
    assert (policy["default-src"], policy["script-src"], policy["style-src"]) == ("'none'", "'self'", "'self'")
    page = answer.content.decode()
    assert (" style=" in page, "<style" in page, " onclick=" in page) == (False, False, False)


def test_signing_needs_the_pages_token(hotline: Hotline) -> None:
    client = Client(enforce_csrf_checks=True)
    order = json.dumps({"hotline": str(hotline.uuid), "phone": PHONE, "text": "Salut"})
    assert client.post("/simulator/sign/", order, content_type="application/json").status_code == 403


@pytest.mark.parametrize("method", ["get", "put", "delete"])
def test_signing_takes_posts_only_and_the_carriers_list_is_for_the_account(hotline: Hotline, method: str) -> None:
    carrier = reverse("simulator:carrier-messages", kwargs={"auth_id": "MA"})
    assert getattr(Client(), method)("/simulator/sign/").status_code == 405
    assert getattr(Client(), method)(carrier).status_code == (401 if method == "get" else 405)


def test_without_the_simulator_nothing_of_it_answers(hotline: Hotline, settings: Any) -> None:
    signed = sign(hotline, "Salut").json()
    settings.SIMULATOR = False
    credentials = hotline.account.credentials
    carrier = reverse("simulator:carrier-messages", kwargs={"auth_id": credentials["auth_id"]})
    assert Client().get("/simulator/").status_code == 404
    assert Client().get("/simulator/state/", {"hotline": hotline.uuid, "phone": PHONE}).status_code == 404
    assert sign(hotline, "Salut").status_code == 404
    assert Client().post(carrier, "{}", content_type="application/json").status_code == 404
    assert post(signed["request"]).status_code == 404
    assert not Message.objects.exists()
