"""Counts wrong tokens, so that nobody can try many."""

from collections import deque


class Attempts:
    """Counts wrong tokens; from whomever they come, after a few different ones nobody is let in for a while.

    Again the same one is no guess: a page that was left open asks with the token of before the start, again and again.
    """

    MOST, SECONDS = 5, 60.0

    def __init__(self) -> None:
        self._failures: deque[tuple[float, bytes]] = deque(maxlen=self.MOST)  # seconds, and what was given

    def failed(self, now: float, given: bytes) -> None:
        """Note a wrong token at `now`, in seconds."""
        if all(given != before for _, before in self._failures):
            self._failures.append((now, given))

    def too_many(self, now: float) -> bool:
        """Tell whether nobody is let in at `now`, in seconds."""
        return len(self._failures) == self.MOST and now - self._failures[0][0] < self.SECONDS
