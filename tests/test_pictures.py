import io
import itertools
import json
import os
import re
import struct
import subprocess
import tempfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from healthy_pi import as_somebody
from PIL import Image
from places import TREE
from runtimes import PYTHONS

from device.errors import PictureError
from device.pictures import picture_files, read_color, read_luma

READ = """
import json, sys
from pathlib import Path
from typing import Any
from device.errors import PictureError
from device.pictures import read_luma
for path in map(Path, sys.argv[1:]):
    try:
        print(json.dumps(read_luma(path).tolist()))
    except PictureError as error:
        print(json.dumps(str(error)))
"""
NO_PICTURE = "is damaged or no picture, expected JPEG, PNG, WebP, BMP, GIF or TIFF: convert or remove it"
CUT_SHORT = "is cut short, expected a whole picture: copy it again or remove it"
# Four corners of different greys, wider than high: each orientation gives another picture.
CORNERS = np.kron(np.array([[20, 90], [160, 230]], np.uint8), np.ones((16, 24), np.uint8))
UPRIGHT: dict[int, Callable[[np.ndarray], np.ndarray]] = {  # EXIF 2.3, 4.6.4: what makes a stored picture upright
    1: lambda p: p, 2: np.fliplr, 3: lambda p: np.rot90(p, 2), 4: np.flipud,
    5: lambda p: p.T, 6: lambda p: np.rot90(p, -1), 7: lambda p: np.rot90(p, 2).T, 8: np.rot90,
}  # fmt: skip


def encoded(picture: Image.Image, kind: str, **options: object) -> bytes:
    file = io.BytesIO()
    picture.save(file, kind, **options)
    return file.getvalue()


def noise(side: int = 96) -> Image.Image:
    return Image.fromarray(np.random.default_rng(0).integers(0, 256, (side, side), np.uint8))


def png_header(width: int, height: int) -> bytes:
    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(b"\0" * 100)) + chunk(b"IEND", b"")


def jpeg_of_size(width: int, height: int) -> bytes:
    content = bytearray(encoded(noise(), "JPEG"))
    size = content.index(b"\xff\xc0") + 5
    content[size : size + 4] = struct.pack(">HH", height, width)
    return bytes(content)


def with_thumbnail(content: bytes) -> bytes:
    thumbnail = encoded(noise(16), "JPEG")
    return content[:2] + b"\xff\xe1" + struct.pack(">H", len(thumbnail) + 2) + thumbnail + content[2:]


def write(folder: Path, contents: dict[str, bytes]) -> list[Path]:
    paths = [folder / name for name in contents]
    for path, content in zip(paths, contents.values(), strict=True):
        path.write_bytes(content)
    return paths


def read_in(python: str, paths: list[Path]) -> dict[str, Any]:
    """Read pictures in an interpreter that has no Pillow; nothing may be on stderr but what we say ourselves."""
    result = subprocess.run([python, "-c", READ, *paths], cwd=TREE, check=True, capture_output=True, text=True)
    assert result.stderr == ""
    return {path.name: json.loads(line) for path, line in zip(paths, result.stdout.splitlines(), strict=True)}


@pytest.mark.parametrize("python", PYTHONS)
def test_what_is_no_usable_picture_is_refused_in_one_line(tmp_path: Path, python: str) -> None:
    jpeg, png, webp = (encoded(noise(), kind) for kind in ("JPEG", "PNG", "WebP"))
    progressive = encoded(noise(), "JPEG", progressive=True)
    bad = {
        "empty.jpg": (b"", "is empty, expected a picture: copy it again or remove it"),
        "text.jpg": (b"not a picture\n" * 50, NO_PICTURE),
        "one.png": (encoded(noise(1), "PNG"), "is 1x1, expected at least 16 pixels a side: remove it"),
        "narrow.png": (
            encoded(Image.new("L", (15, 400)), "PNG"), "is 15x400, expected at least 16 pixels a side: remove it",
        ),
        "chunk.png": (re.sub(rb"....IDAT", b"\xed\xa0\x80wIDAT", png, count=1, flags=re.DOTALL), CUT_SHORT),  # 4 GB
        "huge.png": (png_header(100_000, 100_000), NO_PICTURE),
        "huge.jpg": (jpeg_of_size(65_000, 65_000), NO_PICTURE),
        "thumbnail.jpg": (with_thumbnail(jpeg)[: -len(jpeg) // 2], CUT_SHORT),
    }  # fmt: skip
    for share, (name, content, line) in itertools.product(
        (0.1, 0.5, 0.9, 0.9999),
        [("a.jpg", jpeg, CUT_SHORT), ("b.jpg", progressive, CUT_SHORT), ("c.png", png, CUT_SHORT),
         ("d.webp", webp, NO_PICTURE)],
    ):  # fmt: skip
        bad[f"{share}{name}"] = content[: int(len(content) * share)], line
    paths = write(tmp_path, {name: content for name, (content, _) in bad.items()})
    (tmp_path / "folder.jpg").mkdir()
    expected = {name: f"{tmp_path / name}: {line}" for name, (_, line) in bad.items()}
    expected |= {
        name: f"{tmp_path / name}: can't be read ({why}): check the path and its permissions"
        for name, why in (("folder.jpg", "Is a directory"), ("absent.jpg", "No such file or directory"))
    }
    assert read_in(python, [*paths, tmp_path / "folder.jpg", tmp_path / "absent.jpg"]) == expected


@pytest.mark.parametrize("python", PYTHONS)
def test_every_kind_of_picture_becomes_the_same_luma(tmp_path: Path, python: str) -> None:
    grey = Image.fromarray(CORNERS)
    transparent = grey.convert("RGBA")
    transparent.putalpha(0)
    second = Image.new("L", grey.size, 255)
    contents = {
        "grey.png": encoded(grey, "PNG"), "grey.bmp": encoded(grey, "BMP"), "grey.tif": encoded(grey, "TIFF"),
        "16.png": encoded(Image.fromarray(CORNERS.astype(np.uint16) * 257), "PNG"),
        "16.tif": encoded(Image.fromarray(CORNERS.astype(np.uint16) * 257), "TIFF"),
        "rgba.png": encoded(transparent, "PNG"), "luma-alpha.png": encoded(grey.convert("LA"), "PNG"),
        "palette.png": encoded(grey.convert("RGB").quantize(4), "PNG"),
        "cmyk.tif": encoded(grey.convert("CMYK"), "TIFF"), "cmyk.jpg": encoded(grey.convert("CMYK"), "JPEG"),
        "grey.jpg": encoded(grey, "JPEG"), "progressive.jpg": encoded(grey, "JPEG", progressive=True),
        # What cameras append to a photo, an end in it that is none of the photo's own.
        "film.jpg": encoded(grey, "JPEG") + b"\xff\xd9 ftyp \xff\xda",
        "thumbnail.jpg": with_thumbnail(encoded(grey, "JPEG")),
        "lossless.webp": encoded(grey, "WebP", lossless=True), "wrong-suffix.png": encoded(grey, "JPEG"),
        "animated.webp": encoded(grey, "WebP", save_all=True, append_images=[second], lossless=True),
        "animated.png": encoded(grey, "PNG", save_all=True, append_images=[second]),
        "pages.tif": encoded(grey, "TIFF", save_all=True, append_images=[second]),
    }  # fmt: skip
    for name, luma in read_in(python, write(tmp_path, contents)).items():
        assert np.shape(luma) == CORNERS.shape, name
        # JPEG, CMYK and palettes round greys.
        assert np.abs(np.asarray(luma) - CORNERS.astype(int)).max() <= 8, name


@pytest.mark.parametrize("python", PYTHONS)
def test_an_animated_gif_gives_its_first_frame_or_is_refused_by_name(tmp_path: Path, python: str) -> None:
    first, second = Image.fromarray(CORNERS), Image.new("L", CORNERS.shape[::-1], 255)
    (path,) = write(tmp_path, {"a.gif": encoded(first, "GIF", save_all=True, append_images=[second])})
    # OpenCV reads GIF from 4.12 on.
    build = subprocess.run(
        [python, "-c", "import cv2; print(cv2.getBuildInformation())"], check=True, capture_output=True, text=True
    ).stdout
    reads_gif = any(line.split() == ["GIF:", "YES"] for line in build.splitlines())
    assert read_in(python, [path]) == {"a.gif": CORNERS.tolist() if reads_gif else f"{path}: {NO_PICTURE}"}


@pytest.mark.parametrize("python", PYTHONS)
def test_pictures_are_turned_upright(tmp_path: Path, python: str) -> None:
    contents, expected = {}, {}
    for orientation, (name, kind) in itertools.product(UPRIGHT, (("jpg", "JPEG"), ("png", "PNG"), ("tif", "TIFF"))):
        exif = Image.Exif()
        exif[0x0112] = orientation
        contents[f"{orientation}.{name}"] = encoded(Image.fromarray(CORNERS), kind, exif=exif)
        expected[f"{orientation}.{name}"] = UPRIGHT[orientation](CORNERS)
    for name, luma in read_in(python, write(tmp_path, contents)).items():
        assert np.shape(luma) == expected[name].shape, name
        assert np.abs(np.asarray(luma) - expected[name].astype(int)).max() <= 8, name


def test_color_is_blue_green_red_and_luma_is_weighed(tmp_path: Path) -> None:
    (path,) = write(tmp_path, {"red.png": encoded(Image.new("RGB", (32, 16), (255, 0, 0)), "PNG")})
    assert read_color(path).tolist() == [[[0, 0, 255]] * 32] * 16
    assert read_luma(path).tolist() == [[76] * 32] * 16  # 0.299 of red, Rec. 601
    with pytest.raises(PictureError, match="is empty"):
        read_color(*write(tmp_path, {"empty.png": b""}))


def test_a_folder_gives_its_pictures_in_order_without_what_is_hidden(tmp_path: Path) -> None:
    names = ["b.JPG", "a/z.png", "a/y.webp", ".hidden.jpg", ".hidden/x.jpg", "a/._z.png", "notes.txt", "no-suffix"]
    for name in names:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "folder.jpg").mkdir()
    found = [path.relative_to(tmp_path).as_posix() for path in picture_files(tmp_path)]
    assert found == ["a/y.webp", "a/z.png", "b.JPG"]




def test_a_link_to_a_picture_that_is_not_there_is_told(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").symlink_to("/nonexistent/a.jpg")
    os.mkfifo(tmp_path / "b.jpg")
    (path,) = picture_files(tmp_path)
    with pytest.raises(PictureError, match=r"a\.jpg: can't be read \(No such file or directory\): check the path"):
        read_luma(path)


def test_a_link_into_a_folder_that_one_may_not_enter_is_told() -> None:
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)  # pytest's own one may only be entered by whoever tests
        shut, pictures = Path(folder, "shut"), Path(folder, "pictures")
        shut.mkdir()
        pictures.mkdir()
        (pictures / "a.jpg").symlink_to(shut / "a.jpg")
        (shut / "a.jpg").touch()
        shut.chmod(0)
        with as_somebody(shut):
            (path,) = picture_files(pictures)
            with pytest.raises(PictureError, match=r"a\.jpg: can't be read \(Permission denied\): check the path"):
                read_luma(path)
        shut.chmod(0o700)


def test_a_folder_that_cannot_be_read_or_is_elsewhere_is_not_left_out_in_silence(tmp_path: Path) -> None:
    (tmp_path / "rooms").mkdir()
    (tmp_path / "rooms" / "other").symlink_to(tmp_path)
    for folder, line in (
        (tmp_path / "absent", "absent: can't be read (No such file or directory): check the path and its permissions"),
        (tmp_path, "rooms/other: is a link to a folder, expected a folder: name that instead"),
    ):
        with pytest.raises(PictureError) as refused:
            list(picture_files(folder))
        assert str(refused.value) == f"{tmp_path}/{line}"
