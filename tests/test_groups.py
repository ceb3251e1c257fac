import io
import sys
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from device.crop import crop_face, whole_picture
from device.faces import Box, Face, Luma
from trainer.copies import gather
from trainer.cutting import cut_photos
from trainer.groups import find_groups, shared_group_fraction
from trainer.photos import Photo
from trainer.views import describe

FACE = Box(110, 80, 100, 100)


def drawn_photo(seed: int) -> Luma:
    """A head before a backdrop, 320x280, its face at FACE; everything about it depends on the seed."""
    random = np.random.default_rng(seed)
    backdrop = random.integers(40, 220, (5, 5), dtype=np.uint8)
    photo = np.asarray(cv2.resize(backdrop, (320, 280), interpolation=cv2.INTER_CUBIC), dtype=np.uint8)
    cv2.ellipse(photo, (160, 280), (int(random.integers(80, 140)), 90), 0, 180, 360, int(random.integers(20, 240)), -1)
    cv2.ellipse(photo, (160, 110), (int(random.integers(60, 80)), 80), 0, 180, 360, int(random.integers(0, 120)), -1)
    cv2.ellipse(photo, (160, 135), (int(random.integers(46, 58)), 66), 0, 0, 360, int(random.integers(90, 230)), -1)
    brow, tilt, apart = int(random.integers(98, 108)), int(random.integers(-9, 10)), int(random.integers(17, 27))
    for side in (-1, 1):
        eye = (160 + side * apart, int(random.integers(114, 122)))
        cv2.ellipse(photo, eye, (int(random.integers(7, 13)), int(random.integers(3, 7))), 0, 0, 360, 250, -1)
        cv2.circle(photo, eye, int(random.integers(2, 6)), int(random.integers(0, 60)), -1)
        brow_ends = ((160 + side * (apart - 11), brow + tilt), (160 + side * (apart + 11), brow - tilt))
        cv2.line(photo, *brow_ends, int(random.integers(0, 80)), int(random.integers(2, 8)))
    cv2.line(photo, (160, 118), (160 + int(random.integers(-8, 9)), 145), 60, 3)
    cv2.ellipse(photo, (160, 168), (int(random.integers(12, 28)), 6), 0, 0, 360, 50, -1)
    return photo


def with_drawn_mask(photo: Luma) -> Luma:
    masked = photo.copy()
    cv2.rectangle(masked, (118, 138), (202, 196), 235, -1)
    return masked


def warped(photo: Luma, turn_degrees: float, zoom: float) -> Luma:
    height, width = photo.shape
    matrix = cv2.getRotationMatrix2D((width / 2, height / 2), turn_degrees, zoom)
    # Black corners, as augmenters leave them.
    return np.asarray(cv2.warpAffine(photo, matrix, (width, height)), dtype=np.uint8)


def recompressed(photo: Luma) -> Luma:
    small = cv2.resize(photo, (160, 140), interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.imdecode(cv2.imencode(".jpg", small, [cv2.IMWRITE_JPEG_QUALITY, 40])[1], 0), dtype=np.uint8)


def noisy(photo: Luma) -> Luma:
    noise = np.random.default_rng(7).normal(0, 30, photo.shape)
    return np.clip(photo + noise, 0, 255).astype(np.uint8)


def one_folder(count: int) -> npt.NDArray[np.intp]:
    return np.zeros(count, np.intp)


def whole(photo: Luma) -> npt.NDArray[np.uint8]:
    return describe(photo, whole_picture(photo, 100), has_face=False)


def test_copies_of_a_photo_are_a_group_and_other_photos_are_not() -> None:
    descriptions, expected = [], []
    for seed in range(12):
        photo = drawn_photo(seed)
        copies = [
            photo, recompressed(photo), noisy(photo), np.ascontiguousarray(photo[:, ::-1]), warped(photo, 0, 1.15),
            warped(photo, -17, 1), warped(photo, 12, 1), warped(photo[:, ::-1], 20, 1), warped(photo, 10, 1.1),
        ]
        descriptions += [whole(copy) for copy in copies]
        expected += [seed] * len(copies)
    names = [f"shot_{i}.jpg" for i in range(len(expected))]
    groups = find_groups(np.array(descriptions), names, one_folder(len(expected)))
    assert groups.tolist() == expected


class Framing:
    """A face finder that has framed each face where it was told, in the order of the photos."""

    name, sha256 = "framing", ""

    def __init__(self, boxes: list[Box]) -> None:
        self._boxes = iter(boxes)

    def find(self, luma: Luma) -> list[Face]:
        return [Face(next(self._boxes), 1.0)]


@pytest.mark.parametrize("kind", ["photo", "scene", "crop"])
def test_the_eyes_link_a_drawn_mask_before_another_backdrop(kind: str, tmp_path: Path) -> None:
    photos: list[Photo] = []
    boxes: list[Box] = []
    for seed in range(6):
        photo = drawn_photo(seed)
        elsewhere = drawn_photo(seed + 100)[::-1].copy()
        elsewhere[60:220, 90:230] = with_drawn_mask(photo)[60:220, 90:230]
        for picture, box in ((photo, FACE), (elsewhere, Box(FACE.x + 5, FACE.y - 5, FACE.width, FACE.height))):
            path = tmp_path / f"shot_{len(photos)}.png"
            cv2.imwrite(str(path), crop_face(picture, box, 0.2, 140) if kind == "crop" else picture)
            known = box if kind == "scene" else None
            photos.append(Photo(path, path.name, 0, "", "", cropped=kind == "crop", box=known))
            boxes.append(box)
    cut_photos(photos, 24, Framing(boxes) if kind == "photo" else None, tmp_path / "cut")

    descriptions = np.load(tmp_path / "cut" / "descriptions.npy")
    groups = find_groups(descriptions, [photo.name for photo in photos], one_folder(12))

    assert groups[::2].tolist() == groups[1::2].tolist()
    assert len(set(groups.tolist())) >= 4  # drawn strangers may look alike


def test_only_a_numbered_name_with_a_suffix_links() -> None:
    names = ["with_mask/12-with-mask.jpg", "with_mask/augmented_image_7.jpg", "without_mask/augmented_image_7.jpg",
             "without_mask/12.jpg", "without_mask/augmented_image.jpg", "without_mask/12-3.jpg"]
    descriptions = np.array([whole(drawn_photo(seed)) for seed in range(6)])
    assert find_groups(descriptions, names, one_folder(6)).tolist() == [0, 1, 2, 0, 3, 4]


def test_names_link_only_photos_of_one_folder() -> None:
    names = ["with_mask/12-with-mask.jpg", "without_mask/12.jpg", "with_mask/12.jpg", "without_mask/12_bare.jpg"]
    descriptions = np.array([whole(drawn_photo(seed)) for seed in range(4)])
    assert find_groups(descriptions, names, np.array([0, 1, 0, 1])).tolist() == [0, 1, 0, 1]


def test_photos_numbered_as_those_to_measure_with_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    for number, name in enumerate((
        "data/with_mask/{}-with-mask.png", "data/without_mask/{}.png",
        "apart/with_mask/{}.png", "apart/without_mask/{}-bare.png",
    )):
        (tmp_path / name).parent.mkdir(parents=True)
        for photo in range(10):
            cv2.imwrite(str(tmp_path / name.format(photo)), drawn_photo(10 * number + photo))

    material = gather([tmp_path / "data"], 24, [tmp_path / "apart"])

    assert (len(material.dataset.names), material.dropped) == (20, {})
    assert len(set(material.groups)) == 10


def test_no_photos_and_blank_photos() -> None:
    assert find_groups(np.empty((0, len(whole(drawn_photo(0)))), dtype=np.uint8), [], one_folder(0)).tolist() == []
    blank = whole(np.full((1, 1), 9, dtype=np.uint8))
    descriptions = np.array([blank, whole(drawn_photo(0)), blank])
    assert find_groups(descriptions, ["a.jpg", "b.jpg", "c.jpg"], one_folder(3)).tolist() == [0, 1, 0]


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_the_search_shows_how_far_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", shown := Terminal())
    find_groups(np.array([whole(drawn_photo(seed)) for seed in range(2)]), ["a.jpg", "b.jpg"], one_folder(2))
    for part in ("comparing pictures: 100%", "comparing middles: 100%"):
        assert part in shown.getvalue()


def test_descriptions_must_match_the_names() -> None:
    with pytest.raises(ValueError, match=r"descriptions have the shape \(2, 7\), not \(3, 4806\)"):
        find_groups(np.zeros((2, 7), dtype=np.uint8), ["a.jpg", "b.jpg", "c.jpg"], one_folder(3))


def test_shared_group_fraction_counts_test_photos_with_a_relative_outside() -> None:
    groups = np.array([0, 0, 1, 1, 2, 3])
    assert shared_group_fraction(groups, np.array([True, False, True, True, True, False])) == 0.25
