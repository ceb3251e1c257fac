"""Turns the newest frame into one small picture for all who look: as a mirror shows it, with a box a face."""

import asyncio
from collections.abc import Collection, Sequence
from contextlib import suppress
from typing import Protocol

import cv2
import numpy as np
from tornado.websocket import WebSocketClosedError

from device.cameras.frame import Frame
from device.classifier import Verdict
from device.faces import Box
from device.look import uncounted, unjudged
from device.settings import DecisionSettings

WIDTH = 320  # px
SECONDS = 0.2  # between two pictures, at least
MOST_SENT = 40  # pictures a second to all viewers together: the more look, the slower each sees them
QUALITY = 70  # of JPEG, 0-100
ALARM_COLOR, CLEAR_COLOR, EDGE_COLOR = (60, 60, 255), (120, 200, 60), (0, 0, 0)  # BGR
LEFT_OUT_COLOR = (190, 190, 190)
JUST_CAME = "came just now, or hasn't moved"


class Viewer(Protocol):
    """Somebody who looks; write_message gives an awaitable that ends when the message is on its way."""

    def write_message(self, message: bytes, binary: bool) -> "asyncio.Future[None]":
        """Send a message."""
        ...

    def close(self, code: int, reason: str) -> None:
        """End the connection."""
        ...


class Mirror:
    """Sends pictures to viewers, none while there are none; a frame stays in memory until the next one."""

    def __init__(self, threshold: float) -> None:
        """Take the score, 0-1, from which a box is an alarm's."""
        self.threshold = threshold
        self.newest: tuple[Frame, Sequence[Verdict], Collection[Box]] | None = None
        self.viewers: set[Viewer] = set()
        self._sending: dict[Viewer, asyncio.Future[None]] = {}

    async def serve(self) -> None:
        """Send for ever."""
        told = None
        while True:
            if self.viewers and self.newest is not None and self.newest is not told:
                told = self.newest
                self._send(picture(*told, self.threshold))
            await asyncio.sleep(max(SECONDS, len(self.viewers) / MOST_SENT))

    def _send(self, jpeg: bytes) -> None:
        self._sending = {viewer: sent for viewer, sent in self._sending.items() if not sent.done()}
        for viewer in self.viewers - self._sending.keys():  # a slow one misses pictures
            self._sending[viewer] = asyncio.ensure_future(_deliver(viewer, jpeg))


async def _deliver(viewer: Viewer, jpeg: bytes) -> None:
    with suppress(WebSocketClosedError):
        await viewer.write_message(jpeg, True)


def picture(
    frame: Frame, verdicts: Sequence[Verdict], judged: Collection[Box], threshold: float, mirrored: bool = True
) -> bytes:
    """Return a JPEG of a frame with the boxes of its faces, grey but for the judged ones; mirrored: as in a mirror."""
    luma = frame.luma
    scale = WIDTH / luma.shape[1]
    size = (WIDTH, max(1, round(luma.shape[0] * scale)))
    small = cv2.cvtColor(cv2.resize(luma, size, interpolation=cv2.INTER_AREA), cv2.COLOR_GRAY2BGR)
    for verdict in verdicts:
        x, y, width, height = (round(side * scale) for side in verdict.box)
        color = ALARM_COLOR if verdict.alarm_score >= threshold else CLEAR_COLOR
        color = color if verdict.box in judged else LEFT_OUT_COLOR
        for line, thickness in ((EDGE_COLOR, 4), (color, 2)):
            cv2.rectangle(small, (x, y), (x + width - 1, y + height - 1), line, thickness)
    _, content = cv2.imencode(".jpg", cv2.flip(small, 1) if mirrored else small, [cv2.IMWRITE_JPEG_QUALITY, QUALITY])
    return bytes(np.asarray(content).tobytes())


def left_out(verdicts: Sequence[Verdict], judged: Collection[Box], settings: DecisionSettings) -> list[str]:
    """Return why each of the faces in grey frames isn't judged, from left to right."""
    looks = sorted((verdict.look for verdict in verdicts if verdict.box not in judged), key=lambda look: look.x)
    return [uncounted(look.place, settings) or unjudged(look, settings) or JUST_CAME for look in looks]
