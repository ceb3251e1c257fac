"""Names the real photos that a test needs, or skips it; they belong to other people and aren't in the tree.

DATA: the original's photos, one folder a class. KNOWN_GROUPS: a table `file,group` of them. SCENES: a folder of
pictures with people. CLIPS: a folder of short videos. CROPS: face crops, one folder a class. YUNET: the .onnx of YuNet.
"""

import os
from pathlib import Path

import pytest


def real_data(*names: str) -> list[Path]:
    """Return the paths that the variables hold; skip the test if one is missing."""
    if missing := [name for name in names if not os.environ.get(name)]:
        pytest.skip(f"needs real photos: make test {' '.join(f'{name}=…' for name in missing)}")
    return [Path(os.environ[name]) for name in names]
