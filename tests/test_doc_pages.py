"""What a measurement writes goes between its own marks, and nowhere else."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests import doc_pages


def test_what_stands_around_the_marks_stays(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    begin, end = doc_pages.marks("raid")
    page.write_text(f"before\n{begin}\nold\n{end}\nafter\n")
    for text in ("new\n", "newer\n"):
        doc_pages.put(page, "raid", text)
        assert page.read_text() == f"before\n{begin}\n{text}{end}\nafter\n"


@pytest.mark.parametrize("doubled", [0, 2])
def test_a_page_whose_marks_are_not_clear_is_left_as_it_is(tmp_path: Path, doubled: int) -> None:
    page = tmp_path / "page.md"
    text = "\n".join(doc_pages.marks("raid")) * doubled
    page.write_text(text)
    with pytest.raises(ValueError, match="lacks the marks"):
        doc_pages.put(page, "raid", "new\n")
    assert page.read_text() == text
