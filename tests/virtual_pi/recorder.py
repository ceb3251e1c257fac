#!/usr/bin/python3
"""Writes down every change of the kiosk's outputs as the simulated chip has them, from outside of the kiosk's process.

A line of /run/recorder/levels: seconds since the start, then the levels of red, green, buzzer and relay.
"""

import os
import time
from pathlib import Path

CHIP = Path("/sys/devices/platform/gpio-sim/gpiochip0")
PINS = (17, 27, 22, 16)
LOOKS_PER_SECOND = 25

files = [os.open(CHIP / f"sim_gpio{pin}" / "value", os.O_RDONLY) for pin in PINS]
last: list[str] = []
with Path("/run/recorder/levels").open("w", encoding="ascii", buffering=1) as history:
    while True:
        now = [os.pread(file, 1, 0).decode() for file in files]
        if now != last:
            print(f"{time.monotonic():.3f}", *now, file=history)
            last = now
        time.sleep(1 / LOOKS_PER_SECOND)
