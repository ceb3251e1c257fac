"""The bench puts every contender and the ratios that count into one table and one file."""

import json
import os
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest
from toy_faces import toy_check

from trainer import bench
from trainer.__main__ import main
from trainer.bench import ratios
from trainer.bench_report import Bench, Cost, read_bench, table
from trainer.recipes import NOTEBOOK, OURS, POPULAR, Recipe, ours


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
    monkeypatch.setattr(bench, "peer", toy.read_bytes)
    monkeypatch.setattr(bench, "recipes", lambda frame, _: {
        name: Recipe(lambda: cv2.blur(frame, (3, 3)), 1000) for name in (OURS, NOTEBOOK, POPULAR)
    })  # fmt: skip
    return folder


def test_the_bench_writes_what_it_prints(models: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", "--models", str(models), "--runs", str(tmp_path)]) == 0

    printed, path = capsys.readouterr().out.rsplit("\n", 2)[:2]
    written = read_bench(tmp_path / "bench.json")
    assert path == str(tmp_path / "bench.json")
    assert printed + "\n" == table(written)
    assert [(cost.name, cost.input_size) for cost in written.costs[:4]] == [
        ("faces", (320, 224)), ("faces, without check", (320, 224)), ("faces, float32", (320, 224)),
        ("Haar", (320, 240)),
    ]  # fmt: skip
    assert [cost.name for cost in written.costs[4:]] == ["door", "simple", "SSD 260x260", OURS, NOTEBOOK, POPULAR]
    assert [(ratio.name, ratio.over) for ratio in written.ratios] == [
        ("door", "simple"), ("door", "SSD 260x260"), (OURS, NOTEBOOK), (OURS, POPULAR),
        ("faces, without check", "faces, float32"), ("faces", "Haar"),
    ]  # fmt: skip
    assert all(ratio.least <= ratio.median <= ratio.largest for ratio in written.ratios)
    assert json.loads((tmp_path / "bench.json").read_text())["costs"][0]["kilobytes"] == pytest.approx(
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
    measured = bench.bench(models, Path(os.environ["YUNET"]))

    (yunet,) = (cost for cost in measured.costs if cost.name == "YuNet")
    assert yunet.input_size == (320, 224)
    assert [ratio.wanted for ratio in measured.ratios if ratio.over == "YuNet"] == [1 / 3]


@pytest.mark.parametrize(("content", "says"), [(None, "no such file"), (b"no model", "is damaged or no model")])
def test_no_yunet_is_refused_in_a_line(
    models: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str], content: bytes | None, says: str
) -> None:
    yunet = tmp_path / "yunet.onnx"
    if content is not None:
        yunet.write_bytes(content)

    assert main(["bench", "--models", str(models), "--runs", str(tmp_path), "--yunet", str(yunet)]) == 2
    assert f"error: {yunet}: {says}, expected YuNet's .onnx" in capfd.readouterr().err


def test_ratios_are_of_the_least_times_and_spread_over_the_rounds() -> None:
    found = ratios({"faces": [1.0, 2.0, 3.0], "YuNet": [4.0, 4.0, 5.0]})

    assert [(r.name, r.over, r.ratio, r.least, r.median, r.largest, r.wanted) for r in found] == [
        ("faces", "YuNet", 0.25, 0.25, 0.5, 0.6, 1 / 3)
    ]
    measured = Bench("2020-01-01", "a processor", {}, (Cost("faces", (320, 224), 1.0, 284.2, None),), found)
    assert table(measured).splitlines() == [
        "2020-01-01, a processor, one thread", "",
        "| | input | CPU ms | kB | million multiply-adds |", "| --- | --- | ---: | ---: | ---: |",
        "| faces | 320x224 | 1.000 | 284 |  |", "",
        "| CPU time | ratio | least, median, largest of the rounds | asked |", "| --- | ---: | --- | --- |",
        "| faces / YuNet | 1/4.0 | 0.250, 0.500, 0.600 | at most 1/3 |",
    ]  # fmt: skip
