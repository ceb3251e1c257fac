"""What the face network is asked for is what the device reads from its answer, and nothing else costs anything."""

from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
import pytest
from perfect_answer import perfect_answer

from device.heatmap import CHANNELS, COLUMNS, HEIGHT, ROWS, WIDTH, Floats, decode
from trainer.finder.network import TARGETS, finder, finder_loss, target
from trainer.training import set_threads

set_threads(2)  # the default of `faces`, and only possible before TensorFlow's first operation

Four = tuple[float, float, float, float]
NOTHING = np.empty((0, 4), np.float32)
HIDES = 0.9  # intersection over union; above it, two boxes are one face's
TINY = 0.01  # px: what float32 leaves


def boxes_of(*boxes: Four) -> Floats:
    return np.array(boxes, np.float32).reshape(-1, 4)


def read_back(boxes: Floats, columns: int = COLUMNS, rows: int = ROWS) -> Floats:
    """What the device reads from the perfect answer for these boxes, from left to right."""
    heatmap = perfect_answer(target(boxes, NOTHING, columns, rows))
    assert heatmap.min() >= 0
    assert heatmap.max() <= 1
    found = decode(heatmap, 0.99, HIDES)
    assert [score for _, score in found] == [1.0] * len(found)
    return boxes_of(*sorted(box for box, _ in found))


@pytest.mark.parametrize("height", [12, 17, 24, 40, 63, 96, 128, 190])
def test_a_face_of_any_size_is_read_where_it_is_asked_for(height: int) -> None:
    rng = np.random.default_rng(height)
    for _ in range(40):
        sides = np.array([height * rng.uniform(0.7, 0.95), height])
        box = np.concatenate([rng.uniform(0, 1, 2) * ((WIDTH, HEIGHT) - sides), sides]).astype(np.float32)
        assert read_back(box[np.newaxis]) == pytest.approx(box[np.newaxis], abs=TINY)


@pytest.mark.parametrize(
    "boxes",
    [
        pytest.param([], id="none"),
        pytest.param([(0, 0, 12, 12), (0, 180, 12, 12), (244, 0, 12, 12), (244, 180, 12, 12)], id="small in corners"),
        pytest.param([(0, 60, 10, 40), (60, 0, 40, 12), (60, 172, 40, 20), (240, 60, 16, 40)], id="cut by the edges"),
        pytest.param([(0, 0, 150, 190), (156, 2, 100, 190)], id="large, side by side"),
        pytest.param([(20, 20, 14, 18), (36, 22, 14, 18), (52, 20, 14, 18), (52, 40, 14, 18)], id="small in a row"),
        pytest.param([(60, 10, 130, 170), (100, 130, 24, 30)], id="a smaller before a larger"),
        pytest.param([(60, 10, 130, 170), (70, 20, 12, 14), (90, 20, 60, 80), (160, 150, 20, 24)], id="a crowd"),
        pytest.param([(64, 64, 40, 48), (72, 104, 12, 16), (80, 64, 8, 12)], id="middles on the cells' borders"),
    ],
)
def test_faces_anywhere_are_read_where_they_are_asked_for(boxes: list[Four]) -> None:
    expected = boxes_of(*boxes)
    expected = expected[np.lexsort(expected.T[::-1])]

    for order in (expected, expected[::-1]):
        assert read_back(order) == pytest.approx(expected, abs=TINY)


@pytest.mark.parametrize(("width", "height"), [(160, 128), (224, 160)])
def test_smaller_canvases_are_read_alike(width: int, height: int) -> None:
    boxes = boxes_of((2, 3, 14, 18), (width - 60, height - 70, 60, 70))

    assert read_back(boxes, width // 8, height // 8) == pytest.approx(boxes, abs=TINY)


def test_of_two_faces_in_one_cell_the_smaller_has_it() -> None:
    smaller, larger = (96, 92, 10, 12), (1, 2, 200, 188)

    assert read_back(boxes_of(smaller, larger)) == pytest.approx(boxes_of(smaller), abs=TINY)


def loss(wanted: Floats, said: Floats) -> float:
    return float(finder_loss(wanted[np.newaxis], said[np.newaxis].astype(np.float32)))


def test_nothing_that_is_said_where_it_is_ignored_costs_anything() -> None:
    faces, ignored = boxes_of((40, 40, 40, 48)), boxes_of((120, 100, 50, 60), (200, 10, 9, 11))
    wanted, without = target(faces, ignored, COLUMNS, ROWS), target(faces, NOTHING, COLUMNS, ROWS)
    said = perfect_answer(wanted)
    noisy = said.copy()
    rng = np.random.default_rng(0)
    for x, y, width, height in ignored.astype(int):
        inside = np.s_[(y + 4) // 8 : (y + height + 4) // 8, (x + 4) // 8 : (x + width + 4) // 8]
        noisy[inside] = rng.uniform(0, 1, noisy[inside].shape)
    assert (noisy[..., 0] - said[..., 0]).max() > 0.9

    assert loss(wanted, noisy) == loss(wanted, said) == loss(without, said)
    assert loss(without, noisy) > loss(without, said) + 0.1


def test_a_face_that_counts_is_asked_for_within_what_is_ignored() -> None:
    faces = boxes_of((40, 40, 40, 48))
    wanted = target(faces, boxes_of((20, 20, 100, 100)), COLUMNS, ROWS)
    said = perfect_answer(wanted)
    silent = said.copy()
    silent[..., 0] = 0

    assert loss(wanted, silent) > loss(wanted, said) + 1


def moved(said: Floats) -> Floats:
    said[..., 1] += 0.1
    return said


def larger(said: Floats) -> Floats:
    said[..., 3:] += 0.1
    return said


def unsure(said: Floats) -> Floats:
    said[said[..., 0] == 1, 0] = 0.5
    return said


def imagined(said: Floats) -> Floats:
    said[20, 28, 0] = 0.5
    return said


@pytest.mark.parametrize("spoil", [moved, larger, unsure, imagined])
def test_a_perfect_answer_costs_least(spoil: Callable[[Floats], Floats]) -> None:
    wanted = target(boxes_of((40, 40, 40, 48), (120, 50, 100, 120)), NOTHING, COLUMNS, ROWS)
    said = perfect_answer(wanted)

    assert 0 <= loss(wanted, said) < 0.3
    assert loss(wanted, spoil(said.copy())) > loss(wanted, said) + 0.05


def test_an_empty_picture_costs_nothing_when_nothing_is_said() -> None:
    wanted = target(NOTHING, NOTHING, COLUMNS, ROWS)

    assert wanted.shape == (ROWS, COLUMNS, TARGETS)
    assert loss(wanted, np.zeros((ROWS, COLUMNS, CHANNELS), np.float32)) == pytest.approx(0, abs=1e-6)
    assert loss(wanted, np.full((ROWS, COLUMNS, CHANNELS), 0.5, np.float32)) > 10


def test_the_network_is_as_large_as_it_says_and_a_saved_one_loads_again(tmp_path: Path) -> None:
    network = finder()
    network.compile(keras.optimizers.AdamW(1e-3), finder_loss)
    luma = np.random.default_rng(0).uniform(0, 255, (2, 96, 128, 1)).astype(np.float32)
    network.optimizer.build(network.trainable_variables)
    network.save(tmp_path / "faces.keras")

    again = keras.saving.load_model(tmp_path / "faces.keras")

    answer = np.asarray(network(luma))
    assert network.count_params() == 314_309
    assert answer.shape == (2, 12, 16, CHANNELS)
    assert 0 <= answer.min() <= answer.max() <= 1
    assert np.array_equal(again(luma), answer)
    assert again.loss is finder_loss
    assert again(np.zeros((1, HEIGHT, WIDTH, 1), np.float32)).shape == (1, ROWS, COLUMNS, CHANNELS)
