"""Puts what was measured of passages and clips into their places in docs/door.md."""

from collections.abc import Iterable, Mapping
from pathlib import Path

from device.classifier import Classifier
from device.compare_visits import Tally, percentile
from device.disk import write_whole
from device.replay import Replay
from device.terminal import event_line
from trainer.passages.noise import GHOST_FRAMES, GHOSTS_AN_HOUR, Noise
from trainer.passages.simulate import EMPTY_HOURS, Emptiness
from trainer.places import fill

HEADS = ("passage", "visits", "right", "never sure", "not seen", "told once", "verdict after, 95th percentile",
         "false alarms / masked visits", "told where nobody was (alarms)")  # fmt: skip


def update(page: Path, texts: Mapping[str, str]) -> None:
    """Write each text into the place of its name."""
    write_whole(page, fill(page.read_text(encoding="utf-8"), texts).encode())


def recordings_text(tallies: Mapping[str, Tally], count: int) -> str:
    """Return what the loop said of recordings."""
    return f"{count} drawn recordings:\n\n{_table(tallies)}"


def simulated_text(tallies: Mapping[str, Tally], everybody: Mapping[str, Tally], empty: Emptiness, noise: Noise,
                   known: Noise) -> str:
    """Return what the decision said of passages as bare numbers, and of an empty door."""
    return (
        f"With the people whom the classifier knows, {len(known.masked)} of {len(noise.masked)} in a mask and "
        f"{len(known.bare)} of {len(noise.bare)} without:\n\n{_table(tallies)}\n"
        f"With all of them, by whether the classifier knows those who come:\n\n{_table(everybody)}\n"
        f"At an empty door in {EMPTY_HOURS} simulated hours, with {GHOSTS_AN_HOUR:.0f} ghosts an hour of "
        f"{GHOST_FRAMES:.1f} frames each:\n**{empty.alarms} alarms**, {empty.visits} visits told.\n"
    )


def clips_text(replays: Mapping[str, Replay], seen: Mapping[str, str], classifier: Classifier) -> str:
    """Return the events of each clip beside what is seen in it, by the names of their table."""
    rows = ["| clip | what is seen | what the kiosk told |", "| --- | --- | --- |"]
    for name, played in replays.items():
        told = "<br>".join(event_line(event, 0.0, classifier.card) for event in played.events) or "nothing"
        rows.append(f"| `{name}` | {seen[name].replace('; ', ';<br>')} | {told} |")
    return "\n".join(rows) + "\n"


def _table(tallies: Mapping[str, Tally]) -> str:
    rows = [f"| {' | '.join(HEADS)} |", f"| {' | '.join(['---', *['---:'] * (len(HEADS) - 1)])} |"]
    rows += [_row(kind, tally) for kind, tally in tallies.items()]
    sums = [_row("**all**", total(tallies.values()))] if len(tallies) > 1 else []
    return "\n".join(rows + sums) + "\n"


def total(tallies: Iterable[Tally]) -> Tally:
    """Return the sum of tallies."""
    sums = Tally()
    for tally in tallies:
        for name, value in vars(tally).items():
            setattr(sums, name, getattr(sums, name) + value)
    return sums


def _row(name: str, tally: Tally) -> str:
    late = f"{percentile(tally.seconds, 0.95):.2f} s" if tally.seconds else ""
    share = f" ({tally.right / tally.visits:.1%})" if tally.visits else ""
    cells = (name, tally.visits, f"{tally.right}{share}", tally.unsure, tally.missed, tally.once, late,
             f"{tally.false_alarms} / {tally.masked}", f"{tally.ghosts} ({tally.ghost_alarms})")  # fmt: skip
    return f"| {' | '.join(map(str, cells))} |"
