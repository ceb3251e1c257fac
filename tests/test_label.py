"""The page on which crops get their labels, in a real Chromium: which file lies where, and what the trainer reads."""

import json
import os
import re
import resource
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
from browser import AXE, Browser, axe_script, needs_chromium
from places import TREE
from screens import ask

from trainer.labels import LabelFolder
from trainer.photos import LABELS, WAITING, WORN_WRONG, WORN_WRONG_SLICE, PhotosError, find_photos

HEAD = "file,label,source,kind,note\n"


@pytest.fixture
def crops(tmp_path: Path) -> Path:
    folder = tmp_path / "north door"
    folder.mkdir()
    for number in range(6):
        cv2.imwrite(str(folder / f"{number}.png"), np.full((64, 64), 40 * number, np.uint8))
    return folder


def start(folder: Path) -> tuple["subprocess.Popen[str]", str]:
    """Start the command; return it, and the address that it prints."""
    command = [sys.executable, "-m", "trainer", "label", str(folder)]
    running = subprocess.Popen(command, cwd=TREE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert running.stdout is not None
    url = running.stdout.readline().strip()
    assert re.fullmatch(r"http://127\.0\.0\.1:[0-9]+/#[A-Za-z0-9_-]{24}", url)
    return running, url


def stop(running: "subprocess.Popen[str]") -> tuple[int, str]:
    running.send_signal(signal.SIGINT)
    _, errors = running.communicate(timeout=120)
    return running.returncode, errors


@pytest.fixture
def served(crops: Path) -> Iterator[str]:
    running, url = start(crops)
    yield url
    assert stop(running) == (130, "\nstopped; the same command goes on from here\n")


def lies(folder: Path) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for path in sorted(folder.rglob("*.png")):
        found.setdefault(path.parent.relative_to(folder).as_posix(), []).append(path.stem)
    return found


def press(page: Browser, key: str, shown: str | None) -> None:
    """Press a key, and wait until the page shows a picture, or that all are done."""
    for kind in ("keyDown", "keyUp"):
        page.ask("Input.dispatchKeyEvent", type=kind, key=key)
    shows(page, shown)


def shows(page: Browser, name: str | None) -> None:
    page.until("!busy")
    page.until("document.querySelector('img').hidden" if name is None else
               f"document.querySelector('img').alt === 'Face crop {name}.png' && "
               "document.querySelector('img').naturalWidth === 64 && !busy")  # fmt: skip


@needs_chromium
def test_keys_and_buttons_move_pictures_and_undo_brings_them_back(crops: Path, served: str, tmp_path: Path) -> None:
    with Browser(tmp_path / "profile") as page:
        page.open(served)
        shows(page, "0")
        height = page.run("document.querySelector('img').getBoundingClientRect().height")
        assert height >= 3 * 64  # enlarged
        press(page, "1", "1")
        press(page, "2", "2")
        press(page, "3", "3")
        press(page, "4", "4")
        assert lies(crops) == {
            ".": ["4", "5"], "with_mask": ["0"], "without_mask": ["1"], WORN_WRONG: ["2"], "dropped": ["3"],
        }  # fmt: skip
        assert page.run("document.querySelector('[role=status]').textContent") == "drop it. 2 to go."
        assert page.run("[document.querySelector('progress').value, document.querySelector('progress').max]") == [4, 6]
        press(page, "Backspace", "3")
        press(page, "Backspace", "2")
        assert lies(crops) == {".": ["2", "3", "4", "5"], "with_mask": ["0"], "without_mask": ["1"]}
        axe_script(page)
        result = page.run(AXE)
        assert [(item["id"], item["nodes"][0]["html"]) for item in result["violations"]] == []
        for label, shown in (("without_mask", "3"), ("with_mask", "4"), ("with_mask", "5"), ("dropped", None)):
            page.run(f"document.querySelector('[data-label={label}]').click()")
            shows(page, shown)
        assert page.run("document.querySelector('[role=status]').textContent") == (
            "drop it. All are labelled. Stop the program with Ctrl-C in the terminal."
        )
        press(page, "1", None)  # there is nothing left to label
        assert page.complaints() == []
    assert lies(crops) == {"with_mask": ["0", "3", "4"], "without_mask": ["1", "2"], "dropped": ["5"]}
    photos = find_photos(crops)
    assert [(photo.name, LABELS[photo.label], photo.cropped, photo.source) for photo in photos] == [
        *((f"with_mask/{name}.png", "with_mask", True, "north door") for name in "034"),
        *((f"without_mask/{name}.png", "without_mask", True, "north door") for name in "12"),
    ]


@needs_chromium
def test_a_picture_that_cannot_be_shown_can_only_be_dropped(crops: Path, served: str, tmp_path: Path) -> None:
    (crops / "1.png").write_bytes(b"no picture")
    with Browser(tmp_path / "profile") as page:
        page.open(served)
        shows(page, "0")
        for key in ("1", "2"):  # the second is for a picture that nobody sees
            press(page, key, None)
        assert lies(crops) == {".": ["1", "2", "3", "4", "5"], "with_mask": ["0"]}
        assert "1.png: is damaged" in page.run("document.querySelector('[role=status]').textContent")
        enabled = "[...document.querySelectorAll('button:enabled')].map((button) => button.dataset.label ?? button.id)"
        assert page.run(enabled) == ["dropped", "undo"]
        press(page, "Backspace", "0")
        press(page, "2", None)
        press(page, "4", "2")
        assert page.run(enabled) == ["with_mask", "without_mask", WORN_WRONG, "dropped", "undo"]
    assert lies(crops) == {".": ["2", "3", "4", "5"], "without_mask": ["0"], "dropped": ["1"]}


@needs_chromium
def test_a_page_without_the_token_says_so_and_has_nothing_to_press(served: str, tmp_path: Path) -> None:
    with Browser(tmp_path / "profile") as page:
        page.open(served.partition("#")[0])
        page.until("document.querySelector('[role=status]').textContent")
        assert "lacks its token" in page.run("document.querySelector('[role=status]').textContent")
        page.until("[...document.querySelectorAll('button')].every((button) => button.disabled)")
        assert page.run("document.querySelector('progress').position") == 0  # and doesn't run for ever


@needs_chromium
def test_what_is_worn_wrong_is_said_without_scrolling(served: str, tmp_path: Path) -> None:
    with Browser(tmp_path / "profile") as page:
        page.size(1280, 800)
        page.open(served)
        shows(page, "0")
        said = "[...document.querySelectorAll('p')].find((part) => part.textContent.startsWith('Worn wrong'))"
        assert page.run(f"{said}.getBoundingClientRect().bottom <= innerHeight")


def test_without_the_token_nothing_is_told_or_moved(crops: Path, served: str) -> None:
    port = int(re.findall(r":(\d+)/", served)[0])
    token, host = served.partition("#")[2], f"127.0.0.1:{port}"
    body = json.dumps({"name": "0.png", "label": "dropped"}).encode()
    origin, length = f"Origin: http://{host}", f"Content-Length: {len(body)}"
    right = f"Authorization: Bearer {token}"
    for line, headers, status in (
        ("GET /next", ["Authorization: Bearer x"], 401), ("GET /picture?name=0.png", [], 401),
        ("POST /label", [origin, length], 401), ("POST /label", [right, length], 403),
        ("GET /picture?name=../north%20door/0.png", [right], 404),
        ("GET /picture?name=/etc/passwd", [right], 404),
    ):  # fmt: skip
        sent = body if line.startswith("POST") else b""
        assert ask(port, line, f"Host: {host}", *headers, body=sent)[0] == status, line
    assert ask(port, "GET /next", "Host: evil.example", right)[0] == 421
    names = (("../x", "with_mask"), ("0.png", "../x"), ("no such.png", "dropped"))
    asked = [json.dumps({"name": name, "label": label}).encode() for name, label in names]
    for posted in (*asked, b"{", b"[" * 30_000 + b"]" * 30_000):
        headers = [f"Host: {host}", origin, right, f"Content-Length: {len(posted)}"]
        assert ask(port, "POST /label", *headers, body=posted)[0] == 400
    assert lies(crops) == {".": list("012345")}


def test_labels_go_on_where_they_stopped_and_a_table_that_was_lost_is_made_again(crops: Path) -> None:
    first = LabelFolder(crops)
    first.label("0.png", "with_mask")
    first.label("1.png", WORN_WRONG)
    table = crops / "crops.csv"
    assert table.read_text() == (
        f"{HEAD}with_mask/0.png,with_mask,north door,real,\n{WORN_WRONG}/1.png,{WORN_WRONG},north door,real,\n"
    )
    table.write_text(table.read_text().replace("0.png,with_mask,north door,real,", "0.png,with_mask,hall,real,hand"))
    (crops / "2.png").rename(crops / "with_mask" / "2.png")  # the power went before the table was written
    second = LabelFolder(crops)
    assert (second.waiting(), second.undo()) == (["3.png", "4.png", "5.png"], None)
    assert table.read_text() == (
        f"{HEAD}with_mask/0.png,with_mask,hall,real,hand\nwith_mask/2.png,with_mask,north door,real,\n"
        f"{WORN_WRONG}/1.png,{WORN_WRONG},north door,real,\n"
    )
    assert [(photo.name, photo.slice) for photo in find_photos(crops)] == [
        ("with_mask/0.png", "hand_near_mouth"), ("with_mask/2.png", ""), (f"{WORN_WRONG}/1.png", WORN_WRONG_SLICE),
    ]  # fmt: skip


def test_what_its_owner_wrote_into_the_table_stays_but_for_labels(
    crops: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = LabelFolder(crops)
    for number in range(5):
        folder.label(f"{number}.png", "without_mask")
    table, other = crops / "crops.csv", crops.parent / "other.png"
    shutil.copy(crops / "5.png", other)
    shutil.copy(crops / "5.png", crops.parent / "5.png")
    rows = [
        "without_mask/0.png,without_mask,north door,real,", f"without_mask/1.png,{WORN_WRONG},east,real,hand",
        "without_mask/2.png,without_mask,east,synthetic,glasses", "without_mask/3.png,without_mask,east,real,cloth",
        "without_mask/4.png,without_mask,east,real,",
    ]  # fmt: skip
    elsewhere = "../other.png,with_mask,west,real,\n../5.png,with_mask,west,real,\n"
    table.write_text(HEAD + "\n".join(rows) + f"\n{elsewhere}")
    (crops / "with_mask").mkdir()
    (crops / "without_mask/2.png").rename(crops / "with_mask/2.png")
    (crops / "without_mask/3.png").rename(crops / "3.png")
    (crops / "without_mask/4.png").unlink()

    folder = LabelFolder(crops)
    again = f"{rows[0]}\nwithout_mask/1.png,without_mask,east,real,hand\n{elsewhere}"
    moved = "with_mask/2.png,with_mask,east,synthetic,glasses\n"
    waits = f"3.png,{WAITING},east,real,cloth\n"
    assert table.read_text() == f"{HEAD}{moved}{again.replace(elsewhere, waits + elsewhere)}"
    assert capsys.readouterr().err.splitlines()[-1] == (
        f"{table}: is corrected, since the folders are the labels: rows with another label or place: 3, rows removed, "
        "as their pictures have no label now: 1"
    )
    for _ in range(2):
        folder.label("3.png", "with_mask")
        folder.label("5.png", "with_mask")
        assert table.read_text() == (
            f"{HEAD}{moved}with_mask/3.png,with_mask,east,real,cloth\nwith_mask/5.png,with_mask,{folder.source},real,\n"
            f"{again}"
        )
        assert [folder.undo(), folder.undo()] == ["5.png", "3.png"]
    LabelFolder(crops)
    assert "is corrected" not in capsys.readouterr().err


def test_what_its_owner_wrote_stays_while_the_picture_waits_or_is_dropped_and_trains_nothing_then(
    crops: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table = crops / "crops.csv"
    folder = LabelFolder(crops)
    for number in range(3):
        folder.label(f"{number}.png", "with_mask")
    table.write_text(table.read_text().replace("1.png,with_mask,north door,real,", "1.png,with_mask,hall,real,hand"))
    first = f"{HEAD}with_mask/0.png,with_mask,north door,real,\n"
    assert [folder.undo(), folder.undo()] == ["2.png", "1.png"]
    for label in ("dropped", "without_mask"):
        LabelFolder(crops)
        assert table.read_text() == f"{first}1.png,{WAITING},hall,real,hand\n"
        assert [photo.name for photo in find_photos(crops)] == ["with_mask/0.png"]
        folder = LabelFolder(crops)
        folder.label("1.png", label)
        row = f"{label}/1.png,{label},hall,real,hand\n"
        assert table.read_text() == first + row
        assert len(find_photos(crops)) == 1 + (label != "dropped")
        assert folder.undo() == "1.png"
    assert "is corrected" not in capsys.readouterr().err


def test_a_row_goes_to_no_other_picture_of_its_name(crops: Path) -> None:
    table = crops / "crops.csv"
    folder = LabelFolder(crops)
    folder.label("0.png", "with_mask")
    table.write_text(f"{HEAD}with_mask/0.png,with_mask,hall,synthetic,hand\n")
    (crops / "with_mask/0.png").unlink()
    folder.label("1.png", "with_mask")
    shutil.copy(crops / "2.png", crops / "0.png")
    folder.label("0.png", "without_mask")
    others = "with_mask/1.png,with_mask,north door,real,\n"
    assert table.read_text() == f"{HEAD}{others}without_mask/0.png,without_mask,north door,real,\n"

    two = "with_mask/0.png,with_mask,hall,real,hand\nwithout_mask/0.png,without_mask,west,synthetic,\n"
    table.write_text(f"{HEAD}{others}{two}")
    (crops / WORN_WRONG).mkdir()
    (crops / "without_mask/0.png").rename(crops / WORN_WRONG / "0.png")
    LabelFolder(crops)
    assert table.read_text() == f"{HEAD}{others}{WORN_WRONG}/0.png,{WORN_WRONG},north door,real,\n"


def test_undo_passes_over_what_was_moved_or_deleted_by_hand(crops: Path) -> None:
    folder = LabelFolder(crops)
    for number in range(4):
        folder.label(f"{number}.png", "with_mask")
    (crops / "with_mask/3.png").unlink()
    (crops / "with_mask/1.png").rename(crops / "with_mask/renamed.png")
    assert [folder.undo() for _ in range(3)] == ["2.png", "0.png", None]
    assert lies(crops) == {".": ["0", "2", "4", "5"], "with_mask": ["renamed"]}
    assert [photo.name for photo in find_photos(crops)] == ["with_mask/renamed.png"]


def test_on_a_full_disk_a_label_or_an_undo_changes_nothing(crops: Path) -> None:
    folder = LabelFolder(crops)
    folder.label("0.png", "with_mask")
    table, soft, hard = (crops / "crops.csv").read_text(), *resource.getrlimit(resource.RLIMIT_FSIZE)
    for change in (lambda: folder.label("1.png", "without_mask"), folder.undo):
        resource.setrlimit(resource.RLIMIT_FSIZE, (0, hard))
        try:
            with pytest.raises(OSError, match="File too large"):
                change()
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        assert lies(crops) == {".": ["1", "2", "3", "4", "5"], "with_mask": ["0"]}
        assert (crops / "crops.csv").read_text() == table
    folder.label("1.png", "without_mask")
    assert [folder.undo() for _ in range(3)] == ["1.png", "0.png", None]


def test_a_door_whose_folder_is_renamed_stays_one_source(crops: Path) -> None:
    LabelFolder(crops).label("0.png", "with_mask")
    renamed = crops.rename(crops.with_name("door 2"))
    folder = LabelFolder(renamed)
    folder.label("1.png", "without_mask")
    assert {photo.source for photo in find_photos(renamed)} == {"north door"}


def test_a_source_that_is_not_the_folders_name_is_said(crops: Path, capsys: pytest.CaptureFixture[str]) -> None:
    LabelFolder(crops).label("0.png", "with_mask")
    LabelFolder(crops)
    assert capsys.readouterr().err == ""
    second = Path(shutil.copytree(crops, crops.with_name("south door")))
    LabelFolder(second).label("1.png", "with_mask")
    assert capsys.readouterr().err == (
        f"{second}/crops.csv: new pictures get the source north door, as those before: if they are of another door, "
        "label them in a new folder, or write south door as the source of their rows\n"
    )
    table = (second / "crops.csv").read_text()
    (second / "crops.csv").write_text(table.replace("1.png,with_mask,north", "1.png,with_mask,south"))
    LabelFolder(second).label("2.png", "with_mask")
    assert capsys.readouterr().err == ""
    assert [photo.source for photo in find_photos(second)] == ["north door", "south door", "south door"]


def test_pictures_of_phones_are_counted_as_left_out(crops: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("a.heic", "b.AVIF", ".c.heic"):
        (crops / name).write_bytes(b"no matter")

    assert len(LabelFolder(crops).waiting()) == 6

    assert capsys.readouterr().err == (
        f"left out: {crops}: has 2 HEIC or AVIF pictures, which aren't shown: convert them to JPEG\n"
    )


def test_a_deleted_picture_is_told_with_what_writes_the_table_again(crops: Path) -> None:
    for number in range(2):
        LabelFolder(crops).label(f"{number}.png", "with_mask")
    (crops / "with_mask/1.png").unlink()
    with pytest.raises(PhotosError, match=r"with_mask/1\.png: is no file, .* crops.csv of `make label`, run that ag"):
        find_photos(crops)
    LabelFolder(crops)
    assert [photo.name for photo in find_photos(crops)] == ["with_mask/0.png"]


def test_nothing_is_replaced(crops: Path) -> None:
    folder = LabelFolder(crops)
    folder.label("0.png", "dropped")
    (crops / "0.png").write_bytes(b"another")
    for change in (lambda: folder.label("0.png", "dropped"), folder.undo):
        with pytest.raises(PhotosError, match="is there already: rename one of the two"):
            change()
    assert (crops / "0.png").read_bytes() == b"another"
    table = crops / "crops.csv"
    table.write_text("file,label,source,kind,note,width\n")
    with pytest.raises(PhotosError, match=r"has other columns .* move it elsewhere"):
        LabelFolder(crops)
    assert table.read_text() == "file,label,source,kind,note,width\n"
    table.write_text(f"{HEAD}with_mask/0.png,with_mask,hall,real,hand, left\n")
    with pytest.raises(PhotosError, match=r"0\.png has more values .* into double quotes"):
        LabelFolder(crops)
    assert table.read_text() == f"{HEAD}with_mask/0.png,with_mask,hall,real,hand, left\n"
    with pytest.raises(PhotosError, match="no such folder"):
        LabelFolder(crops / "absent")
    assert os.listdir(crops / "dropped") == ["0.png"]  # noqa: PTH208


def test_an_undo_with_nothing_to_take_back_says_so(crops: Path, served: str) -> None:
    LabelFolder(crops).label("0.png", "with_mask")  # before a restart
    port, token = re.findall(r":(\d+)/#(.*)", served)[0]
    host = f"127.0.0.1:{port}"
    headers = [f"Host: {host}", f"Authorization: Bearer {token}", f"Origin: http://{host}", "Content-Length: 2"]
    status, _, body = ask(int(port), "POST /undo", *headers, body=b"{}")
    assert (status, json.loads(body)) == (
        400, {"error": "Nothing was labelled since the start: there is nothing to undo."},
    )  # fmt: skip
    assert lies(crops) == {".": list("12345"), "with_mask": ["0"]}


def test_a_folder_whose_name_the_table_cannot_hold_is_refused_before_a_picture_is_moved(crops: Path) -> None:
    odd = crops.rename(crops.with_name(os.fsdecode(b"caf\xe9")))

    with pytest.raises(PhotosError, match=r"/caf\\xe9: isn't UTF-8, expected a name that"):
        LabelFolder(odd)

    assert len(list(odd.iterdir())) == 6


def test_a_name_that_the_table_cannot_hold_is_refused_in_one_line(crops: Path, served: str) -> None:
    (crops / "0.png").rename(crops / os.fsdecode(b"caf\xe9.png"))
    said = f"{crops}/caf\\xe9.png: isn't UTF-8, expected a name that a card or table can tell: rename it"
    port, token = re.findall(r":(\d+)/#(.*)", served)[0]
    headers = f"Host: 127.0.0.1:{port}", f"Authorization: Bearer {token}"
    for path in ("/next", "/picture?name=1.png"):
        status, _, body = ask(int(port), f"GET {path}", *headers)
        assert (status, json.loads(body)) == (400, {"error": said})

    command = [sys.executable, "-m", "trainer", "label", str(crops)]
    again = subprocess.run(command, cwd=TREE, capture_output=True, text=True, check=False)
    assert (again.returncode, again.stderr) == (2, f"error: {said}\n")
