"""What the trainings of the face network and of its check share: a run's folder and plot, what it is measured with."""

import dataclasses
import hashlib
import io
import itertools
import json
from pathlib import Path

from matplotlib.figure import Figure

from device.disk import write_whole
from device.face_card import FaceCard
from trainer.finder.material import FinderMaterial, FinderPlan, usable_scenes
from trainer.finder.scenes import Scene
from trainer.photos import PhotosError
from trainer.provenance import make_name, make_names
from trainer.runs import State
from trainer.sources import distinct


def run_folder(kind: str, plan: FinderPlan, more: list[object], runs: Path) -> Path:
    """Return the folder of a run, with its plan in it; kind and more: what tells runs of the same plan apart."""
    asked = json.dumps([plan.identity(), *more])
    folder = runs / f"{kind}-{hashlib.sha256(asked.encode()).hexdigest()[:8]}"
    write_whole(folder / "run.json", (json.dumps(dataclasses.asdict(plan), indent=1) + "\n").encode())
    return folder


def scenes_of(folders: list[Path]) -> dict[str, list[Scene]]:
    """Return the scenes of folders to measure with, by their names. Raises PhotosError."""
    names = distinct([folder.name for folder in folders], folders)
    return {name: usable_scenes(folder) for name, folder in zip(names, folders, strict=True)}


def require_unknown(sets: dict[str, list[Scene]], material: FinderMaterial) -> None:
    """Raise PhotosError where scenes to measure with are learned from or watched."""
    for scene in itertools.chain(*sets.values()):
        if scene.path.resolve() in material.known:
            raise PhotosError(f"{scene.path}: is trained on, so measuring with it would flatter: name a folder without "
                              "it to measure with, or keep it apart with --hold-out")


def said(state: State, model: Path, card: FaceCard) -> str:
    """Return what there is to say of a network that was trained and converted."""
    lines = [f"{state.epochs} epochs, best {state.best_epoch + 1}: {model} and its card, "
             f"a face from score {card.threshold:.2f} on"]
    for name, found in card.measured.sets.items():
        line = f"{name}: {found.false_boxes_a_picture:.3f} false boxes a picture in {found.pictures}"
        if found.faces_masked or found.faces_bare:
            line += f", found: {found.recall_masked:.1%} of {found.faces_masked} masked faces"
            line += f" and {found.recall_bare:.1%} of {found.faces_bare} bare ones"
        lines.append(line)
    return "\n".join(lines)


def held_of(material: FinderMaterial) -> dict[str, list[Scene]]:
    """Return the sets that were kept apart, by name."""
    hard = [scene for scene in material.held_backgrounds if scene.is_hard]
    plain = [scene for scene in material.held_backgrounds if not scene.is_hard]
    sets = {"held-out scenes": material.held_scenes, "held-out backgrounds": plain, "held-out hard backgrounds": hard}
    return {name: scenes for name, scenes in sets.items() if scenes}


def command(verb: str, plan: FinderPlan, measured_on: list[Path]) -> str:
    """Return the `make` command that does the same."""
    folders = {"SCENES": plan.scenes, "BACKGROUNDS": plan.backgrounds, "UNLABELLED": plan.unlabelled,
               "MEASURE": [str(path) for path in measured_on]}
    named = {"TEACHER": Path(plan.teacher).name, "HOLD_OUT": " ".join(plan.hold_out), "START": Path(plan.start).name,
             "EPOCHS": str(plan.epochs), "SEED": str(plan.seed), "THREADS": str(plan.threads)}
    given = [f"{name}={make_names(Path(path).name for path in paths)}" for name, paths in folders.items() if paths]
    given += [f"{name}={make_name(value)}" for name, value in named.items() if value]
    return " ".join(["make", verb, *given])


def plot_loss(state: State, folder: Path, what: str) -> None:
    """Write loss.png."""
    figure = Figure((7, 3.5), layout="constrained")
    axes = figure.subplots()
    for name, label in (("loss", "train"), ("val_loss", "validation")):
        axes.plot(range(1, state.epochs + 1), state.history[name], label=label)
    axes.set(title="loss", xlabel="epoch", ylabel=what, yscale="log")
    axes.legend()
    picture = io.BytesIO()
    figure.savefig(picture, format="png", dpi=120)
    write_whole(folder / "loss.png", picture.getvalue())
