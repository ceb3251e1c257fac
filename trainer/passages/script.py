"""Turns a seed into the script of a passage: who walks up to the door, where they are when, and what they wear.

Lengths are shares of the picture's height or width, times seconds from the passage's start.
"""

import dataclasses
import itertools
import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from device.visits import POSTER, WITH_MASK, WITHOUT_MASK, TrueVisit

ASPECT = 3 / 4  # height over width of the picture
FACE_ASPECT = 0.78  # width over height of a face
VISIBLE_HEIGHT = 0.12  # a face is well visible from here on, wholly in the picture, lit and not turned away
SWAY = 0.03  # of a face's height: amplitude of each of two swings with which somebody stands
KINDS = ("walks up", "from the side", "turns away", "puts it on", "takes it off", "two at once", "lights go out",
         "far away", "poster")  # fmt: skip


class Place(NamedTuple):
    """Where a face is."""

    x: float  # its middle, share of the picture's width
    y: float  # the same, share of its height
    height: float  # share of the picture's height

    @property
    def inside(self) -> bool:
        """Tell whether all of the face is in the picture."""
        half = self.height * FACE_ASPECT / 2 * ASPECT
        return half <= self.x <= 1 - half and self.height / 2 <= self.y <= 1 - self.height / 2


@dataclass(frozen=True)
class Walk:
    """One person's way, or a poster."""

    path: tuple[tuple[float, Place], ...]  # seconds and places, straight between them
    masked: tuple[tuple[float, bool], ...]  # from when on a mask is worn or not; the first is the way's begin
    away: tuple[tuple[float, float], ...] = ()  # from when until when the face is turned away
    phase: float = 0.0  # of the swaying, radians
    poster: bool = False

    @property
    def enter(self) -> float:
        """Return when the way begins."""
        return self.path[0][0]

    @property
    def leave(self) -> float:
        """Return when it ends."""
        return self.path[-1][0]

    def place(self, now: float) -> Place | None:
        """Return where the face is; None if it isn't there."""
        if not self.enter <= now <= self.leave:
            return None
        (begin, a), (end, b) = next(
            (a, b) for a, b in itertools.pairwise(self.path) if now <= b[0]
        )
        share = (now - begin) / (end - begin)
        x, y, height = (p + share * (q - p) for p, q in zip(a, b, strict=True))
        if self.poster:
            return Place(x, y, height)
        sway = SWAY * height * (math.sin(1.1 * now + self.phase) + math.sin(2.7 * now + 2 * self.phase))
        return Place(x + sway * ASPECT, y + sway / 3, height)

    def wears_mask(self, now: float) -> bool:
        """Tell whether a mask is worn."""
        return next((masked for at, masked in reversed(self.masked) if at <= now), self.masked[0][1])

    def turned(self, now: float) -> bool:
        """Tell whether the face is turned away."""
        return any(begin <= now < end for begin, end in self.away)


@dataclass(frozen=True)
class Passage:
    """What happens before the camera."""

    kind: str  # one of KINDS
    seconds: float
    walks: tuple[Walk, ...]
    dark: tuple[tuple[float, float], ...] = ()  # from when until when the lights are out

    def is_dark(self, now: float) -> bool:
        """Tell whether the lights are out."""
        return any(begin <= now < end for begin, end in self.dark)

    def visits(self) -> list[TrueVisit]:
        """Return the true visits; who stays too far away for a face to be visible is none."""
        return [
            TrueVisit(walk.enter, walk.leave, _answers(walk), visible)
            for walk in self.walks
            if (visible := self._visible(walk)) is not None
        ]

    def _visible(self, walk: Walk) -> float | None:
        for now in np.arange(walk.enter, walk.leave, 0.05).tolist():
            place = walk.place(now)
            seen = place is not None and place.height >= VISIBLE_HEIGHT and place.inside
            if seen and not walk.turned(now) and not self.is_dark(now):
                return float(now)
        return None


def _answers(walk: Walk) -> tuple[str, ...]:
    if walk.poster:
        return (POSTER,)
    return tuple(WITH_MASK if masked else WITHOUT_MASK for _, masked in walk.masked)


def write_passage(rng: np.random.Generator, kind: str, poster_seconds: float = 400.0) -> Passage:
    """Return a passage of one of KINDS. poster_seconds: how long a passage with a poster lasts."""
    begin = float(rng.uniform(1.0, 2.0))
    masked = bool(rng.random() < 0.5)
    stay = float(rng.uniform(3.0, 6.0))
    if kind == "poster":
        spot = Place(float(rng.choice([0.12, 0.88])), float(rng.uniform(0.3, 0.5)), float(rng.uniform(0.14, 0.2)))
        hung = Walk(((0.0, spot), (poster_seconds, spot)), ((0.0, False),), poster=True)
        late = _walk(rng, poster_seconds - stay - 8.0, stay, masked, across=0.5)
        return Passage(kind, poster_seconds, (hung, late))
    if kind == "far away":
        far = [Place(x, 0.4, float(rng.uniform(0.03, 0.05))) for x in (0.1, 0.9)]
        return Passage(kind, begin + 9, (Walk(((begin, far[0]), (begin + 6, far[1])), ((begin, masked),)),))
    if kind == "two at once":
        walks = (
            _walk(rng, begin, stay, masked, across=0.28),
            _walk(rng, begin + float(rng.uniform(0, 2)), stay, bool(rng.random() < 0.5), across=0.72),
        )
        return Passage(kind, max(walk.leave for walk in walks) + 4.0, walks)
    changing = kind in {"puts it on", "takes it off"}
    walk = _walk(rng, begin, stay + 3.0 if changing else stay, masked, float(rng.uniform(0.35, 0.65)),
                 aside=kind == "from the side")  # fmt: skip
    arrived, left = walk.path[1][0], walk.path[2][0]
    halfway = (arrived + left) / 2
    on, for_a_moment = kind == "puts it on", ((halfway, halfway + float(rng.uniform(0.8, 1.8))),)
    walk = dataclasses.replace(
        walk,
        masked=((walk.enter, not on), (halfway, on)) if changing else walk.masked,
        away=for_a_moment if kind == "turns away" else (),
    )
    return Passage(kind, walk.leave + 4.0, (walk,), dark=for_a_moment if kind == "lights go out" else ())


def _walk(
    rng: np.random.Generator, begin: float, stay: float, masked: bool, across: float, aside: bool = False
) -> Walk:
    """Return the way of somebody who comes from afar or from the side, stands, and goes out at a side."""
    height, y = float(rng.uniform(0.22, 0.42)), float(rng.uniform(0.4, 0.55))
    coming, going = float(rng.uniform(1.2, 2.5)), float(rng.uniform(0.8, 1.5))
    out = float(rng.choice([-0.25, 1.25]))
    start = Place(out, y, height) if aside else Place(across + float(rng.uniform(-0.1, 0.1)), y - 0.08, 0.05)
    there = Place(across, y, height)
    path = (
        (begin, start), (begin + coming, there), (begin + coming + stay, there),
        (begin + coming + stay + going, Place(-0.25 if across < 0.5 else 1.25, y, height)),
    )  # fmt: skip
    return Walk(path, ((begin, masked),), phase=float(rng.uniform(0, 2 * math.pi)))
