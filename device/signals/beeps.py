"""Says when the buzzer sounds in an alarm: some beeps that rise from short to longer ones, then none."""

from collections.abc import Sequence

from device.events import Event, Kind, State
from device.settings import SignalSettings


class Alarm:
    """The latest alarm: one for each time that somebody is found to be bare, however often they look aside."""

    def __init__(self) -> None:
        self._since: float | None = None  # seconds: when it was first shown
        self._silenced = False
        self._on = False

    def show(self, state: State, now: float, events: Sequence[Event]) -> None:
        """Take the state shown at `now`, in seconds, and the events of that frame."""
        if any(event.kind in {Kind.VERDICT, Kind.CHANGE} and event.state is State.ALARM for event in events):
            self._since, self._silenced = None, False
        self._on = state is State.ALARM
        if self._on and self._since is None:
            self._since = now

    def silence(self) -> None:
        """Let this alarm sound no more; without one, nothing."""
        self._silenced = self._since is not None

    def sounds(self, now: float, settings: SignalSettings) -> bool:
        """Tell whether the buzzer sounds at `now`, in seconds."""
        return self._on and not self._silenced and self._since is not None and beeping(settings, now - self._since)


def beep_lengths(settings: SignalSettings) -> list[float]:
    """Return how long each beep of an alarm lasts, in seconds: the last one twice as long as the first."""
    return [settings.beep_seconds * (1 + beep / max(settings.beeps - 1, 1)) for beep in range(settings.beeps)]


def beeping(settings: SignalSettings, since: float) -> bool:
    """Tell whether one sounds so many seconds after the alarm's beginning."""
    for seconds in beep_lengths(settings):
        if since < seconds:
            return since >= 0
        since -= seconds + settings.pause_seconds
    return False
