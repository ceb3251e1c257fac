"""Keeps the last minute's verdicts, and says which states other settings would have made of them."""

import asyncio
import math
from collections import deque
from collections.abc import Callable, Sequence
from copy import deepcopy
from operator import attrgetter
from typing import NamedTuple

from device.classifier import Verdict
from device.decision import Decision
from device.levels import Levels
from device.settings import DecisionSettings

SECONDS = 60.0  # on the frames' clock
COPY_SECONDS = 5.0  # the same, from one copy of the decision to the next: a copy takes as long as deciding five frames
MOST_FRAMES = 2600  # of a camera of 40 frames a second
LEARNT = attrgetter("least_move", "background_seconds")  # with others it would have learnt other posters
WORK_SECONDS = 0.02  # after which others are served: a minute of ten people takes a Pi many seconds


class Minute(NamedTuple):
    """The last minute, and up to COPY_SECONDS before it."""

    frames: Sequence[tuple[float, Sequence[Verdict]]]  # oldest first: seconds on their clock, and verdicts
    begun: Decision | None  # as it was after the first of them; None: there are none

    @property
    def last(self) -> list[tuple[float, Sequence[Verdict]]]:
        """The frames of the minute alone, in seconds from the newest one, at most 0."""
        return [(at - self.frames[-1][0], seen) for at, seen in self.frames if self.frames[-1][0] - at <= SECONDS]


class History:
    """The verdicts of the last minute; noted by one thread and read by another."""

    def __init__(self) -> None:
        self._frames: deque[tuple[float, Sequence[Verdict], Decision | None]] = deque(maxlen=MOST_FRAMES)
        self._copied = -math.inf  # seconds: when the decision was copied last

    def note(self, now: float, verdicts: Sequence[Verdict], decision: Decision) -> None:
        """Keep what was judged on the frame taken at `now`, in seconds, and now and then what is known after it."""
        copied = now - self._copied >= COPY_SECONDS
        self._copied = now if copied else self._copied
        self._frames.append((now, verdicts, deepcopy(decision) if copied else None))

    def minute(self) -> Minute:
        """Return what came after the newest copy from before the last minute, or after the oldest copy."""
        frames = list(self._frames.copy())
        copies = [i for i, (_, _, decision) in enumerate(frames) if decision]
        if not copies:
            return Minute([], None)
        before = [i for i in copies if frames[-1][0] - frames[i][0] >= SECONDS]
        first = max(before, default=copies[0])
        return Minute([(taken, verdicts) for taken, verdicts, _ in frames[first:]], frames[first][2])


async def states(
    minute: Minute, in_use: DecisionSettings, settings: DecisionSettings, levels: Levels, wanted: Callable[[], bool]
) -> list[tuple[float, str]]:
    """Return when which state would have begun, in seconds from the newest frame.

    From what was known as the minute began on, or from an empty door on where that was learnt with other settings.
    Lets others be served meanwhile: a screen that isn't told a state for a few seconds takes the kiosk for broken. Ends
    early when it isn't `wanted` any more.
    """
    if not minute.begun:
        return []
    decision = deepcopy(minute.begun) if LEARNT(settings) == LEARNT(in_use) else Decision(settings, levels)
    decision.adopt(settings, levels)
    newest = minute.frames[-1][0]
    changes = [(max(minute.frames[0][0] - newest, -SECONDS), decision.state.value)]
    clock = asyncio.get_running_loop().time
    until = clock()
    for taken, verdicts in minute.frames[1:]:
        if clock() >= until:
            await asyncio.sleep(0)
            if not wanted():
                break
            until = clock() + WORK_SECONDS
        decision.update(taken, verdicts)
        if newest - taken >= SECONDS:
            changes = [(-SECONDS, decision.state.value)]
        elif changes[-1][1] != decision.state:
            changes.append((taken - newest, decision.state.value))
    return changes
