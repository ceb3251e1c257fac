"""Moves pictures of a folder into one folder a label, and keeps the table that makes them face crops to train on."""

import csv
import io
import os
import sys
from collections import Counter
from collections.abc import Collection
from pathlib import Path

from device.disk import write_whole
from device.pictures import OF_PHONES, SUFFIXES
from trainer.photos import CROPS_TABLE, DROPPED, KNOWN, WAITING, PhotosError, read_rows, read_text
from trainer.sources import require_utf8

ANSWERS = (*KNOWN, DROPPED)  # the last: no face, two faces, too blurred to tell
COLUMNS = ("file", "label", "source", "kind", "note")
Row = dict[str, str]


class LabelFolder:
    """Pictures that wait in a folder, and below it those that have their label: the folders are all that is kept."""

    def __init__(self, folder: Path) -> None:
        """Bring the table up to date.

        Say on stderr how many rows were corrected, which pictures aren't shown, and if new ones get a source that isn't
        the folder's name. Raises PhotosError for a folder that isn't there, a table of somebody else, or a name that
        isn't UTF-8.
        """
        self.folder, self._table = folder, folder / CROPS_TABLE
        self._done: list[tuple[str, str]] = []  # label and name of what was labelled since the start, in order
        if not folder.is_dir():
            raise PhotosError(f"{folder}: no such folder, expected one with face crops: check PICTURES")
        require_utf8([folder.resolve()])  # the source of its pictures
        if self._table.exists() and not read_text(self._table).startswith(",".join(COLUMNS) + "\n"):
            raise PhotosError(
                f"{self._table}: has other columns than {','.join(COLUMNS)}, which would be lost: move it elsewhere"
            )
        before, name = self._rows(), folder.resolve().name
        sources = Counter(row["source"] for row in before)
        # Where the folder was renamed, it is one door still.
        self.source = name if name in sources or not sources else sources.most_common(1)[0][0]  # of new pictures
        if self.source != name:
            print(f"{self._table}: new pictures get the source {self.source}, as those before: if they are of another "
                  f"door, label them in a new folder, or write {name} as the source of their rows", file=sys.stderr)
        if others := sum(path.suffix.lower() in OF_PHONES and path.name[0] != "." for path in folder.iterdir()):
            print(f"left out: {folder}: has {others} HEIC or AVIF pictures, which aren't shown: convert them to JPEG",
                  file=sys.stderr)
        if self.waiting() or self._table.exists():
            self._write_table()
            self._tell_changes(before)

    def waiting(self) -> list[str]:
        """List the names of the pictures without a label."""
        return _pictures(self.folder)

    def counts(self) -> dict[str, int]:
        """Return how many pictures have each label."""
        return {label: len(_pictures(self.folder / label)) for label in ANSWERS}

    def label(self, name: str, label: str) -> None:
        """Move a waiting picture to its label. Raises PhotosError if it waits no more, or its name is taken there."""
        if name not in self.waiting() or label not in ANSWERS:
            raise PhotosError(f"{name}: isn't waiting here for {label}: reload the page")
        self._move(self.folder / name, self.folder / label / name)
        self._done.append((label, name))

    def undo(self) -> str | None:
        """Let the picture labelled last wait again; return its name, or None where none was since the start.

        One that was moved or deleted by hand meanwhile is passed over.
        """
        while self._done:
            label, name = self._done[-1]
            labelled = self.folder / label / name
            there = labelled.exists()
            if there:
                self._move(labelled, self.folder / name)
            self._done.pop()
            if there:
                return name
        return None

    def _move(self, source: Path, target: Path) -> None:
        target.parent.mkdir(exist_ok=True)
        if target.exists():
            raise PhotosError(f"{target}: is there already: rename one of the two")
        source.rename(target)
        try:
            self._write_table()
        except BaseException:  # of a full disk: the next undo would be of another picture
            target.rename(source)
            raise

    def _rows(self) -> list[Row]:
        return read_rows(self._table, COLUMNS) if self._table.exists() else []

    def _tell_changes(self, before: list[Row]) -> None:
        now = self._rows()
        names, same = {Path(row["file"]).name for row in now}, {tuple(row.values()) for row in now}
        has_row = [Path(row["file"]).name in names for row in before if tuple(row.values()) not in same]
        if has_row:
            print(f"{self._table}: is corrected, since the folders are the labels: rows with another label or place: "
                  f"{sum(has_row)}, rows removed, as their pictures have no label now: {len(has_row) - sum(has_row)}",
                  file=sys.stderr)

    def _write_table(self) -> None:
        """Write what lies where. What the owner wrote into rows stays, except labels; so do rows of pictures elsewhere.

        A picture that was moved keeps its row, which its name tells, if no other picture or row has that name.
        """
        lying = {f"{label}/{name}": label for label in KNOWN for name in _pictures(self.folder / label)}
        apart = {f"{DROPPED}/{name}": DROPPED for name in _pictures(self.folder / DROPPED)}
        apart |= dict.fromkeys(self.waiting(), WAITING)
        rows = {Path(row["file"]).as_posix(): row for row in self._rows()}
        # No error either for a name that no file can have.
        elsewhere = {file for file in rows if file not in lying and os.path.isfile(self.folder / file)}  # noqa: PTH113
        gone = _alone([file for file in rows if file not in lying and file not in elsewhere])
        bare = _alone([file for file in (*lying, *apart) if file not in rows])
        moved = {bare[name]: rows[gone[name]] for name in bare.keys() & gone.keys()}
        new = {"source": self.source, "kind": "real", "note": ""}
        content = io.StringIO()
        table = csv.DictWriter(content, COLUMNS, lineterminator="\n")
        table.writeheader()
        for file, label in lying.items():
            table.writerow({**(rows.get(file) or moved.get(file, new)), "file": file, "label": label})
        for file, label in apart.items():
            if file in moved and not new.items() <= moved[file].items():  # its owner wrote something there
                table.writerow({**moved[file], "file": file, "label": label})
        table.writerows(row for file, row in rows.items() if file in elsewhere)
        write_whole(self._table, content.getvalue().encode())


def _alone(files: Collection[str]) -> dict[str, str]:
    """Return by their names those of the files that share theirs with no other."""
    counts = Counter(Path(file).name for file in files)
    return {Path(file).name: file for file in files if counts[Path(file).name] == 1}


def _pictures(folder: Path) -> list[str]:
    if not folder.is_dir():
        return []
    names = sorted(
        path.name for path in folder.iterdir()
        if path.suffix.lower() in SUFFIXES and not path.name.startswith(".") and path.is_file()
    )  # fmt: skip
    require_utf8(folder / name for name in names)
    return names
