"""Keeps the last minute's verdicts, and says which states other settings would have made of them."""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import replace

from device.classifier import Verdict
from device.decision import Decision, Known
from device.levels import Levels
from device.settings import DecisionSettings
from device.trace import STIR

SECONDS = 60.0  # on the frames' clock
BEGIN_SECONDS = 1.0  # as the minute begins: enough to tell a decision, which knows nothing of before, who has moved
MOST_FRAMES = 2400  # of a camera of 40 frames a second
WORK_SECONDS = 0.02  # after which others are served: a minute of ten people takes a Pi many seconds

# The frames of a minute, oldest first: seconds from the newest one, at most 0, and verdicts.
Minute = list[tuple[float, Sequence[Verdict]]]


class History:
    """The verdicts of the last minute; noted by one thread and read by another."""

    def __init__(self) -> None:
        self._frames: deque[tuple[float, Known]] = deque(maxlen=MOST_FRAMES)

    def note(self, now: float, known: Known) -> None:
        """Keep what was judged on the frame taken at `now`, in seconds."""
        self._frames.append((now, known))

    def frames(self) -> Minute:
        """Return the last minute's frames, without posters; whoever had moved before it moves as it begins."""
        frames = list(self._frames.copy())
        newest = frames[-1][0] if frames else 0.0
        minute = [(taken - newest, known) for taken, known in frames if newest - taken <= SECONDS]
        return [
            (at, _moving(known) if known.moved and at - minute[0][0] <= BEGIN_SECONDS else known.verdicts)
            for at, known in minute
        ]


def _moving(known: Known) -> Sequence[Verdict]:
    return [
        replace(verdict, look=replace(verdict.look, moved=STIR)) if verdict.box in known.moved else verdict
        for verdict in known.verdicts
    ]


async def states(
    minute: Minute, settings: DecisionSettings, levels: Levels, wanted: Callable[[], bool]
) -> list[tuple[float, str]]:
    """Return when which state would have begun, in seconds from the newest frame, from an empty door on.

    Lets others be served meanwhile: a screen that isn't told a state for a few seconds takes the kiosk for broken. Ends
    early when it isn't `wanted` any more.
    """
    decision, changes = Decision(settings, levels), list[tuple[float, str]]()
    clock = asyncio.get_running_loop().time
    until = clock()
    for at, verdicts in minute:
        if clock() >= until:
            await asyncio.sleep(0)
            if not wanted():
                break
            until = clock() + WORK_SECONDS
        decision.update(at, verdicts)
        if not changes or changes[-1][1] != decision.state:
            changes.append((at, decision.state.value))
    return changes
