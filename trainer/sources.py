"""Names the photos to train on: the user's, the original project's, or drawn ones where neither is at hand."""

import sys
from pathlib import Path

from trainer.cache import cache_folder
from trainer.practice import draw_practice_set
from trainer.prajna import FetchError, fetch_photos

PRACTICE = "practice-1"  # the cache's folder; the number changes with the drawing


def photos_folder(data: str | None) -> tuple[Path, bool]:
    """Return the folder of photos and whether they are only drawn, for practice.

    Without a folder of the user's, the original's photos are fetched; if their host can't be reached, one line says so
    and faces are drawn.
    """
    if data:
        return Path(data).expanduser().resolve(), False
    try:
        return fetch_photos(cache_folder() / "prajna"), False
    except FetchError as error:
        print(f"{error}: drawn faces are used, for PRACTICE only; give DATA=folder for a real model", file=sys.stderr)
    folder = cache_folder() / PRACTICE
    if not folder.is_dir():
        draw_practice_set(folder)
    return folder, True
