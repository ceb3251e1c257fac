"""docs/network.md says of the layers what the networks are, and its plots are drawn from the shipped models."""

import shutil
from pathlib import Path

import cv2
import numpy as np
from places import TREE

from device.classifier import MODELS
from trainer.network_page import SEEN_AFTER, maps_of, update
from trainer.training import set_threads

PAGE = TREE / "docs" / "network.md"


def test_the_page_is_made_again_from_the_models(tmp_path: Path) -> None:
    page = tmp_path / PAGE.name
    shutil.copy2(PAGE, page)
    set_threads(2)  # the trainer's default: a later test that trains in this process can't set it any more

    written = update(page, MODELS)

    assert page.read_text() == PAGE.read_text(), "run python -m trainer network-page"
    assert {path.name for path in written} == {path.name for path in PAGE.parent.glob("network*")}
    drawn, shipped = (cv2.imread(str(folder / "network-layers.webp")) for folder in (tmp_path, PAGE.parent))
    assert drawn is not None
    assert shipped is not None
    assert drawn.shape == shipped.shape
    assert drawn.std() > 30  # grey levels: maps, and not one empty sheet


def test_the_maps_of_the_plot_are_the_networks() -> None:
    for name, size, shapes in (("simple", 100, [98, 47, 23]), ("door", 80, [40, 20, 10])):
        maps = maps_of(MODELS / f"{name}.tflite", np.zeros((size, size), np.uint8))
        assert [maps[number].shape[0] for number in SEEN_AFTER[name]] == shapes
