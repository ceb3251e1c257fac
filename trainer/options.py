"""What the trainer's commands share: where things are, and what the values of their options may be."""

import argparse
import os
import tempfile
import typing
from pathlib import Path

from device.arguments import path
from device.settings import FaceSettings

TREE = Path(__file__).parent.parent
MODELS, RUNS, DOCS = TREE / "models", TREE / "runs", TREE / "docs"
FINDERS: tuple[str, ...] = typing.get_args(typing.get_type_hints(FaceSettings)["finder"])  # their names in [faces]
NAMED = "a model's name in models/, or a .tflite file"
LABELLED = "folders of labelled photos, face crops or scenes"
CROPPED = "the photos are face crops already: take them whole"
YUNET = "YuNet's .onnx file, for a model that was trained with that face finder"
SEED = "another number gives another result (default: %(default)s)"
THREADS = "processor threads of one operation; another number changes the weights a little (default: %(default)s)"
SMALLEST, LARGEST = 24, 512  # px: below, the convolutions leave nothing; above, a face crop has no more to show
SIZE = f"side of the face crops in pixels, an even number from {SMALLEST} to {LARGEST} (default: the network's own)"


def size(text: str) -> int:
    """Return the side of a crop, 24-512 px; it is even, because `door` takes squares of 2 x 2 px."""
    side = int(text)
    if not SMALLEST <= side <= LARGEST or side % 2:
        raise argparse.ArgumentTypeError(f"{side} is not an even number of {SMALLEST} to {LARGEST} pixels")
    return side


def folder(text: str) -> Path:
    """Return the whole path of a folder or file; `~` is the home."""
    return path(text).resolve()


def yunet(text: str) -> str:
    """Return the whole path of YuNet's .onnx, as settings hold it."""
    return str(folder(text))


def target(text: str) -> Path:
    """Return a folder that can be written to, or made."""
    wanted = path(text)
    there = next(place for place in (wanted, *wanted.absolute().parents) if os.path.exists(place))  # noqa: PTH110
    try:
        tempfile.TemporaryFile(dir=there).close()
    except OSError as error:
        raise argparse.ArgumentTypeError(
            f"{there} can't be written to ({error.strerror}), expected a folder for {wanted}: name another"
        ) from error
    return wanted


def target_file(text: str) -> Path:
    """Return a file that can be written, in a folder that is there or can be made."""
    wanted = path(text)
    if os.path.exists(wanted) and not os.path.isfile(wanted):  # noqa: PTH110, PTH113 - no error for what is no name
        raise argparse.ArgumentTypeError(f"{wanted} is a folder or a device, expected a file: name one")
    real = Path(os.path.realpath(wanted))  # a link to the file stays one
    target(str(real.parent))
    return real


def cost(text: str) -> float:
    """Return what a miss costs, 0.1-20 false alarms."""
    price = float(text)
    if not 0.1 <= price <= 20:
        raise argparse.ArgumentTypeError(f"{price} is not between 0.1 and 20 false alarms")
    return price


def seed(text: str) -> int:
    """Return a seed, 0 to 2**32 - 1."""
    number = int(text)
    if not 0 <= number < 2**32:
        raise argparse.ArgumentTypeError(f"{number} is not between 0 and {2**32 - 1}")
    return number


def several(text: str) -> int:
    """Return a whole number from 2 on."""
    number = int(text)
    if number < 2:
        raise argparse.ArgumentTypeError(f"{number} is less than 2")
    return number


def positive(text: str) -> int:
    """Return a whole number from 1 on."""
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{number} is less than 1")
    return number
