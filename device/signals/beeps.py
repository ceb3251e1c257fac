"""Says when the buzzer sounds in an alarm: some beeps that rise from short to longer ones, then none."""

from device.settings import SignalSettings


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
