"""Checks of the doctor: the service, how often it was started again, and what watches over it."""

import json
import time

from device.doctor.finding import Case, Check, Level
from device.doctor.host import Host
from device.doctor.user import is_installed

OFF = {"", "0", "infinity", "off"}

RUNNING = Case(Level.OK, "running: {status}")
NOT_INSTALLED = Case(Level.NOTE, "mask-kiosk isn't installed here")
STOPPED = Case(
    Level.WARNING, "the kiosk doesn't run: {state}",
    "Start it, now and whenever the Pi starts: `sudo systemctl enable --now mask-kiosk`.",
)
STARTING = Case(
    Level.WARNING, "the kiosk is starting, and has decided no frame yet: {state}",
    "Run the doctor again in a minute.\n"
    "If it still says so, `journalctl -u mask-kiosk -n 30` shows why.",
)
RESTARTED_ONCE = Case(
    Level.NOTE, "the kiosk runs, but has ended once and was started again",
    "If nobody pressed *Start again* on the setup page, see why in the log: `journalctl -u mask-kiosk`.",
)
RESTARTED = Case(
    Level.WARNING, "the kiosk runs, but has ended {restarts} times since it was last started by hand, and was started "
    "again",
    "Look at the checks of camera and power first.\n"
    "See in the log why it ended each time: `journalctl -u mask-kiosk`. The log may not go back to the first.",
)
FAILED = Case(
    Level.TROUBLE, "the kiosk doesn't run: {state} ({result}), started again {restarts} times",
    "See why in the log: `journalctl -u mask-kiosk -n 30`. Mend that: the kiosk then starts by itself.\n"
    "If it is said to have failed, it doesn't: start it with `sudo systemctl restart mask-kiosk`.",
)


def service(host: Host) -> Case:
    """Ask systemd for the state of the unit."""
    unit = host.unit()
    if not is_installed(unit):
        return NOT_INSTALLED
    active, sub, result = (unit.get(key, "") for key in ("ActiveState", "SubState", "Result"))
    restarts = unit.get("NRestarts", "0")
    values: dict[str, object] = {"state": f"{active}, {sub}", "result": result, "restarts": restarts}
    if active == "failed" or sub == "auto-restart":
        return FAILED.of(**values)
    if active != "active":
        return (STARTING if active == "activating" else STOPPED).of(**values)
    if restarts == "0":
        return RUNNING.of(status=unit.get("StatusText") or "no state yet")
    return RESTARTED_ONCE if restarts == "1" else RESTARTED.of(**values)


WATCHED = Case(Level.OK, "the service after {service}, the computer after {hardware}")
FORGOTTEN = Case(
    Level.TROUBLE, "nothing restarts a kiosk that hangs: WatchdogSec of its service is {service}",
    "Run `make deploy` again; or put `WatchdogSec=6` back into mask-kiosk.service.",
)
UNWATCHED = Case(
    Level.WARNING, "nothing restarts a computer that hangs: systemd's RuntimeWatchdogSec is {hardware}",
    "Write two lines, `[Manager]` and `RuntimeWatchdogSec=1m`, into /etc/systemd/system.conf.d/90-watchdog.conf. "
    "Raspberry Pi OS comes with this set.\n"
    "Restart the computer: `sudo reboot`.",
)


def watchdog(host: Host) -> Case:
    """Ask systemd how long it waits for the service, and the hardware for systemd."""
    unit, hardware = host.unit(), host.manager().get("RuntimeWatchdogUSec", "")
    if not is_installed(unit):
        return NOT_INSTALLED
    service_time = unit.get("WatchdogUSec", "")
    if service_time in OFF:
        return FORGOTTEN.of(service=service_time or "unset")
    return (UNWATCHED if hardware in OFF else WATCHED).of(service=service_time, hardware=hardware or "unset")


BY_HAND = Case(Level.OK, "come from a workstation: no server is followed")
LOOKED = Case(Level.OK, "{line}")
NOT_YET = Case(Level.OK, "not looked for yet: the first look comes within half an hour of its timer's start")
NOT_LOOKED = Case(
    Level.WARNING, "the kiosk follows a server, but has never looked for releases since its timer was started",
    "Have it look now: `sudo systemctl start mask-kiosk-pull`.\n"
    "See when it looks next: `systemctl list-timers mask-kiosk-pull.timer`.",
)
LATE = Case(
    Level.WARNING, "the kiosk last looked for releases {hours} hours ago: {line}",
    "See why: `systemctl status mask-kiosk-pull.timer mask-kiosk-pull.service`.\n"
    "Start its timer again: `sudo systemctl restart mask-kiosk-pull.timer`.",
)
NOT_FETCHED = Case(
    Level.WARNING, "the last look for releases failed, and the kiosk goes on with what it has: {line}",
    "Do what the line says: docs/fleet.md explains the server, its files and its keys.\n"
    "Until that works, `make deploy` updates the kiosk by hand.",
)
FIRST_SECONDS, LATE_SECONDS = 1800.0, 86400.0  # the timer's first look takes 22 min at most, and then what it fetches


def updates(host: Host) -> Case:
    """Read what the pull agent said last."""
    if host.text("etc/mask-kiosk-pull/server") is None:
        return BY_HAND
    last, up = host.text("run/mask-kiosk-pull/last.json"), (host.text("proc/uptime") or "").split()  # s
    if last is None:
        since = int(host.unit("mask-kiosk-pull.timer").get("ActiveEnterTimestampMonotonic") or 0) / 1e6
        return NOT_YET if up and float(up[0]) - since < FIRST_SECONDS else NOT_LOOKED
    found = json.loads(last)  # of this start: /run is empty after another
    # The wall clock jumps when a time server sets it, on a Pi after each start; a release before wrote that alone.
    age = float(up[0]) - found["uptime"] if up and "uptime" in found else time.time() - found["time"]
    if age > LATE_SECONDS:
        return LATE.of(hours=round(age / 3600), line=found["line"])
    return (NOT_FETCHED if found["code"] else LOOKED).of(line=found["line"])


CHECKS = (
    Check("service", "Nobody watches the kiosk at a door: it has to start by itself and keep running.",
          service, (RUNNING, NOT_INSTALLED, RESTARTED_ONCE, STOPPED, STARTING, RESTARTED, FAILED)),
    Check("watchdog", "Cameras stall silently after hours, and systems hang: only a watchdog starts them again.",
          watchdog, (WATCHED, NOT_INSTALLED, UNWATCHED, FORGOTTEN)),
    Check("updates", "A kiosk that gets no new releases keeps every mistake that they mend.",
          updates, (BY_HAND, LOOKED, NOT_YET, NOT_LOOKED, LATE, NOT_FETCHED)),
)
