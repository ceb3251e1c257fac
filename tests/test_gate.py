"""An empty scene is searched seldom, and whoever steps into it is searched for in the very first frame."""

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from device.cameras.view import turned_and_cropped
from device.faces import Box, Face, Luma
from device.gate import SEARCH_SECONDS, Gate
from device.settings import CameraSettings
from trainer.practice import draw_background, draw_face

FRAME_SECONDS = 0.1
# Height of the face, share of the picture's; its contrast, share of the drawn one's; noise, grey levels a pixel.
VISITS = [
    (height, contrast, noise) for height in (1 / 12, 1 / 8, 1 / 4) for contrast, noise in ((1, 8), (0.5, 4), (0.25, 2))
]
Scene = npt.NDArray[np.float32]  # (height, width), grey levels


class Searches:
    """A finder that keeps what it was shown; it finds nothing, or whatever it is given to find."""

    name, sha256 = "searches", ""

    def __init__(self) -> None:
        self.shown: list[Luma] = []
        self.faces: list[Face] = []

    def find(self, luma: Luma) -> list[Face]:
        self.shown.append(luma)
        return self.faces


def empty_scene(seed: int, width: int = 640, height: int = 480) -> Scene:
    scene = draw_background(np.random.default_rng(seed), width, height)
    return np.asarray(cv2.cvtColor(scene, cv2.COLOR_BGR2GRAY) * np.float32(200) + 20, np.float32)


def taken(rng: np.random.Generator, scene: Scene, noise: float) -> Luma:
    """Return what a sensor with this noise makes of a scene."""
    return np.clip(scene + noise * rng.standard_normal(scene.shape, np.float32) + 0.5, 0, 255).astype(np.uint8)


def with_face(rng: np.random.Generator, scene: Scene, share: float, contrast: float) -> Scene:
    """Return a scene with a drawn face somewhere, on the average as bright as what it hides: the hardest to notice."""
    picture, box = draw_face(rng, masked=bool(rng.integers(2)))
    face = cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY)[box.y : box.y + box.height, box.x : box.x + box.width]
    height = round(scene.shape[0] * share)
    width = round(height * box.width / box.height)
    face = cv2.resize(face, (width, height), interpolation=cv2.INTER_AREA).astype(np.float32)
    oval = cv2.ellipse(np.zeros((height, width), np.uint8), (width // 2, height // 2), (width // 2, height // 2),
                       0, 0, 360, 1, cv2.FILLED) > 0  # fmt: skip
    y, x = (int(rng.integers(0, whole - side)) for whole, side in zip(scene.shape, face.shape, strict=True))
    visited = scene.copy()
    hidden = visited[y : y + height, x : x + width]
    hidden[oval] = hidden.mean() + (face[oval] - face[oval].mean()) * contrast
    return visited


@pytest.mark.parametrize(("share", "contrast", "noise"), VISITS)
def test_a_face_is_searched_for_in_its_first_frame(share: float, contrast: float, noise: float) -> None:
    rng = np.random.default_rng(1)
    for seed in range(12):
        scene, finder = empty_scene(seed), Searches()
        gate = Gate(finder)
        gate.find(taken(rng, scene, noise), 0.0)
        entered = taken(rng, with_face(rng, scene, share, contrast), noise)
        gate.find(entered, FRAME_SECONDS)
        assert finder.shown[-1] is entered, seed


@pytest.mark.parametrize("noise", [0, 2, 5, 8])
def test_an_empty_noisy_scene_is_searched_once_in_a_while(noise: float) -> None:
    rng = np.random.default_rng(2)
    for seed in range(4):
        scene, finder = empty_scene(seed), Searches()
        gate = Gate(finder)
        times = np.arange(0, 3.95, FRAME_SECONDS)
        assert [gate.find(taken(rng, scene, noise), float(now)) for now in times] == [[]] * 40
        assert len(finder.shown) == 4, seed  # at 0, 1, 2 and 3 s


@pytest.mark.parametrize("view", [
    CameraSettings(rotation=90), CameraSettings(rotation=180, mirror=True), CameraSettings(crop=(0.25, 0.0, 0.5, 1.0)),
    CameraSettings(rotation=270, crop=(0.0, 0.25, 1.0, 0.5)),
])  # fmt: skip
def test_it_goes_by_the_picture_that_is_turned_and_cropped(view: CameraSettings) -> None:
    rng = np.random.default_rng(5)
    for seed in range(8):
        scene, finder = seen_scene(empty_scene(seed), view), Searches()
        gate = Gate(finder)
        for now in (0.0, 0.1, 0.2):
            gate.find(taken(rng, scene, 4), now)
        assert len(finder.shown) == 1, seed
        entered = taken(rng, with_face(rng, scene, 1 / 8, 0.5), 4)
        gate.find(entered, 0.3)
        assert finder.shown[-1] is entered, seed


def seen_scene(scene: Scene, view: CameraSettings) -> Scene:
    return turned_and_cropped(scene.round().astype(np.uint8), view).astype(np.float32)


def test_while_a_face_is_there_and_for_a_moment_after_it_every_frame_is_searched() -> None:
    finder, luma = Searches(), np.full((480, 640), 90, np.uint8)
    finder.faces = [Face(Box(10, 10, 50, 50), 0.9)]
    gate = Gate(finder)
    assert [gate.find(luma, place / 8) for place in range(5)] == [finder.faces] * 5
    finder.faces = []  # the finder may miss who stands there
    assert [gate.find(luma, 0.5 + place / 8) for place in range(1, 25)] == [[]] * 24
    assert len(finder.shown) == 5 + 16 + 1  # for FOUND_SECONDS, and a second after that


def test_slow_changes_add_up() -> None:
    rng, finder = np.random.default_rng(3), Searches()
    scene = empty_scene(0)
    visited = with_face(rng, scene, 1 / 4, 1.0)
    gate = Gate(finder)
    for step in range(20):  # appears within a fifth of a second
        gate.find(taken(rng, scene + (visited - scene) * np.float32(step / 100), 2), step * FRAME_SECONDS / 10)
    assert len(finder.shown) >= 3


def test_light_that_changes_everywhere_is_no_noise() -> None:
    rng, finder, scene = np.random.default_rng(4), Searches(), empty_scene(0)
    gate = Gate(finder)
    gate.find(taken(rng, scene, 2), 0.0)
    gate.find(taken(rng, scene + 4, 2), FRAME_SECONDS)
    assert len(finder.shown) == 2


@pytest.mark.parametrize("shape", [(1, 1), (16, 4000), (6000, 8000)])
def test_a_frame_of_any_shape_passes(shape: tuple[int, int]) -> None:
    finder = Searches()
    gate = Gate(finder)
    for now in (0.0, FRAME_SECONDS, SEARCH_SECONDS):
        assert gate.find(np.full(shape, 90, np.uint8), now) == []
    assert len(finder.shown) == 2
