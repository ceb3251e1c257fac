"""Tells from the frames of a live camera whether it still sees what is before it: pure, time comes in with them."""

import math
import zlib
from collections import deque
from collections.abc import Iterator

import cv2
import numpy as np
import numpy.typing as npt

from device.cameras.frame import Frame
from device.errors import Blind, CameraFault
from device.faces import Luma
from device.reduce import block_means

# The picture is frozen if for so long none has differed from those before, even by a bit: every sensor has noise,
# unless it is saturated.
FROZEN_SECONDS = 1.5
# Video that is coded as differences may repeat a still scene to the bit, up to its next key frame; x264 repeats drawn
# ones for 0.33 s at most, however little noise is in them and however coarsely it codes. How long a camera does so is
# soon seen: after a while it is frozen when it repeats itself several times as long as ever before.
REPEATS_SECONDS, LEARN_SECONDS, TIMES_LONGER = 10.0, 30.0, 4.0
BUFFERS = 32  # the latest pictures that a new one must differ from: a driver may hand out its few buffers in turn
COVERED_SECONDS = 1.5
SETTLE_SECONDS = 3.0  # the same before anything was seen: the first pictures of many cameras are black
DAZZLED_SECONDS = 3.0  # a camera that only has to get used to the light has done so
COLUMNS, ROWS = 16, 12  # blocks of the picture; of the noise, the mean of one keeps less than 3 %
# Grey levels. Black is a picture without a block brighter than DARK; 16 is the black of video. It shows something if
# its blocks differ by more: noise of 8 levels a pixel makes about 1 of difference at 640x480. White is the same without
# a block darker than BRIGHT, the white of video.
DARK, BRIGHT, LEAST_SPREAD = 40.0, 235.0, 3.0
LEAST_NOISE = 0.1  # grey levels, mean difference of two pictures in a row; a sensor in the dark has more
# A lamp goes out at once in all that it lit, but for a frame that was exposed meanwhile; another may follow later. What
# is put before the lens takes longer: a part is black already and another part as bright as it was, and it creeps on.
AT_ONCE_SECONDS = 0.15
BEFORE_SECONDS = 1.0  # how far back is looked for that
GONE, GONE_PART = 0.4, 0.25  # shares: a quarter of all blocks has less than this of its former brightness
KEPT, KEPT_PART = 0.7, 0.125  # and an eighth has more than this
CREEP_PART = 0.03  # share of all blocks: of less nothing is said, because somebody may walk there
LONGEST_NIGHT_SECONDS = 16 * 3600.0

Blocks = npt.NDArray[np.float32]


class Sight:
    """What is remembered of one camera's pictures."""

    def __init__(self, name: str, repeats: bool = False) -> None:
        """Take the camera's name for its error lines, and whether its coding may repeat a still scene to the bit."""
        self._name, self._repeats = name, repeats
        self._has_seen = False  # anything but black
        self._begun = math.inf  # seconds: when the first picture came
        self._repeated = self._longest = 0.0  # seconds for which it repeats itself, and for which it did at most
        self._sums: deque[int] = deque(maxlen=BUFFERS)  # of the latest pictures that differ
        self._renewed = 0.0  # seconds: when a picture was last a new one
        self._before: deque[tuple[float, Blocks]] = deque()  # the latest second of something seen
        self._black: Luma | None = None  # the latest picture, if it was black
        self._black_since = 0.0  # seconds
        self._noisy_at = 0.0  # seconds: when black was last alive
        self._patience = SETTLE_SECONDS
        self._white_since = math.inf  # seconds: when the latest pictures began to be white

    def seen(self, frames: Iterator[Frame]) -> Iterator[Frame]:
        """Yield frames from the first that isn't black; raise CameraFault when they show that the camera is blind."""
        for frame in frames:
            self.check(frame)
            if self._has_seen:  # else the lens may be covered: nothing is decided until that is known
                yield frame

    def check(self, frame: Frame) -> None:
        """Look at the next frame. Raises CameraFault if the lens is covered or dazzled, or the picture frozen."""
        blocks = block_means(frame.luma, COLUMNS, ROWS)
        plain = float(np.ptp(blocks)) < LEAST_SPREAD
        black, white = plain and float(blocks.max()) < DARK, plain and float(blocks.min()) >= BRIGHT
        total = zlib.crc32(frame.luma[::4].tobytes())  # the noise of a quarter of the rows is enough
        if black or white or total not in self._sums:
            self._sums.append(total)
            self._begun = min(self._begun, frame.taken)
            self._longest, self._repeated = max(self._longest, self._repeated), 0.0
            self._renewed = frame.taken
        else:
            self._repeated = frame.taken - self._renewed
        if black:
            self._check_black(frame, blocks)
        else:
            self._see(frame.taken, blocks)
        self._check_white(frame.taken, white)

    def _see(self, now: float, blocks: Blocks) -> None:
        self._black, self._has_seen = None, True
        self._before.append((now, blocks))
        while now - self._before[0][0] > BEFORE_SECONDS:
            self._before.popleft()
        if self._repeated >= self._frozen_seconds(now):
            found = f"the same picture for {self._repeated:.1f} s"
            raise CameraFault(self._name, Blind.FROZEN, f"{found}: if it recurs, take its power off")

    def _frozen_seconds(self, now: float) -> float:
        """Return for how long the picture may have been the same at `now`, in seconds."""
        if not self._repeats:
            return FROZEN_SECONDS
        if now - self._begun < LEARN_SECONDS:
            return REPEATS_SECONDS
        return min(REPEATS_SECONDS, max(FROZEN_SECONDS, TIMES_LONGER * self._longest))

    def _check_white(self, now: float, white: bool) -> None:
        self._white_since = min(self._white_since, now) if white else math.inf
        dazzled = now - self._white_since
        if dazzled >= DAZZLED_SECONDS:
            raise CameraFault(
                self._name, Blind.DAZZLED, f"nothing but white for {dazzled:.1f} s: keep the light off the lens"
            )

    def _check_black(self, frame: Frame, blocks: Blocks) -> None:
        now = frame.taken
        if self._black is None:
            self._black_since = self._noisy_at = now
            if self._before:
                self._before.append((now, blocks))
                self._patience = LONGEST_NIGHT_SECONDS if self._went_out() else COVERED_SECONDS
            self._before.clear()
        elif (
            self._black.shape != frame.luma.shape  # a stream may change its size: that is alive too
            or float(cv2.absdiff(self._black, frame.luma).mean()) >= LEAST_NOISE
        ):
            self._noisy_at = now
        self._black = frame.luma
        dark, dead = now - self._black_since, now - self._noisy_at
        if dark >= self._patience or dead >= max(self._frozen_seconds(now), min(self._patience, SETTLE_SECONDS)):
            raise CameraFault(
                self._name, Blind.COVERED, f"nothing but black for {dark:.1f} s: uncover the lens, or give it light"
            )

    def _went_out(self) -> bool:
        """Tell whether the light went out, lamp by lamp, before the last of the pictures, which is black."""
        (_, former), (now, _) = self._before[0], self._before[-1]
        left = [(taken, (blocks + 1) / (former + 1)) for taken, blocks in self._before]
        partly = (
            taken for taken, share in left if np.mean(share < GONE) >= GONE_PART and np.mean(share > KEPT) >= KEPT_PART
        )
        return now - next(partly, now) <= AT_ONCE_SECONDS or not _creeps(
            [(taken, float(np.mean(share < GONE))) for taken, share in left]
        )


def _creeps(gone: list[tuple[float, float]]) -> bool:
    """Tell whether light goes for longer than at once, without a pause as between two lamps.

    gone: of each picture, when it was taken, in seconds, and the share of its blocks from which the light has gone.
    """
    begun: float | None = None  # seconds: when what went last began to go
    last, most = 0, gone[0][1]  # the picture in which it went, and how much had gone then
    for place, (taken, share) in enumerate(gone):
        if share - most < CREEP_PART:
            continue
        if begun is None or (place - last > 1 and taken - gone[last][0] > AT_ONCE_SECONDS):
            begun = taken
        last, most = place, share
        if taken - begun > AT_ONCE_SECONDS:
            return True
    return False
