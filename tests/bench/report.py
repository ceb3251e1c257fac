"""Keeps what the bench measured: docs/bench.json, and from it the tables and the plot of docs/bench.md."""

import json
from dataclasses import dataclass
from pathlib import Path

from device.cards import card_json, parse
from device.disk import write_whole
from trainer.places import fill

MOST_START, MOST_RESIDENT, MOST_SLOWER, LEAST_FASTER = 1.0, 110.0, 1.05, 1.3  # asked: s of CPU, MB, and two ratios


@dataclass(frozen=True)
class Cost:
    """What one contender costs."""

    name: str
    input_size: tuple[int, int]  # px, width and height
    cpu_ms: float  # of one call and one thread, the least of all rounds
    kilobytes: float  # of 1000 bytes, its file's
    multiply_adds: float | None  # millions a call; None: not known


@dataclass(frozen=True)
class Ratio:
    """CPU time of one contender over another's: of their least times, and over the rounds."""

    name: str
    over: str
    ratio: float
    least: float
    median: float
    largest: float
    wanted: float | None  # at most


@dataclass(frozen=True)
class Whole:
    """What the whole kiosk costs with one runtime, its page served."""

    runtime: str
    import_seconds: float  # of CPU, Python's start and every module of the device
    start_seconds: float  # of CPU, to the first decision
    resident: float  # MB of 1024 x 1024 bytes


@dataclass(frozen=True)
class Inference:
    """What one inference takes with one runtime and so many threads."""

    network: str
    runtime: str
    threads: int
    cpu_ms: float  # of all threads
    wall_ms: float


@dataclass(frozen=True)
class Slowed:
    """A frame's time with something over that without it: quartiles over the rounds."""

    by: str
    cpu: tuple[float, float, float]
    wall: tuple[float, float, float]


@dataclass(frozen=True)
class Training:
    """How fast `simple` trains, and the notebook's way with the same network and photos."""

    photos: int
    ours: float  # photos a second
    plain: float


@dataclass(frozen=True)
class Bench:
    """One run of the bench."""

    date: str
    processor: str
    cores: int
    versions: dict[str, str]
    costs: tuple[Cost, ...]
    ratios: tuple[Ratio, ...]
    steps: dict[str, float]  # of a frame's way, ms of CPU time
    kiosks: tuple[Whole, ...]
    inferences: tuple[Inference, ...]
    slowed: tuple[Slowed, ...]
    training: Training

    def ratio(self, name: str, over: str) -> float:
        """Return a ratio by its contenders."""
        return next(of.ratio for of in self.ratios if (of.name, of.over) == (name, over))


def table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    """Return a Markdown table; all columns but the first are set to the right."""
    lines = [head, ("---", *("---:" for _ in head[1:])), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def tables(bench: Bench) -> dict[str, str]:
    """Return the tables of docs/bench.md by their places."""
    return {
        "computer": f"{bench.date}, {bench.processor}, {bench.cores} cores.\n",
        "costs": table(
            ("", "input", "CPU ms", "kB", "million multiply-adds"),
            [(of.name, "x".join(map(str, of.input_size)), f"{of.cpu_ms:.3f}", f"{of.kilobytes:.0f}",
              "" if of.multiply_adds is None else f"{of.multiply_adds:.1f}") for of in bench.costs],
        ),
        "ratios": table(
            ("CPU time", "ratio", "least, median, largest of the rounds", "asked"),
            [(f"{of.name} / {of.over}", one_in(of.ratio), f"{of.least:.3f}, {of.median:.3f}, {of.largest:.3f}",
              "" if of.wanted is None else f"at most 1/{1 / of.wanted:.0f}") for of in bench.ratios],
        ),
        "steps": table(("step", "CPU ms"), [(name, f"{ms:.2f}") for name, ms in bench.steps.items()]),
        "kiosks": table(
            ("runtime", "imports, CPU s", f"first decision, CPU s (at most {MOST_START:.0f})",
             f"resident, MB (at most {MOST_RESIDENT:.0f})"),
            [(of.runtime, f"{of.import_seconds:.2f}", f"{of.start_seconds:.2f}", f"{of.resident:.1f}")
             for of in bench.kiosks],
        ),
        "inferences": table(
            ("network", "runtime", "threads", "CPU ms", "ms on the wall"),
            [(of.network, of.runtime, str(of.threads), f"{of.cpu_ms:.3f}", f"{of.wall_ms:.3f}")
             for of in bench.inferences],
        ),
        "slowed": table(
            ("a frame's time with", f"CPU, median (at most {MOST_SLOWER})", "quartiles", "on the wall, median",
             "quartiles"),
            [(of.by, *(cell for low, middle, high in (of.cpu, of.wall)
                       for cell in (f"{middle:.3f}", f"{low:.3f} to {high:.3f}"))) for of in bench.slowed],
        ),
        "training": table(
            ("`simple`, photos a second", "ours", "the notebook's way", f"ratio (at least {LEAST_FASTER})"),
            [(f"{bench.training.photos} drawn photos", f"{bench.training.ours:.1f}", f"{bench.training.plain:.1f}",
              f"{bench.training.ours / bench.training.plain:.2f}")],
        ),
    }  # fmt: skip


def one_in(ratio: float) -> str:
    """Return a ratio as 1/N."""
    return f"1/{1 / ratio:.1f}"


def filled(page: str, bench: Bench) -> str:
    """Return docs/bench.md with these figures in their places."""
    return fill(page, tables(bench))


def read(path: Path) -> Bench:
    """Read what `write` wrote. Raises ModelError."""
    bench: Bench = parse(Bench, json.loads(path.read_text(encoding="utf-8")), "bench")
    return bench


def write(bench: Bench, folder: Path) -> None:
    """Write bench.json and bench.svg into a folder, and the tables into its bench.md."""
    page = folder / "bench.md"
    write_whole(page, filled(page.read_text(encoding="utf-8"), bench).encode())
    draw(bench, folder / "bench.svg")
    write_whole(folder / "bench.json", card_json(bench).encode())


def draw(bench: Bench, path: Path) -> None:
    """Draw what each contender costs, as bars."""
    import matplotlib as mpl

    mpl.use("svg")
    from matplotlib import pyplot

    mpl.rcParams |= {"svg.hashsalt": "bench", "font.size": 9}
    figure, plot = pyplot.subplots(figsize=(7, 4), layout="constrained")
    bars = plot.barh([of.name for of in bench.costs], [of.cpu_ms for of in bench.costs], log=True)
    plot.bar_label(bars, fmt="%.3g", padding=3)
    plot.margins(x=0.1)
    plot.invert_yaxis()
    plot.set_xlabel("ms of CPU time, one thread")
    figure.savefig(path, metadata={"Date": None})
    pyplot.close(figure)
