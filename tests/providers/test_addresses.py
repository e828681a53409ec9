"""Where a webhook may go (W12): each of the hostile addresses is refused, and a name is looked up once."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from providers import addresses

FILE = Path(__file__).parents[1] / "vectors" / "webhooks" / "hostile_urls.txt"
OPEN = "93.184.216.34"


def hostile() -> list[tuple[str, list[str] | None]]:
    """Each address, and what a name server says of its host; None where that is not asked."""
    lines = [line for line in FILE.read_text().splitlines() if line and not line.startswith("#")]
    parted = [line.partition(" ->") for line in lines]
    return [(url, found.split() if arrow else None) for url, arrow, found in parted]


class Names:
    """A name server that says what it is told, one answer after the other, and counts what it is asked."""

    def __init__(self, *answers: Sequence[str]) -> None:
        self.answers, self.asked = list(answers), list[str]()

    def getaddrinfo(self, host: str, port: int, **_more: Any) -> list[Any]:
        self.asked.append(host)
        try:
            found: Sequence[str] = [str(ipaddress.ip_address(host))]
        except ValueError:
            found = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if not found:
            raise socket.gaierror("unknown")
        return [(socket.AF_INET6 if ":" in one else socket.AF_INET, 1, 6, "", (one, port)) for one in found]


@pytest.fixture(autouse=True)
def _open_internet_only(settings: Any) -> None:
    settings.WEBHOOKS_MAY_STAY_HERE = False


def test_there_are_sixty_of_them_and_more() -> None:
    assert len({url for url, _found in hostile()}) == len(hostile()) >= 60


@pytest.mark.parametrize(("url", "found"), hostile(), ids=lambda value: value if isinstance(value, str) else None)
def test_a_hostile_address_is_refused_in_a_sentence(
    url: str, found: list[str] | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = Names(found if found is not None else [OPEN])
    monkeypatch.setattr(socket, "getaddrinfo", names.getaddrinfo)
    with pytest.raises(addresses.Refused) as raised:
        addresses.resolve(url)
    assert str(raised.value).endswith(".")


@pytest.mark.parametrize(
    ("url", "found", "target"),
    [
        ("https://example.org/hook?a=b", [OPEN], f"https://{OPEN}:443/hook?a=b"),
        ("https://Example.org:8443/", [OPEN], f"https://{OPEN}:8443/"),
        ("https://example.org/", ["2606:2800:220:1::5", OPEN], "https://[2606:2800:220:1::5]:443/"),
        (f"https://{OPEN}/", [], f"https://{OPEN}:443/"),
    ],
)
def test_an_open_one_is_called_by_what_was_found_and_by_its_name(
    url: str, found: list[str], target: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(socket, "getaddrinfo", Names(found).getaddrinfo)
    resolved = addresses.resolve(url)
    assert resolved.url == target
    assert resolved.host in {"example.org", OPEN}
    assert resolved.netloc in url


def test_a_name_that_points_elsewhere_a_moment_later_is_not_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    names = Names([OPEN], ["127.0.0.1"])
    monkeypatch.setattr(socket, "getaddrinfo", names.getaddrinfo)
    assert addresses.resolve("https://rebinding.example/").url == f"https://{OPEN}:443/"
    assert names.asked == ["rebinding.example"]
    with pytest.raises(addresses.Refused):
        addresses.resolve("https://rebinding.example/")


# --- gateways of the operator -----------------------------------------------------------------------------------------
def test_an_operator_vouches_for_an_address_and_what_lies_below_it(settings: Any) -> None:
    settings.GATEWAYS = ("http://10.0.0.7:8080", "https://sms.example.org/api/")
    assert addresses.is_vouched_for("http://10.0.0.7:8080")
    assert addresses.is_vouched_for("http://10.0.0.7:8080/message")
    assert addresses.is_vouched_for("https://sms.example.org/api/messages")
    for other in (
        "http://10.0.0.7:80801/",
        "http://10.0.0.7:8080@evil.example/",
        "http://10.0.0.70:8080/",
        "https://a",
    ):
        assert not addresses.is_vouched_for(other)
    assert addresses.resolve("http://10.0.0.7:8080/message", vouched=True).url == "http://10.0.0.7:8080/message"
    with pytest.raises(addresses.Refused):
        addresses.resolve("http://10.0.0.7:8080/message")
