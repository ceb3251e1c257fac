"""Trains the face finder's check on what the finder names, and converts it."""

import dataclasses
import hashlib
from pathlib import Path

import cv2
import keras
import numpy as np

from device.cards import card_json
from device.face_card import CheckCard, FaceCard, check_path, read_face_card
from device.face_check import FaceCheck
from device.faces import Face, Luma
from device.finders import OwnFaceFinder
from device.tflite import TFLite
from trainer.cache import write_whole
from trainer.finder.check import check as new_check
from trainer.finder.check import train_check
from trainer.finder.contenders import LOWEST_SCORE
from trainer.finder.convert import CALIBRATION_PICTURES, Find, as_run, keep_weights, settle
from trainer.finder.crops import MARGIN, SIZE, Crops, crops_in
from trainer.finder.make import command, held_of, plot_loss, run_folder, said, scenes_of
from trainer.finder.material import FinderPlan, gather
from trainer.finder.training import read_start
from trainer.photos import PhotosError
from trainer.quantize import quantize
from trainer.runs import State, load_state, only_one, tell_changes
from trainer.training import read_network, set_threads

NAME = "faces-check"
FROM_SCORE = 0.15  # of the face network: lower ones hold one face in a hundred, and cost as much each
PICTURES, WATCHED_PICTURES = 300_000, 6_000


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
    extra = scenes_of(measured_on, plan)
    material = gather(plan)
    set_threads(plan.threads)
    keras.utils.clear_session()
    start = read_start(Path(plan.start), new_check(), NAME) if plan.start else None
    cv2.setNumThreads(1)  # crops are cut and changed in several threads already
    folder = run_folder("face-check", plan, [material.sha256, card.sha256, PICTURES], runs)
    with only_one(folder):
        learned = crops_in(folder / "learned", material.composer, model, PICTURES, plan.seed, plan.threads)
        watched = crops_in(folder / "watched", material.validation, model, WATCHED_PICTURES, plan.seed, plan.threads)
        state = load_state(folder)
        tell_changes(state, folder)
        state = train_check(folder, state, learned, watched, plan.epochs, plan.seed, start)
    plot_loss(state, folder, "cross-entropy")
    network = read_network(folder / state.best, compiled=False)
    chosen = np.random.default_rng(plan.seed).permutation(len(learned.lumas))[:CALIBRATION_PICTURES]
    content = quantize(network, learned.lumas[chosen])
    check = _check_card(plan, state, learned, content, command("face-check", plan, measured_on))
    exact, rounded = (_finder(model, FaceCheck(run, check)) for run in (as_run(network), TFLite(content).run))
    threshold, measured = settle(NAME, exact, rounded, material, {**held_of(material), **extra})
    both: FaceCard = dataclasses.replace(card, threshold=threshold, measured=measured, check=check)
    told = card_json(both).encode()  # before anything is replaced
    keep_weights(network, folder, models / f"{NAME}.keras")
    write_whole(check_path(model), content)
    write_whole(model.with_suffix(".json"), told)
    return said(state, check_path(model), both)


def _finder(model: Path, check: FaceCheck) -> Find:
    network = OwnFaceFinder(model)

    def find(luma: Luma) -> list[Face]:
        return check.confirm(luma, network.places(luma, check.from_score), LOWEST_SCORE)

    return find


def _check_card(plan: FinderPlan, state: State, learned: Crops, content: bytes, asked: str) -> CheckCard:
    faces = int(learned.is_face.sum())
    return CheckCard(
        sha256=hashlib.sha256(content).hexdigest(), size=SIZE, margin=MARGIN, from_score=FROM_SCORE, pictures=PICTURES,
        faces=faces, others=len(learned.is_face) - faces, epochs=state.epochs, seed=plan.seed, threads=plan.threads,
        versions=state.versions, commit=state.commit, command=asked,
    )  # fmt: skip
