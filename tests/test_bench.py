"""The bench measures every contender, keeps all of it in one file, and the pages say what that file says."""

import dataclasses
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from bench import ENVIRONMENT, environments, networks, telling, training, viewers
from bench.networks import ratios
from bench.recipes import NOTEBOOK, OURS, POPULAR, Recipe, ours
from bench.report import MOST_RESIDENT, Bench, Slowed, filled, read, tables, write
from places import TREE
from toy_faces import toy_check

from device.classifier import MODELS
from device.errors import ModelError
from trainer.practice import draw_practice_set

DOCS = TREE / "docs"


@pytest.fixture
def models(toy: Path, face_network: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of tiny models, and a bench of two short rounds."""
    folder = tmp_path / "models"
    folder.mkdir()
    for source, name in ((face_network, "faces"), (toy, "door"), (toy, "simple")):
        for suffix in (".tflite", ".json"):
            shutil.copy2(source.with_suffix(suffix), folder / f"{name}{suffix}")
    toy_check(folder / "faces.tflite")
    monkeypatch.setattr("trainer.cost.ROUNDS", 2)
    monkeypatch.setattr("trainer.cost.SECONDS", 0.01)
    # The real ones take a while to convert.
    monkeypatch.setattr(networks, "peer", toy.read_bytes)
    monkeypatch.setattr(networks, "recipes", lambda frame, _: {
        name: Recipe(lambda: cv2.blur(frame, (3, 3)), 1000) for name in (OURS, NOTEBOOK, POPULAR)
    })  # fmt: skip
    return folder


def test_every_contender_is_measured_and_compared(models: Path) -> None:
    costs, compared = networks.measure(models, None)

    assert [(cost.name, cost.input_size) for cost in costs[:4]] == [
        ("faces", (320, 224)), ("faces, without check", (320, 224)), ("faces, float32", (320, 224)),
        ("Haar", (320, 240)),
    ]  # fmt: skip
    assert [cost.name for cost in costs[4:]] == ["door", "simple", "SSD 260x260", OURS, NOTEBOOK, POPULAR]
    assert [(ratio.name, ratio.over) for ratio in compared] == [
        ("door", "simple"), ("door", "SSD 260x260"), (OURS, NOTEBOOK), (OURS, POPULAR),
        ("faces, without check", "faces, float32"), ("faces", "Haar"),
    ]  # fmt: skip
    assert costs[0].kilobytes == pytest.approx(
        sum((models / name).stat().st_size for name in ("faces.tflite", "faces-check.tflite")) / 1000
    )


def test_our_frame_is_what_the_folder_of_models_makes_of_it(models: Path) -> None:
    shutil.copy2(models / "door.tflite", models / "door-random.tflite")  # of SPLIT=random

    recipe = ours(np.zeros((48, 64), np.uint8), models)

    recipe.call()
    files = "faces.tflite", "faces-check.tflite", "door.tflite"
    assert recipe.content == sum((models / name).stat().st_size for name in files)


@pytest.mark.skipif(not os.environ.get("YUNET"), reason="needs YUNET, the path of YuNet's .onnx")
def test_yunet_is_measured_at_the_size_of_the_face_network(models: Path) -> None:
    costs, compared = networks.measure(models, Path(os.environ["YUNET"]))

    (yunet,) = (cost for cost in costs if cost.name == "YuNet")
    assert yunet.input_size == (320, 224)
    assert [ratio.wanted for ratio in compared if ratio.over == "YuNet"] == [1 / 3]


@pytest.mark.parametrize(
    ("content", "says"), [(None, "no such file, expected YuNet"), (b"no model", "is no network that OpenCV reads")]
)
def test_no_yunet_is_refused_in_a_line(models: Path, tmp_path: Path, content: bytes | None, says: str) -> None:
    yunet = tmp_path / "yunet.onnx"
    if content is not None:
        yunet.write_bytes(content)

    with pytest.raises(ModelError, match=f"{yunet}: {says}"):
        networks.measure(models, yunet)


def test_what_cannot_be_measured_ends_the_bench_with_a_line(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "bench", "--models", str(tmp_path)]
    ended = subprocess.run(command, cwd=TREE, env=ENVIRONMENT, check=False, capture_output=True, text=True)

    assert ended.returncode == 2
    assert ended.stderr.splitlines()[-1].startswith(f"error: {tmp_path}/faces.json: can't be read")


def test_ratios_are_of_the_least_times_and_spread_over_the_rounds() -> None:
    found = ratios({"faces": [1.0, 2.0, 3.0], "YuNet": [4.0, 4.0, 5.0]})

    assert [(r.name, r.over, r.ratio, r.least, r.median, r.largest, r.wanted) for r in found] == [
        ("faces", "YuNet", 0.25, 0.25, 0.5, 0.6, 1 / 3)
    ]


def test_a_kiosk_with_its_page_decides_and_stays_small() -> None:
    kiosk = next(environments.kiosks(MODELS))

    assert kiosk.import_seconds > 0
    assert kiosk.start_seconds > 0
    assert 30 < kiosk.resident <= MOST_RESIDENT


@pytest.mark.parametrize("measure", [lambda rounds, seconds: viewers.measure(3, rounds, seconds), telling.measure])
def test_what_slows_a_door_is_told_by_quartiles(measure: Callable[[int, float], Slowed]) -> None:
    slowed = measure(3, 0.1)

    for low, middle, high in (slowed.cpu, slowed.wall):
        assert 0 < low <= middle <= high


def test_both_ways_of_training_see_each_photo_once_an_epoch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(training, "set_threads", lambda _: None)  # once in a process, and not this one's to choose
    draw_practice_set(tmp_path / "photos", 20)
    photos, steps = training.plain(tmp_path / "photos").values()
    batches = training.ours(tmp_path / "photos")["x"]

    plain = [next(photos) for _ in range(steps)]
    for way in (plain, [batches[i] for i in range(len(batches))]):
        assert [len(crops) for crops, _ in way] == [32, 8]
        assert sum(labels.sum(0) for _, labels in way).tolist() == [20, 20]
        assert all(crops.shape[1:3] == (100, 100) for crops, _ in way)


@pytest.fixture
def kept() -> Bench:
    return read(DOCS / "bench.json")


def test_the_pages_say_what_was_measured(kept: Bench) -> None:
    page = (DOCS / "bench.md").read_text(encoding="utf-8")

    assert filled(page, kept) == page, "run make bench"
    assert re.findall(r"<!-- (?!end)(.+) -->", page) == [
        "computer", "costs", "ratios", "kiosks", "inferences", "steps", "slowed", "training"
    ]  # fmt: skip
    readme = " ".join((TREE / "README.md").read_text(encoding="utf-8").split())
    notebook, usual = (round(1 / kept.ratio(OURS, other)) for other in (NOTEBOOK, POPULAR))
    assert f"a frame takes 1/{notebook} of the notebook's processor time, 1/{usual} of the usual way's" in readme


def test_what_is_measured_is_written_down_whole(kept: Bench, tmp_path: Path) -> None:
    (tmp_path / "bench.md").write_text((DOCS / "bench.md").read_text(encoding="utf-8"))
    measured = dataclasses.replace(kept, processor="An abacus", steps={"a bead moved": 1234.5})

    write(measured, tmp_path)

    assert read(tmp_path / "bench.json") == measured
    page = (tmp_path / "bench.md").read_text()
    assert "An abacus" in page
    assert "| a bead moved | 1234.50 |" in page
    assert set(tables(kept)) == set(tables(measured))
    assert "<svg" in (tmp_path / "bench.svg").read_text()
