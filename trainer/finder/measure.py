"""Turns face finders and scenes into figures: which faces they find, and how often they see one where none is."""

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from tqdm import tqdm

from device.errors import PictureError
from device.faces import Face
from device.pictures import read_luma
from trainer.finder.lay import cut
from trainer.finder.matching import Share, Sighting, Tally, tally
from trainer.finder.scenes import WITH_MASK, WITHOUT_MASK, Scene
from trainer.photos import PhotosError

OVERLAP, STRICT_OVERLAP = 0.3, 0.5  # intersection over union; sets differ in what the box of a face is
QUIET = 0.05  # false boxes a picture: what a door can bear
GROUPS = {WITH_MASK: "masked", WITHOUT_MASK: "bare"}
OTHER = "other"  # worn wrong, or not known
HEIGHTS = (0.1, 0.15, 0.25, 0.4, 0.6, 1.0)  # shares of the picture's height, between which faces are counted

Picture = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Contender:
    """A face finder and the score from which its boxes are to count."""

    name: str
    find: Callable[[Picture], list[Face]]  # a FaceFinder's, and one that gives less sure boxes too, for the curve
    threshold: float  # on the finder's own scale; -inf: whatever it gives counts
    read: Callable[[Path], Picture] = read_luma  # what the finder is shown of a picture file


@dataclass(frozen=True)
class Point:
    """What a finder does at one threshold."""

    threshold: float  # inf: none will do
    recall: dict[str, Share]  # of masked, bare and other faces
    false_boxes: int


@dataclass(frozen=True)
class Figures:
    """What a contender does on a set of pictures. In a set without faces all recalls are of 0."""

    name: str
    curve_of: str  # name of the first contender that has the same finder, and so the same curve
    pictures: int
    chosen: Point  # at the contender's threshold
    strict: Point  # at the same, where a box has to fit better: STRICT_OVERLAP
    quiet: Point  # at the lowest threshold with at most that many false boxes a picture, by default QUIET
    pictures_with_false: Share  # at the contender's threshold
    by_height: tuple[Share, ...]  # of all faces at the contender's threshold, between each two HEIGHTS
    curve: list[tuple[float, float, float]]  # threshold, precision, recall of all faces


def measure(contenders: Sequence[Contender], scenes: Sequence[Scene], quiet: float = QUIET) -> list[Figures]:
    """Let every contender search every scene; contenders that share a finder share its search.

    A picture that is unusable is left out with one line on stderr. Raises PhotosError if all are, and for one that
    is gone.
    """
    first = {(contender.find, contender.read): contender for contender in reversed(contenders)}
    sightings = look(list(first.values()), scenes)
    if not sightings:
        raise PhotosError(f"{scenes[0].path.parent}: has no picture that can be read, expected some: copy them again")
    tallies = {
        shared: [tally([seen[i] for seen in sightings], overlap) for overlap in (OVERLAP, STRICT_OVERLAP)]
        for i, shared in enumerate(first)
    }
    return [
        _figures(contender, first[shared].name, quiet, *tallies[shared])
        for contender in contenders
        for shared in [(contender.find, contender.read)]
    ]


def look(contenders: Sequence[Contender], scenes: Sequence[Scene]) -> list[list[Sighting]]:
    """Return for each scene whose picture is usable what each contender, in order, sees in it at whatever score.

    Raises PhotosError for a picture that is gone.
    """
    sightings = []
    for scene in tqdm(scenes, desc="scenes", unit="picture", disable=None):
        try:
            pictures = {read: read(scene.path) for read in {contender.read for contender in contenders}}
        except PictureError as error:
            # A folder that is gone is no bad picture; one that may not be read is, since nobody opens it to list it.
            if isinstance(error.__cause__, OSError) and not isinstance(error.__cause__, PermissionError):
                raise PhotosError(f"{error}; it was there a moment ago: run the same again") from error
            print(f"left out: {error}", file=sys.stderr)
            continue
        seen = []
        for contender in contenders:
            picture = pictures[contender.read]
            faces = contender.find(picture)
            boxes = np.array([face.box for face in faces], np.float32).reshape(-1, 4)
            height, width = picture.shape[:2]
            inside, _ = cut(boxes, np.array([0.0, 0.0, width, height]))  # as drawn boxes are
            seen.append(Sighting(scene, height, inside, np.array([face.score for face in faces], np.float32)))
        sightings.append(seen)
    return sightings


def _figures(contender: Contender, curve_of: str, quiet: float, loose: Tally, strict: Tally) -> Figures:
    threshold = contender.threshold
    bins = [
        (loose.heights >= low) & ((loose.heights < high) | (high == HEIGHTS[-1]))
        for low, high in zip((0.0, *HEIGHTS[1:-1]), HEIGHTS[1:], strict=True)  # the least that counts may round below
    ]
    return Figures(
        name=contender.name,
        curve_of=curve_of,
        pictures=loose.pictures,
        chosen=_point(loose, threshold),
        strict=_point(strict, threshold),
        quiet=_point(loose, loose.quiet_threshold(quiet)),
        pictures_with_false=loose.pictures_with_false(threshold),
        by_height=tuple(loose.recall(threshold, among) for among in bins),
        curve=loose.curve(),
    )


def _point(counted: Tally, threshold: float) -> Point:
    masks = {name: counted.labels == label for label, name in GROUPS.items()}
    masks[OTHER] = ~np.isin(counted.labels, list(GROUPS))
    return Point(
        threshold=threshold,
        recall={name: counted.recall(threshold, among) for name, among in masks.items()},
        false_boxes=counted.false_boxes(threshold),
    )
