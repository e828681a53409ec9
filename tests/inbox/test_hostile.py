"""Whatever is written in a message: the right answer, never a 5xx; nothing lost that was signed (SECURITY.md 1.5)."""

from __future__ import annotations

import random
import uuid
from collections.abc import Iterator
from urllib.parse import quote_from_bytes, urlencode

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from tests.corpus.samples import Sample, samples
from tests.inbox.webhook import count, headers_of, path_of, post, rows
from tests.providers.plivo_protocol import signed_headers
from tests.signing import PUBLIC, new_nonce
from tests.world import SENDER, World, message_fields

from conversations.models import Conversation, Message, Reply
from hotlines.models import EndpointPin
from providers.base import SignedRequest, Unusable
from providers.parsing import parse_form
from providers.plivo import Plivo, sign_v3

TEXTS = samples("encoding", "length", "unicode", "injection")
GENERATED = settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def post_bytes(world: World, body: bytes, scheme: str = "v3", nonce: str | None = None) -> int:
    """Post `body` with a signature that is right for exactly these bytes.

    The SDK cannot sign bytes that are no UTF-8; `test_plivo_oracle` holds our own signing equal to it where it can.
    """
    path, nonce = path_of(world.north.hotline), nonce or new_nonce()
    if scheme == "v2":
        every = signed_headers(PUBLIC + path, {}, world.north.token, nonce)
        return post(path, body, {name: value for name, value in every.items() if "V2" in name})
    signature = sign_v3("POST", PUBLIC + path, parse_form(body), nonce, world.north.token)
    return post(path, body, {"X-Plivo-Signature-V3": signature, "X-Plivo-Signature-V3-Nonce": nonce})


def body_with(world: World, **wires: bytes) -> bytes:
    fields = message_fields(world.north.hotline, "Salut")
    encoded = {name: urlencode({"": value}).encode()[1:] for name, value in fields.items()} | wires
    return b"&".join(name.encode() + b"=" + value for name, value in encoded.items())


@pytest.fixture(autouse=True)
def _no_pins(world: World) -> Iterator[None]:
    """V2 stays open, so that the same body can be tried under both schemes."""
    yield
    EndpointPin.objects.all().delete()


# --- texts ------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("sample", TEXTS, ids=str)
def test_every_text_of_the_corpus_is_stored_as_what_it_is(world: World, sample: Sample) -> None:
    schemes = ("v2", "v3")
    assert [post_bytes(world, body_with(world, Text=sample.body), scheme) for scheme in schemes] == [sample.status] * 2
    if sample.status != 200:
        assert count() == {}
        return
    assert [message.text or "" for message in Message.objects.all()] == [sample.text] * 2
    assert [message.disposition for message in Message.objects.all()] == ["answered"] * 2


@pytest.mark.parametrize("sample", samples("stop"), ids=str)
def test_the_whole_text_stops_asks_for_help_or_is_a_message(world: World, sample: Sample) -> None:
    assert post_bytes(world, body_with(world, Text=sample.body)) == 200
    expected = {
        "stop": ("stop", []),
        "help": ("answered", ["help"]),
        "none": ("answered", ["reply"]),
    }
    replies = [reply.purpose for reply in Reply.objects.all()]
    assert (Message.objects.get().disposition, replies) == expected[sample.keyword]
    assert (Conversation.objects.get().opted_out_at is not None) == (sample.keyword == "stop")


# --- senders ----------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("sample", samples("sender"), ids=str)
def test_every_sender_of_the_corpus_is_stored_and_only_some_are_answered(world: World, sample: Sample) -> None:
    assert post_bytes(world, body_with(world, From=sample.body)) == 200
    message = Message.objects.get()
    assert message.conversation is not None
    assert message.conversation.sender == sample.canonical
    assert (message.disposition == "answered", Reply.objects.count()) == (sample.answered, int(sample.answered))
    assert message.disposition == ("answered" if sample.answered else "not_answerable")
    assert message.text == "Salut"


def test_two_ways_of_writing_an_answered_number_are_one_sender(world: World) -> None:
    """Or his slots would be counted twice."""
    answered = [sample for sample in samples("sender") if sample.answered]
    assert len(answered) >= 4
    for sample in answered:
        assert post_bytes(world, body_with(world, From=sample.body)) == 200
    conversation = Conversation.objects.get()
    assert (conversation.messages_received, conversation.slots_used) == (len(answered), len(answered))


@pytest.mark.once
@pytest.mark.parametrize("name", ["From", "To", "Text", "MessageUUID"])
def test_a_message_without_a_parameter_is_kept_as_unreadable(world: World, name: str) -> None:
    fields = message_fields(world.north.hotline, "Salut")
    del fields[name]
    assert post_bytes(world, urlencode(fields).encode()) == 200
    message = Message.objects.get()
    assert (message.disposition, message.text) == ("unreadable", urlencode(fields))
    assert message.reason == f"without {name}"


@pytest.mark.parametrize(("type_", "unreadable"), [(None, True), ("", True), ("sms", True), ("mms", False)])
def test_without_a_type_a_message_is_an_sms_and_must_have_a_text(
    world: World, type_: str | None, unreadable: bool
) -> None:
    fields = message_fields(world.north.hotline, "Salut")
    del fields["Text"], fields["Type"]
    assert post_bytes(world, urlencode(fields if type_ is None else {**fields, "Type": type_}).encode()) == 200
    assert (Message.objects.get().disposition == "unreadable") is unreadable


@pytest.mark.once
@pytest.mark.parametrize("name", ["MessageUUID", "Type", "Units", "TotalAmount", "MessageIntent", "Extra", ""])
def test_no_other_parameter_makes_it_fail(world: World, name: str) -> None:
    """The empty name stands for a parameter that is itself called like that."""
    for sample in [*TEXTS, *samples("sender")]:
        escaped = sample.body.replace(b"&", b"%26")
        body = body_with(world, **{name: escaped}) if name else body_with(world) + b"&" + escaped + b"=1"
        before, fits = Message.objects.count(), len(body) <= 64 * 1024
        assert post_bytes(world, body, "v2") == (200 if fits else 413), sample
        added = Message.objects.count() - before
        assert added == int(fits) or name == "MessageUUID", sample


@pytest.mark.once
@pytest.mark.parametrize("type_", ["", "sms", "SMS", "mms", "whatsapp", "x" * 300, "\x00"])
def test_whatever_its_type_a_message_has_a_text(world: World, type_: str) -> None:
    fields = message_fields(world.north.hotline, "Salut") | {"Type": type_}
    assert post_bytes(world, urlencode(fields).encode()) == 200
    assert (Message.objects.get().disposition, Message.objects.get().text) == ("answered", "Salut")


# --- generated --------------------------------------------------------------------------------------------------------
@GENERATED
@given(body=st.one_of(st.binary(max_size=400), st.text("Text=From&To%0aé\x00<>+;", max_size=80).map(str.encode)))
@example(body=b"")
@example(body=b"&" * 300)
@example(body=b"=" * 65_536)
@example(body=b"%00" * 20_000)
@example(body=b"MessageUUID=%ED%A0%80&From=&To=&Text=")
def test_any_bytes_that_are_signed_are_kept_once(world: World, body: bytes) -> None:
    """V2 covers no body, so nothing but our reading stands between these bytes and the database."""
    for model in (Reply, Message, Conversation):
        model.objects.all().delete()
    nonce = new_nonce()
    assert post_bytes(world, body, "v2", nonce) == 200
    kept = rows()
    assert len(kept["Message"]) == 1
    assert post_bytes(world, body, "v2", nonce) == 200
    assert post_bytes(world, body, "v2") == 200
    assert rows() == kept


WILD = st.binary(max_size=60) | st.text(max_size=40).map(lambda text: text.encode("utf-8", "surrogatepass"))


@GENERATED
@given(
    sender=st.one_of(st.just(SENDER.encode()), WILD),
    text=WILD,
    identity=WILD,
    extra=st.dictionaries(st.sampled_from(["Units", "TotalAmount", "Type", "Media1", "Body", "é"]), WILD, max_size=4),
    scheme=st.sampled_from(["v2", "v3"]),
    seed=st.integers(0, 1 << 16),
)
def test_any_message_is_stored_and_any_retry_of_it_is_known(
    world: World, sender: bytes, text: bytes, identity: bytes, extra: dict[str, bytes], scheme: str, seed: int
) -> None:
    EndpointPin.objects.all().delete()
    fields = {
        "From": sender,
        "To": world.north.hotline.number.encode(),
        "Text": text,
        "MessageUUID": uuid.uuid4().hex.encode() + identity,
        **extra,
    }
    pairs = [quote_from_bytes(name.encode()) + "=" + quote_from_bytes(value, safe="") for name, value in fields.items()]
    random.Random(seed).shuffle(pairs)
    body = "&".join(pairs).encode()
    parsed = Plivo().parse_message(SignedRequest("POST", "", {}, body))
    before = Message.objects.count()
    assert [post_bytes(world, body, scheme) for _ in range(2)] == [200, 200]
    assert Message.objects.count() == before + 1
    message = Message.objects.latest("pk")
    if message.disposition in {"blocked", "limit", "stopped"}:
        assert message.text_sealed is None
    else:
        assert (message.text or "") == parsed.text


@GENERATED
@given(
    body=st.binary(max_size=200),
    signature=st.text(st.characters(min_codepoint=32, max_codepoint=255, exclude_characters="\x7f"), max_size=60),
    nonce=st.text(st.characters(min_codepoint=32, max_codepoint=255, exclude_characters="\x7f"), max_size=40),
    family=st.sampled_from(["V3", "Ma-V3", "V2", "Ma-V2"]),
    content_type=st.sampled_from(["application/x-www-form-urlencoded", "application/json", "multipart/form-data", ""]),
)
def test_nothing_that_is_not_signed_is_stored_or_fails(
    world: World, body: bytes, signature: str, nonce: str, family: str, content_type: str
) -> None:
    headers = {f"X-Plivo-Signature-{family}": signature, f"X-Plivo-Signature-{family.removeprefix('Ma-')}-Nonce": nonce}
    for path in (path_of(world.north.hotline), path_of(world.north.hotline, f"report/{uuid.uuid4()}")):
        assert post(path, body, headers, content_type=content_type) in {403, 415, 429}
    assert count() == {}


@GENERATED
@given(body=st.binary(max_size=300), scheme=st.sampled_from(["v2", "v3"]))
def test_any_signed_report_is_acknowledged_and_changes_nothing_of_a_reply_it_does_not_name(
    world: World, body: bytes, scheme: str
) -> None:
    EndpointPin.objects.all().delete()
    path, nonce = path_of(world.north.hotline, f"report/{uuid.uuid4()}"), new_nonce()
    try:
        form = parse_form(body)
    except Unusable:
        form = []
    v3 = sign_v3("POST", PUBLIC + path, form, nonce, world.north.token)
    headers = {
        "v3": {"X-Plivo-Signature-V3": v3, "X-Plivo-Signature-V3-Nonce": nonce},
        "v2": headers_of(path, {}, world.north.token, scheme="v2", nonce=nonce),
    }[scheme]
    assert post(path, body, headers) == 200
    assert {name: number for name, number in count().items() if name != "EndpointPin"} == {}
