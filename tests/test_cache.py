"""A folder is filled whole or not at all, and what killed processes leave of it is removed."""

import signal
import subprocess
import sys
from pathlib import Path

from footprint import TREE

from trainer.cache import whole_folder

KILLED = """import os, signal, sys
from pathlib import Path
from trainer.cache import whole_folder
with whole_folder(Path(sys.argv[1])) as partial:
    (partial / "crops").write_text("gigabytes")
    os.kill(os.getpid(), signal.SIGKILL)
"""


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
