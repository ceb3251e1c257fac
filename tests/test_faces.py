"""Each finder finds what it can find where it is, in pictures of any shape, or is refused in one line."""

import hashlib
from pathlib import Path

import cv2
import numpy as np
import pytest
from both_runtimes import spread
from drawn_face import drawn_face
from real_data import real_data
from runtimes import needs_tflite_runtime
from toy_faces import SIDE

from device import haar
from device.errors import ModelError
from device.faces import Box, FaceFinder, Luma
from device.finders import OwnFaceFinder, open_finder
from device.haar import HaarFaceFinder
from device.heatmap import HEIGHT, STRIDE, WIDTH
from device.pictures import picture_files
from device.settings import FaceSettings
from device.yunet import YuNetFaceFinder
from trainer.finder.sheet import draw_scene

# The cascade cuts a face from the brows to the chin; the drawn head is 0.84 wide and 1.12 high.
PLACE_TOLERANCE, SIZE_TOLERANCE = 0.2, 0.3  # shares of the face's side
FACES = [(320, 240, 110, 60, 100), (640, 480, 220, 120, 200), (640, 480, 50, 60, 120), (480, 640, 200, 300, 180)]
SHAPES = [(480, 640), (16, 16), (32, 320), (16, 4000), (1, 1), (1, 60000), (40000, 1), (6000, 8000)]
# Both runtimes round, each its way, and a step of the network's last layer is half a px of a box's middle and 6 % of
# its sides. So single boxes may lie far apart; but so many are the same that a shift by one px shows.
HALF_WITHIN, MOST_WITHIN = 0.5, 4.0  # px of the network's picture: half of the boxes, 95 % of them
MOST_SHARE, WORST_SHARE = 0.06, 0.25  # of the face's height: 95 % of the boxes, all of them
ONE_ALONE = 0.03  # share of faces that only one runtime finds


def overlaps(box: Box, x: int, y: int, side: int) -> bool:
    center_x, center_y = box.x + box.width / 2, box.y + box.height / 2
    return (
        abs(center_x - x - side / 2) < PLACE_TOLERANCE * side
        and abs(center_y - y - side / 2) < PLACE_TOLERANCE * side
        and abs(box.width / side - 1) < SIZE_TOLERANCE
    )


def square(width: int, height: int, x: int, y: int, side: int) -> Luma:
    """Return a black picture, uint8 (height, width), with a white square."""
    luma = np.zeros((height, width), np.uint8)
    luma[y : y + side, x : x + side] = 255
    return luma


def refusal(settings: FaceSettings) -> str:
    with pytest.raises(ModelError) as error:
        open_finder(settings)
    assert "\n" not in str(error.value)
    return str(error.value)


@pytest.fixture
def yunet() -> YuNetFaceFinder:
    (path,) = real_data("YUNET")
    defaults = FaceSettings()
    return YuNetFaceFinder(path, defaults.yunet_sha256, defaults.yunet_score)


@pytest.mark.parametrize(("width", "height", "x", "y", "side"), FACES)
def test_the_cascade_finds_a_drawn_face_where_it_is(width: int, height: int, x: int, y: int, side: int) -> None:
    luma = drawn_face(width, height, x, y, side)
    before = luma.copy()
    face = HaarFaceFinder().find(luma)[0]
    assert overlaps(face.box, x, y, side), face
    assert face.box.width == face.box.height
    assert face.score > 0
    assert all(type(value) is int for value in face.box)
    assert luma.tolist() == before.tolist()


@pytest.mark.parametrize(("width", "height", "x", "y", "side"), FACES)
def test_yunet_finds_a_drawn_face_where_it_is(
    yunet: YuNetFaceFinder, width: int, height: int, x: int, y: int, side: int
) -> None:
    face = yunet.find(drawn_face(width, height, x, y, side))[0]
    assert overlaps(face.box, x, y, side), face
    assert 0.7 <= face.score <= 1
    assert all(type(value) is int for value in face.box)


@pytest.mark.parametrize("scale", [1, 2.5, 10])
@pytest.mark.parametrize(("x", "y"), [(100, 80), (0, 0), (280, 184)])
def test_our_own_finds_a_face_where_it_is(face_network: Path, scale: float, x: int, y: int) -> None:
    width, height, left, top, side = (round(length * scale) for length in (WIDTH, HEIGHT, x, y, SIDE))
    luma = square(width, height, left, top, side)
    before = luma.copy()
    (face,) = OwnFaceFinder(face_network).find(luma)
    # The toy says the middle of a cell; at an edge, its box is cut to the picture.
    assert np.abs(np.array(face.box) - (left, top, side, side)).max() <= STRIDE * scale
    assert 0.9 <= face.score <= 1
    assert all(type(value) is int for value in face.box)
    assert np.array_equal(luma, before)


def test_the_largest_face_comes_first(face_network: Path) -> None:
    luma = np.hstack([drawn_face(240, 360, 60, 120, 110), drawn_face(400, 360, 100, 60, 200)])
    found = HaarFaceFinder().find(luma)
    assert [overlaps(found[0].box, 340, 60, 200), overlaps(found[1].box, 60, 120, 110)] == [True, True]
    assert len(found) == 2
    # Our toy's boxes are all of one size, but one of these is cut by the edge.
    luma = np.maximum(square(WIDTH, HEIGHT, 0, 80, SIDE // 2), square(WIDTH, HEIGHT, 100, 80, SIDE))
    luma = np.maximum(luma, square(WIDTH, HEIGHT, 0, 60, SIDE))
    found = OwnFaceFinder(face_network).find(luma)
    areas = [face.box.width * face.box.height for face in found]
    assert len(areas) == 2
    assert areas == sorted(areas, reverse=True)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("finder", ["own", "yunet", "haar"])
def test_pictures_of_any_shape_give_well_formed_faces(
    finder: str, shape: tuple[int, int], face_network: Path, request: pytest.FixtureRequest
) -> None:
    finders: FaceFinder = (
        request.getfixturevalue("yunet") if finder == "yunet"
        else HaarFaceFinder() if finder == "haar" else OwnFaceFinder(face_network)
    )  # fmt: skip
    assert finders.find(np.zeros(shape, np.uint8)) == []
    for face in finders.find(np.full(shape, 255, np.uint8)):
        x, y, width, height = face.box
        assert 0 <= x < x + width <= shape[1]
        assert 0 <= y < y + height <= shape[0]


def drawn_scenes(folder: Path) -> list[Path]:
    """Draw scenes of one to three people; return their files."""
    paths = [folder / f"{number:02}.png" for number in range(30)]
    for number, path in enumerate(paths):
        cv2.imwrite(str(path), draw_scene(np.random.default_rng([0, number]), 1 + number % 3))
    return paths


@needs_tflite_runtime
@pytest.mark.parametrize("pictures", ["drawn", "photos"])
def test_both_runtimes_find_the_same_faces(pictures: str, tmp_path: Path) -> None:
    paths = drawn_scenes(tmp_path) if pictures == "drawn" else list(picture_files(real_data("SCENES")[0]))
    found = spread(paths)
    assert len(found.pixels) >= len(paths)
    assert np.quantile(found.pixels, 0.5) <= HALF_WITHIN
    assert np.quantile(found.pixels, 0.95) <= MOST_WITHIN
    assert np.quantile(found.shares, 0.95) <= MOST_SHARE
    assert found.shares.max() <= WORST_SHARE
    assert found.alone <= ONE_ALONE * len(found.pixels)


def test_every_finder_is_named_with_the_hash_of_what_it_knows(face_network: Path) -> None:
    own, cascade = OwnFaceFinder(face_network), open_finder(FaceSettings(finder="haar"))
    assert (own.name, own.sha256) == ("own", hashlib.sha256(face_network.read_bytes()).hexdigest())
    assert (cascade.name, len(cascade.sha256)) == ("haar", 64)


def test_yunet_is_refused_in_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "yunet.onnx"
    found = hashlib.sha256(b"no network").hexdigest()
    settings = FaceSettings("yunet", str(path), found)
    assert refusal(settings) == (
        f"{path}: can't be read (No such file or directory): put YuNet's .onnx there, or set [faces] yunet_path"
    )
    for impossible in ("a\0b", "~\0b"):
        assert "can't be read (" in refusal(FaceSettings("yunet", impossible, found))
    path.write_bytes(b"no network")
    assert refusal(settings).startswith(f"{path}: is no network that OpenCV reads (")
    assert refusal(FaceSettings("yunet", str(path), "0" * 64)) == (
        f"{path}: has SHA-256 {found[:12]}…, [faces] yunet_sha256 says 000000000000…: copy the file again, or correct "
        "the key"
    )
    monkeypatch.setattr(cv2, "__version__", "4.6.0")
    assert refusal(settings) == (
        "OpenCV is 4.6.0, expected 4.8 or later for yunet: put in another, or choose another finder in [faces]"
    )


def test_an_opencv_without_cascades_is_named_in_one_line(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    data = vars(cv2)["data"]
    cascade = Path(data.haarcascades) / haar.CASCADE
    monkeypatch.setattr(data, "haarcascades", str(tmp_path / "absent"))
    monkeypatch.setattr(haar, "SYSTEM_CASCADES", tmp_path)
    assert refusal(FaceSettings("haar")) == (
        f"{haar.CASCADE} is neither in OpenCV {cv2.__version__} nor in {tmp_path}: install opencv-python-headless "
        "below version 5, or the system's package opencv-data"
    )
    (tmp_path / haar.CASCADE).write_bytes(cascade.read_bytes())
    assert len(HaarFaceFinder().find(drawn_face())) == 1
