"""Stands in for a Pi's pins: gpiozero's mock, but for levels that outlast the process, as those of real pins do.

In the folder $STAGE: levels, one line a change with the time, in seconds of time.monotonic(), the pin and its level;
and claims, one file a pin, which is locked while a process has the pin.
"""

import fcntl
import os
import time
from pathlib import Path
from typing import Any

from gpiozero.pins.mock import MockFactory, MockPin

STAGE = Path(os.environ["STAGE"])


class WirePin(MockPin):  # type: ignore[misc]
    """A pin that only one process can have."""

    def __init__(self, factory: MockFactory, info: Any) -> None:
        super().__init__(factory, info)
        self._number = int(info.name.removeprefix("GPIO"))
        self._claim = (STAGE / "claims" / str(self._number)).open("w")
        try:
            fcntl.flock(self._claim, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise RuntimeError("'GPIO busy'") from error

    def _set_state(self, value: float) -> None:
        super()._set_state(value)
        with (STAGE / "levels").open("a") as levels:
            levels.write(f"{time.monotonic()} {self._number} {int(value)}\n")


class WireFactory(MockFactory):  # type: ignore[misc]
    """Those pins."""

    def __init__(self) -> None:
        super().__init__(pin_class=WirePin)
