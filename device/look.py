"""Says how well a face is seen: where in the picture, how large, bright and sharp, whether cut, and how it moves."""

from dataclasses import dataclass

import cv2

from device.faces import Box, Face, Luma
from device.settings import DecisionSettings

# Finders keep their boxes inside the picture. One that touches its edge and is so much narrower or flatter than a face
# was cut by it, by more than a fifth.
EDGE_PIXELS = 1
NARROW, FLAT = 0.55, 1.05  # width over height
FULL_HEIGHT = 0.2  # share of the picture's height from which a larger face tells no more
FULL_SHARPNESS = 20.0  # grey levels from which a sharper one tells no more; softer ones are judged wrong more often
LEAST_WEIGHT = 0.25  # a soft or small face still tells something


@dataclass(frozen=True)
class Look:
    """How a face is seen. Without arguments: well, in the middle of the picture."""

    x: float = 0.5  # of the face's middle, share of the picture's width
    y: float = 0.5  # the same, share of its height
    height: float = 0.5  # of the face, share of the picture's height
    brightness: float = 128.0  # mean of the crop, grey levels 0-255
    sharpness: float = FULL_SHARPNESS  # standard deviation of the crop's Laplacian, grey levels
    cut: bool = False  # by the picture's edge
    moved: float | None = None  # the face's own, against the rest of the picture, share of its height; None: not known

    @property
    def place(self) -> tuple[float, float, float]:
        """Return x, y and height."""
        return self.x, self.y, self.height

    @property
    def weight(self) -> float:
        """Return how much a score of this face counts beside its others, LEAST_WEIGHT to 1."""
        return max(LEAST_WEIGHT, min(1.0, self.height / FULL_HEIGHT) * min(1.0, self.sharpness / FULL_SHARPNESS))


def place_of(box: Box, shape: tuple[int, ...]) -> tuple[float, float, float]:
    """Return x, y and height of a face, as its Look has them, in a picture of this shape, (height, width)."""
    height, width = shape
    return (box.x + box.width / 2) / width, (box.y + box.height / 2) / height, box.height / height


def uncounted(place: tuple[float, float, float], settings: DecisionSettings) -> str | None:
    """Return why nobody is taken to be at a place, (x, y, height) as a Look has them; None if somebody is."""
    x, y, height = place
    if height < settings.least_height:
        return "smaller than least height"
    if any(left <= x <= left + wide and top <= y <= top + high for left, top, wide, high in settings.zones):
        return "in a zone"
    return None


def unjudged(look: Look, settings: DecisionSettings) -> str | None:
    """Return why a face is waited for that counts; None if it is seen well enough for its score."""
    if look.cut:
        return "cut by the picture's edge"
    if look.brightness < settings.least_brightness:
        return "darker than least brightness"
    return None


def look_at(luma: Luma, face: Face, crop: Luma) -> Look:
    """Return how a face is seen in a picture, uint8 (height, width); crop: uint8 (size, size) of it."""
    (height, width), box = luma.shape, face.box
    right, bottom = box.x + box.width, box.y + box.height
    x, y, share = place_of(box, (height, width))
    return Look(
        x=x,
        y=y,
        height=share,
        brightness=cv2.mean(crop)[0],
        sharpness=float(cv2.meanStdDev(cv2.Laplacian(crop, cv2.CV_16S))[1][0, 0]),
        cut=(min(box.x, width - right) <= EDGE_PIXELS and box.width < NARROW * box.height)
        or (min(box.y, height - bottom) <= EDGE_PIXELS and box.width > FLAT * box.height),
        moved=face.moved,
    )


WELL_SEEN = Look()
