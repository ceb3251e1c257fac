"""New versions of the kiosk on the virtual Pi: sound and broken ones, and deployments that are cut off."""

import random
import re
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from virtual_pi.guest import TREE, environment, guest, power, release, unit
from virtual_pi.page import DEPLOY, ROLLBACK

if TYPE_CHECKING:
    from virtual_pi.story import Story

# What a deployment says, and the longest after it that it is cut off.
PHASES, LATEST_SECONDS = ("sends", "Python packages", "starts"), 20.0
CUTS, BROKEN = 3, 7  # deployments whose power and whose connection fails
_random = random.Random(13)  # noqa: S311


def updates(story: "Story") -> None:
    """An update, a broken one, and back."""
    former = release()
    with story.diary.step("updated"):
        story.diary.run(DEPLOY, _changed(story))
    updated = release()
    assert updated != former
    with story.diary.step("a broken update was taken back by itself"):
        story.diary.run(DEPLOY, _changed(story, "raise RuntimeError('broken')"), code=2)
        assert (release(), unit("ActiveState")) == (updated, "active")
    with story.diary.step("rolled back"):
        story.diary.page(ROLLBACK)
        assert (release(), unit("ActiveState")) == (former, "active")


def cuts(story: "Story") -> None:
    """The power cut in the middle of deployments."""
    for number in range(CUTS):
        with _cut_off(story, f"power cut {number + 1}", number) as running:
            power("off")
            running.wait()
            power("on")
            power("wait")


def connections(story: "Story") -> None:
    """Ssh killed in the middle of deployments."""
    for number in range(BROKEN):
        with _cut_off(story, f"connection {number + 1} killed", number) as running:
            subprocess.run(["pkill", "-KILL", "--session", str(running.pid)], check=False)
            guest("while pgrep -u pi || pgrep -f '[d]eploy[.]pi'; do sleep 0.5; done >/dev/null")


@contextmanager
def _cut_off(story: "Story", name: str, number: int) -> Iterator["subprocess.Popen[str]"]:
    """A step: yield a deployment of a new version at a random moment of a phase, in a session of its own.

    Afterwards the door has to judge, with the former release or the new one.
    """
    phase = PHASES[number % len(PHASES)]
    moment = _random.uniform(0, LATEST_SECONDS)
    with story.diary.step(f"{name}, {moment:.1f} s after a deployment said '{phase}'") as measured:
        known = {release(): "former"}
        with subprocess.Popen(
            ["bash", "-c", DEPLOY], cwd=_changed(story), env=environment(), stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True,
        ) as running:  # fmt: skip
            for line in running.stdout or ():
                known |= dict.fromkeys(re.findall(r"sends (\S+):", line), "new")
                if phase in line:
                    break
            else:
                raise AssertionError(f"the deployment ended before it said '{phase}'")
            time.sleep(moment)  # the input here
            yield running
        story.judges()
        measured.append(f"the {known[release()]} release judges")


def _changed(story: "Story", line: str = "") -> Path:
    """Return a new version of the tree: one that has another line at the top of device/kiosk.py."""
    number = time.time_ns()
    copy = story.folder / str(number)
    for part in ("deploy", "device", "models", "systemd"):
        shutil.copytree(TREE / part, copy / part, ignore=shutil.ignore_patterns("__pycache__"))
    for part in ("Makefile", "pyproject.toml"):
        shutil.copy(TREE / part, copy)
    kiosk = copy / "device" / "kiosk.py"
    kiosk.write_text(f"{line or f'# {number}'}\n{kiosk.read_text()}")
    return copy
