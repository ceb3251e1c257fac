"""What is fed with broken input: each target takes bytes, and returns the refusals; other errors pass through."""

import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np

from deploy.errors import DeployError
from deploy.manifest import read_manifest
from device.classifier import MODELS
from device.errors import KioskError
from device.face_card import read_face_card
from device.model_card import read_card
from device.pictures import read_color, read_luma
from device.settings import read_settings
from trainer.finder.scenes import picture_size, read_scenes
from trainer.photos import find_photos

ANSWER_SECONDS = 60.0
MEMORY = Path("/dev/shm")  # noqa: S108
UPGRADE = (
    b"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"
    b"Sec-WebSocket-Version: 13\r\n\r\n"
)


class Targets:
    """The readers, each with a folder in memory."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(dir=MEMORY if MEMORY.is_dir() else None))
        self._picture = self.folder / "picture"
        for name in ("boxes", "crops", "voc", "yolo", "yaml"):
            (self.folder / name).mkdir()
            cv2.imwrite(str(self.folder / name / "a.png"), np.zeros((32, 48), np.uint8))
        (self.folder / "yolo" / "classes.txt").write_text("mask\nface\n")
        (self.folder / "yaml" / "a.txt").write_text("0 0.5 0.5 0.5 0.5\n")
        for name in ("door", "faces"):
            (self.folder / f"{name}.tflite").symlink_to(MODELS / f"{name}.tflite")

    def close(self) -> None:
        """Remove the folder."""
        shutil.rmtree(self.folder)

    def card(self, content: bytes) -> list[str]:
        """Read a classifier's card."""
        return self._read("door.json", content, lambda path: read_card(path.with_suffix(".tflite")))

    def face_card(self, content: bytes) -> list[str]:
        """Read the face network's card."""
        return self._read("faces.json", content, lambda path: read_face_card(path.with_suffix(".tflite")))

    def settings(self, content: bytes) -> list[str]:
        """Read a kiosk.toml."""
        return self._read("kiosk.toml", content, read_settings)

    def boxes(self, content: bytes) -> list[str]:
        """Read a table of boxes, as scenes and as photos."""
        return self._read(
            "boxes/boxes.csv", content, lambda path: read_scenes(path.parent), lambda path: find_photos(path.parent)
        )

    def crops(self, content: bytes) -> list[str]:
        """Read a table of face crops."""
        return self._read("crops/crops.csv", content, lambda path: find_photos(path.parent))

    def voc(self, content: bytes) -> list[str]:
        """Read an annotation of Pascal VOC."""
        return self._read("voc/a.xml", content, lambda path: read_scenes(path.parent))

    def yolo(self, content: bytes) -> list[str]:
        """Read an annotation of YOLO."""
        return self._read("yolo/a.txt", content, lambda path: read_scenes(path.parent))

    def yaml(self, content: bytes) -> list[str]:
        """Read a list of classes."""
        return self._read("yaml/data.yaml", content, lambda path: read_scenes(path.parent))

    def picture(self, content: bytes) -> list[str]:
        """Read a picture in each way."""
        return self._read("picture", content, read_luma, read_color, picture_size)

    def manifest(self, content: bytes) -> list[str]:
        """Read what a signed manifest says."""
        return self._read("manifest", content, lambda path: read_manifest(path.read_bytes()))

    def _read(self, name: str, content: bytes, *reads: Callable[[Path], object]) -> list[str]:
        path, refusals = self.folder / name, list[str]()
        path.write_bytes(content)
        for read in reads:
            try:
                read(path)
            except (KioskError, DeployError) as error:
                refusals.append(str(error))
        return refusals
