"""Says what is wrong with the folders in a folder of photos, of which each has to be a class."""

import difflib
from collections.abc import Sequence
from pathlib import Path

NEAR = 0.5  # difflib's ratio, 0-1, at which `nomask` is still near to without_mask


def wrong_folders(folder: Path, needed: Sequence[str], known: Sequence[str]) -> str | None:
    """Return the line that refuses a folder unless all it holds are folders of these names, with all that are needed.

    What is hidden doesn't count.
    """
    folders = sorted(path.name for path in folder.iterdir() if path.is_dir() and not path.name.startswith("."))
    both = " and ".join(needed)
    for name in folders:
        if name not in known and all((folder / name / label).is_dir() for label in needed):
            return f"{folder}: holds no photos itself, but its folder {name!r} has {both}: name {folder / name}"
    if unknown := [name for name in folders if name not in known]:
        told = ", ".join(repr(name) + _nearest(name, known) for name in unknown)
        found, what = ("a folder", "it") if len(unknown) == 1 else ("folders", "them")
        expected = f"expected only {', '.join(needed)} and {known[-1]}"
        return f"{folder}: has {found} {told}, {expected}: rename {what} or move {what} away"
    if lacking := [repr(label) for label in needed if label not in folders]:
        return f"{folder}: has no folder {' and no '.join(lacking)}, expected {both}: both are needed"
    return None


def _nearest(name: str, known: Sequence[str]) -> str:
    near = difflib.get_close_matches(name.lower(), known, n=1, cutoff=NEAR)
    return f" (perhaps {near[0]})" if near else ""
