"""Trains a network on the crops of a dataset, epoch by epoch, so that it can be stopped and gone on with."""

import math
import sys
from pathlib import Path
from typing import Any

import keras
import numpy as np
import numpy.typing as npt

from device.faces import Luma
from trainer.bfloat16 import in_bfloat16
from trainer.dataset import Dataset
from trainer.interrupts import BetweenBatches
from trainer.networks import NETWORKS, Recipe
from trainer.provenance import commit, versions
from trainer.runs import Plan, Run, RunError, State, save_state
from trainer.sampling import Batches, InOrder
from trainer.split import Split

BATCH = 32  # photos, to predict with
AT_ONCE = 1024  # photos in memory while predicting
STOP_PATIENCE = 3  # epochs without a lower validation loss
PLATEAU_PATIENCE = 2  # epochs, before the learning rate is lowered
PLATEAU_FACTOR = 0.3
FROM_WEIGHTS = 0.5  # of a recipe's learning rate, where a training goes on from another's weights
BEST = "best-{epoch:03d}.keras"  # file of an epoch's weights, of the lowest validation loss until then


def train(run: Run, dataset: Dataset, split: Split, epochs: int) -> Run:
    """Train until `epochs` are done, from where the run's state left off; return the run as far as it has come then.

    Where photos aren't augmented, it ends earlier if validation loss stops falling. KeyboardInterrupt passes through;
    what the last finished epoch left in the run's folder stays usable.
    """
    plan, state, folder, recipe = run.plan, run.state, run.folder, NETWORKS[run.plan.network]
    if state.stopped or state.epochs >= epochs:
        return run
    keras.utils.clear_session()  # layers' names end up in the .tflite: count them from the start in every training
    keras.utils.set_random_seed(plan.seed)
    network = resumed(state, folder) if state.last else _compiled(plan)
    stopping = keras.callbacks.EarlyStopping("val_loss", patience=STOP_PATIENCE)
    plateau = keras.callbacks.ReduceLROnPlateau("val_loss", factor=PLATEAU_FACTOR, patience=PLATEAU_PATIENCE)
    watching = {} if recipe.augmented else {"stopping": stopping, "plateau": plateau}
    falling = [falling_rate(recipe.learning_rate, epochs)] if recipe.augmented else []
    keeper = StateKeeper(state, folder, watching, recipe.bfloat16)
    with in_bfloat16(recipe.bfloat16), BetweenBatches() as interrupts:
        network.fit(
            batches(dataset, split.train, recipe, plan.seed, state.epochs),
            validation_data=InOrder(dataset, split.validation, BATCH),
            epochs=epochs,
            initial_epoch=state.epochs,
            shuffle=False,  # each epoch has an order of its own already, and a resumed run has to see the same one
            callbacks=[*watching.values(), *falling, best_checkpoint(state, folder), interrupts, keeper],
            verbose=1 if sys.stdout.isatty() else 2,
        )
    return Run(plan, keeper.state, folder)


def read_network(path: Path, compiled: bool = True) -> Any:  # noqa: ANN401
    """Return the Keras network of a run's file, with its optimizer if `compiled`. Raises RunError if it is damaged."""
    try:
        return keras.saving.load_model(path, compile=compiled)
    except Exception as error:  # Keras names none for what it can't read
        raise RunError(
            f"{path}: Keras can't read it, expected a network: remove {path.parent}, and train again"
        ) from error


def resumed(state: State, folder: Path) -> Any:  # noqa: ANN401
    """Return a run's network as it was after the last epoch: it goes on as if it had never been stopped.

    Keras keeps weights and optimizer, but not how far the generators of the units to drop have come. Raises RunError.
    """
    network = read_network(folder / state.last)
    for generator, drawn in zip(_generators(network), state.draws, strict=True):
        generator.assign(drawn)
    return network


def batches(dataset: Dataset, chosen: npt.NDArray[np.intp], recipe: Recipe, seed: int, epoch: int) -> Any:  # noqa: ANN401
    """Return a recipe's batches of the photos `chosen`, beginning with an epoch."""
    if recipe.augmented:
        return Batches(dataset, chosen, recipe.batch, recipe.batches, seed, epoch)
    return InOrder(dataset, chosen, recipe.batch, seed, epoch)


def best_checkpoint(state: State, folder: Path) -> Any:  # noqa: ANN401
    """Return the callback that writes BEST after each epoch whose validation loss is the lowest of the run's."""
    lowest = min(state.history["val_loss"]) if state.history else None
    return keras.callbacks.ModelCheckpoint(
        str(folder / BEST), "val_loss", save_best_only=True, initial_value_threshold=lowest
    )


def falling_rate(learning_rate: float, epochs: int) -> Any:  # noqa: ANN401
    """Return the callback that lets the learning rate fall to nothing over so many epochs, along half a cosine."""
    return keras.callbacks.LearningRateScheduler(
        lambda epoch: learning_rate * (1 + math.cos(math.pi * epoch / epochs)) / 2
    )


def set_threads(threads: int) -> None:
    """Set how many threads one operation may use; the count changes the weights, so it belongs to a run.

    TensorFlow allows it once in a process, before anything is computed.
    """
    import tensorflow as tf

    if tf.config.threading.get_intra_op_parallelism_threads() != threads:
        tf.config.threading.set_intra_op_parallelism_threads(threads)


def predict(
    network: Any, crops: Luma, chosen: npt.NDArray[np.intp] | None = None,  # noqa: ANN401
) -> npt.NDArray[np.float32]:
    """Return a Keras network's scores, float32 (n, labels), of uint8 crops (n, size, size), or of the chosen ones."""
    numbers = np.arange(len(crops)) if chosen is None else chosen
    parts = [numbers[start : start + AT_ONCE] for start in range(0, len(numbers), AT_ONCE)]
    with BetweenBatches() as interrupts:
        asked = {"batch_size": BATCH, "verbose": 0, "callbacks": [interrupts]}
        return np.concatenate([network.predict(crops[part], **asked) for part in parts])


def _compiled(plan: Plan) -> Any:  # noqa: ANN401
    recipe = NETWORKS[plan.network]
    network = recipe.build(plan.size)
    network.compile(keras.optimizers.Adam(recipe.learning_rate), "categorical_crossentropy", metrics=["accuracy"])
    return network


def _generators(network: Any) -> list[Any]:  # noqa: ANN401
    return [variable for variable in network.variables if variable.name == "seed_generator_state"]


class StateKeeper(keras.callbacks.Callback):  # type: ignore[misc]
    """Writes the run's state after each epoch, and gives the other callbacks theirs back on resuming.

    It must be the last of the callbacks: Keras calls them in order, and each resets itself when training begins.
    """

    def __init__(self, state: State, folder: Path, others: dict[str, Any], bfloat16: bool = False) -> None:
        super().__init__()
        self.state = state
        self._folder = folder
        self._others = others
        # Of the code that is loaded, whatever is written meanwhile.
        self._commit, self._versions = commit(), versions(bfloat16)

    def on_train_begin(self, logs: dict[str, float] | None = None) -> None:
        """Give the other callbacks what they knew."""
        for name, callback in self._others.items():
            for attribute, value in self.state.callbacks.get(name, {}).items():
                setattr(callback, attribute, value)

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Save the model, then the state that points at it. Raises RunError for a loss that is no number."""
        figures = {name: float(value) for name, value in (logs or {}).items()}
        if not math.isfinite(figures["val_loss"]):
            raise RunError(f"{self._folder}: training diverged: loss isn't a number after epoch {epoch + 1}, expected "
                           "one: set another SEED, or give more photos; the epochs before are kept")
        best = BEST.format(epoch=epoch + 1)
        improved = figures["val_loss"] < min(self.state.history.get("val_loss", []), default=float("inf"))
        last = f"last-{epoch + 1:03d}.keras"
        self.model.save(self._folder / last)
        self.state = State(
            epochs=epoch + 1,
            asked=self.params["epochs"],
            best=best if improved else self.state.best,
            best_epoch=epoch if improved else self.state.best_epoch,
            last=last,
            stopped=self.model.stop_training,
            history={name: [*self.state.history.get(name, []), value] for name, value in figures.items()},
            callbacks={
                name: {"best": float(callback.best), "wait": callback.wait} for name, callback in self._others.items()
            },
            draws=[generator.numpy().tolist() for generator in _generators(self.model)],
            commit=self._commit if improved else self.state.commit,
            versions=self._versions if improved else self.state.versions,
        )
        save_state(self.state, self._folder)
