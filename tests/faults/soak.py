"""Runs the real kiosk for a million frames, with page and broker attached, and writes down what it holds in memory.

Frames are the stage's drawn ones, as fast as the kiosk takes them. Somebody comes every few seconds, now with a mask
and now without, and each visit has to be told whole: in the log, on the page, and to a Mosquitto. Ctrl-C ends it early,
with its figures.
"""

import argparse
import asyncio
import itertools
import json
import re
import signal
import sys
import tempfile
import threading
import time
from pathlib import Path

import numpy as np
from mosquitto import CAN_RUN, Broker, Subscriber
from tornado.httpclient import HTTPRequest
from tornado.websocket import websocket_connect

from .figures import SAMPLE_SECONDS, Sample, Soak, figures, keep, well
from .network import LOGGED, WORDS, attach, untold
from .stage import Late, Stage, wait_for

EMPTY_SECONDS, VISIT_SECONDS = 8.0, 4.0


def sample(stage: Stage) -> Sample:
    """Look at the kiosk's process from outside."""
    process = Path(f"/proc/{stage.service.pid}")
    said = dict(re.findall(r"^(\w+):\s+(\d+)", (process / "status").read_text(), re.MULTILINE))
    frames = int(np.frombuffer((stage.folder / "count").read_bytes(), np.uint64)[0])
    files, seconds = len(list((process / "fd").iterdir())), time.monotonic() - stage.service.notes[0].at
    return Sample(seconds, frames, int(said["VmRSS"]) / 1024, files, int(said["Threads"]))


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


def run(frames: int, broker: Broker) -> Soak:
    """Run it for at least so many frames, and one visit; KeyboardInterrupt ends it early."""
    samples, missed, visits = list[Sample](), list[str](), 0
    with tempfile.TemporaryDirectory() as folder, Subscriber(broker) as listener:
        stage = Stage(Path(folder), frames_per_second=0)
        with stage.config.open("a") as config:
            config.write("mirror = true\n")
        attach(stage, broker)
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
                    visits += 1
                    try:
                        visit(stage, client, scene)
                    except Late as error:
                        missed.append(f"visit {visits}: {error}")
                    if visits % 20 == 0:
                        print(f"{samples[-1].frames} frames, {samples[-1].resident:.1f} MB", flush=True)
                    if samples[-1].frames >= frames:
                        break
            except KeyboardInterrupt:
                print("stopped early", flush=True)
            client.ended = True
            ended.set()
            watching.join()
        log = stage.service.log.read_text()
        listener.say("soak", "over")  # arrives behind all that the kiosk has said
        listener.until(lambda: listener.of("soak"))
    missed.extend(untold(log, listener.events()))
    if (starts := [note for note in stage.service.notes if note.what == "started"])[1:]:
        missed.append(f"the kiosk was started {len(starts)} times: {log[-2000:]}")
    return Soak(samples, visits, client.pictures, len(LOGGED.findall(log)), len(listener.events()), missed)


def main() -> int:
    """Run, draw and say; 1 if memory grew or something was missed."""
    parser = argparse.ArgumentParser(prog="make soak")
    parser.add_argument("--frames", type=int, default=1_000_000)
    parser.add_argument("--page", type=Path, default=Path("docs/faults.md"))
    options = parser.parse_args()
    if not CAN_RUN:
        print("error: mosquitto or openssl is missing: sudo apt-get install mosquitto openssl", file=sys.stderr)
        return 2
    for number in (signal.SIGINT, signal.SIGTERM):  # shells have those in the background ignore the first
        signal.signal(number, signal.default_int_handler)
    with tempfile.TemporaryDirectory() as folder, Broker(Path(folder)) as broker:
        soak = run(options.frames, broker)
    keep(soak, options.page)
    print(*(f"{name}: {value}" for name, value in figures(soak).items()), *soak.missed, sep="\n")
    return not well(soak)


if __name__ == "__main__":
    raise SystemExit(main())
