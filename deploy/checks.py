"""Tells what keeps a host from being a kiosk, one line each, from the facts that deploy/pi/facts.py found there."""

import time
from math import ceil
from typing import Any

from deploy.lock import Pin
from deploy.pi.facts import HOME, PYTHON, usb_device
from device.doctor.storage import FREE_MB

CLOCK_SECONDS = 86400  # further off, certificates of package indexes may seem invalid

LISTS_LOCK = "/var/lib/apt/lists/lock"

Facts = dict[str, Any]


def refusals(facts: Facts) -> list[str]:
    """Return a line for each thing that no command of ours can mend, as found, expected, what to do."""
    found = []
    architecture, system = facts["architecture"], facts["system"]
    if architecture != "arm64":
        found.append(
            f"its system is {architecture}, expected arm64: use a Pi 3 or later, "
            "with the 64-bit Raspberry Pi OS written to its card"
        )
    if system not in {"debian 12", "debian 13"}:
        found.append(f"runs {system}, expected debian 12 or 13: install Raspberry Pi OS Bookworm or Trixie")
    if not facts["systemd"]:
        found.append("wasn't started by systemd, expected it: install Raspberry Pi OS, not a container")
    if not facts["sudo"]:
        found.append(
            f"sudo asks {facts['user']} for a password, expected none: run `sudo visudo -f /etc/sudoers.d/010_pi` "
            f"there, and write `{facts['user']} ALL=(ALL) NOPASSWD: ALL`"
        )
    if facts["groups_missing"]:
        groups = ", ".join(facts["groups_missing"])
        found.append(f"has no group {groups}, expected Raspberry Pi OS, whose camera and pins belong to it")
    if facts["settings_wrong"]:
        found.append(f"{facts['settings_wrong']}, expected valid TOML: correct it there")
    if camera := facts["usb_missing"]:
        found.append(
            f"has no camera {camera} ({usb_device(camera)}), which kiosk.toml names: connect it, or correct [camera]"
        )
    return found


def shortages(facts: Facts, venv: bool, pins: list[Pin], online: bool) -> list[str]:
    """Return a line for each thing that a release lacks there. venv: it needs a new one, with these pins."""
    found = []
    sent = sum(size for name, size in facts["wheels"].items() if any(pin.names_wheel(name) for pin in pins))
    free, wanted = facts["free_mb"], FREE_MB["venv"] - ceil(sent / 1e6) if venv else FREE_MB["update"]
    if free < wanted:
        found.append(
            f"has {free} MB free under {HOME}, expected {wanted}: remove something, or use a larger card or disk"
        )
    system = next((pin.version for pin in pins if pin.name == "numpy"), "")
    if system and facts["numpy"] not in {system, ""}:
        found.append(
            f"its numpy is {facts['numpy']}, expected {system}, Debian's own: run "
            "`sudo apt install --reinstall python3-numpy` there, and remove what pip put over it"
        )
    off = facts["time"] - time.time()
    fetches = online and venv
    if abs(off) > CLOCK_SECONDS and (fetches or packages(facts, fetches)):
        when = time.strftime("%Y-%m-%d %H:%M", time.gmtime(facts["time"]))
        found.append(
            f"its clock says {when} UTC, expected today: connect it to a network, or set it with `sudo date -s`"
        )
    return found


def packages(facts: Facts, online: bool) -> list[str]:
    """Return the Debian packages that have to be installed."""
    return [*facts["packages_missing"], *(["python3-pip"] if online and not facts["pip"] else [])]


def apt(names: list[str]) -> str:
    """Return the shell command that installs Debian packages; it waits a minute for another one to be done."""
    install = "apt-get -q install -y --no-install-recommends -o DPkg::Lock::Timeout=60"
    return f"sudo -n apt-get -q update && sudo -n env DEBIAN_FRONTEND=noninteractive {install} {' '.join(names)}"


def apt_wait() -> str:
    """Return the shell command to run before that: it waits a minute, in silence, for another apt to update its lists.

    As a Pi's own does that was just started: it takes the lists' lock, for which ours has no patience.
    """
    wait = f"import fcntl; fcntl.lockf(open('{LISTS_LOCK}', 'a'), fcntl.LOCK_EX)"
    return f'sudo -n timeout 60 {PYTHON} -c "{wait}" 2>/dev/null'
