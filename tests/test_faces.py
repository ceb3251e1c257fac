from pathlib import Path

import cv2
import numpy as np
import pytest
from footprint import drawn_face

from device import faces
from device.errors import ModelError
from device.faces import Box, HaarFaceFinder

# The cascade cuts a face from the brows to the chin; the drawn head is 0.84 wide and 1.12 high.
PLACE_TOLERANCE, SIZE_TOLERANCE = 0.2, 0.3  # shares of the face's side


def overlaps(box: Box, x: int, y: int, side: int) -> bool:
    center_x, center_y = box.x + box.width / 2, box.y + box.height / 2
    return (
        abs(center_x - x - side / 2) < PLACE_TOLERANCE * side
        and abs(center_y - y - side / 2) < PLACE_TOLERANCE * side
        and abs(box.width / side - 1) < SIZE_TOLERANCE
        and box.width == box.height
    )


@pytest.mark.parametrize(
    ("width", "height", "x", "y", "side"),
    [(320, 240, 110, 60, 100), (640, 480, 220, 120, 200), (640, 480, 50, 60, 120), (480, 640, 200, 300, 180)],
)
def test_a_drawn_face_is_found_where_it_is(width: int, height: int, x: int, y: int, side: int) -> None:
    luma = drawn_face(width, height, x, y, side)
    before = luma.copy()
    face = HaarFaceFinder().find(luma)[0]
    assert overlaps(face.box, x, y, side), face
    assert face.score > 0
    assert all(type(value) is int for value in face.box)
    assert luma.tolist() == before.tolist()


def test_the_largest_face_comes_first() -> None:
    luma = np.hstack([drawn_face(240, 360, 60, 120, 110), drawn_face(400, 360, 100, 60, 200)])
    found = HaarFaceFinder().find(luma)
    assert [overlaps(found[0].box, 340, 60, 200), overlaps(found[1].box, 60, 120, 110)] == [True, True]
    assert len(found) == 2


@pytest.mark.parametrize("shape", [(480, 640), (16, 16), (16, 4000), (1, 1)])
def test_nothing_is_found_where_nothing_is(shape: tuple[int, int]) -> None:
    assert HaarFaceFinder().find(np.full(shape, 128, np.uint8)) == []


def test_an_opencv_without_cascades_is_named_in_one_line(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    data = vars(cv2)["data"]
    cascade = Path(data.haarcascades) / faces.CASCADE
    monkeypatch.setattr(data, "haarcascades", str(tmp_path / "absent"))
    monkeypatch.setattr(faces, "SYSTEM_CASCADES", tmp_path)
    with pytest.raises(ModelError) as error:
        HaarFaceFinder()
    assert str(error.value) == (
        f"{faces.CASCADE} is neither in OpenCV {cv2.__version__} nor in {tmp_path}: install opencv-python-headless "
        "below version 5, or the system's package opencv-data"
    )
    (tmp_path / faces.CASCADE).write_bytes(cascade.read_bytes())
    assert len(HaarFaceFinder().find(drawn_face())) == 1
