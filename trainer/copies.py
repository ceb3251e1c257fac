"""Turns photos to train on and photos to measure with into the former without any that resemble the latter."""

import hashlib
import inspect
import itertools
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from device.faces import FaceFinder
from trainer import groups, links, views
from trainer.cache import cache_folder, read_array, scratch_array, write_array
from trainer.dataset import Dataset, load_dataset, part_of
from trainer.groups import find_groups
from trainer.sources import require_enough
from trainer.views import DESCRIPTION_LENGTH


@dataclass(frozen=True)
class Material:
    """What is left to train on."""

    dataset: Dataset
    groups: npt.NDArray[np.intp]  # (n,): copies and photos of one person share a number
    dropped: dict[str, int]  # photos left out, by source, because a measuring folder holds a copy
    apart: tuple[Dataset, ...]  # of the measuring folders


def gather(
    folders: Sequence[Path], size: int, measuring: Sequence[Path], finder: FaceFinder | None = None
) -> Material:
    """Load folders of photos, and leave out what shares a group with a photo of a measuring folder.

    A group is what trainer.groups links: copies, turned and zoomed copies, bursts of one person.
    Faces are found by `finder`, by default our own.
    """
    dataset = load_dataset(folders, size, finder=finder)
    apart = tuple(load_dataset(folder, size, finder=finder) for folder in measuring)
    together = (dataset, *apart)
    found = known_groups(
        [part.descriptions for part in together],
        [name for part in together for name in part.names],
        np.concatenate([dataset.folders, *(part.folders + len(folders) + i for i, part in enumerate(apart))]),
    )
    n = len(dataset.names)
    kept = np.flatnonzero(~np.isin(found[:n], found[n:]))
    require_enough(dataset.labels[kept].tolist(), dataset.folder, "photos that resemble none of APART")
    dropped = Counter(dataset.sources[i] for i in np.setdiff1d(np.arange(n), kept))
    groups = np.unique(found[kept], return_inverse=True)[1].astype(np.intp)
    return Material(part_of(dataset, kept) if dropped else dataset, groups, dict(sorted(dropped.items())), apart)


def known_groups(
    parts: Sequence[npt.NDArray[np.uint8]], names: Sequence[str], folders: npt.NDArray[np.intp]
) -> npt.NDArray[np.intp]:
    """Return the group of each photo as trainer.groups finds it, from the cache where it was found before.

    parts: the descriptions of the first photos, of the next ones, and so on. folders: intp (n,), the number of each's.
    """
    told = hashlib.sha256("".join(inspect.getsource(module) for module in (groups, links, views)).encode())
    for part in parts:
        told.update(np.ascontiguousarray(part).data)
    told.update("\n".join(names).encode(errors="surrogateescape"))  # names that aren't UTF-8, out of old archives
    told.update(np.ascontiguousarray(folders).data)
    path = cache_folder() / "groups" / f"{told.hexdigest()[:32]}.npy"
    found = read_array(path)
    if found is None:
        together = scratch_array((len(names), DESCRIPTION_LENGTH))
        for place, row in enumerate(itertools.chain(*parts)):
            together[place] = row
        found = find_groups(together, names, folders)
        write_array(path, found)
    return np.asarray(found, np.intp)
