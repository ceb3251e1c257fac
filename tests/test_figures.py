"""What README, models/README and docs/faces.md say was measured on real pictures is what the commands give on them."""

import json
from pathlib import Path
from typing import Any

import pytest
from places import TREE
from real_data import real_data

from trainer.__main__ import main
from trainer.finder.page import comparison

pytestmark = pytest.mark.usefixtures("one_cache")
README, CARD, FACES = (
    (TREE / name).read_text(encoding="utf-8") for name in ("README.md", "models/README.md", "docs/faces.md")
)
SLICES = {  # as models/README.md calls them
    "pale mask": ["mask_pale"],
    "dark mask": ["mask_dark"],
    "FFP2, white and black": ["mask_ffp2", "mask_ffp2_dark"],
    "patterned cloth": ["mask_pattern"],
    "scarf or gaiter": ["mask_gaiter"],
    "transparent mask": ["mask_transparent"],
    "low light": ["low_light"],
    "backlight": ["backlight"],
    "light from one side": ["side_light"],
    "face of 18 to 24 pixels": ["18_to_24_pixels"],
    "mask under the nose": ["nose_out"],
    "mask under the chin": ["under_chin"],
    "mask on one ear": ["on_ear"],
    "hand before the mouth, flat hand": ["hand_before_mouth", "flat_hand_before_mouth"],
    "sheet of paper before the mouth": ["paper_before_mouth"],
    "cup, phone, microphone": ["cup_before_mouth", "phone_before_mouth", "microphone_before_mouth"],
    "beard": ["beard"],
    "drawn people, light and dark skin": ["people_light_skin", "people_dark_skin"],
    "glasses, on real and on drawn people": ["glasses", "people_glasses"],
    "head tilted by 12 to 22 degrees": ["tilt_12_to_22_degrees"],
}


@pytest.fixture(scope="module")
def crops(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What `door` and `simple` make of crops."""
    (data,) = real_data("CROPS")
    to = tmp_path_factory.mktemp("crops")
    door = evaluated(to / "door.json", "door", data, "--cropped", "--slices")
    return {"door": door, "simple": evaluated(to / "simple.json", "simple", data, "--cropped")}


@pytest.fixture(scope="module")
def scenes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What they make of the faces that are found in scenes."""
    (data,) = real_data("SCENES")
    to = tmp_path_factory.mktemp("scenes")
    return {model: evaluated(to / f"{model}.json", model, data) for model in ("door", "simple")}


@pytest.fixture(scope="module")
def finders(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """What face finders find in scenes."""
    data, yunet = real_data("SCENES", "YUNET")
    to = tmp_path_factory.mktemp("finders")
    assert main(["compare-faces", "--scenes", str(data), "--yunet", str(yunet), "--runs", str(to)]) == 0
    (found,) = json.loads((to / "compare-faces.json").read_text()).values()
    return list(found)


def evaluated(path: Path, model: str, data: Path, *how: str) -> Any:
    """Return what `trainer evaluate` measures, through a file."""
    assert main(["evaluate", "--data", str(data), "--model", model, "--json", str(path), *how]) == 0
    return json.loads(path.read_text())


def percent(share: float) -> str:
    return f"{share * 100:.1f}".replace("100.0", "100") + " %"


def between(share: float, interval: tuple[float, float]) -> str:
    return f"{percent(share)} ({' to '.join(percent(end).removesuffix(' %') for end in interval)})"


def rows(page: str, begin: str) -> list[list[str]]:
    """Return the rows of a page's table, cell by cell, plain where they are bold; the first is its head.

    begin: the text with which the table begins.
    """
    table = page[page.index(begin) :].partition("\n\n")[0].replace("**", "")
    head, _, *others = [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines()]
    return [head, *others]


def test_the_readme_says_how_much_is_judged_right(crops: dict[str, Any], scenes: dict[str, Any]) -> None:
    right = [
        [between(found["balanced_accuracy"], found["balanced_accuracy_interval"]) for found in measured.values()]
        for measured in (crops, scenes)
    ]
    assert [row[:3] for row in rows(README, "| pictures | `door`")] == [
        ["pictures", "`door`", "`simple`"], ["916 face crops", *right[0]], ["faces found in 150 scenes", *right[1]],
    ]  # fmt: skip
    assert [found["n"] for found in crops.values()] == [916, 916]


def test_both_pages_say_how_many_faces_were_found_to_judge(scenes: dict[str, Any]) -> None:
    door, simple = (found["n"] for found in scenes.values())
    known = door + scenes["door"]["no_face"]
    readme, card = (page.replace("\n", " ") for page in (README, CARD))
    assert f"{door} of {known} by our own finder for `door`, {simple} by the cascade for `simple`" in readme
    assert f"{door} of {known} faces for `door`, the Haar cascade {simple} for `simple`" in card


def test_the_models_page_says_how_each_class_is_judged(crops: dict[str, Any], scenes: dict[str, Any]) -> None:
    expected = [
        [f"`{name}`", between(found["balanced_accuracy"], found["balanced_accuracy_interval"]),
         *map(percent, found["recall"].values())]
        for measured in (crops, scenes) for name, found in measured.items()
    ]  # fmt: skip
    assert [row[1:] for row in rows(CARD, "| set | model |")[1:]] == expected


def test_the_models_page_says_how_each_slice_is_judged(crops: dict[str, Any]) -> None:
    right = {name: percent(found["right"]) for name, found in crops["door"]["slices"].items()}
    told = {row[i]: row[i + 1] for row in rows(CARD, "| slice | right |")[1:] for i in (0, 2)}
    assert told == {label: ", ".join(right.pop(name) for name in names) for label, names in SLICES.items()}
    assert right == {}


def test_the_readme_says_which_faces_are_found(finders: list[dict[str, Any]]) -> None:
    head, *told = rows(README, "| face finder |")
    own, haar, *_, yunet = (finder["chosen"] for finder in finders)
    groups = {name: own["recall"][name]["n"] for name in ("masked", "bare")}
    assert head[1:3] == [f"masked faces found, of {groups['masked']}", f"bare ones, of {groups['bare']}"]
    assert [row[1:] for row in told] == [
        [*(between(found["recall"][name]["share"], found["recall"][name]["interval"]) for name in groups),
         f"{found['false_boxes'] / finders[0]['pictures']:.3f}"]
        for found in (own, haar, yunet)
    ]  # fmt: skip


def test_the_finders_page_says_which_faces_are_found(finders: list[dict[str, Any]]) -> None:
    told = {column[0]: column for column in zip(*rows(FACES, "| finder | scenes-dev"), strict=True)}
    for column in zip(*rows(comparison({"scenes-dev": finders}), "|"), strict=True):
        assert told[column[0]] == column
