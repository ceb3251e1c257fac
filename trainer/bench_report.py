"""Keeps what the bench measured: in bench.json, and as the tables of docs/faces.md."""

import dataclasses
import json
from dataclasses import dataclass
from pathlib import Path

from trainer.cache import write_whole


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
class Bench:
    """One run of the bench."""

    date: str
    processor: str
    versions: dict[str, str]
    costs: tuple[Cost, ...]
    ratios: tuple[Ratio, ...]


def table(measured: Bench) -> str:
    """Return two Markdown tables: what each contender costs, and the ratios."""
    lines = [
        f"{measured.date}, {measured.processor}, one thread",
        "",
        "| | input | CPU ms | kB | million multiply-adds |",
        "| --- | --- | ---: | ---: | ---: |",
    ]
    for cost in measured.costs:
        operations = "" if cost.multiply_adds is None else f"{cost.multiply_adds:.1f}"
        width, height = cost.input_size
        lines.append(f"| {cost.name} | {width}x{height} | {cost.cpu_ms:.3f} | {cost.kilobytes:.0f} | {operations} |")
    lines += ["", "| CPU time | ratio | least, median, largest of the rounds | asked |", "| --- | ---: | --- | --- |"]
    for ratio in measured.ratios:
        wanted = "" if ratio.wanted is None else f"at most 1/{1 / ratio.wanted:.0f}"
        lines.append(
            f"| {ratio.name} / {ratio.over} | 1/{1 / ratio.ratio:.1f} "
            f"| {ratio.least:.3f}, {ratio.median:.3f}, {ratio.largest:.3f} | {wanted} |"
        )
    return "\n".join(lines) + "\n"


def write_bench(measured: Bench, folder: Path) -> Path:
    """Write bench.json into a folder; return its path."""
    path = folder / "bench.json"
    folder.mkdir(parents=True, exist_ok=True)
    write_whole(path, (json.dumps(dataclasses.asdict(measured), indent=2) + "\n").encode())
    return path


def read_bench(path: Path) -> Bench:
    """Read what `write_bench` wrote."""
    told = json.loads(path.read_text(encoding="utf-8"))
    costs = tuple(Cost(**cost | {"input_size": tuple(cost["input_size"])}) for cost in told["costs"])
    return Bench(**told | {"costs": costs, "ratios": tuple(Ratio(**ratio) for ratio in told["ratios"])})
