"""What a soak came to: figures for a page, and a drawing of what the kiosk held."""

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from tables import put_rows

HEAD = ("the soak", "measured")
MOST_KEPT = 400  # samples that are drawn
SAMPLE_SECONDS = 2.0
WARM_SHARE = 0.1  # of the samples, before memory is compared
MOST_GROWTH = 0.02  # of resident memory from then to the end


@dataclass(frozen=True)
class Sample:
    """What the process holds at one moment."""

    seconds: float  # since the program was started
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
    logged: int  # events in the kiosk's log
    events: int  # that the broker was told
    missed: list[str]  # a line for each visit that wasn't told whole

    @property
    def warm(self) -> list[Sample]:
        """All samples but those of the start."""
        return self.samples[int(len(self.samples) * WARM_SHARE) :]

    @property
    def residents(self) -> tuple[float, float]:
        """Resident memory after the start and at the end, in MB: means of a tenth of the time between."""
        values = [each.resident for each in self.warm]
        tail = max(1, len(values) // 10)
        return float(np.mean(values[:tail])), float(np.mean(values[-tail:]))


def draw(samples: list[Sample], path: Path) -> None:
    """Draw memory, files and threads over the frames."""
    import matplotlib as mpl

    mpl.use("svg")
    from matplotlib import pyplot

    mpl.rcParams |= {"svg.hashsalt": "soak", "font.size": 9}
    figure, plots = pyplot.subplots(3, sharex=True, figsize=(7, 5), layout="constrained")
    for plot, name, unit in zip(plots, ("resident", "files", "threads"), ("MB resident", "open files", "threads"),
                                strict=True):
        values = [getattr(each, name) for each in samples]
        plot.plot([each.frames / 1000 for each in samples], values, linewidth=1)
        plot.set_ylim(0, max(values) * 1.15)
        plot.set_ylabel(unit)
    plots[-1].set_xlabel("thousand frames")
    figure.savefig(path, metadata={"Date": None})


def keep(soak: Soak, page: Path) -> None:
    """Put the figures into a page, and beside it a drawing of the samples, and what is drawn: soak.svg, soak.csv."""
    thinned = soak.samples[:: max(1, len(soak.samples) // MOST_KEPT)]
    draw(thinned, page.with_name("soak.svg"))
    lines = [f"{each.seconds:.0f},{each.frames},{each.resident:.2f},{each.files},{each.threads}" for each in thinned]
    page.with_name("soak.csv").write_text("\n".join(["seconds,frames,resident MB,open files,threads", *lines, ""]))
    found = figures(soak)
    put_rows(page, "make soak", HEAD, {name: (name, value) for name, value in found.items()}, found)


def figures(soak: Soak) -> dict[str, str]:
    """Return what is to be written down, by name."""
    last, (before, after) = soak.samples[-1], soak.residents
    files, threads = ([getattr(each, name) for each in soak.warm] for name in ("files", "threads"))
    return {
        "frames": f"{last.frames:,}",
        "minutes": f"{last.seconds / 60:.0f}",
        "cores": f"{os.cpu_count()}",
        "visits": f"{soak.visits}, {len(soak.missed)} of them not told whole",
        "events in the log": f"{soak.logged}",
        "events at the broker": f"{soak.events}",
        "pictures sent to the page": f"{soak.pictures:,}",
        "resident memory after the first tenth": f"{before:.1f} MB",
        "resident memory at the end": f"{after:.1f} MB ({after / before - 1:+.2%})",
        "open files after the first tenth": f"{min(files)} to {max(files)}",
        "threads after the first tenth": f"{min(threads)} to {max(threads)}",
    }


def well(soak: Soak) -> bool:
    """Tell whether memory stayed as it was, and nothing was missed."""
    before, after = soak.residents
    return after / before - 1 < MOST_GROWTH and not soak.missed
