"""Turns a seed into a folder of drawn photos, `with_mask` and `without_mask`, to try everything without real ones."""

from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
from tqdm import tqdm

from device.errors import KioskError
from device.faces import Box
from trainer.cache import whole_folder
from trainer.drawing import CutOut, draw_person
from trainer.drawn_person import Person, random_person
from trainer.photos import ALARM_LABEL, LABELS
from trainer.relief import CLOTHS, Light

Picture = npt.NDArray[np.uint8]  # (height, width, 3), BGR
Scene = npt.NDArray[np.float32]  # (height, width, 3), BGR, 0-1

SIDES = (200, 320)  # px, least and most of a picture's height and width
FACE_HEIGHTS = (0.42, 0.66)  # forehead to chin, share of the picture's height
TILT_DEGREES = 6.0  # standard deviation
MARK = "PRACTICE.txt"  # beside the class folders: what is trained on this set is no model for a door


def draw_practice_set(folder: Path, people: int = 200, seed: int = 0) -> None:
    """Draw each of `people` once with and once without a mask into `folder`/with_mask and `folder`/without_mask.

    The same seed gives the same bytes. The folder appears whole or not at all. Raises KioskError when it exists already
    and holds anything.
    """
    if folder.exists() and any(folder.iterdir()):
        raise KioskError(f"{folder} holds files, a practice set needs a new or empty folder: remove it or name another")
    with whole_folder(folder) as drawn:
        (drawn / MARK).write_text("Drawn people: as DATA they make a practice model, which this file tells.\n")
        for name in LABELS:
            (drawn / name).mkdir()
        for number in tqdm(range(people), desc="drawing practice photos", unit="person", disable=None):
            person = random_person(np.random.default_rng([seed, number]))
            for index, name in enumerate(LABELS):
                rng = np.random.default_rng([seed, number, index])
                masked = name != ALARM_LABEL
                picture, _ = draw_face(rng, masked, person)
                # The names tell trainer.groups that both are one person.
                file = Path(name, f"person-{number:04d}{'-masked' if masked else ''}.jpg")
                quality = int(rng.integers(55, 96))
                if not cv2.imwrite(str(drawn / file), picture, [cv2.IMWRITE_JPEG_QUALITY, quality]):
                    raise KioskError(f"{folder / file}: can't be written: check the free space")


def is_practice_set(folder: Path) -> bool:
    """Tell whether `draw_practice_set` filled a folder."""
    return (folder / MARK).exists()


def draw_face(rng: np.random.Generator, masked: bool, person: Person | None = None) -> tuple[Picture, Box]:
    """Return a drawn photo of one person, uint8 (height, width, 3) BGR, and the box of the face in it.

    The box reaches from forehead to chin and from ear to ear, whatever covers them. Without `person`, one is made up.
    """
    person = person or random_person(rng)
    width, height = (int(side) for side in rng.integers(SIDES[0], SIDES[1] + 1, 2))
    light, behind = random_light(rng)
    cut_out = draw_person(rng, person, masked, light)
    scene = draw_background(rng, width, height) * np.float32(behind)
    scale = height * rng.uniform(*FACE_HEIGHTS) / np.ptp(cut_out.outline[:, 1])
    scale = min(scale, 0.75 * width / np.ptp(cut_out.outline[:, 0]))
    middle = (width * rng.normal(0.5, 0.05), height * rng.normal(0.5, 0.035))
    scene, box = place(cut_out, scene, middle, scale, rng.normal(0, TILT_DEGREES))
    return photograph(rng, scene), box


def place(cut_out: CutOut, scene: Scene, middle: tuple[float, float], scale: float,
          tilt_degrees: float) -> tuple[Scene, Box]:
    """Return `scene` with the person before it, and the box of the face.

    `middle` is where the middle of the face comes, in px of the scene; `scale` is scene px a cut-out px.
    """
    height, width = scene.shape[:2]
    centre = (cut_out.outline.min(0) + cut_out.outline.max(0)) / 2
    turn = cv2.getRotationMatrix2D((float(centre[0]), float(centre[1])), tilt_degrees, scale)
    turn[:, 2] += np.array(middle) - centre
    # Linear sampling skips pixels when it shrinks, so they are averaged first. Below the canvas its lowest row goes on.
    bgra = cv2.GaussianBlur(cut_out.bgra, (0, 0), max(0.3, 0.35 / scale))
    bgra = cv2.warpAffine(bgra, turn, (width, height), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    outline = cut_out.outline @ turn[:, :2].T + turn[:, 2]
    left, top = np.clip(np.round(outline.min(0)), 0, (width, height)).astype(int)
    right, bottom = np.clip(np.round(outline.max(0)), 0, (width, height)).astype(int)
    return bgra[..., :3] + scene * (1 - bgra[..., 3:]), Box(int(left), int(top), int(right - left), int(bottom - top))


def photograph(rng: np.random.Generator, scene: Scene) -> Picture:
    """Return what a camera makes of a scene: blur, exposure, noise."""
    sharp = cv2.GaussianBlur(scene, (0, 0), rng.uniform(0.3, 1.3))
    exposed = np.clip(sharp, 0, 1) ** np.float32(rng.uniform(0.85, 1.2)) * np.float32(rng.uniform(0.8, 1.1))
    noise = rng.standard_normal(scene.shape, np.float32) * np.float32(rng.uniform(0.005, 0.035))
    return np.clip((exposed + noise) * 255 + 0.5, 0, 255).astype(np.uint8)


def draw_background(rng: np.random.Generator, width: int, height: int) -> Scene:
    """Return a room, a gradient or clutter, out of focus; sides in px."""
    def colour() -> npt.NDArray[np.float32]:
        grey = rng.uniform(0.25, 0.95)
        return np.clip(grey + rng.normal(0, 0.04, 3), 0, 1).astype(np.float32)

    ramp = np.linspace(0, 1, height, dtype=np.float32)[:, None, None]
    scene = np.ascontiguousarray(np.broadcast_to(colour() * (1 - ramp) + colour() * ramp, (height, width, 3)))
    kind = rng.choice(["gradient", "room", "clutter"])
    if kind == "room":
        for _ in range(rng.integers(1, 4)):  # doors, windows, pictures
            x, y = int(rng.integers(-20, width)), int(rng.integers(-20, height // 2))
            far = (x + int(rng.integers(30, width // 2)), y + int(rng.integers(40, height)))
            cv2.rectangle(scene, (x, y), far, colour().tolist(), -1)
            cv2.rectangle(scene, (x, y), far, colour().tolist(), int(rng.integers(2, 7)))
    elif kind == "clutter":
        for _ in range(rng.integers(12, 40)):
            spot = (int(rng.integers(0, width)), int(rng.integers(0, height)))
            paint = (0.6 * colour() + 0.4 * np.array(CLOTHS[rng.integers(len(CLOTHS))]) / 255).tolist()
            if rng.random() < 0.5:
                cv2.circle(scene, spot, int(rng.integers(4, 30)), paint, -1, cv2.LINE_AA)
            else:
                far = (spot[0] + int(rng.integers(5, 60)), spot[1] + int(rng.integers(5, 60)))
                cv2.rectangle(scene, spot, far, paint, -1)
    return np.asarray(cv2.GaussianBlur(scene, (0, 0), rng.uniform(1.5, 6)), np.float32)


def random_light(rng: np.random.Generator) -> tuple[Light, float]:
    """Return the light on the person, and how bright what is behind them is: even, hard, low, or from behind."""
    direction = (rng.normal(0, 0.45), -rng.uniform(0.1, 0.7), 1.0)
    kind = rng.choice(["even", "hard", "low", "behind"], p=[0.5, 0.25, 0.12, 0.13])
    level, ambient, behind = {
        "even": (rng.uniform(0.95, 1.15), rng.uniform(0.4, 0.55), 0.95),
        "hard": (rng.uniform(1.1, 1.3), rng.uniform(0.15, 0.3), 0.85),
        "low": (rng.uniform(0.5, 0.65), rng.uniform(0.3, 0.5), 0.4),
        "behind": (rng.uniform(0.55, 0.75), rng.uniform(0.55, 0.7), 1.35),
    }[str(kind)]
    warm = rng.normal(0, 0.05)
    return Light(direction, (level * (1 - warm), level, level * (1 + warm)), ambient), behind
