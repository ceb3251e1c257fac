"""Checks of the doctor: the page, and the screen of this computer that shows it."""

from ipaddress import ip_address

from device.doctor.finding import Case, Check, Level
from device.doctor.host import SCREEN_UNIT, CantTellError, Host
from device.web.address import is_there

SERVED = Case(Level.OK, "served at {address}, port {port}")
NOT_REACHED = Case(
    Level.WARNING, "nobody can reach the page: this computer doesn't have its address, {address}",
    "See which addresses this computer has: `ip address`.\n"
    "If it will have that one later, as when the network is down, wait: the page is there as soon as the address is.\n"
    "Otherwise correct `host` in `[screen]` of kiosk.toml.\n"
    "Restart the kiosk: `sudo systemctl restart mask-kiosk`.",
)
SHUT_IN = Case(
    Level.WARNING, "the page is served at {address}, but the service may only speak with this computer: its "
    "IPAddressAllow is {allowed}",
    "Open the service's own settings: `sudo systemctl edit mask-kiosk`.\n"
    "Write two lines there: `[Service]`, and `IPAddressAllow=` with the network of those who look at the page, as "
    "192.168.1.0/24.\n"
    "Restart the kiosk: `sudo systemctl restart mask-kiosk`.",
)
NO_PAGE = Case(Level.NOTE, "none is served: [screen] enabled is false")
PORT_FREE = Case(Level.OK, "port {port} is free")
NOT_SERVED = Case(
    Level.WARNING, "the kiosk runs, but doesn't serve its page at port {port}",
    "See why in the log: `journalctl -u mask-kiosk | grep screen`.\n"
    "Restart the kiosk: `sudo systemctl restart mask-kiosk`.",
)
PORT_TAKEN = Case(
    Level.WARNING, "another program, {owner}, has the page's port {port}",
    "Stop that program; or set another `port` in `[screen]` of kiosk.toml.\n"
    "Restart kiosk and screen: `sudo systemctl restart mask-kiosk mask-kiosk-screen`.",
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
    Level.WARNING, "the screen's service, mask-kiosk-screen, doesn't run: {state} ({result}), started again {restarts} "
    "times",
    "See why in its log: `journalctl -u mask-kiosk-screen -n 30`.\n"
    "Once that is mended, restart it: `sudo systemctl restart mask-kiosk-screen`.",
)
RESTARTED = Case(
    Level.WARNING, "the screen's service, mask-kiosk-screen, runs, but has ended {restarts} times since it was last "
    "started by hand, and was started again",
    "See in its log why it ended each time: `journalctl -u mask-kiosk-screen`. The log may not go back to the first.",
)
BARRED = Case(
    Level.WARNING, "the screen shows FAULT, because its service, mask-kiosk-screen, may not reach the page at "
    "{address}: its IPAddressAllow is {allowed}",
    "Open that service's own settings: `sudo systemctl edit mask-kiosk-screen`.\n"
    "Write two lines there: `[Service]` and `IPAddressAllow={address}`.\n"
    "Restart it: `sudo systemctl restart mask-kiosk-screen`.",
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
    Check("page", "Visitors read the page: if it isn't served, the screen says that the kiosk is out of order.",
          page, (SERVED, NO_PAGE, PORT_FREE, SHUT_IN, NOT_REACHED, NOT_SERVED, PORT_TAKEN)),
    Check("screen", "A screen beside the door that stays dark, or always shows FAULT, tells nobody anything.",
          screen, (SHOWN, OFF, RESTARTED, BARRED, BROKEN)),
)
