"""Runs drawn passages, and clips that were described in words, through the kiosk's loop."""

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from device.classifier import Classifier
from device.compare_visits import Tally
from device.faces import FaceFinder
from device.replay import Replay, replay, require_recordings
from device.settings import Settings
from device.visits import read_visits
from trainer.passages.draw import TABLE
from trainer.passages.script import KINDS, Passage, write_passage
from trainer.photos import PhotosError, read_rows

# A poster is background after minutes, which would be drawn for nothing: in recordings it is after the fewest seconds.
POSTER_SECONDS, BACKGROUND_SECONDS = 36.0, 20.0
DESCRIBED = "videos.csv"


def passages_of(count: int, seed: int) -> list[Passage]:
    """Return so many passages, the kinds in turn."""
    return [
        write_passage(np.random.default_rng([seed, number]), KINDS[number % len(KINDS)], POSTER_SECONDS)
        for number in range(count)
    ]


def play(
    passages: Sequence[Passage], videos: Sequence[Path], folder: Path, classifier: Classifier, finder: FaceFinder
) -> dict[str, Tally]:
    """Run the recordings and compare them with their table; return the tally of each kind of passage."""
    tallies = {kind: Tally() for kind in KINDS}
    true = read_visits(folder / TABLE)
    settings = Settings()
    quick = dataclasses.replace(settings.decision, background_seconds=BACKGROUND_SECONDS)
    short = dataclasses.replace(settings, decision=quick)
    for passage, video in zip(passages, videos, strict=True):
        played = replay(video, finder, classifier, short if passage.kind == "poster" else settings)
        tallies[passage.kind].count(played.visits, true[video.name])
    return tallies


def read_clips(folder: Path) -> dict[str, str]:
    """Read what is seen in each clip of a folder, by its name, from the table `videos.csv` (file,when; others may be).

    Raises PhotosError for a table that can't be used, CameraError for a clip that can't be played.
    """
    table = folder / DESCRIBED
    try:
        seen = {row["file"]: row["when"] for row in read_rows(table, ("file", "when"))}
    except OSError as error:
        raise PhotosError(f"{table}: can't be read ({error.strerror}), expected a table: check --clips") from error
    require_recordings(folder / name for name in seen)
    return seen


def play_clips(folder: Path, seen: Mapping[str, str], classifier: Classifier, finder: FaceFinder) -> dict[str, Replay]:
    """Run those clips of a folder; return what happened in each, by its name in the table."""
    return {name: replay(folder / name, finder, classifier, Settings()) for name in sorted(seen)}
