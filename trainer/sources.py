"""Names the photos to train on: the user's, the original project's, or drawn ones where neither is at hand.

Folders that can't be trained on are refused before anything that takes long.
"""

import os
import sys
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path

from device.arguments import path
from trainer.cache import cache_folder
from trainer.left_out import left_out
from trainer.photos import LABELS, PhotosError, find_photos, has_table
from trainer.practice import draw_practice_set, is_practice_set
from trainer.prajna import FetchError, fetch_photos
from trainer.telling import tell

FEWEST = 10  # photos a class
PRACTICE = "practice-1"  # the cache's folder; the number changes with the drawing


def photos_folder(data: str | None) -> tuple[Path, bool]:
    """Return the folder of photos and whether they are only drawn, for practice: then one line says so.

    Without a folder of the user's, the original's photos are fetched; if their host can't be reached, faces are drawn.
    """
    if data:
        folder = path(data).resolve()
        practice = is_practice_set(folder)
        if practice:
            print(f"{folder}: holds drawn faces, for PRACTICE only; for a real model give photos as DATA, it as EXTRA",
                  file=sys.stderr)
        return folder, practice
    try:
        return fetch_photos(cache_folder() / "prajna"), False
    except FetchError as error:
        print(f"{error}: drawn faces are used, for PRACTICE only; give DATA=folder for a real model", file=sys.stderr)
    folder = cache_folder() / PRACTICE
    if not folder.is_dir():
        draw_practice_set(folder)
    return folder, True


def networks_for(asked: Sequence[str], practice: bool) -> list[str]:
    """Return the networks to train, each once: one that is named twice would wait for itself.

    Raises PhotosError for several on drawn faces, which all become the one model `practice`.
    """
    networks = list(dict.fromkeys(asked))
    if practice and len(networks) > 1:
        raise PhotosError(f"{', '.join(networks)}: drawn faces make one model, practice.tflite, expected one network: "
                          "name one as MODEL, or give photos as DATA")
    return networks


def check_folders(folders: Sequence[Path], measuring: Sequence[Path]) -> None:
    """Raise PhotosError as reading these folders would in the end, or where their names can't stand in a card.

    Nor may one be given twice, or two of them have one name.
    """
    require_utf8([*folders, *measuring])
    for named in (folders, measuring):
        require_once(named)
    labels = [photo.label for folder in folders for photo in find_photos(folder)]
    tell(line for folder in folders for line in left_out(folder))  # which may be why there are too few
    require_enough(labels, folders[0])
    for folder in measuring:
        find_photos(folder)
    _require_names([folder for folder in folders if not has_table(folder)])  # tables name their sources themselves
    _require_names(measuring)


def require_enough(
    labels: Sequence[int], folder: Path, of: str = "usable photos", left_out: Collection[int] = ()
) -> None:
    """Raise PhotosError unless each class has at least 10 photos, which are `of` some kind.

    left_out: the labels of those that were named as unusable before.
    """
    counts, lost = Counter(labels), Counter(left_out)
    few = [label for label in range(len(LABELS)) if counts[label] < FEWEST]
    if not few:
        return
    found = " and ".join(f"{LABELS[label]} has {counts[label]}" for label in few)
    mend = sum(lost[label] for label in few)
    advice = f"mend the {mend} that were left out, as said above, or add photos" if mend else "add photos"
    raise PhotosError(f"{folder}: {found} {of}, expected at least {FEWEST}: {advice}")


def require_utf8(paths: Iterable[Path]) -> None:
    """Raise PhotosError for a name that isn't UTF-8, as are the cards and tables in which it would stand."""
    for named in paths:
        _require_utf8(named.name, named)


def require_once(paths: Iterable[Path]) -> None:
    """Raise PhotosError for what is given twice, by whatever path: it would count twice."""
    known = set[Path]()
    for given in paths:
        whole = given.resolve()
        if whole in known:
            raise PhotosError(f"{given}: is given twice, expected each once: leave one out")
        known.add(whole)


def distinct(names: Sequence[str], paths: Sequence[Path], taken: Collection[str] = ()) -> list[str]:
    """Return the names of paths, or the paths where several have the same or it is taken.

    Raises PhotosError for a path that is given twice, and for what of it isn't UTF-8.
    """
    require_once(paths)
    told = [
        str(named) if names.count(name) > 1 or name in taken else name for name, named in zip(names, paths, strict=True)
    ]
    for text, named in zip(told, paths, strict=True):
        _require_utf8(text, named)
    return told


def _require_utf8(text: str, named: Path) -> None:
    try:
        text.encode()
    except UnicodeEncodeError as error:
        shown = os.fsencode(named).decode(errors="backslashreplace")
        raise PhotosError(f"{shown}: isn't UTF-8, expected a name that a card or table can tell: rename it") from error


def _require_names(folders: Sequence[Path]) -> None:
    known = dict[str, Path]()
    for folder in folders:
        if folder.name in known:
            raise PhotosError(
                f"{known[folder.name]} and {folder}: have the same name, by which sources are told apart: rename one"
            )
        known[folder.name] = folder
