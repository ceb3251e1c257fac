import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from gpiozero import Device
from kiosk_toml import config_for
from places import TREE
from real_data import real_data
from test_classifier import with_card
from test_kiosk import EMPTY, LINES, MASKED, VISIT, SquareFinder

from device.__main__ import main
from device.cameras.camera import open_camera
from device.classifier import MODELS, Classifier
from device.compare_visits import Tally
from device.events import Kind, State
from device.replay import as_json, as_text, replay
from device.settings import Settings, read_settings
from device.visits import TrueVisit, Visit, VisitsError, read_visits

HEAD = "video,enter,leave,answer"
WITH, WITHOUT = "with_mask", "without_mask"


def record(folder: Path, greys: list[int]) -> Path:
    """Write pictures with a square of each grey level, 10 a second."""
    folder.mkdir()
    for place, grey in enumerate(greys):
        picture = np.zeros((120, 160), np.uint8)
        picture[20:100, 40:120] = grey
        cv2.imwrite(str(folder / f"{place:03}.png"), picture)
    return folder


def test_a_replay_tells_what_the_loop_told(toy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Device, "pin_factory", None)
    classifier, folder = Classifier(str(toy)), record(tmp_path / "visit", VISIT)
    played = replay(folder, SquareFinder(), classifier, Settings())

    lines = list(as_text(played, classifier))
    assert lines == [
        "visit: 7.90 s", *(f"  {line}" for line in LINES),
        "  visit 1, 1.00 s to 4.90 s: without_mask at 1.50 s > with_mask at 3.80 s",
    ]
    told = json.loads(as_json(played, classifier))
    assert (told["video"], [alert["state"] for alert in told["alerts"]]) == (
        "visit", [State.CHECKING, State.ALARM, State.CLEAR, State.IDLE],
    )
    assert [event["kind"] for event in told["events"]] == list(Kind)
    assert told["visits"] == [
        {"number": 1, "enter": 1.0, "leave": 4.9, "answers": [WITHOUT, WITH], "told": [1.5, 3.8]}
    ]
    assert Device.pin_factory is None  # no pin is touched
    tally = Tally()
    tally.count(played.visits, [TrueVisit(1.0, 4.9, (WITHOUT, WITH), 1.0)])
    assert list(tally.lines()) == [
        "1 of 1 visits right, 0 never sure, 0 not seen",
        "verdict 0.50 s (median) and 0.50 s (95th percentile) after the face was well visible",
        "0 false alarms in 0 visits with a mask",
        "1 of 1 visits told once",
        "0 visits told where nobody was, 0 of them alarms; 0 posters",
    ]


def test_a_practice_model_marks_every_line_of_a_replay(toy: Path, tmp_path: Path) -> None:
    folder = record(tmp_path / "visit", VISIT)
    classifier = Classifier(with_card(toy, tmp_path, practice=True))
    played = replay(folder, SquareFinder(), classifier, Settings())
    lines = list(as_text(played, classifier))
    assert len(lines) == len(LINES) + 2
    assert {line.strip().startswith("PRACTICE  ") for line in lines} == {True}


def test_a_recording_of_nobody_says_so(toy: Path, tmp_path: Path) -> None:
    folder, classifier = record(tmp_path / "empty", [EMPTY] * 5), Classifier(str(toy))
    assert list(as_text(replay(folder, SquareFinder(), classifier, Settings()), classifier)) == [
        "empty: 0.40 s", "  nobody was found",
    ]  # fmt: skip


def test_who_has_not_left_at_the_end_is_a_visit_too(toy: Path, tmp_path: Path) -> None:
    folder = record(tmp_path / "open", [EMPTY] * 5 + [MASKED] * 10)
    classifier = Classifier(str(toy))
    played = replay(folder, SquareFinder(), classifier, Settings())
    assert played.visits == [Visit(1, 0.5, 1.4, (WITH,), (0.9,))]
    assert list(as_text(played, classifier))[-1] == "  visit 1, 0.50 s to the end: with_mask at 0.90 s"
    late = Tally()
    late.count(played.visits, [TrueVisit(60.0, 70.0, (WITH,), 60.0)])  # the recording has lost its second half
    assert (late.visits, late.right, late.missed, late.ghosts) == (1, 0, 1, 1)


def test_the_command_plays_folders_and_compares(
    toy: Path, toy_config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    nobody = record(tmp_path / "nobody", [EMPTY] * 5)
    table = tmp_path / "visits.csv"
    table.write_text(f"{HEAD},note\nnobody,,,,an empty door\n")
    command = ["replay", str(nobody), str(nobody), "--config", str(toy_config), "--model", str(toy)]
    command += ["--visits", str(table), "--json"]
    assert main(command) == 0
    *plays, compared = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert plays == [{"video": "nobody", "seconds": 0.4, "visits": [], "events": [], "alerts": []}] * 2
    assert (compared["compared"]["visits"], compared["compared"]["seconds_95th"]) == (0, None)

    (tmp_path / "more").mkdir()
    other = record(tmp_path / "more" / "nobody", [EMPTY] * 5)
    assert main(["replay", str(other), *command[1:]]) == 2
    line = f"error: {other} and {nobody}: have the same name, so --visits can't tell them apart: rename one\n"
    assert capsys.readouterr() == ("", line)

    table.write_text(f"{HEAD}\nother.mp4,,,\n")
    assert main(command) == 2
    line = "error: nobody: is in no line of --visits, expected one at least: add it, see --help\n"
    assert capsys.readouterr() == ("", line)  # before anything is played


def test_a_folder_may_be_named_as_a_camera(
    toy: Path, toy_config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("pi", "usb:0"):
        record(tmp_path / name, [EMPTY] * 5)
    assert main(["replay", "./pi", "usb:0", "--config", str(toy_config), "--model", str(toy)]) == 0
    assert capsys.readouterr() == ("pi: 0.40 s\n  nobody was found\nusb:0: 0.40 s\n  nobody was found\n", "")


@pytest.mark.parametrize("named", [".", "..", "noon/.."])
def test_the_folder_one_is_in_and_the_one_above_have_their_names(
    toy: Path, toy_config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch,
    named: str,
) -> None:  # fmt: skip
    folder = record(tmp_path / "monday", [EMPTY] * 5)
    (folder / "noon").mkdir()
    monkeypatch.chdir(folder / "noon" if named == ".." else folder)
    table = tmp_path / "visits.csv"
    table.write_text(f"{HEAD}\nmonday,,,\n")
    assert main(["replay", named, "--config", str(toy_config), "--model", str(toy), "--visits", str(table)]) == 0
    assert capsys.readouterr().out.startswith("monday: 0.40 s\n")


def test_a_tilde_is_the_home(
    toy: Path, toy_config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.chdir(tmp_path)
    picture = record(home / "nobody", [EMPTY] * 5) / "000.png"
    shutil.copy(toy, home)
    shutil.copy(toy.with_suffix(".json"), home)
    (home / "kiosk.toml").write_text(f'{toy_config.read_text()}[camera]\nsource = "~/nobody"\n')
    (home / "visits.csv").write_text(f"{HEAD}\nnobody,,,\n")
    asked = ["--config", "~/kiosk.toml", "--model", f"~/{toy.name}"]

    assert main(["replay", "~/nobody", "--visits", "~/visits.csv", *asked]) == 0
    assert main(["judge", "~/nobody/000.png", "--draw", "~/drawn", *asked]) == 0
    with open_camera(read_settings(home / "kiosk.toml").camera) as camera:
        assert len(list(camera.frames())) == 5

    assert (home / "drawn" / f"{picture.name}.png").exists()
    assert capsys.readouterr().err == ""
    assert [path.name for path in tmp_path.iterdir()] == ["home"]
    assert main(["judge", "~nobody-of-that-name/a.png", *asked]) == 2
    assert capsys.readouterr().err == (
        "error: ~nobody-of-that-name/a.png: no regular file or folder is there: check the path\n"
    )


@pytest.mark.parametrize(
    ("last", "line"),
    [
        ("{folder}/a.avi", "{folder}/a.avi: no such recording, expected a video file or a folder of pictures"),
        ("{folder}", "{folder}: holds no pictures, expected a folder with JPEG, PNG or WebP files"),
        ("usb:0", "usb:0: no such recording, expected a video file or a folder of pictures"),
        ("/dev/null", "/dev/null: no such recording, expected a video file or a folder of pictures"),
    ],
)  # fmt: skip
def test_what_is_no_recording_is_refused_before_any_is_played(
    toy: Path, toy_config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], last: str, line: str
) -> None:
    nobody, empty = record(tmp_path / "nobody", [EMPTY] * 5), tmp_path / "empty"
    empty.mkdir()
    videos = [str(nobody), last.format(folder=empty)]
    assert main(["replay", *videos, "--config", str(toy_config), "--model", str(toy)]) == 2
    assert capsys.readouterr() == ("", f"error: {line.format(folder=empty)}\n")


@pytest.mark.parametrize("command", [["replay"], ["run", "--pins", "mock", "--camera"]])
def test_a_folder_of_which_no_picture_is_usable_ends_with_one(
    toy: Path, toy_config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], command: list[str]
) -> None:
    folder = tmp_path / "damaged"
    folder.mkdir()
    for name in ("0.png", "1.jpg"):
        (folder / name).write_bytes(b"no picture")
    assert main([*command, str(folder), "--config", str(toy_config), "--model", str(toy)]) == 1
    told = capsys.readouterr()
    assert told.err.splitlines()[-1] == (
        f"error: {folder}: none of its 2 pictures can be used, expected one at least: copy them again or convert them"
    )
    assert f"{folder.name}: " not in told.out


@pytest.mark.parametrize(
    ("content", "line"),
    [
        ("video,enter\n", "{path}: has no column leave, expected video, enter, leave, answer: see --help"),
        (f"{HEAD}\na.mp4,one,2,{WITH}\n", "{path}, line 2: could not convert string to float: 'one', expected seconds: "
         "correct it"),
        (f"{HEAD}\na.mp4,1,2,masked\n", "{path}, line 2: answer is 'masked', expected with_mask, without_mask, some of "
         "them with '>' between, or poster: correct it"),
        (f"{HEAD}\na.mp4,,2,{WITH}\n", "{path}, line 2: could not convert string to float: '', expected seconds: "
         "correct it"),
        (f"{HEAD}\na.mp4,8,2,{WITH}\n", "{path}, line 2: enter 8.0, visible 8.0 and leave 2.0, expected seconds in "
         "this order: correct it"),
        (f"{HEAD}\na.mp4,nan,2,{WITH}\n", "{path}, line 2: enter nan, visible nan and leave 2.0, expected seconds in "
         "this order: correct it"),
    ],
)  # fmt: skip
def test_a_table_that_cannot_be_meant_is_refused(tmp_path: Path, content: str, line: str) -> None:
    path = tmp_path / "visits.csv"
    path.write_text(content)
    with pytest.raises(VisitsError) as error:
        read_visits(path)
    assert str(error.value) == line.format(path=path)


def test_a_table_is_read(tmp_path: Path) -> None:
    path = tmp_path / "visits.csv"
    path.write_text(f"\ufeff{HEAD},visible\na.mp4,1,2.5,{WITH},1.5\na.mp4,3,4,{WITHOUT}>{WITH},\nb.mp4,,,,\nc.mp4,0,9,poster\n")
    assert read_visits(path) == {
        "a.mp4": [TrueVisit(1.0, 2.5, (WITH,), 1.5), TrueVisit(3.0, 4.0, (WITHOUT, WITH), 3.0)],
        "b.mp4": [],
        "c.mp4": [TrueVisit(0.0, 9.0, ("poster",), 0.0)],
    }
    with pytest.raises(VisitsError, match="can't be read"):
        read_visits(tmp_path / "absent.csv")


def test_a_recordings_name_need_not_be_text(toy: Path, toy_config: Path, tmp_path: Path) -> None:
    folder = record(tmp_path / "nobody", [EMPTY] * 5).rename(tmp_path / os.fsdecode(b"\xff"))
    result = subprocess.run(
        [sys.executable, "-m", "device", "replay", folder, "--config", toy_config, "--model", toy], cwd=TREE,
        env=os.environ | {"PYTHONIOENCODING": "utf-8:strict"}, capture_output=True, check=False,
    )  # fmt: skip
    assert (result.returncode, result.stdout.splitlines()[0]) == (0, b"\\udcff: 0.40 s")


def test_where_no_visit_is_right_no_time_is_told() -> None:
    assert [line for line in Tally(visits=1, missed=1).lines() if "verdict" in line] == []


def test_real_clips_tell_of_those_who_are_seen(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (clips,) = real_data("CLIPS")
    names = ("bare-man", "masked-desk", "puts-mask-on")
    config = str(config_for(MODELS / "door.tflite", tmp_path))
    assert main(["replay", *(str(clips / f"{name}.mp4") for name in names), "--config", config, "--json"]) == 0
    visits = {played["video"]: played["visits"] for played in map(json.loads, capsys.readouterr().out.splitlines())}
    assert [len(visits[f"{name}.mp4"]) for name in names] == [1, 1, 1]
    assert visits["masked-desk.mp4"][0]["answers"] == [WITH]
    assert visits["masked-desk.mp4"][0]["told"][0] <= 0.5  # who sits there already moves by little
    assert visits["bare-man.mp4"][0]["answers"] == [WITHOUT]
    assert visits["puts-mask-on.mp4"][0]["answers"][-1] == WITH
