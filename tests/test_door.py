"""The appliance's own classifier: its material, its training, its calibration, and what it costs."""

import json
import os
import re
import shutil
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import keras
import numpy as np
import pytest
from drawn_photos import drawn_photos
from test_classifier import with_card
from whole_dataset import alone

from device.classifier import Classifier
from device.faces import Box, Face, Luma
from device.haar import HaarFaceFinder
from device.model_card import read_card
from device.pictures import read_luma
from trainer.__main__ import main
from trainer.calibration import find_temperature
from trainer.compare import compare, table
from trainer.copies import gather
from trainer.cost import PEER, multiply_adds, peer
from trainer.crossval import Asked, by_source, cross_validate
from trainer.dataset import Dataset, load_dataset
from trainer.evaluate import evaluate
from trainer.judging import judge_folder
from trainer.networks import NETWORKS, door, resnet, vgg19
from trainer.occlusion import occlusion_map
from trainer.photo_accessories import draw_glasses, draw_headwear
from trainer.photo_covers import FLAT_HAND, draw_beside, draw_cover
from trainer.photo_masks import draw_mask, draw_worn_wrong
from trainer.photos import PhotosError
from trainer.quantize import quantize
from trainer.runs import current, load_run
from trainer.sampling import Batches
from trainer.slices import _middle, drawn_slices
from trainer.training import set_threads

SIZE = 24  # px
set_threads(2)  # the default of `train`, and only possible before TensorFlow's first operation


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr("trainer.slices.PEOPLE", 3)  # drawing one takes a while


@pytest.fixture
def photos(tmp_path: Path) -> Dataset:
    return load_dataset(drawn_photos(tmp_path / "photos", 40), SIZE, cropped=True)


def test_the_networks_are_as_large_as_they_say() -> None:
    assert door(64).count_params() == 95_514
    content = quantize(door(64), np.random.default_rng(0).integers(0, 256, (8, 64, 64), np.uint8))
    assert len(content) <= 150_000
    # Convolutions by hand: output side² x kernel² x channels in x channels out.
    plain = 32**2 * 4 * 4 * 20 + 16**2 * 9 * (20 * 40 + 40 * 40) + 8**2 * 9 * (40 * 56 + 56 * 56)
    separable = 4**2 * (9 * 56 + 56 * 112) + 4**2 * (9 * 112 + 112 * 112)
    assert multiply_adds(content) == plain + separable + 16 * 112 + 112 * 2
    for build, parameters in ((resnet, 23_591_810), (vgg19, 20_025_410)):
        network = build(32)
        assert (network.input_shape, network.output_shape) == ((None, 32, 32, 1), (None, 2))
        assert network.count_params() == parameters


@pytest.mark.parametrize("build", [resnet, vgg19])
def test_what_begins_from_scratch_tells_pictures_apart_from_the_first_step_on(
    build: Callable[[int], Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    keras.utils.set_random_seed(0)
    network = build(32)
    logits = keras.Model(network.input, network.get_layer("logits").output)
    pictures = np.random.default_rng(0).integers(0, 256, (8, 4, 4, 1), np.uint8).repeat(8, 1).repeat(8, 2)
    spread = np.asarray(logits(pictures)).std(axis=0)
    assert np.all((spread > 0.01) & (spread < 1.0))


def test_imagenet_weights_are_taken_from_the_file_that_is_published(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    path = tmp_path / "mask-kiosk" / "weights" / "vgg19.h5"
    path.parent.mkdir(parents=True)
    published = keras.applications.VGG19(include_top=False, weights=None)
    published.save(path)

    network = vgg19(32)

    place = network.layers.index(network.get_layer("vgg19"))
    taken = network.layers[place].get_weights()
    assert all(np.array_equal(a, b) for a, b in zip(taken, published.get_weights(), strict=True))
    grey = np.random.default_rng(0).integers(0, 256, (2, 32, 32, 1), np.uint8)
    given = keras.Model(network.input, network.layers[place - 1].output)(grey)
    wanted = keras.applications.vgg19.preprocess_input(grey.repeat(3, axis=3).astype(np.float32))
    assert np.allclose(given, wanted, atol=1e-3)
    assert capsys.readouterr().out == f"vgg19: ImageNet weights from {path}\n"


def test_a_copy_of_a_measuring_photo_is_not_trained_on(tmp_path: Path) -> None:
    folder, apart = drawn_photos(tmp_path / "train", 20), drawn_photos(tmp_path / "measure", 20, seed=1)
    picture = read_luma(apart / "with_mask" / "3.png")[:, ::-1].copy()
    cv2.imwrite(str(folder / "with_mask" / "copy.jpg"), picture, [cv2.IMWRITE_JPEG_QUALITY, 80])

    everything, material = gather([folder], SIZE, []), gather([folder], SIZE, [apart])

    assert "with_mask/copy.jpg" in everything.dataset.names
    assert "with_mask/copy.jpg" not in material.dataset.names
    assert sum(material.dropped.values()) == len(everything.dataset.names) - len(material.dataset.names)
    assert len(material.groups) == len(material.dataset.names) == len(material.dataset.wide)
    assert [(of.folder.name, of.sha256) for of in material.apart] == [("measure", load_dataset(apart, SIZE).sha256)]


def test_batches_are_repeatable_and_a_source_without_masks_shows_both_classes(photos: Dataset) -> None:
    bare = np.flatnonzero(photos.labels == 1)
    first, again, next_seed = (Batches(photos, bare, 16, 4, seed, 0) for seed in (0, 0, 1))
    crops, labels = first[2]

    assert (crops.shape, labels.shape, len(first)) == ((16, SIZE, SIZE, 1), (16, 2), 4)
    assert crops.dtype == np.uint8
    assert (again[2][0] == crops).all()
    assert (next_seed[2][0] != crops).any()
    again.on_epoch_end()
    assert (again[2][0] != crops).any()
    assert labels.sum(axis=1) == pytest.approx(np.ones(16), abs=1e-6)
    assert Counter(np.argmax(np.concatenate([first[i][1] for i in range(4)]), axis=1).tolist()).keys() == {0, 1}


def test_what_is_drawn_covers_the_mouth_and_leaves_the_eyes() -> None:
    face = np.full((80, 80), 120, np.uint8)
    eyes, mouth = np.s_[26:36, 24:56], np.s_[52:58, 36:44]
    for draw, kind, covers in (
        (draw_mask, "dark", True),
        (draw_cover, "hand", True),
        (draw_cover, FLAT_HAND, True),
        (draw_cover, "paper", True),
        (draw_worn_wrong, "under_chin", False),
    ):
        changed = np.mean([draw(np.random.default_rng(seed), face, kind) != face for seed in range(20)], axis=0)
        assert (changed[mouth].mean() > 0.9) == covers
        assert changed[eyes].mean() < 0.15
        assert changed[60:].mean() > 0.1
    assert (draw_mask(np.random.default_rng(3), face) == draw_mask(np.random.default_rng(3), face)).all()


def test_what_is_drawn_on_either_class_leaves_nose_and_mouth() -> None:
    face = np.full((80, 80), 120, np.uint8)
    nose_and_mouth, eyes, brim = np.s_[44:58, 34:46], np.s_[30:40, 26:54], np.s_[14:20, 30:50]
    for draw, where in ((draw_glasses, eyes), (draw_headwear, brim), (draw_beside, np.s_[:])):
        drawn = np.array([draw(np.random.default_rng(seed), face) for seed in range(20)])
        changed = np.abs(drawn.astype(int) - 120).mean(axis=0)
        assert changed[where].mean() > 3
        assert changed[nose_and_mouth].mean() < 3


def test_slices_are_drawn_from_other_random_numbers_than_training(photos: Dataset) -> None:
    name, crops, _ = next(iter(drawn_slices(photos)))
    rng = np.random.default_rng([0, 0, 0])  # the first batch's
    bare = rng.permutation(np.flatnonzero(photos.labels == 1))[: len(crops)]
    assert name == "mask_pale"
    assert (crops[0] != _middle(draw_mask(rng, photos.wide[bare[0]], "pale"), SIZE)).any()


def test_slices_have_names_and_one_truth_each(photos: Dataset) -> None:
    slices = {name: (crops, labels) for name, crops, labels in drawn_slices(photos)}

    assert {"mask_dark", "nose_out", "hand_before_mouth", "low_light", "backlight", "people_dark_skin"} <= set(slices)
    assert all(crops.shape == (len(labels), SIZE, SIZE) for crops, labels in slices.values())
    assert {name: set(slices[name][1].tolist()) for name in ("mask_dark", "nose_out", "low_light")} == {
        "mask_dark": {0}, "nose_out": {1}, "low_light": {0, 1},
    }
    again = {name: crops for name, crops, _ in drawn_slices(photos)}
    assert all((again[name] == crops).all() for name, (crops, _) in slices.items())


def test_the_temperature_undoes_overconfidence() -> None:
    rng = np.random.default_rng(0)
    logits = rng.normal(0, 2, (20_000, 2)).astype(np.float32)
    chance = 1 / (1 + np.exp(logits[:, 0] - logits[:, 1]))
    labels = (rng.random(len(chance)) < chance).astype(np.intp)

    assert find_temperature(logits, labels) == pytest.approx(1, abs=0.05)
    assert find_temperature(logits * 3, labels) == pytest.approx(3, abs=0.15)


def test_door_is_trained_stopped_resumed_and_converted_to_the_same_bytes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(NETWORKS, "door", replace(NETWORKS["door"], batches=12))
    data, extra = drawn_photos(tmp_path / "photos", 40), drawn_photos(tmp_path / "more", 20, seed=2)
    apart = tmp_path / "apart"
    shutil.copytree(extra, apart)
    for label in ("with_mask", "without_mask"):
        for path in sorted((apart / label).iterdir())[12:]:
            path.unlink()

    def train(runs: str, epochs: int) -> None:
        assert main([
            "train", "--model", "door", "--data", str(data), "--extra", str(extra), "--apart", str(apart), "--size",
            str(SIZE), "--epochs", str(epochs), "--runs", str(tmp_path / runs),
        ]) == 0  # fmt: skip

    train("a", 6)
    train("b", 6)
    wanted = ["convert", "--miss-cost", "3", "--runs", str(tmp_path / "a"), "--models", str(tmp_path / "a")]
    assert main(wanted) == main([word.replace(str(tmp_path / "a"), str(tmp_path / "b")) for word in wanted]) == 0
    card, content = read_card(tmp_path / "a" / "door.tflite")
    assert content == (tmp_path / "b" / "door.tflite").read_bytes()
    assert (card.input_size, card.threshold, card.trained_on.miss_cost) == (SIZE, 64.5 / 256, 3.0)
    assert card.trained_on.sources.keys() == {"photos", "more"}
    assert card.trained_on.near_copies["more"] >= 24
    assert card.trained_on.measuring.keys() == {"apart"}
    assert card.trained_on.command == (
        "make train convert DATA=photos MODEL=door SIZE=24 EPOCHS=6 SEED=0 SPLIT=grouped THREADS=2 MISS_COST=3 "
        "EXTRA=more APART=apart"
    )
    assert card.measured.parity >= 0.995
    told = re.findall(r"apart: same verdict as Keras on (.*)% of 24, balanced accuracy (.*)%, Keras's (.*)%",
                      capsys.readouterr().out)
    assert len(told) == 2  # both conversions
    assert told[0] == told[1]
    same, rounded, exact = map(float, told[0])
    assert same >= 85  # two or three of them lie at the threshold
    assert abs(rounded - exact) <= 15

    train("b", 8)
    resumed = load_run(current(tmp_path / "b")[-1]).state
    assert (resumed.epochs, len(resumed.history["val_loss"])) == (8, 8)
    assert resumed.history["val_loss"][:6] == load_run(current(tmp_path / "a")[-1]).state.history["val_loss"]


class KnownFaces:
    """A finder that knows where the faces of the one picture are, and imagines one more."""

    name, sha256 = "haar", HaarFaceFinder().sha256  # as the toy's card says

    def find(self, luma: Luma) -> list[Face]:
        return [Face(Box(10, 20, 40, 40), 1.0), Face(Box(100, 0, 20, 20), 1.0)]


def test_scenes_are_judged_where_a_found_face_meets_a_known_one(
    toy: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    picture = np.zeros((80, 120), np.uint8)
    rows = []
    for number in range(6):
        picture[:] = number + (240 if number % 2 else 5)
        cv2.imwrite(str(tmp_path / f"hall-{number}.png"), picture)
        rows += [f"hall-{number}.png,12,22,40,40,{'without_mask' if number % 2 else 'with_mask'}"]
    cv2.imwrite(str(tmp_path / "hall-6.png"), np.full((80, 120), 250, np.uint8))
    rows += ["hall-0.png,70,30,40,40,with_mask", "hall-6.png,8,20,40,40,mask_weared_incorrect"]
    rows += ["hall-0.png,12,22,40,40,Mask", "hall-1.png,12,22,40,40,no mask"]
    (tmp_path / "boxes.csv").write_text("\n".join(["file,x,y,w,h,label", *rows]))

    found = evaluate(Classifier(str(toy)), KnownFaces(), tmp_path)

    assert (found.n, found.accuracy, found.no_face) == (6, 1.0, 1)
    assert "boxes.csv: 2 of 10 boxes have another label, as 'Mask', expected with_mask, " in capsys.readouterr().err
    assert (found.slices["worn_wrong"].n, found.slices["worn_wrong"].called_with_mask) == (1, 0.0)


def test_a_face_of_a_scene_with_both_labels_is_named_and_not_counted(
    toy: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = []
    for number, label in enumerate(("with_mask", "without_mask", "with_mask")):
        cv2.imwrite(str(tmp_path / f"hall-{number}.png"), np.full((80, 120), 250 * (number % 2) + number, np.uint8))
        rows += [f"hall-{number}.png,12,22,40,40,{label}"]
    rows += ["hall-2.png,13,22,40,40,without_mask"]  # as two people draw a box
    (tmp_path / "boxes.csv").write_text("\n".join(["file,x,y,w,h,label", *rows]))

    found = evaluate(Classifier(str(toy)), KnownFaces(), tmp_path)

    assert (found.n, found.accuracy, found.no_face, found.refused) == (2, 1.0, 0, 2)
    scene = tmp_path / "hall-2.png"
    assert capsys.readouterr().err.splitlines() == [
        f"left out: {scene}: its face at {here},22,40,40 is the same as at {there},22,40,40 in {scene}, which has "
        "another label: remove the wrong one"
        for here, there in ((12, 13), (13, 12))
    ]


def test_a_face_that_is_marked_again_or_lies_outside_its_scene_is_named_and_not_counted(
    toy: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, grey in (("a-1.png", 5), ("a-2.png", 250), ("a-3.jpeg2", 250)):
        (tmp_path / name).write_bytes(cv2.imencode(".png", np.full((80, 120), grey, np.uint8))[1].tobytes())
    shutil.copy(tmp_path / "a-2.png", tmp_path / "a-4.png")  # a copy is a picture of its own
    rows = ["a-1.png,12,22,40,40,with_mask", *(f"a-{n}.png,12,22,40,40,without_mask" for n in (2, 4))]
    rows += [*rows, "a-2.png,13,23,40,40,without_mask"]
    rows += ["a-1.png,-60,22,40,40,with_mask", "a-3.jpeg2,12,22,40,40,without_mask"]
    (tmp_path / "boxes.csv").write_text("\n".join(["file,x,y,w,h,label", *rows]))

    found = evaluate(Classifier(str(toy)), KnownFaces(), tmp_path)

    assert (found.n, found.accuracy, found.no_face, found.refused) == (3, 1.0, 0, 6)
    told = capsys.readouterr().err.splitlines()
    again = "marks a face again, expected one box for each: remove it"
    boxes = ("a-1.png", "12 22"), ("a-2.png", "12 22"), ("a-4.png", "12 22"), ("a-2.png", "13 23")
    assert told[:4] == [f"left out: {tmp_path}/{name}: box {place} 40 40 {again}" for name, place in boxes]
    assert [line.partition(", ")[0] for line in told[4:]] == [
        f"left out: {tmp_path}/a-1.png: box -60 22 40 40 isn't in its 120x80 pixels",
        f"left out: {tmp_path}/a-3.jpeg2: isn't named as a picture",
    ]


def test_a_found_box_is_the_face_of_one_person_only(toy: Path, tmp_path: Path) -> None:
    for number, grey in enumerate((5, 250)):
        cv2.imwrite(str(tmp_path / f"hall-{number}.png"), np.full((80, 120), grey, np.uint8))
    # Both of the first picture's faces meet the box that is found of the left one.
    rows = [f"hall-0.png,{place},40,40,with_mask" for place in ("25,20", "12,22")]
    rows += ["hall-1.png,12,22,40,40,without_mask"]
    (tmp_path / "boxes.csv").write_text("\n".join(["file,x,y,w,h,label", *rows]))

    found = evaluate(Classifier(str(toy)), KnownFaces(), tmp_path)

    assert (found.n, found.no_face) == (2, 1)
    assert judge_folder(Classifier(str(toy)), KnownFaces(), tmp_path)[0].names == [
        "hall-0.png#12,22,40,40", "hall-1.png#12,22,40,40",
    ]  # fmt: skip


def test_a_damaged_scene_is_named_and_the_others_are_judged(
    toy: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, grey in (("a-1.png", 5), ("a-2.png", 250), ("a-3.png", 250)):
        cv2.imwrite(str(tmp_path / name), np.full((80, 120), grey, np.uint8))
    (tmp_path / "a-3.png").write_bytes((tmp_path / "a-3.png").read_bytes()[:-20])
    rows = ["a-1.png,12,22,40,40,with_mask", *(f"a-{n}.png,12,22,40,40,without_mask" for n in (2, 3))]
    (tmp_path / "boxes.csv").write_text("\n".join(["file,x,y,w,h,label", *rows]))

    found = evaluate(Classifier(str(toy)), KnownFaces(), tmp_path)

    assert (found.n, found.accuracy, found.no_face, found.refused) == (2, 1.0, 0, 1)
    assert capsys.readouterr().err == (
        f"left out: {tmp_path}/a-3.png: is cut short, expected a whole picture: copy it again or remove it\n"
    )


def test_a_folder_that_is_gone_while_its_scenes_are_judged_gives_no_figures(toy: Path, tmp_path: Path) -> None:
    stick = tmp_path / "stick"
    stick.mkdir()
    rows = [f"a-{n}.png,12,22,40,40,{label}" for n, label in enumerate(("with_mask", "without_mask", "with_mask"))]
    for number in range(3):
        cv2.imwrite(str(stick / f"a-{number}.png"), np.full((80, 120), 5 + 245 * (number % 2) + number, np.uint8))
    (stick / "boxes.csv").write_text("\n".join(["file,x,y,w,h,label", *rows]))

    class Unplugging(KnownFaces):
        seen = 0

        def find(self, luma: Luma) -> list[Face]:
            self.seen += 1
            if self.seen == 2:
                stick.rename(tmp_path / "gone")
            return super().find(luma)

    with pytest.raises(PhotosError, match=r"stick/a-2.png: can't be read .* could be read a moment ago: run the same"):
        evaluate(Classifier(str(toy)), Unplugging(), stick)


def test_faces_of_one_class_only_are_one_line(toy: Path, tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "hall-1.png"), np.zeros((80, 120), np.uint8))
    rows = ["hall-1.png,12,22,40,40,with_mask", "hall-1.png,100,0,20,20,mask_weared_incorrect"]
    (tmp_path / "boxes.csv").write_text("\n".join(["file,x,y,w,h,label", *rows]))

    with pytest.raises(PhotosError, match="no face without_mask was found in it, expected with_mask and without_mask"):
        evaluate(Classifier(str(toy)), KnownFaces(), tmp_path)


@pytest.mark.parametrize(
    ("option", "line"),
    [
        ("--slices", "on which no slices are drawn, expected photos or face crops: leave out SLICES= and --slices"),
        ("--cropped", "whole pictures in which faces are found, expected photos or face crops: leave out CROPPED= and "
                      "--cropped"),
    ],
)  # fmt: skip
def test_what_scenes_have_not_is_refused_before_any_is_judged(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], option: str, line: str
) -> None:
    (tmp_path / "boxes.csv").write_text("file,x,y,w,h,label\n")
    assert main(["evaluate", "--data", str(tmp_path), option]) == 2
    assert capsys.readouterr() == ("", f"error: {tmp_path}: holds scenes, {line}, or name another folder\n")


def test_each_source_is_judged_by_a_model_that_never_saw_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(NETWORKS, "door", replace(NETWORKS["door"], batches=12))
    folders = [drawn_photos(tmp_path / name, 20, seed=seed) for seed, name in enumerate(("red", "green", "blue"))]
    material = alone(load_dataset(folders, SIZE, cropped=True))

    parts = by_source(material, 99)
    assert [sorted({material.dataset.sources[i] for i in part}) for part in parts] == [["blue"], ["green"], ["red"]]
    assert np.array_equal(np.sort(np.concatenate(parts)), np.arange(120))
    found = list(cross_validate(material, parts, Asked("linear", 1, 0, 2), True, tmp_path / "runs"))
    assert [(fold.name, fold.n) for fold in found] == [("blue", 40), ("green", 40), ("red", 40)]
    assert [len(list(cross_validate(material, parts[:1], Asked("door", 1, 0, 2), True, tmp_path / "runs")))] == [1]


def test_the_table_puts_models_side_by_side(toy: Path, tmp_path: Path) -> None:
    folder = drawn_photos(tmp_path / "strangers", 12)
    rows = compare([toy], [folder], cropped=True)

    assert [row.name for row in rows] == ["toy", PEER]
    assert rows[0].cpu_ms < rows[1].cpu_ms
    assert rows[1].accuracy == {}
    assert 752_682 < rows[1].kilobytes * 1000 < 0.85e6  # a byte for each weight, and what the file adds
    assert table(rows).splitlines()[0] == "| model | strangers | kB | million multiply-adds | CPU ms |"
    assert rows[1].multiply_adds == multiply_adds(peer()) / 1e6


def test_models_and_folders_of_one_name_are_told_apart(
    toy: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    new = tmp_path / "new" / "toy.tflite"
    shutil.copytree(toy.parent, new.parent, ignore=shutil.ignore_patterns("[!t]*"))
    one, other = (drawn_photos(tmp_path / name / "photos", 10) for name in ("one", "other"))
    rows = compare([toy, new], [one, other], cropped=True)

    assert [row.name for row in rows] == [str(toy), str(new), PEER]
    assert list(rows[0].accuracy) == [str(one), str(other)]
    assert capsys.readouterr().err == ""

    card = new.with_suffix(".json")
    card.write_text(card.read_text().replace('"dataset_sha256": ""', '"dataset_sha256": "other"'))
    compare([toy, new], [one], cropped=True)

    assert capsys.readouterr().err == (
        f"{new}: trained on other photos than {toy}, which tells in the figures too: `make compare DATA=` trains all "
        "on the same\n"
    )


def test_hiding_what_decides_lowers_the_score(toy: Path) -> None:
    size = 40
    inputs = keras.Input((size, size, 1))
    bright = keras.layers.GlobalAveragePooling2D()(keras.layers.Cropping2D(((0, 20), (0, 20)))(inputs))
    network = keras.Model(inputs, keras.layers.Concatenate()([bright, bright]))
    crop = np.zeros((size, size), np.uint8)
    crop[:20, :20] = 200

    places = occlusion_map(network, crop, 0)

    rows = len(places) // 2
    assert places[:3, :3].min() > 0
    assert np.abs(places[rows + 2 :, rows + 2 :]).max() == 0


def test_slices_need_bare_faces_without_a_note(
    toy: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = drawn_photos(tmp_path / "noted", 12)
    rows = [f"{path.relative_to(folder)},{path.parent.name},door,real,{'hand' if 'without' in str(path) else ''}"
            for path in sorted(folder.rglob("*.png"))]  # fmt: skip
    (folder / "crops.csv").write_text("\n".join(["file,label,source,kind,note", *rows]))

    assert main(["evaluate", "--data", str(folder), "--slices", "--model", str(toy)]) == 2

    assert capsys.readouterr().err.splitlines()[-1] == (
        f"error: {folder}: each face without_mask in it has a note or wears a mask wrong, expected some that are "
        "plain, to draw on: add some, or leave out SLICES= and --slices"
    )


def test_crops_that_a_table_names_need_no_face_finder(
    toy: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = with_card(toy, tmp_path, face_finder="yunet", face_finder_sha256="0" * 64)
    folder = drawn_photos(tmp_path / "faces", 12)
    command = ["evaluate", "--data", str(folder), "--model", model]
    assert main(command) == 2
    assert "face_detection_yunet_2023mar.onnx: can't be read" in capsys.readouterr().err
    rows = [f"{path.relative_to(folder)},{path.parent.name},door,real," for path in sorted(folder.rglob("*.png"))]
    (folder / "crops.csv").write_text("\n".join(["file,label,source,kind,note", *rows]))

    assert main(command) == 0

    assert "\nno face found in  0, left out 0\n" in capsys.readouterr().out


def test_figures_that_cannot_be_written_are_refused_before_or_printed_all_the_same(
    toy: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = drawn_photos(tmp_path / "strangers", 12)
    words = ["evaluate", "--data", str(folder), "--cropped", "--model", str(toy), "--json"]
    (tmp_path / "file").touch()
    os.mkfifo(tmp_path / "pipe")
    lines = {
        tmp_path: f"{tmp_path} is a folder or a device, expected a file: name one",
        tmp_path / "pipe": f"{tmp_path}/pipe is a folder or a device, expected a file: name one",
        tmp_path / "file" / "a.json": f"{tmp_path}/file can't be written to (Not a directory), expected a folder for "
        f"{tmp_path}/file: name another",
    }
    for figures, line in lines.items():
        with pytest.raises(SystemExit) as refused:
            main([*words, str(figures)])
        assert (refused.value.code, capsys.readouterr()) == (
            2, ("", f"error: argument --json: {line}: see python -m trainer evaluate --help\n"),
        )  # fmt: skip

    assert main([*words, str(tmp_path / ("f" * 250))]) == 2

    printed = capsys.readouterr()
    assert printed.out.startswith("toy: 24 photos of strangers\nbalanced accuracy ")
    assert printed.err.splitlines()[-1].endswith(": File name too long")


def test_figures_are_written_where_a_link_leads_and_it_stays_one(toy: Path, tmp_path: Path) -> None:
    folder, link, real = drawn_photos(tmp_path / "strangers", 12), tmp_path / "link", tmp_path / "there" / "a.json"
    real.parent.mkdir()
    real.write_text("old")
    link.symlink_to(real)
    assert main(["evaluate", "--data", str(folder), "--cropped", "--model", str(toy), "--json", str(link)]) == 0
    assert link.is_symlink()
    assert json.loads(real.read_text())["n"] == 24


def test_evaluate_writes_the_slices(toy: Path, tmp_path: Path) -> None:
    folder, figures = drawn_photos(tmp_path / "strangers", 12), tmp_path / "figures.json"
    model = str(toy)
    assert main(["evaluate", "--data", str(folder), "--cropped", "--slices", "--model", model, "--json",
                 str(figures)]) == 0

    found = json.loads(figures.read_text())
    assert {"mask_dark", "hand_before_mouth", "people_dark_skin"} <= set(found["slices"])
    assert found["slices"]["mask_dark"]["right"] == found["slices"]["mask_dark"]["called_with_mask"]
