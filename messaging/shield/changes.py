"""A hotline's level, in its row: what is usual is learned, bins are added up, a change is written with its figures.

Any number of processes may do this at once. Each statement names the row as it was read, so that of several one wins,
and the others read again.
"""

from __future__ import annotations

import datetime
import zoneinfo
from typing import Any

from django.db import transaction
from django.db.models import QuerySet

from conversations.models import Reply
from conversations.words import ReplyState
from hotlines.models import Hotline
from privacy import pseudonyms

from . import baseline, ledger, levels, spendings
from .budgets import Scope, Window
from .detector import WINDOW, Detector
from .levels import Detected, Money, Signs
from .models import Alert, HotlineLevel, LevelChange
from .words import Cause, Level

#: A bin is added up when messages that were on their way have had so long to arrive.
_GRACE = datetime.timedelta(seconds=30)
#: The budgets whose half is worth a look: a month's is half used in the middle of each month.
_SHARED = ((Scope.HOTLINE, Window.DAY), (Scope.ORGANIZATION, Window.DAY), (Scope.PLATFORM, Window.DAY))


class Watched:
    """One hotline as this process knows it: its row, its window, what is usual for it."""

    def __init__(self, hotline: Hotline, now: datetime.datetime) -> None:
        self.hotline = hotline
        self.detector = Detector(self._usual_text)
        self._zone = zoneinfo.ZoneInfo(hotline.organization.time_zone)
        self._now = now
        self._keys: dict[str, str] = {}
        self._read(now)

    def renew(self, hotline: Hotline) -> None:
        """Its people may have changed it since."""
        self.hotline, self.usual.replies_per_hour = hotline, hotline.replies_per_hour

    def _read(self, now: datetime.datetime) -> None:
        self.row, _made = HotlineLevel.objects.get_or_create(hotline=self.hotline, defaults={"since": now})
        self.usual = baseline.load(self.row.usual, self.hotline.replies_per_hour)

    def _usual_text(self, letters: str) -> float:
        return self.usual.usual_greetings(self._key(letters), self._local(self._now))

    def _key(self, letters: str) -> str:
        """What stands for a short text, for good: it tells nothing to one who lacks the master key."""
        if letters not in self._keys:
            if len(self._keys) >= _KEYS:
                self._keys.clear()
            value = b"greeting|" + letters.encode("utf-8", "surrogatepass")
            self._keys[letters] = pseudonyms.fingerprint(self.hotline.organization_id, value).hex()
        return self._keys[letters]

    def _local(self, moment: datetime.datetime) -> datetime.datetime:
        return moment.astimezone(self._zone)

    # --- adding up ----------------------------------------------------------------------------------------------------
    def catch_up(self, now: datetime.datetime) -> None:
        """Let go of what is old, and add up the bins that are over."""
        self._now = now
        self.detector.forget(now)
        until = baseline.bin_of(now - _GRACE)
        if self.row.folded_until is not None and self.row.folded_until >= until:
            return
        self._read(now)
        before = self.row.folded_until
        if before is not None and before >= until:
            return
        start = max(before or until, baseline.bin_of(now - WINDOW) + baseline.BIN)
        learning = self._is_learning(now)
        sum_ = self.row.surge
        while start < until:
            sum_ = self._with_bin(sum_, start)
            # A rise that may become an alarm must not be learned away while it does.
            if learning and sum_ <= levels.ALARM / 2:
                self.learn(start)
            start += baseline.BIN
        mine = HotlineLevel.objects.filter(pk=self.row.pk, folded_until=before)
        if mine.update(surge=sum_, folded_until=until, usual=self.usual.dump()):
            self.row.surge, self.row.folded_until = sum_, until
        else:
            self._read(now)

    def _with_bin(self, surge: float, start: datetime.datetime) -> float:
        new = self.detector.senders_since(start, start + baseline.BIN)
        return levels.surge(surge, new, self.usual.usual(self._local(start)))

    def learn(self, start: datetime.datetime) -> None:
        """Learn the bin that began at `start` and is in the window; it is written when the next is added up."""
        local, end = self._local(start), start + baseline.BIN
        self.usual.learn(self.detector.senders_since(start, end), local)
        texts = self.detector.short_texts(start, end)
        self.usual.learn_greetings({self._key(letters): senders for letters, senders in texts.items()}, local)

    def _is_learning(self, now: datetime.datetime) -> bool:
        return self.row.raised_at is None or now - self.row.raised_at > levels.LONGEST_RAID

    # --- judging ------------------------------------------------------------------------------------------------------
    def signs(self, now: datetime.datetime) -> Signs:
        start = self.row.folded_until or baseline.bin_of(now)
        surge = self.row.surge
        while start <= now:
            surge = self._with_bin(surge, start)
            start += baseline.BIN
        return Signs(
            surge=surge,
            largest_text=self.detector.largest_text(),
            groups=self.detector.suspicious_groups(),
            deferred=self.row.detected == Level.RAID and deferred(self.hotline).exists(),
        )

    def weigh(self, now: datetime.datetime) -> None:
        """Raise the level, or lower it, where there is reason to."""
        self.catch_up(now)
        before = Detected(Level(self.row.detected), self.row.calm_since)
        signs = self.signs(now)
        detected, cause = levels.after(before, signs, now)
        money = money_of(self.hotline, now)
        level = levels.shown(detected.level, money)
        if (detected, level) != (before, self.row.level):
            self._write(detected, level, cause, money, signs, now)

    def _write(
        self, detected: Detected, level: Level, cause: Cause | None, money: Money, signs: Signs, now: datetime.datetime
    ) -> None:
        seen, was = Level(self.row.level), Level(self.row.detected)
        raised = None if detected.level is Level.NORMAL else self.row.raised_at or now
        changes: dict[str, Any] = {"detected": detected.level, "calm_since": detected.calm_since, "raised_at": raised}
        if level is not seen:
            changes |= {"level": level, "since": now}
        mine = HotlineLevel.objects.filter(pk=self.row.pk, detected=was, level=seen, calm_since=self.row.calm_since)
        with transaction.atomic():
            won = mine.update(**changes)
            if won and level is not seen:
                self._record(seen, level, levels.reason(seen, level, cause, money), signs, now)
            if won and cause is not None and detected.level is Level.RAID and level is not Level.RAID:
                # Nothing leaves anyway, because a budget is spent. A raid is told all the same.
                self._record(was, Level.RAID, cause, signs, now)
        if won:
            for name, value in changes.items():
                setattr(self.row, name, value)
        else:
            self._read(now)

    def _record(self, before: Level, after: Level, cause: Cause, signs: Signs, now: datetime.datetime) -> None:
        change = LevelChange.objects.create(
            organization_id=self.hotline.organization_id,
            hotline=self.hotline,
            at=now,
            before=before,
            after=after,
            cause=cause,
            figures={
                "new_in_bin": self.detector.senders_since(now - baseline.BIN, now + _SECOND),
                "new_in_hour": len(self.detector),
                "usual_in_bin": round(self.usual.usual(self._local(now)), 2),
                "largest_text": signs.largest_text,
                "groups": signs.groups,
            },
        )
        if cause not in _TOLD_BY_BUDGETS:
            Alert.objects.create(
                kind=Alert.Kind.LEVEL,
                key=str(change.pk),
                organization_id=self.hotline.organization_id,
                hotline=self.hotline,
                change=change,
                at=now,
            )


#: So many keys of short texts are remembered.
_KEYS = 10_000
_SECOND = datetime.timedelta(seconds=1)
#: Budgets have alerts of their own.
_TOLD_BY_BUDGETS = (Cause.HALF, Cause.SPENT, Cause.ROOM)


def deferred(hotline: Hotline) -> QuerySet[Reply]:
    """First replies that wait because their senders are of a suspicious group."""
    return Reply.objects.filter(hotline=hotline, state=ReplyState.PENDING, suspicion__gt="")


def money_of(hotline: Hotline, now: datetime.datetime) -> Money:
    """What is left of the budgets that all replies of the hotline share: spent where the next one may not fit."""
    least = ledger.price(hotline.account, 1)
    money = Money.ENOUGH
    for name, line in spendings.standing(ledger.caps_of(hotline, now)).items():
        if line.refuses(least):
            return Money.SPENT
        if (name.scope, name.window) in _SHARED and line.caps.micros and 2 * line.micros >= line.caps.micros:
            money = Money.HALF
    return money


def raided(hotlines: set[int]) -> set[int]:
    """Those of the hotlines that are in a raid."""
    return set(HotlineLevel.objects.filter(pk__in=hotlines, detected=Level.RAID).values_list("pk", flat=True))
