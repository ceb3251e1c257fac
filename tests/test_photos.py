"""A folder of photos is either understood as it stands or refused in one line."""

import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest
from drawn_photos import drawn_photos

from trainer.__main__ import main
from trainer.dataset import load_dataset
from trainer.photos import PhotosError
from trainer.split import split_photos


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def break_folder(folder: Path, how: str) -> str:
    """Break a good folder in one way; return what the one line must say."""
    if how == "absent":
        shutil.rmtree(folder)
        return f"{folder}: no such folder"
    if how == "one class":
        shutil.rmtree(folder / "with_mask")
        return f"{folder}: has no folder 'with_mask'"
    if how == "unknown folder":
        (folder / "mask_on_chin").mkdir()
        return f"{folder}: has a folder 'mask_on_chin', expected only with_mask and without_mask"
    for path in sorted((folder / "without_mask").iterdir())[9:]:
        path.unlink() if how == "few" else path.write_bytes(b"")
    return f"{folder / 'without_mask'}: has 9 usable photos, expected at least 10"


@pytest.mark.parametrize("how", ["absent", "one class", "unknown folder", "few", "few usable"])
def test_a_folder_that_cannot_be_trained_on_is_one_line_and_exit_code_2(
    how: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = drawn_photos(tmp_path / "photos", 12)
    expected = break_folder(folder, how)
    runs = tmp_path / "runs"

    assert main(["train", "--data", str(folder), "--size", "24", "--runs", str(runs)]) == 2

    last = capsys.readouterr().err.splitlines()[-1]
    assert last.startswith(f"error: {expected}")
    assert not runs.exists()


def test_unusable_files_are_named_and_the_rest_is_kept(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = drawn_photos(tmp_path / "photos", 12)
    good = (folder / "with_mask" / "0.png").read_bytes()
    (folder / "with_mask" / "cut.png").write_bytes(good[: len(good) // 2])
    (folder / "with_mask" / "empty.jpg").touch()
    (folder / "without_mask" / "dot.png").write_bytes(cv2.imencode(".png", np.zeros((1, 1), np.uint8))[1].tobytes())
    (folder / "without_mask" / "phone.heic").write_text("a format that isn't read")
    (folder / "without_mask" / ".DS_Store").touch()

    dataset = load_dataset(folder, 24)

    named = [line.removeprefix("left out: ").split(": ")[0] for line in capsys.readouterr().err.splitlines()]
    bad = "with_mask/cut.png", "with_mask/empty.jpg", "without_mask/dot.png", "without_mask/phone.heic"
    assert named == [str(folder / name) for name in bad]
    assert len(dataset.refused) == 4
    assert dataset.crops.shape == (24, 24, 24)
    assert np.bincount(dataset.labels).tolist() == [12, 12]


def test_arrays_come_from_the_cache_until_a_photo_changes(tmp_path: Path) -> None:
    folder = drawn_photos(tmp_path / "photos", 12)
    first = load_dataset(folder, 24)
    (arrays,) = (tmp_path / "cache" / "mask-kiosk" / "arrays").iterdir()
    marked = np.load(arrays / "crops.npy")
    marked[0] = 7
    np.save(arrays / "crops.npy", marked)

    again = load_dataset(folder, 24)
    assert (again.crops[0] == 7).all()
    assert again.sha256 == first.sha256

    shutil.copy(folder / "without_mask" / "3.png", folder / "with_mask" / "3.png")
    changed = load_dataset(folder, 24)
    assert changed.sha256 != first.sha256
    unchanged = [name != "with_mask/3.png" for name in changed.names]
    assert (changed.crops[unchanged] == first.crops[unchanged]).all()
    assert (changed.crops[~np.array(unchanged)] != first.crops[~np.array(unchanged)]).any()


def test_too_few_photos_are_refused_before_anything_is_measured(tmp_path: Path) -> None:
    folder = drawn_photos(tmp_path / "photos", 9)
    with pytest.raises(PhotosError, match="has 9 usable photos"):
        load_dataset(folder, 24, cropped=True)


def test_photos_of_too_few_people_are_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = drawn_photos(tmp_path / "photos", 12)
    for path in (folder / "with_mask").iterdir():
        path.write_bytes((folder / "with_mask" / "0.png").read_bytes())

    assert main(["train", "--data", str(folder), "--size", "24", "--runs", str(tmp_path / "runs")]) == 2

    last = capsys.readouterr().err.splitlines()[-1]
    assert last.startswith("error: the photos of one class show 1 people or scenes that differ, expected some for each")


@pytest.mark.parametrize("seed", range(8))
def test_the_smallest_folder_has_both_classes_in_every_part(seed: int, tmp_path: Path) -> None:
    dataset = load_dataset(drawn_photos(tmp_path / "photos", 10), 24, cropped=True)
    split = split_photos(dataset, "grouped", seed)

    for part in (split.train, split.validation, split.test):
        assert set(dataset.labels[part]) == {0, 1}
