"""A process that ends in the middle of a write leaves the old file or the new one; what is told to be saved is."""

import re
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from places import TREE
from test_privacy import can_trace

from device.disk import write_whole

OLD, NEW = "[decision]\nhold_seconds = 1\n", "[decision]\nhold_seconds = 3.0\n"
WRITERS = {
    "setup page": "from device.web.edit import edit_settings\nedit_settings(path, {'decision': {'hold_seconds': 3.0}}, "
                  "bool)",
    "trainer": f"from device.disk import write_whole\nwrite_whole(path, {NEW.encode()!r})",
}
SAVE_STATE = """from trainer.runs import State, save_state
save_state(State(best="best.keras", last="last.keras"), path.parent)"""
CALLS = "openat,write,fsync,/chmod,rename,unlink"


def write(path: Path, writer: str, *inject: str) -> tuple[int, str]:
    """Have code replace OLD under strace; return its exit code and the calls that had to do with the folder."""
    if not can_trace():
        pytest.skip("needs strace, and leave to trace")
    path.write_text(OLD)
    log = path.parent.parent / "trace"
    code = f"import sys, pathlib\npath = pathlib.Path({str(path)!r})\n{writer}"
    done = subprocess.run(
        ["strace", "--follow-forks", "--decode-fds=path", f"--output={log}", f"--trace={CALLS}", *inject,
         sys.executable, "-c", code],
        cwd=TREE, check=False, capture_output=True, timeout=600,
    )  # fmt: skip
    return done.returncode, "\n".join(line for line in log.read_text().splitlines() if str(path.parent) in line)


def first_of(log: str, call: str, part: str) -> int:
    """Return which of the first process's calls of a kind is the first that has to do with a file, counted from 1."""
    lines = re.findall(rf"^{log.split(maxsplit=1)[0]} +{call}\(.*", log, re.MULTILINE)
    return next(number for number, line in enumerate(lines, 1) if part in line)


@pytest.mark.parametrize("writer", WRITERS)
def test_a_process_that_is_killed_at_any_call_leaves_a_whole_file(writer: str, tmp_path: Path) -> None:
    folder = tmp_path / "etc"
    folder.mkdir()
    path = folder / "kiosk.toml"
    part = ".kiosk.toml.new" if writer == "setup page" else ".partial"
    for _ in range(2):  # after the first time, Python compiles nothing any more: the calls are always the same
        assert write(path, WRITERS[writer])[0] == 0
    log = (tmp_path / "trace").read_text()
    left = []
    for call in ("openat", "write", "fsync", "rename"):
        code, _ = write(path, WRITERS[writer], f"--inject={call}:signal=KILL:when={first_of(log, call, part)}")
        assert code == -9, call
        left.append(path.read_text())
    assert left == [OLD] * 4
    assert write(path, WRITERS[writer])[0] == 0
    assert path.read_text() == NEW
    shutil.rmtree(folder)


@pytest.mark.parametrize("writer", WRITERS)
def test_the_content_is_on_disk_before_the_name_and_the_name_before_it_is_told(writer: str, tmp_path: Path) -> None:
    folder = tmp_path / "etc"
    folder.mkdir()
    _, calls = write(folder / "kiosk.toml", WRITERS[writer])
    names = [name for name in re.findall(r"^\d+ +(\w+)\(", calls, re.MULTILINE) if name in {"fsync", "rename"}]
    assert names == ["fsync", "rename", "fsync"]


def test_rows_are_on_disk_before_their_folder_has_its_name(tmp_path: Path) -> None:
    filling = """import numpy
from trainer.cache import GrowingArray, whole_folder
with whole_folder(path.parent / "made") as partial, GrowingArray(partial / "rows.npy", (2,)) as rows:
    rows.append(numpy.zeros(2, numpy.uint8))"""
    folder = tmp_path / "crops"
    folder.mkdir()
    _, calls = write(folder / "kiosk.toml", filling)
    done = [line for line in calls.splitlines() if re.search(r" (fsync|rename)\(", line) and "/made.new" not in line]
    ends = [re.search(r'"?([^/"<>]*)[">]+\)', line) for line in done]
    names = [re.sub(r"\.\w+\.partial$", "", end[1]) for end in ends if end]
    assert names[-4:] == ["rows.npy", "made", "made", "crops"]


@pytest.mark.parametrize("left", [False, True])  # by a save that was killed
def test_a_file_with_secrets_is_never_open_to_others(left: bool, tmp_path: Path) -> None:
    folder = tmp_path / "etc"
    folder.mkdir()
    path, new = folder / "kiosk.toml", folder / ".kiosk.toml.new"
    path.write_text(OLD)
    path.chmod(0o640)
    if left:
        new.write_text(OLD)
        new.chmod(0o644)
    _, calls = write(path, WRITERS["setup page"])
    assert re.findall(rf'openat\(.*"{new}", \S*O_CREAT\S*, (\d+)\)', calls) == ["0600"]
    assert "O_EXCL" in calls  # so that it is a new file
    assert path.stat().st_mode & 0o777 == 0o640


def test_weights_are_on_disk_before_the_state_that_names_them(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    folder.mkdir()
    for name in ("best.keras", "last.keras"):
        (folder / name).write_text("weights")
    _, calls = write(folder / "state.json", SAVE_STATE)
    synced = [Path(path).name for path in re.findall(r" fsync\(\d+<(.*?)>", calls.partition(" rename(")[0])]
    assert sorted(synced[:2]) == ["best.keras", "last.keras"]
    assert [re.sub(r"\.[0-9a-f]+\.partial", "", name) for name in synced[2:]] == ["run", "state.json"]


def test_many_may_write_the_same_file_at_once(tmp_path: Path) -> None:
    path, contents = tmp_path / "current", [bytes([letter]) * 2000 for letter in b"abcd"]

    with ThreadPoolExecutor(len(contents)) as pool:
        list(pool.map(lambda number: write_whole(path, contents[number % len(contents)]), range(200)))

    assert path.read_bytes() in contents
    assert list(tmp_path.iterdir()) == [path]


def test_an_error_names_the_file_also_where_nothing_could_be_made(tmp_path: Path) -> None:
    path = tmp_path / ("n" * 250)  # too long with anything behind it

    with pytest.raises(OSError, match="File name too long") as found:
        write_whole(path, b"content")

    assert found.value.filename == str(path)


def test_a_file_that_cannot_be_written_leaves_nothing_behind(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()

    with pytest.raises(IsADirectoryError):
        write_whole(tmp_path / "folder", b"content")

    assert [path.name for path in tmp_path.iterdir()] == ["folder"]
