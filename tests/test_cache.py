"""A folder is filled whole or not at all, and what killed processes leave of it is removed."""

import errno
import os
import resource
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from places import TREE

from trainer.cache import whole_folder

KILLED = """import os, signal, sys
from pathlib import Path
from trainer.cache import whole_folder
with whole_folder(Path(sys.argv[1])) as partial:
    (partial / "crops").write_text("gigabytes")
    os.kill(os.getpid(), signal.SIGKILL)
"""


def limited(command: str, *words: object) -> str:
    """Run code with files of at most a thousand bytes, as if the disk were full; return its last line on stderr."""
    done = subprocess.run(
        [sys.executable, "-c", command, *map(str, words)], cwd=TREE, capture_output=True, text=True, check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000)),
    )  # fmt: skip
    return done.stderr.splitlines()[-1]


WRITES = """import sys
from pathlib import Path
from device.disk import write_whole
from trainer.cache import whole_folder
path = Path(sys.argv[1])
if path.suffix:
    write_whole(path, bytes(2000))
else:
    with whole_folder(path) as partial:
        (partial / "crops").write_bytes(bytes(2000))
"""


@pytest.mark.parametrize("name", ["card.json", "arrays"])
def test_an_error_of_a_full_disk_names_what_was_to_be_written(name: str, tmp_path: Path) -> None:
    assert limited(WRITES, tmp_path / name) == f"OSError: [Errno 27] File too large: '{tmp_path}/{name}'"
    assert list(tmp_path.iterdir()) == []


def test_errors_of_other_files_keep_their_names(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError) as missing, whole_folder(tmp_path / "films"):
        (tmp_path / "films.old" / "a.mp4").read_bytes()
    assert missing.value.filename == str(tmp_path / "films.old" / "a.mp4")
    with pytest.raises(OSError, match="Cannot allocate") as unnamed, whole_folder(tmp_path / "films"):
        raise OSError(errno.ENOMEM, os.strerror(errno.ENOMEM))
    assert unnamed.value.filename is None


def test_photos_that_find_no_room_are_named_as_they_were_asked_for(tmp_path: Path) -> None:
    draw = "import sys; from trainer.__main__ import main; main(sys.argv[1:])"
    said = limited(draw, "practice", "--people", 1, "--to", tmp_path / "photos")
    assert said == f"error: {tmp_path}/photos/with_mask/person-0000-masked.jpg: can't be written: check the free space"
    assert list(tmp_path.iterdir()) == []


def test_what_a_killed_process_left_goes_and_what_another_fills_stays(tmp_path: Path) -> None:
    wanted = tmp_path / "arrays[1]"
    done = subprocess.run([sys.executable, "-c", KILLED, str(wanted)], cwd=TREE, check=False)
    assert done.returncode == -signal.SIGKILL
    (left,) = tmp_path.iterdir()
    assert (left / "crops").exists()

    with whole_folder(wanted) as slower:
        (slower / "crops").write_text("slower")
        with whole_folder(wanted) as faster:
            (faster / "crops").write_text("faster")
            assert sorted(tmp_path.iterdir()) == sorted([slower, faster])

    assert list(tmp_path.iterdir()) == [wanted]
    assert [(path.name, path.read_text()) for path in wanted.iterdir()] == [("crops", "faster")]
