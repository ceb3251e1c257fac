"""The readers of files: each takes a file's bytes, and returns the lines of its refusals; other errors pass through."""

import io
import shutil
import sqlite3
import tarfile
import tempfile
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import cv2
import numpy as np

from deploy.collect import crops
from deploy.errors import DeployError
from deploy.hosts import hosts
from deploy.manifest import public_key, read_manifest
from deploy.remote import Remote
from device.cameras.source import host_and_port, is_rtsp, is_source, shown
from device.compare_visits import Tally
from device.errors import KioskError
from device.face_card import check_path, read_check, read_face_card
from device.model_card import read_card
from device.pictures import read_color, read_luma
from device.seal import read_public_key, unseal
from device.settings import read_settings
from device.telemetry.counts import Counts, rows
from device.telemetry.secret import read_secret
from device.telemetry.webhook import key_of
from device.visits import Visit, read_visits
from trainer.collect_key import read_private_key
from trainer.finder.scenes import picture_size, read_scenes
from trainer.photos import find_photos

from .samples import KEY, MODEL

NOON = datetime(2026, 11, 27, 12, tzinfo=UTC)
VISITS = [Visit(1, 1.0, 4.0, ("with_mask",), (2.0,)), Visit(2, 9.0, 12.0, (), ())]


class Owner:
    """Has a folder of its own until it is closed."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp())

    def close(self) -> None:
        """Remove the folder."""
        shutil.rmtree(self.folder)


class Readers(Owner):
    """Each reader of a file or a folder; what lies beside a file is there already, and whole."""

    def __init__(self) -> None:
        super().__init__()
        for name in ("boxes", "crops", "voc", "yolo", "yaml"):
            (self.folder / name).mkdir()
            cv2.imwrite(str(self.folder / name / "a.png"), np.zeros((32, 48), np.uint8))
        (self.folder / "yolo" / "classes.txt").write_text("mask\nface\n")
        (self.folder / "yaml" / "a.txt").write_text("0 0.5 0.5 0.5 0.5\n")
        for name in ("door.tflite", "faces.tflite", check_path(Path("faces.tflite")).name):
            (self.folder / name).write_bytes(MODEL)

    def card(self, content: bytes) -> list[str]:
        return self._read("door.json", content, lambda path: read_card(path.with_suffix(".tflite")))

    def face_card(self, content: bytes) -> list[str]:
        def read(path: Path) -> None:
            card, _ = read_face_card(path.with_suffix(".tflite"))
            if card.check:
                read_check(path.with_suffix(".tflite"), card.check)

        return self._read("faces.json", content, read)

    def settings(self, content: bytes) -> list[str]:
        return self._read("kiosk.toml", content, read_settings)

    def source(self, content: bytes) -> list[str]:
        """Read the name of a camera as the settings, the log and the camera do."""
        text = content.decode(errors="surrogateescape")
        shown(text)
        if is_source(text) and is_rtsp(text):
            host_and_port(text)
        return []

    def boxes(self, content: bytes) -> list[str]:
        """Read a table of boxes, as scenes and as photos."""
        return self._read(
            "boxes/boxes.csv", content, lambda path: read_scenes(path.parent), lambda path: find_photos(path.parent)
        )

    def crops(self, content: bytes) -> list[str]:
        return self._read("crops/crops.csv", content, lambda path: find_photos(path.parent))

    def voc(self, content: bytes) -> list[str]:
        return self._read("voc/a.xml", content, lambda path: read_scenes(path.parent))

    def yolo(self, content: bytes) -> list[str]:
        return self._read("yolo/a.txt", content, lambda path: read_scenes(path.parent))

    def yaml(self, content: bytes) -> list[str]:
        return self._read("yaml/data.yaml", content, lambda path: read_scenes(path.parent))

    def picture(self, content: bytes) -> list[str]:
        """Read a picture in each way."""
        return self._read("picture", content, read_luma, read_color, picture_size)

    def visits(self, content: bytes) -> list[str]:
        """Read a table of true visits, and compare some with it."""

        def read(path: Path) -> None:
            for true in read_visits(path).values():
                tally = Tally()
                tally.count(VISITS, true)
                list(tally.lines())

        return self._read("visits.csv", content, read)

    def counts(self, content: bytes) -> list[str]:
        """Read a file of counts as the page does, and add to it as the kiosk does."""

        def add(path: Path) -> None:
            counts = Counts(path, 90)
            try:
                counts.add(NOON, "visits")
                counts.write()
            finally:
                counts.close()

        for path in self.folder.glob("counts*.db*"):
            path.unlink()
        return self._read("counts.db", content, lambda path: list(rows(path)), add)

    def keys(self, content: bytes) -> list[str]:
        """Read a public key, a private one, and one that signs."""
        (self.folder / "key").touch(mode=0o600)
        return self._read("key", content, read_public_key, read_private_key, public_key)

    def secret(self, content: bytes) -> list[str]:
        (self.folder / "secret").touch(mode=0o600)
        return self._read("secret", content, lambda path: key_of(read_secret(str(path)), str(path)))

    def hosts(self, content: bytes) -> list[str]:
        """Read a file of hosts, and each of them as ssh's."""
        return self._read("hosts.txt", content, lambda path: [Remote(host) for host in hosts([str(path)])])

    def manifest(self, content: bytes) -> list[str]:
        """Read what a signed manifest says."""
        return self._read("manifest", content, lambda path: read_manifest(path.read_bytes()))

    def collected(self, content: bytes) -> list[str]:
        """Read the archive of crops that a kiosk sends, and open each."""
        return self._read("collected", content, lambda path: [
            unseal(sealed, KEY) for _, sealed in crops(io.BytesIO(path.read_bytes()))
        ])  # fmt: skip

    def _read(self, name: str, content: bytes, *reads: Callable[[Path], object]) -> list[str]:
        path, refusals = self.folder / name, list[str]()
        path.write_bytes(content)
        for read in reads:
            try:
                read(path)
            except (KioskError, DeployError) as error:
                refusals.append(str(error))
            except (tarfile.TarError, sqlite3.Error):
                refusals.append("is damaged")  # as it is told, in words of those who call
        return refusals
