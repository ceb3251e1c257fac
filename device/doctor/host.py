"""Reads the computer that the doctor looks at: files below a root, programs on PATH, modules of this Python."""

import ipaddress
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from device import board
from device.errors import KioskError
from device.settings import Settings, read_settings

TREE = Path(__file__).parent.parent.parent
CONFIG = "etc/mask-kiosk/kiosk.toml"
UNIT, SCREEN_UNIT = "mask-kiosk.service", "mask-kiosk-screen.service"
Network = ipaddress.IPv4Network | ipaddress.IPv6Network
EVERYWHERE: tuple[Network, ...] = (ipaddress.ip_network("0.0.0.0/0"), ipaddress.ip_network("::/0"))
PROGRAM_SECONDS, PYTHON_SECONDS = 20, 90  # a program that takes longer hangs; importing picamera2 is slow


class CantTellError(KioskError):
    """Something that a check needs isn't there; the message says what."""


@dataclass(frozen=True)
class Ran:
    """What a program did."""

    code: int  # negative: ended by that signal
    out: str
    err: str

    @property
    def last_line(self) -> str:
        """The line that says what went wrong, as a traceback's last one does."""
        lines = (self.err.strip() or self.out.strip()).splitlines()
        return lines[-1] if lines else f"exit code {self.code}"

    @property
    def answer(self) -> Any:  # noqa: ANN401
        """What its last line says, in JSON; before it may stand what libraries print."""
        return json.loads(self.out.splitlines()[-1])

    def require_done(self, trouble: str) -> None:
        """Raise CantTellError, with this before the reason, where it failed."""
        if self.code:
            raise CantTellError(f"{trouble} ({self.last_line})")


@dataclass(frozen=True)
class Process:
    """A running process and what it has open."""

    pid: int
    name: str
    open_files: tuple[str, ...] | None  # None: this user may not see them

    def __str__(self) -> str:
        return f"{self.name} ({self.pid})"


@dataclass(frozen=True)
class Host:
    """The computer below `root`, and the settings of its kiosk."""

    root: Path = Path("/")
    config: Path | None = None  # by default the installed one, and the defaults where none is installed

    @cached_property
    def config_path(self) -> Path | None:
        """The kiosk.toml that counts here."""
        installed = self.root / CONFIG
        return self.config or (installed if installed.exists() else None)

    @cached_property
    def settings(self) -> Settings:
        """Raises SettingsError."""
        return read_settings(self.config_path)

    def text(self, path: str) -> str | None:
        """Return the content of a file below the root, stripped; None where there is none that can be read."""
        return board.text(self.root / path)

    @property
    def is_pi(self) -> bool:
        """Tell whether the board is a Raspberry Pi."""
        return board.is_pi(self.root)

    def run(
        self, *command: str, folder: str = "/", seconds: float = PROGRAM_SECONDS, extra: dict[str, str] | None = None
    ) -> Ran:
        """Run a program from PATH in a folder. Raises CantTellError where it is missing or hangs."""
        try:
            done = subprocess.run(
                command, cwd=folder, env={**os.environ, "LC_ALL": "C.UTF-8", **(extra or {})}, timeout=seconds,
                capture_output=True, stdin=subprocess.DEVNULL, check=False, encoding="utf-8", errors="replace",
            )
        except OSError as error:
            raise CantTellError(f"{command[0]} can't be run ({error.strerror})") from error
        except subprocess.TimeoutExpired as error:
            raise CantTellError(f"{command[0]} gave no answer within {seconds} s") from error
        return Ran(done.returncode, done.stdout, done.stderr)

    def python(self, code: str, *arguments: str, **environment: str) -> Ran:
        """Run code in a Python of its own, as the device's: a crash of a library there is a finding, not our end."""
        path = os.pathsep.join(part for part in (str(TREE), os.environ.get("PYTHONPATH", "")) if part)
        extra = {"PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1", **environment}
        with tempfile.TemporaryDirectory() as folder:  # lgpio puts a FIFO into the folder that it is imported in
            command = sys.executable, "-c", code, *arguments
            return self.run(*command, folder=folder, seconds=PYTHON_SECONDS, extra=extra)

    @cached_property
    def service(self) -> dict[str, str]:
        """The properties of the kiosk's service when systemd was first asked; none where it doesn't answer."""
        try:
            return self.unit()
        except CantTellError:
            return {}

    def unit(self, name: str = UNIT) -> dict[str, str]:
        """Return systemd's properties of a unit. Raises CantTellError where systemd doesn't answer."""
        return self._systemd(name)

    def allowed(self, name: str = UNIT) -> list[Network]:
        """Return the networks that systemd lets a unit speak with; what is denied in part counts as allowed.

        Raises CantTellError where systemd doesn't answer.
        """
        unit = self.unit(name)
        lists = (unit.get(key, "").split() for key in ("IPAddressAllow", "IPAddressDeny"))
        allow, deny = ([ipaddress.ip_network(word) for word in words] for words in lists)
        return allow + [network for network in EVERYWHERE if network not in deny]

    @property
    def kiosk_pid(self) -> int:
        """The kiosk's process id; 0 where it doesn't run, or systemd doesn't answer."""
        try:
            return int(self.unit().get("MainPID") or 0)
        except CantTellError:
            return 0

    def manager(self) -> dict[str, str]:
        """Return systemd's own properties. Raises CantTellError where it doesn't answer."""
        return self._systemd()

    def _systemd(self, *name: str) -> dict[str, str]:
        ran = self.run("systemctl", "show", *name)
        ran.require_done("systemd doesn't answer")
        return dict(line.split("=", 1) for line in ran.out.splitlines() if "=" in line)

    def processes(self) -> Iterator[Process]:
        """Yield what runs, by process id."""
        folders = (path for path in (self.root / "proc").glob("[0-9]*") if path.name.isdigit())
        for folder in sorted(folders, key=lambda path: int(path.name)):
            name = self.text(f"proc/{folder.name}/comm")
            if name is not None:  # else it has ended by now
                yield Process(int(folder.name), name, _open_files(folder / "fd"))


def _open_files(folder: Path) -> tuple[str, ...] | None:
    files = []
    try:
        for entry in sorted(folder.iterdir()):
            try:
                files.append(str(entry.readlink()))
            except FileNotFoundError:  # closed by now
                continue
    except OSError:
        return None
    return tuple(files)
