"""Runs a command while a computer that stands for a Pi is up: newcomer_pi.py SYSTEM HOME COMMAND…

SYSTEM is a folder with a Debian that it is booted from. To whom the folder HOME belongs, it is pi@kiosk.local.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from pi_box import Box

CAMERA = '''\
"""Stands for picamera2: an empty room, grey and with noise, ten times a second."""
import contextlib, time
import numpy as np

class Picamera2:
    def create_preview_configuration(self, **asked):
        return asked

    def configure(self, asked):
        pass

    start = stop = close = cancel_all_and_flush = lambda self: None

    @contextlib.contextmanager
    def captured_request(self, wait):
        time.sleep(0.1)
        yield self

    def make_array(self, name):
        return np.random.randint(100, 140, (720, 640), np.uint8)
'''
WHAT = """\
kiosk.local is up. It stands for a Pi: an x86-64 Debian 12 in a container, with systemd, sshd and sudo of its own.
Its {python} and what that loads are arm64's, run by qemu, and it says of itself that it is arm64.
It has no pins (lgpio is an empty module), and for a camera drawn pictures of an empty room."""


class Pi(Box):
    """The box, without what /sys tells of this computer's processor: LiteRT for arm64 crashes on that."""

    def _command(self) -> list[str | Path]:
        nspawn, *rest = super()._command()
        return [nspawn, "--tmpfs=/sys/devices/system/cpu", *rest]


def main(system: Path, home: Path, command: list[str]) -> int:
    """Run the command; return its exit code."""
    with tempfile.TemporaryDirectory() as folder:
        box = Pi(Path(folder), system=system)
        try:
            (box.root / "usr/lib/python3/dist-packages/picamera2.py").write_text(CAMERA)
            box.boot()
            _introduce(box, home)
            print(WHAT.format(python=box.ssh("/usr/bin/python3 --version").stdout.strip()), flush=True)
            return subprocess.run(command, check=False).returncode
        finally:
            box.close()


def _introduce(box: Box, home: Path) -> None:
    """Give a home what its owner needs to log in: the key, and the box under its name."""
    ssh = home / ".ssh"
    ssh.mkdir()
    (ssh / "config").write_text(f"Host kiosk.local\n  HostName 127.0.0.1\n  Port {box.port}\n")
    shutil.copy(box.folder / "known_hosts", ssh)
    shutil.copy(box.folder / "key", ssh / "id_ed25519")
    for path in (ssh, *ssh.iterdir()):
        os.chown(path, home.stat().st_uid, home.stat().st_gid)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3:]))
