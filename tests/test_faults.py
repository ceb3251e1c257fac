"""The ways of breaking a kiosk do what docs/faults.md says; `make faults` brings all of them about, and this a few."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from faults.figures import Sample, Soak, figures, keep, well
from faults.network import untold
from faults.row import Row, play
from faults.rows import ROWS
from faults.soak import run
from mosquitto import Broker, needs_mosquitto
from places import TREE

QUICK = ("the camera gives pictures of half the size", "kiosk.toml is broken while the kiosk runs, and it is killed",
         "the same, and libcamera never comes back from stopping")  # fmt: skip


@pytest.mark.parametrize("row", [row for row in ROWS if row.name in QUICK], ids=lambda row: row.name)
def test_a_fault_ends_with_the_outputs_off_and_nothing_lost(row: Row) -> None:
    outcome = play(row)
    assert outcome.wrong == ()


def test_the_page_tells_of_every_fault() -> None:
    page = (TREE / "docs" / "faults.md").read_text(encoding="utf-8")
    assert [row.name for row in ROWS if f"\n| {row.name} |" not in page] == []


@needs_mosquitto
def test_a_short_soak_misses_no_visit_in_the_log_on_the_page_or_at_the_broker(tmp_path: Path) -> None:
    with Broker(tmp_path) as broker:
        soak = run(1, broker)
    assert (soak.visits, soak.missed, soak.events) == (1, [], 3)


@pytest.mark.parametrize("lost", [0, 1, 2, 3, 5])
def test_a_soak_counts_a_visit_of_which_the_broker_missed_an_event(lost: int) -> None:
    told: list[tuple[int, str, str, str]] = [
        (1, "enter", "CHECKING", ""), (1, "verdict", "ALARM", " without a mask"),
        (1, "change", "CLEAR", " with a mask"), (1, "leave", "CLEAR", ""),
        (2, "enter", "CHECKING", ""), (2, "verdict", "CLEAR", " with a mask"), (2, "leave", "CLEAR", ""),
    ]  # fmt: skip
    log = "".join(f"1.00 s  visit {visit}: {kind}{words} 0.99\n" for visit, kind, _, words in told)
    events: list[dict[str, Any]] = [{"visit": visit, "event": kind, "state": state} for visit, kind, state, _ in told]
    assert list(untold(log, events)) == []
    missed = list(untold(log, events[:lost] + events[lost + 1 :]))
    visit, kind, _, words = told[lost]
    assert missed == [f"the kiosk's visit {visit}: {kind}{words}: not at the broker"]
    soak = Soak([Sample(60.0, 1000, 100.0, 20, 8)], 2, 100, len(told), len(told) - 1, missed)
    assert figures(soak)["visits"] == "2, 1 of them not told whole"
    assert not well(soak)


def test_a_soak_puts_its_figures_between_the_marks_of_a_page_and_its_samples_beside_it(tmp_path: Path) -> None:
    page = tmp_path / "faults.md"
    page.write_text("before\n<!-- written by make soak -->\nformer\n<!-- until here -->\nafter\n")
    samples = [Sample(2.0 * i, 100 * i, 100.0 + (0.5 if i >= 10 else 0), 20 + i % 3, 8) for i in range(1, 101)]
    keep(Soak(samples, 5, 40, 15, 15, []), page)
    before, *lines, after = page.read_text().splitlines()
    assert (before, after) == ("before", "after")
    assert "former" not in lines
    assert {"| frames | 10,000 |", "| events in the log | 15 |", "| events at the broker | 15 |",
            "| resident memory at the end | 100.5 MB (+0.00%) |", "| threads after the first tenth | 8 to 8 |",
            } <= set(lines)  # fmt: skip
    table = (tmp_path / "soak.csv").read_text().splitlines()
    assert (len(table), table[1]) == (101, "2,100,100.00,21,8")
    assert (tmp_path / "soak.svg").exists()


def test_a_soak_without_a_broker_says_what_to_install(tmp_path: Path) -> None:
    soak = subprocess.run(
        [sys.executable, "-m", "faults.soak"], cwd=tmp_path, capture_output=True, text=True, check=False,
        env={"PYTHONPATH": f"{TREE}:{TREE / 'tests'}", "PATH": str(tmp_path)},
    )  # fmt: skip
    assert soak.returncode == 2
    assert soak.stderr.splitlines() == [
        "error: mosquitto or openssl is missing: sudo apt-get install mosquitto openssl"
    ]
