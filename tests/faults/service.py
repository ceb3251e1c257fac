"""Stands in for systemd: runs the kiosk as systemd/mask-kiosk.service says, and notes what becomes of it.

Of the unit it knows the commands, NotifyAccess=main, and the times of watchdog, stop and restart.
"""

import re
import signal
import socket
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path

TREE = Path(__file__).parent.parent.parent
UNIT = (TREE / "systemd" / "mask-kiosk.service").read_text(encoding="utf-8")
PYTHON = "/opt/mask-kiosk/current/venv/bin/python"


def seconds(key: str) -> float:
    """Return a number of the unit."""
    found = re.search(rf"^{key}=(\d+)$", UNIT, re.MULTILINE)
    assert found, key
    return float(found[1])


@dataclass(frozen=True)
class Note:
    """Something that became of the service."""

    at: float  # seconds of time.monotonic()
    what: str  # started, a message as READY=1, ended N, killed, off


class Service:
    """The kiosk as a service."""

    def __init__(self, folder: Path, config: Path, environment: dict[str, str]) -> None:
        """Take its folder, its kiosk.toml and its environment."""
        self.log, self.notes, self.pid = folder / "log", list[Note](), 0
        self._folder, self._config = folder, config
        self.environment = environment | {"NOTIFY_SOCKET": str(folder / "notify")}
        self._stopping = False
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(str(folder / "notify"))
        self._socket.settimeout(0.02)
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Start it, as `systemctl start`."""
        self._stopping = False
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def stop(self) -> None:
        """Stop it, as `systemctl stop`."""
        self._stopping = True
        if self._thread:
            self._thread.join()

    def close(self) -> None:
        """Let its socket go; it can't be started again."""
        self._socket.close()

    def when(self, what: str, since: float = 0.0) -> float | None:
        """Return when something was first noted after a moment."""
        return next((note.at for note in list(self.notes) if note.at >= since and note.what.startswith(what)), None)

    def _note(self, what: str) -> None:
        self.notes.append(Note(time.monotonic(), what))

    def _command(self, key: str) -> list[str]:
        (line,) = re.findall(rf"^{key}=-?(.*)$", UNIT, re.MULTILINE)
        places = {PYTHON: sys.executable, "/etc/mask-kiosk/kiosk.toml": str(self._config)}
        return [places.get(word, word.replace("/run/mask-kiosk", str(self._folder / "run"))) for word in line.split()]

    def _run(self, key: str) -> None:
        with self.log.open("a") as log:
            subprocess.run(self._command(key), env=self.environment, cwd=self._folder / "run", stderr=log, check=False)

    def _serve(self) -> None:
        while not self._stopping:
            self._run("ExecStartPre")
            self._note(f"ended {self._main()}")
            self._run("ExecStopPost")
            self._note("off")
            end = time.monotonic() + seconds("RestartSec")
            while not self._stopping and time.monotonic() < end:
                time.sleep(0.02)

    def _main(self) -> int:
        """Run the process to its end; return its exit code."""
        with self.log.open("a") as log:
            process = subprocess.Popen(
                self._command("ExecStart"), env=self.environment, cwd=self._folder / "run",
                stdout=log, stderr=log,
            )  # fmt: skip
        self.pid = process.pid
        self._note("started")
        alive: float | None = None  # seconds: when it was last heard of, once it is ready
        dead: float | None = None  # seconds: when it is killed
        while process.poll() is None:
            for message in self._heard():
                self._note(message)
                alive = time.monotonic() if message in {"READY=1", "WATCHDOG=1"} else alive
                dead = dead or (time.monotonic() + seconds("TimeoutStopSec") if message == "STOPPING=1" else None)
            late = alive is not None and time.monotonic() - alive > seconds("WatchdogSec")
            if dead is None and (late or self._stopping):
                if late:
                    self._note("watchdog")
                dead = time.monotonic() + seconds("TimeoutStopSec")
                process.send_signal(signal.SIGTERM)
                process.send_signal(signal.SIGCONT)  # as systemd does
            if dead is not None and time.monotonic() > dead:
                self._note("killed")
                process.kill()
                process.wait()
        for message in self._heard():
            self._note(message)
        return process.returncode

    def _heard(self) -> list[str]:
        messages = []
        while True:
            try:
                messages.append(self._socket.recv(4096).decode())
            except TimeoutError:
                return messages
