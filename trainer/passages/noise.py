"""What finder and classifier make of a face that stands before them, as a few numbers: the noise of scripted passages.

- Misses come in runs: a Markov chain with the chance that a face found is missed in the next frame, and that one missed
  is found again.
- A found box is off by normal errors of its middle and height, new in each frame.
- A person in a mask, and one without, has a mean logit of the alarm score of their own, drawn from those measured;
  about it the frames' logits waver as a first-order autoregression.
- Ghosts: Poisson in time, anywhere, of a geometric number of frames, each with a score of its own.

All but the ghosts are measured on drawn people and kept in noise.json; ghosts are assumed.
"""

import json
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np

from device.classifier import Verdict
from device.disk import write_whole
from device.faces import Box
from device.levels import Levels
from device.look import FULL_SHARPNESS, Look
from device.visits import VisitsError
from trainer.passages.script import ASPECT, FACE_ASPECT, Passage, Place, Walk

NOISE = Path(__file__).parent / "noise.json"
FRAMES_PER_SECOND = 10.0  # of the measurement and of the passages: the chances are those of one frame
WIDTH, HEIGHT = 480, 360  # px
GHOSTS_AN_HOUR, GHOST_FRAMES = 60.0, 2.0  # assumed: how many begin, and how many frames each lasts in the mean
DONNING_SECONDS = 1.0  # hands and mask are before the face: any score may come


@dataclass(frozen=True)
class Noise:
    """The numbers."""

    model: str  # SHA-256 of the classifier they were measured with
    finder: str  # SHA-256 of the finder
    people: int  # drawn, each with and without a mask
    frames: int  # of each
    lost: float  # chance that a face that was found isn't in the next frame
    found: float  # chance that one that wasn't found is in the next frame
    middle: float  # standard deviation of the box's middle, share of its height, each way
    height: float  # the same of its height
    masked: tuple[float, ...]  # each person's mean logit of the alarm score, in a mask
    bare: tuple[float, ...]  # without one
    spread: float  # standard deviation of a frame's logit about its person's mean
    memory: float  # correlation of one frame's with the next

    def known(self, levels: Levels) -> "Noise":
        """Return the numbers without the people whom the classifier takes for the other kind, or can't tell.

        Whatever is decided from such scores stays wrong: what is left measures the following and the deciding.
        """
        return replace(
            self, masked=tuple(mean for mean in self.masked if mean < _logit(levels.release)),
            bare=tuple(mean for mean in self.bare if mean >= _logit(levels.threshold)),
        )  # fmt: skip


def _logit(score: float) -> float:
    return float(np.log(score / (1 - score)))


def read_noise(path: Path = NOISE) -> Noise:
    """Read the numbers. Raises VisitsError."""
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
        return Noise(**values | {name: tuple(values[name]) for name in ("masked", "bare")})
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise VisitsError(f"{path}: can't be used ({error}): run `python -m trainer passages --measure`") from error


def write_noise(noise: Noise, path: Path = NOISE) -> str:
    """Write the numbers, rounded to what they are known to; return what became of the file, in a line."""
    done = "replaced" if path.exists() else "made"
    rounded = {
        name: [round(item, 3) for item in value] if isinstance(value, tuple) else
        round(value, 4) if isinstance(value, float) else value
        for name, value in asdict(noise).items()
    }  # fmt: skip
    write_whole(path, (json.dumps(rounded) + "\n").encode())
    return f"{path} {done}: the noise of {noise.people} drawn people, judged by the model {noise.model[:12]}…"


class Seen:
    """What finder and classifier say of one walk, frame after frame."""

    def __init__(self, rng: np.random.Generator, noise: Noise, walk: Walk) -> None:
        """Give the person their mean scores."""
        self._rng, self._noise, self._walk = rng, noise, walk
        self._means = {True: float(rng.choice(noise.masked)), False: float(rng.choice(noise.bare))}
        self._found, self._wave = True, float(rng.normal())

    def confusion(self, levels: Levels) -> int:
        """Return 0 if the person's mean scores are right, 1 if one of them is between the levels, 2 if one is wrong."""
        low, high = _logit(levels.release), _logit(levels.threshold)
        if self._walk.poster:
            return 0
        means = [(masked, self._means[masked]) for masked in {masked for _, masked in self._walk.masked}]
        return max((mean >= low) + (mean >= high) if masked else (mean < high) + (mean < low) for masked, mean in means)

    def verdict(self, passage: Passage, now: float) -> Verdict | None:
        """Return the verdict of the frame at `now`, in seconds; None if no face is found."""
        rng, noise, place = self._rng, self._noise, self._walk.place(now)
        self._found = bool(rng.random() >= noise.lost if self._found else rng.random() < noise.found)
        self._wave = noise.memory * self._wave + float(np.sqrt(1 - noise.memory**2) * rng.normal())
        if place is None or not self._found or self._walk.turned(now) or passage.is_dark(now):
            return None
        logit = self._means[self._walk.wears_mask(now)] + noise.spread * self._wave
        changes = [at for at, _ in self._walk.masked[1:]]
        if any(abs(now - at) < DONNING_SECONDS / 2 for at in changes):
            logit = float(rng.uniform(-4, 4))
        x, y, taller = (rng.normal(0, 1, 3) * (noise.middle, noise.middle, noise.height)).tolist()
        height = place.height * (1 + taller)
        return verdict_of(Place(place.x + x * height * ASPECT, place.y + y * height, height), logit)


def verdict_of(place: Place, logit: float) -> Verdict | None:
    """Return a verdict on a face, cut to the picture; None if less than half of it is inside."""
    high, wide = place.height * HEIGHT, place.height * HEIGHT * FACE_ASPECT
    left, top = place.x * WIDTH - wide / 2, place.y * HEIGHT - high / 2
    x0, y0, x1, y1 = (round(v) for v in (max(0, left), max(0, top), min(WIDTH, left + wide), min(HEIGHT, top + high)))
    if x1 - x0 < wide / 2 or y1 - y0 < high / 2:
        return None
    score = float(1 / (1 + np.exp(-logit)))
    box = Box(x0, y0, x1 - x0, y1 - y0)
    look = Look(place.x, place.y, box.height / HEIGHT, sharpness=FULL_SHARPNESS, cut=box.width < 0.7 * wide)
    return Verdict(box, 1.0, (1 - score, score), score, "without_mask" if score >= 0.5 else "with_mask", look)
