import hashlib
import json
import os
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from drawn_face import drawn_face
from kiosk_toml import config_for
from real_data import real_data
from runtimes import TFLITE_RUNTIME, needs_tflite_runtime, run_device, told
from test_classifier import with_card
from toy_model import toy_model

from device.classifier import MODELS, Classifier, Verdict
from device.crop import whole_picture
from device.faces import Box, Luma
from device.haar import HaarFaceFinder
from device.judge import ALARM_COLOR, CLEAR_COLOR, Judgement, draw
from device.pictures import picture_files, read_color, read_luma

LABELS = ("with_mask", "without_mask")


def write(path: Path, picture: Luma) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), picture)
    return path


def grey(level: int, width: int = 40, height: int = 30) -> Luma:
    return np.full((height, width), level, np.uint8)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Face crops in two levels of folders."""
    write(tmp_path / "in/bright.png", grey(250))
    write(tmp_path / "in/sub/deep/dark.png", grey(20, 100, 120))
    write(tmp_path / "in/sub/Käthe's.png", grey(90))
    return tmp_path / "in"


def cropped_line(model: Path, file: str, path: Path) -> str:
    classifier, luma = Classifier(str(model)), read_luma(path)
    scores = classifier.scores(whole_picture(luma, classifier.card.input_size))
    height, width = luma.shape
    label = LABELS[float(scores[1]) >= classifier.card.threshold]
    face = {"box": [0, 0, width, height], "face_score": 1.0, "mask_score": round(float(scores[0]), 4), "label": label}
    return json.dumps({"file": file, "size": [width, height], "faces": [face]})


def test_each_crop_gives_one_line_with_its_path_below_the_folder(toy: Path, folder: Path) -> None:
    alone = folder / "sub/deep/dark.png"
    result = run_device(sys.executable, "judge", folder, alone, "--cropped", "--json", "--model", toy)
    names = ["bright.png", "sub/Käthe's.png", "sub/deep/dark.png"]
    expected = [cropped_line(toy, name, folder / name) for name in names] + [cropped_line(toy, "dark.png", alone)]
    assert (result.returncode, told(result)) == (0, [])
    assert result.stdout.splitlines() == expected
    assert [json.loads(line)["faces"][0]["label"] for line in expected] == [LABELS[1], *[LABELS[0]] * 3]


def test_an_unusable_picture_is_one_line_and_the_rest_goes_on(toy: Path, folder: Path) -> None:
    broken = folder / "broken.png"
    broken.write_bytes((folder / "bright.png").read_bytes()[:60])
    phone = folder / "phone.HEIC"
    phone.write_bytes(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic")
    result = run_device(sys.executable, "judge", folder, "--cropped", "--json", "--model", toy)
    assert result.returncode == 1
    assert [json.loads(line)["file"] for line in result.stdout.splitlines()] == [
        "bright.png", "sub/Käthe's.png", "sub/deep/dark.png",
    ]  # fmt: skip
    assert told(result) == [
        f"{broken}: is cut short, expected a whole picture: copy it again or remove it",
        f"{phone}: is damaged or no picture, expected JPEG, PNG, WebP, BMP, GIF or TIFF: convert or remove it",
    ]


def test_nothing_to_judge_is_refused(toy: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    os.mkfifo(tmp_path / "pipe.jpg")  # nobody ever writes into it
    for name, line in (
        ("absent", "no regular file or folder is there: check the path"),
        ("pipe.jpg", "no regular file or folder is there: check the path"),
        ("empty", "holds no pictures, expected some: check the path"),
    ):
        result = run_device(sys.executable, "judge", tmp_path / name, "--cropped", "--model", toy)
        assert (result.returncode, result.stdout, told(result)) == (2, "", [f"error: {tmp_path / name}: {line}"])


def test_a_video_is_told_what_it_is_for(toy: Path, tmp_path: Path) -> None:
    picture, video = write(tmp_path / "a.png", grey(0)), tmp_path / "visit.MP4"
    video.write_bytes(b"\0\0\0\x18ftypmp42")
    result = run_device(sys.executable, "judge", video, picture, "--cropped", "--model", toy)
    assert (result.returncode, result.stdout.partition(":")[0]) == (1, "a.png")  # which is judged all the same
    assert told(result) == [
        f"{video}: is a video, expected a picture: `make run CAMERA=` plays it, `python -m device replay` says what "
        "happens in it"
    ]


def test_people_read_a_line_a_picture(toy: Path, toy_config: Path, tmp_path: Path) -> None:
    write(tmp_path / "a.png", grey(255))
    write(tmp_path / "b.png", grey(0))
    result = run_device(sys.executable, "judge", tmp_path, "--cropped", "--model", toy)
    assert result.stdout.splitlines() == [
        "a.png: without_mask 1.00 at 0,0 40x30", "b.png: with_mask 1.00 at 0,0 40x30",
    ]  # fmt: skip
    whole = run_device(sys.executable, "judge", tmp_path, "--model", toy, "--config", toy_config)
    assert whole.stdout == "a.png: no face\nb.png: no face\n"


def test_the_owners_levels_count(toy: Path, tmp_path: Path) -> None:
    write(tmp_path / "a.png", grey(51))
    write(tmp_path / "b.png", grey(204))
    for model, labels in (
        ("", ["with_mask", "without_mask"]), ("threshold = 0.1", ["without_mask"] * 2),
        ("threshold = 0.9", ["with_mask"] * 2),
    ):  # fmt: skip
        config = tmp_path / "levels.toml"
        config.write_text(f"[model]\n{model}\n")
        result = run_device(
            sys.executable, "judge", tmp_path, "--cropped", "--json", "--model", toy, "--config", config
        )
        assert [json.loads(line)["faces"][0]["label"] for line in result.stdout.splitlines()] == labels
    config.write_text("[model]\nthreshold = 0.3\nrelease = 0.4\n")
    result = run_device(sys.executable, "judge", tmp_path, "--cropped", "--model", toy, "--config", config)
    assert (result.returncode, result.stdout) == (2, "")
    assert told(result) == [
        "error: [model] release is 0.4, expected at most the threshold, 0.3: lower it, or set both"
    ]


def test_a_file_name_need_not_be_text(toy: Path, tmp_path: Path) -> None:
    path = os.fsencode(write(tmp_path / "a.png", grey(0)))
    Path(os.fsdecode(path)).rename(tmp_path / os.fsdecode(b"\xff.png"))
    result = run_device(sys.executable, "judge", tmp_path, "--cropped", "--json", "--model", toy)
    assert (result.returncode, told(result)) == (0, [])
    assert os.fsencode(json.loads(result.stdout)["file"]) == b"\xff.png"


def test_drawings_show_the_boxes_and_leave_the_pictures_alone(toy: Path, folder: Path, tmp_path: Path) -> None:
    before = {path: path.read_bytes() for path in picture_files(folder)}
    out = tmp_path / "out"
    result = run_device(sys.executable, "judge", folder, "--cropped", "--model", toy, "--draw", out)
    assert (result.returncode, told(result)) == (0, [])
    assert sorted(path.relative_to(out).as_posix() for path in picture_files(out)) == [
        "bright.png.png", "sub/Käthe's.png.png", "sub/deep/dark.png.png",
    ]  # fmt: skip
    for name, color, level in (("bright.png", ALARM_COLOR, 250), ("sub/deep/dark.png", CLEAR_COLOR, 20)):
        drawn = read_color(out / f"{name}.png")
        for side in (drawn[-1], drawn[10:, 0], drawn[10:, -1]):  # the label is written over the top
            assert np.unique(side, axis=0).tolist() == [list(color)]
        assert np.unique(drawn[10:-1, 1:-1]).tolist() == [level]
    assert {path: path.read_bytes() for path in picture_files(folder)} == before


def test_drawings_that_can_not_be_written_end_it_in_one_line(toy: Path, tmp_path: Path) -> None:
    path = write(tmp_path / "a.png", grey(0))
    result = run_device(sys.executable, "judge", path, "--cropped", "--model", toy, "--draw", path)
    assert result.returncode == 2
    assert told(result) == [f"error: {path}/a.png.png: can't be written (File exists): choose another --draw"]


def test_pictures_of_one_name_are_not_drawn_over_each_other(toy: Path, tmp_path: Path) -> None:
    paths = [write(tmp_path / folder / "x.png", grey(0)) for folder in ("a", "b")]
    out = tmp_path / "out"
    result = run_device(
        sys.executable, "judge", tmp_path / "a", paths[1], "--cropped", "--model", toy, "--draw", out
    )
    assert (result.returncode, result.stdout, out.exists()) == (2, "", False)
    assert told(result) == [
        f"error: {paths[0]} and {paths[1]} would both be drawn as {out}/x.png.png, expected different names: judge "
        "them one after the other, with different --draw"
    ]


def test_no_picture_is_drawn_over_one_that_is_to_be_judged(toy: Path, tmp_path: Path) -> None:
    path, other = (write(tmp_path / name, grey(0)) for name in ("x.png", "x.png.png"))
    before = other.read_bytes()
    result = run_device(sys.executable, "judge", tmp_path, "--cropped", "--model", toy, "--draw", tmp_path)
    assert (result.returncode, result.stdout, other.read_bytes()) == (2, "", before)
    assert told(result) == [
        f"error: {path} would be drawn over {other}, which is to be judged: give another --draw"
    ]


def test_a_found_face_is_judged_and_drawn_where_it_is(toy: Path, toy_config: Path, tmp_path: Path) -> None:
    path, out = write(tmp_path / "face.png", drawn_face()), tmp_path / "out"
    wanted = "--json", "--model", toy, "--config", toy_config, "--draw", out
    result = run_device(sys.executable, "judge", path, *wanted)
    found = HaarFaceFinder().find(drawn_face())
    classifier = Classifier(str(toy))
    (verdict,) = classifier.judge(drawn_face(), found)
    assert json.loads(result.stdout) == {
        "file": "face.png", "size": [640, 480],
        "faces": [{
            "box": list(found[0].box), "face_score": round(found[0].score, 4),
            "mask_score": round(verdict.scores[0], 4), "label": verdict.label,
        }],
    }  # fmt: skip
    x, y, width, height = found[0].box
    drawn = read_color(tmp_path / "out/face.png.png")
    color = list(ALARM_COLOR if verdict.label == LABELS[1] else CLEAR_COLOR)
    corners = drawn[[y, y, y + height - 1, y + height - 1], [x, x + width - 1, x, x + width - 1]]
    assert corners.tolist() == [color] * 4


def test_labels_are_drawn_in_full_beside_each_other_and_at_every_edge(toy: Path, tmp_path: Path) -> None:
    path, classifier = write(tmp_path / "a.png", grey(0, 320, 240)), Classifier(str(toy))

    def written(*faces: tuple[int, int, str]) -> int:
        """Draw faces at places with their labels; return how many pixels are white."""
        verdicts = [Verdict(Box(x, y, 44, 50), 1.0, (0.5, 0.5), 0.5, label) for x, y, label in faces]
        draw(Judgement("a.png", path, (320, 240), tuple(verdicts)), classifier, tmp_path / "out")
        return int((read_color(tmp_path / "out/a.png.png").min(axis=2) > 128).sum())

    masked, bare = LABELS
    whole = written((100, 100, bare))
    assert [written((x, y, bare)) for x, y in ((0, 100), (276, 100), (100, 0), (276, 190))] == [whole] * 4
    assert written((100, 100, bare), (186, 105, masked)) == whole + written((100, 100, masked)) > whole > 0


def test_a_practice_model_marks_every_line_and_drawing(tmp_path: Path) -> None:
    model = toy_model(tmp_path, practice=True)
    for name, level in (("a", 0), ("b", 255)):
        write(tmp_path / f"in/{name}.png", grey(level, 300, 300))
    shown = run_device(sys.executable, "judge", tmp_path / "in", "--cropped", "--model", model).stdout.splitlines()
    assert shown == [
        "PRACTICE  a.png: with_mask 1.00 at 0,0 300x300", "PRACTICE  b.png: without_mask 1.00 at 0,0 300x300",
    ]  # fmt: skip
    out = tmp_path / "out"
    wanted = "--json", "--model", model, "--config", config_for(model, tmp_path), "--draw", out
    result = run_device(sys.executable, "judge", tmp_path / "in", *wanted)
    assert [json.loads(line) for line in result.stdout.splitlines()] == [
        {"file": name, "size": [300, 300], "faces": [], "practice": True} for name in ("a.png", "b.png")
    ]
    corner = read_color(out / "a.png.png")[270:, :150]  # of the black picture
    assert np.all(corner == ALARM_COLOR, axis=2).sum() > 100


@needs_tflite_runtime
def test_both_runtimes_give_the_same_verdicts(toy: Path, toy_config: Path, tmp_path: Path) -> None:
    noise = np.random.default_rng(0)
    for number in range(12):
        write(tmp_path / f"in/{number:02}.png", noise.integers(0, 20 * number + 36, (50, 40), np.uint8))
    write(tmp_path / "in/face.png", drawn_face())
    for cropped in (["--config", toy_config], ["--cropped"]):
        lines = []
        for python in (sys.executable, str(TFLITE_RUNTIME)):
            result = run_device(python, "judge", tmp_path / "in", *cropped, "--json", "--model", toy)
            assert (result.returncode, told(result)) == (0, [])
            lines.append([json.loads(line) for line in result.stdout.splitlines()])
        scores = [[face.pop("mask_score") for line in run for face in line["faces"]] for run in lines]
        assert lines[0] == lines[1]
        assert scores[0] == pytest.approx(scores[1], abs=0.02)
        assert len(scores[0]) == (13 if cropped == ["--cropped"] else 1)


def test_every_real_picture_gives_a_well_formed_line(tmp_path: Path) -> None:
    (scenes,) = real_data("SCENES")
    model = MODELS / "simple.tflite"
    config = config_for(model, tmp_path)
    result = run_device(sys.executable, "judge", scenes, "--json", "--model", model, "--config", config)
    assert (result.returncode, told(result)) == (0, [])
    lines = [json.loads(line) for line in result.stdout.splitlines()]
    assert [line["file"] for line in lines] == [path.relative_to(scenes).as_posix() for path in picture_files(scenes)]
    for line in lines:
        assert list(line) == ["file", "size", "faces"]
        width, height = line["size"]
        assert read_luma(scenes / line["file"]).shape == (height, width)
        for face in line["faces"]:
            assert list(face) == ["box", "face_score", "mask_score", "label"]
            assert all(type(value) is int for value in face["box"])
            x, y, w, h = face["box"]
            assert 0 <= x < x + w <= width
            assert 0 <= y < y + h <= height
            assert h >= height / 12 - 2  # rounded, in the reduced picture as well
            assert type(face["face_score"]) is float
            assert 0 <= face["mask_score"] <= 1
            assert face["label"] in LABELS
    assert sum(len(line["faces"]) for line in lines) >= len(lines) / 4


def test_a_model_of_another_finders_crops_judges_crops_only(toy: Path, tmp_path: Path) -> None:
    picture, config = write(tmp_path / "a.png", grey(0)), tmp_path / "kiosk.toml"
    yunet = hashlib.sha256(b"another finder").hexdigest()
    model = with_card(toy, tmp_path, face_finder_sha256=yunet)
    config.write_text(f'[model]\nname = "{model}"\n[faces]\nfinder = "haar"\n')
    result = run_device(sys.executable, "judge", picture, "--config", config)
    assert (result.returncode, result.stdout, told(result)) == (2, "", [
        f"error: model toy was trained on faces found by 'haar' ({yunet[:12]}…), here 'haar' "
        f"({HaarFaceFinder().sha256[:12]}…) finds them: run `make train convert` with this version",
    ])
    config.write_text(f'[model]\nname = "{model}"\n')
    (line,) = told(run_device(sys.executable, "judge", picture, "--config", config))
    assert line.endswith('finds them: set [faces] finder = "haar" in a kiosk.toml and name it (--config, CONFIG=)')
    assert run_device(sys.executable, "judge", picture, "--config", config, "--cropped").returncode == 0
