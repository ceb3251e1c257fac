"""Measures how much the door's loop is slowed by a hundred viewers of its page, side by side with none."""

import asyncio
import json
import statistics
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import cv2
import numpy as np
from tornado.httpclient import HTTPRequest
from tornado.websocket import WebSocketClientConnection, websocket_connect

from device.cameras.frame import Frame
from device.classifier import MODELS, Classifier
from device.decision import Decision, Event, State
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

TREE = Path(__file__).parent.parent
VIEWERS, ROUNDS, SECONDS = 100, 20, 2.0  # a round is so many seconds without viewers, and as many with them
WIDTH, HEIGHT = 640, 480
MOST = 1.05  # asked: the loop's time with viewers over that without


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
            self._screen.show(state, Frame(self._luma, now), verdicts, [verdict.box for verdict in verdicts])
            telemetry.note(state, self._events if self._frames % 50 == 0 else [], datetime.now(UTC))
            self._frames, count = self._frames + 1, count + 1
        return (time.monotonic() - begun) / count, (time.thread_time() - cpu) / count


async def view(port: int) -> None:
    """Be all the viewers, in a process of their own: come and go as the lines of standard input say."""
    there: list[WebSocketClientConnection] = []
    while line := await asyncio.to_thread(sys.stdin.readline):
        if line == "come\n" and not there:
            request = HTTPRequest(f"ws://127.0.0.1:{port}/state", headers={"Origin": f"http://127.0.0.1:{port}"})
            there = [await websocket_connect(request, on_message_callback=lambda _: None) for _ in range(VIEWERS)]
        elif line == "go\n":
            for viewer in there:
                viewer.close()
            there = []
        print("done", flush=True)


def measure(rounds: int = ROUNDS, seconds: float = SECONDS) -> dict[str, list[float]]:
    """Return the ratio of a frame's time with viewers to that without, of each round: on the wall and of CPU time."""
    settings = Settings(screen=ScreenSettings(port=0))
    card = read_card(MODELS / "door.tflite")[0]
    server, silent = Server(settings, card, None, None), Telemetry(settings, card)
    ratios: dict[str, list[float]] = {"wall": [], "cpu": []}
    command = [sys.executable, "-m", "tests.viewers", str(server.port)]
    with Screen(server) as screen, subprocess.Popen(
        command, cwd=TREE, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as others:
        assert others.stdin is not None
        assert others.stdout is not None
        door = Door(screen)
        door.run(seconds, silent)
        for number in range(rounds):
            times = {}
            for crowd in (False, True) if number % 2 else (True, False):  # so that what drifts falls on both
                others.stdin.write("come\n" if crowd else "go\n")
                others.stdin.flush()
                others.stdout.readline()
                while len(server.viewers) != VIEWERS * crowd:
                    time.sleep(0.01)
                times[crowd] = door.run(seconds, silent)
            ratios["wall"].append(times[True][0] / times[False][0])
            ratios["cpu"].append(times[True][1] / times[False][1])
        others.stdin.close()
    return ratios


def main() -> int:
    """Print the ratios."""
    if len(sys.argv) > 1:
        asyncio.run(view(int(sys.argv[1])))
        return 0
    show(f"with {VIEWERS} viewers", measure())
    return 0


def show(how: str, ratios: dict[str, list[float]]) -> None:
    """Print the ratios."""
    print(f"a frame's time {how} over that without, {ROUNDS} rounds; asked: at most {MOST}")
    for kind, found in ratios.items():
        low, middle, high = statistics.quantiles(found, n=4)
        print(f"{kind:6}{middle:.3f} (median), {low:.3f} to {high:.3f} (quartiles), {max(found):.3f} (largest)")
    print(json.dumps(ratios))


if __name__ == "__main__":
    sys.exit(main())
