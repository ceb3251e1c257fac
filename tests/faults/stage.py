"""Sets up a kiosk in a folder, with stand-ins for camera, pins and systemd, and watches its outputs from outside."""

import functools
import itertools
import os
import shutil
import signal
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar

import cv2
import numpy as np
from mosquitto import Broker
from ports import free_port

from trainer.practice import draw_background, draw_face

from .service import TREE, Service

HARDWARE = Path(__file__).parent / "hardware"
RED, GREEN, BUZZER, RELAY = 17, 27, 22, 16
LAMPS = {(0, 0): "dark", (1, 0): "red", (0, 1): "green", (1, 1): "both"}  # levels of red and green
# All outputs in use for as long as settings allow: the worst moment for a fault.
CONFIG = """\
# The owner's own words.
[signals]
relay_pin = {relay}
release_seconds = 30
beeps = 20
beep_seconds = 2
pause_seconds = 0.05

[screen]
port = {port}
token = "{token}"
"""
TOKEN = "token4567890123456"  # noqa: S105
PATIENCE_SECONDS = 90.0  # for anything that is waited for, on a computer that does much else

Found = TypeVar("Found")


class Late(AssertionError):
    """Something that was waited for hasn't come."""


class Stage:
    """A kiosk that runs; changes of the world are made through its methods."""

    broker: Broker  # where one is attached

    def __init__(self, folder: Path, frames_per_second: int = 15) -> None:
        """Lay everything out in an empty folder; nothing runs yet."""
        self.folder, self.config, self.port = folder, folder / "etc" / "kiosk.toml", free_port()
        self.tree, self.models = folder / "tree", folder / "tree" / "models"
        for name in ("etc", "run", "claims", "frames", "site/wires-1.dist-info", "tree/models"):
            (folder / name).mkdir(parents=True)
        for name in ("door.tflite", "door.json", "faces.tflite", "faces.json", "faces-check.tflite"):
            shutil.copy(TREE / "models" / name, self.models)
        (self.tree / "device").symlink_to(TREE / "device")
        (folder / "site/wires-1.dist-info/METADATA").write_text("Metadata-Version: 2.1\nName: wires\nVersion: 1\n")
        (folder / "site/wires-1.dist-info/entry_points.txt").write_text(
            "[gpiozero_pin_factories]\nwires = wires:WireFactory\n"
        )
        for name, frames in drawn_scenes().items():
            np.save(folder / "frames" / f"{name}.npy", frames)
        (folder / "count").write_bytes(bytes(8))
        (folder / "levels").touch()
        self.config.write_text(CONFIG.format(relay=RELAY, port=self.port, token=TOKEN))
        self.show("empty")
        environment = {name: value for name, value in os.environ.items() if name != "NOTIFY_SOCKET"} | {
            "PYTHONPATH": f"{self.tree}:{HARDWARE}:{folder / 'site'}", "PYTHONUNBUFFERED": "1", "STAGE": str(folder),
            "GPIOZERO_PIN_FACTORY": "wires", "FRAMES_PER_SECOND": str(frames_per_second),
        }  # fmt: skip
        self.service = Service(folder, self.config, environment)

    def __enter__(self) -> Self:
        self.service.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self.service.stop()
        self.service.close()

    def show(self, scene: str) -> None:
        """Have the camera see something else, or fail."""
        fresh = self.folder / "scene.new"
        fresh.write_text(scene)
        fresh.replace(self.folder / "scene")

    def kill(self, number: signal.Signals) -> None:
        """Send the kiosk's process a signal."""
        os.kill(self.service.pid, number)

    def levels(self) -> list[tuple[float, dict[int, int]]]:
        """Return when the outputs changed, in seconds of time.monotonic(), and all their levels from then on."""
        present, told = dict.fromkeys((RED, GREEN, BUZZER, RELAY), 0), list[tuple[float, dict[int, int]]]()
        for line in (self.folder / "levels").read_text().splitlines():
            at, pin, level = line.split()
            if present.get(int(pin)) != int(level):
                present = present | {int(pin): int(level)}
                told.append((float(at), present))
        return told

    def wait_for_outputs(self, wanted: Callable[[dict[int, int]], bool], since: float = 0.0) -> float:
        """Wait until the outputs are as wanted; return since when they were, or `since` if that is later."""
        def found() -> float | None:
            at, present = (self.levels() or [(0.0, dict.fromkeys((RED, GREEN, BUZZER, RELAY), 0))])[-1]
            return max(at, since) if wanted(present) else None
        return wait_for(found, "outputs")

    def lamps(self, since: float, until: float) -> list[str]:
        """Return what the lamp showed between two moments, one after the other."""
        changes = [(at, LAMPS[present[RED], present[GREEN]]) for at, present in self.levels() if at < until]
        before = [lamp for at, lamp in changes if at < since][-1:] or ["dark"]
        shown = [(since, before[0]), *[(at, lamp) for at, lamp in changes if at >= since], (until, "")]
        # The two LEDs are switched one after the other.
        lasting = [lamp for (at, lamp), (end, _) in itertools.pairwise(shown) if end - at > 0.02]
        return [lamp for lamp, _ in itertools.groupby(lasting)]

    def kept(self) -> dict[str, bytes]:
        """Return all that the kiosk must not lose: its settings and its models."""
        return {path.name: path.read_bytes() for path in [self.config, *sorted(self.models.iterdir())]}


def safe(present: dict[int, int]) -> bool:
    """Tell whether nothing sounds and the door is locked."""
    return not (present[BUZZER] or present[RELAY])


def wait_for(found: Callable[[], Found | None], what: str, seconds: float = PATIENCE_SECONDS) -> Found:
    """Wait until something is found; return it. Raises Late."""
    end = time.monotonic() + seconds
    while (value := found()) is None:
        if time.monotonic() > end:
            raise Late(f"{what}: not within {seconds:.0f} s")
        time.sleep(0.01)
    return value


@functools.cache
def drawn_scenes() -> dict[str, "np.typing.NDArray[np.uint8]"]:
    """Draw what the camera may see: uint8 (n, 720, 640), luma and two empty planes of colour."""
    rng = np.random.default_rng(10)
    wall = (draw_background(rng, 640, 480) * 255).astype(np.uint8)
    faces = {"bare": False, "masked": True}
    scenes = {"empty": [wall] * 8} | dict.fromkeys(faces, [wall] * 8)
    for name, masked in faces.items():
        face = cv2.resize(draw_face(np.random.default_rng(10), masked)[0], (280, 280))
        scenes[name] = [_beside(wall, face, 180 + 8 * min(step, 8 - step)) for step in range(8)]
    drawn = {
        name: np.stack([_planes(cv2.cvtColor(scene, cv2.COLOR_BGR2GRAY), rng) for scene in pictures])
        for name, pictures in scenes.items()
    }
    small = np.stack([np.ascontiguousarray(planes[::2, ::2]) for planes in drawn["masked"]])
    return drawn | {"black": np.zeros((1, 720, 640), np.uint8), "small": small}


def _beside(wall: "np.typing.NDArray[np.uint8]", face: cv2.typing.MatLike, left: int) -> "np.typing.NDArray[np.uint8]":
    scene = wall.copy()
    scene[100:380, left : left + 280] = face
    return scene


def _planes(luma: cv2.typing.MatLike, rng: np.random.Generator) -> "np.typing.NDArray[np.uint8]":
    noisy = np.clip(luma + rng.normal(0, 1.5, luma.shape), 0, 255).astype(np.uint8)
    return np.concatenate([noisy, np.full((240, 640), 128, np.uint8)])
