"""Checks of the doctor: the service, how often it was started again, and what watches over it."""

import json
import time

from device.doctor.finding import Case, Check, Level
from device.doctor.host import CantTellError, Host
from device.web.address import is_there

OFF = {"", "0", "infinity", "off"}

RUNNING = Case(Level.OK, "running: {status}")
NOT_INSTALLED = Case(Level.NOTE, "mask-kiosk isn't installed here")
STOPPED = Case(
    Level.WARNING, "{state}", "Start it with `sudo systemctl enable --now mask-kiosk`.",
)
STARTING = Case(
    Level.WARNING, "{state}: no frame is decided yet", "Look again in a minute; then `journalctl -u mask-kiosk -n 30`.",
)
RESTARTED = Case(
    Level.WARNING, "running, started again {restarts} times by systemd since the last start by hand",
    "`journalctl -u mask-kiosk` says why each time, as far back as the log goes; look at camera and power above.",
)
FAILED = Case(
    Level.TROUBLE, "{state} ({result}), started again {restarts} times",
    "`journalctl -u mask-kiosk -n 30` says why; then `sudo systemctl restart mask-kiosk`, which also lifts the limit "
    "on starts.",
)


def service(host: Host) -> Case:
    """Ask systemd for the state of the unit."""
    unit = host.unit()
    if not _is_installed(unit):
        return NOT_INSTALLED
    active, sub, result = (unit.get(key, "") for key in ("ActiveState", "SubState", "Result"))
    restarts = unit.get("NRestarts", "0")
    values: dict[str, object] = {"state": f"{active}, {sub}", "result": result, "restarts": restarts}
    if active == "failed" or sub == "auto-restart":
        return FAILED.of(**values)
    if active != "active":
        return (STARTING if active == "activating" else STOPPED).of(**values)
    return RESTARTED.of(**values) if restarts != "0" else RUNNING.of(status=unit.get("StatusText") or "no state yet")


def _is_installed(unit: dict[str, str]) -> bool:
    return unit.get("LoadState") not in {None, "not-found"}


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
    if not _is_installed(unit):
        return NOT_INSTALLED
    service_time = unit.get("WatchdogUSec", "")
    if service_time in OFF:
        return FORGOTTEN.of(service=service_time or "unset")
    return (UNWATCHED if hardware in OFF else WATCHED).of(service=service_time, hardware=hardware or "unset")


SERVED = Case(Level.OK, "served at {address}, port {port}")
NOT_REACHED = Case(
    Level.WARNING, "{address} is no address of this computer, so nobody reaches the page",
    "`ip address` says which it has. The page comes up with the address by itself; if it never will, set [screen] host "
    "in kiosk.toml, then `sudo systemctl restart mask-kiosk`.",
)
NO_PAGE = Case(Level.NOTE, "none is served: [screen] enabled is false")
PORT_FREE = Case(Level.OK, "port {port} is free")
NOT_SERVED = Case(
    Level.WARNING, "the kiosk runs and doesn't serve port {port}",
    "`journalctl -u mask-kiosk | grep screen` says why; then `sudo systemctl restart mask-kiosk`.",
)
PORT_TAKEN = Case(
    Level.WARNING, "port {port} is taken by {owner}",
    "Stop that program, or set [screen] port in kiosk.toml to another one, then `sudo systemctl restart mask-kiosk`.",
)
LISTENS = "0A"  # in /proc/net/tcp


def page(host: Host) -> Case:
    """Ask the kernel who listens at the port of the screen's page."""
    screen = host.settings.screen
    if not screen.enabled:
        return NO_PAGE
    unit = host.unit()
    inodes = _listening(host, screen.port)
    if not inodes:
        return (NOT_SERVED if unit.get("ActiveState") == "active" else PORT_FREE).of(port=screen.port)
    sockets = {f"socket:[{inode}]" for inode in inodes}
    for process in host.processes():
        if sockets & set(process.open_files or ()):
            if process.pid != host.kiosk_pid:
                return PORT_TAKEN.of(port=screen.port, owner=process)
            return (SERVED if is_there(screen.host) else NOT_REACHED).of(address=screen.host, port=screen.port)
    raise CantTellError(f"which program listens at port {screen.port} is only shown to root: try with `sudo`")


def _listening(host: Host, port: int) -> set[str]:
    """Return the inodes of the sockets that listen at a port."""
    rows = [line.split() for name in ("tcp", "tcp6") for line in (host.text(f"proc/net/{name}") or "").splitlines()[1:]]
    return {row[9] for row in rows if row[3] == LISTENS and int(row[1].rpartition(":")[2], 16) == port}


BY_HAND = Case(Level.OK, "come from a workstation: no server is followed")
LOOKED = Case(Level.OK, "{line}")
NOT_LOOKED = Case(
    Level.WARNING, "not looked for since the start",
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
LATE_SECONDS = 86400.0


def updates(host: Host) -> Case:
    """Read what the pull agent said last."""
    if host.text("etc/mask-kiosk-pull/server") is None:
        return BY_HAND
    last = host.text("run/mask-kiosk-pull/last.json")
    if last is None:
        return NOT_LOOKED
    found = json.loads(last)
    age = time.time() - found["time"]
    if age > LATE_SECONDS:
        return LATE.of(hours=round(age / 3600), line=found["line"])
    return (NOT_FETCHED if found["code"] else LOOKED).of(line=found["line"])


CHECKS = (
    Check("service", "A door that nobody watches must be judged by a service that runs, and keeps running.",
          service, (RUNNING, NOT_INSTALLED, STOPPED, STARTING, RESTARTED, FAILED)),
    Check("watchdog", "Cameras stall silently after hours, and kernels hang: only a watchdog starts them again.",
          watchdog, (WATCHED, NOT_INSTALLED, UNWATCHED, FORGOTTEN)),
    Check("page", "Whoever stands at the door reads the screen; a page that isn't served is a screen out of order.",
          page, (SERVED, NO_PAGE, PORT_FREE, NOT_REACHED, NOT_SERVED, PORT_TAKEN)),
    Check("updates", "A door that gets no release keeps every mistake that was mended since.",
          updates, (BY_HAND, LOOKED, NOT_LOOKED, LATE, NOT_FETCHED)),
)
