"""Broken input of every kind ends in the project's own one-line errors; $TRIES: how often each target is tried."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from fuzz.found import FOUND
from fuzz.outcome import Outcome, read_log
from fuzz.samples import SAMPLES, WORDS
from fuzz.targets import TARGETS, opened
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from places import TREE

TRIES = int(os.environ.get("TRIES") or 60)
FUZZ = settings(
    max_examples=TRIES, deadline=None, database=None, derandomize="TRIES" not in os.environ,
    suppress_health_check=list(HealthCheck),
)  # fmt: skip
OF_JSON = {"card": b"", "face-card": b"", "manifest": b"", "setup": b"1"}  # what stands before it
REFUSED = {"keys", "broker", "webhook", "fetch"}  # whole input that is refused as well: each key by two of its readers


@st.composite
def broken(draw: st.DrawFn, sample: bytes) -> bytes:
    """Yield a sample in which a few places are cut, repeated, or replaced."""
    content = sample
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(content)))
        end = min(len(content), start + draw(st.integers(0, 40)))
        word = draw(st.sampled_from(WORDS) | st.binary(max_size=8))
        content = content[:start] + draw(st.sampled_from([word, content[start:end] * 2 + word])) + content[end:]
    return content[: draw(st.integers(0, len(content)))] if draw(st.booleans()) else content


VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
)


@st.composite
def miswritten(draw: st.DrawFn, sample: bytes) -> bytes:
    """Yield a sample of JSON in which one value is another, is missing, or is one too many."""
    content = json.loads(sample)
    place = content
    while isinstance(place, dict) and place:
        key = draw(st.sampled_from(sorted(place)))
        if not isinstance(place[key], dict) or draw(st.booleans()):
            break
        place = place[key]
    change = draw(st.sampled_from(["other", "gone", "more"]))
    if change == "gone":
        place.pop(key, None)
    else:
        place[key if change == "other" else draw(st.text(max_size=9))] = draw(VALUES)
    return json.dumps(content).encode("utf-8", "surrogatepass")


def inputs(name: str) -> st.SearchStrategy[bytes]:
    """Return broken samples of a target."""
    ways = [broken(sample) for sample in SAMPLES[name]]
    if name in OF_JSON:
        before = OF_JSON[name]
        ways += [miswritten(sample.removeprefix(before)).map(lambda content: before + content)
                 for sample in SAMPLES[name] if sample.startswith(before)]  # fmt: skip
    return st.one_of(ways)


def not_one_line(refusals: list[str]) -> list[str]:
    return [line for line in refusals if len(line.splitlines()) != 1]


@pytest.mark.parametrize("name", TARGETS)
def test_broken_input_is_refused_in_one_line(name: str) -> None:
    with opened(name) as feed:

        @FUZZ
        @given(inputs(name))
        def read(content: bytes) -> None:
            assert not_one_line(feed(content)) == []

        read()


@pytest.mark.parametrize("name", [name for name in TARGETS if name not in REFUSED])
def test_whole_input_is_taken(name: str) -> None:
    with opened(name) as feed:
        assert [feed(sample) for sample in SAMPLES[name]] == [[]] * len(SAMPLES[name])


@pytest.mark.parametrize(("name", "content"), FOUND)
def test_what_once_failed_is_refused_in_one_line(name: str, content: bytes) -> None:
    with opened(name) as feed:
        assert not_one_line(feed(content)) == []


def test_the_setup_page_answers_whatever_values() -> None:
    keys = st.sampled_from(["threshold", "release", "hold_seconds", "zones", "window_seconds", "name", "x"])
    section = st.dictionaries(keys, VALUES, max_size=3) | VALUES
    bodies = st.dictionaries(st.sampled_from(["model", "decision", "signals"]), section, max_size=3) | VALUES
    with opened("setup") as feed:

        @FUZZ
        @given(bodies, st.sampled_from([b"0", b"1"]))
        def post(body: Any, path: bytes) -> None:
            assert not_one_line(feed(path + json.dumps(body).encode("utf-8", "surrogatepass"))) == []

        post()


LOG = """\
INFO: Seed: 1
#3\tNEW    cov: 59 ft: 59 corp: 2/2366b lim: 1183 exec/s: 0 rss: 116Mb L: 1183/1183 MS: 1 ChangeBinInt-
done 12000
#16384\tpulse  cov: 111 ft: 137 corp: 19/12145b lim: 1193 exec/s: 8192 rss: 116Mb
"""
ENDED = """\
done 18000
#20000\tDONE   cov: 112 ft: 138 corp: 20/12155b lim: 1193 exec/s: 6666 rss: 116Mb
stat::number_of_executed_units: 20000
stat::average_exec_per_sec:     6666
stat::new_units_added:          87
"""
FAILED = """\
 === Uncaught Python exception: ===
KeyError: 'name'
Traceback (most recent call last):
==7464== ERROR: libFuzzer: fuzz target exited
artifact_prefix='runs/fuzz/card/'; Test unit written to runs/fuzz/card/slow-unit-0abc
artifact_prefix='runs/fuzz/card/'; Test unit written to runs/fuzz/card/crash-1def
"""


def test_a_log_says_what_has_come_of_a_target() -> None:
    assert read_log("card", "") == Outcome("card", 0, 0, 0, 0, None, "")
    assert read_log("card", LOG) == Outcome("card", 12000, 0, 111, 0, None, "")
    assert read_log("card", LOG + ENDED) == Outcome("card", 20000, 6666, 112, 87, None, "")
    failed = read_log("card", LOG + FAILED + ENDED)
    assert (failed.failed, failed.error) == (Path("runs/fuzz/card/crash-1def"), "KeyError: 'name'")


def test_the_page_tells_of_every_target() -> None:
    page = (TREE / "docs" / "fuzz.md").read_text(encoding="utf-8")
    assert [name for name in TARGETS if f"\n| {name} |" not in page] == []


def test_a_short_fuzz_writes_its_row_and_keeps_its_inputs(tmp_path: Path) -> None:
    pytest.importorskip("atheris", reason="needs what `make .venv/fuzz` brings")
    (tmp_path / "docs").mkdir()
    page = tmp_path / "docs" / "fuzz.md"
    page.write_text("<!-- written by make fuzz -->\n| page | as before |\n<!-- until here -->\n")
    done = subprocess.run(
        [sys.executable, "-m", "fuzz", "--runs", "300", "--folder", "kept", "source", "secret"], cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": f"{TREE}:{TREE / 'tests'}"}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    rows = [line for line in page.read_text().splitlines() if line.startswith("| ")]
    assert [row.split(" | ")[0] for row in rows[2:]] == ["| source", "| secret", "| page"]
    assert all(row.split(" | ")[2] == "300" for row in rows[2:4])
    assert {path.parts[-3] for path in tmp_path.glob("kept/*/inputs/*")} == {"source", "secret"}
