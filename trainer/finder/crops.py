"""Cuts out what a face network names in composed pictures: what its check learns from."""

import io
import shutil
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import SimpleQueue
from typing import NamedTuple

import numpy as np
from tqdm import tqdm

from device.crop import crop_face
from device.disk import write_whole
from device.faces import Luma
from device.finders import OwnFaceFinder
from device.heatmap import HEIGHT, WIDTH
from trainer.cache import GrowingArray, read_array, whole_folder
from trainer.finder.compose import Composer
from trainer.finder.lay import Floats
from trainer.finder.matching import SMALLEST_SHARE
from trainer.finder.photograph import photograph
from trainer.finder.scenes import intersection_over_union

SIZE, MARGIN = 48, 0.35  # px of a crop, and what it shows around the face: hair, neck and shoulders tell a head
LEARNED_FROM_SCORE = 0.06  # of the face network: lower than the check's own, for more of what is no face
AT_ONCE = 200  # pictures
LUMAS, ANSWERS = "lumas.npy", "is_face.npy"  # files of a folder of crops
PART = np.dtype([("luma", np.uint8, (SIZE, SIZE)), ("is_face", np.uint8)])  # of a file with some of them
# Sides of a composed picture in those of the face network's, and how often: cameras give more pixels than it sees.
LARGER, SHARES = (1.0, 1.5, 2.0), (0.25, 0.25, 0.5)
# Intersection over union with a true face's box, from which a place is one, and below which it is none.
IS_FACE, IS_NONE = 0.4, 0.2
SMALLEST = 0.8 * SMALLEST_SHARE  # of the picture's height: of smaller places nothing is asked


class Crops(NamedTuple):
    """What the face network named, cut out."""

    lumas: Luma  # uint8 (n, SIZE, SIZE)
    is_face: Floats  # float32 (n,): 1 or 0


def crops_in(folder: Path, composer: Composer, model: Path, pictures: int, seed: int, threads: int) -> Crops:
    """Return the crops that lie in a folder; where there are none yet, or damaged ones, they are cut and put there.

    Composed pictures are searched by a face network, given by its .tflite. A seed gives the same crops again. Stopped,
    it goes on from the parts that it has cut, which lie beside the folder until that is whole.
    """
    kept = folder.with_name(f"{folder.name}-parts")
    if not _is_whole(folder):
        shutil.rmtree(folder, ignore_errors=True)
        kept.mkdir(parents=True, exist_ok=True)
        kept.chmod(0o700)  # they show faces; an older version's was open to all
        parts = [kept / f"{part}.npy" for part in range(pictures // AT_ONCE)]
        _cut(parts, composer, model, seed, threads)
        with whole_folder(folder) as partial:
            _join(parts, partial)
    shutil.rmtree(kept, ignore_errors=True)
    return Crops(np.load(folder / LUMAS, mmap_mode="r"), np.load(folder / ANSWERS).astype(np.float32))


def _is_whole(folder: Path) -> bool:
    try:
        return len(np.load(folder / LUMAS, mmap_mode="r")) == len(np.load(folder / ANSWERS))  # a short one isn't read
    except (OSError, ValueError, EOFError):
        return False


def _cut(parts: Sequence[Path], composer: Composer, model: Path, seed: int, threads: int) -> None:
    free = SimpleQueue[OwnFaceFinder]()  # one for each thread
    for _ in range(threads):
        free.put(OwnFaceFinder(model, checked=False))

    def cut_part(part: int, path: Path) -> None:
        if read_array(path) is not None:
            return
        finder = free.get()
        try:
            named = list(_named(composer, finder, np.random.default_rng([seed, part])))
        finally:
            free.put(finder)
        content = io.BytesIO()
        np.save(content, np.array(named, PART))
        write_whole(path, content.getvalue())

    with ThreadPoolExecutor(threads) as pool:
        try:
            cut = pool.map(cut_part, range(len(parts)), parts)
            for _ in tqdm(cut, "cutting", len(parts), unit=f"{AT_ONCE} pictures", disable=None):
                pass
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


def _join(parts: Sequence[Path], folder: Path) -> None:
    with GrowingArray(folder / LUMAS, (SIZE, SIZE)) as lumas, GrowingArray(folder / ANSWERS, ()) as answers:
        for path in parts:
            part = np.load(path)
            for luma, is_face in zip(part["luma"], part["is_face"], strict=True):
                lumas.append(luma)
                answers.append(is_face)


def camera_picture(composer: Composer, rng: np.random.Generator) -> tuple[Luma, Floats, Floats]:
    """Return a composed picture as large as some camera's, the boxes of its faces, and those that don't count."""
    larger = rng.choice(LARGER, p=SHARES)
    canvas, faces, ignored = composer.compose(rng, round(WIDTH * larger), round(HEIGHT * larger))
    return photograph(rng, canvas, faces), faces, ignored


def _named(composer: Composer, finder: OwnFaceFinder, rng: np.random.Generator) -> Iterator[tuple[Luma, bool]]:
    for _ in range(AT_ONCE):
        luma, faces, ignored = camera_picture(composer, rng)
        for place in finder.places(luma, LEARNED_FROM_SCORE):
            box = np.array(place.box, np.float32)
            fits, unsure = (float(intersection_over_union(of, box).max(initial=0)) for of in (faces, ignored))
            clear = (fits >= IS_FACE or fits < IS_NONE) and unsure <= max(IS_NONE, fits)
            if clear and place.box.height >= SMALLEST * luma.shape[0]:
                yield crop_face(luma, place.box, MARGIN, SIZE), fits >= IS_FACE
