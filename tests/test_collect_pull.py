"""Fetching what a kiosk kept, with an ssh that runs its commands here: nothing is lost, whenever it stops."""

import os
import resource
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import cv2
import numpy as np
import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from local_ssh import local_ssh
from places import TREE

from deploy.__main__ import main
from device.seal import fingerprint, seal
from trainer.collect_key import PRIVATE, make_pair, read_private_key

HOST = "pi@kiosk"


@contextmanager
def limited_files(size: int) -> Iterator[None]:
    """Let programs that are started here write files of so many bytes at most."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


class Kiosk:
    """A workstation with a key, and a Pi with crops sealed to it."""

    def __init__(self, folder: Path) -> None:
        self.collected, self.faces = folder / "state" / "collected", folder / "my faces"
        make_pair(folder / "keys")
        self.private = folder / "keys" / PRIVATE
        self.key = read_private_key(self.private)
        self.environment = os.environ | local_ssh(folder / "bin", folder / "state")
        self.pictures: dict[str, bytes] = {}  # by their names here

    def keep(self, count: int = 8, key: X25519PrivateKey | None = None) -> None:
        self.collected.mkdir(parents=True, exist_ok=True)
        rng = np.random.default_rng(0)
        for number in range(count):
            picture = cv2.imencode(".png", rng.integers(0, 256, (64, 64), np.uint8))[1].tobytes()
            sealed = seal(picture, (key or self.key).public_key())
            (self.collected / f"{1_800_000_000 + number}-0000000{number}.crop").write_bytes(sealed)
            if key is None:
                self.pictures[f"20270115-08000{number}-0000000{number}.png"] = picture

    def left(self) -> list[str]:
        return sorted(path.name for path in self.collected.iterdir())

    def here(self) -> dict[str, bytes]:
        return {path.name: path.read_bytes() for path in self.faces.rglob("*.png")}

    def fetch(self, hosts: Sequence[str] = (HOST,), **environment: str) -> tuple[int, list[str]]:
        done = subprocess.run(
            [sys.executable, "-m", "deploy", "collect", *hosts, "--to", self.faces, "--key", self.private], cwd=TREE,
            env=self.environment | environment, capture_output=True, text=True, check=False,
            stdin=subprocess.DEVNULL, timeout=120,
        )  # fmt: skip
        return done.returncode, (done.stdout + done.stderr).splitlines()


@pytest.fixture
def kiosk(tmp_path: Path) -> Kiosk:
    return Kiosk(tmp_path)


def test_what_arrived_is_opened_here_and_gone_there(kiosk: Kiosk) -> None:
    kiosk.keep()
    (kiosk.collected / "notes.txt").write_text("not ours")
    assert kiosk.fetch() == (0, [
        f"{HOST}: 8 crops written to {kiosk.faces}, 0 were there", f"{HOST}  ok  8 crops fetched and removed there",
    ])  # fmt: skip
    assert kiosk.here() == kiosk.pictures
    assert kiosk.left() == ["notes.txt"]
    assert kiosk.faces.stat().st_mode & 0o777 == 0o700
    assert kiosk.fetch() == (0, [f"{HOST}  ok  0 crops fetched and removed there"])


def test_a_kiosk_that_never_kept_any_has_none(kiosk: Kiosk) -> None:
    assert kiosk.fetch() == (0, [f"{HOST}  ok  0 crops fetched and removed there"])


def test_a_host_that_greets_whoever_comes_is_not_taken_for_one_without_crops(kiosk: Kiosk, tmp_path: Path) -> None:
    kiosk.keep(2)
    ssh = tmp_path / "bin/ssh"
    ssh.write_text(ssh.read_text().replace("#!/bin/sh\n", "#!/bin/sh\necho Welcome to the door\n", 1))
    assert kiosk.fetch() == (2, [
        f"{HOST}  error  its answer isn't an archive of crops, expected nothing else: make sure that its ~/.bashrc "
        "prints nothing"
    ])  # fmt: skip
    assert (len(kiosk.left()), kiosk.here()) == (2, {})


# In the stream each crop has a head of 512 bytes and 4.2 kB, filled up to 5120 altogether.
@pytest.mark.parametrize(("cut", "whole"), [(0, 0), (700, 0), (5000, 1), (9300, 1), (20000, 3)])
def test_a_connection_that_breaks_loses_nothing(kiosk: Kiosk, cut: int, whole: int) -> None:
    kiosk.keep()
    code, lines = kiosk.fetch(CUT=str(cut))
    arrived = len(kiosk.here())
    assert code == 3
    assert lines[-1] == (
        f"{HOST}  error  the copy stopped (Connection to kiosk closed by remote host.), {arrived} crops arrived: run "
        "the same command again"
    )
    assert arrived == whole
    assert len(kiosk.left()) == 8 - arrived
    assert kiosk.here().items() <= kiosk.pictures.items()
    assert kiosk.fetch()[0] == 0
    assert (kiosk.here(), kiosk.left()) == (kiosk.pictures, [])


KILLED = """import os, signal, sys
from deploy.__main__ import main
os.fsync = lambda _: os.kill(os.getpid(), signal.SIGKILL)
main(sys.argv[1:])
"""


def test_what_a_killed_copy_left_goes_with_the_next(kiosk: Kiosk) -> None:
    kiosk.keep(2)
    words = ["collect", HOST, "--to", str(kiosk.faces), "--key", str(kiosk.private)]
    done = subprocess.run([sys.executable, "-c", KILLED, *words], cwd=TREE, env=kiosk.environment, check=False)
    assert done.returncode == -signal.SIGKILL
    (left,) = kiosk.faces.iterdir()
    assert left.read_bytes() in kiosk.pictures.values()
    shutil.rmtree(kiosk.collected)  # its time was up
    assert kiosk.fetch()[0] == 0
    assert list(kiosk.faces.iterdir()) == []


def test_a_host_that_hangs_is_given_up(
    kiosk: Kiosk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "bin/ssh").write_text("#!/bin/sh\nexec sleep 1000\n")
    monkeypatch.setenv("PATH", kiosk.environment["PATH"])
    monkeypatch.setattr("deploy.remote.SILENT_SECONDS", 1.0)
    assert main(["collect", HOST, "--to", str(kiosk.faces), "--key", str(kiosk.private)]) == 3
    assert capsys.readouterr().err == (
        f"{HOST}  error  the copy stopped (it fell silent), 0 crops arrived: run the same command again\n"
    )


def test_what_could_not_be_removed_there_comes_only_once(kiosk: Kiosk) -> None:
    kiosk.keep()
    code, lines = kiosk.fetch(REFUSED="xargs")
    assert (code, lines[-1]) == (
        2, f"{HOST}  error  8 crops are here and can't be removed there: run the same command again"
    )
    assert len(kiosk.left()) == 8
    (kiosk.faces / "with_mask").mkdir()
    for name in list(kiosk.pictures)[:3]:  # labelled meanwhile
        (kiosk.faces / name).rename(kiosk.faces / "with_mask" / name)
    assert kiosk.fetch()[1][0] == f"{HOST}: 0 crops written to {kiosk.faces}, 8 were there"
    assert (kiosk.here(), kiosk.left()) == (kiosk.pictures, [])
    assert len(list(kiosk.faces.glob("*.png"))) == 5


def test_what_another_key_opens_or_is_damaged_stays_there(kiosk: Kiosk) -> None:
    kiosk.keep(2, key=X25519PrivateKey.generate())
    other = kiosk.left()
    code, lines = kiosk.fetch()
    assert (code, lines) == (2, [
        f"{HOST}  error  2 crops stay there: they are incomplete, or were encrypted to another key than "
        f"{fingerprint(kiosk.key.public_key())}: name its private key with KEY="
    ])  # fmt: skip
    assert (kiosk.here(), kiosk.left()) == ({}, other)


def test_a_folder_that_others_may_look_into_is_refused_before_anything(kiosk: Kiosk) -> None:
    kiosk.keep(1)
    kiosk.faces.mkdir(mode=0o755)
    assert kiosk.fetch() == (2, [
        f"error: {kiosk.faces}: others may look into it (mode 755), expected 700: `chmod 700 '{kiosk.faces}'`"
    ])  # fmt: skip
    assert len(kiosk.left()) == 1


def test_the_faces_of_two_doors_are_not_mixed(kiosk: Kiosk) -> None:
    kiosk.keep(1)
    assert kiosk.fetch(hosts=(HOST, "pi@other")) == (2, [
        "error: 2 hosts are named, expected one: each door needs its own folder"
    ])  # fmt: skip
    assert len(kiosk.left()) == 1


def test_a_folder_that_can_not_be_is_told_in_the_table(kiosk: Kiosk, tmp_path: Path) -> None:
    kiosk.keep(1)
    (tmp_path / "a file").touch()
    kiosk.faces = tmp_path / "a file" / "north"
    assert kiosk.fetch() == (2, [f"{HOST}  error  {kiosk.faces}: can't be used (Not a directory): give another path"])
    assert len(kiosk.left()) == 1


def test_a_disk_that_is_full_here_is_told_in_the_table(kiosk: Kiosk) -> None:
    kiosk.keep(1)
    with limited_files(1000):
        code, lines = kiosk.fetch()
    assert (code, lines) == (2, [
        f"{HOST}  error  {kiosk.faces}/20270115-080000-00000000.png: can't be written here (File too large), "
        "expected a disk with room: look with `df -h`"
    ])  # fmt: skip
    assert len(kiosk.left()) == 1


def test_a_key_that_others_may_read_is_refused_before_anything(kiosk: Kiosk) -> None:
    kiosk.keep(1)
    kiosk.private.chmod(0o644)
    code, lines = kiosk.fetch()
    assert code == 2
    assert lines == [
        f"error: {kiosk.private}: others may read it (mode 644), expected 600: `chmod 600 '{kiosk.private}'`"
    ]
    assert len(kiosk.left()) == 1
