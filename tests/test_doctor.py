import dataclasses
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from healthy_pi import NOBODY, Pi, as_somebody
from places import TREE

from deploy.checks import Facts, shortages
from device.classifier import MODELS
from device.doctor import camera, models, packages, pins, screen, service, storage, system, telemetry
from device.doctor.doctor import CHECKS, as_json, as_text, examine, exit_code, manual, summary
from device.doctor.finding import Case, Finding, Level
from device.doctor.host import Host
from device.doctor.user import HIDES, LOCKED, SHUT_IN
from trainer.collect_key import PUBLIC, make_pair

ON_NETWORK = "[camera]\nsource = 'rtsp://me:secret@door/1'\n"
OWN_NUMPY = '__version__ = "2.4.6"\n__file__ = "/venv/numpy.py"\n'
FAILED = {"ActiveState": "failed", "SubState": "failed", "Result": "exit-code", "NRestarts": "5"}
SECRET = f"whsec_{'A' * 32}"
COLLECTING = "[signals]\ncollect_pin = 26\n[collect]\npublic_key = '{key}'\n"
LOCAL, ANY, SCREEN = "127.0.0.0/8 ::1/128", "::/0 0.0.0.0/0", "mask-kiosk-screen.service"
OURS = f"{os.getuid()}:{os.getgid()}"
OS_RELEASE = 'ID={id}\nVERSION_ID="{version}"\nPRETTY_NAME="{name}"\n'


@dataclasses.dataclass(frozen=True)
class Row:
    """What is broken of a healthy Pi, and the case that the check of this name must find."""

    name: str
    breaks: Callable[[Pi], object]
    case: Case
    values: dict[str, object] = dataclasses.field(default_factory=dict)

    def __str__(self) -> str:
        return f"{self.name}: {self.case.found}"


def practice_model(pi: Pi) -> None:
    folder = pi.root / "models"
    folder.mkdir()
    shutil.copy(MODELS / "door.tflite", folder)
    card = json.loads((MODELS / "door.json").read_text())
    (folder / "door.json").write_text(json.dumps({**card, "practice": True}))
    pi.config('[model]\nname = "/models/door.tflite"\n')


def wrong_golden(pi: Pi) -> None:
    practice_model(pi)
    shutil.copytree(MODELS / "golden" / "door", pi.root / "models/golden/door")
    answers = pi.root / "models/golden/door/golden.json"
    content = json.loads(answers.read_text())
    content["pictures"][2]["state"] = "ALARM"
    answers.write_text(json.dumps(content))


def damaged_model(pi: Pi) -> None:
    practice_model(pi)
    model = pi.root / "models/door.tflite"
    model.write_bytes(model.read_bytes()[:1000])


def fallen_back(pi: Pi, numpy: str = "1.24.2", *, litert: bool = True) -> None:
    pi.module("numpy", f"__version__ = {numpy!r}")
    pi.package("tflite-runtime", "2.14.0", "class Interpreter: pass", "interpreter")
    code = 'raise ImportError("libstdc++ is too old")'
    if litert:
        pi.package("ai-edge-litert", "9.9", code, "interpreter")
    else:
        pi.module("ai_edge_litert", 'raise ModuleNotFoundError("no", name="ai_edge_litert")')


def no_runtime(pi: Pi) -> None:
    pi.package("ai-edge-litert", "9.9", 'raise ImportError("wrong GLIBC")', "interpreter")


def looked(pi: Pi, code: int, hours_ago: float, **more: float) -> None:
    pi.write("etc/mask-kiosk-pull/server", "https://a/")
    last = {"time": time.time() - hours_ago * 3600, "code": code, "line": "0.1.0-a runs already"}
    pi.write("run/mask-kiosk-pull/last.json", json.dumps(last | more))


def followed_later(pi: Pi, uptime: str) -> None:
    pi.write("etc/mask-kiosk-pull/server", "https://a/").write("proc/uptime", f"{uptime} 9.9")
    pi.unit("mask-kiosk-pull.timer", {"ActiveEnterTimestampMonotonic": "90000000000"})


def two_opencvs(pi: Pi) -> None:
    pi.package("opencv-python", "4.11.0", "")
    pi.module("cv2", fake_opencv("4.11.0", "NONE"))


def fake_opencv(version: str, gui: str) -> str:
    return f'__version__ = "{version}"\ndef getBuildInformation(): return "\\n  GUI:   {gui}\\n"\n'


def with_broker(pi: Pi, host: str = "127.0.0.1", mode: int = 0o640) -> Pi:
    pi.write("etc/mask-kiosk/mqtt-password", "secret", mode).kiosk_user(os.getuid(), os.getgid())
    return pi.config(f"[mqtt]\nenabled = true\nhost = '{host}'\nport = 9\n")


def with_webhook(pi: Pi, url: str = "https://127.0.0.1/token", mode: int = 0o640) -> Pi:
    pi.write("etc/mask-kiosk/webhook-secret", SECRET, mode).kiosk_user(os.getuid(), os.getgid())
    return pi.config(f"[webhook]\nenabled = true\nurl = '{url}'\n")


def locked(pi: Pi, path: str, content: bytes, mode: int = 0o600) -> Pi:
    """Let the service's user be another one, and a file its owner's alone."""
    pi.write(path, "", mode).kiosk_user(NOBODY, NOBODY)
    (pi.root / path).write_bytes(content)
    return pi


def key(folder: Path) -> bytes:
    """Return a collector's public key."""
    make_pair(folder)
    return (folder / PUBLIC).read_bytes()


def locked_card(pi: Pi) -> None:
    practice_model(pi)
    locked(pi, "models/door.json", (pi.root / "models/door.json").read_bytes())


def said(path: str, mode: str = "0600") -> dict[str, object]:
    return {"user": "mask-kiosk", "path": f"{{root}}/{path}", "mode": mode, "owner": OURS, "group": "mask-kiosk"}


HIDES_TOO, SHUT_IN_TOO, LOCKED_TOO = telemetry.HINDERED
SYSTEM_ROWS = (
    Row("system", lambda pi: pi.write("etc/os-release", OS_RELEASE.format(id="debian", version="11", name="Bullseye")),
        system.OTHER_OS, {"system": "Bullseye"}),
    Row("system", lambda pi: pi.remove("proc/device-tree/model"), system.NO_PI,
        {"system": "Debian GNU/Linux 12 (bookworm)"}),
    Row("system", lambda pi: pi.remove("proc/device-tree/model").write(
        "etc/os-release", OS_RELEASE.format(id="fedora", version="43", name="Fedora Linux 43")), system.NO_PI,
        {"system": "Fedora Linux 43"}),
    Row("architecture", lambda pi: pi.program("dpkg", "echo armhf"), system.NARROW, {"architecture": "armhf"}),
    Row("power", lambda pi: pi.program("vcgencmd", "echo throttled=0x50005"), system.WEAK,
        {"now": "undervoltage, throttled", "past": "undervoltage, throttled"}),
    Row("power", lambda pi: pi.program("vcgencmd", "echo throttled=0xa0000"), system.WAS_WEAK,
        {"past": "the processor's clock is capped, at the soft temperature limit"}),
    Row("temperature", lambda pi: pi.write("sys/class/thermal/thermal_zone0/temp", "80100"), system.WARM,
        {"degrees": 80}),
    Row("temperature", lambda pi: pi.write("sys/class/thermal/thermal_zone0/temp", "85200"), system.OVERHEATED,
        {"degrees": 85}),
    Row("clock", lambda pi: pi.remove("run/systemd/timesync/synchronized").program("timedatectl", "echo no"),
        system.UNSYNCED),
    Row("memory", lambda pi: pi.write("proc/meminfo", "MemTotal: 930000 kB").unit(
        SCREEN, {"UnitFileState": "enabled", "ActiveState": "inactive"}), system.NO_SCREEN, {"gigabytes": "0.9"}),
    Row("memory", lambda pi: pi.write("proc/meminfo", "MemTotal: 930000 kB").unit(
        SCREEN, {"UnitFileState": "enabled", "ActiveState": "active"}), system.TOO_LITTLE, {"gigabytes": "0.9"}),
    Row("memory", lambda pi: pi.write("proc/meminfo", "MemTotal: 930000 kB").unit(
        SCREEN, FAILED | {"ActiveState": "activating", "SubState": "auto-restart"}), system.TOO_LITTLE,
        {"gigabytes": "0.9"}),
)
STORAGE_ROWS = (
    Row("space", lambda pi: pi.program("df", "echo Avail; echo 899"), storage.NARROW, {"megabytes": 899}),
    Row("space", lambda pi: pi.program("df", "echo Avail; echo 99"), storage.FULL, {"megabytes": 99}),
    Row("root", lambda pi: pi.write("proc/mounts", "/dev/root / ext4 ro,noatime 0 0"), storage.READ_ONLY,
        {"kind": "ext4"}),
    Row("root", lambda pi: pi.write("proc/mounts", "/dev/root / ext4 ro 0 0\noverlayroot / overlay rw 0 0"),
        storage.OVERLAID),
    Row("wear", lambda pi: pi.write("sys/block/mmcblk0/device/life_time", "0x03 0x08"), storage.WEARING,
        {"name": "mmcblk0", "percent": 80}),
    Row("wear", lambda pi: pi.write("sys/block/mmcblk1/device/pre_eol_info", "0x03"), storage.WORN_DOWN,
        {"name": "mmcblk1"}),
    Row("log", lambda pi: pi.write("etc/systemd/journald.conf.d/90-keep.conf", "[Journal]\nStorage=persistent"),
        storage.ON_CARD),
    Row("log", lambda pi: pi.remove("proc/device-tree/model").write(
        "etc/systemd/journald.conf.d/90-keep.conf", "[Journal]\nStorage=persistent"), storage.ON_DISK),
)
PACKAGE_ROWS = (
    Row("runtime", fallen_back, packages.FALLEN_BACK,
        {"version": "2.14.0", "error": "ImportError: libstdc++ is too old"}),
    Row("runtime", lambda pi: fallen_back(pi, "2.2.4"), packages.NUMPY_2, {"version": "2.14.0", "numpy": "2.2.4"}),
    Row("runtime", no_runtime, packages.NO_RUNTIME, {"error": "ImportError: wrong GLIBC"}),
    Row("numpy", lambda pi: pi.module("numpy", OWN_NUMPY), packages.MIXED,
        {"version": "2.4.6", "place": "/venv/numpy.py"}),
    Row("numpy", lambda pi: pi.usb().module("numpy", OWN_NUMPY),
        packages.MIXED_UNUSED, {"version": "2.4.6", "place": "/venv/numpy.py"}),
    Row("numpy", lambda pi: pi.remove("usr/lib/python3/dist-packages/numpy").module("numpy", OWN_NUMPY),
        packages.PLAIN_NUMPY, {"version": "2.4.6", "place": "/venv/numpy.py"}),
    Row("numpy", lambda pi: pi.module("numpy", 'raise ImportError("no BLAS")'), packages.NO_NUMPY,
        {"error": "ImportError: no BLAS"}),
    Row("opencv", lambda pi: pi.module("cv2", 'raise ImportError("libGL.so.1: cannot open")'), packages.NO_OPENCV,
        {"error": "ImportError: libGL.so.1: cannot open"}),
    Row("opencv", lambda pi: pi.module("cv2", fake_opencv("4.10.0", "GTK3")), packages.WINDOWS,
        {"version": "4.10.0", "gui": "GTK3"}),
    Row("opencv", lambda pi: pi.config("[faces]\nfinder = 'yunet'\n").module("cv2", fake_opencv("4.6.0", "NONE")),
        packages.UNFIT_OPENCV, {"version": "4.6.0", "wanted": "4.8 or later, below 6", "finder": "yunet"}),
    Row("opencv", two_opencvs, packages.TWO_OPENCVS, {"packages": "opencv-python and opencv-python-headless"}),
)
MODEL_ROWS = (
    Row("settings", lambda pi: pi.config("[signals]\nred_pim = 4\n"), models.INVALID,
        {"error": "{root}/etc/mask-kiosk/kiosk.toml: [signals] key 'red_pim' is unknown: did you mean 'red_pin'?"}),
    Row("settings", lambda pi: pi.config("[signals]\nred_pin = 27\n"), models.INVALID,
        {"error": "[signals] red_pin and green_pin are both 27: give each part a pin of its own"}),
    Row("settings", lambda pi: pi.config("[collect]\npublic_key = '/absent.pub'\n"), models.INVALID,
        {"error": "[collect] public_key is set and [signals] collect_pin is 0, expected an LED that is lit while faces "
                  'are kept: wire one and set its pin, or set public_key = "off"'}),
    Row("settings", lambda pi: pi.config("[signals]\ncollect_pin = 26\n[collect]\npublic_key = '/absent.pub'\n"),
        models.INVALID, {"error": "{root}/absent.pub: can't be read (No such file or directory), expected the public "
                                  "key that `make collect-key` made: put it there"}),
    Row("settings", lambda pi: pi.remove("etc/mask-kiosk/kiosk.toml"), models.DEFAULTS),
    Row("settings", lambda pi: locked(pi, "etc/mask-kiosk/kiosk.toml", b""), LOCKED,
        said("etc/mask-kiosk/kiosk.toml")),
    Row("settings", lambda pi: locked(pi, "etc/collect.pem", key(pi.bin)).config(COLLECTING.format(
        key="/etc/collect.pem")), LOCKED, said("etc/collect.pem")),
    Row("settings", lambda pi: locked(pi, "keys/collect.pem", key(pi.bin), 0o644).config(COLLECTING.format(
        key="/keys/collect.pem")).shut("keys"), SHUT_IN, said("keys/collect.pem") | {"folder": "{root}/keys"}),
    Row("models", practice_model, models.PRACTICE, {"model": "door"}),
    Row("models", lambda pi: pi.config("[faces]\nfinder = 'haar'\n"), models.UNFIT),
    Row("models", damaged_model, models.UNFIT),
    Row("models", locked_card, LOCKED, said("models/door.json")),
    Row("models", lambda pi: pi.config("[faces]\nfinder = 'yunet'\nyunet_path = '/root/yunet.onnx'\n"), HIDES,
        {"path": "{root}/root/yunet.onnx", "setting": "ProtectHome=yes"}),
    Row("models", lambda pi: pi.config("[model]\nthreshold = 0.2\nrelease = 0.8\n"), models.UNFIT),
    Row("models", lambda pi: pi.module("ai_edge_litert", "import os\nos.kill(os.getpid(), 4)"), models.CRASHED,
        {"error": "signal 4"}),
    Row("golden pictures", practice_model, models.MISSING),
    Row("golden pictures", wrong_golden, models.WRONG, {"wrong": "empty.png: IDLE, expected ALARM"}),
)
CAMERA_ROWS = (
    Row("camera", lambda pi: pi.module("picamera2", 'raise ValueError("numpy.dtype size changed")'),
        camera.NO_PICAMERA2, {"error": "ValueError: numpy.dtype size changed"}),
    Row("camera", lambda pi: pi.remove("proc/device-tree/model").module("picamera2", "import libcamera"), camera.NO_PI),
    Row("camera", lambda pi: pi.module("picamera2", "class Picamera2:\n    global_camera_info = list"),
        camera.NO_CAMERA, {"source": "pi"}),
    Row("camera", lambda pi: pi.write("home/pi/door.mp4", "").config("[camera]\nsource = '/home/pi/door.mp4'\n"),
        HIDES, {"path": "{root}/home/pi/door.mp4", "setting": "ProtectHome=yes"}),
    Row("camera", lambda pi: pi.usb(plugged=False), camera.NO_CAMERA, {"source": "usb:0"}),
    Row("camera owner", lambda pi: pi.process(90, "rpicam-hello").lock_camera(90), camera.OWNED,
        {"who": "rpicam-hello (90)"}),
    Row("camera owner", lambda pi: pi.usb().process(91, "cheese", "/dev/video0"), camera.OWNED,
        {"who": "cheese (91)"}),
)
PIN_ROWS = (
    Row("groups", lambda pi: pi.write("etc/group", "video:x:44:mask-kiosk\nrender:x:106:pi\n"), pins.NO_MEMBER,
        {"user": "mask-kiosk", "missing": "render (the camera's memory), gpio (the pins)"}),
    Row("groups", lambda pi: pi.write("etc/passwd", "root:x:0:0::/root:/bin/bash\n"), pins.NO_USER,
        {"user": "mask-kiosk"}),
    Row("pins", lambda pi: pi.remove("proc/device-tree/model"), pins.NO_BOARD),
    Row("pins", lambda pi: pi.remove("dev/gpiochip0"), pins.NO_CHIP),
    Row("pins", lambda pi: pi.service(Environment="GPIOZERO_PIN_FACTORY=rpigpio"), pins.OTHER_FACTORY,
        {"factory": "rpigpio"}),
    Row("pins", lambda pi: pi.module("lgpio", 'raise ImportError("No module named _lgpio")'), pins.NO_LGPIO,
        {"error": "ImportError: No module named _lgpio"}),
    Row("busy pins", lambda pi: pi.config("[signals]\nrelay_pin = 16\n"), pins.OTHERWISE,
        {"held": "GPIO 17, 27, 22", "free": "GPIO 16 (door relay)"}),
    Row("busy pins", lambda pi: pi.config("[signals]\nrelay_pin = 16\n").process(92, "fan.py", "anon_inode:gpio-line"),
        pins.OTHERWISE, {"held": "GPIO 17, 27, 22", "free": "GPIO 16 (door relay)"}),
    Row("busy pins", lambda pi: pi.config("[signals]\nrelay_pin = 16\ncamera_pin = 4\n").taken_pins(
        {4: "lg", 17: "lg", 22: "lg", 27: "lg"}).process(92, "fan.py", "anon_inode:gpio-line"), pins.BUSY,
        {"pins": "GPIO 17 (red LED) as 'lg', GPIO 27 (green LED) as 'lg', GPIO 22 (buzzer) as 'lg', GPIO 4 (camera "
                 "LED) as 'lg'", "who": "programs that hold pins: fan.py (92)"}),
    Row("busy pins", lambda pi: pi.config("[signals]\nrelay_pin = 16\ncamera_pin = 4\n").taken_pins(
        {4: "w1", 17: "lg"}), pins.BUSY, {"pins": "GPIO 4 (camera LED) as 'w1'",
                                          "who": "no program holds any, so the kernel does"}),
    Row("busy pins", lambda pi: pi.service(MainPID="0").taken_pins({22: "lg"}).process(
        92, "fan.py", "anon_inode:gpio-line"), pins.BUSY,
        {"pins": "GPIO 22 (buzzer) as 'lg'", "who": "programs that hold pins: fan.py (92), python (812)"}),
)
SERVICE_ROWS = (
    Row("service", lambda pi: pi.service(**FAILED), service.FAILED,
        {"state": "failed, failed", "result": "exit-code", "restarts": 5}),
    Row("service", lambda pi: pi.service(ActiveState="activating", SubState="auto-restart", NRestarts="2"),
        service.FAILED, {"state": "activating, auto-restart", "result": "success", "restarts": 2}),
    Row("service", lambda pi: pi.service(ActiveState="activating", SubState="start"), service.STARTING,
        {"state": "activating, start"}),
    Row("service", lambda pi: pi.service(ActiveState="inactive", SubState="dead"), service.STOPPED,
        {"state": "inactive, dead"}),
    Row("service", lambda pi: pi.service(NRestarts="1"), service.RESTARTED_ONCE),
    Row("service", lambda pi: pi.service(NRestarts="3"), service.RESTARTED, {"restarts": 3}),
    Row("service", lambda pi: pi.service(LoadState="not-found"), service.NOT_INSTALLED),
    Row("watchdog", lambda pi: pi.service(LoadState="not-found"), service.NOT_INSTALLED),
    Row("watchdog", lambda pi: pi.service(WatchdogUSec="0"), service.FORGOTTEN, {"service": "0"}),
    Row("watchdog", lambda pi: pi.unit("manager", {"RuntimeWatchdogUSec": "0"}), service.UNWATCHED, {"hardware": "0"}),
    Row("page", lambda pi: pi.config("[screen]\nenabled = false\n"), screen.NO_PAGE),
    Row("page", lambda pi: pi.config("[screen]\nhost = '192.0.2.7'\n"), screen.NOT_REACHED, {"address": "192.0.2.7"}),
    Row("page", lambda pi: pi.write("proc/net/tcp", ""), screen.NOT_SERVED, {"port": 6275}),
    Row("page", lambda pi: pi.config("[screen]\nport = 8080\n").listens(8080, 77).process(95, "nginx", "socket:[77]"),
        screen.PORT_TAKEN, {"port": 8080, "owner": "nginx (95)"}),
    Row("page", lambda pi: pi.config("[screen]\nhost = '0.0.0.0'\n").service(IPAddressAllow=LOCAL), screen.SHUT_IN,
        {"address": "0.0.0.0", "allowed": LOCAL}),  # noqa: S104
    Row("screen", lambda pi: pi.unit(SCREEN, FAILED), screen.BROKEN,
        {"state": "failed, failed", "result": "exit-code", "restarts": 5}),
    Row("screen", lambda pi: pi.unit(SCREEN, FAILED | {"ActiveState": "activating", "SubState": "auto-restart"}),
        screen.BROKEN, {"state": "activating, auto-restart", "result": "exit-code", "restarts": 5}),
    Row("screen", lambda pi: pi.unit(SCREEN, {"ActiveState": "active", "SubState": "running", "NRestarts": "4711"}),
        screen.RESTARTED, {"restarts": 4711}),
    Row("screen", lambda pi: pi.config("[screen]\nhost = '192.0.2.7'\n").unit(SCREEN, {
        "ActiveState": "active", "IPAddressAllow": LOCAL, "IPAddressDeny": ANY}), screen.BARRED,
        {"address": "192.0.2.7", "allowed": LOCAL}),
    Row("updates", lambda pi: looked(pi, 0, 0), service.LOOKED, {"line": "0.1.0-a runs already"}),
    Row("updates", lambda pi: pi.write("etc/mask-kiosk-pull/server", "https://a/"), service.NOT_LOOKED),
    Row("updates", lambda pi: pi.write("etc/mask-kiosk-pull/server", "https://a/").write("proc/uptime", "1801.5 9.9"),
        service.NOT_LOOKED),
    Row("updates", lambda pi: pi.write("etc/mask-kiosk-pull/server", "https://a/").write("proc/uptime", "1799.5 9.9"),
        service.NOT_YET),
    Row("updates", lambda pi: followed_later(pi, "91799.5"), service.NOT_YET),
    Row("updates", lambda pi: followed_later(pi, "91801.5"), service.NOT_LOOKED),
    Row("updates", lambda pi: looked(pi, 2, 0), service.NOT_FETCHED, {"line": "0.1.0-a runs already"}),
    Row("updates", lambda pi: looked(pi, 0, 25), service.LATE, {"hours": 25, "line": "0.1.0-a runs already"}),
    # Whatever the wall clock said then and says now.
    Row("updates", lambda pi: looked(pi.write("proc/uptime", "90000.5 9.9"), 0, 25, uptime=86000.0), service.LOOKED,
        {"line": "0.1.0-a runs already"}),
    Row("updates", lambda pi: looked(pi.write("proc/uptime", "95400.5 9.9"), 0, 0, uptime=5400.5), service.LATE,
        {"hours": 25, "line": "0.1.0-a runs already"}),
)
TELEMETRY_ROWS = (
    Row("broker", with_broker, telemetry.SILENT,
        {"place": "127.0.0.1 port 9", "trouble": "Connection refused"}),
    Row("broker", lambda pi: with_broker(pi, mode=0o644), telemetry.BAD_FILE),
    Row("broker", lambda pi: with_broker(pi, "2001:db8::7").service(IPAddressAllow="127.0.0.0/8 ::1/128"),
        telemetry.NOT_LET_OUT, {"place": "2001:db8::7 port 9", "allowed": "127.0.0.0/8 ::1/128",
                                "address": "2001:db8::7"}),
    Row("broker", lambda pi: with_broker(pi, "192.0.2.7").service(IPAddressAllow="127.0.0.0/8 ::1/128"),
        telemetry.NOT_LET_OUT,
        {"place": "192.0.2.7 port 9", "allowed": "127.0.0.0/8 ::1/128", "address": "192.0.2.7"}),
    Row("broker", lambda pi: with_broker(pi, mode=0o600).kiosk_user(NOBODY, NOBODY), LOCKED_TOO,
        said("etc/mask-kiosk/mqtt-password")),
    Row("broker", lambda pi: with_broker(pi).kiosk_user(NOBODY, os.getgid()).shut("etc/mask-kiosk"), SHUT_IN_TOO,
        {"user": "mask-kiosk", "path": "{root}/etc/mask-kiosk/mqtt-password", "folder": "{root}/etc/mask-kiosk"}),
    Row("webhook", lambda pi: with_webhook(pi, mode=0o600).kiosk_user(NOBODY, NOBODY), LOCKED_TOO,
        said("etc/mask-kiosk/webhook-secret")),
    Row("webhook", lambda pi: pi.write("tmp/secret", SECRET, 0o640).config(
        "[webhook]\nenabled = true\nsecret_path = '/tmp/secret'\n"), HIDES_TOO,
        {"path": "{root}/tmp/secret", "setting": "PrivateTmp=yes"}),
    Row("webhook", lambda pi: with_webhook(pi).kiosk_user(NOBODY, os.getgid()).shut("etc/mask-kiosk"), SHUT_IN_TOO,
        {"user": "mask-kiosk", "path": "{root}/etc/mask-kiosk/webhook-secret", "folder": "{root}/etc/mask-kiosk"}),
    Row("webhook", lambda pi: pi.config("[webhook]\nenabled = true\nsecret_path = '/absent'\n"),
        telemetry.BAD_FILE),
    Row("webhook", lambda pi: with_webhook(pi, mode=0o644), telemetry.BAD_FILE),
    Row("webhook", lambda pi: with_webhook(pi, "https://192.0.2.7/token").service(IPAddressAllow="127.0.0.0/8 ::1/128"),
        telemetry.NOT_LET_OUT,
        {"place": "https://192.0.2.7/…", "allowed": "127.0.0.0/8 ::1/128", "address": "192.0.2.7"}),
    Row("webhook", lambda pi: with_webhook(pi, "https://localhost/token").service(IPAddressAllow=LOCAL).write(
        "etc/resolv.conf", "search lan\nnameserver 192.0.2.53\n"), telemetry.NO_NAMES,
        {"server": "192.0.2.53", "name": "localhost", "allowed": LOCAL}),
    Row("webhook", lambda pi: with_webhook(pi, "http://[fe80::1%absent]:81/token"), telemetry.NOT_FOUND,
        {"place": "http://[fe80::1%absent]:81/…", "trouble": "Name or service not known"}),
)
ROWS = (*SYSTEM_ROWS, *STORAGE_ROWS, *PACKAGE_ROWS, *MODEL_ROWS, *CAMERA_ROWS, *PIN_ROWS, *SERVICE_ROWS,
        *TELEMETRY_ROWS)  # fmt: skip
SAID_BY_OTHERS = {  # what the kiosk itself refuses with, in its own words
    f"models: {models.UNFIT.found}": (
        "was trained on faces found by", "has SHA-256", "[model] release is 0.8, expected at most"
    ),
    f"golden pictures: {models.MISSING.found}": ("golden.json: can't be read",),
    f"broker: {telemetry.BAD_FILE.found}": ("etc/mask-kiosk/mqtt-password: its mode is 0644",),
    f"webhook: {telemetry.BAD_FILE.found}": (
        "/absent: can't be read", "etc/mask-kiosk/webhook-secret: its mode is 0644"
    ),
}


@pytest.fixture
def pi(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Pi:
    return Pi(tmp_path, monkeypatch)


def look(pi: Pi, name: str) -> Finding:
    (found,) = examine(Host(pi.root), [check for check in CHECKS if check.name == name])
    return found


def test_a_healthy_pi_has_nothing(pi: Pi) -> None:
    findings = list(examine(pi.host))
    assert [finding for finding in findings if finding.level is not Level.OK] == []
    found = {finding.name: finding.found for finding in findings}
    assert found["system"] == "Debian 12 (Bookworm) on Raspberry Pi 4 Model B Rev 1.4"
    assert found["service"] == "running: IDLE nobody there"
    assert found["busy pins"] == "GPIO 17, 27, 22 held by the kiosk"
    assert found["golden pictures"] == "all 3 judged as where the model was made"
    assert found["camera"] == "imx708"
    assert exit_code(findings) == 0
    assert summary(findings) == f"{len(CHECKS)} checks: 0 trouble, 0 warning, 0 unknown, 0 note, {len(CHECKS)} ok"


@pytest.mark.parametrize("row", ROWS, ids=str)
def test_each_trouble_is_found(pi: Pi, row: Row) -> None:
    row.breaks(pi)
    found = look(pi, row.name)
    if str(row) in SAID_BY_OTHERS:
        assert any(text in found.found for text in SAID_BY_OTHERS[str(row)])
        row = dataclasses.replace(row, values={"error": found.found.removeprefix(row.case.found.format(error=""))})
    expected = row.case.of(**{"past": "nothing else", "now": "", **row.values})
    why = next(check.why for check in CHECKS if check.name == row.name)
    told, do = (text.replace("{root}", str(pi.root)) for text in (expected.found, expected.do))
    assert found == Finding(row.name, row.case.level, told, why, do)


def test_there_is_a_row_for_each_case() -> None:
    cases = {case for check in CHECKS for case in check.cases if case.level is not Level.OK}
    assert cases - {row.case for row in ROWS} == {system.OTHER_PYTHON}
    assert len({check.name for check in CHECKS}) == len(CHECKS)
    assert {(row.name, row.case) for row in ROWS} <= {(check.name, case) for check in CHECKS for case in check.cases}


@pytest.mark.parametrize(
    ("version", "case"),
    [((3, 10), system.OTHER_PYTHON), ((3, 11), system.GOOD_PYTHON), ((3, 13), system.GOOD_PYTHON),
     ((3, 14), system.OTHER_PYTHON)],
)
def test_pythons(version: tuple[int, int], case: Case) -> None:
    assert system.python_case(*version) == case.of(version=".".join(map(str, version)))


UNKNOWN = [
    ("system", lambda pi: pi.remove("etc/os-release"), "there is no /etc/os-release"),
    ("architecture", lambda pi: (pi.bin / "dpkg").unlink(), "dpkg can't be run (No such file or directory)"),
    ("power", lambda pi: (pi.bin / "vcgencmd").unlink(), "neither vcgencmd nor the kernel tells: no Raspberry Pi, or "
     "its user isn't in the group video"),
    ("temperature", lambda pi: pi.remove("sys/class/thermal/thermal_zone0/temp"), "this computer has no thermal "
     "sensor that Linux knows"),
    ("wear", lambda pi: shutil.rmtree(pi.root / "sys/block"), "no card here tells of its wear, as most SD cards don't"),
    ("space", lambda pi: pi.program("df", "echo df: lost >&2; exit 1"), "df doesn't tell (df: lost)"),
    ("space", lambda pi: pi.program("df", "echo Avail; echo many"),
     "the check failed (ValueError: invalid literal for int() with base 10: 'many')"),
    ("service", lambda pi: pi.program("systemctl", "echo Failed to connect to bus >&2; exit 1"),
     "systemd doesn't answer (Failed to connect to bus)"),
    ("camera", lambda pi: pi.config(ON_NETWORK), "the camera is on the network, where this doesn't look"),
    ("camera owner", lambda pi: pi.config(ON_NETWORK), "the camera is on the network, where this doesn't look"),
    ("camera owner", lambda pi: pi.config("[camera]\nsource = 'door.mp4'\n"),
     "door.mp4 is a recording, which nobody has to itself"),
    ("camera owner", lambda pi: pi.usb().process(93, "cheese", seen=False),
     "this user may not see what other users' programs have open: run it with sudo"),
    ("busy pins", lambda pi: pi.module("lgpio", "raise ImportError('no lgpio')"),
     "lgpio doesn't tell (ImportError: no lgpio)"),
    ("golden pictures", lambda pi: pi.module("cv2", "raise ImportError('no cv2')"),
     "the models can't be loaded (ImportError: no cv2)"),
    ("page", lambda pi: pi.config("[screen]\nport = 8080\n").listens(8080, 78).process(96, "nginx", seen=False),
     "which program listens at port 8080 is only shown to root: try with `sudo`"),
    ("camera", lambda pi: pi.config("[cemera]"),
     "{root}/etc/mask-kiosk/kiosk.toml: section 'cemera' is unknown: did you mean 'camera'?"),
]


@pytest.mark.parametrize(("name", "breaks", "said"), UNKNOWN)
def test_a_check_that_cannot_run_says_so(pi: Pi, name: str, breaks: Callable[[Pi], object], said: str) -> None:
    breaks(pi)
    found = look(pi, name)
    assert (found.level, found.found) == (Level.UNKNOWN, said.replace("{root}", str(pi.root)))


def test_what_else_is_well(pi: Pi) -> None:
    (pi.bin / "vcgencmd").unlink()
    pi.write("sys/devices/platform/soc/soc:firmware/get_throttled", "50000\n")
    assert look(pi, "power").found == (
        "power and temperature are good now, but weren't always since the start: undervoltage, throttled"
    )
    pi.service(MainPID="0", ActiveState="inactive").config("[screen]\nport = 8080\n")
    assert look(pi, "page").found == "port 8080 is free"
    pi.service(MainPID="0")
    pi.taken_pins({})
    assert look(pi, "busy pins").found == "none of GPIO 17, 27, 22 is taken"
    fallen_back(pi, litert=False)
    assert look(pi, "runtime").found == "tflite-runtime 2.14.0, because ai-edge-litert isn't installed"
    pi.write("etc/group", "video:x:44:\nrender:x:106:\ngpio:x:997:\n")
    pi.service(SupplementaryGroups="video render 997")
    assert look(pi, "groups").level is Level.OK
    pi.write("etc/systemd/journald.conf.d/40-rpi-volatile-storage.conf", "")
    assert look(pi, "log").level is Level.OK
    (pi.root / "var/log/journal").mkdir(parents=True)
    assert look(pi, "log").level is Level.WARNING


@pytest.mark.parametrize("source", ["{home}/door.mp4", "~/door.mp4", "door.mp4"])
def test_without_a_service_a_recording_is_seen_where_who_looks_would_find_it(
    pi: Pi, source: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    source = source.format(home=tmp_path)
    pi.unit("mask-kiosk.service", {"LoadState": "not-found"})
    pi.config(f"[camera]\nsource = '{source}'\n")
    assert look(pi, "camera").level is Level.TROUBLE
    pi.write(f"{str(tmp_path).lstrip('/')}/door.mp4", "")
    assert (look(pi, "camera").level, look(pi, "camera").found) == (Level.OK, source)


@pytest.mark.parametrize(
    ("source", "place"), [("~/door.mp4", "nonexistent/door.mp4"), ("door.mp4", "run/mask-kiosk/door.mp4")]
)
def test_a_recording_is_seen_where_the_service_finds_it_and_not_where_who_looks_would(
    pi: Pi, source: str, place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    pi.config(f"[camera]\nsource = '{source}'\n").write(f"{str(tmp_path).lstrip('/')}/door.mp4", "")
    assert look(pi, "camera").level is Level.TROUBLE
    pi.write(place, "")
    assert (look(pi, "camera").level, look(pi, "camera").found) == (Level.OK, source)


def test_a_secret_in_the_home_of_the_services_user_is_read_there(pi: Pi, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/root")  # as sudo does
    with_webhook(pi)
    pi.write("etc/passwd", f"mask-kiosk:x:{os.getuid()}:{os.getgid()}::/etc/mask-kiosk:/bin/false\n")
    pi.config("[webhook]\nenabled = true\nurl = 'https://127.0.0.1/token'\nsecret_path = '~/webhook-secret'\n")
    assert (look(pi, "webhook").level, look(pi, "webhook").found) == (Level.OK, "only the kiosk reads ~/webhook-secret")


def test_another_program_at_the_port_of_another_address_takes_nothing(pi: Pi) -> None:
    row = "1: 0501A8C0:1883 00000000:0000 0A 00000000:00000000 00:00000000 00000000 0 0 7000 1"
    pi.write("proc/net/tcp6", f"  sl\n   {row}\n").process(400, "other", "socket:[7000]")
    found = look(pi, "page")
    assert (found.level, found.found) == (Level.OK, "served at 127.0.0.1, port 6275")


def test_a_pi_without_a_screen_of_its_own_is_well(pi: Pi) -> None:
    assert look(pi, "screen").found == "none of its own: mask-kiosk-screen is inactive"


@pytest.mark.parametrize(("host", "denied"), [("127.0.0.1", ANY), ("0.0.0.0", ANY), ("192.0.2.7", "")])  # noqa: S104
def test_a_screen_of_its_own_is_well(pi: Pi, host: str, denied: str) -> None:
    unit = {"ActiveState": "active", "IPAddressAllow": LOCAL, "IPAddressDeny": denied}
    pi.config(f"[screen]\nhost = '{host}'\n").unit(SCREEN, unit)
    assert (look(pi, "screen").level, look(pi, "screen").found) == (Level.OK, "mask-kiosk-screen runs")


@pytest.mark.parametrize(
    ("place", "text"),
    [
        ("etc/resolv.conf", "nameserver 127.0.0.53\n"),
        ("etc/resolv.conf", "nameserver 192.0.2.53\nnameserver ::1\n"),
        ("etc/hosts", "127.0.0.1 localhost\n"),
        ("etc/resolv.conf", "# none\n"),
        ("etc/resolv.conf", "nameserver router.lan\nnameserver ::1\n"),
    ],
)
def test_a_name_that_the_service_may_ask_for_is_well(pi: Pi, place: str, text: str) -> None:
    pi.write("etc/resolv.conf", "nameserver 192.0.2.53\n").write(place, text)
    with_webhook(pi, "https://localhost/token").service(IPAddressAllow=LOCAL)
    assert look(pi, "webhook").level is Level.OK


def test_a_service_that_may_speak_with_nobody_is_not_well(pi: Pi) -> None:
    nobody = {"ActiveState": "active", "IPAddressAllow": "", "IPAddressDeny": ANY}
    with_webhook(pi).service(**nobody).unit(SCREEN, nobody)
    assert [look(pi, name).level for name in ("webhook", "screen")] == [Level.WARNING] * 2


@pytest.mark.parametrize(
    ("allowed", "denied"),
    [(f"{LOCAL} 192.0.2.0/24", ANY), (ANY, ANY), (LOCAL, ""), (LOCAL, "::/0"), (LOCAL, "10.0.0.0/8"), ("", "")],
)
def test_a_webhook_that_the_service_may_reach_is_well(pi: Pi, allowed: str, denied: str) -> None:
    with_webhook(pi, "https://192.0.2.7/token").service(IPAddressAllow=allowed, IPAddressDeny=denied)
    found = look(pi, "webhook")
    assert (found.level, found.found) == (Level.OK, "only the kiosk reads /etc/mask-kiosk/webhook-secret")


@pytest.mark.parametrize(
    ("number", "group", "mode", "unit", "reads"),
    [
        (os.getuid(), NOBODY, 0o600, {}, True),
        (NOBODY, os.getgid(), 0o640, {}, True),
        (NOBODY, os.getgid(), 0o600, {}, False),
        (NOBODY, NOBODY, 0o640, {}, False),
        (NOBODY, NOBODY, 0o640, {"SupplementaryGroups": "secrets"}, True),
        (NOBODY, NOBODY, 0o640, {"Group": "secrets"}, True),
        (NOBODY, os.getgid(), 0o640, {"Group": "video"}, False),
        (NOBODY, NOBODY, 0o600, {"User": "absent"}, True),  # that there is no such user is said elsewhere
    ],
)
def test_a_secret_is_read_by_the_user_and_the_groups_of_the_service(
    pi: Pi, number: int, group: int, mode: int, unit: dict[str, str], reads: bool
) -> None:
    with_webhook(pi, mode=mode).kiosk_user(number, group).service(**unit)
    found = look(pi, "webhook")
    assert (found.level, "can't read" in found.found) == ((Level.OK, False) if reads else (Level.WARNING, True))


def test_what_whoever_looks_may_not_read_is_not_judged() -> None:
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        Path(folder).chmod(0o755)  # pytest's own one may only be entered by whoever tests
        pi = Pi(Path(folder), patch).kiosk_user(NOBODY - 1, os.getgid())
        pi.write("etc/mask-kiosk/kiosk.toml", "", 0o040)
        with as_somebody(pi.root / "etc/mask-kiosk/kiosk.toml"):
            found = look(pi, "settings")
        assert (found.level, found.found) == (
            Level.UNKNOWN, f"{pi.root}/etc/mask-kiosk/kiosk.toml: can't be read by you: run it with sudo"
        )


def test_a_link_into_a_home_is_not_seen_and_a_home_that_the_unit_shows_is(pi: Pi) -> None:
    (pi.root / "srv").mkdir()
    (pi.root / "srv/door.mp4").symlink_to(pi.root / "home/pi/door.mp4")
    pi.write("home/pi/door.mp4", "").config("[camera]\nsource = '/srv/door.mp4'\n")
    assert "doesn't see" in look(pi, "camera").found
    for shown in ("no", "read-only"):
        assert look(pi.service(ProtectHome=shown), "camera").level is Level.OK


@pytest.mark.parametrize("shown", ["{file}:{file}:rbind", "/srv/a:/srv/b -/srv/home:/home/pi"])
@pytest.mark.parametrize("key", ["BindPaths", "BindReadOnlyPaths"])
def test_what_its_unit_shows_the_service_of_a_home_is_seen(pi: Pi, key: str, shown: str) -> None:
    pi.write("home/pi/door.mp4", "").write("home/pi/other.mp4", "").shut("home/pi")
    for name, level in (("other", Level.TROUBLE), ("door", Level.OK)):
        pi.service(**{key: shown.format(file="/home/pi/door.mp4")})
        pi.config(f"[camera]\nsource = '/home/pi/{name}.mp4'\n")
        assert look(pi, "camera").level is (Level.OK if "srv" in shown else level)


@pytest.mark.skipif(os.getuid() != 0, reason="who isn't root reads no more than a file's mode says, ACLs left out")
def test_what_the_services_own_user_reads_whatever_its_mode_says_is_readable(pi: Pi) -> None:
    pi.kiosk_user(0, 0).write("etc/collect.pem", key(pi.bin).decode(), 0o600)
    os.chown(pi.root / "etc/collect.pem", NOBODY, NOBODY)
    pi.config(COLLECTING.format(key="/etc/collect.pem"))
    assert look(pi, "settings").level is Level.OK


@pytest.mark.parametrize(("home", "path"), [("/", "~/etc/secret"), ("/absent", "//etc/secret")])
def test_two_slashes_before_a_path_are_one(pi: Pi, home: str, path: str) -> None:
    pi.write("etc/passwd", f"mask-kiosk:x:{os.getuid()}:{os.getgid()}::{home}:/bin/false\n")
    pi.write("etc/secret", SECRET, 0o640)
    pi.config(f"[webhook]\nenabled = true\nurl = 'https://127.0.0.1/token'\nsecret_path = '{path}'\n")
    assert look(pi, "webhook").found == f"only the kiosk reads {path}"


def test_the_key_model_and_finder_are_those_that_the_service_means(pi: Pi, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/root")  # as sudo does
    practice_model(pi)
    (pi.root / "models").rename(pi.root / "nonexistent")
    pi.write("run/mask-kiosk/collect.pem", key(pi.bin).decode())
    faces = "[faces]\nfinder = 'yunet'\nyunet_path = '~/absent.onnx'\n"
    pi.config("[model]\nname = '~/door'\n" + COLLECTING.format(key="collect.pem"))
    assert [look(pi, name).level for name in ("settings", "models")] == [Level.OK, Level.WARNING]
    pi.config(faces)
    assert look(pi, "models").found.startswith(f"the models are refused: {pi.root}/nonexistent/absent.onnx: ")


def test_a_brokers_certificate_that_the_service_cannot_read_is_told(pi: Pi) -> None:
    with_broker(pi).kiosk_user(NOBODY, os.getgid()).write("etc/broker.pem", "", 0o600)
    pi.config("[mqtt]\nenabled = true\nhost = '127.0.0.1'\nca_path = '/etc/broker.pem'\n")
    found = look(pi, "broker")
    assert (found.level, found.found.split(" (mode")[0]) == (
        Level.WARNING, f"the service's user mask-kiosk can't read {pi.root}/etc/broker.pem"
    )


def test_there_is_room_for_the_doctor_where_there_is_for_a_deployment(pi: Pi) -> None:
    found = {}
    for megabytes in (99, 100, 899, 900):
        pi.program("df", f"echo Avail; echo {megabytes}")
        facts: Facts = {"free_mb": megabytes, "numpy": "", "time": time.time(), "wheels": {}}
        short = [len(shortages(facts, venv, [], online=False)) for venv in (False, True)]
        found[megabytes] = look(pi, "space").level, short
    assert found == {
        99: (Level.TROUBLE, [1, 1]),
        100: (Level.WARNING, [0, 1]),
        899: (Level.WARNING, [0, 1]),
        900: (Level.OK, [0, 0]),
    }


def test_pins_that_the_kernel_holds_are_told_from_those_of_programs(pi: Pi) -> None:
    pi.service(MainPID="0")
    shutil.rmtree(pi.root / "proc/812")
    pi.taken_pins({17: "w1", 27: ""})
    assert look(pi, "busy pins").found == (
        "pins of the kiosk are taken: GPIO 17 (red LED) as 'w1', GPIO 27 (green LED); no program holds any, so the "
        "kernel does"
    )
    pi.process(94, "secret", seen=False)
    assert look(pi, "busy pins").found.endswith("(green LED); run the doctor with sudo to see by whom")


def test_people_read_reasons_only_where_something_is_to_be_done() -> None:
    fine = Finding("power", Level.OK, "no undervoltage", "It matters.", "")
    bad = Finding("camera", Level.TROUBLE, " ".join(["word"] * 30), "It matters.", "Do it.")
    steps = dataclasses.replace(bad, do="Do this.\nDo that.")
    assert as_text(fine) == "ok       power            no undervoltage"
    lines = as_text(bad).splitlines()
    assert lines[0].startswith("trouble  camera           word word")
    assert [line[:26] for line in lines[1:]] == [" " * 26] * 3
    assert [line.strip() for line in lines[2:]] == ["Why: It matters.", "Do: Do it."]
    assert [line[26:] for line in as_text(steps).splitlines()[3:]] == ["Do: 1. Do this.", "    2. Do that."]
    assert max(map(len, lines)) <= 110


@pytest.mark.parametrize(
    ("levels", "code"),
    [([Level.OK, Level.NOTE, Level.UNKNOWN], 0), ([Level.WARNING, Level.UNKNOWN], 1),
     ([Level.WARNING, Level.TROUBLE, Level.OK], 2), ([], 0)],
)
def test_the_worst_finding_is_the_exit_code(levels: list[Level], code: int) -> None:
    findings = [Finding("x", level, "found", "why", "do") for level in levels]
    assert exit_code(findings) == code
    told = json.loads(as_json(findings))
    assert [finding["level"] for finding in told["findings"]] == levels
    assert told["worst"] == max(levels, key=list(Level).index, default="ok")


def test_the_doctor_speaks_where_everything_else_is_broken(tmp_path: Path) -> None:
    for name in ("cv2", "numpy", "gpiozero", "ai_edge_litert", "tflite_runtime", "picamera2"):
        (tmp_path / f"{name}.py").write_text("raise ImportError('broken')\n")
    config = tmp_path / "kiosk.toml"
    config.write_text("nonsense")
    done = subprocess.run(
        [sys.executable, "-m", "device", "doctor", "--json", "--config", config], cwd=TREE, capture_output=True,
        text=True, check=False, timeout=600, env={**os.environ, "PYTHONPATH": str(tmp_path)},
    )
    told = json.loads(done.stdout)
    levels = {finding["name"]: finding["level"] for finding in told["findings"]}
    assert (done.returncode, done.stderr, told["worst"]) == (2, "", "trouble")
    assert list(levels) == [check.name for check in CHECKS]
    assert {levels[name] for name in ("runtime", "numpy", "opencv", "settings")} == {"trouble"}


def test_the_manual_is_current() -> None:
    assert (TREE / "docs" / "troubleshooting.md").read_text() == manual()


def test_the_manual_tells_each_case_once() -> None:
    cases = [case.with_names() for check in CHECKS for case in check.cases if case.do]
    lines = manual().splitlines()
    assert {lines.count(f"**{case.level}:** {case.found}") for case in cases if case.level is Level.NOTE} == {1}
    assert {sum(line.endswith(f":** {case.found}") for line in lines) for case in cases} == {1}
    assert {step for case in cases for step in case.do.splitlines()} <= {re.sub(r"^\d\. ", "", line) for line in lines}
