"""A folder of photos is either understood as it stands or refused in one line."""

import os
import shutil
import subprocess
import sys
import tracemalloc
from pathlib import Path

import cv2
import numpy as np
import pytest
from drawn_photos import drawn_photos
from whole_dataset import alone

from device.crop import crop_face, whole_picture
from device.faces import Box, Face, Luma
from device.pictures import read_luma
from trainer.__main__ import main
from trainer.cutting import CROP_MARGIN
from trainer.dataset import digest, load_dataset
from trainer.photos import PhotosError, find_photos, read_rows
from trainer.split import split_photos


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def break_folder(folder: Path, how: str) -> str:
    """Break a good folder in one way; return what the one line must say."""
    if how == "absent":
        shutil.rmtree(folder)
        return f"{folder}: no such folder"
    if how == "one class":
        shutil.rmtree(folder / "with_mask")
        return f"{folder}: has no folder 'with_mask'"
    if how == "unknown folder":
        (folder / "mask_on_chin").mkdir()
        expected = "expected only with_mask, without_mask and mask_weared_incorrect: rename it or move it away"
        return f"{folder}: has a folder 'mask_on_chin', {expected}"
    for path in sorted((folder / "without_mask").iterdir())[9:]:
        path.unlink() if how == "few" else path.write_bytes(b"")
    return f"{folder}: without_mask has 9 usable photos, expected at least 10"


@pytest.mark.parametrize("how", ["absent", "one class", "unknown folder", "few", "few usable"])
def test_a_folder_that_cannot_be_trained_on_is_one_line_and_exit_code_2(
    how: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = drawn_photos(tmp_path / "photos", 12)
    expected = break_folder(folder, how)
    runs = tmp_path / "runs"

    assert main(["train", "--data", str(folder), "--size", "24", "--runs", str(runs)]) == 2

    last = capsys.readouterr().err.splitlines()[-1]
    assert last.startswith(f"error: {expected}")
    assert not runs.exists()


@pytest.mark.parametrize("verb", ["train", "crossval"])
def test_a_wrong_folder_to_measure_with_is_refused_before_any_photo_is_cut(
    verb: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, missing = drawn_photos(tmp_path / "photos", 12), tmp_path / "missing"

    assert main([verb, "--data", str(folder), "--apart", str(missing), "--size", "24"]) == 2

    assert capsys.readouterr().err.startswith(f"error: {missing}: no such folder")
    assert not (tmp_path / "cache").exists()


@pytest.mark.parametrize("command", [
    "train --data {0} --extra {1}", "crossval --data {0} {1}", "train --data {2} --apart {0} {1}",
])
def test_folders_of_one_name_are_refused_before_any_photo_is_cut(
    command: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    one, other, third = (drawn_photos(tmp_path / name, 12) for name in ("a/photos", "b/photos", "c"))

    small = ["--model", "simple", "--size", "24", "--epochs", "1", "--runs", str(tmp_path / "runs")]
    assert main([*command.format(one, other, third).split(), *small]) == 2

    assert capsys.readouterr().err == (
        f"error: {one} and {other}: have the same name, by which sources are told apart: rename one\n"
    )
    assert not (tmp_path / "cache").exists()


@pytest.mark.parametrize("command", [
    "train --data {1}", "train --data {0} --extra {1}", "train --data {0} --apart {1}", "crossval --data {1}",
    "faces --scenes {1} --backgrounds {0}", "face-check --scenes {0} --backgrounds {0} --measure {1}",
    "compare-faces --scenes {1}", "compare --data {1} --model a.tflite", "compare --data {0} --model {1}",
])
def test_a_folder_whose_name_no_card_can_tell_is_refused_before_any_photo_is_cut(
    command: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    good = drawn_photos(tmp_path / "photos", 12)
    odd = shutil.copytree(good, tmp_path / os.fsdecode(b"caf\xe9"))

    assert main([*command.format(good, odd).split(), "--runs", str(tmp_path / "runs")]) == 2

    assert capsys.readouterr().err == (
        f"error: {tmp_path}/caf\\xe9: isn't UTF-8, expected a name that a card or table can tell: rename it\n"
    )
    assert not (tmp_path / "cache" / "mask-kiosk").exists()


@pytest.mark.parametrize("command", [
    "compare --data {0} {1} --model a.tflite", "compare --data {0} --model {0} {1}", "compare-faces --scenes {0} {1}",
    "faces --scenes {0} --backgrounds {0} --measure {0} {1}",
])
def test_folders_of_one_name_whose_path_no_table_can_tell_are_one_line(
    command: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    good = drawn_photos(tmp_path / "good" / "photos", 12)
    odd = shutil.copytree(good, tmp_path / os.fsdecode(b"caf\xe9") / "photos")

    assert main([*command.format(good, odd).split(), "--runs", str(tmp_path / "runs")]) == 2

    assert capsys.readouterr().err == (
        f"error: {tmp_path}/caf\\xe9/photos: isn't UTF-8, expected a name that a card or table can tell: rename it\n"
    )


@pytest.mark.parametrize("command", [
    "train --data {0} --extra {0}", "train --data {1} --extra {0} {0}/", "train --data {1} --apart {0} {2}",
    "crossval --data {0} {1} {2}", "compare --data {0} {2} --model a.tflite", "compare-faces --scenes {0} {0}/",
    "faces --scenes {0} {2} --backgrounds {1}", "face-check --scenes {1} --backgrounds {0} {0}/",
])
def test_a_folder_that_is_given_twice_is_refused_by_whatever_path(
    command: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    one, other = (drawn_photos(tmp_path / name, 12) for name in ("one", "other"))
    (tmp_path / "link").symlink_to(one)

    words = command.format(one, other, tmp_path / "link").split()
    assert main([*words, "--runs", str(tmp_path / "runs")]) == 2

    assert capsys.readouterr().err == f"error: {one}: is given twice, expected each once: leave one out\n"
    assert not (tmp_path / "cache" / "mask-kiosk").exists()


@pytest.mark.parametrize("command", [
    "train --data {0}", "crossval --data {0}", "compare --data {0} --model a.tflite",
    "faces --scenes {0} --backgrounds {0}", "face-check --scenes {0} --backgrounds {0}", "compare-faces --scenes {0}",
])
def test_a_folder_that_cannot_be_made_is_refused_before_anything_is_read(
    command: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(SystemExit) as refused:
        main([*command.format(tmp_path / "unread").split(), "--runs", str(tmp_path / "file" / "runs")])

    assert refused.value.code == 2
    assert capsys.readouterr().err.startswith(
        f"error: argument --runs: {tmp_path / 'file'} can't be written to (Not a directory), expected a folder"
    )


def test_a_folder_below_one_that_is_closed_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0)
    me = os.geteuid()
    os.seteuid(me or 65534)  # no folder is closed to root
    try:
        with pytest.raises(SystemExit) as refused:
            main(["compare-faces", "--scenes", str(tmp_path), "--runs", str(closed / "runs")])
    finally:
        os.seteuid(me)

    assert refused.value.code == 2
    assert "can't be written to (Permission denied), expected a folder for" in capsys.readouterr().err


@pytest.mark.parametrize("command", [
    "train --data {0}", "evaluate --data {0}", "crossval --data {0}", "faces --scenes {0} --backgrounds {0}",
])
def test_a_name_after_a_tilde_that_is_no_users_is_a_folders(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)

    assert main(command.format("~nobody-of-that-name/photos").split()) == 2

    assert "~nobody-of-that-name/photos: no such folder, expected one" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("folders", "told"),
    [
        (
            ("mask", "nomask"),
            "has folders 'mask' (perhaps with_mask), 'nomask' (perhaps without_mask), expected only with_mask, "
            "without_mask and mask_weared_incorrect: rename them or move them away",
        ),
        (
            ("With_Mask", "with_mask", "xyz"),
            "has folders 'With_Mask' (perhaps with_mask), 'xyz', expected only with_mask, "
            "without_mask and mask_weared_incorrect: rename them or move them away",
        ),
        ((), "has no folder 'with_mask' and no 'without_mask', expected with_mask and without_mask: both are needed"),
        (
            ("shop/with_mask", "shop/without_mask"),
            "holds no photos itself, but its folder 'shop' has with_mask and without_mask: name {folder}/shop",
        ),
    ],
)
def test_all_wrong_folders_are_named_with_what_they_may_mean(
    tmp_path: Path, folders: tuple[str, ...], told: str
) -> None:
    for name in folders:
        (tmp_path / name).mkdir(parents=True)
    with pytest.raises(PhotosError) as error:
        find_photos(tmp_path)
    assert str(error.value) == f"{tmp_path}: {told.format(folder=tmp_path)}"


def test_a_phones_pictures_are_counted_in_one_line_and_are_why_there_are_too_few(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = drawn_photos(tmp_path / "photos", 12)
    for path in sorted((folder / "with_mask").iterdir()):
        path.rename(path.with_suffix(".HEIC"))
    (folder / "without_mask" / "0.png").write_bytes(b"")

    assert main(["train", "--data", str(folder), "--size", "24", "--runs", str(tmp_path / "runs")]) == 2

    assert capsys.readouterr().err.splitlines() == [
        f"left out: {folder}/with_mask/0.HEIC and 11 more *.HEIC: isn't read, expected JPEG or PNG: convert it to JPEG "
        "first",
        f"left out: {folder}/without_mask/0.png: is empty, expected a picture: copy it again or remove it",
        f"error: {folder}: with_mask has 0 usable photos, expected at least 10: mend the 12 that were left out, as "
        "said above, or add photos",
    ]


def test_unusable_files_are_named_and_the_rest_is_kept(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = drawn_photos(tmp_path / "photos", 12)
    good = (folder / "with_mask" / "0.png").read_bytes()
    (folder / "with_mask" / "cut.png").write_bytes(good[: len(good) // 2])
    (folder / "with_mask" / "empty.jpg").touch()
    (folder / "without_mask" / "dot.png").write_bytes(cv2.imencode(".png", np.zeros((1, 1), np.uint8))[1].tobytes())
    (folder / "without_mask" / "phone.heic").write_text("a format that isn't read")
    (folder / "without_mask" / ".DS_Store").touch()

    dataset = load_dataset(folder, 24)

    named = [line.removeprefix("left out: ").split(": ")[0] for line in capsys.readouterr().err.splitlines()]
    bad = "with_mask/cut.png", "with_mask/empty.jpg", "without_mask/dot.png", "without_mask/phone.heic"
    assert named == [str(folder / name) for name in bad]
    assert len(dataset.refused) == 4
    assert dataset.crops.shape == (24, 24, 24)
    assert np.bincount(dataset.labels).tolist() == [12, 12]


def test_what_a_computer_lays_into_a_folder_makes_no_other_photos_of_it(tmp_path: Path) -> None:
    folder = drawn_photos(tmp_path / "photos", 12)
    before = load_dataset(folder, 24, cropped=True)
    for number, name in enumerate(("desktop.ini", "Thumbs.db")):
        (folder / ("with_mask", "without_mask")[number] / name).write_text("nothing to learn")

    after = load_dataset(folder, 24, cropped=True)

    assert (after.sha256, after.sampling_sha256) == (before.sha256, before.sampling_sha256)
    assert digest(find_photos(folder)) == before.sha256
    assert (after.names, len(after.refused)) == (before.names, 2)
    (folder / "with_mask" / "more.png").write_bytes(b"no picture, but named as one")
    assert load_dataset(folder, 24, cropped=True).sha256 != before.sha256


def test_a_picture_with_both_labels_is_named_and_learned_from_as_neither(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, extra = (drawn_photos(tmp_path / name, 12, seed) for seed, name in enumerate(("photos", "extra")))
    shutil.copy(folder / "with_mask/0.png", folder / "with_mask/again.png")
    shutil.copy(folder / "with_mask/0.png", extra / "without_mask/bare.png")

    dataset = load_dataset([folder, extra], 24, cropped=True)

    masked, bare = [folder / "with_mask/0.png", folder / "with_mask/again.png"], extra / "without_mask/bare.png"
    says = "which has another label: remove the wrong one"
    lines = [f"left out: {path}: is the same picture as {bare}, {says}" for path in masked]
    lines += [f"left out: {bare}: is the same picture as {masked[0]}, {says}"]
    assert capsys.readouterr().err.splitlines() == lines == list(dataset.refused)
    assert np.bincount(dataset.labels).tolist() == [23, 24]
    assert dataset.crops.shape == (47, 24, 24)
    assert (dataset.crops[0] == whole_picture(read_luma(folder / dataset.names[0]), 24)).all()


def test_a_picture_that_is_bare_and_worn_wrong_is_named_and_learned_from_as_neither(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = drawn_photos(tmp_path / "photos", 12)
    (folder / "mask_weared_incorrect").mkdir()
    shutil.copy(folder / "without_mask/0.png", folder / "mask_weared_incorrect/chin.png")

    dataset = load_dataset(folder, 24, cropped=True)

    bare, wrong = folder / "without_mask/0.png", folder / "mask_weared_incorrect/chin.png"
    assert capsys.readouterr().err.splitlines() == [
        f"left out: {one}: is the same picture as {other}, which has another label: remove the wrong one"
        for one, other in ((bare, wrong), (wrong, bare))
    ]
    assert (np.bincount(dataset.labels).tolist(), set(dataset.slices)) == ([12, 11], {""})


def test_what_a_table_names_twice_counts_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = drawn_photos(tmp_path / "photos", 12)
    shutil.copy(folder / "with_mask/0.png", folder / "with_mask/copy.png")  # as much a picture as the other
    paths = sorted(folder.rglob("*.png"))
    twice = folder / "with_mask/0.png"
    rows = [f"{path.relative_to(folder)},{path.parent.name},shop,real," for path in (*paths, twice)]
    (folder / "crops.csv").write_text("\n".join(["file,label,source,kind,note", *rows]))

    assert len(load_dataset(folder, 24).names) == 25

    assert capsys.readouterr().err == (
        f"left out: {twice}: is named again in its table, expected one row for each: remove it\n"
    )
    boxes = [f"{path.relative_to(folder)},{place},8,40,40,{path.parent.name}" for path in paths for place in (8, 9)]
    (folder / "boxes.csv").write_text("\n".join(["file,x,y,w,h,label", *boxes]))

    dataset = load_dataset(folder, 24)

    assert len(dataset.names) == 25
    assert dataset.refused == tuple(
        f"left out: {path}: box 9 8 40 40 marks a face again, expected one box for each: remove it" for path in paths
    )


def test_what_is_left_out_is_named_where_it_lies_now(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = drawn_photos(tmp_path / "photos", 12)
    (folder / "with_mask" / "empty.jpg").touch()
    load_dataset(folder, 24)
    capsys.readouterr()

    moved = folder.rename(tmp_path / "moved")
    dataset = load_dataset(moved, 24)

    line = f"left out: {moved / 'with_mask/empty.jpg'}: is empty, expected a picture: copy it again or remove it"
    assert dataset.refused == (line,)
    assert capsys.readouterr().err == f"{line}\n"


def test_pictures_beside_the_classes_are_counted_as_left_out(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = drawn_photos(tmp_path / "photos", 12)
    for name in ("a.png", "b.HEIC", ".c.png", "README.txt"):
        shutil.copy(folder / "with_mask" / "0.png", folder / name)

    dataset = load_dataset(folder, 24)

    assert capsys.readouterr().err == (
        f"left out: {folder}: has 2 pictures outside of with_mask and without_mask: move each into its class\n"
    )
    assert len(dataset.names) == 24
    rows = [f"{path.relative_to(folder)},{path.parent.name},shop,real," for path in sorted(folder.glob("*_mask/*"))]
    (folder / "crops.csv").write_text("\n".join(["file,label,source,kind,note", *rows]))  # which names what counts
    load_dataset(folder, 24)
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(("how", "why"), [
    ("scenes", "/boxes.csv: 1 of 1 boxes have another label, as 'mask', expected with_mask, without_mask, "
               "mask_weared_incorrect: rename those that mean one of these"),
    ("beside", ": has 24 pictures outside of with_mask and without_mask: move each into its class"),
])
def test_what_is_left_out_is_told_before_there_are_too_few(
    how: str, why: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = drawn_photos(tmp_path / "photos", 12)
    if how == "scenes":
        (folder / "boxes.csv").write_text("file,x,y,w,h,label\nwith_mask/0.png,0,0,40,40,mask\n")
    else:
        for path in sorted(folder.glob("*_mask/*")):
            path.rename(folder / f"{path.parent.name}-{path.name}")

    assert main(["train", "--data", str(folder), "--size", "24", "--runs", str(tmp_path / "runs")]) == 2

    assert capsys.readouterr().err.splitlines() == [
        f"left out: {folder}{why}",
        f"error: {folder}: with_mask has 0 and without_mask has 0 usable photos, expected at least 10: add photos",
    ]


def test_a_film_among_the_photos_is_left_out_without_being_held_in_memory(tmp_path: Path) -> None:
    folder = drawn_photos(tmp_path / "photos", 12)
    with (folder / "with_mask" / "film.mov").open("wb") as film:
        film.truncate(300_000_000)
    tracemalloc.start()
    photos = find_photos(folder)
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    assert len(photos) == 25
    assert most < 30_000_000


def test_links_to_photos_are_followed_and_other_links_named(tmp_path: Path) -> None:
    folder = drawn_photos(tmp_path / "photos", 12)
    (folder / "with_mask" / "0.png").rename(tmp_path / "0.png")
    for name, target in (("0.png", "0.png"), ("more", "photos"), ("unplugged.png", "nowhere.png")):
        (folder / "with_mask" / name).symlink_to(tmp_path / target)

    dataset = load_dataset(folder, 24)

    assert dataset.names[0] == "with_mask/0.png"
    assert len(dataset.names) == 24
    assert [line.split(": ")[1] for line in dataset.refused] == [
        str(folder / "with_mask" / name) for name in ("more", "unplugged.png")
    ]


def test_a_folder_below_a_class_that_is_closed_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn_photos(tmp_path / "photos", 12)
    for name in ("more", ".hidden"):
        (tmp_path / "photos/with_mask" / name).mkdir(mode=0)
    tmp_path.chmod(0o755)
    monkeypatch.chdir(tmp_path)  # for another user, the way to here may be closed
    me = os.geteuid()
    os.seteuid(me or 65534)  # no folder is closed to root
    try:
        with pytest.raises(PhotosError, match=r"^photos/with_mask/more: can't be read \(Permission denied\): open it"):
            find_photos(Path("photos"))
    finally:
        os.seteuid(me)


class Corner:
    """A finder that sees a face in one corner of every picture."""

    name = "corner"

    def __init__(self, place: int) -> None:
        self.sha256, self.box = str(place), Box(place, place, 20, 20)

    def find(self, luma: Luma) -> list[Face]:
        return [Face(self.box, 1.0)]


def test_a_photo_that_is_gone_while_they_are_read_is_not_left_out_for_good(tmp_path: Path) -> None:
    folder, gone = drawn_photos(tmp_path / "photos", 12), tmp_path / "gone"

    class Unplugging(Corner):
        def find(self, luma: Luma) -> list[Face]:
            if not gone.exists():
                (folder / "without_mask" / "5.png").rename(gone)
            return super().find(luma)

    with pytest.raises(PhotosError, match=r"without_mask/5.png: can't be read .* could be read a moment ago"):
        load_dataset(folder, 24, finder=Unplugging(0))
    shutil.copy(gone, folder / "without_mask" / "5.png")

    assert load_dataset(folder, 24, finder=Unplugging(0)).refused == ()


def test_another_finder_of_the_same_name_cuts_the_photos_anew(tmp_path: Path) -> None:
    folder = drawn_photos(tmp_path / "photos", 12)
    for place in (0, 40):
        dataset = load_dataset(folder, 24, finder=Corner(place))
        expected = crop_face(read_luma(folder / dataset.names[0]), Box(place, place, 20, 20), CROP_MARGIN, 24)
        assert np.array_equal(dataset.crops[0], expected)
        assert not dataset.no_face.any()


def test_arrays_come_from_the_cache_until_a_photo_changes(tmp_path: Path) -> None:
    folder = drawn_photos(tmp_path / "photos", 12)
    first = load_dataset(folder, 24)
    (arrays,) = (tmp_path / "cache" / "mask-kiosk" / "arrays").iterdir()
    marked = np.load(arrays / "crops.npy")
    marked[0] = 7
    (arrays / "crops.npy").unlink()  # the first dataset still reads it
    np.save(arrays / "crops.npy", marked)

    again = load_dataset(folder, 24)
    assert (again.crops[0] == 7).all()
    assert again.sha256 == first.sha256

    for name, content in (("crops.npy", b"half an ar"), ("index.json", b"{")):
        (arrays / name).unlink()
        (arrays / name).write_bytes(content)
        assert (load_dataset(folder, 24).crops == first.crops).all()  # made anew

    cv2.imwrite(str(folder / "with_mask" / "3.png"), read_luma(folder / "without_mask" / "3.png")[::-1])
    changed = load_dataset(folder, 24)
    assert changed.sha256 != first.sha256
    unchanged = [name != "with_mask/3.png" for name in changed.names]
    assert (changed.crops[unchanged] == first.crops[unchanged]).all()
    assert (changed.crops[~np.array(unchanged)] != first.crops[~np.array(unchanged)]).any()


def test_a_box_that_is_not_in_its_picture_is_left_out_and_named(tmp_path: Path) -> None:
    folder = drawn_photos(tmp_path / "photos", 12)
    rows = [f"{path.relative_to(folder)},8,8,40,40,{path.parent.name}" for path in sorted(folder.rglob("*.png"))]
    for box in ("99999,99999,30,30", "0,0,99999999999,99999999999", "0,0,60000,60000"):
        (folder / "boxes.csv").write_text("\n".join(["file,x,y,w,h,label", *rows, f"with_mask/0.png,{box},with_mask"]))

        dataset = load_dataset(folder, 24)

        assert len(dataset.names) == len(rows)
        (line,) = dataset.refused
        said = f"box {box.replace(',', ' ')} isn't in its 64x64 pixels"
        assert line.startswith(f"left out: {folder}/with_mask/0.png: {said}")


@pytest.mark.parametrize("size", [0, 100, -1])
def test_damaged_groups_are_found_again(tmp_path: Path, size: int) -> None:
    dataset = load_dataset(drawn_photos(tmp_path / "photos", 12), 24, cropped=True)
    groups = alone(dataset).groups
    (kept,) = (tmp_path / "cache" / "mask-kiosk" / "groups").iterdir()
    content = kept.read_bytes()
    kept.write_bytes(content[:size])

    assert (alone(dataset).groups == groups).all()
    assert kept.read_bytes() == content


def test_a_disk_too_full_for_a_scratch_array_is_an_error_and_no_crash(tmp_path: Path) -> None:
    alone = ["unshare", "--map-root-user", "--mount"]
    if not shutil.which("unshare") or subprocess.run([*alone, "true"], capture_output=True, check=False).returncode:
        pytest.skip("needs unshare, and the right to mount")
    code = "from trainer.cache import scratch_array; scratch_array((1000, 1000))[:] = 1"
    mount = 'mkdir "$0" && mount -t tmpfs -o size=300k tmpfs "$0" && exec "$@"'
    command = [*alone, "sh", "-c", mount, str(tmp_path / "cache"), sys.executable, "-c", code]

    full = subprocess.run(command, capture_output=True, text=True, check=False)

    assert full.stderr.splitlines()[-1] == "OSError: [Errno 28] No space left on device"


def test_too_few_photos_are_refused_before_anything_is_measured(tmp_path: Path) -> None:
    folder = drawn_photos(tmp_path / "photos", 9)
    with pytest.raises(PhotosError, match="has 9 usable photos"):
        load_dataset(folder, 24, cropped=True)


def test_crops_beside_a_table_and_faces_in_scenes_are_read_as_their_tables_say(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = drawn_photos(tmp_path / "crops", 12)
    (folder / "mask_weared_incorrect").mkdir()
    cv2.imwrite(str(folder / "mask_weared_incorrect/chin.png"), read_luma(folder / "with_mask" / "0.png")[::-1])
    rows = [f"{label}/{n}.png,{label},shop,real," for label in ("with_mask", "without_mask") for n in range(11)]
    rows += ["with_mask/11.png,with_mask,web,synthetic,", "without_mask/11.png,without_mask,web,real,from_scene;hand_x",
             "mask_weared_incorrect/chin.png,mask_weared_incorrect,web,real,chin_mask"]
    (folder / "crops.csv").write_text("\n".join(["file,label,source,kind,note", *rows]))
    scenes = tmp_path / "scenes"
    scenes.mkdir()
    picture = np.zeros((80, 120), np.uint8)
    picture[20:60, 10:50] = 200
    for number in range(12):
        cv2.imwrite(str(scenes / f"hall-{number}.png"), picture)
    boxes = [f"hall-{n}.png,{x},20,40,40,{label}" for n in range(12)
             for x, label in ((10, "with_mask"), (70, "without_mask"))]
    boxes += ["hall-0.png,0,0,30,30,face", "hall-1.png,0,0,10,30,with_mask"]
    boxes += ["hall-2.png,60,5,30,30,mask_weared_incorrect"]
    (scenes / "boxes.csv").write_text("\n".join(["file,x,y,w,h,label", *boxes]))

    dataset = load_dataset([folder, scenes], 24)

    assert capsys.readouterr().err == (
        f"left out: {scenes}/boxes.csv: 1 of 27 boxes have another label, as 'face', expected with_mask, without_mask, "
        "mask_weared_incorrect: rename those that mean one of these\n"
    )
    assert dataset.sources == ("shop",) * 22 + ("web",) * 3 + ("hall",) * 25
    assert [(name, dataset.slices[i], dataset.drawn[i]) for i, name in enumerate(dataset.names[22:25], start=22)] == [
        ("with_mask/11.png", "", True), ("without_mask/11.png", "hand_near_mouth", False),
        ("mask_weared_incorrect/chin.png", "worn_wrong", False),
    ]
    assert dataset.names[-1] == "hall-2.png#60,5,30,30"
    assert (dataset.slices[-1], dataset.labels[-1]) == ("worn_wrong", 1)
    assert not dataset.no_face.any()
    assert (dataset.crops[0] == whole_picture(read_luma(folder / "with_mask" / "0.png"), 24)).all()
    assert [int(dataset.crops[i][12, 12]) for i in (25, 26)] == [200, 0]
    assert (dataset.wide.shape, dataset.wide[25][15, 15]) == ((50, 30, 30), 200)


def test_a_crops_notes_say_whether_a_hand_is_before_the_mouth(tmp_path: Path) -> None:
    hands = ["hand_or_cigarette_near_mouth", "from_scene;hand_over_mouth", "glasses; cloth", "a;b;hands up", "hand"]
    others = ["", "handsome", "from_scene;clothing", "beside a hand", "chin_mask"]
    rows = [f"{n}.png,without_mask,shop,real,{note}" for n, note in enumerate([*hands, *others])]
    for n in range(len(rows)):
        (tmp_path / f"{n}.png").touch()
    (tmp_path / "crops.csv").write_text("\n".join(["file,label,source,kind,note", *rows]))

    assert [photo.slice for photo in find_photos(tmp_path)] == ["hand_near_mouth"] * len(hands) + [""] * len(others)


def test_empty_rows_and_empty_values_beyond_the_columns_of_a_table_say_nothing(tmp_path: Path) -> None:
    (tmp_path / "crops.csv").write_text("file,label\na.png,with_mask,,\n,\n,,,\nb.png\n\n,\n")
    assert read_rows(tmp_path / "crops.csv", ["file"]) == [
        {"file": "a.png", "label": "with_mask"}, {"file": "b.png", "label": ""},
    ]  # fmt: skip


@pytest.mark.parametrize(("table", "content", "line"), [
    ("crops.csv", "file,label,source,kind\n", "crops.csv: has no column 'note'"),
    ("crops.csv", "file,label,source,kind,note\nwith_mask/0.png,mask,a,real,\n",
     "crops.csv: with_mask/0.png has the label 'mask', expected with_mask, without_mask, mask_weared_incorrect: "),
    ("crops.csv", "file,label,source,kind,note\nwith_mask/0.png,with_mask,a,real,\n,,,,\n,with_mask,a,real,\n",
     "crops.csv: line 4 has no file, expected one: correct or remove it"),
    ("crops.csv", "file,label,source,kind,note\ngone.png,with_mask,a,real,\n", "gone.png: is no file"),
    ("crops.csv", "file,label,source,kind,note\n/dev/zero,with_mask,a,real,\n", "/dev/zero: is no file"),
    ("crops.csv", "file,label,source,kind,note\n\0a.png,with_mask,a,real,\n", "crops.csv: is no table (has a NUL)"),
    ("crops.csv", "file,label,source,kind,note\nwith_mask/0.png,with_mask,a,real,hand, left\n",
     "crops.csv: with_mask/0.png has more values than the table has columns"),
    ("boxes.csv", "file,x,y,w,h,label\na.png,1,2,wide,4,with_mask\n", "boxes.csv: a.png has a side that is no number"),
    ("boxes.csv", "file,x,y,w,h,label\na.png,1,2,1e999,4,with_mask\n", "boxes.csv: a.png has a side that is no number"),
])
def test_a_table_that_cannot_be_meant_is_one_line(table: str, content: str, line: str, tmp_path: Path) -> None:
    folder = drawn_photos(tmp_path / "photos", 12)
    (folder / table).write_text(content)

    with pytest.raises(PhotosError) as refusal:
        find_photos(folder)

    assert line in str(refusal.value)
    assert len(str(refusal.value).splitlines()) == 1


def test_masks_worn_wrong_count_as_no_mask(tmp_path: Path) -> None:
    folder = drawn_photos(tmp_path / "photos", 12)
    (folder / "mask_weared_incorrect").mkdir()
    cv2.imwrite(str(folder / "mask_weared_incorrect/chin.png"), read_luma(folder / "with_mask" / "0.png")[::-1])

    dataset = load_dataset(folder, 24, cropped=True)

    assert np.bincount(dataset.labels).tolist() == [12, 13]
    assert (dataset.names[-1], dataset.slices[-1]) == ("mask_weared_incorrect/chin.png", "worn_wrong")


def test_photos_of_too_few_people_are_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = drawn_photos(tmp_path / "photos", 12)
    for path in (folder / "with_mask").iterdir():
        path.write_bytes((folder / "with_mask" / "0.png").read_bytes())

    assert main(["train", "--data", str(folder), "--size", "24", "--runs", str(tmp_path / "runs")]) == 2

    last = capsys.readouterr().err.splitlines()[-1]
    assert last.startswith("error: the photos of one class show too few different people or scenes, 1, expected some")


def test_photos_that_all_resemble_those_to_measure_with_are_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = drawn_photos(tmp_path / "photos", 12)
    command = ["train", "--data", str(folder), "--apart", str(folder), "--size", "24", "--runs", str(tmp_path / "runs")]

    assert main(command) == 2

    assert capsys.readouterr().err.splitlines()[-1] == (
        f"error: {folder}: with_mask has 0 and without_mask has 0 photos that resemble none of APART, expected at "
        "least 10: add photos"
    )


@pytest.mark.parametrize("seed", range(8))
def test_the_smallest_folder_has_both_classes_in_every_part(seed: int, tmp_path: Path) -> None:
    dataset = load_dataset(drawn_photos(tmp_path / "photos", 10), 24, cropped=True)
    split = split_photos(alone(dataset), "grouped", seed)

    for part in (split.train, split.validation, split.test):
        assert set(dataset.labels[part]) == {0, 1}
