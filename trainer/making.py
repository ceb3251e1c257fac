"""The part of the trainer's command line that trains a classifier."""

import argparse
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from device.arguments import Parser
from device.quiet import native_code_quiet
from trainer.options import FINDERS, RUNS, SEED, SIZE, THREADS, folder, positive, seed, size, target, yunet

if TYPE_CHECKING:
    from trainer.jobs import Job

PRACTICE_EPOCHS = 10  # drawn faces are learned soon, and whoever tries things out waits


def add_making(commands: "argparse._SubParsersAction[Parser]") -> None:
    """Add the command."""
    train = commands.add_parser(
        "train", help="train a network on photos; if stopped, call it again to go on",
        description="Train a network on photos, into a folder of runs/. If it was stopped, the same\ncommand goes on "
        "from the last whole epoch.",
        epilog="examples:\n  python -m trainer train --data ~/photos\n"
        "  python -m trainer train --data ~/photos --model simple --finder haar",
    )  # fmt: skip
    train.set_defaults(command=_train)
    train.add_argument(
        "--data", help="a folder that holds with_mask/ and without_mask/ (default: the notebook's photos, fetched)"
    )
    train.add_argument("--extra", type=folder, nargs="*", default=[], help="more such folders to train on")
    train.add_argument(
        "--apart", type=folder, nargs="*", default=[],
        help="folders that you will measure with: photos that resemble theirs aren't trained on",
    )
    train.add_argument(
        "--model", choices=["door", "simple", "resnet", "vgg19"], nargs="+", default=["door"],
        help="one or more networks to train (default: door)",
    )
    train.add_argument(
        "--finder", choices=FINDERS, default="own",
        help="what finds the faces to cut out, as finder in [faces] of a kiosk.toml (default: %(default)s)",
    )
    train.add_argument("--yunet", type=yunet, help="YuNet's .onnx file, for --finder yunet")
    train.add_argument("--size", type=size, help=SIZE)
    train.add_argument("--epochs", type=positive, help="train for at most so many epochs (default: the network's own)")
    train.add_argument("--seed", type=seed, default=0, help=f"of split, weights and order; {SEED}")
    train.add_argument(
        "--split",
        choices=["grouped", "random"],
        default="grouped",
        help="grouped: all photos of one person are either trained on or measured with; random: as in the notebook, "
        "which flatters (default: %(default)s)",
    )
    train.add_argument("--threads", type=positive, default=2, help=THREADS)
    train.add_argument("--runs", type=target, default=RUNS, help="folder in which runs are kept (default: runs/)")


def _train(options: argparse.Namespace) -> None:
    from trainer.sources import check_folders, networks_for, photos_folder

    folder, practice = photos_folder(options.data)
    networks = networks_for(options.model, practice)
    check_folders([folder, *options.extra], options.apart)
    with native_code_quiet():
        from trainer.jobs import train_each
    from trainer.calibration import calibrate
    from trainer.report import write_report
    from trainer.runs import make_current, nothing_left
    from trainer.training import predict, read_network, set_threads

    set_threads(options.threads)
    with ExitStack() as held:
        jobs = [_job(options, name, folder, practice, held) for name in networks]
        folders = [job.run.folder for job in jobs]
        make_current(folders, options.runs)
        held.callback(make_current, folders, options.runs)  # another training may have begun meanwhile
        for job, run in train_each(jobs):
            dataset, split = job.dataset, job.split
            best = read_network(run.folder / run.state.best)
            calibrate(best, dataset, split.validation, run.plan.seed)
            report = write_report(run, dataset, split, predict(best, dataset.crops, split.test), best)
            if run.state.epochs == job.run.state.epochs:
                print(nothing_left(run, job.epochs))
            print(f"{run.state.epochs} epochs, best {run.state.best_epoch + 1}: {report}")


def _job(options: argparse.Namespace, name: str, folder: Path, practice: bool, held: ExitStack) -> "Job":
    """Return a training as far as it has come; its run is held, so that no other process goes on with it meanwhile."""
    from trainer.copies import gather
    from trainer.finders import named_finder
    from trainer.jobs import Job
    from trainer.networks import NETWORKS
    from trainer.runs import Plan, only_one, open_run
    from trainer.split import calibration_photos, split_photos

    recipe = NETWORKS[name]
    size = options.size or recipe.size
    finder = named_finder(options.finder, options.yunet)
    material = gather([folder, *options.extra], size, options.apart, finder)
    dataset = material.dataset
    split = split_photos(material, options.split, options.seed, recipe.validation_parts)
    print(
        f"{len(dataset.names)} photos in {split.groups} groups, no face found in {dataset.no_face.sum()}\n"
        f"{split.kind} split: {len(split.train)} train, {len(split.validation)} validation, {len(split.test)} test; "
        f"{split.leak:.1%} of the test photos share a group with training, {split.random_leak:.1%} in a random split"
    )
    if options.apart:
        print(f"{sum(material.dropped.values())} left out because a measuring folder holds a copy: {material.dropped}")
    if split.kind == "random":
        print("SPLIT=random repeats the notebook's split on purpose: its test score flatters")
    plan = Plan(
        network=name,
        size=size,
        split=options.split,
        seed=options.seed,
        threads=options.threads,
        practice=practice,
        dataset_sha256=dataset.sha256,
        data=str(folder),
        calibration=tuple(dataset.names[i] for i in calibration_photos(split, options.seed)),
        extra=tuple(map(str, options.extra)),
        apart=tuple(map(str, options.apart)),
        finder=options.finder,
        yunet=options.yunet or "",
        finder_sha256=finder.sha256,
        sampling_sha256=dataset.sampling_sha256,
    )
    epochs = options.epochs or (PRACTICE_EPOCHS if practice else recipe.epochs)
    held.enter_context(only_one(plan.folder(options.runs)))
    return Job(open_run(plan, options.runs), dataset, split, epochs)
