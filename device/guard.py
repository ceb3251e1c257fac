"""Switches the outputs off when the kiosk was killed: a process of its own, which outlives it by a moment.

A Raspberry Pi leaves an output at its level when the process that held it dies, and whoever was killed can't switch
anything. systemd's ExecStopPost= does it too, but only once another Python has started, seconds later on a busy Pi.
"""

import importlib.util
import os
import signal
import tempfile
import time
from contextlib import suppress
from types import TracebackType
from typing import Any, Self

from device.settings import SignalSettings
from device.signals.wiring import off_levels

CHIPS = (0, 4)  # one is the header's, 4 on a Pi 5 with an older kernel; the other may be an expander's
HEADER = "pinctrl-"  # how the label of its chip begins, on every Pi
RETRY_SECONDS, PATIENCE_SECONDS = 0.005, 2.0  # until the kernel has taken the lines from the dead
UNHEARD = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)  # meant for the kiosk, after which this ends by itself


class Guard:
    """Nothing, until the process that entered it ends without having left it."""

    def __init__(self, settings: SignalSettings, pins: str) -> None:
        """Take the pins that are wired; if `pins` is "mock" or lgpio is missing, there is nothing to guard."""
        self._off = off_levels(settings)
        self._wanted = pins != "mock" and importlib.util.find_spec("lgpio") is not None
        self._child = self._voice = 0

    def __enter__(self) -> Self:
        if self._wanted:
            ear, self._voice = os.pipe()
            heard = signal.pthread_sigmask(signal.SIG_BLOCK, UNHEARD)
            self._child = os.fork()
            if not self._child:
                os.close(self._voice)
                _outlive(ear, self._off)
            signal.pthread_sigmask(signal.SIG_SETMASK, heard)
            os.close(ear)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        if self._child:
            with suppress(BrokenPipeError):  # it has ended: it may not open the chip, or was killed itself
                os.write(self._voice, b".")
            os.close(self._voice)
            os.waitpid(self._child, 0)


def _outlive(ear: int, off: dict[int, int]) -> None:
    """End the process, once the kiosk has said that it left its outputs off, or else after switching them off."""
    code = 1
    try:
        with tempfile.TemporaryDirectory() as folder:
            os.environ["LG_WD"] = folder  # where lgpio makes a FIFO, whose name would be that of the kiosk's own
            import lgpio

            chip = open_header(lgpio)
            if chip is not None and not os.read(ear, 1):
                _switch_off(lgpio, chip, off)
        code = 0
    finally:
        os._exit(code)


def open_header(lgpio: Any) -> int | None:  # noqa: ANN401  # it has no types
    """Return the handle of the header's chip, None where there is none, or none that may be opened."""
    for number in CHIPS:
        try:
            chip = int(lgpio.gpiochip_open(number))
        except lgpio.error:
            continue
        if lgpio.gpio_get_chip_info(chip)[3].startswith(HEADER):
            return chip
    return None


def _switch_off(lgpio: Any, chip: int, off: dict[int, int]) -> None:  # noqa: ANN401
    """Claim each pin at its level for off; those that are held are tried again."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    left = dict(off)
    while left and time.monotonic() < deadline:
        for pin, level in list(left.items()):
            try:
                lgpio.gpio_claim_output(chip, pin, level)
            except lgpio.error:
                continue
            del left[pin]
        time.sleep(RETRY_SECONDS)
