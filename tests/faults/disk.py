"""The ways of breaking the card that the kiosk writes to.

It writes kiosk.toml, from the setup page, and counts, where it was asked to; both lie on an ext4 of their own, as on a
Pi's card.
"""

import fcntl
import json
import os
import shutil
import signal
import sqlite3
import struct
import subprocess
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager, suppress
from datetime import datetime
from pathlib import Path

from device.telemetry.counts import Counts
from device.web.edit import edit_settings

from .network import status_of
from .row import Fault, Missing
from .stage import Stage, wait_for

CARD_BYTES = 8_000_000  # ext4 keeps no journal on less than 7 MB
CHANGES = {"model": {"threshold": 0.5, "release": 0.4}}
SYNCED = "unlink"  # the save's first call once kiosk.toml and its name are on the card
SAVE_CUTS = ("openat", "write", "fsync", "rename", SYNCED)
COUNT_CUTS = ("pwrite64", "fdatasync")  # SQLite's to its log, before what it adds counts
# Of Linux's ext4 and XFS: the file system ends at once, and what it hasn't written is lost.
SHUTDOWN, WITHOUT_FLUSH = 0x8004587D, struct.pack("I", 2)


@contextmanager
def card(stage: Stage) -> Iterator[None]:
    """Put settings and counts on a file system of their own."""
    folder, content, image = stage.config.parent, stage.config.read_bytes(), stage.folder / "card"
    with image.open("wb") as file:
        file.truncate(CARD_BYTES)
    made = subprocess.run(["/usr/sbin/mkfs.ext4", "-q", image], check=False).returncode
    if made or subprocess.run(["mount", "-o", "loop", image, folder], check=False).returncode:
        raise Missing("needs root, and leave to mount")
    try:
        stage.config.write_bytes(content + b"\n[counts]\nenabled = true\n")
        stage.service.environment["STATE_DIRECTORY"] = str(folder)
        counts = Counts(folder / "counts.db", keep_days=90)
        counts.add(datetime.now(), "visits")
        counts.write()
        counts.close()
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
        with traced(stage, part_of(stage), "fsync:delay_enter=600s"):
            saving = pool.submit(save, stage)
            wait_for(lambda: part_of(stage).exists() or None, "the save")
            yield
            if saving.done():
                raise AssertionError("the save hasn't waited for the card")
        if (found := saving.result()) != 200:
            raise AssertionError(f"saving was answered with {found}")
    put_back(stage, old, new)


def cut_save(call: str) -> Fault:
    """Cut the power when a save of the setup page comes to a system call."""

    @contextmanager
    def fault(stage: Stage) -> Iterator[None]:
        old, new = stage.config.read_bytes(), as_saved(stage)
        cut_power(stage, part_of(stage), call, lambda: save(stage))
        put_back(stage, old, new if call == SYNCED else old)
        yield
        stage.service.start()

    return fault


def cut_counts(call: str) -> Fault:
    """Cut the power when the program, as it ends, adds to its counts and comes to a system call."""

    @contextmanager
    def fault(stage: Stage) -> Iterator[None]:
        path = stage.config.with_name("counts.db")
        old = counted(path)
        cut_power(stage, path.with_name("counts.db-wal"), call, lambda: stage.kill(signal.SIGTERM))
        if (found := counted(path)) != old:
            raise AssertionError(f"counts.db has {found}, expected {old}")
        yield
        stage.service.start()

    return fault


def cut_power(stage: Stage, path: Path, call: str, write: Callable[[], object]) -> None:
    """Have something written; at a call for a file the program is killed, and what isn't on the card then is lost."""
    folder = stage.config.parent
    mounted = os.open(folder, os.O_RDONLY)
    with traced(stage, path, f"{call}:signal=KILL") as tracer:
        write()
        tracer.wait()  # it never ends if it is told to while the program ends
    fcntl.ioctl(mounted, SHUTDOWN, WITHOUT_FLUSH)
    os.close(mounted)
    # The first one itself may still be mounted for a program with a namespace of its own.
    left = shutil.copyfile(stage.folder / "card", stage.folder / "card-left")
    stage.service.stop()
    if not stage.service.when(f"ended {-signal.SIGKILL}"):
        raise AssertionError(f"the program hasn't come to {call} of {path.name}")
    subprocess.run(["umount", folder], check=True)
    subprocess.run(["mount", "-o", "loop", left, folder], check=True)


@contextmanager
def traced(stage: Stage, path: Path, inject: str) -> Iterator[subprocess.Popen[str]]:
    """Have strace do something to the program's calls that have to do with a file."""
    if not shutil.which("strace"):
        raise Missing("needs strace")
    with subprocess.Popen(
        ["strace", "--follow-forks", f"--attach={stage.service.pid}", f"--output={stage.folder / 'trace'}",
         f"--trace-path={path}", f"--inject={inject}"], stderr=subprocess.PIPE, text=True,
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
    edit_settings(copy, CHANGES, bool)
    return copy.read_bytes()


def put_back(stage: Stage, old: bytes, expected: bytes) -> None:
    """Put the former kiosk.toml in the place of the one that is expected there."""
    if (found := stage.config.read_bytes()) != expected:
        raise AssertionError(f"kiosk.toml is {found!r}, expected {expected!r}")
    stage.config.write_bytes(old)


def counted(path: Path) -> list[tuple[object, ...]]:
    """Return what a file of counts holds; it is whole."""
    with closing(sqlite3.connect(path)) as file:
        if (said := file.execute("PRAGMA integrity_check").fetchall()) != [("ok",)]:
            raise AssertionError(f"{path.name} is damaged: {said}")
        return file.execute("SELECT * FROM hours").fetchall()


def part_of(stage: Stage) -> Path:
    """Return the file that a save writes before it takes the place of kiosk.toml."""
    return stage.config.with_name(".kiosk.toml.new")
