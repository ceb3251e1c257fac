"""Learns which faces are posters: those that stay where they are for minutes. Pure: time comes in as a value.

What a finder takes for a face in a coat or on a poster is found in the same box to 0.06 of its height, even if not in
every frame; measured on fifteen rooms, with noise and a light that wavers. A person who stands still sways by more than
that within a second or two, and hardly anybody stands before a door for five minutes. Who sits does, and may be in one
box for as long: so the picture is asked whether a face stirs (device.motion) before its place becomes background.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from device.faces import Box, edges_moved, iou, moved

STILL = 0.09  # share of a place's height by which a face's edges may be off it: more and it has moved
LEAST_LEFT = 0.5  # share of a place's height from which what is left of it is still it, while somebody hides the rest
LEAST_SEEN = 0.8  # share of the time in which a place must have been seen to be background
# While somebody is before a place, finders frame what is left of it anew, with some of whoever hides it. From this
# overlap with the place, 0-1, such a face is still the place's.
LEFT_IOU = 0.4
REFRAMED_IOU = 0.6  # the same while nobody is before it: finders may frame it otherwise for a moment
# Since the place was seen alone. Later, a face there is rather somebody's who stands before it: who walks by is gone.
HIDDEN_SECONDS = 3.0
ALONE_SECONDS = 2.0  # without another face beside it, for a place to be alone: who sways before it is in it at times
GAP_SECONDS = 2.0  # between two sightings: in a shorter gap it was there, because finders miss a face now and then
# The same if another face was beside it meanwhile, and the longest for which finders frame it otherwise while nobody is
# there. They may frame a picture in two ways by turns; somebody who sways is off the place for longer.
WAVER_SECONDS = 0.7
BESIDE_IOU = 0.3  # overlap with a place, 0-1, from which a face that isn't in it may be the one that was
LONGEST_GAP_SECONDS = 30.0  # a place is dropped when it wasn't seen for GAP_SECONDS and as long as it was; at most this
# Before a place becomes background its face is watched for so long. It waits if the face stirs in more than this share
# of the frames that tell: somebody who sat at a desk did in 0.73 or more of any three seconds; pictures on walls, under
# noise, JPEG and wavering light, in none, in 0.37 at most if they swayed by a hundredth of their height to each side.
WATCHED_SECONDS, STIRRING = 10.0, 0.5
# Where somebody sleeps may be background too. Whoever sits there next is watched: once they have stirred for so long,
# and so many frames could tell it, the place is background no more.
AWAKE_SECONDS, FEWEST_WATCHED = 3.0, 3
MOST_WAITS = 12  # after so many times as long a place that stirs is background too: a poster in a draught
SOMEBODY_IOU = 0.5  # overlap with somebody who has moved, 0-1, from which a place that becomes background may be theirs
KEPT_SECONDS = 24 * 3600.0  # background that nobody has seen for a day is gone: a poster in the dark comes back


@dataclass
class _Place:
    """Where a face has been."""

    box: Box
    since: float  # seconds
    last_seen: float  # seconds
    seen_seconds: float = 0.0
    again: float = -math.inf  # seconds: when it may become background, because it stirred or is to be watched
    watched: int = 0  # frames that told whether the face stirs, shortly before it may
    stirred: int = 0  # in how many of them it did
    still: bool = False  # it is background
    somebody: bool = False  # it may be somebody who moves too little: then it is kept no longer than other places
    asleep: bool = False  # it may be where somebody was who never stirred while it was watched
    back: float = -math.inf  # seconds: when it was seen again after a gap
    last_beside: float = -math.inf  # seconds: when a face was beside it that wasn't in it
    last_alone: float = -math.inf  # seconds: when it was last seen with none beside it for a while

    def holds(self, box: Box) -> bool:
        near = abs(box.x - self.box.x) / self.box.height <= STILL  # first: of a crowd's many places hardly one is
        return near and moved(self.box, box) <= STILL

    def shows(self, box: Box) -> bool:
        """Tell whether a box is the place's, or what is left of it where somebody hides a side or a corner."""
        left, top, right, bottom = (edge / self.box.height for edge in edges_moved(self.box, box))
        inside = min(left, top, -right, -bottom) >= -STILL and box.height >= LEAST_LEFT * self.box.height
        return inside and sum(abs(edge) <= STILL for edge in (left, top, right, bottom)) >= 2

    def see(self, now: float) -> None:
        """Take that it is seen at `now`, in seconds."""
        gap = now - self.last_seen
        if self.last_beside <= self.last_seen or gap <= WAVER_SECONDS:
            self.seen_seconds += min(gap, GAP_SECONDS)
        self.last_seen = now
        if gap > GAP_SECONDS:
            self.back = now
            if self.asleep:
                self.watched = self.stirred = 0
        if now - self.last_beside > ALONE_SECONDS:
            self.last_alone = now

    def wakes(self, now: float) -> bool:
        """Tell whether somebody sits where somebody slept."""
        return self.asleep and now - self.back >= AWAKE_SECONDS and self.watched >= FEWEST_WATCHED and self.stirs()

    def stirs(self) -> bool:
        return self.stirred > STIRRING * self.watched

    def behind(self, person: Box) -> bool:
        """Tell whether somebody with this face may hide some of the place, by hair, shoulders and what is below."""
        beside = person.x - person.width < self.box.x + self.box.width and self.box.x < person.x + 2 * person.width
        return beside and person.y - person.height / 2 < self.box.y + self.box.height


class Background:
    """The places of faces that don't move."""

    def __init__(self, seconds: float) -> None:
        """Take for how long a face must not have moved."""
        self.seconds = seconds
        self._places: list[_Place] = []

    def adopt(self, now: float, seconds: float) -> None:
        """Take another time at `now`, in seconds. If it is shorter, it makes nobody a poster within WATCHED_SECONDS."""
        for place in self._places if seconds < self.seconds else ():
            if not place.still:
                place.again, place.watched, place.stirred = max(place.again, now + WATCHED_SECONDS), 0, 0
        self.seconds = seconds

    def doubts(self, now: float, box: Box) -> bool:
        """Tell whether it matters if a face in this box stirs: its place may be background soon, or no longer."""
        return any(self._is_watched(place, now) for place in self._places if place.holds(box))

    def watch(self, now: float, box: Box, stirs: bool) -> None:
        """Take whether a face stirs against the rest of the picture, before the frame taken at `now` is seen."""
        for place in self._places:
            if place.holds(box) and self._is_watched(place, now):
                place.watched += 1
                place.stirred += stirs

    def see(self, now: float, boxes: Sequence[Box], people: Sequence[Box] = ()) -> list[Box]:
        """Take the boxes of the frame taken at `now`, in seconds; return those that turn into background with it.

        people: the faces of all who have moved and are there, as they were last.
        """
        turned = []
        self._places = [place for place in self._places if now - place.last_seen <= _kept(place)]
        for box in boxes:
            places = [place for place in self._places if place.holds(box)]
            if not places:
                self._places.append(_Place(box, now, now))
            turned += [box for place in places if self._turns(place, now, people)]
        # A poster that is framed now so, now so has more than one place, none of which is beside the other.
        others = [box for box in boxes if not any(place.still and place.holds(box) for place in self._places)]
        for place in self._places:
            beside = others if place.still else boxes
            if place.last_seen < now and any(iou(place.box, box) >= BESIDE_IOU for box in beside):
                place.last_beside = now
        return turned

    def _turns(self, place: _Place, now: float, people: Sequence[Box]) -> bool:
        """Take that a place is seen; tell whether it turns into background with it."""
        place.see(now)
        if place.wakes(now):
            self._places[self._places.index(place)] = _Place(place.box, now, now)
            return False
        if not self._is_due(place, now):
            return False
        if place.stirs() and now - place.since < MOST_WAITS * self.seconds:
            place.again, place.watched, place.stirred = now + self.seconds, 0, 0
            return False
        taken = [*people, *(other.box for other in self._places if other.somebody or other.asleep)]
        theirs = any(iou(place.box, box) > SOMEBODY_IOU for box in taken)
        # Of a picture that was watched and never stirred it is known that it is none.
        calm = place.watched > 0 and not place.stirred
        place.still, place.somebody, place.asleep = True, theirs and not calm, theirs and calm
        return True

    def _is_watched(self, place: _Place, now: float) -> bool:
        """Tell whether it counts if a face stirs in a place: before it becomes background, or where another may be."""
        returned = place.asleep and now - place.back <= WATCHED_SECONDS
        return returned or self._is_due(place, now + WATCHED_SECONDS)

    def _is_due(self, place: _Place, now: float) -> bool:
        """Tell whether a place has been there for long enough to become background, if it is seen until `now`."""
        age, seen = now - place.since, place.seen_seconds + now - place.last_seen
        return not place.still and now >= place.again and age >= self.seconds and seen >= LEAST_SEEN * age

    def touches(self, box: Box) -> bool:
        """Tell whether there is background where this box is: what else is told of the box takes longer."""
        return any(place.still and iou(place.box, box) > 0 for place in self._places)

    def holds(self, box: Box) -> bool:
        """Tell whether a face in this box belongs to the background."""
        return any(place.still and place.shows(box) for place in self._places)

    def reframed(self, now: float, box: Box, walkers: Sequence[Box], people: Sequence[Box]) -> bool:
        """Tell whether a face in this box is background that a finder has framed anew.

        It does so when one of the walkers has just come before it, and for a moment while nobody is there.
        people: the faces of all who have moved and are there.
        """
        alone = not any(iou(person, box) > 0 for person in people)

        def framed_anew(place: _Place) -> bool:
            for_a_moment = alone and now - place.last_seen <= WAVER_SECONDS
            least = LEFT_IOU if any(map(place.behind, walkers)) else REFRAMED_IOU if for_a_moment else math.inf
            return iou(place.box, box) >= least

        return any(
            place.still and now - place.last_alone <= HIDDEN_SECONDS and framed_anew(place) for place in self._places
        )


def _kept(place: _Place) -> float:
    surely = place.still and not place.somebody
    return KEPT_SECONDS if surely else min(LONGEST_GAP_SECONDS, GAP_SECONDS + place.seen_seconds)
