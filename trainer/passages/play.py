"""Runs drawn passages, and clips that were described in words, through the kiosk's loop."""

import csv
import dataclasses
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from device.classifier import Classifier
from device.compare_visits import Tally
from device.errors import KioskError
from device.faces import FaceFinder
from device.replay import Replay, replay
from device.settings import Settings
from device.visits import read_visits
from trainer.passages.draw import TABLE
from trainer.passages.script import KINDS, Passage, write_passage

# A poster is background after minutes, which would be drawn for nothing: in recordings it is after the fewest seconds.
POSTER_SECONDS, BACKGROUND_SECONDS = 36.0, 20.0
DESCRIBED = "videos.csv"


def passages_of(count: int, seed: int) -> list[Passage]:
    """Return so many passages, the kinds in turn."""
    return [
        write_passage(np.random.default_rng([seed, number]), KINDS[number % len(KINDS)], POSTER_SECONDS)
        for number in range(count)
    ]


def play(passages: Sequence[Passage], videos: Sequence[Path], folder: Path, classifier: Classifier, finder: FaceFinder,
         settings: Settings) -> dict[str, Tally]:
    """Run the recordings and compare them with their table; return the tally of each kind of passage."""
    tallies = {kind: Tally() for kind in KINDS}
    true = read_visits(folder / TABLE)
    for passage, video in zip(passages, videos, strict=True):
        quick = dataclasses.replace(settings.decision, background_seconds=BACKGROUND_SECONDS)
        short = dataclasses.replace(settings, decision=quick)
        played = replay(video, finder, classifier, short if passage.kind == "poster" else settings)
        tallies[passage.kind].count(played.visits, true[video.name])
    return tallies


def play_clips(folder: Path, classifier: Classifier, finder: FaceFinder,
               settings: Settings) -> tuple[list[Replay], dict[str, str]]:
    """Run the clips that a table `file,what,when` describes; return what happened, and what is seen in each."""
    table = folder / DESCRIBED
    try:
        with table.open(newline="", encoding="utf-8") as file:
            seen = {row["file"]: row["when"] for row in csv.DictReader(file)}
    except (OSError, KeyError) as error:
        raise KioskError(f"{table}: can't be used ({error}), expected columns file and when: check --clips") from error
    return [replay(folder / name, finder, classifier, settings) for name in sorted(seen)], seen
