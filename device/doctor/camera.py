"""Checks of the doctor: whether the camera is there, and who has it."""

import re

from device.cameras.source import is_rtsp, is_usb, usb_number
from device.doctor.finding import Case, Check, Level
from device.doctor.host import CantTellError, Host
from device.doctor.user import HINDRANCES, hindrance, kiosks_path

CAMERAS = """
import json
from picamera2 import Picamera2
print(json.dumps([str(camera.get("Model", "camera")) for camera in Picamera2.global_camera_info()]))
"""

ON_NETWORK = "the camera is on the network, where this doesn't look"  # its address may hold a password

SEEN = Case(Level.OK, "{camera}")
NO_PI = Case(
    Level.NOTE, "this is no Raspberry Pi, so it has no Pi camera",
    "Use another camera: `make run CAMERA=usb:0`, or `source` in `[camera]` of kiosk.toml.",
)
NO_PICAMERA2 = Case(
    Level.TROUBLE, "the camera's Python package, picamera2, can't be imported ({error})",
    "If the line names numpy, look at the check of numpy first.\n"
    "Bring libcamera and picamera2, which belong together, up to date: `sudo apt full-upgrade`.\n"
    "Run `sudo apt install python3-picamera2`.\n"
    "Run `make deploy` again.",
)
NO_CAMERA = Case(
    Level.TROUBLE, "no camera or recording is found at {source}",
    "Ribbon camera (pi): switch the Pi off, check that both ends of the cable sit firmly, metal contacts facing metal "
    "contacts, and start it again. `rpicam-hello --list-cameras` must name the camera.\n"
    "USB camera (usb:0): try another socket, then another cable. `ls /dev/video*` must list a device with its number.\n"
    "Recording: correct the path in `[camera]` of kiosk.toml.",
)


def camera(host: Host) -> Case:
    """Ask for the camera that the settings name, without opening it."""
    source = host.settings.camera.source
    if source == "pi":
        ran = host.python(CAMERAS)
        if ran.code:
            return NO_PICAMERA2.of(error=ran.last_line) if host.is_pi else NO_PI
        return SEEN.of(camera=", ".join(ran.answer)) if ran.answer else NO_CAMERA.of(source=source)
    if is_usb(source):
        number = usb_number(source)
        name = host.text(f"sys/class/video4linux/video{number}/name")
        seen = (host.root / f"dev/video{number}").exists()
        return SEEN.of(camera=f"{name or 'a camera'} at /dev/video{number}") if seen else NO_CAMERA.of(source=source)
    if is_rtsp(source):
        raise CantTellError(ON_NETWORK)
    recording = kiosks_path(host, source)
    if hindered := hindrance(host, recording):
        return hindered
    return SEEN.of(camera=source) if recording.exists() else NO_CAMERA.of(source=source)


FREE = Case(Level.OK, "no other program has it")
OWNED = Case(
    Level.TROUBLE, "the camera is taken by {who}",
    "End that program: `sudo systemctl stop` and the name of its service, or `sudo kill` and the number in brackets.\n"
    "Keep it from starting again.\n"
    "Restart the kiosk: `sudo systemctl restart mask-kiosk`.",
)


def camera_owner(host: Host) -> Case:
    """Look who has the camera, the kiosk itself left out."""
    source = host.settings.camera.source
    if source == "pi":
        owners, complete = _lockers(host), True
    elif is_usb(source):
        owners, complete = _openers(host, f"/dev/video{usb_number(source)}")
    else:
        raise CantTellError(ON_NETWORK if is_rtsp(source) else f"{source} is a recording, which nobody has to itself")
    kiosk = host.kiosk_pid
    who = [f"{name} ({pid})" for pid, name in owners.items() if pid != kiosk]
    if who:
        return OWNED.of(who=", ".join(who))
    if not complete and not owners:
        raise CantTellError("this user may not see what other users' programs have open: run it with sudo")
    return FREE


def _lockers(host: Host) -> dict[int, str]:
    """Return who locks a media device, as libcamera does with a camera that it uses."""
    media = {str(device.stat().st_ino) for device in (host.root / "dev").glob("media*")}
    locks = re.findall(r"POSIX\s+\S+\s+WRITE\s+(\d+)\s+\w+:\w+:(\d+)\s", host.text("proc/locks") or "")
    pids = {int(pid) for pid, inode in locks if inode in media}
    return {pid: host.text(f"proc/{pid}/comm") or "a program" for pid in sorted(pids)}


def _openers(host: Host, device: str) -> tuple[dict[int, str], bool]:
    """Return who has a device open, and whether every program could be looked at."""
    processes = list(host.processes())
    owners = {process.pid: process.name for process in processes if device in (process.open_files or ())}
    return owners, all(process.open_files is not None for process in processes)


CHECKS = (
    Check("camera", "Without its camera the kiosk ends and is started again, over and over.", camera,
          (SEEN, NO_PI, NO_PICAMERA2, *HINDRANCES, NO_CAMERA)),
    Check("camera owner", "Only one program at a time can use the camera: even rpicam-hello keeps the kiosk from it.",
          camera_owner, (FREE, OWNED)),
)
