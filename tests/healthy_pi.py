"""Makes a folder that looks like a Raspberry Pi in good health: files, programs on PATH, modules of Python."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Self

import numpy as np
import pytest

from device.doctor.host import Host

KIOSK_PID = 812
FILES = {
    "etc/os-release": 'PRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\nID=debian\nVERSION_ID="12"\n',
    "etc/passwd": "root:x:0:0::/root:/bin/bash\nmask-kiosk:x:990:990::/nonexistent:/usr/sbin/nologin\n",
    "etc/group": "video:x:44:pi,mask-kiosk\nrender:x:106:mask-kiosk\ngpio:x:997:pi,mask-kiosk\nmask-kiosk:x:990:\n",
    "etc/mask-kiosk/kiosk.toml": "",
    "proc/device-tree/model": "Raspberry Pi 4 Model B Rev 1.4\0",
    "proc/meminfo": "MemTotal:        3884372 kB\nMemFree:          100000 kB\n",
    "proc/mounts": "/dev/root / ext4 rw,noatime 0 0\nproc /proc proc rw 0 0\n",
    "proc/locks": "",
    "run/systemd/timesync/synchronized": "",
    "sys/class/thermal/thermal_zone0/temp": "51540\n",
    "sys/block/mmcblk0/device/life_time": "0x01 0x02\n",
    "sys/block/mmcblk0/device/pre_eol_info": "0x01\n",
    "usr/lib/systemd/journald.conf.d/40-rpi-volatile-storage.conf": "[Journal]\nStorage=volatile\n",
    "opt/mask-kiosk/current": "",
    "dev/gpiochip0": "",
    "dev/media0": "",
}
PROGRAMS = {
    "dpkg": "echo arm64",
    "vcgencmd": "echo throttled=0x0",
    "df": "echo Avail; echo 21000",
    "timedatectl": "echo yes",
}
SERVICE = {
    "LoadState": "loaded", "ActiveState": "active", "SubState": "running", "Result": "success", "NRestarts": "0",
    "StatusText": "IDLE nobody there", "MainPID": str(KIOSK_PID), "User": "mask-kiosk", "WatchdogUSec": "6s",
    "WorkingDirectory": "/run/mask-kiosk",
    "Environment": "PYTHONUNBUFFERED=1 GPIOZERO_PIN_FACTORY=lgpio", "SupplementaryGroups": "",
    "ProtectHome": "yes", "PrivateTmp": "yes",
    "IPAddressAllow": "127.0.0.0/8 ::1/128", "IPAddressDeny": "::/0 0.0.0.0/0",
}  # fmt: skip
PICAMERA2 = """
class Picamera2:
    @staticmethod
    def global_camera_info():
        return [{"Model": "imx708", "Num": 0}]
"""
GPIOZERO = """
class LGPIOFactory: pass
class Device:
    pin_factory = None
    @classmethod
    def ensure_pin_factory(cls):
        import lgpio, os
        assert os.environ["GPIOZERO_PIN_FACTORY"] == "lgpio"
        lgpio.gpiochip_open(0)
        cls.pin_factory = LGPIOFactory()
"""
LGPIO = """
class error(Exception): pass
TAKEN = {taken!r}
def gpiochip_open(number):
    if number:
        raise error("can not open gpiochip")
    return 0
def gpio_get_chip_info(chip):
    return [0, 58, "gpiochip0", "pinctrl-bcm2711"]
def gpio_get_line_info(chip, line):
    return [0, line, 1 if line in TAKEN else 0, f"GPIO{{line}}", TAKEN.get(line, "")]
"""


NOBODY = 65534


@contextmanager
def as_somebody(*files: Path) -> Iterator[None]:
    """Let files belong to whoever looks meanwhile, who isn't root."""
    if os.getuid() or not files:
        yield
        return
    for file in files:
        os.chown(file, NOBODY, -1)
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)


class Pi:
    """A healthy one, until a test breaks something of it; what does so can be chained."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.root, self.bin, self.modules = folder / "root", folder / "bin", folder / "modules"
        self.host = Host(self.root)
        for path in (self.bin, self.modules):
            path.mkdir()
        system = self.root / "usr/lib/python3/dist-packages"
        for place, text in FILES.items():
            self.write(place, text)
        for name, script in PROGRAMS.items():
            self.program(name, script)
        self.program("systemctl", f'exec /bin/cat "{folder}/units/${{2:-manager}}"')
        self.units = folder / "units"
        self.units.mkdir()
        self.unit("mask-kiosk.service", SERVICE)
        self.unit("mask-kiosk-screen.service", {"LoadState": "not-found", "ActiveState": "inactive"})
        self.unit("mask-kiosk-pull.timer", {"ActiveEnterTimestampMonotonic": "0"})
        self.unit("manager", {"RuntimeWatchdogUSec": "1min"})
        self.module("picamera2", PICAMERA2)
        self.module("gpiozero", GPIOZERO)
        self.taken_pins({17: "lg", 22: "lg", 27: "lg"})
        self.listens(6275, 5101)
        self.process(KIOSK_PID, "python", "/dev/media0", *3 * ["anon_inode:gpio-line"], "socket:[5101]")
        system.mkdir(parents=True)
        (system / "numpy").symlink_to(Path(np.__file__).parent)
        monkeypatch.setenv("PATH", str(self.bin))
        monkeypatch.setenv("PYTHONPATH", f"{self.modules}:{system}")

    def write(self, path: str, text: str, mode: int = 0o644) -> Self:
        """Write a file below the root."""
        target = self.root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)
        target.chmod(mode)
        return self

    def program(self, name: str, script: str) -> Self:
        """Put a program on PATH."""
        (self.bin / name).write_text(f"#!/bin/sh\n{script}\n")
        (self.bin / name).chmod(0o755)
        return self

    def module(self, name: str, code: str) -> Self:
        """Put a module where Python looks first."""
        (self.modules / f"{name}.py").write_text(code)
        return self

    def package(self, name: str, version: str, code: str, *inner: str) -> Self:
        """Put an installed package there: its metadata, and a module of its name or inside it."""
        module = name.replace("-", "_")
        folder = self.modules / f"{module}-{version}.dist-info"
        folder.mkdir()
        (folder / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
        if inner:
            (self.modules / module).mkdir()
            (self.modules / module / "__init__.py").write_text("")
            for part in inner:
                (self.modules / module / f"{part}.py").write_text(code)
        return self

    def unit(self, name: str, properties: dict[str, str]) -> Self:
        """Set what systemd says of a unit."""
        (self.units / name).write_text("".join(f"{key}={value}\n" for key, value in properties.items()))
        return self

    def service(self, **changes: str) -> Self:
        """Change what systemd says of the kiosk's."""
        self.unit("mask-kiosk.service", {**SERVICE, **changes})
        return self

    def kiosk_user(self, number: int, group: int) -> Self:
        """Let the kiosk's user, and the group of its name, have other numbers."""
        self.write("etc/passwd", f"root:x:0:0::/root:/bin/bash\nmask-kiosk:x:{number}:{group}::/:/bin/false\n")
        return self.write("etc/group", f"video:x:44:pi,mask-kiosk\nsecrets:x:{os.getgid()}:\nmask-kiosk:x:{group}:\n")

    def taken_pins(self, pins: dict[int, str]) -> Self:
        """Set which pins are taken, and the label that their holder has given."""
        self.module("lgpio", LGPIO.format(taken=pins))
        return self

    def listens(self, port: int, inode: int) -> Self:
        """Let a socket listen at a port, and no other."""
        row = f"0: 0100007F:{port:04X} 00000000:0000 0A 00000000:00000000 00:00000000 00000000 990 0 {inode} 1"
        return self.write("proc/net/tcp", f"  sl  local_address rem_address st\n   {row}\n")

    def process(self, pid: int, name: str, *files: str, seen: bool = True) -> Self:
        """Let a process run that has files open, which may be seen or not."""
        self.write(f"proc/{pid}/comm", f"{name}\n")
        folder = self.root / f"proc/{pid}/fd"
        if seen:
            folder.mkdir()
            for number, file in enumerate(files):
                (folder / str(number)).symlink_to(file)
        return self

    def lock_camera(self, pid: int) -> Self:
        """Let a process lock the media device, as libcamera does."""
        inode = (self.root / "dev/media0").stat().st_ino
        self.write("proc/locks", f"1: POSIX  ADVISORY  WRITE {pid} 00:06:{inode} 0 EOF\n")
        return self

    def config(self, text: str) -> Self:
        """Write the kiosk.toml."""
        self.write("etc/mask-kiosk/kiosk.toml", text)
        return self

    def shut(self, path: str) -> Self:
        """Let nobody but its owner enter a folder below the root."""
        (self.root / path).chmod(0o700)
        return self

    def remove(self, path: str) -> Self:
        """Remove a file below the root."""
        (self.root / path).unlink()
        return self

    def usb(self, *, plugged: bool = True) -> Self:
        """Let the kiosk have a USB camera, which may be plugged in or not."""
        self.config("[camera]\nsource = 'usb:0'\n")
        return self.write("dev/video0", "") if plugged else self
