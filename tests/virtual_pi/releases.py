"""New versions of the kiosk on the virtual Pi: sound and broken ones, and deployments that are cut off."""

import random
import shutil
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING

from virtual_pi.guest import TREE, environment, guest, power, release, unit, until
from virtual_pi.page import DEPLOY, ROLLBACK

if TYPE_CHECKING:
    from virtual_pi.story import Story

PHASES, LATEST_SECONDS = ("sends", "Python packages", "starts"), 20.0  # what a deployment says, and how long after it
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
    for number, phase in enumerate(PHASES, 1):
        with story.diary.step(f"power cut {number}, after a deployment said '{phase}'") as measured:
            old = release()
            with _started(story, phase) as running:
                power("off")
                running.wait()
            power("on")
            power("wait")
            story.judges()
            measured.append("the former release judges" if release() == old else "the new release judges")


def connections(story: "Story") -> None:
    """Ssh killed in the middle of deployments."""
    for number, phase in enumerate(PHASES, 1):
        with story.diary.step(f"connection {number} killed, after a deployment said '{phase}'") as measured:
            old = release()
            with _started(story, phase) as running:
                subprocess.run(["pkill", "-KILL", "--session", str(running.pid)], check=False)
            guest("while pgrep -f '[d]eploy[.]pi' >/dev/null; do sleep 0.5; done")
            until(lambda: unit("ActiveState") == "active", "a running kiosk")
            measured.append("the former release runs" if release() == old else "the new release runs")


def _started(story: "Story", phase: str) -> "subprocess.Popen[str]":
    """Start deploying a new version, in a session of its own; return a random moment after it came to a phase."""
    running = subprocess.Popen(
        ["bash", "-c", DEPLOY], cwd=_changed(story), env=environment(), stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True,
    )  # fmt: skip
    assert any(phase in line for line in running.stdout or ()), phase
    time.sleep(_random.uniform(0, LATEST_SECONDS))  # the moment is the input here
    return running


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
