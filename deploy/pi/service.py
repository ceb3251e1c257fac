"""Starts a release on trial and makes it the current one only if it decides frames.

The trial's unit lies in /run, which a power cut empties: until `current` leads to the new release, the old one starts.
"""

import subprocess
import time
from pathlib import Path

from deploy.errors import DeployError
from deploy.pi.faces import RULES, leave_rule
from deploy.pi.facts import HOME, UNIT
from deploy.pi.files import CURRENT, FORMER, RELEASES, advance, point, release_at, remove, write
from deploy.pi.page import silence
from device.errors import Blind

SCREEN = "mask-kiosk-screen.service"
PULL, PULL_TIMER = "mask-kiosk-pull.service", "mask-kiosk-pull.timer"
TRIAL = Path("/run/systemd/system") / UNIT  # comes before UNITS
UNITS = Path("/usr/local/lib/systemd/system")
HIDING = Path("/etc/systemd/system")  # comes before both
# Links of ours, and the file of the release that each leads to.
LINKS = {
    UNITS / UNIT: UNIT,
    UNITS / SCREEN: SCREEN,
    UNITS / PULL: PULL,
    UNITS / PULL_TIMER: PULL_TIMER,
    Path("/etc/sysusers.d/mask-kiosk.conf"): "mask-kiosk.sysusers",
    RULES: "mask-kiosk.tmpfiles",
    # Such files count in the order of their names, wherever they lie; Raspberry Pi OS has one that begins with 40.
    Path("/etc/systemd/system.conf.d/90-mask-kiosk.conf"): "watchdog.conf",
}
ENABLED = HIDING / "multi-user.target.wants" / UNIT
TIMER_ENABLED = HIDING / "timers.target.wants" / PULL_TIMER
# As `systemctl enable` and `disable` make and remove them.
WANTS = {
    ENABLED: UNITS / UNIT,
    ENABLED.with_name(SCREEN): UNITS / SCREEN,
    TIMER_ENABLED: UNITS / PULL_TIMER,
}
FED_TIMES = 3  # as often the watchdog has to be fed before a release counts; the kiosk does it once a second
PATIENCE_SECONDS = 30.0
SHOWN_LINES = 10


def systemctl(*words: str) -> bool:
    """Run systemctl; tell whether it succeeded."""
    return subprocess.run(["systemctl", *words], capture_output=True, check=False).returncode == 0


def show(*names: str) -> list[str]:
    """Return properties of the kiosk's unit. Raises DeployError where systemd doesn't answer."""
    command = ["systemctl", "show", f"--property={','.join(names)}", UNIT]
    done = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)
    if done.returncode:
        raise DeployError(f"systemd doesn't answer: {done.stderr.strip() or done.returncode}")
    values = dict(line.split("=", 1) for line in done.stdout.splitlines())
    return [values.get(name, "") for name in names]


def require_no_other_unit() -> None:
    """Raise DeployError if a unit of somebody's own hides the release's."""
    _remove_enabled()
    if (HIDING / UNIT).exists():
        raise DeployError(
            f"{HIDING / UNIT} hides the unit that is deployed: keep its changes with `systemctl edit`, and remove it"
        )


def _remove_enabled() -> None:
    """Remove what `systemctl enable` makes besides a link of WANTS: one that ties the unit to today's release."""
    for link in WANTS:
        hiding = HIDING / link.name
        if hiding.is_symlink() and hiding.resolve().is_relative_to(HOME.resolve()):
            remove(hiding)


def start_on_trial(release: Path) -> str:
    """Run a release in place of the current one; return why it doesn't do its work, or nothing if it does."""
    text = (release / "systemd" / UNIT).read_text(encoding="utf-8")
    write(TRIAL, text.replace(str(CURRENT), str(release)))
    systemctl("daemon-reload")
    systemctl("reset-failed", UNIT)  # else starts of a while ago may count in NRestarts
    started = systemctl("restart", UNIT)  # returns when the first frame was decided
    if started and _is_fed():
        return silence()
    state, status = show("ActiveState", "StatusText")
    if status.startswith("FAULT"):
        return status
    return (
        "it stopped deciding frames soon after the first" if started else f"no frame was decided, the unit is {state}"
    )


def is_dark() -> bool:
    """Tell whether the kiosk that was started last ended because its camera gave nothing but black."""
    return Blind.COVERED in show("StatusText")[0]


def _is_fed() -> bool:
    """Tell whether the watchdog is fed, by decided frames, FED_TIMES, without another start."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    seen = set()
    while time.monotonic() < deadline:
        state, restarts, fed = show("ActiveState", "NRestarts", "WatchdogTimestampMonotonic")
        if state != "active" or restarts != "0":
            return False
        seen.add(fed)
        if len(seen) >= FED_TIMES:
            return True
        time.sleep(0.2)
    return False


def keep(release: Path) -> None:
    """Make the release on trial the current one, and the one before it the former; a third is removed.

    It starts with the computer, and so do screen and timer, unless they came before and were disabled since.
    The link `current` comes last of what may fail on a full card: until it leads to the release, the trial can be taken
    back. Raises OSError.
    """
    for link, target in WANTS.items():
        if link == ENABLED or link.is_symlink() or not target.is_symlink():
            point(link, target)
    for link, name in LINKS.items():
        point(link, CURRENT / "systemd" / name)
    advance(release)
    _regroup(release)
    remove(TRIAL)
    systemctl("daemon-reload")
    if TIMER_ENABLED.is_symlink():
        systemctl("start", PULL_TIMER)  # which stays off where no server is followed
    prune()


def _regroup(release: Path) -> None:
    """Have the screen's user in the kiosk's group if the release says so, as those whose browser reads settings do."""
    # First out: systemd-sysusers only adds to groups.
    for command in (
        ["gpasswd", "--delete", "mask-kiosk-screen", "mask-kiosk"],
        ["systemd-sysusers", str(release / "systemd" / "mask-kiosk.sysusers")],
    ):
        subprocess.run(command, capture_output=True, check=False)


def is_switched_off(root: Path) -> bool:
    """Tell whether the kiosk of the computer below `root` neither runs nor starts with it. Raises DeployError."""
    link, hiding = (root / path.relative_to("/") for path in (ENABLED, HIDING / UNIT))
    masked = hiding.is_symlink() and hiding.readlink() == Path("/dev/null")
    return (masked or not link.is_symlink()) and show("ActiveState")[0] in {"inactive", "failed"}


def remove_links() -> None:
    """Remove what has the kiosk start with the computer, but for the rules by which kept faces go in time."""
    _remove_enabled()
    for path in {*WANTS, *LINKS} - {RULES}:
        remove(path)


def take_back() -> str:
    """End a trial: start the current release again, or leave none; return what runs now."""
    remove(TRIAL)
    if not CURRENT.exists():
        systemctl("stop", UNIT)
        remove_links()
        leave_rule()
        systemctl("daemon-reload")
        systemctl("reset-failed", UNIT)
        return "nothing runs, as before"
    systemctl("daemon-reload")
    systemctl("reset-failed", UNIT)
    name = CURRENT.resolve().name
    return (
        f"{name} runs again" if systemctl("restart", UNIT) else f"{name} was started again and doesn't come up either"
    )


def prune() -> None:
    """Remove every release but the current and the former one."""
    kept = {release_at(link) for link in (CURRENT, FORMER)}
    for path in RELEASES.iterdir():
        if path not in kept:
            remove(path)


def last_lines(since: float, until: float) -> list[str]:
    """Return the last lines of the unit's journal that came between two moments, in seconds since 1970."""
    span = ["--since", f"@{since:.3f}", "--until", f"@{until:.3f}"]  # --lines counts those that came later, too
    command = ["journalctl", "--unit", UNIT, *span, "--no-pager", "--output", "cat"]
    done = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)
    return done.stdout.splitlines()[-SHOWN_LINES:]
