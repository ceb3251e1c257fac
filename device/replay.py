"""Runs recordings through the parts of the main loop, on their own clock and as fast as they go; no pin is touched."""

import dataclasses
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from device.cameras.camera import open_camera, require_source
from device.cameras.source import shown
from device.classifier import Classifier
from device.compare_visits import Tally, percentile
from device.decision import Decision
from device.errors import CameraError
from device.events import Alert, Event
from device.faces import FaceFinder
from device.gate import Gate
from device.levels import levels
from device.motion import Motion
from device.settings import Settings
from device.terminal import alert_line, event_line
from device.visits import THEN, Visit, gather, name_of


@dataclass(frozen=True)
class Replay:
    """What happened in a recording; times in seconds from its first frame."""

    video: str  # its name, without the folder
    seconds: float
    alerts: tuple[Alert, ...]
    events: tuple[Event, ...]

    @property
    def visits(self) -> list[Visit]:
        """Return the visits that the events tell of."""
        return gather(self.events, self.seconds)


def replay(source: Path, finder: FaceFinder, classifier: Classifier, settings: Settings) -> Replay:
    """Run a video file, or a folder of pictures taken as 10 a second, through the loop. Raises CameraError."""
    alerts, events, started, now = list[Alert](), list[Event](), None, 0.0
    decision = Decision(settings.decision, levels(settings.model, classifier.card))
    eye = Motion(Gate(finder), decision.wonders)
    # Absolute, because a Path drops the ./ that tells a folder named pi from the camera.
    with open_camera(dataclasses.replace(settings.camera, source=str(source.absolute()))) as camera:
        for frame in camera.frames():
            started = frame.taken if started is None else started
            now = frame.taken - started
            alert, happened = decision.update(now, classifier.judge(frame.luma, eye.find(frame.luma, now)))
            alerts += [alert] if alert else []
            events += happened
    return Replay(name_of(source), now, tuple(alerts), tuple(events))


def require_recordings(sources: Iterable[Path]) -> None:
    """Raise CameraError for what is no video file and no folder of pictures, before anything is played."""
    for source in sources:
        if not (source.is_dir() or source.is_file()):
            raise CameraError(f"{shown(str(source))}: no such recording, expected a video file or a folder of pictures")
        require_source(str(source.absolute()))


def as_text(played: Replay, classifier: Classifier) -> Iterator[str]:
    """Yield the lines that `run` would print, below the recording's name, and one for each visit."""
    marked = classifier.card.marked
    yield marked(f"{played.video}: {played.seconds:.2f} s")
    told = [(alert.at, alert_line(alert, 0.0, classifier.card)) for alert in played.alerts]
    told += [(event.at, event_line(event, 0.0, classifier.card)) for event in played.events]
    for _, line in sorted(told, key=lambda item: item[0]):
        yield f"  {line}"
    if not told and not played.visits:
        yield f"  {marked('nobody was found')}"
    for visit in played.visits:
        left = "the end" if visit.leave == played.seconds else f"{visit.leave:.2f} s"
        answers = f" {THEN} ".join(
            f"{answer} at {at:.2f} s" for answer, at in zip(visit.answers, visit.told, strict=True)
        )
        line = f"visit {visit.number}, {visit.enter:.2f} s to {left}: {answers or 'not sure'}"
        yield f"  {marked(line)}"


def as_json(played: Replay, classifier: Classifier) -> str:
    """Return what happened as one line of JSON."""
    line = {
        "video": played.video,
        "seconds": round(played.seconds, 3),
        "visits": [dataclasses.asdict(visit) for visit in played.visits],
        "events": [dataclasses.asdict(event) for event in played.events],
        "alerts": [dataclasses.asdict(alert) for alert in played.alerts],
    }
    return json.dumps(line | ({"practice": True} if classifier.card.practice else {}))


def tally_json(tally: Tally) -> str:
    """Return the figures of a comparison as one line of JSON."""
    figures = dataclasses.asdict(tally)
    seconds = figures.pop("seconds")
    median, late = (percentile(seconds, share) if seconds else None for share in (0.5, 0.95))
    return json.dumps({"compared": figures | {"seconds_median": median, "seconds_95th": late}})
