"""Turns the verdicts of frame after frame into the state of the door and the events of each visit.

Pure: time comes in as a value, nothing is read or switched here. Who is who stands in device.people, what a person's
scores say in device.person, and which faces are posters in device.background.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from device.background import Background
from device.classifier import Verdict
from device.events import Alert, Event, Kind, State
from device.faces import Box, iou
from device.levels import Levels
from device.look import place_of, uncounted
from device.people import pair
from device.person import Person
from device.settings import DecisionSettings
from device.trace import STIR

LEAST_GAP_SECONDS = 2.0  # between two frames: a shorter one is none, however soon people are forgotten
GHOST_SECONDS = 30.0  # who came back and hasn't moved for so long is a coat where they were: people move in two
PASSING_IOU = 0.5  # overlap from which a face in a poster's place is somebody who passes before it; 0-1
URGENCY = (State.IDLE, State.CLEAR, State.CHECKING, State.ALARM)
STATES = {None: State.CHECKING, False: State.CLEAR, True: State.ALARM}  # by whether a person is bare


@dataclass(frozen=True)
class Judged:
    """A face whose score counted on the last frame."""

    visit: int  # counted from 1
    box: Box
    score: float  # of this frame, 0-1


class Decision:
    """Follows each person, gathers their scores over a window of time, and lets the most urgent one decide."""

    def __init__(self, settings: DecisionSettings, levels: Levels) -> None:
        """Take the door's times and levels."""
        self._settings = settings
        self._levels = levels
        self._background = Background(settings.background_seconds)
        self._turned: list[Box] = []  # boxes of faces that turned out to be posters, in this frame
        self._people: list[Person] = []
        self._visits = 0  # that have begun
        self._since = 0.0  # seconds: when the state was entered
        self._updated = -math.inf  # seconds: when the last frame was taken
        self.state = State.IDLE

    def adopt(self, settings: DecisionSettings, levels: Levels) -> None:
        """Take other times and levels from the next frame on; who is there stays known."""
        self._settings, self._levels = settings, levels
        self._background.adopt(self._updated, settings.background_seconds)

    def update(self, now: float, verdicts: Sequence[Verdict]) -> tuple[Alert | None, list[Event]]:
        """Take the verdicts of the frame taken at `now`, in seconds.

        Return an Alert if the door's state changes, and the events of the visits.
        """
        gap = now - self._updated > max(LEAST_GAP_SECONDS, self._kept_seconds)
        events = self._see(now, []) if gap else []  # then all have left, and who is there now may be somebody else
        events += self._see(now, [verdict for verdict in verdicts if not uncounted(verdict.look.place, self._settings)])
        self._updated = now
        counted = [person for person in self._people if person.noticed and not person.lost]
        urgent = max(counted, key=lambda person: (URGENCY.index(STATES[person.bare]), person.mean or 0), default=None)
        state, score = (STATES[urgent.bare], urgent.mean) if urgent else (State.IDLE, None)
        if state is State.CLEAR and any(self._may_have_turned_away(now, person) for person in self._people):
            state, score = State.CHECKING, None
        held = self.state is State.ALARM and now - self._since < self._settings.hold_seconds
        if state is self.state or held:
            return None, events
        self.state, self._since = state, now
        return Alert(state, now, score), events

    def wonders(self, now: float, boxes: Sequence[Box], shape: tuple[int, ...]) -> bool:
        """Tell whether it matters how far a face has moved: it counts, and hasn't moved before or may soon be a poster.

        now: when the frame was taken, in seconds; shape: its (height, width).
        """
        boxes = [box for box in boxes if not uncounted(place_of(box, shape), self._settings)]
        if any(self._background.doubts(now, box) for box in boxes):
            return True
        boxes = [box for box in boxes if not self._is_poster(now, box)]
        pairs = pair(now, self._people, boxes)
        return not all(j in pairs and self._people[pairs[j]].moved for j in range(len(boxes)))

    def judged(self, now: float) -> Iterator[Judged]:
        """Yield whose scores counted on the frame taken at `now`, the last one: people in a visit, seen well."""
        for person in self._people:
            if person.visit and person.scores and person.scores[-1].at == now:
                yield Judged(person.visit, person.box, person.scores[-1].score)

    def _see(self, now: float, verdicts: Sequence[Verdict]) -> list[Event]:
        """Give each verdict to whom it belongs, a new person if to nobody and no poster; return what has happened."""
        for verdict in verdicts:
            if verdict.look.moved is not None:
                self._background.watch(now, verdict.box, verdict.look.moved >= STIR)
        self._turned = self._background.see(now, [verdict.box for verdict in verdicts], self._moved_boxes())
        posters = [verdict for verdict in verdicts if self._is_poster(now, verdict.box)]
        verdicts = [verdict for verdict in verdicts if verdict not in posters]
        pairs = pair(now, self._people, [verdict.box for verdict in verdicts])
        for i, person in enumerate(self._people):
            if i not in pairs.values():
                person.miss(now, self._settings)
        for j, verdict in enumerate(verdicts):
            if j not in pairs:
                self._people.append(Person(verdict.box, since=now, last_seen=now))
            person = self._people[pairs.get(j, -1)]
            person.see(now, verdict, self._settings)
            person.judge(now, self._settings, self._levels)
        events = [event for person in self._people for event in self._tell(person, now)]
        self._people = [person for person in self._people if not self._is_gone(person, now)]
        return events

    def _is_poster(self, now: float, box: Box) -> bool:
        """Tell whether a face belongs to the background, rather than to somebody who passes before it."""
        # Whoever what has just turned into background was taken for is still to be told gone.
        if box in self._turned or not self._background.touches(box):
            return False
        people = [person for person in self._people if self._passes(person)]
        if any(iou(person.box, box) > PASSING_IOU for person in people):
            return False
        walkers = [person.box for person in people if person.moved]
        return self._background.holds(box) or self._background.reframed(now, box, walkers, self._moved_boxes())

    def _moved_boxes(self) -> list[Box]:
        """Return where those are who have moved, and so are no posters."""
        return [person.box for person in self._people if person.moved and not person.lost]

    def _passes(self, person: Person) -> bool:
        """Tell whether a person may be before a poster: whoever has only its boxes has gone, and left it behind."""
        beside = sum(not self._background.holds(box) for box in person.trace.latest())
        return not person.lost and beside >= (1 if person.moved else 2)  # one may be the poster's, framed otherwise

    def _may_have_turned_away(self, now: float, person: Person) -> bool:
        """Tell whether somebody bare who isn't seen may stand there all the same; who was walking by has gone on."""
        away = person.lost or not person.noticed
        return bool(person.told) and away and not person.walks and now - person.last_there <= self._kept_seconds

    def _tell(self, person: Person, now: float) -> Iterator[Event]:
        """Yield what has happened to a person."""
        if not person.visit and person.noticed and person.moved:
            self._visits += 1
            person.visit = self._visits
            yield Event(Kind.ENTER, now, person.visit, State.CHECKING, person.mean, person.since)
        if person.visit and person.bare is not None and person.bare is not person.told:
            kind = Kind.VERDICT if person.told is None else Kind.CHANGE
            person.told = person.bare
            yield Event(kind, now, person.visit, STATES[person.bare], person.mean, person.last_seen)
        if person.visit and self._is_gone(person, now):
            yield Event(Kind.LEAVE, now, person.visit, STATES[person.told], person.mean, person.last_there)

    @property
    def _kept_seconds(self) -> float:
        return max(self._settings.return_seconds, self._settings.forget_seconds)

    def _is_gone(self, person: Person, now: float) -> bool:
        kept = self._kept_seconds if person.visit else 0.0
        ghost = person.visit > 0 and now - person.last_there > max(GHOST_SECONDS, kept)
        return ghost or (person.lost and now - person.last_seen > kept) or person.box in self._turned
