"""Measures everything that costs, in minutes on a quiet computer; writes docs/bench.json, its tables and its plot."""

import argparse
import datetime
import os
import platform
import sys
from pathlib import Path

from device.arguments import Parser
from device.errors import KioskError
from device.quiet import native_code_quiet

with native_code_quiet():
    from trainer.provenance import versions

    from . import environments, networks, steps, telling, training, viewers
from .report import Bench, tables, write

DOCS = Path("docs")
CROWDS = (2, 100)  # viewers


def measure(models: Path, yunet: Path | None) -> Bench:
    """Measure one thing after the other, and say which. Raises ModelError."""

    def say(what: str) -> None:
        print(what, file=sys.stderr, flush=True)

    say("networks and frames")
    costs, ratios = networks.measure(models, yunet)
    say("a frame's way")
    way = steps.measure()
    say("the whole kiosk, and its networks in each runtime")
    kiosks, inferences = tuple(environments.kiosks(models)), tuple(environments.inferences(models))
    say("viewers, and others who are told")
    slowed = (*map(viewers.measure, CROWDS), telling.measure())
    say("training")
    trained = training.measure()
    return Bench(
        date=datetime.datetime.now(datetime.UTC).date().isoformat(), processor=processor(), cores=os.cpu_count() or 1,
        versions=versions(), costs=costs, ratios=ratios, steps=way, kiosks=kiosks, inferences=inferences,
        slowed=slowed, training=trained,
    )  # fmt: skip


def processor() -> str:
    """Return the processor's name."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    return next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), platform.machine())


def arguments() -> argparse.Namespace:
    """Return what was asked for."""
    parser = Parser("make bench", description=__doc__)
    parser.add_argument("--models", type=Path, required=True, help="the folder of the kiosk's networks")
    parser.add_argument("--yunet", type=Path, help="YuNet's .onnx, to measure beside them")
    return parser.parse_args()


def main() -> int:
    """Print the tables and write them down; return 2 for a model that can't be used, with a line that says why."""
    options = arguments()
    try:
        bench = measure(options.models, options.yunet)
    except KioskError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    print(*tables(bench).values(), sep="\n")
    write(bench, DOCS)
    return 0


if __name__ == "__main__":
    sys.exit(main())
