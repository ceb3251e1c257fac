"""Draws passages as recordings: drawn or given faces before drawn or given backgrounds; and the true visits."""

import csv
import itertools
from collections.abc import Iterator, Sequence
from pathlib import Path

import cv2
import numpy as np
from tqdm import tqdm

from device.cameras.recordings import VideoFile
from device.errors import CameraError, KioskError
from device.faces import Luma
from device.pictures import picture_files, read_color
from device.visits import COLUMNS, THEN
from trainer.cache import whole_folder
from trainer.drawing import CutOut, draw_person
from trainer.drawn_person import random_person
from trainer.passages.noise import FRAMES_PER_SECOND, HEIGHT, WIDTH
from trainer.passages.script import Passage, Walk
from trainer.photos import LABELS
from trainer.practice import Picture, Scene, draw_background, place, random_light
from trainer.relief import CANVAS, Light

TABLE = "visits.csv"
TILT_DEGREES = 4.0  # amplitude with which a head sways
DARK = 0.02  # share of the light that is left when it goes out
NOISE = 0.012, 0.025  # least and most of a recording's, standard deviation as a share of white


class GivenPictures:
    """The faces and backgrounds that were given; what wasn't is drawn."""

    def __init__(self, faces: Path | None, backgrounds: Path | None) -> None:
        """List the pictures. Raises KioskError for a folder that has none, and for one that can't be used."""
        self.backgrounds = list(picture_files(backgrounds)) if backgrounds else []
        if backgrounds and not self.backgrounds:
            raise KioskError(f"{backgrounds}: holds no pictures, expected some without faces: check the path")
        self.faces = {name: list(picture_files(faces / name)) if faces else [] for name in LABELS}
        if faces and not all(self.faces.values()):
            raise KioskError(f"{faces}: expected face crops in {' and '.join(LABELS)}: check the path")
        for file in (*self.backgrounds, *itertools.chain.from_iterable(self.faces.values())):
            read_color(file)  # now, because a refusal later would take all that is drawn until then with it

    def background(self, rng: np.random.Generator) -> Scene:
        """Return a background, float32 (HEIGHT, WIDTH, 3) BGR, 0-1."""
        if not self.backgrounds:
            return draw_background(rng, WIDTH, HEIGHT)
        picture = read_color(self.backgrounds[rng.integers(len(self.backgrounds))]).astype(np.float32)
        return np.asarray(cv2.resize(picture, (WIDTH, HEIGHT), interpolation=cv2.INTER_AREA) / 255, np.float32)

    def person(self, rng: np.random.Generator, light: Light) -> dict[bool, CutOut]:
        """Return a person in a mask (True) and without; given crops are of two people."""
        if not all(self.faces.values()):
            person, seed = random_person(rng), int(rng.integers(2**32))
            return {on: draw_person(np.random.default_rng(seed), person, on, light) for on in (True, False)}
        chosen = {name: files[rng.integers(len(files))] for name, files in self.faces.items()}
        return {name == LABELS[0]: _cut_out(read_color(file)) for name, file in chosen.items()}


class Stage:
    """A passage, ready to be seen frame by frame."""

    def __init__(self, rng: np.random.Generator, passage: Passage, given: GivenPictures) -> None:
        """Set light, background and people."""
        light, behind = random_light(rng)
        self._rng, self._passage = rng, passage
        self._background = np.clip(given.background(rng) * np.float32(behind), 0, 1)
        self._people = [given.person(rng, light) for _ in passage.walks]
        self._noise = rng.uniform(*NOISE)

    def frames(self) -> Iterator[Luma]:
        """Yield each frame, uint8 (HEIGHT, WIDTH) luma."""
        for number in range(round(self._passage.seconds * FRAMES_PER_SECOND)):
            yield self.frame(number / FRAMES_PER_SECOND)

    def frame(self, now: float) -> Luma:
        """Return what the camera sees at `now`, in seconds."""
        scene = self._background
        there = [
            (spot, walk, person)
            for walk, person in zip(self._passage.walks, self._people, strict=True)
            if (spot := walk.place(now))
        ]
        for spot, walk, person in sorted(there, key=lambda item: item[0].height):  # who is far comes first
            cut_out = person[walk.wears_mask(now)]
            if walk.turned(now):
                cut_out = _from_behind(cut_out)
            scale = spot.height * HEIGHT / float(np.ptp(cut_out.outline[:, 1]))
            scene, _ = place(cut_out, scene, (spot.x * WIDTH, spot.y * HEIGHT), scale, _tilt(walk, now))
        lit = scene * np.float32(DARK) if self._passage.is_dark(now) else scene
        grey = cv2.GaussianBlur(cv2.cvtColor(np.clip(lit, 0, 1), cv2.COLOR_BGR2GRAY), (0, 0), 0.6)
        grey = grey + self._rng.standard_normal(grey.shape, np.float32) * np.float32(self._noise)
        return np.asarray(np.clip(grey * 255 + 0.5, 0, 255), np.uint8)


def record(passages: Sequence[Passage], given: GivenPictures, folder: Path, seed: int) -> list[Path]:
    """Write each passage as a video into a new or empty folder, and the table of true visits; return the videos."""
    if folder.exists() and any(folder.iterdir()):
        raise KioskError(f"{folder} holds files, recordings need a new or empty folder: remove it or name another")
    names = [f"{number:03}-{passage.kind.replace(' ', '-')}.avi" for number, passage in enumerate(passages)]
    with whole_folder(folder) as made:
        for number, (name, passage) in enumerate(zip(tqdm(names, "drawing", disable=None), passages, strict=True)):
            frames = Stage(np.random.default_rng([seed, number]), passage, given).frames()
            held, written = _write(made / name, frames)
            if held < written:
                raise KioskError(f"{folder / name}: can't be written, it holds {held} of {written} frames: check the "
                                 "free space")
        write_table(dict(zip(names, passages, strict=True)), made / TABLE)
    return [folder / name for name in names]


def _write(video: Path, frames: Iterator[Luma]) -> tuple[int, int]:
    """Write a video; return how many frames it holds afterwards, and of how many: OpenCV's writer never tells."""
    writer = cv2.VideoWriter(str(video), cv2.VideoWriter.fourcc(*"MJPG"), FRAMES_PER_SECOND, (WIDTH, HEIGHT), False)
    written = 0
    for luma in frames:
        writer.write(luma)
        written += 1
    writer.release()
    try:
        with VideoFile(video) as recording:
            held = sum(1 for _ in recording.frames())
    except CameraError:
        held = 0
    return held, written


def write_table(passages: dict[str, Passage], path: Path) -> None:
    """Write the true visits as `python -m device replay --visits` reads them."""
    with path.open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow([*COLUMNS, "visible"])
        for name, passage in passages.items():
            visits = passage.visits()
            for visit in visits:
                times = (f"{visit.enter:.2f}", f"{visit.leave:.2f}")
                table.writerow([name, *times, THEN.join(visit.answers), f"{visit.visible:.2f}"])
            if not visits:
                table.writerow([name, "", "", "", ""])


def _tilt(walk: Walk, now: float) -> float:
    return 0.0 if walk.poster else TILT_DEGREES * float(np.sin(0.9 * now + walk.phase))


def _from_behind(cut_out: CutOut) -> CutOut:
    """Return the same head with hair where the face is."""
    bgra = cut_out.bgra.copy()
    hair = np.append(0.5 * bgra[bgra[..., 3] > 0.9].mean(axis=0)[:3], 1.0)
    hull = cv2.convexHull(np.round(cut_out.outline).astype(np.int32))
    cv2.fillConvexPoly(bgra, hull, hair.tolist(), cv2.LINE_AA)
    return CutOut(np.asarray(cv2.GaussianBlur(bgra, (0, 0), 2), np.float32), cut_out.outline)


def _cut_out(crop: Picture) -> CutOut:
    """Return a face crop, uint8 (height, width, 3) BGR, as a cut-out: an oval with a soft edge."""
    bgra = np.zeros((CANVAS, CANVAS, 4), np.float32)
    high, wide = CANVAS // 2, round(CANVAS / 2 * crop.shape[1] / crop.shape[0])
    top, left = CANVAS // 4, (CANVAS - min(wide, CANVAS)) // 2
    picture = cv2.resize(crop, (min(wide, CANVAS), high), interpolation=cv2.INTER_AREA).astype(np.float32) / 255
    bgra[top : top + high, left : left + picture.shape[1], :3] = picture
    middle, axes = (CANVAS // 2, CANVAS // 2), (picture.shape[1] // 2 - 6, high // 2 - 6)
    oval = np.asarray(cv2.ellipse2Poly(middle, axes, 0, 0, 360, 6), np.int32)
    shape = np.zeros((CANVAS, CANVAS), np.float32)
    cv2.fillConvexPoly(shape, oval, (1.0,), cv2.LINE_AA)
    alpha = np.asarray(cv2.GaussianBlur(shape, (0, 0), 4), np.float32)
    bgra[..., 3] = alpha
    bgra[..., :3] *= alpha[..., None]
    return CutOut(bgra, oval.astype(np.float64))
