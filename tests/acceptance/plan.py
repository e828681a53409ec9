"""Who writes what to whom, and what must come of it. Pure: the same seed gives the same plan.

Every expectation follows from the rules an NGO reads on its hotline's page, never from our code.
"""

from __future__ import annotations

import enum
import random
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field

from tests.words import words_of

LANGUAGES = ("fr", "en", "es", "ar")


@dataclass(frozen=True)
class Line:
    """One hotline of the run. `texts` maps each text it may send to its language and step."""

    name: str
    number: str
    limit: int

    def text(self, language: str, step: int) -> str:
        written = {"fr": "Réponse", "en": "Reply", "es": "Respuesta", "ar": "رد"}[language]
        return f"{written} {step} {self.name}"

    @property
    def texts(self) -> dict[str, tuple[str, int]]:
        steps = range(1, 11)
        return {self.text(language, step): (language, step) for language in LANGUAGES for step in steps}


FIVE = Line("A", "+33937000001", 5)
TWO = Line("B", "+33937000003", 2)
#: The other organization's.
OTHER = Line("C", "+33937000002", 5)
LINES = (FIVE, TWO, OTHER)

WORDS = {
    "fr": (
        "Salut, on s'est vus hier soir",
        "Pourquoi tu ne réponds pas ?",
        "Réponds-moi quand tu peux",
        "Je t'attends devant chez toi",
    ),
    "en": (
        "Hello, we met last night",
        "Why don't you answer me?",
        "Please call me back when you can",
        "I am waiting for you outside",
    ),
    "es": (
        "Hola, nos vimos anoche",
        "¿Por qué no me contestas?",
        "Llámame cuando puedas",
        "Te estoy esperando en la puerta",
    ),
    "ar": ("مرحبا، لماذا لا تردين؟", "أريد أن أراك غدا", "اتصلي بي من فضلك"),
    "": ("...", "12345", "!!", "O_o"),
}


@dataclass(frozen=True)
class Voice:
    """How a sender writes: `country` begins his number, `words` is a key of WORDS."""

    country: str
    words: str
    language: str
    digits: int = 11


VOICES = (
    Voice("336", "fr", "fr"),
    Voice("336", "en", "en"),
    Voice("346", "es", "es"),
    Voice("336", "ar", "ar"),
    Voice("447400", "fr", "fr", digits=12),
    Voice("447400", "", "en", digits=12),
    Voice("336", "", "fr"),
)


class Role(enum.Enum):
    """What a sender does, and so what he gets."""

    PERSISTENT = "over the limit of 5"
    PERSISTENT_TWO = "over the limit of 2"
    BOTH = "over both limits"
    ELSEWHERE = "also to another organization"
    FEW = "few texts, each delivered often"
    STOP_FIRST = "STOP, then more"
    STOP_LATER = "two texts, STOP, then more"
    STOP_AMID = "STOP in the middle of them"
    BLOCKED = "blocked by a person"
    BLOCKED_EVERYWHERE = "blocked on all numbers"
    SHORT_CODE = "from a short code"
    ALPHANUMERIC = "from a name instead of a number"


@dataclass(frozen=True)
class Planned:
    """One SMS. It is delivered once, and again by `copies` more deliveries."""

    id: str
    sender: str
    line: Line
    text: str
    copies: int = 0


@dataclass(frozen=True)
class Expected:
    """What one sender on one hotline must have got in the end: `least` to `most` replies in `language`."""

    role: Role
    least: int
    most: int
    language: str


@dataclass
class Plan:
    """Three stages; within one everything happens at once. `settled` are pairs to await between first and second."""

    first: list[Planned] = field(default_factory=list)
    second: list[Planned] = field(default_factory=list)
    crowd: list[Planned] = field(default_factory=list)
    forged: list[Planned] = field(default_factory=list)
    blocked: list[tuple[str, Line]] = field(default_factory=list)
    blocked_everywhere: list[tuple[str, Line]] = field(default_factory=list)
    #: By the digits of the hotline's number and the sender's.
    expected: dict[tuple[str, str], Expected] = field(default_factory=dict)

    @property
    def messages(self) -> list[Planned]:
        return [*self.first, *self.second, *self.crowd]

    @property
    def before_stop(self) -> dict[tuple[str, str], int]:
        """How many replies those who will stop later must have before they do."""
        roles = self.expected.items()
        return {pair: expected.most for pair, expected in roles if expected.role is Role.STOP_LATER}


def roles(senders: int) -> Iterator[Role]:
    """The roles of `senders` senders: most go over a limit, some are of each other kind; then those who text little."""
    rare = [
        *[Role.STOP_FIRST, Role.STOP_LATER, Role.STOP_AMID, Role.BLOCKED, Role.BLOCKED_EVERYWHERE],
        *[Role.BOTH, Role.ELSEWHERE],
    ]
    for number in range(senders):
        if number % 20 < len(rare):
            yield rare[number % 20]
        else:
            yield Role.PERSISTENT_TWO if number % 3 == 0 else Role.PERSISTENT
    for _ in range(max(2, senders // 8)):
        yield Role.FEW
    yield from (Role.SHORT_CODE, Role.ALPHANUMERIC)


def make(senders: int, each: int, seed: int) -> Plan:
    """`senders` senders who each text `each` times, and some more for what they cannot show."""
    chance = random.Random(seed)
    plan = Plan()
    for number, role in enumerate(roles(senders)):
        _Author(plan, chance, role, number, each).write()
    for message in chance.sample(plan.crowd, min(20, len(plan.crowd))):
        plan.forged.append(Planned(str(uuid.UUID(int=chance.getrandbits(128))), message.sender, message.line, "forged"))
    chance.shuffle(plan.crowd)
    return plan


class _Author:
    """One sender of the plan."""

    def __init__(self, plan: Plan, chance: random.Random, role: Role, number: int, each: int) -> None:
        self.plan, self.chance, self.role, self.each = plan, chance, role, each
        self.voice = chance.choice(VOICES)
        own = f"{self.voice.country}{number:04}{chance.randrange(10**4):04}"[: self.voice.digits]
        self.sender = {Role.SHORT_CODE: "38055", Role.ALPHANUMERIC: "InfoSMS"}.get(role, own)

    def write(self) -> None:
        match self.role:
            case Role.PERSISTENT:
                self._expect(FIVE, FIVE.limit)
                self._crowd(FIVE, self.each)
            case Role.PERSISTENT_TWO:
                self._expect(TWO, TWO.limit)
                self._crowd(TWO, self.each)
            case Role.BOTH | Role.ELSEWHERE:
                other = TWO if self.role is Role.BOTH else OTHER
                for line in (FIVE, other):
                    texts = max(self.each // 2, line.limit + 1)
                    self._expect(line, line.limit)
                    self._crowd(line, texts)
            case Role.FEW:
                # Fewer texts than the limit: a second reply to one of them cannot hide behind it.
                texts = self.chance.randint(1, FIVE.limit - 1)
                self._expect(FIVE, texts)
                for _ in range(texts):
                    self.plan.crowd.append(self._planned(FIVE, copies=self.each // texts))
            case Role.STOP_FIRST | Role.STOP_LATER | Role.STOP_AMID:
                self._stop()
            case _:
                self._silent()

    def _stop(self) -> None:
        stop = self._planned(FIVE, text=self.chance.choice(["STOP", "Stop", "ARRET", "arrêt !"]))
        match self.role:
            case Role.STOP_FIRST:
                self._expect(FIVE, 0)
                self.plan.second.append(stop)
                self._crowd(FIVE, self.each - 1)
            case Role.STOP_LATER:
                self._expect(FIVE, 2)
                self.plan.first += [self._planned(FIVE), self._planned(FIVE)]
                self.plan.second.append(stop)
                self._crowd(FIVE, self.each - 3)
            case _:
                self._expect(FIVE, 0, FIVE.limit)
                self.plan.crowd.append(stop)
                self._crowd(FIVE, self.each - 1)

    def _silent(self) -> None:
        self._expect(FIVE, 0)
        self._crowd(FIVE, self.each)
        if self.role is Role.BLOCKED:
            self.plan.blocked.append((self.sender, FIVE))
        if self.role is Role.BLOCKED_EVERYWHERE:
            self.plan.blocked_everywhere.append((self.sender, FIVE))

    def _expect(self, line: Line, least: int, most: int | None = None) -> None:
        pair = line.number.removeprefix("+"), self.sender
        most = least if most is None else most
        self.plan.expected[pair] = Expected(self.role, least, most, self.voice.language)

    def _crowd(self, line: Line, texts: int) -> None:
        # About a quarter comes twice or more often, as after a time-out at the provider.
        for _ in range(texts):
            copies = self.chance.choice([1, 1, 2]) if self.chance.random() < 0.25 else 0
            self.plan.crowd.append(self._planned(line, copies=copies))

    def _words(self) -> str:
        """Of his own: many who write the same are a suspicious group."""
        words = self.chance.choice(WORDS[self.voice.words])
        return words_of(self.sender, words) if self.voice.words else words

    def _planned(self, line: Line, text: str = "", copies: int = 0) -> Planned:
        words = text or self._words()
        return Planned(str(uuid.UUID(int=self.chance.getrandbits(128))), self.sender, line, words, copies)
