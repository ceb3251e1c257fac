"""The ways of breaking the card that the kiosk writes to.

Only the setup page writes to it unasked: kiosk.toml, whose folder gets an ext4 of its own, as a Pi's card has.
"""

import fcntl
import json
import os
import shutil
import struct
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path

from device.web.edit import edit_settings

from .network import status_of
from .row import Fault, Missing
from .stage import Stage, wait_for

CARD_BYTES = 8_000_000  # ext4 keeps no journal on less than 7 MB
CHANGES = {"model": {"threshold": 0.5, "release": 0.4}}
SYNCED = "unlink"  # the save's first call once kiosk.toml and its name are on the card
CUTS = ("openat", "write", "fsync", "rename", SYNCED)
# Of Linux's ext4 and XFS: the file system ends at once, and what it hasn't written is lost.
SHUTDOWN, WITHOUT_FLUSH = 0x8004587D, struct.pack("I", 2)


@contextmanager
def card(stage: Stage) -> Iterator[None]:
    """Put the settings on a file system of their own."""
    folder, content, image = stage.config.parent, stage.config.read_bytes(), stage.folder / "card"
    with image.open("wb") as file:
        file.truncate(CARD_BYTES)
    made = subprocess.run(["/usr/sbin/mkfs.ext4", "-q", image], check=False).returncode
    if made or subprocess.run(["mount", "-o", "loop", image, folder], check=False).returncode:
        raise Missing("needs root, and leave to mount")
    try:
        stage.config.write_bytes(content)
        subprocess.run(["sync", "--file-system", folder], check=True)
        yield
    finally:
        subprocess.run(["umount", folder], check=True)


def unwritable(how: str) -> Fault:
    """Have the setup page save on a full or read-only card: it says so, and nothing is changed."""

    @contextmanager
    def fault(stage: Stage) -> Iterator[None]:
        filler = stage.config.with_name("filler")
        if how == "full":
            with filler.open("wb") as file, suppress(OSError):
                os.posix_fallocate(file.fileno(), 0, CARD_BYTES)
        else:
            subprocess.run(["mount", "-o", "remount,ro", stage.config.parent], check=True)
        if (found := save(stage)) != 400:
            raise AssertionError(f"saving was answered with {found}")
        yield
        subprocess.run(["mount", "-o", "remount,rw", stage.config.parent], check=True)
        filler.unlink(missing_ok=True)

    return fault


@contextmanager
def hanging(stage: Stage) -> Iterator[None]:
    """Have the card keep a save of the setup page waiting."""
    old, new = stage.config.read_bytes(), as_saved(stage)
    with ThreadPoolExecutor(1) as pool:
        with traced(stage, "fsync:delay_enter=600s"):
            saving = pool.submit(save, stage)
            wait_for(lambda: part_of(stage).exists() or None, "the save")
            yield
            if saving.done():
                raise AssertionError("the save hasn't waited for the card")
        if (found := saving.result()) != 200:
            raise AssertionError(f"saving was answered with {found}")
    put_back(stage, old, new)


def power_cut(call: str) -> Fault:
    """Cut the power when a save of the setup page comes to a system call: what isn't on the card by then is lost."""

    @contextmanager
    def fault(stage: Stage) -> Iterator[None]:
        folder, old, new = stage.config.parent, stage.config.read_bytes(), as_saved(stage)
        mounted = os.open(folder, os.O_RDONLY)
        with traced(stage, f"{call}:signal=KILL") as tracer:
            if found := save(stage):
                raise AssertionError(f"saving was answered with {found}")
            tracer.wait()  # it never ends if it is told to while the program ends
        fcntl.ioctl(mounted, SHUTDOWN, WITHOUT_FLUSH)
        os.close(mounted)
        # The first one itself may still be mounted for a program with a namespace of its own.
        left = shutil.copyfile(stage.folder / "card", stage.folder / "card-left")
        stage.service.stop()
        subprocess.run(["umount", folder], check=True)
        subprocess.run(["mount", "-o", "loop", left, folder], check=True)
        put_back(stage, old, new if call == SYNCED else old)
        yield
        stage.service.start()

    return fault


@contextmanager
def traced(stage: Stage, inject: str) -> Iterator[subprocess.Popen[str]]:
    """Have strace do something to the program's calls that have to do with the file that is to become kiosk.toml."""
    if not shutil.which("strace"):
        raise Missing("needs strace")
    with subprocess.Popen(
        ["strace", "--follow-forks", f"--attach={stage.service.pid}", f"--output={stage.folder / 'trace'}",
         f"--trace-path={part_of(stage)}", f"--inject={inject}"], stderr=subprocess.PIPE, text=True,
    ) as tracer:  # fmt: skip
        assert tracer.stderr
        if "attached" not in (line := tracer.stderr.readline()):
            raise Missing(f"needs leave to trace ({line.strip()})")
        try:
            yield tracer
        finally:
            tracer.terminate()


def save(stage: Stage) -> int:
    """Have the setup page save; return the answer's status, or 0 where there is none."""
    return status_of(stage, b"POST /setup/save HTTP/1.1", json.dumps(CHANGES).encode())


def as_saved(stage: Stage) -> bytes:
    """Return the kiosk.toml that a save makes of the present one."""
    copy = Path(shutil.copy(stage.config, stage.folder))
    edit_settings(copy, CHANGES)
    return copy.read_bytes()


def put_back(stage: Stage, old: bytes, expected: bytes) -> None:
    """Put the former kiosk.toml in the place of the one that is expected there."""
    if (found := stage.config.read_bytes()) != expected:
        raise AssertionError(f"kiosk.toml is {found!r}, expected {expected!r}")
    stage.config.write_bytes(old)


def part_of(stage: Stage) -> Path:
    """Return the file that a save writes before it takes the place of kiosk.toml."""
    return stage.config.with_name(".kiosk.toml.new")
