"""Says as whom the kiosk's service runs, which files it means, and what keeps it from reading them."""

import os
import stat
from dataclasses import dataclass, replace
from pathlib import Path

from device import arguments
from device.cameras.source import is_live
from device.doctor.finding import Case, Level
from device.doctor.host import CantTellError, Host
from device.errors import SettingsError
from device.model_card import is_path
from device.settings import Settings

USER = "mask-kiosk"
HIDDEN = {"ProtectHome": ("/home", "/root", "/run/user"), "PrivateTmp": ("/tmp", "/var/tmp")}  # noqa: S108
VISIBLE = {"no", "read-only"}  # to the service, where its unit has these
SHOWN = "BindPaths", "BindReadOnlyPaths"  # what the unit shows all the same

HIDES = Case(
    Level.TROUBLE, "the service doesn't see {path}: {setting} hides that folder from it",
    "Move the file into /etc/mask-kiosk, a recording into /var/lib/mask-kiosk.\n"
    "Write its new path into kiosk.toml.\n"
    "Restart the kiosk: `sudo systemctl restart mask-kiosk`.",
)
SHUT_IN = Case(
    Level.TROUBLE, "the service's user {user} can't enter {folder}, so it can't read {path}",
    "Move the file into /etc/mask-kiosk, and write its new path into kiosk.toml. If it is there already, let all users "
    "enter the folder: `sudo chmod o+x {folder}`.\n"
    "Restart the kiosk: `sudo systemctl restart mask-kiosk`.",
)
LOCKED = Case(
    Level.TROUBLE, "the service's user {user} can't read {path} (mode {mode}; numbers of owner and group {owner})",
    "Let the service's group read it: `sudo chgrp {group} {path} && sudo chmod ug+rX {path}`.\n"
    "Restart the kiosk: `sudo systemctl restart mask-kiosk`.",
)
HINDRANCES = (HIDES, SHUT_IN, LOCKED)


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
        return status.st_mode >> shift & right == right


def service_user(host: Host) -> ServiceUser:
    """Return the user that systemd names, or the one that a deployment makes where systemd doesn't answer."""
    unit = host.service
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
    """Return what a path of kiosk.toml names: to the service where it is installed, else to who looks."""
    unit = host.service
    if not is_installed(unit):
        return _below(host, arguments.path(text).absolute())
    if text == "~" or text.startswith("~/"):
        text = service_user(host).home + text[1:]
    return _below(host, Path(unit.get("WorkingDirectory") or "/", arguments.path(text)))


def kiosks_settings(host: Host, settings: Settings) -> Settings:
    """Return settings that name a recording, a model's file and YuNet's as `kiosks_path` does."""
    source, model = settings.camera.source, settings.model.name
    return replace(
        settings,
        camera=replace(settings.camera, source=source if is_live(source) else str(kiosks_path(host, source))),
        model=replace(settings.model, name=str(kiosks_path(host, model)) if is_path(model) else model),
        faces=replace(settings.faces, yunet_path=str(kiosks_path(host, settings.faces.yunet_path))),
    )


def _below(host: Host, path: Path) -> Path:
    return host.root / str(path).lstrip("/")  # of which a path may have two


def hindrance(host: Host, *paths: Path) -> Case | None:
    """Return what keeps the service from reading the first of these files and folders that it can't read.

    None where it isn't installed, for what isn't there, which its reader says, and for what its unit shows it by
    itself. The service's user is told no mode: reading shows, and follows ACLs too. Raises CantTellError for what
    whoever else looks can't read.
    """
    unit, user = host.service, service_user(host)
    if not is_installed(unit) or user.number is None:
        return None
    is_its_user = user.number == os.geteuid()
    for path in paths:
        try:
            if _is_shown(host, unit, path):
                continue
            if found := _hidden(host, unit, path) or (None if is_its_user else _shut(host, user, path)):
                return found
            readable = is_its_user or os.access(path, os.R_OK, effective_ids=True)
        except PermissionError:
            readable = False
        except (OSError, ValueError, RuntimeError):  # no file, no name of one, or links that lead to each other
            continue
        if not readable:
            raise CantTellError(f"{path}: can't be read by you: run it with sudo")
    return None


def kiosks_file(host: Host, text: str) -> str:
    """Return the file that a path of kiosk.toml names, as `kiosks_path` does.

    Raises SettingsError for what the service can't read, and CantTellError for what whoever looks can't.
    """
    path = kiosks_path(host, text)
    if hindered := hindrance(host, path):
        raise SettingsError(f"{hindered.found}: `sudo venv/bin/python -m device doctor` says what to do")
    return str(path)


def _is_shown(host: Host, unit: dict[str, str], path: Path) -> bool:
    """Tell whether the unit names a file or a folder above it, as systemd prints that: "SOURCE:PLACE:rbind"."""
    binds = " ".join(unit.get(key, "") for key in SHOWN).split()
    places = [_below(host, Path(bind.removesuffix(":rbind").rpartition(":")[2])) for bind in binds]
    return any(file.is_relative_to(place) for place in places for file in (path, path.resolve()))


def _hidden(host: Host, unit: dict[str, str], path: Path) -> Case | None:
    for key, folders in HIDDEN.items():
        hides = [host.root / folder.lstrip("/") for folder in folders if unit.get(key, "no") not in VISIBLE]
        if any(file.is_relative_to(folder) for folder in hides for file in (path, path.resolve())):
            return HIDES.of(path=path, setting=f"{key}={unit[key]}")
    return None


def _shut(host: Host, user: ServiceUser, path: Path) -> Case | None:
    """Return what mode and folders keep the service's user from. Raises OSError where there is no such file."""
    right = os.R_OK | os.X_OK if path.is_dir() else os.R_OK
    if not user.may(right, path):
        status = path.stat()
        mode, owner = f"{stat.S_IMODE(status.st_mode):04o}", f"{status.st_uid}:{status.st_gid}"
        return LOCKED.of(user=user.name, path=path, mode=mode, owner=owner, group=user.group)
    folders = [folder for folder in path.resolve().parents if folder.is_relative_to(host.root)]
    shut = [folder for folder in folders if not user.may(os.X_OK, folder)]
    return SHUT_IN.of(user=user.name, folder=shut[0], path=path) if shut else None


def is_installed(unit: dict[str, str]) -> bool:
    """Tell whether there is a unit, by systemd's properties of it."""
    return unit.get("LoadState") not in {None, "not-found"}


def _rows(host: Host, path: str) -> list[list[str]]:
    """Return the parts of each line that is a user's or a group's: the third is a number."""
    rows = [line.split(":") for line in (host.text(path) or "").splitlines()]
    return [row for row in rows if len(row) >= 4 and row[2].isdigit()]
