"""The pull agent, for doors that nobody reaches: fetches the release that a signed manifest names, and installs it.

Nothing is read that isn't signed, and nothing unpacked that isn't as signed; whatever fails leaves the release that
runs.
"""

import argparse
import json
import os
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

from deploy.errors import DarkError, DeployError, TakenBackError, UnkeptError, UnreachedError
from deploy.manifest import NAME, Bundle, File, Manifest, signers_file, verified
from deploy.pi import service
from deploy.pi.alone import alone
from deploy.pi.build import VENV, is_intact, release_of
from deploy.pi.deliver import FETCHED, fetch, hand_over, run
from deploy.pi.facts import PULLED, system
from deploy.pi.fetch import content
from deploy.pi.files import CURRENT, refusal, remove, write
from deploy.pi.follow import SIGNERS, Computer, State, came_by_hand, read_state, write_ran, write_state
from deploy.pi.receive import INSTALL, LOCK
from deploy.pi.say import say

MOST_BEGUN = 3  # installations of one release that were cut off, maybe by what it does, or couldn't be kept
EARLY_SECONDS = 86400  # a clock that is slower than the publisher's by more is wrong


def main(arguments: Sequence[str] | None = None, now: float | None = None) -> int:
    """Look once; return 0 done or nothing to do, or the code of what it ended with, as in errors.py."""
    parser = argparse.ArgumentParser("python -m deploy.pi.pull", description=__doc__)
    parser.add_argument("--look", action="store_true", help="only fetch the manifest and say whether it is believed")
    parser.add_argument("--root", type=Path, default=Path("/"), help="where the computer's files are")
    options = parser.parse_args(arguments)
    computer, now = Computer(options.root), time.time() if now is None else now
    os.umask(0o022)
    code, ran = 0, computer.runs()
    try:
        line = look(computer, now) if options.look else pull(computer, now)
    except (DeployError, OSError) as error:
        code, line = _told(error, ran, computer.runs())
    say(line)
    if not options.look:
        when = {"time": now, "uptime": time.clock_gettime(time.CLOCK_BOOTTIME)}
        write(computer.at(PULLED), json.dumps({**when, "code": code, "line": line.removeprefix("error: ")}) + "\n")
    return code


def _told(error: DeployError | OSError, ran: str, runs: str) -> tuple[int, str]:
    """Return the exit code and the line of an error, with what it left at its end, unless its text says so there."""
    refused = refusal(error) if isinstance(error, OSError) else error
    if isinstance(refused, TakenBackError):
        said = str(refused).rpartition("; ")[2].startswith(runs)
        left = "" if said else f"; {runs} is the current release"  # though another one, cut off, may run on trial
    else:  # another one runs where only the note that it was installed couldn't be written
        left = "; nothing has changed" if runs == ran else f"; {runs} runs"
    return refused.code, f"error: {refused}{left}"


def look(computer: Computer, now: float) -> str:
    """Return what the server's manifest is, if it is believed. Raises DeployError."""
    manifest, _ = _believed(computer, now, read_state(computer))
    return f"serial {manifest.serial} is believed"


def pull(computer: Computer, now: float) -> str:
    """Install what the manifest names, if it is new and this computer's turn; return what became of it in one line."""
    server, signers = computer.server(), computer.at(SIGNERS)
    trusted = signers.read_bytes()  # before: what `make follow` writes meanwhile isn't written over
    known = read_state(computer)
    manifest, state = _believed(computer, now, known)
    if trusted != (believed := signers_file(manifest.signers).encode()):
        write(signers, believed)
    if state != known:
        write_ran(computer, state.sha256)
        write_state(computer, state)
    debian = system(computer.root).split()[1]  # not the current release's: it may have been upgraded since
    bundle = next((each for each in manifest.bundles if each.release.debian == debian), None)
    if bundle is None:
        raise DeployError(f"the manifest has no release for Debian {debian}, expected one: publish it too")
    version = bundle.release.version
    if line := _settle(computer, version, state):
        return line
    place, share = computer.place(), _share(manifest, now)
    if place >= share:
        return f"{version} waits: this kiosk's place is {place:.3f}, and the first {share:.3f} have their turn"
    same_venv = release_of(computer.at(CURRENT)).lock == bundle.release.lock and is_intact(computer.at(CURRENT), *VENV)
    wheels = () if same_venv else bundle.wheels
    fetch(computer, bundle, wheels)
    with alone(computer.at(LOCK)) as lock:
        if (computer.server(), signers.read_bytes()) != (server, believed):
            return f"{version} waits: the kiosk follows another server or key now"
        if line := _settle(computer, version, state):  # by hand, in the minutes since it was asked first
            return line
        _install(computer, bundle, wheels, state, lock)
    return f"{version} runs"


def _settle(computer: Computer, version: str, state: State) -> str:
    """Return what keeps a release from being installed at this look, or nothing where it is to be.

    An installation that has ended unnoticed is written down as ended. Raises DeployError where the release won't be
    installed at the next look either.
    """
    if not computer.at(CURRENT).exists():
        raise DeployError("has no release, expected one: run `make deploy`")
    current = release_of(computer.at(CURRENT)).version
    if current == version:
        if not state.ended:  # it came from a workstation, or the end of its installation was cut off
            _end(computer, state, f"{version} ran already")
        return f"{version} runs already"
    if not state.ended and came_by_hand(computer, state.sha256):
        state = _end(computer, state, f"{current} came by hand")
    if state.ended or state.begun == MOST_BEGUN:
        reason = state.ended or f"{MOST_BEGUN} times its installation came to no end"
        raise DeployError(f"{version} isn't tried again before the next manifest: {reason}")
    return f"{version} waits: the kiosk is switched off here" if service.is_switched_off(computer.root) else ""


def _install(computer: Computer, bundle: Bundle, wheels: tuple[File, ...], state: State, lock: int) -> None:
    """Have what was fetched install itself, and write down how that ended. Raises DeployError."""
    write_state(computer, replace(state, begun=state.begun + 1))
    try:
        tree = hand_over(computer, bundle, wheels)
        # What couldn't fetch the release after it isn't installed.
        run(tree, lock, "-m", "deploy.pi.pull", "--look", "--root", str(computer.root))
        run(tree, lock, "-c", INSTALL, bundle.release.version)
    except (UnreachedError, DarkError):  # no fault of the release: it is tried again
        write_state(computer, state)
        raise
    except UnkeptError:  # nor is this, but it may have stopped the kiosk for a while: it counts as begun
        raise
    except DeployError as error:
        _end(computer, state, str(error))
        raise
    _end(computer, state, f"{bundle.release.version} was installed")


def _believed(computer: Computer, now: float, state: State) -> tuple[Manifest, State]:
    """Return the server's manifest, and the state that believing it leads to from this one. Raises DeployError."""
    found = content(computer.server() + NAME)
    manifest, digest = verified(found, computer.at(SIGNERS)), sha256(found).hexdigest()
    if manifest.serial < state.serial:
        raise DeployError(f"the manifest is an old one, of serial {manifest.serial}, expected {state.serial} or later")
    if manifest.serial == state.serial and digest != state.sha256:
        raise DeployError(f"the manifest isn't the one of serial {state.serial} accepted before: publish again")
    if now < manifest.made - EARLY_SECONDS:
        raise DeployError(
            f"the manifest is of {_day(manifest.made)}, and the clock says {_day(now)}: let a time server set it"
        )
    if now > manifest.expires:
        raise DeployError(f"the manifest expired on {_day(manifest.expires)}, it is {_day(now)}: publish again")
    return manifest, state if manifest.serial == state.serial else State(manifest.serial, digest)


def _end(computer: Computer, state: State, line: str) -> State:
    ended = replace(state, ended=line)
    write_state(computer, ended)
    remove(computer.at(FETCHED))
    return ended


def _share(manifest: Manifest, now: float) -> float:
    age = (now - manifest.made) / 3600
    return max((ring.share for ring in manifest.rings if age >= ring.after_hours), default=0.0)


def _day(seconds: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(seconds))


if __name__ == "__main__":
    sys.exit(main())
