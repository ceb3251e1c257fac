"""Turns picture files into verdicts on the faces in them: a JSON object or a line for people each, and drawings."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2

from device.cameras.recordings import VIDEO_SUFFIXES
from device.classifier import Classifier, Verdict
from device.crop import whole_picture
from device.errors import PictureError
from device.faces import Box, Face, FaceFinder
from device.model_card import ALARM_LABEL, LABELS
from device.pictures import picture_files, read_color, read_luma

ALARM_COLOR, CLEAR_COLOR, WHITE = (0, 0, 220), (60, 160, 0), (255, 255, 255)  # BGR
LINE_WIDTH = 1 / 200  # of the picture's longer side
LETTERS, LEAST_LETTERS = 1 / 850, 0.3  # OpenCV's size of letters: of the same, and on the smallest pictures


@dataclass(frozen=True)
class Judgement:
    """The verdicts on one picture."""

    file: str  # relative to the folder that was given
    path: Path
    size: tuple[int, int]  # width, height in pixels
    verdicts: tuple[Verdict, ...]


def pictures(paths: Sequence[Path]) -> list[tuple[str, Path]]:
    """List the pictures named and those below the folders named, each with its name relative to what was given.

    Raises PictureError for a path that is neither a regular file nor a folder, and a folder without pictures.
    """
    found: list[tuple[str, Path]] = []
    for path in paths:
        if path.is_dir():
            inside = [(picture.relative_to(path).as_posix(), picture) for picture in picture_files(path)]
            if not inside:
                raise PictureError(f"{path}: holds no pictures, expected some: check the path")
            found += inside
        elif path.is_file():
            found.append((path.name, path))
        else:
            raise PictureError(f"{path}: no regular file or folder is there: check the path")
    return found


def require_apart(paths: Sequence[Path], folder: Path) -> None:
    """Raise PictureError if two pictures would be drawn into the same file of a folder, or one over a picture."""
    first = dict[str, Path]()
    judged = pictures(paths)
    given = {path.resolve() for _, path in judged}
    for file, path in judged:
        if (folder / f"{file}.png").resolve() in given:
            raise PictureError(
                f"{path} would be drawn over {folder / file}.png, which is to be judged: give another --draw"
            )
        if file in first:
            raise PictureError(
                f"{first[file]} and {path} would both be drawn as {folder / file}.png, expected different names: judge "
                "them one after the other, with different --draw"
            )
        first[file] = path


def judge_all(
    paths: Sequence[Path], classifier: Classifier, finder: FaceFinder | None
) -> Iterator[Judgement | PictureError]:
    """Judge picture after picture; one that is unusable gives its error in place of a judgement."""
    for file, path in pictures(paths):
        try:
            yield judge(file, path, classifier, finder)
        except PictureError as error:
            yield error


def judge(file: str, path: Path, classifier: Classifier, finder: FaceFinder | None) -> Judgement:
    """Judge every face in a picture; without a finder, the picture itself as one face. Raises PictureError."""
    if path.suffix.lower() in VIDEO_SUFFIXES:
        raise PictureError(
            f"{path}: is a video, expected a picture: `make run CAMERA=` plays it, `python -m device replay` says what "
            "happens in it"
        )
    luma = read_luma(path)
    height, width = luma.shape
    if finder is None:
        face = Face(Box(0, 0, width, height), 1.0)
        verdicts = [classifier.verdict(face, classifier.scores(whole_picture(luma, classifier.card.input_size)))]
    else:
        verdicts = classifier.judge(luma, finder.find(luma))
    return Judgement(file, path, (width, height), tuple(verdicts))


def as_json(judgement: Judgement, classifier: Classifier) -> str:
    """Return a judgement as one line of JSON; a practice model marks each of its lines."""
    line: dict[str, Any] = {
        "file": judgement.file,
        "size": judgement.size,
        "faces": [
            {
                "box": verdict.box,
                "face_score": round(verdict.face_score, 4),
                "mask_score": round(1 - verdict.alarm_score, 4),
                "label": verdict.label,
            }
            for verdict in judgement.verdicts
        ],
    }
    if classifier.card.practice:
        line["practice"] = True
    return json.dumps(line)


def as_text(judgement: Judgement, classifier: Classifier) -> str:
    """Return a judgement as one line for people."""
    faces = "; ".join(_words(verdict) for verdict in judgement.verdicts) or "no face"
    return classifier.card.marked(f"{judgement.file}: {faces}")


def draw(judgement: Judgement, classifier: Classifier, folder: Path) -> None:
    """Write the picture with its boxes below a folder, as FILE.png."""
    picture = read_color(judgement.path)
    width = max(1, round(max(judgement.size) * LINE_WIDTH))
    for verdict in judgement.verdicts:
        color = ALARM_COLOR if verdict.label == ALARM_LABEL else CLEAR_COLOR
        x, y, w, h = verdict.box
        cv2.rectangle(picture, (x, y), (x + w - 1, y + h - 1), color, width)
        _write(picture, verdict.label, (x, y - width), color, width)
    if classifier.card.practice:
        _write(picture, "PRACTICE", (width, judgement.size[1] - width), ALARM_COLOR, width)
    target = folder / f"{judgement.file}.png"
    _, content = cv2.imencode(".png", picture)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content.tobytes())
    except OSError as error:
        raise PictureError(f"{target}: can't be written ({error.strerror}): choose another --draw") from error


def _words(verdict: Verdict) -> str:
    score = verdict.scores[LABELS.index(verdict.label)]
    x, y, w, h = verdict.box
    return f"{verdict.label} {score:.2f} at {x},{y} {w}x{h}"


def _write(picture: cv2.typing.MatLike, text: str, place: tuple[int, int], color: tuple[int, ...], width: int) -> None:
    """Write white on a color, with the lower left corner at a place, or as near to it as the picture holds the text."""
    font, thickness = cv2.FONT_HERSHEY_SIMPLEX, max(1, width // 2)
    size = max(LEAST_LETTERS, max(picture.shape[:2]) * LETTERS)
    (length, height), below = cv2.getTextSize(text, font, size, thickness)
    x, y = max(0, min(place[0], picture.shape[1] - length)), max(height + below, place[1])
    cv2.rectangle(picture, (x, y - height - below), (x + length - 1, y - 1), color, cv2.FILLED)
    cv2.putText(picture, text, (x, y - below), font, size, WHITE, thickness, cv2.LINE_AA)
