"""A provider of the registry beside what it contributes to the contract suite."""

from __future__ import annotations

import dataclasses
import importlib
import uuid

from tests.providers.contract.base import Contract, Text
from tests.world import SENDER

from providers import registry
from providers.base import NotVerified, Provider, SignedRequest

SECRET, OTHER = "the-secret-of-this-account", "the-secret-of-another-account"


@dataclasses.dataclass(frozen=True)
class Case:
    """A provider, what it contributes, and where."""

    name: str
    contract: Contract

    @property
    def provider(self) -> Provider:
        return registry.get(self.name)

    def verifies(self, request: SignedRequest, secret: str, previous: str = "") -> bool:
        try:
            verification = self.provider.verify(request, self.contract.credentials(secret, previous))
        except NotVerified:
            return False
        assert verification.scheme in self.provider.schemes
        return True


def case_of(name: str) -> Case:
    return Case(name, importlib.import_module(f"tests.providers.contract.{name}").CONTRACT)


def text(body: str = "Salut", parts: int = 1, sender: str = SENDER) -> Text:
    return Text(str(uuid.uuid4()), sender, "33937000001", body, parts)
