"""The whole way on the original's real photos: groups, training, conversion, and the models that are shipped."""

import csv
import subprocess
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from kiosk_toml import config_for
from real_data import real_data
from runtimes import TFLITE_RUNTIME
from sklearn.model_selection import StratifiedGroupKFold
from whole_dataset import alone

from device.classifier import MODELS
from device.finders import open_finder
from device.model_card import read_card
from device.settings import read_settings
from device.tflite import TFLite
from trainer.__main__ import main
from trainer.dataset import Dataset, load_dataset
from trainer.groups import find_groups, shared_group_fraction
from trainer.quantize import run_tflite
from trainer.scores import score, verdicts
from trainer.split import split_photos

pytestmark = pytest.mark.usefixtures("one_cache")
TIE = 0.02  # the runtimes round differently: so far apart may their scores be, so near the threshold a verdict may flip
RUN_THERE = """
import sys
import numpy as np
from pathlib import Path
from device.tflite import TFLite
network = TFLite(Path(sys.argv[1]).read_bytes())
np.save(sys.argv[3], np.stack([network.run(crop) for crop in np.load(sys.argv[2])]))
"""


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    """All photos as the shipped models see them."""
    (data,) = real_data("DATA")
    settings = read_settings(config_for(MODELS / "simple.tflite", tmp_path_factory.mktemp("config")))
    return load_dataset(data, 100, finder=open_finder(settings.faces))


def known_groups(dataset: Dataset) -> npt.NDArray[np.intp]:
    """Return the group of each photo, int (n,), from the table of known ones."""
    (table,) = real_data("KNOWN_GROUPS")
    with table.open(newline="") as file:
        known = {"/".join(Path(row["file"]).parts[-2:]): int(row["group"]) for row in csv.DictReader(file)}
    return np.array([known[name] for name in dataset.names])


def part(dataset: Dataset, indices: npt.NDArray[np.intp]) -> npt.NDArray[np.bool_]:
    """Return which photos belong to a part, bool (n,)."""
    return np.isin(np.arange(len(dataset.names)), indices)


def test_every_photo_is_usable(photos: Dataset) -> None:
    assert (len(photos.names), photos.refused) == (1376, ())
    assert np.bincount(photos.labels).tolist() == [690, 686]


def test_a_split_by_the_trainers_groups_hardly_shares_known_groups(photos: Dataset) -> None:
    groups, known = find_groups(photos.descriptions, photos.names, photos.folders), known_groups(photos)
    shared = []
    for seed in range(10):
        folds = StratifiedGroupKFold(n_splits=10, shuffle=True, random_state=seed)
        _, test = next(folds.split(photos.labels, photos.labels, groups))
        assert shared_group_fraction(groups, part(photos, test)) == 0
        shared.append(shared_group_fraction(known, part(photos, test)))
    assert np.mean(shared) <= 0.05
    assert np.bincount(groups).max() <= 0.1 * len(groups)


def test_the_default_split_leaks_at_most_a_twentieth_where_a_random_one_leaks_most(photos: Dataset) -> None:
    grouped, at_random = (split_photos(alone(photos), kind, seed=0) for kind in ("grouped", "random"))
    known = known_groups(photos)

    assert shared_group_fraction(known, part(photos, grouped.test)) <= 0.05
    assert shared_group_fraction(known, part(photos, at_random.test)) >= 0.7
    assert (grouped.leak, at_random.leak) == (0.0, grouped.random_leak)
    for split in (grouped, at_random):
        parts = np.concatenate([split.train, split.validation, split.test])
        assert np.array_equal(np.sort(parts), np.arange(len(photos.names)))
        assert [0.4 < photos.labels[p].mean() < 0.6 for p in (split.train, split.validation, split.test)] == [True] * 3


def test_photos_become_a_model_that_tells_masks_from_faces(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (data,) = real_data("DATA")
    runs, models = tmp_path / "runs", tmp_path / "models"
    train = ["train", "--model", "simple", "--data", str(data), "--size", "32", "--epochs", "3", "--runs", str(runs)]
    assert main(train) == 0
    assert main(["convert", "--runs", str(runs), "--models", str(models)]) == 0

    card, _ = read_card(models / "simple.tflite")
    assert card.measured.balanced_accuracy >= 0.85
    assert (card.practice, card.trained_on.leak, card.trained_on.groups > 400) == (False, 0.0, True)
    assert "0.0% of the test photos share a group with training" in capsys.readouterr().out
    (report,) = runs.glob("*/report.html")
    page = report.read_text()
    assert page.count("data:image/png;base64,") == 5
    assert "http" not in page
    assert str(data.resolve()) not in page


@pytest.mark.parametrize("name", ["simple", "simple-random"])
def test_a_shipped_model_is_what_its_card_says(name: str, photos: Dataset, tmp_path: Path) -> None:
    path = MODELS / f"{name}.tflite"
    card, content = read_card(path)
    split = split_photos(alone(photos), card.trained_on.split, card.trained_on.seed)
    crops, labels = photos.crops[split.test], photos.labels[split.test]

    assert len(content) <= 2_900_000
    assert (card.input_size, TFLite(content).takes) == (100, "uint8 [1, 100, 100, 1] scale 1.0 zero 0")
    assert card.trained_on.dataset_sha256 == photos.sha256
    assert (card.trained_on.train, card.trained_on.validation, card.measured.n) == (
        len(split.train), len(split.validation), len(split.test),
    )
    scores = run_tflite(content, crops)
    found = score(labels, verdicts(scores, card.threshold))
    assert (found.accuracy, found.balanced_accuracy) == (card.measured.accuracy, card.measured.balanced_accuracy)
    assert card.measured.parity >= 0.995
    assert abs(card.measured.accuracy - card.measured.keras_accuracy) <= 0.005

    if not TFLITE_RUNTIME.exists():
        pytest.skip("the other runtime isn't installed: make .venv-tflite-runtime")
    np.save(tmp_path / "crops.npy", crops)
    command: list[str | Path] = [TFLITE_RUNTIME, "-c", RUN_THERE, path, tmp_path / "crops.npy", tmp_path / "scores.npy"]
    subprocess.run(command, check=True, cwd=MODELS.parent)
    there = np.load(tmp_path / "scores.npy")
    assert np.abs(scores - there).max() <= TIE
    flipped = verdicts(scores, card.threshold) != verdicts(there, card.threshold)
    assert (np.abs(scores[flipped, 1] - card.threshold) <= TIE).all()
