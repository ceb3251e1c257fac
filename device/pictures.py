"""Turns picture files into upright arrays, or says in one line why a file is not a usable picture."""

import os
import re
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from device.errors import PictureError
from device.faces import Luma

SUFFIXES = frozenset({".bmp", ".gif", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp"})
OF_PHONES = frozenset({".avif", ".heic", ".heif"})  # pictures too, which OpenCV may not decode: then that is told
PNG_START, PNG_END = b"\x89PNG\r\n\x1a\n", b"IEND"
JPEG_START, JPEG_END = b"\xff\xd8", b"\xff\xd9"
# Inside compressed data, 0xff is followed by 0x00 or a restart marker (ITU-T T.81, B.1.1).
JPEG_MARKER = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")
SMALLEST_SIDE = 16  # px: nothing can be told about a face from less


def read_luma(path: Path) -> Luma:
    """Read a picture as uint8 luma (height, width), turned upright by its EXIF orientation.

    16-bit pictures are reduced to 8 bits, CMYK and palettes converted, the first frame of an animation taken.
    Raises PictureError for what is missing, empty, damaged, cut short, no picture, or under 16 pixels on a side.
    """
    return decode_luma(path, _read(path))


def decode_luma(path: Path, encoded: bytes) -> Luma:
    """Return a picture of which the bytes were read already, as `read_luma` does; `path` is for its refusals."""
    return _decode(path, encoded, cv2.IMREAD_GRAYSCALE)


def read_color(path: Path) -> npt.NDArray[np.uint8]:
    """Read a picture as uint8 BGR (height, width, 3), as `read_luma` does; only for showing it to people."""
    return _decode(path, _read(path), cv2.IMREAD_COLOR)


def picture_files(folder: Path) -> Iterator[Path]:
    """Yield the picture files below a folder, by suffix, in order of their paths; what is hidden is left out.

    Raises PictureError for a folder in it that can't be read, or is elsewhere.
    """
    found = list[Path]()
    for parent, folders, files in os.walk(folder, onerror=_refuse):
        folders[:] = [name for name in folders if not name.startswith(".")]
        for path in (Path(parent, name) for name in folders):
            if path.is_symlink():
                raise PictureError(f"{path}: is a link to a folder, expected a folder: name that instead")
        found += [Path(parent, name) for name in files if not name.startswith(".")]
    found = [path for path in sorted(found) if path.suffix.lower() in SUFFIXES | OF_PHONES]
    # A link that leads nowhere one may look, as to a disk that isn't there, is a picture that can't be read.
    yield from (path for path in found if os.path.isfile(path) or not os.path.exists(path))  # noqa: PTH110, PTH113


def _refuse(error: OSError) -> None:
    raise PictureError(
        f"{error.filename}: can't be read ({error.strerror}): check the path and its permissions"
    ) from error


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise PictureError(f"{path}: can't be read ({error.strerror}): check the path and its permissions") from error


def _decode(path: Path, encoded: bytes, mode: int) -> npt.NDArray[np.uint8]:
    if not encoded:
        raise PictureError(f"{path}: is empty, expected a picture: copy it again or remove it")
    if _is_cut_short(encoded):
        raise PictureError(f"{path}: is cut short, expected a whole picture: copy it again or remove it")
    try:
        picture = cv2.imdecode(np.frombuffer(encoded, np.uint8), mode)
    except cv2.error:  # more pixels than OpenCV is willing to hold
        picture = None
    if picture is None:
        raise PictureError(
            f"{path}: is damaged or no picture, expected JPEG, PNG, WebP, BMP, GIF or TIFF: convert or remove it"
        )
    height, width = picture.shape[:2]
    if min(height, width) < SMALLEST_SIDE:
        raise PictureError(f"{path}: is {width}x{height}, expected at least {SMALLEST_SIDE} pixels a side: remove it")
    return np.asarray(picture, dtype=np.uint8)


def _is_cut_short(encoded: bytes) -> bool:
    # OpenCV lets libpng complain of this on stderr, or takes memory for all that a PNG's chunk says it has, up to 4 GB;
    # older releases fill the missing part of a JPEG with grey.
    if encoded.startswith(PNG_START):
        return _is_png_cut_short(encoded)
    if not encoded.startswith(JPEG_START):
        return False
    # Segment by segment, because a thumbnail before the picture and a film after it hold markers of their own.
    place = len(JPEG_START)
    while marker := JPEG_MARKER.search(encoded, place):
        if marker.group() == JPEG_END:
            return False
        place = marker.end() + int.from_bytes(encoded[marker.end() : marker.end() + 2], "big")
    return True


def _is_png_cut_short(encoded: bytes) -> bool:
    place = len(PNG_START)
    while kind := encoded[place + 4 : place + 8]:  # each chunk: its length, its kind, its content, its checksum
        place += 12 + int.from_bytes(encoded[place : place + 4], "big")
        if kind == PNG_END:
            return place > len(encoded)
    return True
