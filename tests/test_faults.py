"""The ways of breaking a kiosk do what docs/faults.md says; `make faults` brings all of them about, and this a few."""

import pytest
from faults.row import Row, play
from faults.rows import ROWS
from footprint import TREE

QUICK = ("the camera gives pictures of half the size", "kiosk.toml is broken while the kiosk runs, and it is killed",
         "the same, and libcamera never comes back from stopping")  # fmt: skip


@pytest.mark.parametrize("row", [row for row in ROWS if row.name in QUICK], ids=lambda row: row.name)
def test_a_fault_ends_with_the_outputs_off_and_nothing_lost(row: Row) -> None:
    outcome = play(row)
    assert outcome.wrong == ()


def test_the_page_tells_of_every_fault() -> None:
    page = (TREE / "docs" / "faults.md").read_text(encoding="utf-8")
    assert [row.name for row in ROWS if f"\n| {row.name} |" not in page] == []
