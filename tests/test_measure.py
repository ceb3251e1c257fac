"""Faces are matched and counted as the figures say, on cases small enough to count by hand and on real scenes."""

import json
import math
import os
import tracemalloc
from pathlib import Path

import cv2
import numpy as np
import pytest
from real_data import real_data

from device.cameras.view import luma_of
from device.faces import Box, Face, iou
from device.haar import HaarFaceFinder
from device.pictures import read_color, read_luma
from device.settings import FaceSettings
from device.yunet import YuNetFaceFinder
from trainer.__main__ import main
from trainer.compare import Row, write_comparison
from trainer.finder.contenders import YuNet
from trainer.finder.matching import Share, Sighting, Tally, tally
from trainer.finder.measure import Contender, Figures, Picture, Point, measure
from trainer.finder.scenes import Scene, read_scenes
from trainer.photos import PhotosError
from trainer.practice import draw_face

Four = tuple[float, float, float, float]
HEIGHT = 100  # px
NONE = -math.inf
SCORES = [float(np.float32(grey / 255)) for grey in (255, 200, 128)]  # of the faces of drawn_scenes


def sighting(
    faces: list[Four], found: list[tuple[Four, float]], ignored: list[Four] | None = None, label: str = "with_mask"
) -> Sighting:
    scene = Scene(Path("a-1.png"), "a-1.png", np.array(faces, np.float32).reshape(-1, 4), (label,) * len(faces),
                  np.array(ignored or [], np.float32).reshape(-1, 4), "a")
    boxes = np.array([box for box, _ in found], np.float32).reshape(-1, 4)
    return Sighting(scene, HEIGHT, boxes, np.array([score for _, score in found], np.float32))


def counted(sightings: list[Sighting], overlap: float = 0.3) -> tuple[list[float], list[float]]:
    """The score at which each face was found, and those of the false boxes."""
    counts = tally(sightings, overlap)
    return counts.found_at.tolist(), counts.false_scores.tolist()


LEFT, RIGHT = (0, 0, 40, 40), (100, 0, 40, 40)
NEXT = (40, 0, 40, 40)
HALF = (0, 0, 40, 20)  # half of LEFT: its intersection over union with it is 0.5
BETWEEN = (20, 0, 40, 40)  # of two faces side by side, half of each: 1/3 with either
SMALL, TENTH = (0, 0, 9, 9), (0, 0, 10, 10)


@pytest.mark.parametrize(
    ("faces", "found", "ignored", "expected"),
    [
        pytest.param([LEFT, RIGHT], [(RIGHT, 0.5), (LEFT, 0.75)], [], ([0.75, 0.5], []), id="each its own"),
        pytest.param([LEFT], [(HALF, 0.5), (LEFT, 0.75)], [], ([0.75], [0.5]), id="the surer one, the other is false"),
        pytest.param([LEFT], [(LEFT, 0.5), (HALF, 0.5)], [], ([0.5], [0.5]), id="of equal scores one is false"),
        pytest.param([LEFT], [(RIGHT, 0.5), (RIGHT, 0.25)], [], ([NONE], [0.5, 0.25]), id="beside"),
        pytest.param([LEFT, NEXT], [(BETWEEN, 0.5)], [], ([0.5, NONE], []), id="of equal overlaps the first"),
        pytest.param([LEFT, NEXT], [(BETWEEN, 0.5), (LEFT, 0.75)], [], ([0.75, 0.5], []), id="the free face"),
        pytest.param([LEFT, (2, 0, 40, 40)], [((2, 0, 40, 40), 0.5)], [], ([NONE, 0.5], []), id="the nearer face"),
        pytest.param([SMALL], [(SMALL, 0.5), (SMALL, 0.25)], [], ([], []), id="small: neither hit, miss nor false"),
        pytest.param([TENTH], [], [], ([NONE], []), id="a tenth of the height counts"),
        pytest.param([], [(SMALL, 0.5), (RIGHT, 0.25)], [SMALL], ([], [0.25]), id="ignored: not false"),
        pytest.param([LEFT], [(LEFT, 0.5)], [LEFT], ([0.5], []), id="a face before an ignored one"),
        pytest.param([], [], [], ([], []), id="nothing"),
    ],
)
def test_boxes_are_matched_to_faces(
    faces: list[Four], found: list[tuple[Four, float]], ignored: list[Four], expected: tuple[list[float], list[float]]
) -> None:
    assert counted([sighting(faces, found, ignored)]) == expected


def test_the_overlap_asked_for_is_enough_and_less_is_not() -> None:
    assert counted([sighting([LEFT], [(HALF, 0.75)])], 0.5) == ([0.75], [])
    assert counted([sighting([LEFT], [(HALF, 0.75)])], 0.51) == ([NONE], [0.75])


def four_pictures() -> Tally:
    """Three masked faces, found at 0.875, 0.5 and 0.25, a bare one that isn't; false boxes at 0.75, 0.375, 0.375."""
    return tally(
        [
            sighting([LEFT, RIGHT], [(LEFT, 0.875), (RIGHT, 0.5), ((60, 60, 20, 20), 0.75)]),
            sighting([LEFT], [(LEFT, 0.25), (RIGHT, 0.375), ((60, 60, 20, 20), 0.375)]),
            sighting([LEFT], [], label="without_mask"),
            sighting([], []),
        ],
        0.3,
    )


def test_every_threshold_has_its_recall_false_boxes_and_precision() -> None:
    counts = four_pictures()
    masked, bare = counts.labels == "with_mask", counts.labels == "without_mask"

    assert [counts.recall(t, masked) for t in (1.0, 0.875, 0.5, 0.25, NONE)] == [
        Share(0, 3), Share(1, 3), Share(2, 3), Share(3, 3), Share(3, 3),
    ]  # fmt: skip
    assert [counts.recall(t, bare) for t in (0.25, NONE)] == [Share(0, 1), Share(0, 1)]
    assert [counts.false_boxes(t) for t in (0.8, 0.75, 0.375, NONE)] == [0, 1, 3, 3]
    assert [counts.pictures_with_false(t) for t in (0.75, 0.375, NONE)] == [Share(1, 4), Share(2, 4), Share(2, 4)]
    assert counts.curve() == [(0.875, 1.0, 0.25), (0.5, 2 / 3, 0.5), (0.25, 0.5, 0.75)]
    assert Share(2, 3).estimate == (0.6667, (0.2077, 0.9385))  # statsmodels' proportion_confint says the same
    assert Share(0, 0).estimate is None


def test_the_quiet_threshold_is_the_lowest_that_keeps_false_boxes_few() -> None:
    counts = four_pictures()

    assert [counts.quiet_threshold(most) for most in (0.0, 0.24, 0.25, 0.5, 0.75)] == [0.875, 0.875, 0.5, 0.5, 0.25]
    assert tally([sighting([LEFT], [(LEFT, 0.5), (RIGHT, 0.5)])], 0.3).quiet_threshold(0.0) == math.inf
    sixty = tally([sighting([LEFT], [(LEFT, 0.25), (RIGHT, 0.5)]) for _ in range(3)] + [sighting([], [])] * 57, 0.3)
    assert sixty.quiet_threshold(0.05) == 0.25  # three in sixty are a twentieth


def bright(luma: Picture) -> list[Face]:
    """Find the rectangles that are brighter than 50 grey levels; the score is the brightness, 0-1."""
    _, _, places, _ = cv2.connectedComponentsWithStats((luma > 50).astype(np.uint8))
    boxes = [Box(*place[:4]) for place in places[1:].tolist()]
    return [Face(box, float(luma[box.y, box.x]) / 255) for box in boxes]


def blue(picture: Picture) -> list[Face]:
    return bright(picture[:, :, 0])


def drawn_scenes(folder: Path) -> Path:
    """Two pictures with a masked face each, one half as bright, and a bare one, and one with none but a bright spot."""
    folder.mkdir()
    rows = {
        "a-1.png": [((10, 10, 40, 40), "with_mask", 255), ((100, 10, 30, 12), "without_mask", 200)],
        "a-2.png": [((10, 10, 40, 70), "with_mask", 128)],
        "b-1.png": [((50, 50, 20, 20), "", 160)],
    }
    table = "file,x,y,w,h,label\n"
    for name, faces in rows.items():
        picture = np.zeros((HEIGHT, 160), np.uint8)
        for (x, y, w, h), label, grey in faces:
            picture[y : y + h, x : x + w] = grey
            table += f"{name},{x},{y},{w},{h},{label}\n" if label else ""
        cv2.imwrite(str(folder / name), picture)
    (folder / "boxes.csv").write_text(table)
    (folder / "images.csv").write_text("file\nb-1.png\n")
    return folder


@pytest.mark.parametrize("side", [24, 28, 32])
def test_yunet_searches_a_small_picture_as_the_device_does(side: int) -> None:
    (path,) = real_data("YUNET")
    drawn, (left, top, width, height) = draw_face(np.random.default_rng(1), masked=False)
    face = drawn[top - height // 4 : top + height * 5 // 4, left - width // 4 : left + width * 5 // 4]
    color = np.asarray(cv2.resize(face, (side, side), interpolation=cv2.INTER_AREA), np.uint8)
    luma = luma_of(color)

    (known,) = YuNetFaceFinder(path, FaceSettings.yunet_sha256, 0.4).find(luma)
    for picture in (luma, np.dstack([luma] * 3)):
        found = YuNet(path).find(picture)[0]
        assert iou(found.box, known.box) > 0.9
        assert found.score == known.score > 0.4


def test_contenders_are_measured_on_the_same_pictures(tmp_path: Path) -> None:
    scenes, _ = read_scenes(drawn_scenes(tmp_path / "scenes"))

    loose, sure = measure([Contender("loose", bright, NONE), Contender("sure", bright, 0.75)], scenes)

    none = Share(0, 0)
    assert loose == Figures(
        name="loose",
        curve_of="loose",
        pictures=3,
        chosen=Point(NONE, {"masked": Share(2, 2), "bare": Share(1, 1), "other": none}, 1),
        strict=Point(NONE, {"masked": Share(2, 2), "bare": Share(1, 1), "other": none}, 1),
        quiet=Point(SCORES[1], {"masked": Share(1, 2), "bare": Share(1, 1), "other": none}, 0),
        pictures_with_false=Share(1, 3),
        by_height=(Share(1, 1), none, none, Share(1, 1), Share(1, 1)),
        curve=[(1.0, 1.0, 1 / 3), (SCORES[1], 1.0, 2 / 3), (SCORES[2], 3 / 4, 1.0)],
    )
    assert (sure.curve_of, sure.curve, sure.quiet) == ("loose", loose.curve, loose.quiet)
    assert sure.chosen == Point(0.75, {"masked": Share(1, 2), "bare": Share(1, 1), "other": none}, 0)
    assert sure.by_height == (Share(1, 1), none, none, Share(1, 1), Share(0, 1))


def test_a_contender_is_shown_what_it_asks_for(tmp_path: Path) -> None:
    folder = drawn_scenes(tmp_path / "scenes")
    picture = read_color(folder / "a-1.png")
    picture[:, :, 1:] = 0  # blue, which is dark in luma
    cv2.imwrite(str(folder / "a-1.png"), picture)
    scenes, _ = read_scenes(folder)

    luma, color = measure([Contender("luma", bright, 0.5), Contender("color", blue, 0.5, read_color)], scenes)

    assert luma.chosen.recall == {"masked": Share(1, 2), "bare": Share(0, 1), "other": Share(0, 0)}
    assert color.chosen.recall == {"masked": Share(2, 2), "bare": Share(1, 1), "other": Share(0, 0)}


def test_a_damaged_picture_is_named_and_not_counted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = drawn_scenes(tmp_path / "scenes")
    scenes, _ = read_scenes(folder)
    content = (folder / "b-1.png").read_bytes()
    (folder / "b-1.png").write_bytes(content[:-20])

    (figures,) = measure([Contender("bright", bright, NONE)], scenes)

    assert (figures.pictures, figures.chosen.false_boxes) == (2, 0)
    assert capsys.readouterr().err == (
        f"left out: {folder}/b-1.png: is cut short, expected a whole picture: copy it again or remove it\n"
    )


def test_a_folder_that_is_gone_while_it_is_measured_gives_no_figures(tmp_path: Path) -> None:
    folder = drawn_scenes(tmp_path / "scenes")
    scenes, _ = read_scenes(folder)

    def unplugging(luma: Picture) -> list[Face]:
        if folder.exists():
            folder.rename(tmp_path / "gone")
        return bright(luma)

    with pytest.raises(PhotosError, match=r"scenes/a-2.png: can't be read .* was there a moment ago: run the same"):
        measure([Contender("unplugging", unplugging, NONE)], scenes)


def test_a_picture_that_may_not_be_read_is_left_out(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder, me = drawn_scenes(tmp_path / "scenes"), os.geteuid()
    scenes, _ = read_scenes(folder)
    (folder / "a-2.png").chmod(0)

    def read(path: Path) -> Picture:
        os.seteuid(me if path.name != "a-2.png" else me or 65534)  # no file is closed to root
        try:
            return read_luma(path)
        finally:
            os.seteuid(me)

    (figures,) = measure([Contender("bright", bright, NONE, read)], scenes)

    assert figures.pictures == len(scenes) - 1
    assert capsys.readouterr().err == (
        f"left out: {folder}/a-2.png: can't be read (Permission denied): check the path and its permissions\n"
    )


def test_a_huge_picture_is_listed_for_nothing_and_measured_for_its_size(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "a-1.png"), np.zeros((6000, 8000), np.uint8))
    (tmp_path / "boxes.csv").write_text("file,x,y,w,h,label\na-1.png,7000,5000,2000,800,with_mask\n")
    tracemalloc.start()

    (scene,), refused = read_scenes(tmp_path)

    listed = tracemalloc.get_traced_memory()[1]
    (figures,) = measure([Contender("haar", HaarFaceFinder().find, NONE)], [scene])
    measured = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert (scene.boxes.tolist(), refused) == ([[7000, 5000, 1000, 800]], [])
    assert figures.chosen.recall["masked"] == Share(0, 1)
    assert listed < 5e6
    assert measured < 1.5 * 6000 * 8000


def compare_faces(folder: Path, *options: str | Path) -> int:
    runs = folder.parent / "runs"
    return main(["compare-faces", "--scenes", str(folder), "--runs", str(runs), *map(str, options)])


def test_one_command_writes_a_table_a_plot_and_figures(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = drawn_scenes(tmp_path / "scenes")
    with (folder / "boxes.csv").open("a") as table:
        table.write("gone.png,0,0,9,9,face\n")
    (tmp_path / "plain" / "hard").mkdir(parents=True)
    for name in ("yard-1.png", "hard/yard-2.png", "wall-1.png"):
        cv2.imwrite(str(tmp_path / "plain" / name), np.zeros((40, 40), np.uint8))

    assert compare_faces(folder, "--backgrounds", tmp_path / "plain", "--only", "[ab]-*", "yard-*") == 0

    said, runs = capsys.readouterr(), tmp_path / "runs"
    assert said.err.startswith(f"left out: {folder}/gone.png: is missing, but annotated")
    assert said.out == f"{(runs / 'compare-faces.md').read_text()}\n{runs / 'compare-faces.md'}\n"
    *head, own, haar = said.out.splitlines()[:6]
    found = ("0.000 (0.000 to 0.658) | 0.000 (0.000 to 0.793) | 0.000 (0) | 0.000 (0.000 to 0.561) | "
             "0.000 (0.000 to 0.658) | 0.000 (0.000 to 0.793) |")
    assert own.startswith(f"| own | {found}")
    assert haar == f"| haar | {found} 0.000 (0.000 to 0.658) | 0.000 (0.000 to 0.793) | none |"
    assert head == [
        "scenes (pictures: 3, masked: 2, bare: 1)",
        "",
        "| finder | masked | bare | false boxes a picture (all) | pictures with any | masked, IoU 0.5 | bare, IoU 0.5 "
        "| masked, at most 0.05 false | bare, at most 0.05 false | from score |",
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    figures = json.loads((runs / "compare-faces.json").read_text())
    assert {name: sets[0]["pictures"] for name, sets in figures.items()} == {
        "scenes": 3, "backgrounds": 1, "backgrounds/hard": 1,
    }  # fmt: skip
    assert figures["scenes"][0]["chosen"]["recall"]["masked"] == {
        "hits": 0, "n": 2, "share": 0.0, "interval": [0.0, 0.6576],
    }  # fmt: skip
    assert figures["scenes"][1]["quiet"]["threshold"] is None
    assert min(read_color(runs / "compare-faces.png").shape[:2]) > 400


def test_a_folder_whose_name_looks_like_a_formula_is_drawn_as_it_is_named(tmp_path: Path) -> None:
    assert compare_faces(drawn_scenes(tmp_path / "$a_$")) == 0
    named = write_comparison([Row("$b_$", 1.0, 1.0, 1.0, {"$a_$": 0.9})], tmp_path)
    assert "| $b_$ | 90.0% |" in named.read_text()
    assert named.with_suffix(".png").exists()


def test_scenes_in_a_folder_named_backgrounds_are_measured_beside_the_backgrounds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = drawn_scenes(tmp_path / "backgrounds")
    (tmp_path / "plain").mkdir()
    cv2.imwrite(str(tmp_path / "plain" / "yard-1.png"), np.zeros((40, 40), np.uint8))
    monkeypatch.chdir(tmp_path)

    assert main(["compare-faces", "--scenes", "backgrounds", "--backgrounds", "plain", "--runs", "runs"]) == 0

    figures = json.loads((tmp_path / "runs" / "compare-faces.json").read_text())
    assert {name: sets[0]["pictures"] for name, sets in figures.items()} == {str(folder): 3, "backgrounds": 1}


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (("--yunet", "gone.onnx"), "gone.onnx: no such file, expected YuNet's .onnx"),
        (("--yunet", "{scenes}/boxes.csv"), "{scenes}/boxes.csv: is no network that OpenCV reads"),
        (("--only", "c-*"), "{scenes}: has no picture named c-*"),
        (("--only", "b-*"), "scenes: has no face of a tenth of its picture's height"),
        (("--backgrounds", "{scenes}/gone"), "{scenes}/gone: no such folder"),
    ],
)
def test_what_cannot_be_compared_is_one_line_and_exit_code_2(
    options: tuple[str, ...], expected: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = drawn_scenes(tmp_path / "scenes")

    assert compare_faces(folder, *(option.format(scenes=folder) for option in options)) == 2

    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.splitlines()[-1].startswith(f"error: {expected.format(scenes=folder)}")
    assert not (tmp_path / "runs").exists()


def test_a_table_without_a_column_is_one_line_and_exit_code_2(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = drawn_scenes(tmp_path / "scenes")
    (folder / "boxes.csv").write_text("file,x,y,width,h,label\na-1.png,10,10,40,40,with_mask\n")

    assert compare_faces(folder) == 2

    assert capsys.readouterr().err == (
        f"error: {folder}/boxes.csv: has no column 'w', expected file, x, y, w, h, label: add it\n"
    )


def test_haar_misses_most_masked_faces_of_real_scenes() -> None:
    (folder,) = real_data("SCENES")
    scenes, _ = read_scenes(folder)

    (figures,) = measure([Contender("haar", HaarFaceFinder().find, NONE)], scenes)

    recall = {name: share.hits / share.n for name, share in figures.chosen.recall.items() if share.n}
    assert 0.3 <= recall["masked"] <= 0.55
    assert 0.65 <= recall["bare"] <= 0.9
    assert figures.chosen.false_boxes / figures.pictures <= 0.25
    assert figures.quiet.false_boxes / figures.pictures <= 0.05
    assert sum(share.n for share in figures.by_height) == sum(share.n for share in figures.chosen.recall.values())
