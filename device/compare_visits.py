"""Counts how often visits were told as they were, how soon, and how often the door rang at nobody or at a mask."""

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from device.visits import POSTER, WITHOUT_MASK, TrueVisit, Visit, is_of_poster, told_of


@dataclass
class Tally:
    """What was right and wrong so far. Posters are counted apart: to them a verdict is neither."""

    visits: int = 0  # true ones, of people
    right: int = 0  # told with the true answers in their order
    unsure: int = 0  # seen, but without any verdict
    missed: int = 0  # not seen at all
    once: int = 0  # one visit was told for it, with no more verdicts and changes than there were
    masked: int = 0  # true visits that wore a mask all the time
    false_alarms: int = 0  # of them that rang
    ghosts: int = 0  # visits told where nobody was
    ghost_alarms: int = 0  # of them that rang
    posters: int = 0
    seconds: list[float] = field(default_factory=list)  # from well visible to the first verdict, of right visits

    def count(self, visits: Sequence[Visit], true: Sequence[TrueVisit]) -> list[str]:
        """Count one recording; return for each person "right", "wrong", "unsure" or "missed"."""
        people = [truth for truth in true if truth.answers != (POSTER,)]
        self.posters += len(true) - len(people)
        told, nobodys = told_of([visit for visit in visits if not is_of_poster(visit, true)], people)
        self.ghosts += len(nobodys)
        self.ghost_alarms += sum(WITHOUT_MASK in visit.answers for visit in nobodys)
        return [self._count(of, truth) for of, truth in zip(told, people, strict=True)]

    def _count(self, told: Sequence[Visit], truth: TrueVisit) -> str:
        masked = WITHOUT_MASK not in truth.answers
        self.visits += 1
        self.masked += masked
        self.false_alarms += masked and any(WITHOUT_MASK in visit.answers for visit in told)
        if not told:
            self.missed += 1
            return "missed"
        visit = told[0]  # the one that fits best, which needn't be the first
        self.once += len(told) == 1 and len(visit.answers) <= len(truth.answers)
        if visit.answers == truth.answers:
            self.right += 1
            first = min(of.told[0] for of in told if of.answers[:1] == truth.answers[:1])
            self.seconds.append(max(0.0, first - truth.visible))
            return "right"
        self.unsure += not visit.answers
        return "wrong" if visit.answers else "unsure"

    def lines(self) -> Iterator[str]:
        """Yield the figures as lines for people."""
        yield f"{self.right} of {self.visits} visits right, {self.unsure} never sure, {self.missed} not seen"
        if self.seconds:
            median, late = (percentile(self.seconds, share) for share in (0.5, 0.95))
            yield f"verdict {median:.2f} s (median) and {late:.2f} s (95th percentile) after the face was well visible"
        yield f"{self.false_alarms} false alarms in {self.masked} visits with a mask"
        yield f"{self.once} of {self.visits} visits told once"
        yield f"{self.ghosts} visits told where nobody was, {self.ghost_alarms} of them alarms; {self.posters} posters"


def percentile(values: Iterable[float], share: float) -> float:
    """Return the smallest value that at least this share, 0-1, of them doesn't exceed; not a number if none."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)] if ordered else math.nan
