"""Feeds the decision with boxes and scores drawn from the noise model: a thousand visits, and a day of nobody."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from device.classifier import Verdict
from device.compare_visits import Tally
from device.decision import Decision
from device.events import Event, Kind, State
from device.levels import Levels
from device.settings import DecisionSettings
from device.visits import gather
from trainer.passages.noise import FRAMES_PER_SECOND, GHOST_FRAMES, GHOSTS_AN_HOUR, Noise, Seen, verdict_of
from trainer.passages.script import KINDS, Passage, Place, write_passage

LEVELS = Levels(threshold=0.67, release=0.5)  # alarm scores, as the shipped door's; a test keeps them near its card's
POSTERS = 1 / 250  # share of the passages that have one: each takes minutes
WITHOUT_POSTER = tuple(kind for kind in KINDS if kind != "poster")
# By the person of a passage whom the classifier knows least.
CAUSES = ("the classifier knows everybody", "it can't tell somebody", "it takes somebody for the other kind")
EMPTY_HOURS = 24
EMPTY_FRAMES = 10  # of an empty door, of which one is looked at while nothing is found: the others change nothing


@dataclass(frozen=True)
class Emptiness:
    """What was told at an empty door."""

    ghosts: int
    visits: int
    alarms: int


def simulate(noise: Noise, visits: int = 1000, seed: int = 0, causes: bool = False) -> dict[str, Tally]:
    """Return the tally of each kind of passage, of so many visits in all or one more; causes: of each of CAUSES."""
    tallies = {name: Tally() for name in (CAUSES if causes else KINDS)}
    number = 0
    while sum(tally.visits for tally in tallies.values()) < visits:
        rng = np.random.default_rng([seed, number])
        kind = "poster" if number % round(1 / POSTERS) == 0 else WITHOUT_POSTER[number % len(WITHOUT_POSTER)]
        passage = write_passage(rng, kind)
        people = [Seen(rng, noise, walk) for walk in passage.walks]
        name = CAUSES[max(person.confusion(LEVELS) for person in people)] if causes else kind
        tallies[name].count(gather(live(people, passage), passage.seconds), passage.visits())
        number += 1
    return tallies


def live(people: Sequence[Seen], passage: Passage) -> list[Event]:
    """Return the events of a passage."""
    decision = Decision(DecisionSettings(), LEVELS)
    events = list[Event]()
    for frame in range(round(passage.seconds * FRAMES_PER_SECOND)):
        now = frame / FRAMES_PER_SECOND
        verdicts = [verdict for person in people if (verdict := person.verdict(passage, now))]
        events += decision.update(now, verdicts)[1]
    return events


def live_alone(seed: int = 0) -> Emptiness:
    """Return what was told in EMPTY_HOURS at a door at which ghosts are all that is found."""
    rng = np.random.default_rng([seed, 24])
    decision, visits, alarms, ghosts = Decision(DecisionSettings(), LEVELS), 0, 0, 0
    for now, verdicts in _ghosts(rng, round(EMPTY_HOURS * 3600 * FRAMES_PER_SECOND)):
        ghosts += len(verdicts) > 0
        alert, events = decision.update(now, verdicts)
        visits += sum(event.kind is Kind.ENTER for event in events)
        alarms += alert is not None and alert.state is State.ALARM
    return Emptiness(ghosts, visits, alarms)


def _ghosts(rng: np.random.Generator, frames: int) -> Iterator[tuple[float, Sequence[Verdict]]]:
    """Yield each frame's time and ghosts, at most one at a time."""
    place, lasts, found = Place(0.5, 0.5, 0.1), 0, 0
    chance = GHOSTS_AN_HOUR / 3600 / FRAMES_PER_SECOND
    begins = rng.random(frames) < chance
    for frame, begin in enumerate(begins.tolist()):
        if begin:
            place = Place(*rng.uniform((0.1, 0.1, 0.08), (0.9, 0.9, 0.3)).tolist())
            lasts = int(rng.geometric(1 / GHOST_FRAMES))
        verdict = verdict_of(place, float(rng.logistic(0, 1.5))) if lasts else None
        lasts = max(0, lasts - 1)
        if verdict:
            found = frame
        if verdict or frame - found < FRAMES_PER_SECOND or frame % EMPTY_FRAMES == 0:
            yield frame / FRAMES_PER_SECOND, [verdict] if verdict else []
