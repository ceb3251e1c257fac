"""What the door shows, and what happens in a visit: all that others are told of a decision."""

from dataclasses import dataclass
from enum import StrEnum


class State(StrEnum):
    """What the door shows."""

    IDLE = "IDLE"  # nobody there
    CHECKING = "CHECKING"  # a face, not sure yet
    CLEAR = "CLEAR"  # every face wears a mask
    ALARM = "ALARM"  # somebody without a mask
    FAULT = "FAULT"  # the kiosk itself doesn't work


class Kind(StrEnum):
    """What happens in a visit, in this order; changes as often as a mask is put on or taken off."""

    ENTER = "enter"  # somebody was noticed, and moves: posters and ghosts have no visit
    VERDICT = "verdict"  # it is sure for the first time whether they wear a mask
    CHANGE = "change"  # they put it on or took it off
    LEAVE = "leave"  # they haven't been seen for long enough, or turned out to be a poster


@dataclass(frozen=True)
class Alert:
    """A change of the door's state."""

    state: State
    at: float  # seconds on the camera's clock
    score: float | None  # mean alarm score of the face that decides, 0-1; None when nobody is there, or well seen


@dataclass(frozen=True)
class Event:
    """What happens in one person's visit."""

    kind: Kind
    at: float  # seconds on the camera's clock: when it was decided
    visit: int  # counted from 1
    state: State  # the person's: CHECKING, CLEAR or ALARM; when they leave, what was last told of them
    score: float | None  # mean alarm score, 0-1; None when they weren't well seen
    seen: float  # seconds: when they were first seen if they enter, else when last
