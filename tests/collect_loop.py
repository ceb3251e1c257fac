"""The whole way from a door to another model; by hand, because it trains twice.

    PYTHONPATH=tests .venv/bin/python -m collect_loop --data CROPS --crops OTHERS --to NEW-FOLDER

A model is trained on a share of CROPS. People of OTHERS, whom it never saw, come to a door that keeps the faces it
isn't sure of; what it kept is fetched, opened, labelled as their folder says, and learned from beside the former. Still
others of OTHERS measure both models, and the gate says whether the new one may take the first one's place.
"""

import argparse
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
from local_ssh import local_ssh
from places import TREE
from whole_dataset import alone

from device.pictures import read_color
from trainer.collect_key import PRIVATE, make_pair
from trainer.dataset import load_dataset
from trainer.labels import COLUMNS, LabelFolder
from trainer.photos import CROPS_TABLE, LABELS, find_photos
from trainer.practice import draw_background

SIZE = (640, 480)  # px of the camera
FACE = 170  # px, side of a crop before the camera
FRAMES = 9  # of each visit, ten a second
# Two small models, so that both are trained in minutes: what counts is how they differ.
SIDE = 24  # px of their crops
NETWORK = ("--model", "simple", "--finder", "own", "--size", str(SIDE))
CONFIG = """\
[model]
name = "{model}"
threshold = {threshold}
release = {release}
[decision]
return_seconds = 0.0
[signals]
collect_pin = 24
[screen]
enabled = false
[collect]
public_key = "{key}"
most = 900
"""


def main() -> int:
    """Run it; return what the gate ends with."""
    options = _options()
    to: Path = options.to
    to.mkdir(parents=True)
    door, others = divide(options.crops, options.people, options.seed)
    folder_of_crops(others, to / "held-out")
    folder_of_crops(small_share(options.data, options.most, options.seed), to / "base")
    print(f"{count(door)} faces come to the door, {count(others)} of other people measure", flush=True)
    train(to, "before", options)
    for label, faces in door.items():
        visit(to, label, faces, options)
        fetch(to, label)
    labels = learn_from(to)
    print("kept and labelled: " + ", ".join(f"{number} {label}" for label, number in labels.items()), flush=True)
    train(to, "after", options, "--extra", str(to / "faces"))
    new, present = (str(to / name / "simple.tflite") for name in ("after", "before"))
    return call("trainer", "accept", "--model", new, "--present", present, "--data", str(to / "held-out"), check=False)


def divide(crops: Path, people: int, seed: int) -> tuple[dict[str, list[Path]], dict[str, list[Path]]]:
    """Divide faces, by label, into those of so many people a class who come to the door, and those of all others."""
    material = alone(load_dataset(crops, SIDE, cropped=True))
    door: dict[str, list[Path]] = {label: [] for label in LABELS}
    others: dict[str, list[Path]] = {label: [] for label in LABELS}
    for group in np.random.default_rng(seed).permutation(int(material.groups.max()) + 1):
        alike = np.flatnonzero(material.groups == group)  # of one person, or copies: they stay together
        wanted = any(len(door[LABELS[label]]) < people for label in material.dataset.labels[alike])
        for i in alike:
            (door if wanted else others)[LABELS[material.dataset.labels[i]]].append(crops / material.dataset.names[i])
    return door, others


def small_share(data: Path, most: int, seed: int) -> dict[str, list[Path]]:
    """Choose so many plain crops a class."""
    photos = [photo for photo in find_photos(data) if not (photo.slice or photo.drawn)]
    of = {label: [photo.path for photo in photos if LABELS[photo.label] == label] for label in LABELS}
    rng = np.random.default_rng(seed)
    return {label: [paths[i] for i in sorted(rng.permutation(len(paths))[:most])] for label, paths in of.items()}


def folder_of_crops(faces: dict[str, list[Path]], folder: Path) -> Path:
    """Copy faces, by label, into a new folder that says that they are crops."""
    rows = [",".join(COLUMNS)]
    for label, paths in faces.items():
        (folder / label).mkdir(parents=True)
        for number, path in enumerate(paths):
            file = f"{label}/{number}{path.suffix}"
            shutil.copyfile(path, folder / file)
            rows.append(f"{file},{label},{folder.name},real,")
    (folder / CROPS_TABLE).write_text("\n".join(rows) + "\n")
    return folder


def train(to: Path, name: str, options: argparse.Namespace, *more: str) -> None:
    """Train and convert a model: `name`/simple.tflite."""
    runs = ("--runs", str(to / f"runs-{name}"))
    call("trainer", "train", "--data", str(to / "base"), *more, "--apart", str(to / "held-out"), *NETWORK, "--epochs",
         str(options.epochs), "--seed", str(options.seed), *runs)  # fmt: skip
    call("trainer", "convert", *runs, "--models", str(to / name))


def visit(to: Path, label: str, faces: list[Path], options: argparse.Namespace) -> None:
    """Let people come to a door that keeps what it isn't sure of."""
    pictures = to / f"seen-{label}"
    pictures.mkdir()
    for number, picture in enumerate(seen(faces, options.seed)):
        cv2.imwrite(str(pictures / f"{number:06}.jpg"), picture, [cv2.IMWRITE_JPEG_QUALITY, 95])
    keys = to / "keys"
    if not keys.exists():
        make_pair(keys)
    config = to / f"{label}.toml"
    config.write_text(CONFIG.format(model=to / "before" / "simple.tflite", key=keys / "collect-public.pem",
                                    threshold=options.threshold, release=options.release))  # fmt: skip
    with (to / f"{label}.log").open("w") as log:
        subprocess.run(
            [sys.executable, "-m", "device", "run", "--pins", "mock", "--camera", str(pictures),
             "--config", str(config)],
            cwd=TREE, env=os.environ | {"STATE_DIRECTORY": str(to / f"state-{label}")}, check=True, stdout=log,
            stderr=subprocess.STDOUT,
        )  # fmt: skip
    lines = (to / f"{label}.log").read_text().splitlines()
    visits = sum(line.endswith(": enter") for line in lines)
    print(f"{label}: {len(faces)} came, {visits} visits; {lines[-1]}", flush=True)
    shutil.rmtree(pictures)


def seen(faces: list[Path], seed: int) -> Iterator[npt.NDArray[np.uint8]]:
    """Yield what the camera sees, uint8 BGR: one after the other sways before a wall, left and right in turn."""
    rng = np.random.default_rng(seed)
    wall = (draw_background(rng, *SIZE) * 255).astype(np.uint8)
    for place, path in enumerate(faces):
        face = cv2.resize(read_color(path), (FACE, FACE), interpolation=cv2.INTER_AREA)
        for frame in range(FRAMES):
            x, y = (60 if place % 2 else 400) + 10 * (frame % 4), 140 + 4 * (frame % 3)
            picture = wall.copy()
            picture[y : y + FACE, x : x + FACE] = cv2.add(face, rng.integers(0, 6, face.shape, np.uint8))
            yield picture


def fetch(to: Path, label: str) -> None:
    """Fetch what a door kept, as make collect does."""
    if not (to / f"state-{label}" / "collected").is_dir():
        return
    environment = os.environ | local_ssh(to / f"bin-{label}", to / f"state-{label}")
    command = [sys.executable, "-m", "deploy", "collect", "pi@kiosk", "--to", str(to / f"fetched-{label}"),
               "--key", str(to / "keys" / PRIVATE)]  # fmt: skip
    subprocess.run(command, cwd=TREE, env=environment, check=True)


def learn_from(to: Path) -> dict[str, int]:
    """Give each fetched face the label of its folder, as the page does; return how many have which."""
    faces = to / "faces"
    faces.mkdir()
    for label in LABELS:
        for path in sorted((to / f"fetched-{label}").glob("*.png")):
            path.rename(faces / path.name)
            LabelFolder(faces).label(path.name, label)
    return LabelFolder(faces).counts()


def count(faces: dict[str, list[Path]]) -> int:
    """Return how many faces these are."""
    return sum(map(len, faces.values()))


def call(*words: str, check: bool = True) -> int:
    """Run a command of the product; return its exit code."""
    return subprocess.run([sys.executable, "-m", *words], cwd=TREE, check=check).returncode


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="face crops that both models learn from")
    parser.add_argument("--crops", type=Path, required=True, help="face crops of others, one folder a class")
    parser.add_argument("--to", type=Path, required=True, help="a new folder for everything that is made")
    parser.add_argument("--most", type=int, default=150, help="of those crops, a class (default: %(default)s)")
    parser.add_argument("--people", type=int, default=50, help="who come to the door, a class (default: %(default)s)")
    parser.add_argument("--epochs", type=int, default=12, help="of each training (default: %(default)s)")
    # Wider than the card's: a network that wasn't calibrated is seldom unsure.
    parser.add_argument("--threshold", type=float, default=0.95, help="at the door (default: %(default)s)")
    parser.add_argument("--release", type=float, default=0.05, help="at the door (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    for name in ("data", "crops", "to"):
        setattr(options, name, getattr(options, name).absolute())
    return options


if __name__ == "__main__":
    sys.exit(main())
