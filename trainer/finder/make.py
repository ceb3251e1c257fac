"""Trains the face network and converts it."""

from pathlib import Path

import keras

from trainer.finder.convert import NAME, convert_finder
from trainer.finder.material import FinderPlan, gather
from trainer.finder.network import finder
from trainer.finder.run import command, held_of, plot_loss, require_unknown, run_folder, said, scenes_of
from trainer.finder.training import read_start, train_finder
from trainer.runs import load_state, only_one, tell_changes
from trainer.training import set_threads


def make_faces(plan: FinderPlan, measured_on: list[Path], runs: Path, models: Path) -> str:
    """Train as planned, from where an earlier call was stopped, and convert; return what there is to say of it.

    measured_on: folders of scenes to measure with beside what the plan keeps apart. Raises PhotosError,
    ConversionError, or RunError while another process trains the same.
    """
    set_threads(plan.threads)
    keras.utils.clear_session()
    start = read_start(Path(plan.start), finder(), NAME, plan.seed) if plan.start else None
    extra = scenes_of(measured_on)
    material = gather(plan)
    require_unknown(extra, material)
    folder = run_folder("faces", plan, [material.sha256], runs)
    with only_one(folder):
        state = load_state(folder)
        tell_changes(state, folder)
        state = train_finder(folder, state, material, plan.epochs, plan.seed, start)
    plot_loss(state, folder, "focal loss + boxes")
    sets = {**held_of(material), **extra}
    card = convert_finder(plan, state, folder, material, sets, models, command("faces", plan, measured_on))
    return said(state, models / "faces.tflite", card)
