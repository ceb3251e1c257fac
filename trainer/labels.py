"""Moves pictures of a folder into one folder a label, and keeps the table that makes them face crops to train on."""

import csv
import io
import os
import sys
from collections import Counter
from pathlib import Path

from device.pictures import OF_PHONES, SUFFIXES
from trainer.cache import write_whole
from trainer.photos import CROPS_TABLE, KNOWN, PhotosError, read_rows, read_text
from trainer.sources import require_utf8

DROPPED = "dropped"  # no face, two faces, too blurred to tell: nothing to learn from
ANSWERS = (*KNOWN, DROPPED)
COLUMNS = ("file", "label", "source", "kind", "note")
Row = dict[str, str]


class LabelFolder:
    """Pictures that wait in a folder, and below it those that have their label: the folders are all that is kept."""

    def __init__(self, folder: Path) -> None:
        """Bring the table up to date; say on stderr of how many rows the folders say otherwise.

        And what isn't shown, and of new pictures a source of another name.

        Raises PhotosError if there is no such folder, a table of somebody else, or a name that isn't UTF-8.
        """
        self.folder, self._table = folder, folder / CROPS_TABLE
        self._done: list[tuple[str, str]] = []  # label and name of what was labelled since the start, in order
        self._moved: dict[str, Row] = {}  # the rows, by name, of pictures that don't lie any more where these say
        if not folder.is_dir():
            raise PhotosError(f"{folder}: no such folder, expected one with face crops: check PICTURES")
        require_utf8([folder.resolve()])  # the source of its pictures
        if self._table.exists() and not read_text(self._table).startswith(",".join(COLUMNS) + "\n"):
            raise PhotosError(
                f"{self._table}: has other columns than {','.join(COLUMNS)}, which would be lost: move it elsewhere"
            )
        name, sources = folder.resolve().name, Counter(row["source"] for row in self._rows())
        # Where the folder was renamed, it is one door still.
        self.source = name if name in sources or not sources else sources.most_common(1)[0][0]  # of new pictures
        if self.source != name:
            print(f"{self._table}: new pictures get the source {self.source}, as those before: if they are of another "
                  f"door, label them in a new folder, or write {name} as the source of their rows", file=sys.stderr)
        if others := sum(path.suffix.lower() in OF_PHONES and path.name[0] != "." for path in folder.iterdir()):
            print(f"left out: {folder}: has {others} HEIC or AVIF pictures, which aren't shown: convert them to JPEG",
                  file=sys.stderr)
        if self.waiting() or self._table.exists():
            before = self._rows()
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
            raise PhotosError(f"{name}: doesn't wait here for {label}: load the page again")
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
        still = [Path(row["file"]).name in names for row in before if tuple(row.values()) not in same]
        if still:
            print(f"{self._table}: is corrected, since the folders are the labels: {sum(still)} rows said another "
                  f"label or place, {len(still) - sum(still)} are removed, whose pictures lie in none", file=sys.stderr)

    def _write_table(self) -> None:
        """Write what lies where. What its owner changed stays, but for labels; so do rows of pictures elsewhere."""
        lying = {f"{label}/{name}": label for label in KNOWN for name in _pictures(self.folder / label)}
        rows = {Path(row["file"]).as_posix(): row for row in self._rows()}
        elsewhere = []
        for file in [file for file in rows if file not in lying]:
            if os.path.isfile(self.folder / file):  # noqa: PTH113 - no error either for a name that no file can have
                elsewhere.append(rows[file])
            else:
                self._moved[Path(file).name] = rows[file]
        new = dict(zip(COLUMNS, ("", "", self.source, "real", ""), strict=True))
        content = io.StringIO()
        table = csv.DictWriter(content, COLUMNS, lineterminator="\n")
        table.writeheader()
        for file, label in lying.items():
            known = rows.get(file) or self._moved.get(Path(file).name, new)
            table.writerow({**known, "file": file, "label": label})
        table.writerows(elsewhere)
        write_whole(self._table, content.getvalue().encode())


def _pictures(folder: Path) -> list[str]:
    if not folder.is_dir():
        return []
    names = sorted(
        path.name for path in folder.iterdir()
        if path.suffix.lower() in SUFFIXES and not path.name.startswith(".") and path.is_file()
    )  # fmt: skip
    require_utf8(folder / name for name in names)
    return names
