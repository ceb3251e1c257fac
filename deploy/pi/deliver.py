"""Fetches a release as the manifest says it is, and hands it to its own installer, for the pull agent."""

import os
import subprocess
import zipfile
from math import ceil
from pathlib import Path
from shutil import disk_usage

from deploy.errors import DeployError, UnkeptError, error_of
from deploy.manifest import Bundle, File
from deploy.pi.build import WHEELS
from deploy.pi.facts import HOME, PYTHON
from deploy.pi.fetch import save
from deploy.pi.files import remove
from deploy.pi.follow import Computer
from deploy.pi.receive import INCOMING
from deploy.pi.say import say
from deploy.release import as_json
from device.doctor.storage import FREE_MB

FETCHED = INCOMING.with_name("fetched")  # apart from what a workstation sends
MOST_MEGABYTES = 500  # of all files of a release


def fetch(computer: Computer, bundle: Bundle, wheels: tuple[File, ...]) -> None:
    """Have a release's files in FETCHED, each as the manifest says; what lies there already isn't fetched again."""
    files = {f"releases/{bundle.archive.name}": bundle.archive} | {f"wheels/{file.name}": file for file in wheels}
    megabytes = sum(file.size for file in files.values()) / 1e6
    if megabytes > MOST_MEGABYTES:
        raise DeployError(f"the release has {megabytes:.0f} MB, expected {MOST_MEGABYTES} at most")
    folder = computer.at(FETCHED)
    folder.mkdir(parents=True, exist_ok=True)
    for old in {path.name for path in folder.iterdir()} - {file.name for file in files.values()}:
        remove(folder / old)
    there = ceil(sum(path.stat().st_size for path in folder.iterdir()) / 1e6)  # MB
    free, wanted = disk_usage(folder).free // 1_000_000, FREE_MB["venv" if wheels else "update"] - there
    if free < wanted:
        raise DeployError(f"has {free} MB free under {HOME}, expected {wanted}: remove something there")
    say(f"fetches {bundle.release.version}, {megabytes:.1f} MB")
    for place, file in files.items():
        save(computer.server() + place, file, folder)


def hand_over(computer: Computer, bundle: Bundle, wheels: tuple[File, ...]) -> Path:
    """Put what was fetched where the installer looks for what a workstation sends; return the release's tree."""
    tree = computer.at(INCOMING) / bundle.release.version
    remove(tree)
    with zipfile.ZipFile(computer.at(FETCHED) / bundle.archive.name) as packed:
        packed.extractall(tree)  # its hash was signed
    (tree / "release.json").write_text(as_json(bundle.release), encoding="utf-8")
    for wheel in wheels:
        target = computer.at(WHEELS) / wheel.name
        target.parent.mkdir(exist_ok=True)
        remove(target)
        target.hardlink_to(computer.at(FETCHED) / wheel.name)
    return tree


def run(tree: Path, lock: int, *words: str) -> None:
    """Run Python in a release's tree, saying its lines; it holds the open lock as long as it lives.

    Raises DeployError with its error, and UnkeptError if it came to no end of its own.
    """
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    line, refused = "", False
    with subprocess.Popen(
        [PYTHON, "-B", *words], cwd=tree, env=environment, stdin=subprocess.DEVNULL, pass_fds=(lock,),
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace",
    ) as running:  # fmt: skip
        for text in running.stdout or ():
            line = text.strip().removeprefix("error: ")
            refused = line != text.strip()
            if not refused:  # an error is said where it is raised
                say(line)
    code = running.returncode
    if code < 0 or (code and not refused):  # killed, as where memory is short
        raise UnkeptError(f"{tree.name}: its installation was cut off (code {code}; its last line: {line or 'none'})")
    if code:
        raise error_of(code)(line)
