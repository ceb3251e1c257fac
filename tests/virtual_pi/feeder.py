#!/usr/bin/python3
"""Plays a picture into a v4l2loopback device as YUYV, as a camera would see it: it sways, and no two frames are alike.

The picture is /run/feeder/picture, WIDTH x HEIGHT grey bytes; another one is moved over it. Without one all is grey.
While /run/feeder/frozen exists, the frame before is given again and again, to the bit.
"""

import fcntl
import math
import os
import struct
import time
from pathlib import Path

import numpy as np

DEVICE, FOLDER = Path("/dev/video10"), Path("/run/feeder")
PICTURE, FROZEN = FOLDER / "picture", FOLDER / "frozen"
WIDTH, HEIGHT = 320, 240  # what an emulated processor keeps up with
FRAMES_PER_SECOND = 4
SWAY, SWAY_SECONDS = 15, 4.0  # pixels to each side: a face that never moves gets no verdict
NOISE = 3  # grey levels
SET_FORMAT, OUTPUT, NO_FIELDS, SRGB = 0xC0D05605, 2, 1, 8  # of <linux/videodev2.h>

number = os.open(DEVICE, os.O_RDWR)
yuyv = int.from_bytes(b"YUYV", "little")
wanted = struct.pack("<II7I", OUTPUT, 0, WIDTH, HEIGHT, yuyv, NO_FIELDS, 2 * WIDTH, 2 * WIDTH * HEIGHT, SRGB)
fcntl.ioctl(number, SET_FORMAT, wanted.ljust(208, b"\0"))
random = np.random.default_rng()
noise = random.integers(0, NOISE, (HEIGHT, WIDTH), dtype=np.uint8)
empty = np.full((HEIGHT, WIDTH), 90, dtype=np.uint8)
frame = np.full((HEIGHT, WIDTH, 2), 128, dtype=np.uint8)  # luma, and chroma that stays grey
while True:
    if not FROZEN.exists():
        seen = np.frombuffer(PICTURE.read_bytes(), np.uint8).reshape(HEIGHT, WIDTH) if PICTURE.exists() else empty
        sway = round(SWAY * math.sin(time.monotonic() / SWAY_SECONDS * math.tau))
        swayed = np.minimum(np.roll(seen, sway, axis=1), 255 - NOISE)
        frame[:, :, 0] = swayed + np.roll(noise, random.integers(HEIGHT), axis=0)
    os.write(number, frame.tobytes())
    time.sleep(1 / FRAMES_PER_SECOND)
