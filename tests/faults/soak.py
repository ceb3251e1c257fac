"""Runs the real kiosk for a million frames, with its page watched, and draws what it holds in memory meanwhile.

Frames are the stage's drawn ones, as fast as the kiosk takes them. Somebody comes every few seconds, now with a mask
and now without, and each visit has to be told whole, in the log and on the page. Ctrl-C ends it early, with its
figures.
"""

import argparse
import asyncio
import datetime
import itertools
import json
import os
import platform
import re
import signal
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from tornado.httpclient import HTTPRequest
from tornado.websocket import websocket_connect

from .stage import Late, Stage, wait_for

EMPTY_SECONDS, VISIT_SECONDS = 8.0, 4.0
SAMPLE_SECONDS = 2.0
WARM_SHARE = 0.1  # of the samples, before memory is compared
MOST_GROWTH = 0.02  # of resident memory from then to the end
WORDS = {"bare": ("without a mask", "ALARM"), "masked": ("with a mask", "CLEAR")}


@dataclass(frozen=True)
class Sample:
    """What the process holds at one moment."""

    frames: int
    resident: float  # MB of 1024 x 1024 bytes
    files: int
    threads: int


def sample(stage: Stage) -> Sample:
    """Look at the kiosk's process from outside."""
    process = Path(f"/proc/{stage.service.pid}")
    said = dict(re.findall(r"^(\w+):\s+(\d+)", (process / "status").read_text(), re.MULTILINE))
    frames = int(np.frombuffer((stage.folder / "count").read_bytes(), np.uint64)[0])
    return Sample(frames, int(said["VmRSS"]) / 1024, len(list((process / "fd").iterdir())), int(said["Threads"]))


class Client:
    """A browser's two sockets; it leaves and comes back every minute."""

    def __init__(self, port: int) -> None:
        self.looks, self.pictures, self.ended = list[str](), 0, False
        self._port = port
        self._thread = threading.Thread(target=lambda: asyncio.run(self._watch()), daemon=True)
        self._thread.start()

    async def _watch(self) -> None:
        while not self.ended:
            await asyncio.gather(self._listen("state"), self._listen("mirror"))

    async def _listen(self, path: str) -> None:
        headers = {"Origin": f"http://127.0.0.1:{self._port}"}
        connection = await websocket_connect(HTTPRequest(f"ws://127.0.0.1:{self._port}/{path}", headers=headers))
        end = time.monotonic() + 60
        while time.monotonic() < end and (message := await connection.read_message()) is not None:
            if path == "mirror":
                self.pictures += 1
            elif (look := json.loads(message)["look"]) != (self.looks or [""])[-1]:
                self.looks.append(look)
        connection.close()


def visit(stage: Stage, client: Client, scene: str) -> None:
    """Have somebody come and go. Raises Late if any of it isn't told."""
    words, look = WORDS[scene]
    told, looks = len(stage.service.log.read_text()), len(client.looks)
    stage.show(scene)
    time.sleep(VISIT_SECONDS)
    stage.show("empty")
    expected = re.compile(rf"visit (\d+): enter\n(?:.*\n)*?.*visit \1: verdict {words} .*\n(?:.*\n)*?.*visit \1: leave")
    wait_for(lambda: expected.search(stage.service.log.read_text()[told:]), f"{scene}: enter, verdict and leave")
    wait_for(lambda: look in client.looks[looks:] or None, f"{scene}: {look} on the page")


def run(frames: int) -> tuple[list[Sample], int, int, list[str]]:
    """Return samples, how many visits there were, pictures the page got, and a line for each visit that wasn't told."""
    samples, missed, visits = list[Sample](), list[str](), 0
    with tempfile.TemporaryDirectory() as folder:
        stage = Stage(Path(folder), frames_per_second=0)
        with stage.config.open("a") as config:
            config.write("mirror = true\n")
        with stage:
            wait_for(lambda: stage.service.when("READY=1"), "READY=1")
            client, ended = Client(stage.port), threading.Event()

            def watch() -> None:
                while not ended.wait(SAMPLE_SECONDS):
                    samples.append(sample(stage))

            watching = threading.Thread(target=watch)
            watching.start()
            try:
                for scene in itertools.cycle(WORDS):
                    time.sleep(EMPTY_SECONDS)
                    if samples[-1].frames >= frames:
                        break
                    visits += 1
                    try:
                        visit(stage, client, scene)
                    except Late as error:
                        missed.append(f"visit {visits}: {error}")
                    if visits % 20 == 0:
                        print(f"{samples[-1].frames} frames, {samples[-1].resident:.1f} MB", flush=True)
            except KeyboardInterrupt:
                print("stopped early", flush=True)
            client.ended = True
            ended.set()
            watching.join()
        if (starts := [note for note in stage.service.notes if note.what == "started"])[1:]:
            missed.append(f"the kiosk was started {len(starts)} times: {stage.service.log.read_text()[-2000:]}")
    return samples, visits, client.pictures, missed


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


def summary(samples: list[Sample], visits: int, pictures: int, missed: list[str]) -> tuple[list[str], bool]:
    """Return the lines to be written down, and whether all is well."""
    warm = samples[int(len(samples) * WARM_SHARE) :]
    tail = max(1, len(warm) // 10)
    before, after = (float(np.mean([each.resident for each in part])) for part in (warm[:tail], warm[-tail:]))
    growth, minutes = after / before - 1, len(samples) * SAMPLE_SECONDS / 60
    lines = [
        f"{samples[-1].frames:,} frames in {minutes:.0f} minutes on {datetime.datetime.now():%Y-%m-%d}, "
        f"{os.cpu_count()} cores ({platform.machine()});",
        f"{visits} visits, {len(missed)} of them not told whole; {pictures:,} pictures sent to the page;",
        f"resident memory {before:.1f} MB after the first tenth, {after:.1f} MB at the end: {growth:+.2%};",
        *(
            f"{name}: {min(values)} to {max(values)};"
            for name, values in (("open files", [each.files for each in warm]), ("threads", [e.threads for e in warm]))
        ),
    ]
    lines[-1] = lines[-1].removesuffix(";") + "."
    return lines, growth < MOST_GROWTH and not missed


def main() -> int:
    """Run, draw and say; 1 if memory grew or something was missed."""
    parser = argparse.ArgumentParser(prog="make soak")
    parser.add_argument("--frames", type=int, default=1_000_000)
    parser.add_argument("--plot", type=Path, default=Path("docs/soak.svg"))
    options = parser.parse_args()
    for number in (signal.SIGINT, signal.SIGTERM):  # shells have those in the background ignore the first
        signal.signal(number, signal.default_int_handler)
    samples, visits, pictures, missed = run(options.frames)
    draw(samples, options.plot)
    lines, well = summary(samples, visits, pictures, missed)
    print(*lines, *missed, sep="\n")
    return not well


if __name__ == "__main__":
    raise SystemExit(main())
