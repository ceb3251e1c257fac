"""One person at the door: where the face was last, and what its scores say over a window of time.

Pure: time comes in as a value.
"""

import itertools
import math
from collections import deque
from dataclasses import dataclass, field
from typing import NamedTuple

from device.classifier import Verdict
from device.faces import Box, moved
from device.levels import Levels
from device.look import unjudged
from device.settings import DecisionSettings
from device.trace import Trace, variance

FEWEST_SCORES = 3  # a mean of fewer could be carried over the threshold by one wild frame
# Standard errors by which a mean has to be beyond a level: somebody near it would be carried over at some moment.
SURE = 1.0
LEAST_DEVIATION = 0.02  # of a score: an 8-bit softmax gives one value again and again
JUMP = 0.5  # of a face's height, from one sighting to the next, and from where it would be if it went on as before
# How fast a face goes is told by its way in so many seconds, at least and at most if it was seen then: boxes waver, and
# neighbouring ones tell little. It is expected so much of the way further on, for so long: who isn't seen may stop.
SPEED_SECONDS, AHEAD, AHEAD_SECONDS = (0.1, 0.21), 0.7, 0.5
# Who went so far in the window, in heights of the face, and so fast, in heights a second, to the last, walks by. A step
# aside is as fast but ends sooner: half a metre is 2.3 heights.
WALKED, WALKING = 2.5, 2.0
# Who only glances up, and is gone before they have moved again, is there if their face stirs, but not for ever: a coat
# where they were may seem to stir now and then.
GLANCE_SECONDS = 30.0
LEAST_SEEN = 0.4  # share of the window's frames in which a face has to be found: ghosts come and go


class Scored(NamedTuple):
    """The alarm score of one frame."""

    at: float  # seconds
    score: float  # 0-1
    weight: float  # 0-1


@dataclass(eq=False)
class Person:
    """A face that is followed, and what is known of it."""

    box: Box
    since: float  # seconds: when it came, or was found again after it had been lost
    last_seen: float  # seconds
    last_there: float = 0.0  # seconds: when last seen as no ghost: noticed and moved, at a glance, or before the visit
    surely_there: float = 0.0  # the same, glances left out
    visit: int = 0  # its number, from 1; 0: none has begun
    noticed: bool = False  # followed for long enough to count
    moved: bool = False  # from where it was first, or against the rest of the picture: posters and ghosts don't
    trace: Trace = field(default_factory=Trace)
    bare: bool | None = None  # no mask; None: not sure yet
    told: bool | None = None  # the verdict that was told last
    walks: bool = False  # was on their way across the picture when last seen
    lost: bool = False  # not seen for a while; who comes back may be somebody else, or have taken the mask off
    scores: deque[Scored] = field(default_factory=deque)
    judged_since: float = 0.0  # seconds: when scores began to be gathered
    frames: deque[float] = field(default_factory=deque)  # of the window, in seconds
    sightings: deque[tuple[float, Box]] = field(default_factory=deque)  # in those frames: seconds, and where it was
    speed: tuple[float, float] = (0.0, 0.0)  # when it was seen last, px a second across and down; 0 if unknown

    @property
    def mean(self) -> float | None:
        """Return the weighted mean of the window's alarm scores, 0-1; None if there is none."""
        weights = sum(scored.weight for scored in self.scores)
        return sum(scored.weight * scored.score for scored in self.scores) / weights if weights else None

    @property
    def _error(self) -> float:
        """Return the standard error of the mean: by the scores' spread, or their steps (von Neumann and others, 1941).

        The lesser counts: a mask put on widens the spread, but is one step only; scores that alternate, the steps.
        """
        scores = [scored.score for scored in self.scores]
        steps = [(after - before) ** 2 / 2 for before, after in itertools.pairwise(scores)]
        spread = min(variance(scores), sum(steps) / len(steps))
        return max(LEAST_DEVIATION, math.sqrt(spread)) / math.sqrt(len(scores))

    @property
    def _steady(self) -> bool:
        return len(self.sightings) >= LEAST_SEEN * len(self.frames)

    def ahead(self, now: float) -> Box:
        """Return where to look for the face at `now`, in seconds, by how it went when it was seen last."""
        seconds = now - self.last_seen
        return self._further(AHEAD * seconds) if seconds <= AHEAD_SECONDS else self.box

    def _further(self, seconds: float) -> Box:
        across, down = self.speed
        return self.box._replace(x=self.box.x + round(across * seconds), y=self.box.y + round(down * seconds))

    def _go(self) -> None:
        """Tell from the latest sightings how fast the face goes, and whether it walks by."""
        least, most = SPEED_SECONDS
        x, y = _middle(self.box)
        self.speed = 0.0, 0.0
        ago = [(self.last_seen - at, box) for at, box in self.sightings if self.last_seen - at >= least]
        if ago:
            seconds, box = next((sighting for sighting in ago if sighting[0] <= most), ago[-1])
            left, above = _middle(box)
            self.speed = (x - left) / seconds, (y - above) / seconds
        began, first = self.sightings[0]
        way = math.dist(_middle(first), (x, y)) / self.box.height
        fast = math.hypot(*self.speed) >= WALKING * self.box.height
        self.walks = fast and way >= max(WALKED, WALKING * (self.last_seen - began))

    def see(self, now: float, verdict: Verdict, settings: DecisionSettings) -> None:
        """Take the person's face of the frame taken at `now`, in seconds."""
        if self.lost:  # and who comes back may be the poster that they stood before
            self.since, self.bare, self.lost, self.noticed, self.moved = now, None, False, False, False
            self.speed = 0.0, 0.0
            for kept in (self.scores, self.frames, self.sightings):
                kept.clear()
        # So far off, or after two frames without it, it may be another ghost: then it hasn't moved. Who walks across
        # the picture of a slow camera is as far off, but goes on as before.
        jumps = min(moved(self.box, verdict.box), moved(self._further(now - self.last_seen), verdict.box)) > JUMP
        if jumps or not self.sightings or self.sightings[-1][0] < self.frames[-min(2, len(self.frames))]:
            self.trace = Trace()
        self.box = verdict.box
        self.trace.add(now, verdict.box, verdict.look.moved)
        self.moved = self.moved or self.trace.moves(now, settings.least_move)
        self.last_seen = now
        self._frame(now, verdict.box, settings)
        self._go()
        self.noticed = self.noticed or (now - self.since >= settings.notice_seconds and self._steady)
        if not self.visit or (self.noticed and self.moved):
            self.last_there = self.surely_there = now
        elif self.trace.stirs and now - self.surely_there <= GLANCE_SECONDS:
            self.last_there = now
        if not unjudged(verdict.look, settings):
            self._score(Scored(now, verdict.alarm_score, verdict.look.weight), settings)
        elif self.scores and now - self.scores[-1].at > settings.window_seconds:
            self.scores.clear()

    def miss(self, now: float, settings: DecisionSettings) -> None:
        """Take that the face wasn't found in the frame taken at `now`, in seconds."""
        self._frame(now, None, settings)
        self.lost = now - self.last_seen > settings.forget_seconds

    def judge(self, now: float, settings: DecisionSettings, levels: Levels) -> None:
        """Decide whether the person is bare, if that is sure; between the levels it stays as it is."""
        sure = len(self.scores) >= FEWEST_SCORES and now - self.judged_since >= settings.sure_seconds
        if not (sure and self.moved and self._steady):
            return
        mean = self.mean or 0.0
        error = SURE * self._error
        if mean - error >= levels.threshold:
            self.bare = True
        elif mean + error < levels.release:
            self.bare = False

    def _score(self, scored: Scored, settings: DecisionSettings) -> None:
        if not self.scores:
            self.judged_since = scored.at
        self.scores.append(scored)
        # The last few scores stay however old they are, so that a slow Pi reaches a verdict too.
        while len(self.scores) > FEWEST_SCORES and scored.at - self.scores[0].at > settings.window_seconds:
            self.scores.popleft()

    def _frame(self, now: float, box: Box | None, settings: DecisionSettings) -> None:
        self.frames.append(now)
        if box:
            self.sightings.append((now, box))
        while now - self.frames[0] > settings.window_seconds:
            self.frames.popleft()
        while self.sightings and self.sightings[0][0] < self.frames[0]:
            self.sightings.popleft()


def _middle(box: Box) -> tuple[float, float]:
    return box.x + box.width / 2, box.y + box.height / 2
