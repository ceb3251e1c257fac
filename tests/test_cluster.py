"""A Ray cluster trains folds and networks as they are trained here; what is lost is done again, what is done kept."""

import importlib.util
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import keras
import numpy as np
import pytest
from drawn_photos import drawn_photos
from places import TREE
from test_photos import Corner
from whole_dataset import alone

from trainer import bfloat16
from trainer.__main__ import main
from trainer.copies import Material
from trainer.crossval import Asked, _digest
from trainer.dataset import load_dataset
from trainer.networks import imagenet_weights
from trainer.training import predict

SOURCES = ("blue", "green", "red")
needs_ray = pytest.mark.skipif(
    importlib.util.find_spec("ray") is None, reason="needs Ray, which make .venv/cluster adds to the environment"
)


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Three sources of photos."""
    folder = tmp_path_factory.mktemp("sources")
    return [str(drawn_photos(folder / name, 20, seed)) for seed, name in enumerate(SOURCES)]


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache of the test's own, for what runs here too, and no cluster."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    return tmp_path / "cache"


def crossval(folders: list[str], runs: Path, *options: str) -> list[str]:
    return ["crossval", "--data", *folders, "--size", "24", "--epochs", "1", "--runs", str(runs), *options]


def start(arguments: list[str], cache: Path, address: str = "") -> "subprocess.Popen[str]":
    environment = {**os.environ, "XDG_CACHE_HOME": str(cache), "RAY_ADDRESS": address}
    return subprocess.Popen([sys.executable, "-m", "trainer", *arguments], cwd=TREE, env=environment, text=True,
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def finished(process: "subprocess.Popen[str]") -> str:
    out, errors = process.communicate()
    assert process.returncode == 0, errors
    return out


def test_folds_that_are_done_are_not_done_again(
    folders: list[str], tmp_path: Path, cache: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    linear = crossval(folders, tmp_path / "runs", "--model", "linear")
    assert main(linear) == 0
    first = capsys.readouterr().out
    (done,) = (tmp_path / "runs").iterdir()
    assert sorted(path.name for path in done.iterdir()) == ["0.npy", "1.npy", "2.npy"]

    (done / "1.npy").write_bytes((done / "1.npy").read_bytes()[:-1])
    (done / "2.npy").unlink()
    kept = (done / "0.npy").stat().st_mtime_ns
    assert main(linear) == 0
    again = capsys.readouterr()
    assert again.out == first
    assert again.err.startswith(f"1 of 3 folds were done before: {done}")
    assert (done / "0.npy").stat().st_mtime_ns == kept
    assert (done / "2.npy").exists()

    assert main([*linear, "--seed", "1"]) == 0  # something else was asked for
    assert len(list((tmp_path / "runs").iterdir())) == 2


def test_folds_of_other_sources_and_first_weights_are_others(folders: list[str], tmp_path: Path, cache: Path) -> None:
    crops = Path(shutil.copytree(folders[0], tmp_path / "crops"))
    files = [path.relative_to(crops).as_posix() for path in sorted(crops.rglob("*.png"))]
    for number, (source, kind, note) in enumerate(
        [("hall", "real", ""), ("yard", "real", ""), ("yard", "synthetic", ""), ("yard", "synthetic", "hand")]
    ):
        rows = [f"{file},{file.partition('/')[0]},{source},{kind},{note}" for file in files]
        (crops / "crops.csv").write_text("\n".join(["file,label,source,kind,note", *rows]))
        linear = crossval([str(crops)], tmp_path / "runs", "--model", "linear", "--by", "group", "--folds", "2")
        assert main(linear) == 0
        assert len(list((tmp_path / "runs").iterdir())) == 1 + number  # they are sampled otherwise

    material, asked = alone(load_dataset(Path(folders[0]), 24)), Asked("vgg19", epochs=1, seed=0, threads=2)
    without = _digest(material, [], asked)
    imagenet_weights("vgg19").parent.mkdir(parents=True)
    imagenet_weights("vgg19").write_bytes(b"weights")
    assert _digest(material, [], asked) != without


def test_folds_of_photos_that_another_finder_cut_are_others(folders: list[str], cache: Path) -> None:
    asked = Asked("linear", epochs=1, seed=0, threads=2)
    digests = set()
    for place in (0, 40):
        dataset = load_dataset(Path(folders[0]), 24, finder=Corner(place))
        groups = np.arange(len(dataset.names))
        digests.add(_digest(Material(dataset, groups, {}, ()), [], asked))
    assert len(digests) == 2


def test_folds_in_bfloat16_are_others(
    folders: list[str], tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    material, processor = alone(load_dataset(Path(folders[0]), 24)), tmp_path / "cpuinfo"
    monkeypatch.setattr(bfloat16, "PROCESSOR", processor)
    digests: dict[str, set[str]] = {"simple": set(), "resnet": set(), "linear": set()}
    for flags in ("fpu", "fpu avx512_bf16"):
        processor.write_text(f"flags : {flags}\n")
        for network, found in digests.items():
            found.add(_digest(material, [], Asked(network, epochs=1, seed=0, threads=2)))
    assert [len(found) for found in digests.values()] == [2, 1, 1]


def test_photos_of_one_source_are_divided_by_group_only(
    folders: list[str], tmp_path: Path, cache: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    linear = crossval(folders[:1], tmp_path / "runs", "--model", "linear")

    assert main(linear) == 2
    line = f"error: {folders[0]}: all photos are of one source, blue, which leaves none to train on: add folders"
    assert capsys.readouterr().err.splitlines()[-1].startswith(line)
    for more, folds in ((), 5), (("--folds", "99"), 20):
        assert main([*linear, "--by", "group", *more]) == 0
        assert capsys.readouterr().out.count("fold ") == folds


def test_there_are_no_more_folds_than_people_and_each_leaves_both_classes(
    tmp_path: Path, cache: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pictures = drawn_photos(tmp_path / "people", 2)
    first, second = ((pictures / label / "0.png").read_bytes() for label in ("with_mask", "without_mask"))

    def said(masked: list[bytes], bare: list[bytes]) -> tuple[int, str]:
        for label, contents in (("with_mask", masked), ("without_mask", bare)):
            (tmp_path / "few" / label).mkdir(parents=True, exist_ok=True)
            for number, content in enumerate(contents * 6):
                (tmp_path / "few" / label / f"{number}.png").write_bytes(content + label.encode())  # no file is in both
        code = main([*crossval([str(tmp_path / "few")], tmp_path / "runs", "--model", "linear"), "--by", "group"])
        printed = capsys.readouterr()
        return code, printed.out or printed.err.splitlines()[-1]

    code, out = said([first, second], [first, second])
    assert (code, out.count("fold ")) == (0, 2)
    code, line = said([first, first], [second, second])
    assert (code, "a fold leaves photos of one class or none" in line) == (2, True)
    code, line = said([first, first], [first, first])
    assert (code, "all photos show one person or scene" in line) == (2, True)


def test_a_seed_that_is_none_is_refused(folders: list[str], tmp_path: Path, cache: Path) -> None:
    with pytest.raises(SystemExit) as refusal:
        main([*crossval(folders, tmp_path / "runs"), "--seed", "-1"])
    assert refusal.value.code == 2


def test_without_ray_or_a_cluster_it_is_refused_in_one_line(folders: list[str], tmp_path: Path, cache: Path) -> None:
    linear = crossval(folders, tmp_path / "runs", "--model", "linear")
    process = start(linear, cache, "127.0.0.1:1")
    _, errors = process.communicate()
    assert process.returncode == 2
    assert errors.splitlines()[-1].startswith("error: RAY_ADDRESS=127.0.0.1:1: ")


@needs_ray
def test_a_cluster_says_the_same_and_a_killed_worker_costs_its_fold_only(
    folders: list[str], tmp_path: Path, cache: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    simple = crossval(folders[:2], tmp_path / "runs", "--model", "simple")
    assert main(simple) == 0
    said = capsys.readouterr().out
    (done,) = (tmp_path / "runs").iterdir()
    verdicts = {path.name: path.read_bytes() for path in done.iterdir()}
    shutil.rmtree(tmp_path / "runs")

    there = start(simple, cache, "local")
    os.kill(next(filter(None, iter(lambda: worker_of(there), None))), signal.SIGKILL)

    assert finished(there) == said
    assert {path.name: path.read_bytes() for path in done.iterdir()} == verdicts


@needs_ray
def test_networks_that_are_trained_side_by_side_are_those_of_a_training_here(tmp_path: Path) -> None:
    photos = drawn_photos(tmp_path / "photos", 40)
    train = ["train", "--model", "simple", "door", "--data", str(photos), "--size", "24", "--epochs", "1", "--runs"]
    finished(start([*train, str(tmp_path / "here")], tmp_path / "cache"))
    finished(start([*train, str(tmp_path / "there")], tmp_path / "cache", "local"))

    here, there = (sorted((tmp_path / name).rglob("state.json")) for name in ("here", "there"))
    assert len(here) == 2
    assert [path.read_bytes() for path in here] == [path.read_bytes() for path in there]
    for path in there:
        best = json.loads(path.read_text())["best"]
        assert predictions(path.parent / best) == predictions(tmp_path / "here" / path.parent.name / best)


def predictions(weights: Path) -> list[list[float]]:
    noise = np.random.default_rng(0).integers(0, 256, (4, 24, 24), np.uint8)
    scores: list[list[float]] = predict(keras.saving.load_model(weights), noise).tolist()
    return scores


def worker_of(driver: "subprocess.Popen[str]") -> int:
    """Return the number of a process that does a fold for a driver, or 0 while there is none."""
    assert driver.poll() is None, driver.communicate()[1]
    time.sleep(0.02)
    return next((pid for pid in descendants(driver.pid) if command(pid).startswith("ray::part_on_worker")), 0)


def descendants(pid: int) -> Iterator[int]:
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            parent = int(path.read_text().rpartition(")")[2].split()[1])
        except OSError:
            continue
        if parent == pid:
            child = int(path.parent.name)
            yield from (child, *descendants(child))


def command(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text()
    except OSError:
        return ""
