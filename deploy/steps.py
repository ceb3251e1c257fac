"""Puts a release on one host: what is checked, what travels, what runs there."""

import json
import shlex
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from deploy import checks, wheels
from deploy.errors import DeployError, error_of
from deploy.lock import RUNTIMES, pins_of, wheels_of
from deploy.pi.build import INTACT, VENV
from deploy.pi.facts import HOME, LOOK, LOOK_SECONDS, PYTHON
from deploy.pi.receive import LAST
from deploy.release import TREE, Release, as_json, plan, shipped
from deploy.remote import Remote
from deploy.say import Say

FACTS, RECEIVE = (TREE / "deploy" / "pi" / name for name in ("facts.py", "receive.py"))


@dataclass(frozen=True)
class Wish:
    """What the command line asks for."""

    runtime: str = RUNTIMES[0]
    online: bool = False  # the Pi fetches its wheels itself
    dry_run: bool = False


def facts_of(remote: Remote) -> checks.Facts:
    """Return what deploy/pi/facts.py finds on a host; raises DeployError if that can't run there, or be heard."""
    code, printed = remote.ask(f"{PYTHON} -I - 2>&1", FACTS.read_text(encoding="utf-8"))
    lines = printed.splitlines()
    if code:
        found = lines[-1] if lines else f"code {code}"
        raise DeployError(
            f"has no Python that can look at it ({found}), expected Raspberry Pi OS Bookworm or Trixie: install it, or "
            "mend what it says"
        )
    try:
        return dict(json.loads(lines[-1]))  # before it stands what the shell there says to whoever comes
    except (IndexError, TypeError, ValueError) as error:
        found = lines[-1][:60] if lines else ""
        raise DeployError(f"says {found!r}, expected an answer: make sure that its ~/.bashrc prints nothing") from error


def released(remote: Remote) -> checks.Facts:
    """Return the facts of a host that has a release; raises DeployError if it has none."""
    facts = facts_of(remote)
    require_release(facts)
    return facts


def require_release(facts: checks.Facts) -> None:
    """Raise DeployError if a host with these facts has no release."""
    if not facts["released"]:
        raise DeployError("has no release, expected one: run `make deploy`")


def deploy(remote: Remote, wish: Wish, say: Say) -> str:
    """Make a host run this tree; return what became of it in a few words. Raises DeployError."""
    facts = facts_of(remote)
    refuse(checks.refusals(facts))
    debian = facts["system"].split()[1]
    release = _planned(debian, wish.runtime)
    runs = facts["current"].get("version") == release.version and facts["unit"].get("ActiveState") == "active"
    if runs and _is_intact(remote, *VENV, "sources"):
        return f"{release.version} runs already"
    same_venv = facts["current"].get("lock") == release.lock
    venv = not (same_venv and _is_intact(remote, *VENV))
    if same_venv and venv:
        say(f"{facts['current']['version']} isn't what was built: its packages are installed anew")
    elif runs:
        say(f"{release.version} isn't what was built: its files are sent anew")
    pins = pins_of(TREE, debian)
    refuse(checks.shortages(facts, venv, pins, wish.online))
    say(f"{facts['system']}, {facts['free_mb']} MB free, now {facts['current'].get('version', 'without a release')}")
    packages = checks.packages(facts, wish.online and venv)
    if packages:
        say(f"apt, there: {checks.apt(packages)}")
        if not wish.dry_run:
            install(remote, packages, say)
    files = [(TREE / path, f"{release.version}/{path.as_posix()}") for path in shipped(TREE)]
    wanted = wheels_of(pins, wish.runtime) if venv and not wish.online else []
    if wanted and not wish.dry_run:
        say(f"wheels for {wish.runtime} on Debian {debian}: {len(wanted)}, kept in {wheels.cache()}")
        files += [
            (path, f"wheels/{path.name}") for path in wheels.fetch(wanted, debian)
            if facts["wheels"].get(path.name) != path.stat().st_size
        ]  # fmt: skip
    told = f"{release.version}: {len(files)} files, {sum(path.stat().st_size for path, _ in files) / 1e6:.1f} MB"
    if wish.dry_run:
        say(f"would send {told}" + (f", and up to {len(wanted)} Python packages" if wanted else ""))
        return f"would become {release.version}"
    say(f"sends {told}")
    send(remote, files, release, say)
    return f"{release.version} runs"


def _is_intact(remote: Remote, *parts: str) -> bool:
    """Tell whether parts of the current release of a host are what was built there."""
    code, _ = remote.ask(f"cd {HOME}/current && {shlex.join(LOOK)} - {shlex.join(parts)}", INTACT, LOOK_SECONDS)
    return code == 0


@cache  # every host of a command gets the same one
def _planned(debian: str, runtime: str) -> Release:
    return plan(TREE, debian, runtime)


def refuse(found: list[str]) -> None:
    """Raise DeployError with these lines, if there are any."""
    if found:
        raise DeployError("\n".join(found))


def install(remote: Remote, packages: list[str], say: Say) -> None:
    """Install Debian packages on a host; raises DeployError with apt's first error."""
    printed: list[str] = []

    def note(line: str) -> None:
        printed.append(line)
        say(f"apt: {line}")

    code = remote.follow(f"{checks.apt_wait()}; {checks.apt(packages)}", note)
    if code:
        found = next((line for line in printed if line.startswith("E: ")), f"code {code}")
        raise DeployError(
            f"apt can't install {' '.join(packages)} ({found}): see its lines, and run the same command again"
        )


def send(remote: Remote, files: list[tuple[Path, str]], release: Release, say: Say) -> None:
    """Have a host receive a release's files and install it; raises DeployError with the line it ended with."""
    with tempfile.TemporaryDirectory() as folder:
        beside = Path(folder) / LAST
        beside.write_text(as_json(release), encoding="utf-8")
        receive = f"-I -B -c {shlex.quote(RECEIVE.read_text(encoding='utf-8'))} {release.version}"
        on_pi(remote, f"sudo -n {PYTHON} {receive}", say, [*files, (beside, f"{release.version}/{LAST}")])


def on_pi(remote: Remote, command: str, say: Say, files: Iterable[tuple[Path, str]] = ()) -> None:
    """Run one command of deploy.pi on the host; raises DeployError with the line it ended with."""
    last, refused = "", False

    def note(line: str) -> None:
        nonlocal last, refused
        last = line.removeprefix("error: ")
        refused = last != line
        if not refused:  # an error is said where it is raised
            say(line)

    code = remote.follow(command, note, files)
    if code:
        # What fails before it can refuse, as sudo does, ends with codes of its own.
        raise (error_of(code) if refused else DeployError)(last)
