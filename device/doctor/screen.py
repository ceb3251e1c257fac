"""Checks of the doctor: the page, and the screen of this computer that shows it."""

from ipaddress import ip_address

from device.doctor.finding import Case, Check, Level
from device.doctor.host import SCREEN_UNIT, CantTellError, Host
from device.web.address import is_there

SERVED = Case(Level.OK, "served at {address}, port {port}")
NOT_REACHED = Case(
    Level.WARNING, "{address} is no address of this computer, so nobody reaches the page",
    "`ip address` says which it has. The page comes up with the address by itself; if it never will, set [screen] host "
    "in kiosk.toml, then `sudo systemctl restart mask-kiosk`.",
)
SHUT_IN = Case(
    Level.WARNING, "served at {address}, but the service may speak with this computer alone: its IPAddressAllow is "
    "{allowed}",
    "`sudo systemctl edit mask-kiosk`, write `[Service]` and `IPAddressAllow=` with the network of those who look, as "
    "192.168.1.0/24, then `sudo systemctl restart mask-kiosk`.",
)
NO_PAGE = Case(Level.NOTE, "none is served: [screen] enabled is false")
PORT_FREE = Case(Level.OK, "port {port} is free")
NOT_SERVED = Case(
    Level.WARNING, "the kiosk runs and doesn't serve port {port}",
    "`journalctl -u mask-kiosk | grep screen` says why; then `sudo systemctl restart mask-kiosk`.",
)
PORT_TAKEN = Case(
    Level.WARNING, "port {port} is taken by {owner}",
    "Stop that program, or set [screen] port in kiosk.toml to another one, then `sudo systemctl restart mask-kiosk "
    "mask-kiosk-screen`.",
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
    owners = [process for process in host.processes() if sockets & set(process.open_files or ())]
    if host.kiosk_pid in {owner.pid for owner in owners}:  # another may have the same port of another address
        return _reached(host)
    if owners:
        return PORT_TAKEN.of(port=screen.port, owner=owners[0])
    raise CantTellError(f"which program listens at port {screen.port} is only shown to root: try with `sudo`")


def _reached(host: Host) -> Case:
    """Return the case of a page that the kiosk serves."""
    screen = host.settings.screen
    if not is_there(screen.host):
        return NOT_REACHED.of(address=screen.host)
    allowed = host.allowed()
    if all(network.is_loopback for network in allowed) and not ip_address(screen.host).is_loopback:
        return SHUT_IN.of(address=screen.host, allowed=" ".join(map(str, allowed)))
    return SERVED.of(address=screen.host, port=screen.port)


def _listening(host: Host, port: int) -> set[str]:
    """Return the inodes of the sockets that listen at a port."""
    rows = [line.split() for name in ("tcp", "tcp6") for line in (host.text(f"proc/net/{name}") or "").splitlines()[1:]]
    return {row[9] for row in rows if row[3] == LISTENS and int(row[1].rpartition(":")[2], 16) == port}


SHOWN = Case(Level.OK, "mask-kiosk-screen runs")
OFF = Case(Level.OK, "none of its own: mask-kiosk-screen is {state}")
BROKEN = Case(
    Level.WARNING, "mask-kiosk-screen: {state} ({result}), started again {restarts} times",
    "`journalctl -u mask-kiosk-screen -n 30` says why; then `sudo systemctl restart mask-kiosk-screen`.",
)
RESTARTED = Case(
    Level.WARNING, "mask-kiosk-screen runs, started again {restarts} times by systemd since the last start by hand",
    "`journalctl -u mask-kiosk-screen` says why each time, as far back as the log goes.",
)
BARRED = Case(
    Level.WARNING, "mask-kiosk-screen may not reach the page at {address}, and shows FAULT: its IPAddressAllow is "
    "{allowed}",
    "`sudo systemctl edit mask-kiosk-screen`, write `[Service]` and `IPAddressAllow={address}`, then `sudo systemctl "
    "restart mask-kiosk-screen`.",
)


def screen(host: Host) -> Case:
    """Ask systemd for the state of the unit that shows the page here, and whether it may reach it."""
    unit = host.unit(SCREEN_UNIT)
    active, sub, restarts = unit.get("ActiveState", ""), unit.get("SubState", ""), unit.get("NRestarts", "0")
    if active == "failed" or sub == "auto-restart":
        return BROKEN.of(state=f"{active}, {sub}", result=unit.get("Result", ""), restarts=restarts)
    if active != "active":
        return OFF.of(state=active)
    address, allowed = ip_address(host.settings.screen.host), host.allowed(SCREEN_UNIT)
    if not address.is_unspecified and not any(address in network for network in allowed):
        return BARRED.of(address=address, allowed=" ".join(map(str, allowed)))
    return SHOWN if restarts in {"0", "1"} else RESTARTED.of(restarts=restarts)


CHECKS = (
    Check("page", "Whoever stands at the door reads the screen; a page that isn't served is a screen out of order.",
          page, (SERVED, NO_PAGE, PORT_FREE, SHUT_IN, NOT_REACHED, NOT_SERVED, PORT_TAKEN)),
    Check("screen", "A screen beside the door that stays dark, or shows FAULT for ever, tells nobody anything.",
          screen, (SHOWN, OFF, RESTARTED, BARRED, BROKEN)),
)
