"""Turns folders into pictures that the face finder learns from, is watched with, and never sees."""

import dataclasses
import hashlib
import json
import sys
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from tqdm import tqdm

from device.errors import PictureError
from device.pictures import read_luma
from trainer.finder.compose import Composer
from trainer.finder.lay import Picture, picture
from trainer.finder.scenes import WITH_MASK, Scene, read_backgrounds, read_scenes
from trainer.finder.teacher import taught
from trainer.photos import PhotosError, source_of
from trainer.sources import require_utf8

VALIDATION = 16  # every so many pictures, one is not learned from, but watched
# How often a layer shows a picture of each pool: scenes with a masked face and without, pictures that a teacher marked
# with and without. Faces under masks are the harder half, and scenes without them the larger.
SHARES = (0.35, 0.33, 0.17, 0.15)
Loaded = tuple[Scene, Picture]


@dataclass(frozen=True)
class FinderPlan:
    """What a run was asked to do; two runs of different `identity` have different folders."""

    scenes: tuple[str, ...]  # folders
    backgrounds: tuple[str, ...]
    unlabelled: tuple[str, ...]
    teacher: str  # YuNet's .onnx, or nothing
    hold_out: tuple[str, ...]  # patterns of file names that are kept out
    start: str  # a .keras whose weights are gone on from, or nothing: from scratch
    epochs: int
    seed: int
    threads: int

    def identity(self) -> dict[str, Any]:
        """Return what tells runs apart: of single files that is their content, wherever they are."""
        files = {name: Path(path) for name, path in (("teacher", self.teacher), ("start", self.start)) if path}
        hashes = {name: hashlib.sha256(path.read_bytes()).hexdigest() for name, path in files.items()}
        return {**dataclasses.asdict(self), **hashes}


@dataclass(frozen=True)
class FinderMaterial:
    """What a plan comes to."""

    composer: Composer
    validation: Composer
    watched: list[Scene]  # of sources that are learned from, but not learned from themselves, with faces and without
    calibration: list[Scene]  # of those that are learned from
    held_scenes: list[Scene]
    held_backgrounds: list[Scene]
    pictures: dict[str, int]  # that are learned from, by source
    faces: dict[str, int]
    backgrounds: dict[str, int]
    known: frozenset[Path]  # whole paths of all that are learned from or watched
    sha256: str  # over the names, contents and boxes of all


def gather(plan: FinderPlan) -> FinderMaterial:
    """Read a plan's folders. What can't be used is named on stderr and left out. Raises PhotosError."""
    marked = [scene for folder in plan.scenes for scene in usable_scenes(Path(folder))]
    empty = [scene for folder in plan.backgrounds for scene in read_backgrounds(Path(folder))]
    (scenes, held_scenes), (plain, held_plain) = _apart(marked, plan.hold_out), _apart(empty, plan.hold_out)
    require_utf8(scene.path for scene in [*scenes, *plain])  # the card tells their sources
    unlabelled = _unlabelled(plan, [*held_scenes, *held_plain])
    if bare := sum(not len(scene.boxes) for scene in marked):
        print(f"left out: {' and '.join(plan.scenes)}: {bare} of {len(marked)} pictures have no face to learn from, "
              "expected one in each: move those without any into a folder of BACKGROUNDS", file=sys.stderr)
    with_faces = [scene for scene in scenes if len(scene.boxes)]
    learned, validation = _parts(_load(with_faces), plan.scenes, "pictures with faces")
    backgrounds, watched_plain = _parts(_load(plain), plan.backgrounds, "pictures without faces")
    pools = [[p for s, p in learned if (WITH_MASK in s.labels) == masked] for masked in (True, False)]
    pictures, faces = _count(s.source for s, _ in learned), _count(s.source for s, _ in learned for _ in s.boxes)
    if plan.teacher:
        for masked in (True, False):
            some = [s for s in unlabelled if (WITH_MASK in s.path.parts) == masked]
            pools.append(list(taught(Path(plan.teacher), some)))
        marked_by_teacher = [*pools[2], *pools[3]]
        pictures["taught"], faces["taught"] = len(marked_by_teacher), sum(len(p.boxes) for p in marked_by_teacher)
    return FinderMaterial(
        composer=Composer([(share, pool) for share, pool in zip(SHARES, pools, strict=False) if pool],
                          _pictures(backgrounds)),
        validation=Composer([(1.0, _pictures(validation))], _pictures(watched_plain)),
        watched=_scenes([*validation, *watched_plain]),
        calibration=_scenes([*learned, *backgrounds]),
        held_scenes=[s for s in held_scenes if len(s.boxes)],
        held_backgrounds=held_plain,
        pictures=pictures,
        faces=faces,
        backgrounds=_count(s.source for s, _ in backgrounds),
        known=frozenset(scene.path.resolve() for scene in [*with_faces, *plain, *unlabelled]),
        sha256=_digest([*scenes, *plain, *unlabelled]),
    )


def _unlabelled(plan: FinderPlan, held: Sequence[Scene]) -> list[Scene]:
    """Return the pictures that nobody has marked, without those of a source of which any picture is held out.

    They may be cut from pictures to measure with. Where those lie in another folder, the beginning of a pattern names
    their source, unless it is a wildcard.
    """
    sources = {scene.source for scene in held} | {source_of(Path(pattern)) for pattern in plan.hold_out}
    found, _ = _apart((s for folder in plan.unlabelled for s in read_backgrounds(Path(folder))), plan.hold_out)
    kept = [scene for scene in found if scene.source not in sources]
    given = " and ".join(plan.unlabelled)
    if given and not kept:
        raise PhotosError(f"{given}: every picture is of a source that --hold-out keeps away, expected others: hold "
                          "out fewer, or leave --unlabelled out")
    if away := len(found) - len(kept):
        print(f"left out: {given}: {away} of {len(found)} pictures are of sources that --hold-out keeps away",
              file=sys.stderr)
    return kept


def usable_scenes(folder: Path) -> list[Scene]:
    """Return the scenes of a folder; what was left out is named on stderr. Raises PhotosError."""
    scenes, refused = read_scenes(folder)
    for line in refused:
        print(line, file=sys.stderr)
    return scenes


def _apart(scenes: Iterable[Scene], patterns: Sequence[str]) -> tuple[list[Scene], list[Scene]]:
    inside, outside = list[Scene](), list[Scene]()
    for scene in scenes:
        (outside if any(fnmatchcase(scene.path.name, pattern) for pattern in patterns) else inside).append(scene)
    return inside, outside


def _load(scenes: Sequence[Scene]) -> list[Loaded]:
    loaded = []
    for scene in tqdm(scenes, "reading", unit="picture", disable=None):
        try:
            loaded.append((scene, picture(read_luma(scene.path), scene.boxes, scene.labels, scene.ignored)))
        except PictureError as error:
            print(f"left out: {error}", file=sys.stderr)
    return loaded


def _parts(loaded: list[Loaded], folders: Sequence[str], what: str) -> tuple[list[Loaded], list[Loaded]]:
    """Return the pictures to learn from and those to watch with. Raises PhotosError where they are few."""
    if len(loaded) < VALIDATION:
        raise PhotosError(
            f"{' and '.join(folders)}: {len(loaded)} {what} are left to learn from, expected {VALIDATION} or more "
            "beside those that --hold-out keeps away: add some or hold out fewer"
        )
    learned, watched = list(loaded), slice(VALIDATION // 2 - 1, None, VALIDATION)
    del learned[watched]
    return learned, loaded[watched]


def _scenes(loaded: Sequence[Loaded]) -> list[Scene]:
    return [scene for scene, _ in loaded]


def _pictures(loaded: Sequence[Loaded]) -> list[Picture]:
    return [picture for _, picture in loaded]


def _count(sources: Iterable[str]) -> dict[str, int]:
    return dict(sorted(Counter(sources).items()))


def _digest(scenes: Sequence[Scene]) -> str:
    told = [[s.name, _sha256(s.path), s.boxes.tolist(), s.labels, s.ignored.tolist()] for s in scenes]
    return hashlib.sha256(json.dumps(told).encode()).hexdigest()


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
