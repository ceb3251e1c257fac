"""Measures how much the door's loop is slowed by viewers of its page, side by side with none.

Run by itself, with a port and a number, it is so many viewers.
"""

import asyncio
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime

import cv2
import numpy as np
from places import TREE
from tornado.httpclient import HTTPRequest
from tornado.websocket import WebSocketClientConnection, websocket_connect

from device.cameras.frame import Frame
from device.classifier import MODELS, Classifier
from device.decision import Decision
from device.events import Event, State
from device.finders import OwnFaceFinder
from device.gate import Gate
from device.levels import Levels
from device.model_card import read_card
from device.motion import Motion
from device.pictures import read_luma
from device.settings import DecisionSettings, ScreenSettings, Settings
from device.telemetry.telemetry import Telemetry
from device.web.screen import Screen
from device.web.server import Server

from . import ENVIRONMENT
from .report import Slowed

ROUNDS, SECONDS = 20, 2.0  # a round is so many seconds without viewers, and as many with them
WIDTH, HEIGHT = 640, 480


class Door:
    """The parts of the loop, fed with a face that stays."""

    def __init__(self, screen: Screen) -> None:
        self._screen, self._classifier = screen, Classifier("door")
        self._events: list[Event] = []  # the visit's first, which are told again with every change
        self._decision = Decision(DecisionSettings(), Levels(0.6, 0.5))
        self._eye = Motion(Gate(OwnFaceFinder()), self._decision.wonders)
        face = read_luma(next((MODELS / "golden").rglob("*.png")))
        self._luma = np.full((HEIGHT, WIDTH), 90, np.uint8)
        self._luma[120:360, 200:440] = cv2.resize(face, (240, 240))
        self._frames = 0

    def run(self, seconds: float, telemetry: Telemetry) -> tuple[float, float]:
        """Decide as many frames as go into so many seconds; return the seconds of each, on the wall and of CPU time."""
        begun, cpu, count = time.monotonic(), time.thread_time(), 0
        while time.monotonic() - begun < seconds:
            now = self._frames / 10
            verdicts = self._classifier.judge(self._luma, self._eye.find(self._luma, now))
            self._events += self._decision.update(now, verdicts)[1]
            state = (State.CLEAR, State.ALARM)[self._frames // 50 % 2]  # a change now and then, which all are told
            judged = [verdict.box for verdict in verdicts]
            self._screen.show(state, Frame(self._luma, now), verdicts, judged, self._decision)
            telemetry.note(state, self._events if self._frames % 50 == 0 else [], datetime.now(UTC))
            self._frames, count = self._frames + 1, count + 1
        return (time.monotonic() - begun) / count, (time.thread_time() - cpu) / count


async def view(port: int, viewers: int) -> None:
    """Be so many viewers, in a process of their own: come and go as the lines of standard input say."""
    there: list[WebSocketClientConnection] = []
    while line := await asyncio.to_thread(sys.stdin.readline):
        if line == "come\n" and not there:
            request = HTTPRequest(f"ws://127.0.0.1:{port}/state", headers={"Origin": f"http://127.0.0.1:{port}"})
            there = [await websocket_connect(request, on_message_callback=lambda _: None) for _ in range(viewers)]
        elif line == "go\n":
            for viewer in there:
                viewer.close()
            there = []
        print("done", flush=True)


def measure(viewers: int, rounds: int = ROUNDS, seconds: float = SECONDS) -> Slowed:
    """Compare a frame's time with so many viewers to that without."""
    settings = Settings(screen=ScreenSettings(port=0))
    card = read_card(MODELS / "door.tflite")[0]
    server, silent = Server(settings, card, None, None), Telemetry(settings, card)
    command = [sys.executable, "-m", "bench.viewers", str(server.port), str(viewers)]
    with Screen(server) as screen, subprocess.Popen(
        command, cwd=TREE, env=ENVIRONMENT, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as others:
        door = Door(screen)
        door.run(seconds, silent)

        def run(crowd: bool) -> tuple[float, float]:
            assert others.stdin is not None
            assert others.stdout is not None
            others.stdin.write("come\n" if crowd else "go\n")
            others.stdin.flush()
            others.stdout.readline()
            while len(server.viewers) != viewers * crowd:
                time.sleep(0.01)
            return door.run(seconds, silent)

        found = slowed(f"{viewers} viewers", rounds, run)
        others.communicate()  # the end of its input ends it
    return found


def slowed(by: str, rounds: int, run: Callable[[bool], tuple[float, float]]) -> Slowed:
    """Run with something and without it, by turns; return the quartiles of the ratios of a frame's times.

    run: is told whether it is to be there; returns the seconds of a frame, on the wall and of CPU time.
    """
    ratios = list[tuple[float, float]]()
    for number in range(rounds):
        times = dict[bool, tuple[float, float]]()
        for there in (False, True) if number % 2 else (True, False):  # so that what drifts falls on both
            times[there] = run(there)
        (wall, cpu), (wall_without, cpu_without) = times[True], times[False]
        ratios.append((wall / wall_without, cpu / cpu_without))
    walls, cpus = (statistics.quantiles(found, n=4) for found in zip(*ratios, strict=True))
    return Slowed(by, (cpus[0], cpus[1], cpus[2]), (walls[0], walls[1], walls[2]))


if __name__ == "__main__":
    asyncio.run(view(*map(int, sys.argv[1:])))
