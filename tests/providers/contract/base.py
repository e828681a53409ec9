"""What a provider contributes to the contract suite: its vectors and how to make requests in its name."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Protocol

from providers.base import Credentials, Delivery, Knowledge, LogEntry, Provider, SignedRequest


@dataclass(frozen=True)
class Text:
    """One inbound message as a person would describe it; `parts` is what the network cut it into."""

    id: str
    sender: str
    recipient: str
    text: str
    parts: int = 1


class SignMessage(Protocol):
    def __call__(self, url: str, secret: str, message: Text) -> SignedRequest:
        """The webhook request for `message`, signed for `url` by something that is not our code.

        The same message again may be signed anew, with another nonce or time.
        """


class SignReport(Protocol):
    def __call__(self, url: str, secret: str, provider_id: str, word: str, sequence: int) -> SignedRequest:
        """A delivery report with the status `word`, as the provider writes it.

        `provider_id` is what `send` said, so our own reply's UUID for a provider that takes it as its id.
        """


@dataclass(frozen=True)
class Proof:
    """What a signature covers, of a provider that documents one.

    `url`: a request for one address is refused at another. `body`: altered bytes are refused; without it the token in
    the path, and the address the request comes from, are all there is. `secret`: it takes one. `header`: it stands in
    one. `seconds`: an older request is refused.
    """

    url: bool = True
    body: bool = True
    secret: bool = True
    header: bool = True
    seconds: int | None = None


@dataclass(frozen=True)
class LogContract:
    """`write(carrier, entries)` puts entries of both directions into the log of the loopback server in its place, which
    does for its next requests what `script_log` tells it. Each of `faults` must be noticed, on any page.
    """

    write: Callable[[Any, Sequence[LogEntry]], None]
    page: int
    faults: Sequence[str]
    #: A fault that asks for a pause of 7 seconds.
    wait: str


@dataclass(frozen=True)
class NumberContract:
    """`application` is what every number is attached to at first; `script(carrier, told)` says what the next request
    for a number meets. Each of `faults` must be noticed; after `done` the provider did what it was asked and says no.
    """

    application: str
    script: Callable[[Any, str], None]
    faults: Sequence[str]
    done: str
    #: A fault that asks for a pause of 7 seconds.
    wait: str


@dataclass(frozen=True)
class CallContract:
    """`ringing(url, secret, caller, recipient, call)` is what the provider asks when somebody calls; `ended` what it
    says afterwards, of a call of 7 seconds, at a `cost` where it names one. `caller` is digits, "" for one withheld.
    """

    ringing: Callable[[str, str, str, str, str], SignedRequest]
    ended: Callable[[str, str, str, str, str], SignedRequest]
    cost: str | None = None


@dataclass(frozen=True)
class Contract:
    """`credentials(secret, previous)` is what an account holds while its secret changes from `previous`.

    `words` is every status the provider documents. `carrier(settings)` is a loopback server in the provider's place,
    which does as it is told by `script`; `answers` says what it is told and what that must teach.
    """

    credentials: Callable[[str, str], Credentials]
    message: SignMessage
    report: SignReport
    no_message: Callable[[str, str], SignedRequest]
    words: Mapping[str, Delivery]
    carrier: Callable[[Any], AbstractContextManager[Any]]
    answers: Mapping[str, Knowledge]
    proof: Proof = Proof()
    #: The same request from somebody else, of a provider that signs with no secret.
    forged: Callable[[SignedRequest], SignedRequest] | None = None
    #: Words of `words` that follow each other, the last of which is an end.
    journey: tuple[str, str, str] = ("queued", "sent", "delivered")
    #: Whether reports say their order.
    sequenced: bool = True
    #: Reports come to the address of messages, and name our reply themselves.
    one_address: bool = False
    #: It takes our own id, and a second time nothing more: so nothing stays unknown.
    idempotent: bool = False
    #: Whether a message says to which number it was sent, and of how many parts it is.
    tells_recipient: bool = True
    tells_parts: bool = True
    #: Whether a message may be empty.
    empty_texts: bool = True
    #: The provider's id of a message, where it is made of more than the message's own.
    message_id: Callable[[Provider, SignedRequest, Text], str] = lambda _provider, _request, message: message.id
    calls: CallContract | None = None
    log: LogContract | None = None
    numbers: NumberContract | None = None
