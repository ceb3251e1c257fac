"""Scripted passages: what must hold of a thousand visits and an empty day, and the recordings drawn of some."""

import re
import resource
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from drawn_photos import drawn_photos
from places import TREE

from device.cameras.camera import open_camera
from device.classifier import MODELS, Classifier
from device.compare_visits import Tally, percentile
from device.errors import KioskError, PictureError
from device.events import Event, Kind, State
from device.finders import open_finder
from device.model_card import read_card
from device.replay import Replay
from device.settings import CameraSettings, FaceSettings
from device.visits import VisitsError, gather, read_visits
from trainer.__main__ import main
from trainer.passages.draw import TABLE, GivenPictures, Stage, record
from trainer.passages.noise import (
    FRAMES_PER_SECOND,
    HEIGHT,
    NOISE,
    WIDTH,
    Noise,
    Seen,
    read_noise,
    verdict_of,
    write_noise,
)
from trainer.passages.page import clips_text, simulated_text, total
from trainer.passages.play import passages_of, play_clips, read_clips
from trainer.passages.script import KINDS, VISIBLE_HEIGHT, Passage, Place, Walk, write_passage
from trainer.passages.simulate import CAUSES, LEVELS, live, live_alone, simulate
from trainer.places import fill

PAGE = Path(__file__).parent.parent / "docs" / "door.md"


@pytest.fixture(scope="module")
def noise() -> Noise:
    return read_noise().known(LEVELS)


@pytest.fixture(scope="module")
def tallies(noise: Noise) -> dict[str, Tally]:
    return simulate(noise)


def test_a_thousand_visits_are_told_as_they_were(tallies: dict[str, Tally]) -> None:
    tally = total(tallies.values())
    assert 1000 <= tally.visits <= 1001
    assert tally.right >= 0.97 * tally.visits
    assert tally.once >= 0.99 * tally.visits
    assert tally.masked > 300
    assert tally.false_alarms == 0  # at most one in a thousand
    assert tally.ghost_alarms == 0
    assert percentile(tally.seconds, 0.95) <= 0.7
    assert all(tallies[kind].visits for kind in KINDS if kind != "far away")
    assert tallies["poster"].posters == tallies["poster"].visits > 0


def test_what_is_wrong_is_what_the_classifier_does_not_know(noise: Noise) -> None:
    strangers = replace(noise, masked=(*noise.masked[:30], *[2.0] * 8, *[0.3] * 4))  # means: bare, and between
    tallies = simulate(strangers, visits=300, seed=4, causes=True)
    known, unsure, wrong = (tallies[cause] for cause in CAUSES)
    assert known.right >= 0.97 * known.visits > 150
    assert wrong.visits > 20
    assert wrong.right + unsure.right < wrong.visits + unsure.visits
    assert known.false_alarms == 0


@pytest.mark.parametrize("number", [67, 153, 291])
def test_who_has_passed_before_a_poster_leaves_it_behind(noise: Noise, number: int) -> None:
    """Of 300 passages of this seed, those in which the poster once took the visitor's place, and rang."""
    rng, tally = np.random.default_rng([5, number]), Tally()
    passage = write_passage(rng, "poster")
    events = live([Seen(rng, noise, walk) for walk in passage.walks], passage)
    tally.count(gather(events, passage.seconds), passage.visits())
    assert (tally.visits, tally.right, tally.false_alarms) == (1, 1, 0)


def test_an_empty_door_never_rings_all_day() -> None:
    empty = live_alone()
    assert (empty.alarms, empty.visits) == (0, 0)
    assert empty.ghosts > 2000  # frames in which one was found


def test_the_page_says_what_was_simulated(noise: Noise, tallies: dict[str, Tally]) -> None:
    text = simulated_text(tallies, simulate(read_noise(), causes=True), live_alone(), read_noise(), noise)
    page = PAGE.read_text(encoding="utf-8")
    assert page == fill(page, {"simulated": text}), "run python -m trainer passages --to FOLDER --page"


def test_the_page_has_each_place_once_and_its_links_lead_to_files() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert re.findall(r"<!-- (?!end)(.+) -->", page) == ["recordings", "simulated", "clips"]
    links = re.findall(r"\]\(([^)#]+)\)", page)
    assert len(links) >= 3
    assert [link for link in links if not (PAGE.parent / link).exists()] == []


def test_the_thresholds_are_near_the_shipped_models() -> None:
    card, _ = read_card(MODELS / "door.tflite")
    assert (card.threshold, card.release) == pytest.approx(LEVELS, abs=0.25)


def test_clips_are_listed_beside_what_is_seen() -> None:
    events = (Event(Kind.ENTER, 1.0, 1, State.CHECKING, None, 0.9), Event(Kind.VERDICT, 1.5, 1, State.ALARM, 0.9, 1.5))
    seen = {"a.mp4": "one; two", "dusk/a.mp4": "three"}
    played = {"a.mp4": Replay("a.mp4", 2.0, (), events), "dusk/a.mp4": Replay("a.mp4", 1.0, (), ())}
    assert clips_text(played, seen, Classifier("door")).splitlines()[2:] == [
        "| `a.mp4` | one;<br>two | 1.00 s  visit 1: enter<br>1.50 s  visit 1: verdict without a mask 0.90 |",
        "| `dusk/a.mp4` | three | nothing |",
    ]


def test_clips_may_lie_below_the_folder_and_share_a_name(tmp_path: Path) -> None:
    for name in ("noon/door", "dusk/door"):
        (tmp_path / name).mkdir(parents=True)
        cv2.imwrite(str(tmp_path / name / "0.png"), np.zeros((90, 120), np.uint8))
    (tmp_path / "videos.csv").write_text("file,when\nnoon/door,nobody\ndusk/door,nobody yet\n")
    classifier, seen = Classifier("door"), read_clips(tmp_path)
    played = play_clips(tmp_path, seen, classifier, open_finder(FaceSettings()))
    assert clips_text(played, seen, classifier).splitlines()[2:] == [
        "| `dusk/door` | nobody yet | nothing |", "| `noon/door` | nobody | nothing |",
    ]  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
def test_a_script_says_who_is_to_be_seen(kind: str) -> None:
    passage = write_passage(np.random.default_rng(3), kind)
    visits = passage.visits()
    assert len(visits) == {"far away": 0, "two at once": 2, "poster": 2}.get(kind, 1)
    for visit in visits:
        if visit.answers == ("poster",):
            assert (visit.enter, visit.visible, visit.leave) == (0.0, 0.0, passage.seconds)
        else:
            assert 0 < visit.enter < visit.visible < visit.leave < passage.seconds
    if kind == "far away":  # somebody is in the picture all the same
        (walk,) = passage.walks
        places = [walk.place(float(now)) for now in np.linspace(walk.enter, walk.leave, 50)]
        assert all(place and place.inside and place.height < VISIBLE_HEIGHT / 2 for place in places)
    changes = {"puts it on": ("without_mask", "with_mask"), "takes it off": ("with_mask", "without_mask")}
    if kind in changes:
        assert visits[0].answers == changes[kind]
    assert [visit.answers for visit in visits].count(("poster",)) == (kind == "poster")


def test_a_face_is_well_visible_when_it_is_large_inside_lit_and_not_turned_away() -> None:
    path = ((0.0, Place(-0.2, 0.5, 0.3)), (4.0, Place(0.8, 0.5, 0.3)), (8.0, Place(0.8, 0.5, 0.3)))
    passage = Passage("walks up", 9.0, (Walk(path, ((0.0, True),), away=((1.0, 2.0),)),), dark=((1.5, 3.0),))
    (visit,) = passage.visits()
    assert visit.visible == pytest.approx(3.0, abs=0.06)
    assert (visit.enter, visit.leave, visit.answers) == (0.0, 8.0, ("with_mask",))


def test_boxes_are_cut_to_the_picture() -> None:
    verdict = verdict_of(Place(0.02, 0.5, 0.5), 0.0)
    assert verdict is not None
    assert (verdict.box.x, verdict.box.height, verdict.look.cut, verdict.alarm_score) == (0, HEIGHT // 2, True, 0.5)
    assert verdict_of(Place(-0.2, 0.5, 0.5), 0.0) is None


def test_recordings_hold_what_their_table_says(tmp_path: Path) -> None:
    spot = Place(0.5, 0.5, 0.4)
    person = Walk(((0.5, spot), (1.0, spot)), ((0.5, True), (0.8, False)))
    passages = [Passage("puts it on", 1.2, (person,), dark=((1.0, 1.2),)), Passage("far away", 0.3, ())]
    videos = record(passages, GivenPictures(None, None), tmp_path / "made", seed=1)
    assert [video.name for video in videos] == ["000-puts-it-on.avi", "001-far-away.avi"]
    true = read_visits(tmp_path / "made" / TABLE)
    (visit,) = true["000-puts-it-on.avi"]
    assert (visit.enter, visit.leave, visit.answers) == (0.5, 1.0, ("with_mask", "without_mask"))
    assert true["001-far-away.avi"] == []
    with open_camera(CameraSettings(str(videos[0]))) as camera:
        frames = [frame.luma.astype(np.int16) for frame in camera.frames()]
    assert (len(frames), frames[0].shape) == (round(1.2 * FRAMES_PER_SECOND), (HEIGHT, WIDTH))
    middle = np.s_[HEIGHT // 3 : 2 * HEIGHT // 3, WIDTH // 3 : 2 * WIDTH // 3]

    def differ(a: int, b: int) -> float:
        return float(np.abs(frames[a][middle] - frames[b][middle]).mean())

    assert differ(2, 6) > 3 * differ(2, 3)  # nobody there, then somebody
    assert differ(6, 9) > 1.5 * differ(6, 7)  # with a mask and without
    assert frames[11].mean() < 0.1 * frames[2].mean()  # the lights are out
    with pytest.raises(KioskError, match="holds files"):
        record(passages, GivenPictures(None, None), tmp_path / "made", seed=1)


@pytest.mark.parametrize("room", [100_000, 0])  # bytes that a file may have
def test_a_recording_that_finds_no_room_is_refused(tmp_path: Path, room: int) -> None:
    films = tmp_path / "films"
    drawn = subprocess.run(
        [sys.executable, "-m", "trainer", "passages", "--to", films, "--count", "1"], cwd=TREE, capture_output=True,
        text=True, check=False, preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (room, room)),
    )  # fmt: skip
    assert (drawn.returncode, drawn.stdout) == (2, "")
    line = rf"^error: {films}/000-walks-up\.avi: can't be written, it holds \d+ of \d+ frames"
    assert re.search(line, drawn.stderr, re.MULTILINE)
    assert list(tmp_path.iterdir()) == []


def test_given_faces_and_backgrounds_are_seen(tmp_path: Path) -> None:
    faces, rooms = drawn_photos(tmp_path / "faces", 2), tmp_path / "rooms"
    rooms.mkdir()
    cv2.imwrite(str(rooms / "white.png"), np.full((90, 120), 255, np.uint8))
    spot = Place(0.5, 0.5, 0.5)
    passage = Passage("walks up", 1.0, (Walk(((0.5, spot), (1.0, spot)), ((0.5, False),), away=((0.8, 1.0),)),))
    stage = Stage(np.random.default_rng(0), passage, GivenPictures(faces, rooms))
    before, there = stage.frame(0.0), stage.frame(0.6)
    assert before.std() < 10  # the white room
    middle = there[HEIGHT // 2 - 40 : HEIGHT // 2 + 40, WIDTH // 2 - 40 : WIDTH // 2 + 40]
    assert middle.std() > 30  # stripes
    assert abs(float(there[:40].mean()) - float(before[:40].mean())) < 3
    for faces_given, rooms_given in ((rooms, None), (None, tmp_path / "absent")):
        with pytest.raises(KioskError, match="check the path"):
            GivenPictures(faces_given, rooms_given)


@pytest.mark.parametrize("damaged", ["with_mask/1.png", "without_mask/0.png", "rooms/0.png"])
def test_a_picture_that_cannot_be_drawn_with_is_refused_at_once(tmp_path: Path, damaged: str) -> None:
    faces = drawn_photos(tmp_path, 2)
    (tmp_path / "rooms").mkdir()
    cv2.imwrite(str(tmp_path / "rooms/1.png"), np.full((90, 120), 255, np.uint8))
    GivenPictures(faces, tmp_path / "rooms")
    (tmp_path / damaged).write_bytes(b"no picture")
    with pytest.raises(PictureError, match=rf"^{tmp_path / damaged}: is damaged or no picture"):
        GivenPictures(faces, tmp_path / "rooms")


def test_the_kinds_come_in_turn_and_a_seed_gives_the_same_passages() -> None:
    assert [passage.kind for passage in passages_of(11, 5)] == [*KINDS, *KINDS[:2]]
    assert passages_of(3, 5) == passages_of(3, 5) != passages_of(3, 6)


def test_it_is_said_whether_the_noise_was_replaced(noise: Noise, tmp_path: Path) -> None:
    path = tmp_path / "noise.json"
    for people, done in ((5, "made"), (7, "replaced")):
        told = f"the noise of {people} drawn people, judged by the model {noise.model[:12]}…"
        assert write_noise(replace(noise, people=people), path) == f"{path} {done}: {told}"
        assert read_noise(path) == replace(noise, people=people)


@pytest.mark.parametrize("model", ["door", "simple"])  # whose faces are found by another finder
def test_a_folder_that_is_refused_leaves_the_noise_as_it_is(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], model: str
) -> None:
    (tmp_path / "there.txt").touch()
    before = NOISE.read_bytes()
    assert main(["passages", "--to", str(tmp_path), "--measure", "1", "--model", model]) == 2
    assert capsys.readouterr().err.startswith(f"error: {tmp_path} holds files")
    assert NOISE.read_bytes() == before


def test_a_measuring_that_was_stopped_says_nothing_of_going_on(tmp_path: Path) -> None:
    # The same command is refused then: its recordings are there.
    command = [sys.executable, "-m", "trainer", "passages", "--to", str(tmp_path / "films"), "--count", "1"]
    with subprocess.Popen(
        [*command, "--visits", "100000"], text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as running:
        assert running.stdout is not None
        assert running.stdout.readline() == f"{tmp_path / 'films'}\n"
        running.send_signal(signal.SIGINT)
        _, errors = running.communicate()
    assert (running.returncode, errors.splitlines()[-2:]) == (130, ["", "stopped"])


def test_who_asks_for_recordings_gets_nothing_else(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["passages", "--to", str(tmp_path / "films"), "--count", "1"]) == 0
    assert capsys.readouterr().out == f"{tmp_path}/films\n"
    assert sorted(path.name for path in (tmp_path / "films").iterdir()) == ["000-walks-up.avi", "visits.csv"]


@pytest.mark.parametrize(("table", "line"), [
    (None, "videos.csv: can't be read (No such file or directory), expected a table: check --clips"),
    (b"file,when\na.avi,K\xe4the comes\n", "videos.csv: is no UTF-8, expected text: save it as UTF-8"),
    (b"file,what\na.avi,somebody\n", "videos.csv: has no column 'when', expected file, when: add it"),
    (b"file,when\na.avi,somebody\n",
     "a.avi: no such recording, expected a video file or a folder of pictures"),
])  # fmt: skip
def test_clips_that_cannot_be_played_are_refused_before_anything_is_drawn(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], table: bytes | None, line: str
) -> None:
    clips = tmp_path / "clips"
    clips.mkdir()
    if table:
        (clips / "videos.csv").write_bytes(table)
    assert main(["passages", "--to", str(tmp_path / "films"), "--clips", str(clips)]) == 2
    assert capsys.readouterr().err == f"error: {clips}/{line}\n"
    assert not (tmp_path / "films").exists()


def test_a_clip_without_a_usable_picture_ends_as_it_does_in_a_replay(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    clips = tmp_path / "clips"
    (clips / "walk").mkdir(parents=True)
    (clips / "walk" / "0.png").write_bytes(b"no picture")
    (clips / "videos.csv").write_text("file,when\nwalk,somebody\n")
    command = ["passages", "--to", str(tmp_path / "films"), "--count", "1", "--visits", "1", "--clips", str(clips)]
    assert main(command) == 1
    assert capsys.readouterr().err.splitlines()[-1].startswith(f"error: {clips}/walk: ")


def test_clips_are_described_as_a_spreadsheet_writes_it(tmp_path: Path) -> None:
    (tmp_path / "video").mkdir()
    cv2.imwrite(str(tmp_path / "video/0.png"), np.zeros((90, 120), np.uint8))
    (tmp_path / "videos.csv").write_bytes(b"\xef\xbb\xbffile,what,when\r\nvideo,,K\xc3\xa4the comes\r\n")
    assert read_clips(tmp_path) == {"video": "Käthe comes"}


def test_noise_that_cannot_be_used_is_refused(tmp_path: Path) -> None:
    for content in ("", "{}", '{"masked": []}'):
        (tmp_path / "noise.json").write_text(content)
        with pytest.raises(VisitsError, match="passages --measure"):
            read_noise(tmp_path / "noise.json")
