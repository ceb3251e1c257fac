"""The film of the kiosk's page: the drawn visit leads through every state, and docs/kiosk.webp shows them in order."""

import itertools
import re
from pathlib import Path

import numpy as np
from film import FILM, write_visit
from PIL import Image, ImageSequence

from device.classifier import Classifier
from device.finders import OwnFaceFinder
from device.replay import replay
from device.settings import Settings
from device.web.languages import PAGE

MOST_BYTES, MOST_SECONDS = 400_000, 10.0
LOOKS = ["IDLE", "CHECKING", "ALARM", "CLEAR", "IDLE"]


def test_the_drawn_visit_is_told_as_it_is(tmp_path: Path) -> None:
    played = replay(write_visit(tmp_path / "visit"), OwnFaceFinder(), Classifier("door"), Settings())

    assert [str(alert.state) for alert in played.alerts] == LOOKS[1:]
    assert [visit.answers for visit in played.visits] == [("without_mask", "with_mask")]


def test_the_film_shows_it() -> None:
    film = Image.open(FILM)
    corners, milliseconds = [], 0
    for frame in ImageSequence.Iterator(film):
        corners.append(np.asarray(frame.convert("RGB"))[:8, :8].reshape(-1, 3).mean(axis=0))
        milliseconds += frame.info["duration"]
    papers = _papers()
    shown = [min(papers, key=lambda look: float(np.abs(papers[look] - corner).max())) for corner in corners]

    assert [look for look, _ in itertools.groupby(shown)] == LOOKS, "run make film"
    assert max(np.abs(papers[look] - corner).max() for look, corner in zip(shown, corners, strict=True)) < 8
    assert FILM.stat().st_size <= MOST_BYTES
    assert 0 < milliseconds / 1000 <= MOST_SECONDS


def _papers() -> dict[str, np.ndarray]:
    """Return the colour, RGB 0-255, that the page has by day in each look."""
    day = (PAGE / "static" / "screen.css").read_text().partition("@media")[0]
    found = re.findall(r'(?::root|\[data-look="([A-Z]+)"\]) \{ --paper: #([0-9a-f]{6})', day)
    return {look or "IDLE": np.array(list(bytes.fromhex(paper)), float) for look, paper in found}
