"""The Pi's side of a deployment, as root: install VERSION, rollback, undeploy, follow URL KEY…, unfollow.

Goes on when its caller is gone.
"""

import os
import signal
import subprocess
import sys
import time
from contextlib import nullcontext, suppress
from pathlib import Path

from deploy.errors import DarkError, DeployError, TakenBackError, UnkeptError, require_end
from deploy.pi import service
from deploy.pi.alone import alone
from deploy.pi.build import build, release_of, require_packages
from deploy.pi.faces import leave_rule
from deploy.pi.facts import CONFIG, GONE, UNIT, settings, system
from deploy.pi.files import CURRENT, FORMER, RELEASES, refusal, release_at, remove, remove_home, write
from deploy.pi.follow import follow, unfollow
from deploy.pi.hold import lines_for_config_txt
from deploy.pi.receive import INCOMING
from deploy.pi.say import say
from deploy.release import TREE
from device.errors import Blind

USER = "mask-kiosk"


def main(words: list[str], *, locked: bool = False) -> int:
    """Run one command; return the exit code. locked: this process holds the lock already."""
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)
    os.umask(0o022)  # the service's user reads what root writes
    try:
        with nullcontext() if locked else alone():
            match words:
                case ["install", version]:
                    install(version)
                case ["rollback"]:
                    rollback()
                case ["undeploy"]:
                    undeploy()
                case ["follow", server, *keys]:
                    follow(server, tuple(keys))
                case ["unfollow"]:
                    unfollow()
                case _:
                    raise DeployError(f"{' '.join(words)} is no command, expected one of:{__doc__.partition(':')[2]}")
    except (DeployError, OSError) as error:
        refused = refusal(error) if isinstance(error, OSError) else error
        say(f"error: {refused}")
        return refused.code
    return 0


def install(version: str) -> None:
    """Install the release that was sent; whatever becomes of it, nothing of what was sent is left."""
    try:
        _install(version)
    finally:
        remove(INCOMING)
        if not CURRENT.is_symlink():  # the first one failed
            remove_home()
    for line in lines_for_config_txt():
        say(line)


def _install(version: str) -> None:
    """Build the release that was sent and make it the current one if it proves itself."""
    debian = release_of(INCOMING / version).debian
    if system() != f"debian {debian}":
        raise DeployError(
            f"runs {system()}, expected debian {debian}, for which {version} was made: for this system "
            f"`make bundle DEBIAN={system().split()[1]}`"
        )
    remove(GONE)
    service.require_no_other_unit()
    RELEASES.mkdir(parents=True, exist_ok=True)
    found, wrong = settings()
    if wrong:
        raise DeployError(f"{wrong}, expected valid TOML: correct it there")
    require_packages(found)
    _make_user()
    release = build(version)
    new = not os.path.lexists(CONFIG)  # a link of the kiosk's, which may write there, leads root to no other file
    if new:
        write(CONFIG, (release / "deploy" / "kiosk.toml").read_bytes())
        say(f"settings: {CONFIG} is new, with the defaults")
    try:
        switch(release)
    except DeployError:
        if new:
            remove(CONFIG)
        raise


def switch(release: Path) -> None:
    """Prove a release and run it on trial; keep it, or go back and raise TakenBackError with the reason.

    UnkeptError where the reason is this computer's, DarkError where neither release sees anything.
    """
    ended = TakenBackError
    kept = {release_at(CURRENT), release_at(FORMER)}
    try:
        _prove(release)
    except DeployError:
        if release not in kept:
            remove(release)
        raise
    say(f"starts {release.name}")
    began = time.time()
    try:
        reason = service.start_on_trial(release)
        if not reason:
            service.keep(release)
    except Exception as error:  # systemd doesn't answer, the card has no room for a link, or a mistake of ours
        if release_at(CURRENT) == release:
            raise
        reason, ended = str(error), UnkeptError
    if reason:
        ended_at = time.time()
        now = service.take_back()
        dark = Blind.COVERED in reason and CURRENT.exists() and service.is_dark()  # at once: its next start is near
        for line in service.last_lines(began, ended_at):
            say(f"journal: {line}")
        if release not in kept:
            remove(release)
        if dark:
            raise DarkError(
                f"it is dark in front of the camera, so it can't be seen whether {release.name} works ({reason}); {now}"
            )
        raise ended(f"{release.name} didn't come up ({reason}); {now}")


def rollback() -> None:
    """Run the former release again; the current one becomes the former."""
    if not FORMER.exists() or release_at(FORMER) == release_at(CURRENT):
        raise DeployError("has no former release to go back to")
    service.require_no_other_unit()
    switch(release_at(FORMER))


def undeploy() -> None:
    """Remove the kiosk, outputs off; its settings and state stay, and while faces do, what removes them in time."""
    service.systemctl("stop", service.PULL_TIMER, service.PULL, service.SCREEN, UNIT)
    service.remove_links()
    remove(service.TRIAL)
    service.systemctl("daemon-reload")
    with suppress(OSError):  # of a full card
        leave_rule()  # now, because a power cut may end what follows
    remove_home()
    leave_rule()  # and if not yet, now that there is room for it
    say(f"removed; {CONFIG.parent}* and /var/lib/mask-kiosk* stay: `sudo rm -r` them if they aren't wanted any more")


def _prove(release: Path) -> None:
    """Raise DeployError if a release's check refuses this machine or its settings."""
    check = [str(release / "venv" / "bin" / "python"), "-B", "-m", "device", "check", "--config", str(CONFIG)]
    done = subprocess.run(
        # Not runuser, whose session asks for more than the pull agent's unit grants.
        ["setpriv", "--reuid", USER, "--regid", USER, "--init-groups", *check],
        cwd=release, capture_output=True, text=True, errors="replace", check=False, stdin=subprocess.DEVNULL,
    )  # fmt: skip
    require_end(done.returncode, f"device check of {release.name}")
    if done.returncode:
        found = (done.stderr.splitlines() or done.stdout.splitlines() or [f"code {done.returncode}"])[-1]
        raise DeployError(f"{release.name} isn't fit for this computer (device check: {found}); it wasn't started")


def _make_user() -> None:
    for command, name in (
        (["systemd-sysusers"], "mask-kiosk.sysusers"),
        (["systemd-tmpfiles", "--create"], "mask-kiosk.tmpfiles"),
    ):
        # Warnings are about other files of theirs.
        subprocess.run([*command, str(TREE / "systemd" / name)], capture_output=True, check=False)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
