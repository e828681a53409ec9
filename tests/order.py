"""Tests that take a minute come first, some to each of pytest's processes: at the end all others would wait."""

from __future__ import annotations

import os

import pytest


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """xdist deals out equal parts of the list, in its order; each part gets its share of what is long. Those of one
    `xdist_group` follow each other in one process: together they would starve.
    """
    groups: dict[str, list[pytest.Item]] = {}
    for item in items:
        if item.get_closest_marker("long"):
            groups.setdefault(_group(item), []).append(item)
    long = list(groups.values())
    others = [item for item in items if not item.get_closest_marker("long")]
    parts = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    size, dealt = -(-len(items) // parts), list[pytest.Item]()
    for part in range(parts):
        mine = [item for group in long[part::parts] for item in group]
        rest = max(size - len(mine), 0) if part < parts - 1 else len(others)
        dealt += [*mine, *others[:rest]]
        others = others[rest:]
    items[:] = dealt


def _group(item: pytest.Item) -> str:
    marker = item.get_closest_marker("xdist_group")
    return str(marker.args[0]) if marker else item.nodeid
