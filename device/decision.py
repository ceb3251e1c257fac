"""Turns the verdicts of frame after frame into the state of the door, and says when it changes.

Pure: time comes in as a value, nothing is read or switched here.
"""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from device.classifier import Verdict
from device.faces import Box
from device.settings import DecisionSettings

SAME_FACE_IOU = 0.3  # overlap of two frames' boxes from which they are taken for one face; 0-1
FEWEST_SCORES = 3  # a mean of fewer could be carried over the threshold by one wild frame


class State(StrEnum):
    """What the door shows."""

    IDLE = "IDLE"  # nobody there
    CHECKING = "CHECKING"  # a face, not sure yet
    CLEAR = "CLEAR"  # every face wears a mask
    ALARM = "ALARM"  # somebody without a mask
    FAULT = "FAULT"  # the kiosk itself doesn't work


URGENCY = (State.IDLE, State.CLEAR, State.CHECKING, State.ALARM)


@dataclass(frozen=True)
class Alert:
    """A change of the door's state."""

    state: State
    at: float  # seconds on the camera's clock
    score: float | None  # mean alarm score of the face that decides, 0-1; None when nobody is there


@dataclass
class _Follow:
    """One face, followed from frame to frame."""

    box: Box
    first_seen: float  # seconds
    last_seen: float  # seconds
    scores: deque[tuple[float, float]] = field(default_factory=deque)  # (seconds, alarm score 0-1)
    state: State = State.CHECKING

    @property
    def mean(self) -> float:
        return sum(score for _, score in self.scores) / len(self.scores)


class Decision:
    """Follows each face, averages its scores over a window of time, and lets the most urgent face decide."""

    def __init__(self, settings: DecisionSettings, threshold: float, release: float) -> None:
        """Take the door's times and the model's levels: a face rings from threshold on and stops below release."""
        self._settings = settings
        self._threshold = threshold
        self._release = release
        self._faces: list[_Follow] = []
        self._since = 0.0  # seconds: when the state was entered
        self.state = State.IDLE

    def update(self, now: float, verdicts: Sequence[Verdict]) -> Alert | None:
        """Take the verdicts of the frame taken at `now`, in seconds; return an Alert if the door's state changes."""
        for face, verdict in self._follow(now, verdicts):
            self._judge(face, now, verdict.alarm_score)
        settings = self._settings
        self._faces = [face for face in self._faces if now - face.last_seen <= settings.forget_seconds]
        counted = [face for face in self._faces if face.last_seen - face.first_seen >= settings.notice_seconds]
        urgent = max(counted, key=lambda face: (URGENCY.index(face.state), face.mean), default=None)
        state = urgent.state if urgent else State.IDLE
        held = self.state is State.ALARM and now - self._since < settings.hold_seconds
        if state is self.state or held:
            return None
        self.state, self._since = state, now
        return Alert(state, now, urgent.mean if urgent else None)

    def _follow(self, now: float, verdicts: Sequence[Verdict]) -> list[tuple[_Follow, Verdict]]:
        """Pair each verdict with the face it belongs to, best overlap first; a verdict left over is a new face."""
        overlaps = sorted(
            (
                (overlap(face.box, verdict.box), i, j)
                for i, face in enumerate(self._faces)
                for j, verdict in enumerate(verdicts)
            ),
            key=lambda item: item[0],
            reverse=True,
        )
        pairs: dict[int, int] = {}  # verdict to face
        for iou, i, j in overlaps:
            if iou >= SAME_FACE_IOU and j not in pairs and i not in pairs.values():
                pairs[j] = i
        followed = []
        for j, verdict in enumerate(verdicts):
            if j in pairs:
                face = self._faces[pairs[j]]
            else:
                face = _Follow(verdict.box, first_seen=now, last_seen=now)
                self._faces.append(face)
            face.box, face.last_seen = verdict.box, now
            followed.append((face, verdict))
        return followed

    def _judge(self, face: _Follow, now: float, alarm_score: float) -> None:
        face.scores.append((now, alarm_score))
        # The last few scores stay however old they are, so that a slow Pi reaches a verdict too.
        while len(face.scores) > FEWEST_SCORES and now - face.scores[0][0] > self._settings.window_seconds:
            face.scores.popleft()
        if len(face.scores) < FEWEST_SCORES or now - face.first_seen < self._settings.sure_seconds:
            return
        if face.mean >= self._threshold:
            face.state = State.ALARM
        elif face.mean < self._release:
            face.state = State.CLEAR


def overlap(a: Box, b: Box) -> float:
    """Return the intersection of two boxes over their union, 0-1."""
    width = min(a.x + a.width, b.x + b.width) - max(a.x, b.x)
    height = min(a.y + a.height, b.y + b.height) - max(a.y, b.y)
    both = max(0, width) * max(0, height)
    return both / (a.width * a.height + b.width * b.height - both)
