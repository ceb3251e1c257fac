"""Films the kiosk's page into docs/kiosk.webp: the kiosk runs on a drawn visit, a headless Chromium shows its page.

The visit goes on only once the page has shown what was decided, so that a busy computer makes the same film.
"""

import io
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Self
from unittest.mock import patch

import cv2
import numpy as np
from browser import CHROMIUM, Browser
from PIL import Image
from places import TREE
from ports import free_port

from device.cameras.camera import Camera, open_camera
from device.cameras.frame import Frame
from device.faces import Luma
from device.kiosk import run
from device.settings import CameraSettings, ScreenSettings, Settings
from trainer.drawing import CutOut, draw_person
from trainer.drawn_person import random_person
from trainer.passages.script import Place, Walk
from trainer.practice import draw_background, place
from trainer.relief import CANVAS, Light

FILM = TREE / "docs" / "kiosk.webp"
WIDTH, HEIGHT = 720, 400  # px, of the page
CAMERA_WIDTH, CAMERA_HEIGHT = 320, 240  # px, of the drawn camera
FRAMES_PER_SECOND, FILMED = 10, 2  # of the camera, and that each second one is filmed: the page shows five a second
SECONDS = 9.6
# From afar to the middle, there for a while, and out at the left of the camera's picture.
AFAR, THERE, OUT = Place(0.56, 0.4, 0.06), Place(0.5, 0.47, 0.46), Place(-0.3, 0.47, 0.46)
PUTS_IT_ON, IT_IS_ON = 4.2, 4.8  # seconds
VISIT = Walk(((0.7, AFAR), (2.2, THERE), (7.2, THERE), (8.2, OUT)), ((0.7, False), (IT_IS_ON, True)))
PERSON, ROOM = (7, 14), 2  # seeds of somebody, and of a room, that are seen well
LIGHT = Light((0.35, -0.5, 1.0), (1.0, 1.03, 1.06), 0.5)
PULLED_UP = 0.22  # of a cut-out's height: how far below its place a mask comes into view
LEAST_CHANGE = 0.15  # of a pixel, 0-1, that belongs to the mask
NOISE = 1.0  # grey levels
QUALITY = 75  # of WebP, 1-100
LOADED = "document.readyState === 'complete' && document.fonts.status === 'loaded'"
PAINTED = "new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => done(1))))"


def draw_visit() -> Iterator[Luma]:
    """Yield a visit, uint8 (CAMERA_HEIGHT, CAMERA_WIDTH) luma: somebody comes without a mask and puts one on."""
    rng = np.random.default_rng(PERSON)
    person, seed = random_person(rng), int(rng.integers(2**32))
    bare, masked = (draw_person(np.random.default_rng(seed), person, on, LIGHT) for on in (False, True))
    room = draw_background(np.random.default_rng(ROOM), CAMERA_WIDTH, CAMERA_HEIGHT)
    for number in range(round(SECONDS * FRAMES_PER_SECOND)):
        now, scene = number / FRAMES_PER_SECOND, room
        if spot := VISIT.place(now):
            share = float(np.clip((now - PUTS_IT_ON) / (IT_IS_ON - PUTS_IT_ON), 0, 1))
            scale = spot.height * CAMERA_HEIGHT / float(np.ptp(bare.outline[:, 1]))
            middle = spot.x * CAMERA_WIDTH, spot.y * CAMERA_HEIGHT
            tilt = 3 * float(np.sin(1.3 * now))  # degrees
            scene, _ = place(_putting_on(bare, masked, share), room, middle, scale, tilt)
        grey = cv2.cvtColor(np.clip(scene, 0, 1), cv2.COLOR_BGR2GRAY) * 255
        yield np.asarray(np.clip(grey + rng.normal(0, NOISE, grey.shape) + 0.5, 0, 255), np.uint8)


def _putting_on(bare: CutOut, masked: CutOut, share: float) -> CutOut:
    """Return somebody who has pulled a mask up to a share, 0-1, of its way."""
    if share in {0.0, 1.0}:
        return masked if share else bare
    changed = (np.abs(masked.bgra - bare.bgra).max(axis=2) > LEAST_CHANGE).astype(np.uint8)
    _, pieces, sizes, _ = cv2.connectedComponentsWithStats(changed)
    largest = 1 + sizes[1:, cv2.CC_STAT_AREA].argmax()  # the rest is shadows and strands of hair
    mask = np.asarray(pieces == largest, np.float32)
    down = round((1 - share) * PULLED_UP * CANVAS)
    soft = np.roll(cv2.GaussianBlur(mask, (0, 0), 1.0), down, axis=0)[..., None]
    return CutOut(np.asarray(bare.bgra + (np.roll(masked.bgra, down, axis=0) - bare.bgra) * soft), bare.outline)


def write_visit(folder: Path) -> Path:
    """Write the visit as a folder of pictures, which the kiosk takes for a camera of ten frames a second."""
    folder.mkdir()
    for number, luma in enumerate(draw_visit()):
        cv2.imwrite(str(folder / f"{number:03}.png"), luma)
    return folder


class Filmed:
    """A camera that gives the next frame once the page has shown the last one, and keeps pictures of the page."""

    def __init__(self, camera: Camera, browser: Browser, url: str) -> None:
        self._camera, self._browser, self._url = camera, browser, url
        self.pictures: list[Image.Image] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self._camera.__exit__(kind, error, None)

    def frames(self) -> Iterator[Frame]:
        """Yield the camera's frames, and film what the kiosk makes of them."""
        self._browser.open(self._url)
        self._browser.until(LOADED)
        for number, frame in enumerate(self._camera.frames()):
            before = self._browser.run("document.querySelector('.mirror img').src")
            yield frame
            self._browser.until(f"document.querySelector('.mirror img').src !== '{before}'")
            if number % FILMED == 0:
                self._browser.run(PAINTED)
                self.pictures.append(Image.open(io.BytesIO(self._browser.screenshot())).convert("RGB"))


def film(target: Path) -> Path:
    """Film the visit into an animated WebP."""
    port = free_port()
    with tempfile.TemporaryDirectory() as folder, Browser(Path(folder) / "profile") as browser:
        browser.size(WIDTH, HEIGHT)
        browser.media(prefers_color_scheme="light", prefers_reduced_motion="reduce")
        visit = CameraSettings(str(write_visit(Path(folder) / "visit")))
        page = ScreenSettings(port=port, mirror=True, language="en", open_browser=False, setup="off")
        filmed = Filmed(open_camera(visit), browser, f"http://127.0.0.1:{port}/")
        # The door calls itself late when a second passes between two frames, as it may here.
        with (
            patch("device.kiosk.open_camera", lambda *_: filmed),
            patch("device.web.server.LATE_SECONDS", 3600.0),
            patch("device.signals.signals.LATE_SECONDS", 3600.0),
        ):
            run(Settings(camera=visit, screen=page), pins="mock")
    first, *others = filmed.pictures
    milliseconds = 1000 * FILMED // FRAMES_PER_SECOND
    first.save(target, save_all=True, append_images=others, duration=milliseconds, loop=0, quality=QUALITY, method=6)
    return target


def main() -> int:
    """Film; the file is the first argument, by default docs/kiosk.webp."""
    if CHROMIUM is None:
        print("error: no Chromium here, expected chromium: apt-get install chromium fonts-noto-core", file=sys.stderr)
        return 2
    target = film(Path(sys.argv[1]) if len(sys.argv) > 1 else FILM)
    print(f"{target}: {target.stat().st_size / 1000:.0f} kB")
    return 0


if __name__ == "__main__":
    sys.exit(main())
