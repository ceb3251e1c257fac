"""Says as whom the kiosk's service runs, which files it means, and what that user may do with them."""

from dataclasses import dataclass
from pathlib import Path

from device import arguments
from device.doctor.host import CantTellError, Host

USER = "mask-kiosk"


@dataclass(frozen=True)
class ServiceUser:
    """The user that the service runs as."""

    name: str
    number: int | None  # None: this computer has no such user
    group: str  # its own one
    groups: dict[str, int]  # all that it is in, that one too, and their numbers
    home: str

    def may(self, right: int, path: Path) -> bool:
        """Tell whether owner, group and mode of a file or folder give a right, as os.R_OK. Raises OSError."""
        status = path.stat()
        shift = 6 if status.st_uid == self.number else 3 if status.st_gid in self.groups.values() else 0
        return bool(status.st_mode >> shift & right)


def service_user(host: Host) -> ServiceUser:
    """Return the user that systemd names, or the one that a deployment makes where systemd doesn't answer."""
    unit = known_unit(host)
    name = unit.get("User") or USER
    row = next((row for row in _rows(host, "etc/passwd") if row[0] == name), None)
    own = unit.get("Group") or (row[3] if row else "")  # a name or a number, as each of the others
    wanted = {own, *unit.get("SupplementaryGroups", "").split()}
    groups = {
        group: int(number) for group, _, number, members in _rows(host, "etc/group")
        if name in members.split(",") or {group, number} & wanted
    }  # fmt: skip
    group = next((group for group, number in groups.items() if own in {group, str(number)}), own)
    home = row[5] if row and len(row) > 5 else "/"
    return ServiceUser(name, int(row[2]) if row else None, group, groups, home)


def kiosks_path(host: Host, text: str) -> Path:
    """Return what a path of kiosk.toml names, absolute: to the service where it is installed, else to who looks."""
    unit = known_unit(host)
    if not is_installed(unit):
        return arguments.path(text).absolute()
    if text == "~" or text.startswith("~/"):
        text = service_user(host).home + text[1:]
    return Path(unit.get("WorkingDirectory") or "/", arguments.path(text))


def known_unit(host: Host) -> dict[str, str]:
    """Return systemd's properties of the service; none where systemd doesn't answer."""
    try:
        return host.unit()
    except CantTellError:
        return {}


def is_installed(unit: dict[str, str]) -> bool:
    """Tell whether there is a unit, by systemd's properties of it."""
    return unit.get("LoadState") not in {None, "not-found"}


def _rows(host: Host, path: str) -> list[list[str]]:
    """Return the parts of each line that is a user's or a group's: the third is a number."""
    rows = [line.split(":") for line in (host.text(path) or "").splitlines()]
    return [row for row in rows if len(row) >= 4 and row[2].isdigit()]
