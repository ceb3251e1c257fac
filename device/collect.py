"""Keeps crops of the faces that the model isn't sure of, sealed to their owner's key, where the owner turned that on.

The door neither waits for it nor falls: it hands over a crop, and a thread of its own encodes, seals and writes.
"""

import logging
import queue
import threading
import time
from collections.abc import Callable, Iterable
from types import TracebackType
from typing import Self

import cv2

from device.crop import crop_face
from device.crop_store import CropStore, crops_folder
from device.decision import Judged
from device.errors import SettingsError
from device.faces import Luma
from device.levels import Levels, levels
from device.model_card import ModelCard
from device.seal import fingerprint, owners_key
from device.settings import Settings

APART_SECONDS = 1.0  # between two crops of one visit: closer ones are alike
MOST_WAITING = 16  # crops
KNOWN_VISITS = 200
PRUNE_SECONDS = 600.0
CLOSE_SECONDS = 2.0  # after which crops that still wait are lost

log = logging.getLogger(__name__)


class Collector:
    """Chooses crops and hands them to a thread; without a store it does nothing."""

    def __init__(
        self, settings: Settings, card: ModelCard, store: CropStore | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Take what is kept, of whom; clock: seconds since 1970."""
        self._settings, self._card, self._store, self._clock = settings.collect, card, store, clock
        self.adopt(levels(settings.model, card))
        self._visits: dict[int, tuple[int, float]] = {}  # number to crops taken, and seconds when the last was
        self._waiting: queue.SimpleQueue[Luma | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._work, args=[store], name="collect", daemon=True)
        self.kept = self.lost = 0  # crops

    def adopt(self, levels: Levels) -> None:
        """Take other levels, between which the model isn't sure; say where that is nowhere."""
        self._levels = levels
        if self._store and levels.release == levels.threshold:
            log.warning(
                "collect: no face is kept, because threshold and release are both %g: set them apart", levels.release
            )

    def take(self, luma: Luma, judged: Iterable[Judged], now: float) -> None:
        """Choose among the faces judged on a frame, uint8 (height, width), taken at `now`, in seconds."""
        if self._store is None:
            return
        for face in judged:
            taken, last = self._visits.get(face.visit, (0, -APART_SECONDS))
            unsure = self._levels.release <= face.score < self._levels.threshold
            if not unsure or taken == self._settings.most_a_visit or now - last < APART_SECONDS:
                continue
            self._visits[face.visit] = (taken + 1, now)
            if len(self._visits) > KNOWN_VISITS:
                del self._visits[min(self._visits)]
            if self._waiting.qsize() >= MOST_WAITING:
                self._lose("crops come faster than they are written")
            else:
                self._waiting.put(crop_face(luma, face.box, self._card.crop_margin, self._card.input_size))

    def __enter__(self) -> Self:
        if self._store:
            self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        if self._store is None:
            return
        self._waiting.put(None)
        self._thread.join(CLOSE_SECONDS)
        self.lost += max(0, self._waiting.qsize() - 1) if self._thread.is_alive() else 0
        log.info("collect: %d crops kept, %d lost", self.kept, self.lost)

    def _work(self, store: CropStore) -> None:
        """Write what waits, until there is a None; look at first, and now and then, for what is too old."""
        self._prune(store)
        while True:
            try:
                crop = self._waiting.get(timeout=PRUNE_SECONDS)
                if crop is None:
                    return
                self._write(store, crop)
            except queue.Empty:
                self._prune(store)

    def _write(self, store: CropStore, crop: Luma) -> None:
        try:
            is_encoded, picture = cv2.imencode(".png", crop)
            if not is_encoded:
                self._lose("they can't be encoded")
            elif store.keep(picture.tobytes(), self._clock()):
                self.kept += 1
            else:
                self._lose("as many are kept as may be: `make collect` fetches them")
        except Exception as error:  # OpenCV's too: without this thread nothing would be removed any more either
            self._lose(f"they can't be written ({_why(error)})")

    def _prune(self, store: CropStore) -> None:
        try:
            store.prune(self._clock())
        except Exception as error:
            log.warning("collect: faces kept for too long can't be removed (%s): remove them by hand", _why(error))

    def _lose(self, why: str) -> None:
        if not self.lost:
            log.warning("collect: crops are lost, the door goes on: %s", why)
        self.lost += 1


def _why(error: Exception) -> str:
    return error.strerror if isinstance(error, OSError) and error.strerror else repr(error)


def open_collector(settings: Settings, card: ModelCard) -> Collector:
    """Start what `[collect]` asks for. Raises SettingsError where it is on and can't be done, or people aren't told."""
    key = owners_key(settings)
    if key is None:
        return Collector(settings, card)
    folder = crops_folder()
    try:
        store = CropStore(folder, settings.collect, key)
    except OSError as error:
        raise SettingsError(
            f"{folder}: can't be used ({error.strerror}), expected a folder that [collect] may write to: let the kiosk "
            'write there, or set public_key = "off"'
        ) from error
    log.info("%s", card.marked(f"collect: unsure faces are kept, encrypted to key {fingerprint(key)}, in {folder}"))
    return Collector(settings, card, store)
