"""What a soak came to: a plot of what the kiosk held, and the lines to be written down."""

import datetime
import os
import platform
from dataclasses import dataclass
from pathlib import Path

import numpy as np

SAMPLE_SECONDS = 2.0
WARM_SHARE = 0.1  # of the samples, before memory is compared
MOST_GROWTH = 0.02  # of resident memory from then to the end


@dataclass(frozen=True)
class Sample:
    """What the process holds at one moment."""

    frames: int
    resident: float  # MB of 1024 x 1024 bytes
    files: int
    threads: int


@dataclass(frozen=True)
class Soak:
    """What came of a run."""

    samples: list[Sample]
    visits: int
    pictures: int  # that the page got
    events: int  # that the broker was told
    missed: list[str]  # a line for each visit that wasn't told whole


def draw(samples: list[Sample], path: Path) -> None:
    """Draw memory, files and threads over the frames."""
    import matplotlib as mpl

    mpl.use("svg")
    from matplotlib import pyplot

    mpl.rcParams |= {"svg.hashsalt": "soak", "font.size": 9}
    thinned = samples[:: max(1, len(samples) // 400)]
    figure, plots = pyplot.subplots(3, sharex=True, figsize=(7, 5), layout="constrained")
    for plot, name, unit in zip(plots, ("resident", "files", "threads"), ("MB resident", "open files", "threads"),
                                strict=True):
        values = [getattr(each, name) for each in thinned]
        plot.plot([each.frames / 1000 for each in thinned], values, linewidth=1)
        plot.set_ylim(0, max(values) * 1.15)
        plot.set_ylabel(unit)
    plots[-1].set_xlabel("thousand frames")
    figure.savefig(path, metadata={"Date": None})


def summary(soak: Soak) -> tuple[list[str], bool]:
    """Return the lines to be written down, and whether all is well."""
    warm = soak.samples[int(len(soak.samples) * WARM_SHARE) :]
    tail = max(1, len(warm) // 10)
    before, after = (float(np.mean([each.resident for each in part])) for part in (warm[:tail], warm[-tail:]))
    growth, minutes = after / before - 1, len(soak.samples) * SAMPLE_SECONDS / 60
    lines = [
        f"{soak.samples[-1].frames:,} frames in {minutes:.0f} minutes on {datetime.datetime.now():%Y-%m-%d}, "
        f"{os.cpu_count()} cores ({platform.machine()});",
        f"{soak.visits} visits, {len(soak.missed)} of them not told whole; "
        f"{soak.pictures:,} pictures sent to the page, {soak.events} events to the broker;",
        f"resident memory {before:.1f} MB after the first tenth, {after:.1f} MB at the end: {growth:+.2%};",
        *(
            f"{name}: {min(values)} to {max(values)};"
            for name, values in (("open files", [each.files for each in warm]), ("threads", [e.threads for e in warm]))
        ),
    ]
    lines[-1] = lines[-1].removesuffix(";") + "."
    return lines, growth < MOST_GROWTH and not soak.missed
