"""Whether a new model may take the present one's place: what the gate says of faces that were counted by hand."""

import dataclasses
from pathlib import Path

import cv2
import numpy as np
import pytest
from scipy.stats import binom
from test_classifier import with_card

from device.model_card import read_card
from trainer.__main__ import main
from trainer.accept import CHANCE, Line
from trainer.dataset import digest
from trainer.photos import find_photos
from trainer.practice import draw_face

SIDE = 16  # px of the toy model's crops
# Grey levels: the toy model calls a face bare from its threshold on, 0.6, which is a grey of 153.
DARK, MIDDLE, BRIGHT = 40, 140, 230


def crops(folder: Path, **greys: dict[int, int]) -> Path:
    """Write crops: of each label so many of each grey level, no two alike."""
    for label, counts in greys.items():
        (folder / label).mkdir(parents=True)
        for grey, count in counts.items():
            for number in range(count):
                picture = np.full((SIDE, SIDE), grey, np.uint8)
                picture[0, :2] = number, len(label)
                cv2.imwrite(str(folder / label / f"{grey}-{number}.png"), picture)
    return folder


@pytest.fixture
def lower(toy: Path, tmp_path: Path) -> str:
    """The toy model with a threshold of 0.5: it calls MIDDLE bare, which the toy doesn't."""
    return with_card(toy, tmp_path, threshold=0.5)


def accept(capsys: pytest.CaptureFixture[str], new: str, present: str, *folders: Path) -> tuple[int, list[str]]:
    words = ["accept", "--model", new, "--present", present, "--cropped", "--data", *map(str, folders)]
    code = main(words)
    printed = capsys.readouterr()
    return code, (printed.out or printed.err).splitlines()


def test_a_model_that_is_worse_on_one_kind_is_refused_however_good_on_the_other(
    toy: Path, lower: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    # Of MIDDLE the lower threshold says bare: right of 30 without a mask, wrong of 7 with one.
    folder = crops(tmp_path / "door", with_mask={DARK: 20, MIDDLE: 7}, without_mask={BRIGHT: 10, MIDDLE: 30})
    code, lines = accept(capsys, lower, str(toy), folder)
    assert code == 1
    cells = [[cell.strip() for cell in line.split("|")[1:-1]] for line in lines[2:4]]
    assert [(row[0], row[1], row[2], row[5], row[6], row[8], row[9]) for row in cells] == [
        ("door", "with_mask", "27", "7", "0", f"{0.5**7:.4f}", "worse"),
        ("door", "without_mask", "40", "0", "30", "1.0000", ""),
    ]
    assert cells[0][3].startswith("100.0% (")
    assert cells[0][4].startswith("74.1% (")  # 20 of 27
    assert lines[4].startswith("door: the new model's card doesn't name it, as it is now, among the sets it was ")
    assert lines[5].startswith("NO: toy (")
    assert lines[5].endswith("on with_mask of door (p < 0.0250)")
    code, lines = accept(capsys, str(toy), lower, folder)
    assert (code, lines[5][:4]) == (1, "NO: ")  # and so is the other way round, for the bare faces
    assert lines[5].endswith("on without_mask of door (p < 0.0250)")


def test_the_more_lines_the_surer_it_has_to_be(
    toy: Path, lower: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    five = crops(tmp_path / "five", with_mask={DARK: 20, MIDDLE: 6}, without_mask={BRIGHT: 12})
    assert accept(capsys, lower, str(toy), five)[0] == 1  # 1/64 is below 5 % of two lines
    plain = crops(tmp_path / "plain", with_mask={DARK: 10}, without_mask={BRIGHT: 9}, mask_weared_incorrect={BRIGHT: 5})
    code, lines = accept(capsys, lower, str(toy), five, plain)
    assert (code, lines[-1][:5], lines[-1][-20:]) == (0, "YES: ", "< 0.0100 on no line)")  # and not of five
    assert [line.split("|")[2].strip() for line in lines[2:7]] == [
        "with_mask", "without_mask", "with_mask", "without_mask", "worn_wrong",
    ]  # fmt: skip


def test_the_same_model_is_no_worse_than_itself_and_sets_it_was_kept_apart_from_need_no_warning(
    toy: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = crops(tmp_path / "door", with_mask={DARK: 10, BRIGHT: 3}, without_mask={BRIGHT: 10})
    trained = dataclasses.replace(read_card(toy)[0].trained_on, measuring={"door": digest(find_photos(folder))})
    new = with_card(toy, tmp_path, trained_on=trained)
    (tmp_path / "link").symlink_to(folder)
    for named in (folder, tmp_path / "link", folder / "with_mask" / ".."):
        code, lines = accept(capsys, new, str(toy), named)
        assert (code, len(lines), lines[-1][:4]) == (0, 5, "YES:")
    (folder / "with_mask" / f"{BRIGHT}-0.png").unlink()  # another set of that name
    code, lines = accept(capsys, new, str(toy), folder)
    assert (code, len(lines), lines[-1][:4]) == (0, 6, "YES:")
    assert lines[4].startswith("door: the new model's card doesn't name it, as it is now, among the sets")


def test_faces_that_the_present_model_may_have_learned_from_are_told_too(
    toy: Path, lower: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = crops(tmp_path / "door", with_mask={DARK: 10}, without_mask={BRIGHT: 10})
    trained = dataclasses.replace(read_card(toy)[0].trained_on, sources={"door": 20, "web": 9}, measuring={})
    kept = dataclasses.replace(trained, measuring={"door": digest(find_photos(folder))})
    for on, said in ((trained, ["new", "present"]), (kept, ["new"])):
        (tmp_path / "present").mkdir(exist_ok=True)
        present = with_card(toy, tmp_path / "present", trained_on=on)
        lines = accept(capsys, lower, present, folder)[1][4:-1]
        told = "model's card doesn't name it, as it is now, among the sets it was kept apart from; faces"
        assert all(line.startswith(f"door: the {of} {told}") for line, of in zip(lines, said, strict=True))


def test_the_present_model_is_not_compared_with_itself(
    toy: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = crops(tmp_path / "door", with_mask={DARK: 10}, without_mask={BRIGHT: 10})
    code, lines = accept(capsys, str(toy), str(toy), folder)
    assert (code, len(lines)) == (2, 1)
    assert lines[0].startswith(f"error: {toy}: is the present model, expected another")


def test_a_practice_model_never_takes_a_real_ones_place(
    toy: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = crops(tmp_path / "door", with_mask={DARK: 10}, without_mask={BRIGHT: 10})
    code, lines = accept(capsys, with_card(toy, tmp_path, practice=True), str(toy), folder)
    assert code == 2
    assert "is a practice model, which isn't for a door" in lines[0]


def test_of_a_practice_model_only_the_verdict_is_marked(
    toy: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = crops(tmp_path / "NOrth", with_mask={DARK: 10}, without_mask={BRIGHT: 10})
    (tmp_path / "present").mkdir()
    present = with_card(toy, tmp_path / "present", practice=True)
    lines = accept(capsys, with_card(toy, tmp_path, practice=True, threshold=0.5), present, folder)[1]
    assert [line.startswith("PRACTICE") for line in lines] == [False] * 5 + [True]


def test_pictures_in_which_nobody_is_found_are_one_line(
    toy: Path, lower: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cv2.imwrite(str(tmp_path / "hall-1.png"), np.zeros((80, 120), np.uint8))
    (tmp_path / "boxes.csv").write_text("file,x,y,w,h,label\nhall-1.png,12,22,40,40,with_mask\n")
    line = f"error: {tmp_path}: no face with_mask was found in it, expected with_mask and without_mask: add some"
    assert accept(capsys, lower, str(toy), tmp_path) == (2, [line])
    assert main(["evaluate", "--model", str(toy), "--data", str(tmp_path)]) == 2
    assert capsys.readouterr().err == f"{line}\n"


def scenes(folder: Path, *labels: str) -> Path:
    """Write scenes, each with one drawn face of the label."""
    folder.mkdir(parents=True)
    rows = ["file,x,y,w,h,label"]
    for number, label in enumerate(labels):
        picture, box = draw_face(np.random.default_rng(number), masked=label == "with_mask")
        cv2.imwrite(str(folder / f"hall-{number}.png"), picture)
        rows.append(",".join(map(str, (f"hall-{number}.png", *box, label))))
    (folder / "boxes.csv").write_text("\n".join(rows))
    return folder


@pytest.mark.parametrize(("labels", "lacking"), [
    (["without_mask"], "with_mask"), (["with_mask"], "without_mask"),
    (["with_mask", "mask_weared_incorrect"], "without_mask"),
])
def test_a_folder_that_lacks_a_class_is_refused_for_it_says_nothing_of_that_class(
    labels: list[str], lacking: str, toy: Path, lower: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    both, one = scenes(tmp_path / "both", "with_mask", "without_mask"), scenes(tmp_path / "one", *labels)
    code, lines = accept(capsys, lower, str(toy), both)
    assert (code, [line.split("|")[2].strip() for line in lines[2:4]]) == (0, ["with_mask", "without_mask"])
    for folders in ([one], [both, one]):
        assert accept(capsys, lower, str(toy), *folders) == (
            2, [f"error: {one}: no face {lacking} was found in it, expected with_mask and without_mask: add some"],
        )  # fmt: skip


def test_folders_of_one_name_are_told_apart(
    toy: Path, lower: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    one, other = (
        crops(tmp_path / name / "door", with_mask={DARK: 10, MIDDLE: 9}, without_mask={BRIGHT: 10})
        for name in ("one", "other")
    )
    code, lines = accept(capsys, lower, str(toy), one, other)
    assert (code, [line.split("|")[1].strip() for line in lines[2:6]]) == (1, [str(one)] * 2 + [str(other)] * 2)
    assert [line.split(": ")[0] for line in lines[6:8]] == [str(one), str(other)]
    assert lines[8].endswith(f"on with_mask of {one}, with_mask of {other} (p < 0.0125)")


def test_what_is_left_out_is_said_once_for_both_models(
    toy: Path, lower: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    photos = crops(tmp_path / "door", with_mask={DARK: 10}, without_mask={BRIGHT: 10})
    (photos / "with_mask" / "notes.txt").write_text("none of them")
    hall = scenes(tmp_path / "hall", "with_mask", "without_mask", "face")
    (hall / "hall-9.png").write_bytes(b"no picture")
    with (hall / "boxes.csv").open("a") as table:
        table.write("\nhall-9.png,1,1,40,40,with_mask")

    words = ["accept", "--model", lower, "--present", str(toy), "--data", str(photos), str(hall)]
    main(words)

    lines = [line for line in capsys.readouterr().err.splitlines() if line.startswith("left out: ")]
    assert [line.split(": ")[1] for line in lines] == [
        f"{photos}/with_mask/notes.txt", f"{hall}/boxes.csv", f"{hall}/hall-9.png",
    ]  # fmt: skip


def test_a_folder_that_is_given_twice_counts_for_nothing(
    toy: Path, lower: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = crops(tmp_path / "door", with_mask={DARK: 10}, without_mask={BRIGHT: 10})
    (tmp_path / "link").symlink_to(folder)
    line = f"error: {folder}: is given twice, expected each once: leave one out"
    assert accept(capsys, lower, str(toy), folder, tmp_path / "link") == (2, [line])


@pytest.mark.parametrize("level", [CHANCE, CHANCE / 6])
def test_a_model_that_is_as_good_is_seldom_refused_and_a_worse_one_mostly(level: float) -> None:
    def refused(differing: int, lost: float) -> float:
        """The probability of a refusal where of so many faces this share is right with the present model only."""
        lines = [Line("", "", 1000, 0, 0, count, differing - count) for count in range(differing + 1)]
        return sum(
            float(binom.pmf(count, differing, lost)) for count, line in enumerate(lines) if line.p < level
        )

    for differing in (0, 1, 5, 20, 60, 200):
        assert refused(differing, 0.5) <= level
    assert refused(60, 0.75) > 0.9


def test_the_interval_of_the_difference_holds_it_as_often_as_it_says() -> None:
    rng = np.random.default_rng(0)
    n, lost, won = 200, 0.06, 0.03
    held = 0
    for _ in range(2000):
        only_present, only_new, _ = rng.multinomial(n, [lost, won, 1 - lost - won])
        low, high = Line("", "", n, 0, 0, int(only_present), int(only_new)).difference[1]
        held += low <= won - lost <= high
    assert 0.93 <= held / 2000 <= 0.985


def test_no_share_differs_by_more_than_all() -> None:
    assert Line("", "", 5, 5, 0, 5, 0).difference[1][0] == -1.0
    assert Line("", "", 5, 0, 5, 0, 5).difference[1][1] == 1.0
