"""No frame touches a disk: the kernel's list of what the running program opens for writing, and writes to, is empty."""

import functools
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Iterable, Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
from places import TREE
from ports import free_port
from rtsp_camera import RtspCamera
from test_kiosk import Listener

from device.seal import unseal
from trainer.collect_key import PRIVATE, make_pair, read_private_key
from trainer.practice import Picture, draw_background, draw_face

SIZE = (640, 480)  # px
# A question mark before each, because not every processor has all of them.
MAKING = ("creat", "rename", "renameat", "renameat2", "link", "linkat", "symlink", "symlinkat", "mkdir", "mkdirat",
          "mknod", "mknodat", "truncate")  # fmt: skip
OPENING = ("open", "openat", "openat2")
WRITING = ("write", "pwrite64", "writev", "pwritev", "pwritev2", "ftruncate", "fallocate", "sendfile", "splice",
           "copy_file_range")  # fmt: skip
TRACED = ",".join(f"?{name}" for name in (*MAKING, *OPENING, *WRITING))
FOR_WRITING = re.compile(r"\b(O_WRONLY|O_RDWR|O_CREAT|O_TRUNC|O_APPEND|O_TMPFILE)\b")
CALL = re.compile(r"^\d+ +(?P<name>\w+)\((?P<arguments>.*)")
INTO_A_FILE = re.compile(r"^\d+<(?P<path>/(?!memfd:)[^>]*)>")  # sockets and pipes have no path, and memory is no disk
NOWHERE = {"/dev/null"}


@functools.cache
def can_trace() -> bool:
    return bool(shutil.which("strace")) and not subprocess.run(
        ["strace", "-f", "true"], capture_output=True, check=False, timeout=60
    ).returncode


def changes(log: str) -> list[str]:
    """Return the lines of a trace in which a file is made, renamed, opened for writing or written to."""
    found = []
    for line in log.splitlines():
        call = CALL.match(line)
        if call is None or re.search(r"= -1 E[A-Z]+ ", line):
            continue
        name, arguments = call["name"], call["arguments"]
        into = INTO_A_FILE.match(arguments)
        if (
            name in MAKING
            or (name in OPENING and FOR_WRITING.search(arguments) and not any(f'"{path}"' in line for path in NOWHERE))
            or (name in WRITING and into and into["path"] not in NOWHERE)
        ):
            found.append(line)
    return found


def traced(folder: Path, *arguments: str, code: int = 0) -> tuple[str, list[str]]:
    """Run `python -m device` under strace up to an exit code; return what it prints and what it changes on a disk."""
    if not can_trace():
        pytest.skip("needs strace, and leave to trace")
    log = folder / "trace"
    done = subprocess.run(
        ["strace", "--follow-forks", "--seccomp-bpf", "--decode-fds=path", "--string-limit=0", f"--output={log}",
         "-e", f"trace={TRACED}", sys.executable, "-m", "device", *arguments],
        cwd=TREE, env=os.environ | {"PYTHONDONTWRITEBYTECODE": "1"}, check=False, timeout=600,
        stdin=subprocess.DEVNULL, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == code, done.stderr
    return done.stdout, changes(log.read_text(errors="replace"))


def visit(masked: float = 0.0, frames: int = 30) -> Iterator[Picture]:
    """Yield so many frames of somebody who sways before a wall, uint8 BGR; their mask is so opaque, 0-1."""
    rng = np.random.default_rng(4)
    wall = (draw_background(rng, *SIZE) * 255).astype(np.uint8)
    faces = [draw_face(np.random.default_rng(4), mask)[0] for mask in (True, False)]
    face = cv2.addWeighted(faces[0], masked, faces[1], 1 - masked, 0)
    for number in range(frames):
        scene = wall.copy()
        left = 180 + 8 * (number % 10)
        scene[100:380, left : left + 280] = cv2.resize(face, (280, 280))
        yield scene


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return written(visit(), tmp_path_factory.mktemp("visit"))


def written(scenes: Iterable[Picture], folder: Path) -> Path:
    folder.mkdir(exist_ok=True)
    for place, picture in enumerate(scenes):
        cv2.imwrite(str(folder / f"{place:02}.png"), picture)
    return folder


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    path = tmp_path / "visit.mp4"
    video = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"mp4v"), 10.0, SIZE)
    for picture in visit():
        video.write(picture)
    video.release()
    return path


@pytest.mark.parametrize("camera", ["pictures", "clip"])
def test_no_picture_of_a_recording_is_written(camera: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    shown, changed = traced(tmp_path, "run", "--pins", "mock", "--camera", str(request.getfixturevalue(camera)))
    assert "ALARM" in shown  # a face was judged
    assert changed == []


def test_of_faces_that_are_kept_only_sealed_bytes_are_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Twice as long as three crops, a second apart, ask for: a busy computer drops frames.
    unsure = written(visit(masked=0.5, frames=60), tmp_path / "unsure")
    monkeypatch.setenv("STATE_DIRECTORY", str(tmp_path / "state"))
    folder, config = tmp_path / "state" / "collected", tmp_path / "kiosk.toml"
    config.write_text(
        f'[model]\nthreshold = 0.98\nrelease = 0.02\n[signals]\ncollect_pin = 24\n'
        f'[collect]\npublic_key = "{make_pair(tmp_path / "keys")}"\n'
    )
    shown, changed = traced(tmp_path, "run", "--pins", "mock", "--camera", str(unsure), "--config", str(config))
    assert "visit 1: enter" in shown
    files = sorted(folder.iterdir())
    assert len(files) == 3
    key = read_private_key(tmp_path / "keys" / PRIVATE)
    for file in files:
        sealed, picture = file.read_bytes(), unseal(file.read_bytes(), key)
        assert picture.startswith(b"\x89PNG")
        # Of each file one write, of all of it: nothing else ever went to the disk.
        (write,) = (line for line in changed if f"<{file.with_suffix('.new')}>" in line and "write" in line)
        # What another thread does meanwhile parts the line of a call in two.
        assert re.search(rf", {len(sealed)}(\) += {len(sealed)}| <unfinished \.\.\.>)$", write)
    made = [line for line in changed if re.match(r"\d+ +mkdir", line)]
    renamed = [line for line in changed if re.match(r"\d+ +rename", line)]
    assert all(f'"{folder}' in line for line in made + renamed if f'"{folder.parent}"' not in line)
    assert len(changed) == len(made) + 3 * len(files)  # and of each it was opened, written, renamed


def test_what_is_written_on_demand_is_seen(pictures: Path, tmp_path: Path) -> None:
    drawn = tmp_path / "drawn"
    _, changed = traced(tmp_path, "judge", str(pictures / "00.png"), "--draw", str(drawn))
    (written,) = drawn.iterdir()
    assert [line.split("(")[0].split()[-1] for line in changed[:3]] == ["mkdir", "openat", "write"]
    assert f'"{written}"' in changed[1]
    assert all(f"<{written}>" in line for line in changed[2:])


def test_no_frame_of_a_network_camera_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    address = str(tmp_path / "notify")
    listener = Listener(address)
    monkeypatch.setenv("NOTIFY_SOCKET", address)
    with RtspCamera() as camera:

        def end() -> None:
            if listener.heard_of(b"WATCHDOG=1"):
                camera.stop(signal.SIGKILL)

        ending = threading.Thread(target=end)
        ending.start()
        _, changed = traced(tmp_path, "run", "--pins", "mock", "--camera", camera.source, code=2)
        ending.join()
    assert b"READY=1" in listener.heard()  # frames were judged
    assert changed == []


def test_telemetry_writes_nothing_but_a_small_file_of_counts(
    pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With everything on, and nobody there to be told."""
    state = tmp_path / "state"
    monkeypatch.setenv("STATE_DIRECTORY", str(state))
    secret, config = tmp_path / "secret", tmp_path / "kiosk.toml"
    secret.write_text("whsec_" + "A" * 40)
    secret.chmod(0o600)
    config.write_text(
        f'[screen]\nport = {free_port()}\nmetrics = "loopback"\n[counts]\nenabled = true\n'
        f"[mqtt]\nenabled = true\nport = 9\npassword_path = '{secret}'\n"
        f"[webhook]\nenabled = true\nurl = 'http://127.0.0.1:9/'\nsecret_path = '{secret}'\n"
    )
    shown, changed = traced(
        tmp_path, "run", "--pins", "mock", "--camera", str(pictures), "--config", str(config)
    )
    assert "verdict" in shown
    files = {"counts.db", "counts.db-wal", "counts.db-shm"}
    others = [line for line in changed if not any(f"{state / name}" in line for name in files)]
    assert all("mkdir(" in line and f'"{state}"' in line for line in others), others
    assert {path.name for path in state.iterdir()} <= files
    assert sum(path.stat().st_size for path in state.iterdir()) < 64 * 1024  # a picture of 640 x 480 has 300 KB
    assert changed != []
