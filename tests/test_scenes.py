"""Pictures with face boxes are read alike in every format, and what can't be meant is named in one line."""

import csv
import shutil
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image, features
from real_data import real_data

from device.pictures import read_luma
from trainer.finder.scenes import Scene, picture_size, read_backgrounds, read_scenes
from trainer.photos import PhotosError, find_photos

WIDTH, HEIGHT = 200, 100  # px
Faces = list[tuple[tuple[int, int, int, int], str]]
FACES: dict[str, Faces] = {  # exact as shares of the picture, so that every format says the same
    "hall-1.png": [((20, 10, 40, 50), "with_mask"), ((100, 20, 50, 60), "without_mask")],
    "hall-2.png": [((0, 0, 100, 100), "mask_weared_incorrect")],
    "yard-1.png": [],
    "yard-2.png": [((150, 25, 25, 30), "face")],
}
LABELS = ["with_mask", "without_mask", "mask_weared_incorrect", "face"]
HEAD = "file,x,y,w,h,label\n"


def drawn_pictures(folder: Path) -> Path:
    folder.mkdir(parents=True)
    for i, name in enumerate(FACES):
        cv2.imwrite(str(folder / name), np.full((HEIGHT, WIDTH), 60 + i, np.uint8))
    return folder


def as_csv(folder: Path) -> Path:
    drawn_pictures(folder)
    rows = [f"{name},{','.join(map(str, box))},{label},gt\n" for name, faces in FACES.items() for box, label in faces]
    (folder / "boxes.csv").write_text(HEAD.replace("\n", ",geometry\n") + "".join(rows))
    (folder / "images.csv").write_text("file,source\n" + "".join(f"{name},drawn\n" for name in FACES))
    return folder


def voc(faces: Faces) -> str:
    objects = [
        f"<object><name>{label}</name><bndbox><xmin>{x}</xmin><ymin>{y}</ymin><xmax>{x + w}</xmax>"
        f"<ymax>{y + h}</ymax></bndbox></object>"
        for (x, y, w, h), label in faces
    ]
    return f"<annotation><size><width>0</width></size>{''.join(objects)}</annotation>"


def as_voc(folder: Path) -> Path:
    """Pictures in JPEGImages, annotations in Annotations."""
    drawn_pictures(folder / "JPEGImages")
    (folder / "Annotations").mkdir()
    for name, faces in FACES.items():
        (folder / "Annotations" / name).with_suffix(".xml").write_text(voc(faces))
    return folder


def as_voc_beside(folder: Path) -> Path:
    drawn_pictures(folder)
    for name, faces in FACES.items():
        (folder / name).with_suffix(".xml").write_text(voc(faces))
    return folder


def yolo(faces: Faces) -> str:
    return "".join(
        f"{LABELS.index(label)} {(x + w / 2) / WIDTH} {(y + h / 2) / HEIGHT} {w / WIDTH} {h / HEIGHT}\n"
        for (x, y, w, h), label in faces
    )


def as_yolo(folder: Path) -> Path:
    """Pictures in train/images, annotations in train/labels, names in data.yaml: an export of labelling sites."""
    drawn_pictures(folder / "train" / "images")
    (folder / "train" / "labels").mkdir()
    for name, faces in FACES.items():
        (folder / "train" / "labels" / name).with_suffix(".txt").write_text(yolo(faces))
    (folder / "data.yaml").write_text("train: train/images\nnc: 4\nnames: ['mask', \"no-mask\", worn_wrong, Face]\n")
    return folder


def as_yolo_beside(folder: Path) -> Path:
    drawn_pictures(folder)
    for name, faces in FACES.items():
        (folder / name).with_suffix(".txt").write_text(yolo(faces))
    (folder / "classes.txt").write_text("with mask\nno mask\nincorrect_mask\nface\n")
    return folder


def told(scenes: list[Scene]) -> list[tuple[str, str, list[list[float]], tuple[str, ...]]]:
    return [(scene.path.name, scene.source, scene.boxes.tolist(), scene.labels) for scene in scenes]


@pytest.mark.parametrize("write", [as_csv, as_voc, as_voc_beside, as_yolo, as_yolo_beside])
def test_every_format_says_the_same(write: Callable[[Path], Path], tmp_path: Path) -> None:
    scenes, refused = read_scenes(write(tmp_path / "scenes"))

    assert refused == []
    assert told(scenes) == [
        (name, name[:4], [list(map(float, box)) for box, _ in faces], tuple(label for _, label in faces))
        for name, faces in FACES.items()
    ]
    assert {(scene.boxes.dtype.name, scene.boxes.shape[1:]) for scene in scenes} == {("float32", (4,))}
    assert all((tmp_path / "scenes" / scene.name) == scene.path and scene.path.is_file() for scene in scenes)


@pytest.mark.parametrize(
    "written",
    [
        "names:\n  - with_mask\n  - without_mask\n  - worn_wrong\n  - face\nnc: 4\n",
        "names:\n- with_mask\n- without_mask  # bare\n- worn_wrong\n- face\nnc: 4\n",
        "names:\n  0: with_mask\n  1: without_mask\n  2: worn_wrong\n  3: 'face'\n",
        "names:\n# the classes\n- with_mask\n- without_mask\n# rare\n- worn_wrong\n- face\n",
        "names:\n  '0': with_mask\n  \"1\": without_mask\n  2: worn_wrong\n  3: face\n",
        "nc: 4\nnames: {3: face, 0: with_mask, 1: without_mask, 2: worn_wrong}\n",
        "names: [with_mask,\n  without_mask,\n  worn_wrong, face\n]\n",
        "names: [with_mask, without_mask, worn\n  wrong, face]\n",
    ],
)
def test_class_names_are_read_however_yaml_writes_them(written: str, tmp_path: Path) -> None:
    folder = as_yolo(tmp_path / "scenes")
    expected = told(read_scenes(folder)[0])
    (folder / "data.yaml").write_text(written)

    assert told(read_scenes(folder)[0]) == expected


def test_a_source_is_the_same_to_the_finder_and_the_classifier(tmp_path: Path) -> None:
    (tmp_path / "day-1").mkdir()
    rows = ["file,x,y,w,h,label"]
    for name in ("./wider-1.png", "day-1/x-2.png", "day-1/plain.png"):
        cv2.imwrite(str(tmp_path / name), np.zeros((80, 120), np.uint8))
        rows.append(f"{name},12,22,40,40,with_mask")
    (tmp_path / "boxes.csv").write_text("\n".join(rows))

    assert {scene.source for scene in read_scenes(tmp_path)[0]} == {"wider", "x", "plain"}
    assert {photo.source for photo in find_photos(tmp_path)} == {"wider", "x", "plain"}


def test_small_faces_are_kept_apart_and_pictures_that_no_table_names_are_left_out(tmp_path: Path) -> None:
    folder = as_csv(tmp_path / "scenes")
    (folder / "small.csv").write_text("file,x,y,w,h\nyard-1.png,3.5,4,8,9\nyard-2.png,1,1,9,9\n")
    (folder / "images.csv").write_text("file\n")

    scenes, refused = read_scenes(folder)

    assert [(scene.name, scene.ignored.tolist()) for scene in scenes] == [
        ("hall-1.png", []), ("hall-2.png", []), ("yard-1.png", [[3.5, 4, 8, 9]]), ("yard-2.png", [[1, 1, 9, 9]]),
    ]  # fmt: skip
    assert refused == []
    (folder / "small.csv").unlink()
    scenes, refused = read_scenes(folder)
    assert [scene.name for scene in scenes] == ["hall-1.png", "hall-2.png", "yard-2.png"]
    assert refused == [f"left out: {folder}/yard-1.png: without an annotation, expected one for each: annotate them"]


BAD_ROWS = {
    "gone.png,1,2,30,40,with_mask": "{folder}/gone.png: is missing, but annotated",
    f"{300 * '9'}.png,1,2,30,40,face": f"{{folder}}/{300 * '9'}.png: is missing, but annotated",
    "yard-2.png,200,10,30,30,face": "{table}: yard-2.png: box 200 10 30 30 lies outside the picture",
    "yard-2.png,-40,10,40,30,face": "{table}: yard-2.png: box -40 10 40 30 lies outside the picture",
    "yard-2.png,10,10,0,30,face": "{table}: yard-2.png: box 10 10 0 30 has no area",
    "yard-2.png,10,10,30,-3,face": "{table}: yard-2.png: box 10 10 30 -3 has no area",
    "yard-2.png,ten,10,30,30,face": "{table}: yard-2.png: box ten 10 30 30 has a value that is no number",
    "yard-2.png,nan,10,30,30,face": "{table}: yard-2.png: box nan 10 30 30 has a value that is no finite number",
    "yard-2.png,10,10": "{table}: yard-2.png: box 10 10   has a value that is no number",
    "yard-2.png,151,25,25,30,with_mask": "{table}: yard-2.png: box 151 25 25 30 marks a face again",
    "dot.png,0,0,1,1,face": "{folder}/dot.png: is 1x1, expected at least 16 pixels a side",
    "notes.png,0,0,9,9,face": "{folder}/notes.png: is damaged or no picture",
    "empty.png,0,0,9,9,face": "{folder}/empty.png: is empty",
}


@pytest.mark.parametrize("row", BAD_ROWS)
def test_a_bad_row_is_named_and_the_rest_is_kept(row: str, tmp_path: Path) -> None:
    folder = as_csv(tmp_path / "scenes")
    expected = told(read_scenes(folder)[0])
    if row.startswith("dot"):
        cv2.imwrite(str(folder / "dot.png"), np.zeros((1, 1), np.uint8))
    elif row.startswith(("notes", "empty")):
        (folder / row.partition(",")[0]).write_text("words" if row.startswith("notes") else "")
    with (folder / "boxes.csv").open("a") as table:
        table.write(f"{row}\n")

    scenes, refused = read_scenes(folder)

    assert told(scenes) == expected
    (line,) = refused
    assert line.startswith("left out: " + BAD_ROWS[row].format(folder=folder, table=folder / "boxes.csv"))


def test_a_box_is_cut_to_the_picture_and_a_picture_without_any_usable_box_is_left_out(tmp_path: Path) -> None:
    folder = drawn_pictures(tmp_path / "scenes")
    (folder / "boxes.csv").write_text(f"{HEAD}hall-1.png,-10,80,40.5,40,face\nhall-2.png,0,0,0,9,face\n")
    for name in ("yard-1.png", "yard-2.png"):
        (folder / name).unlink()

    (scene,), refused = read_scenes(folder)

    assert scene.boxes.tolist() == [[0, 80, 30.5, 20]]
    assert [line.partition(": ")[2].partition(",")[0] for line in refused] == [
        f"{folder / 'boxes.csv'}: hall-2.png: box 0 0 0 9 has no area",
        f"{folder / 'hall-2.png'}: none of its boxes can be used",
    ]


LAUGHS = """<!DOCTYPE a [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;">]><annotation>&b;</annotation>"""
BAD_FILES = {
    '<?xml version="1.0" encoding="latin-99"?><annotation/>': "is no XML (",
    "<annotation><object>": "is no XML (no element found",
    LAUGHS: "has a DOCTYPE, expected none",
    LAUGHS.partition("[")[0] + 'SYSTEM "/etc/hostname"><annotation/>': "has a DOCTYPE, expected none",
    voc([((1, 2, 30, 40), "mask")]).replace("ymax", "bottom"): "has an object without name or box",
}


@pytest.mark.parametrize("content", BAD_FILES)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_a_bad_xml_is_named_and_the_rest_is_kept(content: str, encoding: str, tmp_path: Path) -> None:
    folder = as_voc(tmp_path / "scenes")
    bad = folder / "Annotations" / "yard-2.xml"
    bad.write_text(content, encoding=encoding)

    scenes, refused = read_scenes(folder)

    assert [scene.path.name for scene in scenes] == ["hall-1.png", "hall-2.png", "yard-1.png"]
    (line,) = refused
    assert line.startswith(f"left out: {bad}: {BAD_FILES[content]}")


def test_what_an_xml_holds_over_several_lines_is_told_in_one(tmp_path: Path) -> None:
    folder = as_voc(tmp_path / "scenes")
    bad = folder / "Annotations" / "yard-2.xml"
    bad.write_text(voc([((1, 2, 30, 40), "mask")]).replace(">2<", ">2\n2<"))

    assert read_scenes(folder)[1][0].startswith(f"left out: {bad}: box 1 2 2 31 42 has a value that is no number")


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("7 .5 .5 .1 .1\n", "has '7 .5 .5 .1 .1', expected one of 4 classes and 4 numbers"),
        ("0 .5 .5 .1\n", "has '0 .5 .5 .1', expected one of 4 classes and 4 numbers"),
        ("0 .5 .5 a .1\n", "box .5 .5 a .1 has a value that is no number"),
        ("0 1.5 .5 .1 .1\n", "box 1.5 .5 .1 .1 lies outside the picture"),
    ],
)
def test_a_bad_line_of_yolo_is_named_and_the_rest_is_kept(content: str, expected: str, tmp_path: Path) -> None:
    folder = as_yolo(tmp_path / "scenes")
    bad = folder / "train" / "labels" / "yard-2.txt"
    bad.write_text(content)

    scenes, refused = read_scenes(folder)

    assert [scene.path.name for scene in scenes] == ["hall-1.png", "hall-2.png", "yard-1.png"]
    assert refused[0].startswith(f"left out: {bad}: {expected}")


def test_annotations_without_their_picture_and_with_two_are_named(tmp_path: Path) -> None:
    folder = as_voc(tmp_path / "scenes")
    pictures = folder / "JPEGImages"
    (pictures / "yard-1.png").unlink()
    shutil.copy(pictures / "hall-1.png", pictures / "hall-1.jpg")
    shutil.copy(pictures / "hall-1.png", pictures / "new.png")
    shutil.copy(pictures / "hall-1.png", pictures / "newer.png")

    scenes, refused = read_scenes(folder)

    assert [scene.path.name for scene in scenes] == ["hall-2.png", "yard-2.png"]
    assert [line.partition(", expected")[0] for line in refused] == [
        f"left out: {folder}/Annotations/hall-1.xml: JPEGImages/hall-1.jpg and JPEGImages/hall-1.png go with it",
        f"left out: {folder}/Annotations/yard-1.xml: no picture goes with it",
        f"left out: {folder}/JPEGImages/new.png and 1 more: without an annotation",
    ]


def break_folder(folder: Path, how: str) -> str:
    """Break a folder with boxes.csv in one way; return what the one line must say."""
    table = folder / "boxes.csv"
    if how == "absent":
        shutil.rmtree(folder)
        return f"{folder}: no such folder"
    if how == "empty":
        shutil.rmtree(folder)
        folder.mkdir()
        return f"{folder}: has no face boxes, expected boxes.csv, Pascal VOC's .xml, or YOLO's .txt"
    if how == "column":
        table.write_text(table.read_text().replace(",w,", ",width,"))
        return f"{table}: has no column 'w', expected file, x, y, w, h, label: add it"
    if how == "label":
        table.write_text(table.read_text().replace("mask_weared_incorrect", "helmet"))
        return f"{table}: hall-2.png: has the label 'helmet', expected with_mask, without_mask"
    if how == "binary":
        table.write_bytes(b"\xff\xfe\x00")
        return f"{table}: is no UTF-8"
    table.write_text(f"{HEAD}gone.png,1,2,3,4,face\n")
    (folder / "images.csv").unlink()
    return f"{folder}: has no picture that can be used, the first is left out: "


@pytest.mark.parametrize("how", ["absent", "empty", "column", "label", "binary", "nothing left"])
def test_a_folder_that_cannot_be_understood_is_one_line(how: str, tmp_path: Path) -> None:
    folder = as_csv(tmp_path / "scenes")
    expected = break_folder(folder, how)

    with pytest.raises(PhotosError) as refusal:
        read_scenes(folder)

    assert str(refusal.value).startswith(expected)
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize("suffix", ["jpg", "png", "webp", "tif"])
def test_boxes_are_placed_in_the_upright_picture(suffix: str, tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # shown turned by a quarter: 100 wide, 200 high
    Image.fromarray(np.zeros((HEIGHT, WIDTH), np.uint8)).save(tmp_path / f"a-1.{suffix}", exif=exif)
    (tmp_path / "boxes.csv").write_text(f"{HEAD}a-1.{suffix},80,150,40,80,face\n")

    (scene,), refused = read_scenes(tmp_path)

    assert (scene.boxes.tolist(), refused) == ([[80, 150, 20, 50]], [])


XMP = b"""<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
<rdf:Description xmlns:tiff="http://ns.adobe.com/tiff/1.0/" tiff:Orientation="6"/></rdf:RDF></x:xmpmeta>"""


@pytest.mark.parametrize("suffix", ["jpg", "webp", "avif"])
def test_the_size_of_a_picture_is_as_it_is_read_whatever_else_turns_it(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"a.{suffix}"
    exif = Image.Exif()
    if suffix == "avif":
        if not features.check("avif"):
            pytest.skip("needs a Pillow that writes AVIF")
        exif[0x0112] = 6
    Image.fromarray(np.zeros((HEIGHT, WIDTH, 3), np.uint8)).save(path, xmp=XMP, exif=exif)
    assert picture_size(path) == read_luma(path).shape[::-1]


@pytest.mark.parametrize("suffix", ["jpg", "png", "webp"])
def test_a_picture_whose_exif_is_cut_off_has_the_size_that_it_is_read_with(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"a.{suffix}"
    Image.fromarray(np.zeros((HEIGHT, WIDTH, 3), np.uint8)).save(path, exif=b"Exif\0\0II*\0")
    assert picture_size(path) == read_luma(path).shape[::-1] == (WIDTH, HEIGHT)


def test_backgrounds_are_all_pictures_below_and_an_empty_folder_is_refused(tmp_path: Path) -> None:
    drawn_pictures(tmp_path / "backgrounds")
    drawn_pictures(tmp_path / "backgrounds" / "hard")
    (tmp_path / "backgrounds" / "backgrounds.csv").write_text("file\n")

    scenes = read_backgrounds(tmp_path / "backgrounds")

    assert [(scene.name, scene.source) for scene in scenes] == [
        (name, name.rpartition("/")[2][:4]) for name in sorted([*FACES, *(f"hard/{name}" for name in FACES)])
    ]
    assert all(scene.boxes.shape == scene.ignored.shape == (0, 4) and scene.labels == () for scene in scenes)
    (tmp_path / "none").mkdir()
    with pytest.raises(PhotosError, match=r"none: holds no pictures, expected some without faces"):
        read_backgrounds(tmp_path / "none")


def test_real_scenes_are_read_whole() -> None:
    (folder,) = real_data("SCENES")
    with (folder / "boxes.csv").open() as table:
        rows = list(csv.DictReader(table))

    scenes, refused = read_scenes(folder)

    assert refused == []
    assert sum(len(scene.boxes) for scene in scenes) == len(rows)
    assert {scene.name for scene in scenes} == {row["file"] for row in rows}
