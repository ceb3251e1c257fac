"""The part of the trainer's command line that makes a classifier: train, convert, golden."""

import argparse
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from device.arguments import Parser, path
from device.quiet import native_code_quiet
from trainer.options import FINDERS, MODELS, RUNS, cost, folder, positive, seed, size, target, yunet

if TYPE_CHECKING:
    from trainer.jobs import Job
    from trainer.runs import Run

PRACTICE_EPOCHS = 10  # drawn faces are learned soon, and whoever tries things out waits


def add_making(commands: "argparse._SubParsersAction[Parser]") -> None:
    """Add the commands."""
    _add_train(commands)

    convert = commands.add_parser("convert", help="turn the best checkpoints of runs into .tflite and cards")
    convert.set_defaults(command=_convert)
    convert.add_argument("--run", type=path, help="folder of the run (default: those trained last)")
    convert.add_argument("--runs", type=path, default=RUNS, help="where runs are kept (default: runs/)")
    convert.add_argument("--models", type=target, default=MODELS, help="where the model goes (default: models/)")
    convert.add_argument(
        "--miss-cost", type=cost, default=1.0,
        help="what a missed bare face costs, in false alarms; threshold and release follow (default: %(default)s)",
    )

    golden = commands.add_parser("golden", help="draw a .tflite's golden pictures, and write what it says of them")
    golden.set_defaults(command=_golden)
    golden.add_argument("--model", default="door", help="a name in models/ or a .tflite (default: %(default)s)")
    golden.add_argument("--yunet", type=yunet, help="YuNet's .onnx, for a model trained on its crops")


def _add_train(commands: "argparse._SubParsersAction[Parser]") -> None:
    train = commands.add_parser("train", help="train a network on photos; stopped, it goes on when called again")
    train.set_defaults(command=_train)
    train.add_argument(
        "--data", help="folder that holds with_mask and without_mask; without it the notebook's photos are fetched"
    )
    train.add_argument("--extra", type=folder, nargs="*", default=[], help="more folders of photos to train on")
    train.add_argument(
        "--apart", type=folder, nargs="*", default=[], help="folders to measure with: what resembles them is left out"
    )
    train.add_argument(
        "--model", choices=["door", "simple", "resnet", "vgg19"], nargs="+", default=["door"],
        help="networks (default: door)",
    )
    train.add_argument(
        "--finder", choices=FINDERS, default="own",
        help="what cuts the faces out, as in a kiosk.toml's [faces] (default: %(default)s)",
    )
    train.add_argument("--yunet", type=yunet, help="YuNet's .onnx, for --finder yunet")
    train.add_argument("--size", type=size, help="side of the crops in pixels (default: the network's)")
    train.add_argument("--epochs", type=positive, help="at most so many (default: the network's)")
    train.add_argument("--seed", type=seed, default=0, help="of split, weights and order (default: %(default)s)")
    train.add_argument(
        "--split",
        choices=["grouped", "random"],
        default="grouped",
        help="grouped keeps photos of one person on one side; random is the notebook's (default: %(default)s)",
    )
    train.add_argument(
        "--threads", type=positive, default=2, help="of one operation; they change the weights (default: %(default)s)"
    )
    train.add_argument("--runs", type=target, default=RUNS, help="where runs are kept (default: runs/)")


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


def _convert(options: argparse.Namespace) -> None:
    with native_code_quiet():
        import trainer.convert  # noqa: F401
    from trainer.runs import current, held_run

    for chosen in [options.run] if options.run else current(options.runs):
        with held_run(chosen) as run:
            _convert_run(options, run)


def _convert_run(options: argparse.Namespace, run: "Run") -> None:
    from device.classifier import Classifier
    from trainer.convert import convert
    from trainer.finders import named_finder
    from trainer.golden import write_golden
    from trainer.run_photos import gather_again

    material, split = gather_again(run.plan)
    target = options.models / f"{run.plan.name}.tflite"
    replaced = target.exists()
    card = convert(run, material, split, options.models, options.miss_cost)
    write_golden(Classifier(str(target)), named_finder(run.plan.finder, run.plan.yunet))
    measured = card.measured
    low, high = measured.accuracy_interval
    recall = ", ".join(f"{share:.1%} of {label}" for label, share in measured.recall.items())
    print(
        f"{'PRACTICE ' if card.practice else ''}{target} and its card {'replaced' if replaced else 'made'}: "
        f"test accuracy {measured.accuracy:.1%} (95 % interval {low:.1%} to {high:.1%}) on {measured.n} photos, "
        f"{recall}, same verdict as Keras on {measured.parity:.1%}"
    )


def _golden(options: argparse.Namespace) -> None:
    from device.classifier import Classifier
    from trainer.finders import named_finder
    from trainer.golden import write_golden

    classifier = Classifier(options.model)
    finder = named_finder(classifier.card.face_finder, options.yunet)
    classifier.require_crops_of(finder)
    for picture in write_golden(classifier, finder):
        print(f"{picture.file}: {picture.state} {' '.join(f'{score:.2f}' for score in picture.scores)}".rstrip())
