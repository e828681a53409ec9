"""Small traces of every kind, made once for all tests of a process."""

from __future__ import annotations

from functools import cache

from rehearsal.traces import TRACES, Trace, dump, make

PRESETS = ("anti-harcelement-2017", "anti-relous-2017")
MADE_UP = tuple(name for name in TRACES if name not in PRESETS)
RAIDS = tuple(name for name in MADE_UP if name != "quiet")


@cache
def small(name: str, seed: int = 1) -> Trace:
    return make(name, seed, **sizes(name))


def sizes(name: str) -> dict[str, int]:
    if name in PRESETS:
        return {}
    raid = {"raid": 3000} if name in RAIDS else {}
    return {"genuine": 150} | raid | ({"lookalikes": 120} if name.startswith("mimic") else {})


def lines(trace: Trace) -> list[str]:
    return list(dump(trace))
