#!/usr/bin/python3
"""Plays a picture into a v4l2loopback device as YUYV, again and again: what the virtual Pi's camera sees.

The picture is /run/feeder/picture, WIDTH x HEIGHT grey bytes; another one is moved over it. Without one all is black.
"""

import fcntl
import os
import struct
import time
from pathlib import Path

DEVICE, PICTURE = Path("/dev/video10"), Path("/run/feeder/picture")
WIDTH, HEIGHT = 640, 480
FRAMES_PER_SECOND = 5
SET_FORMAT, OUTPUT, NO_FIELDS, SRGB = 0xC0D05605, 2, 1, 8  # of <linux/videodev2.h>

number = os.open(DEVICE, os.O_RDWR)
yuyv = int.from_bytes(b"YUYV", "little")
wanted = struct.pack("<II7I", OUTPUT, 0, WIDTH, HEIGHT, yuyv, NO_FIELDS, 2 * WIDTH, 2 * WIDTH * HEIGHT, SRGB)
fcntl.ioctl(number, SET_FORMAT, wanted.ljust(208, b"\0"))
frame = bytearray(b"\0\x80" * (WIDTH * HEIGHT))  # luma, and chroma that stays grey
while True:
    if PICTURE.exists():
        frame[::2] = PICTURE.read_bytes()
    os.write(number, frame)
    time.sleep(1 / FRAMES_PER_SECOND)
