"""What was captured cannot be used again: W2 pairs, W3 shifts, W4 re-splittings, W6 replays (SECURITY.md 1.2)."""

from __future__ import annotations

import random
import uuid
from urllib.parse import urlencode

import pytest
from tests.inbox.webhook import count, deliver, headers_of, path_of, post, rows
from tests.providers.plivo_protocol import signed_headers
from tests.signing import PUBLIC, new_nonce
from tests.world import World, message_fields

from conversations.models import Message
from hotlines.models import Account, Hotline

#: Without a transaction around the test: a broken constraint would end it, which no request of ours runs in.
COMMITTED = pytest.mark.django_db(transaction=True)


# --- W2: one captured V2 pair -----------------------------------------------------------------------------------------
@COMMITTED
def test_a_captured_v2_pair_carries_no_second_message(world: World, caplog: pytest.LogCaptureFixture) -> None:
    """V2 signs the path and the nonce; the nonce, once and for ever, is what stands for the body."""
    path, captured = path_of(world.north.hotline), message_fields(world.north.hotline)
    pair = headers_of(path, captured, world.north.token, scheme="v2")
    assert post(path, captured, pair) == 200
    before = rows()
    for number in range(250):
        forged = message_fields(world.north.hotline, f"forged {number}", sender=f"3361234{number:04}")
        assert post(path, forged, pair) == 403
    assert rows() == before
    assert post(path, captured, pair) == 200  # the provider's own retry
    assert rows() == before
    refusals = [record for record in caplog.records if "nonce used twice" in record.getMessage()]
    assert (len(refusals), {record.name for record in refusals}) == (250, {"paravent.security"})


@COMMITTED
@pytest.mark.parametrize("scheme", ["v2", "v3", "both"])
def test_a_nonce_works_once_for_each_account_and_not_for_another_message(world: World, scheme: str) -> None:
    nonce = new_nonce()
    first, second = message_fields(world.north.hotline), message_fields(world.north.hotline)
    assert deliver(world.north, first, scheme=scheme, nonce=nonce) == 200
    assert deliver(world.north, second, scheme=scheme, nonce=nonce) == 403
    assert deliver(world.north, first, scheme=scheme, nonce=nonce) == 200
    assert deliver(world.south, message_fields(world.south.hotline), scheme=scheme, nonce=nonce) == 200
    assert deliver(world.north, second, scheme=scheme) == 200
    assert Message.objects.count() == 3


@COMMITTED
def test_a_nonce_is_the_accounts_and_not_the_hotlines(world: World) -> None:
    """The secret that signs is the account's, so two hotlines on one account share their nonces."""
    second = Hotline.objects.create(
        organization=world.north.organization, account=world.north.account, name="Second", number="+33937000003"
    )
    nonce = new_nonce()
    assert deliver(world.north, message_fields(world.north.hotline), nonce=nonce) == 200
    path, fields = path_of(second), message_fields(second)
    assert post(path, fields, headers_of(path, fields, world.north.token, nonce=nonce)) == 403


@COMMITTED
def test_the_pair_of_an_unreadable_request_carries_no_message_either(world: World) -> None:
    path, fields = path_of(world.north.hotline), message_fields(world.north.hotline)
    nothing = {"CallUUID": str(uuid.uuid4())}
    pair = headers_of(path, nothing, world.north.token, scheme="v2")
    assert post(path, nothing, pair) == 200
    assert post(path, fields, pair) == 403
    assert post(path, nothing, pair) == 200
    assert count() == {"Message": 1}


# --- W3: path and nonce of V2 are joined without a mark ---------------------------------------------------------------
def test_no_border_between_path_and_nonce_can_be_moved(world: World) -> None:
    """Every split of `path + nonce` but the signed one is refused; the signed one still works afterwards."""
    path, fields, nonce = path_of(world.north.hotline), message_fields(world.north.hotline), new_nonce()
    signature = signed_headers(PUBLIC + path, fields, world.north.token, nonce)["X-Plivo-Signature-V2"]
    joined = path + nonce
    for border in range(len("/hooks"), len(joined)):  # what is shorter is another page's address
        if border == len(path):
            continue
        pair = {"X-Plivo-Signature-V2": signature, "X-Plivo-Signature-V2-Nonce": joined[border:]}
        assert post(joined[:border], fields, pair) in {403, 404}, joined[:border]
    assert count() == {}
    pair = {"X-Plivo-Signature-V2": signature, "X-Plivo-Signature-V2-Nonce": nonce}
    assert post(path, fields, pair) == 200


@pytest.mark.parametrize("suffix", ["", "x", "/x", "/1/", "/../message/", "/;x", "//", "/%2e/", "/%00"])
def test_nothing_is_routable_around_the_path(world: World, suffix: str) -> None:
    path, fields = path_of(world.north.hotline).rstrip("/") + suffix, message_fields(world.north.hotline)
    assert post(path, fields, headers_of(path, fields, world.north.token, scheme="both")) == 404
    assert count() == {}


def test_a_pair_for_one_endpoint_does_not_open_another(world: World) -> None:
    message = path_of(world.north.hotline)
    report = path_of(world.north.hotline, f"report/{uuid.uuid4()}")
    fields = message_fields(world.north.hotline)
    for scheme in ("v2", "v3"):
        assert post(message, fields, headers_of(report, fields, world.north.token, scheme=scheme)) == 403
        assert post(report, fields, headers_of(message, fields, world.north.token, scheme=scheme)) == 403
    assert count() == {}


# --- W4: V3 joins names and values without a mark ---------------------------------------------------------------------
def test_only_the_first_of_three_bodies_with_one_signature_is_accepted(world: World) -> None:
    """The bodies of the prototype: names swallowed by a value, and a value that became a name."""
    path, to = path_of(world.north.hotline), world.north.hotline.number.removeprefix("+")
    honest = {"From": "33639980123", "MessageUUID": str(uuid.uuid4()), "Text": "salut", "To": to}
    headers = headers_of(path, honest, world.north.token)
    uid = honest["MessageUUID"]
    resplit = [
        {"From": "33639980123", "MessageUUID": uid, "Text": f"salutTo{to}"},
        {"From": "33639980123", "MessageUUID": uid, f"Textsalut{'To'}": to},
    ]
    for body in (honest, *resplit):
        assert headers_of(path, body, world.north.token, nonce=headers["X-Plivo-Signature-V3-Nonce"]) == headers
    assert post(path, honest, headers) == 200
    before = rows()
    for body in resplit:
        assert post(path, body, headers) in {200, 403}
    assert rows() == before


@pytest.mark.parametrize("first", [0, 1])
def test_a_resplit_body_alone_is_kept_as_unreadable_and_reaches_nobody(world: World, first: int) -> None:
    path, to = path_of(world.north.hotline), world.north.hotline.number.removeprefix("+")
    bodies = [{"From": "33639980123", "MessageUUID": "u", "Text": f"salutTo{to}"}, {"From": "33639980123", "x": ""}]
    assert post(path, bodies[first], headers_of(path, bodies[first], world.north.token)) == 200
    assert count() == {"EndpointPin": 1, "Message": 1}
    assert Message.objects.get().disposition == "unreadable"


@pytest.mark.parametrize("name", ["From", "To", "Text", "MessageUUID", "Units", "Extra"])
def test_a_repeated_parameter_is_kept_as_unreadable_where_signed_and_refused_where_not(world: World, name: str) -> None:
    path, fields = path_of(world.north.hotline), message_fields(world.north.hotline, Extra="1")
    body = urlencode([*fields.items(), (name, fields[name])])
    twice = {key: [value, value] if key == name else value for key, value in fields.items()}
    headers = signed_headers(PUBLIC + path, twice, world.north.token)  # type: ignore[arg-type]  # the SDK takes lists
    v3 = {key: value for key, value in headers.items() if "-V3" in key}
    assert post(path, body, headers_of(path, fields, world.north.token)) == 403
    assert count() == {}
    assert post(path, body, v3) == 200
    message = Message.objects.get()
    assert (message.disposition, message.reason) == ("unreadable", "a parameter is repeated")
    assert message.text == body
    assert post(path, body, v3) == 200
    assert count() == {"EndpointPin": 1, "Message": 1}


@pytest.mark.parametrize("to", ["33937000002", "+33937000002", "", "33937000001<33937000002", "InfoSMS", "٣٣٩٣٧٠٠٠٠٠١"])
def test_a_message_to_another_number_is_no_message_of_this_hotline(world: World, to: str) -> None:
    """33937000002 is the other tenant's number: nothing may reach it by this path."""
    fields = message_fields(world.north.hotline) | {"To": to}
    assert deliver(world.north, fields) == 200
    message = Message.objects.get()
    assert (message.hotline, message.disposition) == (world.north.hotline, "unreadable")
    assert message.reason == "addressed to another number"
    assert count() == {"EndpointPin": 1, "Message": 1}


@pytest.mark.parametrize("to", ["33937000001", "+33937000001", " 33937000001 "])
def test_the_hotlines_number_may_be_written_with_or_without_a_plus(world: World, to: str) -> None:
    assert deliver(world.north, message_fields(world.north.hotline) | {"To": to}) == 200
    assert Message.objects.get().disposition == "answered"


# --- W6: replay of any age --------------------------------------------------------------------------------------------
def test_a_whole_day_delivered_three_times_in_any_order_changes_no_row(world: World) -> None:
    chance, day = random.Random(20261102), []
    texts = ["Salut", "STOP", "AIDE", "", "Ça va ?"]
    for number in range(60):
        tenant = world.tenants[number % 2]
        sender = f"336399801{chance.randrange(12):02}"
        fields = message_fields(tenant.hotline, chance.choice(texts), sender=sender)
        path = path_of(tenant.hotline)
        day.append((path, fields, headers_of(path, fields, tenant.token, scheme=chance.choice(["v3", "both"]))))
    assert {post(*request) for request in day} == {200}
    before = rows()
    again = day * 3
    chance.shuffle(again)
    assert {post(*request) for request in again} == {200}
    assert rows() == before
    resigned = [
        (path, fields, headers_of(path, fields, world.tenants[n % 2].token)) for n, (path, fields, _h) in enumerate(day)
    ]
    assert {post(*request) for request in resigned} == {200}
    assert rows() == before


def test_an_id_belongs_to_its_hotline(world: World) -> None:
    """Two providers may use the same id; and one tenant's message cannot hide another's."""
    shared = str(uuid.uuid4())
    for tenant in world.tenants:
        assert deliver(tenant, message_fields(tenant.hotline) | {"MessageUUID": shared}) == 200
    assert Message.objects.filter(provider_id=shared).count() == 2


@pytest.mark.parametrize("length", [1, 64, 65, 200, 5000])
def test_an_id_of_any_length_is_told_apart(world: World, length: int) -> None:
    one, other = "x" * length, "x" * (length - 1) + "y"
    for identity in (one, other, one, other):
        assert deliver(world.north, message_fields(world.north.hotline) | {"MessageUUID": identity}) == 200
    assert Message.objects.count() == 2


def test_a_rotated_token_works_at_its_new_address_and_no_longer_at_the_old(world: World) -> None:
    old = path_of(world.north.hotline)
    fields = message_fields(world.north.hotline)
    assert post(old, fields, headers_of(old, fields, world.north.token)) == 200
    world.north.hotline.rotate_hook_token()
    new = path_of(world.north.hotline)
    later = message_fields(world.north.hotline)
    assert post(old, later, headers_of(old, later, world.north.token)) == 404
    assert post(new, later, headers_of(new, later, world.north.token)) == 200
    assert post(new, fields, headers_of(new, fields, world.north.token)) == 200  # the old message, known already
    assert Message.objects.count() == 2


def test_a_rotated_secret_is_followed_at_once_in_this_process(world: World) -> None:
    account = Account.objects.get(pk=world.north.account.pk)
    assert deliver(world.north, message_fields(world.north.hotline)) == 200
    account.credentials = {**account.credentials, "auth_token": "new", "previous_auth_token": world.north.token}
    account.save()
    assert deliver(world.north, message_fields(world.north.hotline)) == 200
    account.credentials = {**account.credentials, "previous_auth_token": ""}
    account.save()
    assert deliver(world.north, message_fields(world.north.hotline)) == 403
