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
    Level.WARNING, "{state}", "Start it with `sudo systemctl enable --now mask-kiosk`.",
)
STARTING = Case(
    Level.WARNING, "{state}: no frame is decided yet", "Look again in a minute; then `journalctl -u mask-kiosk -n 30`.",
)
RESTARTED_ONCE = Case(
    Level.NOTE, "running, started again once by systemd since the last start by hand",
    "Where nobody pressed *Start again* on the setup page, `journalctl -u mask-kiosk` says why.",
)
RESTARTED = Case(
    Level.WARNING, "running, started again {restarts} times by systemd since the last start by hand",
    "`journalctl -u mask-kiosk` says why each time, as far back as the log goes; look at camera and power above.",
)
FAILED = Case(
    Level.TROUBLE, "{state} ({result}), started again {restarts} times",
    "`journalctl -u mask-kiosk -n 30` says why; once that is mended, it starts by itself. Where it is failed, `sudo "
    "systemctl restart mask-kiosk` starts it.",
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
    Level.TROUBLE, "nothing watches the service: its WatchdogSec is {service}",
    "Put WatchdogSec=6 back into mask-kiosk.service, or run `make deploy` again.",
)
UNWATCHED = Case(
    Level.WARNING, "nothing watches the computer: systemd's RuntimeWatchdogSec is {hardware}",
    "Put `[Manager]` and `RuntimeWatchdogSec=1m` into /etc/systemd/system.conf.d/90-watchdog.conf, then restart. "
    "Raspberry Pi OS has it set by itself.",
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
    Level.WARNING, "not looked for since the start of its timer",
    "`systemctl list-timers mask-kiosk-pull.timer` says when it is next; `sudo systemctl start mask-kiosk-pull` looks "
    "now.",
)
LATE = Case(
    Level.WARNING, "last looked for {hours} hours ago: {line}",
    "`systemctl status mask-kiosk-pull.timer mask-kiosk-pull.service` says why; `sudo systemctl restart "
    "mask-kiosk-pull.timer` starts it again.",
)
NOT_FETCHED = Case(
    Level.WARNING, "{line}",
    "Do what the line asks for; docs/fleet.md explains manifest and keys. The release that runs goes on; `make "
    "deploy` updates it by hand.",
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
    Check("service", "A door that nobody watches must be judged by a service that runs, and keeps running.",
          service, (RUNNING, NOT_INSTALLED, RESTARTED_ONCE, STOPPED, STARTING, RESTARTED, FAILED)),
    Check("watchdog", "Cameras stall silently after hours, and kernels hang: only a watchdog starts them again.",
          watchdog, (WATCHED, NOT_INSTALLED, UNWATCHED, FORGOTTEN)),
    Check("updates", "A door that gets no release keeps every mistake that was mended since.",
          updates, (BY_HAND, LOOKED, NOT_YET, NOT_LOOKED, LATE, NOT_FETCHED)),
)
