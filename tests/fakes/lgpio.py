"""Stands for lgpio: the chip of a Pi's header, whose lines are busy at first; what is claimed goes to LGPIO_CLAIMS."""

import os
from pathlib import Path

_tries: dict[int, int] = {}
BUSY_TRIES = 3  # as long as the kernel hasn't taken a line from a process that died


class error(Exception):  # its name there
    """As lgpio's."""


def gpiochip_open(number: int) -> int:
    """Open chip 0; there is no other."""
    if number:
        raise error("can not open gpiochip")
    return 7


def gpio_get_chip_info(handle: int) -> tuple[int, int, str, str]:
    """Return status, lines, name and label of a chip."""
    assert handle == 7
    return 0, 54, "gpiochip0", "pinctrl-bcm2711"


def gpio_claim_output(handle: int, gpio: int, level: int) -> int:
    """Claim a line at a level."""
    assert handle == 7
    _tries[gpio] = _tries.get(gpio, 0) + 1
    if _tries[gpio] <= BUSY_TRIES:
        raise error("GPIO busy")
    with Path(os.environ["LGPIO_CLAIMS"]).open("a", encoding="ascii") as claims:
        claims.write(f"{gpio} {level}\n")
    return 0
