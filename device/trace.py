"""Where a face has been since it was there first, and whether that shows that it moves, as no poster does.

Pure: time comes in as a value.
"""

import math
import statistics
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

from device.faces import Box, moved

# A finder's boxes waver about a face that is still: means of so many are compared, and before there are, the more they
# have to differ the fewer they are.
BOXES = 6
# Who sways comes back to where they were, and means of six hide it: then the middle of the last boxes spreads. Its
# standard deviation is 0.047 of the height at least for somebody who sways by a tenth of their face to each side. Of
# 217 pictures on walls, under noise, JPEG and wavering light, it made one more seem to move within 12 s, beside four
# whose means do: the finder sees those now here, now there. As a share of `least_move`:
SWAY_BOXES, SWAY = 20, 0.65
STIR = 0.012  # of its height, against the rest of the picture: what a poster's face seems to move by is less,
FEWEST_STIRS, STIR_SECONDS = 3, 0.14  # in a row and for so long: a shadow or somebody that passes may seem to move it
# What boxes show doesn't count for so long after the picture showed that the face is still, unless it showed a move
# since; nor before the picture could show anything, as it can in the third of ten frames a second.
STILL_SECONDS, FIRST_SECONDS = 1.0, 0.19


@dataclass
class Trace:
    """The boxes of a face, and when the picture showed that it moves or that it doesn't."""

    first: list[Box] = field(default_factory=list)  # at most BOXES
    last: deque[Box] = field(default_factory=lambda: deque(maxlen=SWAY_BOXES))
    seen: int = 0  # boxes in all
    begun: float = math.inf  # seconds: when it was there first
    still: float = -math.inf  # seconds: when the picture showed last that it is still, if it has shown no move since
    stirs: list[float] = field(default_factory=list)  # seconds: when, in a row, the picture showed that it moves

    def add(self, now: float, box: Box, stirred: float | None) -> None:
        """Take a box of the frame taken at `now`, in seconds.

        stirred: how far the face has moved against the rest of the picture, share of its height; None: not known.
        """
        self.begun = min(self.begun, now)
        self.seen += 1
        self.last.append(box)
        if len(self.first) < BOXES:
            self.first.append(box)
        stirs = stirred is not None and stirred >= STIR
        self.stirs = [*self.stirs[: FEWEST_STIRS - 1], now] if stirs else []
        if stirred is not None:
            self.still = -math.inf if stirs else now

    def moves(self, now: float, least: float) -> bool:
        """Tell at `now`, when a box was added, whether the face moves.

        least: by which share of its height its boxes have to be elsewhere; 0: it needn't move.
        """
        if least == 0:
            return True
        if len(self.stirs) == FEWEST_STIRS and now - self.stirs[0] >= STIR_SECONDS:
            return True
        if now - self.still <= STILL_SECONDS or now - self.begun < FIRST_SECONDS:
            return False
        return self._went(least) or self._sways(SWAY * least)

    def latest(self) -> list[Box]:
        """Return the latest boxes, at most BOXES."""
        return list(self.last)[-BOXES:]

    def _went(self, least: float) -> bool:
        count = min(BOXES, self.seen // 2)
        way = moved(_middle(self.first[:count]), _middle(self.latest()[-count:]))
        return way >= least * math.sqrt(BOXES / count)

    def _sways(self, least: float) -> bool:
        """Tell whether the box goes to and fro across or down, by that standard deviation, share of its height."""
        if len(self.last) < SWAY_BOXES:
            return False
        across = variance([box.x + box.width / 2 for box in self.last])
        down = variance([box.y + box.height / 2 for box in self.last])
        return math.sqrt(max(across, down)) >= least * statistics.fmean([box.height for box in self.last])


def variance(values: Sequence[float]) -> float:
    """Return the mean squared distance from the mean: in floats, where statistics.pvariance takes 30 times as long."""
    mean = statistics.fmean(values)
    return statistics.fmean([(value - mean) ** 2 for value in values])


def _middle(boxes: Sequence[Box]) -> Box:
    """Return the mean of boxes, in whole pixels."""
    return Box(*(round(sum(sides) / len(boxes)) for sides in zip(*boxes, strict=True)))
