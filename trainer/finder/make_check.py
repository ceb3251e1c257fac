"""Trains the face finder's check on what the finder names, and converts it."""

import dataclasses
import hashlib
import inspect
from pathlib import Path

import cv2
import keras
import numpy as np
from tqdm import tqdm

from device import crop, face_check, faces, finders, heatmap, pictures, reduce, yunet
from device.cards import card_json
from device.disk import write_whole
from device.face_card import CheckCard, FaceCard, check_path, read_face_card
from device.face_check import FaceCheck
from device.faces import Face, Luma
from device.finders import OwnFaceFinder
from device.tflite import TFLite
from trainer import cutting, hands, lit_face, photo_accessories, photo_covers, photo_masks, shapes
from trainer.finder import annotations, compose, contenders, crops, dress, lay, matching, photograph, scenes, teacher
from trainer.finder.check import check as new_check
from trainer.finder.check import train_check
from trainer.finder.compose import Composer
from trainer.finder.contenders import LOWEST_SCORE
from trainer.finder.convert import CALIBRATION_PICTURES, WATCHED_QUIET, Find, as_run, keep_weights, settle
from trainer.finder.crops import MARGIN, SIZE, Crops, camera_picture, crops_in
from trainer.finder.matching import Sighting, tally
from trainer.finder.material import FinderPlan, gather
from trainer.finder.measure import OVERLAP
from trainer.finder.run import command, held_of, plot_loss, require_unknown, run_folder, said, scenes_of
from trainer.finder.scenes import FACE, Scene
from trainer.finder.training import read_start
from trainer.photos import PhotosError
from trainer.quantize import quantize
from trainer.runs import State, load_state, only_one, tell_changes
from trainer.training import read_network, set_threads

NAME = "faces-check"
FROM_SCORE = 0.15  # of the face network: lower ones hold one face in a hundred, and cost as much each
PICTURES, WATCHED_PICTURES = 300_000, 6_000
# Part of a run's name and of its crops': with other code, the same photos may give others.
SHAPING_CODE = (
    annotations, compose, contenders, crop, crops, cutting, dress, face_check, faces, finders, hands, heatmap, lay,
    lit_face, matching, photo_accessories, photo_covers, photo_masks, photograph, pictures, reduce, scenes, shapes,
    teacher, yunet,
)  # fmt: skip


def make_check(plan: FinderPlan, measured_on: list[Path], runs: Path, models: Path) -> str:
    """Train the check of the face network in `models`, from where an earlier call was stopped, and convert it.

    plan: what the face network learned from. Returns what there is to say of it. The card of the face network gets the
    check, the threshold and the figures of both together. Raises ModelError, PhotosError, ConversionError, or RunError
    while another process trains the same.
    """
    model = models / "faces.tflite"
    card, _ = read_face_card(model)
    if plan.hold_out != card.trained_on.held_out:
        raise PhotosError(
            f"--hold-out is {' '.join(plan.hold_out) or 'empty'}, the card of {model} says "
            f"{' '.join(card.trained_on.held_out) or 'nothing'}: give the same, or what it is measured with was learned"
        )
    extra = scenes_of(measured_on)
    material = gather(plan)
    require_unknown(extra, material)
    set_threads(plan.threads)
    keras.utils.clear_session()
    start = read_start(Path(plan.start), new_check(), NAME, plan.seed) if plan.start else None
    cv2.setNumThreads(1)  # crops are cut and changed in several threads already
    folder, cut = folders_of(plan, [material.sha256, card.sha256], runs)
    with only_one(folder):
        with only_one(cut, "is being filled with crops"):
            learned = crops_in(cut / "learned", material.composer, model, PICTURES, plan.seed, plan.threads)
            watched = crops_in(cut / "watched", material.validation, model, WATCHED_PICTURES, plan.seed, plan.threads)
        state = load_state(folder)
        tell_changes(state, folder)
        state = train_check(folder, state, learned, watched, plan.epochs, plan.seed, start)
    plot_loss(state, folder, "cross-entropy")
    network = read_network(folder / state.best, compiled=False)
    chosen = np.random.default_rng(plan.seed).permutation(len(learned.lumas))[:CALIBRATION_PICTURES]
    content = quantize(network, learned.lumas[chosen])
    check = _check_card(plan, state, learned, content, command("face-check", plan, measured_on))
    exact, rounded = (_finder(model, FaceCheck(run, check)) for run in (as_run(network), TFLite(content).run))
    quiet = _quiet_threshold(rounded, material.validation, plan.seed)
    threshold, measured = settle(NAME, exact, rounded, quiet, material, {**held_of(material), **extra})
    both: FaceCard = dataclasses.replace(card, threshold=threshold, measured=measured, check=check)
    told = card_json(both).encode()  # before anything is replaced
    write_whole(check_path(model), content)
    write_whole(model.with_suffix(".json"), told)
    keep_weights(network, folder, models / f"{NAME}.keras")  # last, because START may name it
    return said(state, check_path(model), both)


def folders_of(plan: FinderPlan, made_of: list[object], runs: Path) -> tuple[Path, Path]:
    """Return the folder of a run, and that of the crops that it shares with runs of another START or more EPOCHS."""
    code = hashlib.sha256("".join(inspect.getsource(module) for module in SHAPING_CODE).encode()).hexdigest()
    more = [*made_of, PICTURES, WATCHED_PICTURES, code, cv2.__version__]
    shared = dataclasses.replace(plan, start="", epochs=0, threads=0)
    return run_folder("face-check", plan, more, runs), run_folder("face-crops", shared, more, runs)


def _finder(model: Path, check: FaceCheck) -> Find:
    network = OwnFaceFinder(model, checked=False)

    def find(luma: Luma) -> list[Face]:
        return check.confirm(luma, network.places(luma, check.from_score), LOWEST_SCORE)

    return find


def _quiet_threshold(find: Find, composer: Composer, seed: int) -> float:
    """Return the lowest score at which composed pictures of watched photos have WATCHED_QUIET false boxes, or inf.

    Of the photos themselves there are too few: one false box more or less would move it by a third of the scale.
    """
    rng, sightings = np.random.default_rng(seed), []
    for _ in tqdm(range(WATCHED_PICTURES), "watching", unit="picture", disable=None):
        luma, boxes, ignored = camera_picture(composer, rng)
        faces = find(luma)
        scene = Scene(Path(), "", boxes, (FACE,) * len(boxes), ignored, "")
        found = np.array([face.box for face in faces], np.float32).reshape(-1, 4)
        sightings.append(Sighting(scene, len(luma), found, np.array([face.score for face in faces], np.float32)))
    return tally(sightings, OVERLAP).quiet_threshold(WATCHED_QUIET)


def _check_card(plan: FinderPlan, state: State, learned: Crops, content: bytes, asked: str) -> CheckCard:
    faces = int(learned.is_face.sum())
    return CheckCard(
        sha256=hashlib.sha256(content).hexdigest(), size=SIZE, margin=MARGIN, from_score=FROM_SCORE, pictures=PICTURES,
        faces=faces, others=len(learned.is_face) - faces, epochs=state.epochs, seed=plan.seed, threads=plan.threads,
        versions=state.versions, commit=state.commit, command=asked,
    )  # fmt: skip
