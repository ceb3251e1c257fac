"""The trainer's command line."""

import argparse
import os
import signal
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from device.arguments import Parser
from device.errors import KioskError
from device.quiet import native_code_quiet
from trainer.collecting import add_collecting
from trainer.finder.commands import add_commands
from trainer.passages.commands import add_passages

if TYPE_CHECKING:
    from trainer.jobs import Job

# TensorFlow's notes on the processor it found; it reads these when it is first imported, by a command below.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

MODELS = Path(__file__).parent.parent / "models"
RUNS = Path(__file__).parent.parent / "runs"
DOCS = Path(__file__).parent.parent / "docs"
SMALLEST, LARGEST = 24, 512  # px: below, the convolutions leave nothing; above, a face crop has no more to show
PRACTICE_EPOCHS = 10  # drawn faces are learned soon, and whoever tries things out waits
STOPPED = 130  # exit code after Ctrl-C: 128 and the signal's number
CALIBRATION_PHOTOS = 1000  # at most, of the training part


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; return 0 when done, 1 for a model that is worse, 2 when refused with one line on stderr.

    130 when stopped by Ctrl-C.
    """
    options = parser().parse_args(arguments)
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs start with it ignored
    try:
        return int(options.command(options) or 0)
    except KioskError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except OSError as error:
        where = error.filename or options.command.__name__.strip("_")
        print(f"error: {where}: {error.strerror or error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("\nstopped; the same command goes on from here", file=sys.stderr)
        return STOPPED


def _train(options: argparse.Namespace) -> None:
    from trainer.sources import photos_folder

    folder, practice = photos_folder(options.data)  # before the slow imports: a wrong folder is said at once
    with native_code_quiet():
        import keras

        from trainer.jobs import train_each
    from trainer.calibration import calibrate
    from trainer.report import write_report
    from trainer.runs import make_current, only_one
    from trainer.training import predict, set_threads

    set_threads(options.threads)
    jobs = [_job(options, name, folder, practice) for name in options.model]
    make_current([job.run.folder for job in jobs], options.runs)
    with ExitStack() as held:
        for job in jobs:
            held.enter_context(only_one(job.run.folder))
        for job, run in train_each(jobs, options.threads):
            dataset, split = job.dataset, job.split
            best = keras.saving.load_model(run.folder / run.state.best)
            calibrate(best, dataset, split.validation, run.plan.seed)
            report = write_report(run, dataset, split, predict(best, dataset.crops, split.test), best)
            print(f"{run.state.epochs} epochs, best {run.state.best_epoch + 1}: {report}")


def _job(options: argparse.Namespace, name: str, folder: Path, practice: bool) -> "Job":
    import numpy as np

    from trainer.copies import gather, named_finder
    from trainer.jobs import Job
    from trainer.networks import NETWORKS
    from trainer.runs import Plan, open_run
    from trainer.split import split_photos

    recipe = NETWORKS[name]
    size, extra, apart = options.size or recipe.size, tuple(options.extra), tuple(options.apart)
    finder = named_finder(options.finder, options.yunet or "")
    material = gather([folder, *map(Path, extra)], size, [Path(path) for path in apart], finder)
    dataset = material.dataset
    split = split_photos(material, options.split, options.seed, recipe.validation_parts)
    print(
        f"{len(dataset.names)} photos in {split.groups} groups, no face found in {dataset.no_face.sum()}\n"
        f"{split.kind} split: {len(split.train)} train, {len(split.validation)} validation, {len(split.test)} test; "
        f"{split.leak:.1%} of the test photos share a group with training, {split.random_leak:.1%} in a random split"
    )
    if apart:
        print(f"{sum(material.dropped.values())} left out because a measuring folder holds a copy: {material.dropped}")
    if split.kind == "random":
        print("SPLIT=random repeats the notebook's split on purpose: its test score flatters")
    chosen = np.random.default_rng(options.seed).permutation(split.train)[:CALIBRATION_PHOTOS]
    plan = Plan(
        network=name,
        size=size,
        split=options.split,
        seed=options.seed,
        threads=options.threads,
        practice=practice,
        dataset_sha256=dataset.sha256,
        data=str(folder),
        calibration=tuple(dataset.names[i] for i in sorted(chosen)),
        extra=extra,
        apart=apart,
        finder=options.finder,
        yunet=options.yunet or "",
        finder_sha256=finder.sha256,
    )
    epochs = options.epochs or (PRACTICE_EPOCHS if practice else recipe.epochs)
    return Job(open_run(plan, options.runs), dataset, split, epochs)


def _convert(options: argparse.Namespace) -> None:
    with native_code_quiet():
        import trainer.convert  # noqa: F401
    from trainer.runs import current

    for folder in [options.run] if options.run else current(options.runs):
        _convert_run(options, folder)


def _convert_run(options: argparse.Namespace, folder: Path) -> None:
    from device.classifier import Classifier
    from trainer.convert import convert
    from trainer.copies import gather_again, named_finder
    from trainer.golden import write_golden
    from trainer.networks import NETWORKS
    from trainer.runs import RunError, load_run
    from trainer.split import split_photos

    run = load_run(folder, options.runs)
    material = gather_again(run.plan)
    split = split_photos(material, run.plan.split, run.plan.seed, NETWORKS[run.plan.network].validation_parts)
    if not set(run.plan.calibration) <= set(material.dataset.names):
        raise RunError(f"{run.plan.data}: has changed since the training, expected the same photos: run `make train`")
    target = options.models / f"{run.plan.name}.tflite"
    replaced = target.exists()
    card = convert(run, material, split, options.models, options.miss_cost)
    write_golden(Classifier(str(target)), named_finder(run.plan.finder, run.plan.yunet))
    measured = card.measured
    low, high = measured.accuracy_interval
    print(
        f"{'PRACTICE ' if card.practice else ''}{target} and its card {'replaced' if replaced else 'made'}: "
        f"test accuracy {measured.accuracy:.1%} (95 % interval {low:.1%} to {high:.1%}) on {measured.n} photos, "
        f"same verdict as Keras on {measured.parity:.1%}"
    )


def _golden(options: argparse.Namespace) -> None:
    from device.classifier import Classifier
    from trainer.copies import named_finder
    from trainer.golden import write_golden

    classifier = Classifier(options.model)
    finder = named_finder(classifier.card.face_finder, options.yunet or "")
    classifier.require_crops_of(finder)
    for picture in write_golden(classifier, finder):
        print(f"{picture.file}: {picture.state} {' '.join(f'{score:.2f}' for score in picture.scores)}".rstrip())


def _evaluate(options: argparse.Namespace) -> None:
    from trainer.evaluate import describe_evaluation, evaluate, write_evaluation

    evaluation = evaluate(options.model, options.data, options.cropped, options.slices, yunet=options.yunet or "")
    if options.json:
        write_evaluation(evaluation, options.json)
    print(describe_evaluation(evaluation))


def _crossval(options: argparse.Namespace) -> None:
    with native_code_quiet():
        from trainer.crossval import LINEAR, Asked, by_group, by_source, cross_validate
    from trainer.copies import gather
    from trainer.networks import NETWORKS
    from trainer.training import set_threads

    set_threads(options.threads)
    recipe = NETWORKS["door" if options.model == LINEAR else options.model]
    apart = [Path(path) for path in options.apart]
    material = gather([Path(path) for path in options.data], options.size or recipe.size, apart)
    per_source = options.by == "source"
    folds = by_source(material, options.folds) if per_source else by_group(material, options.folds, 0)
    asked = Asked(options.model, options.epochs or recipe.epochs, options.seed, options.threads)
    shares = []
    for fold in cross_validate(material, folds, asked, per_source, options.runs):
        wrong = f", {fold.worn_wrong_called_with_mask:.1%} of {fold.worn_wrong} worn wrong called with_mask"
        print(f"{fold.name:12}{fold.balanced_accuracy:7.1%} of {fold.n}{wrong if fold.worn_wrong else ''}", flush=True)
        shares += [fold.balanced_accuracy] if fold.n else []
    print(f"{options.model}: mean {sum(shares) / len(shares):.1%}, worst {min(shares):.1%}")


def _compare(options: argparse.Namespace) -> None:
    with native_code_quiet():
        from trainer.compare import compare, table, write_comparison

    rows = compare(options.model, options.data, options.cropped)
    print(table(rows), end="")
    print(write_comparison(rows, options.runs))


def _bench(options: argparse.Namespace) -> None:
    with native_code_quiet():
        from trainer.bench import bench
    from trainer.bench_report import table, write_bench

    measured = bench(options.models, options.yunet)
    print(table(measured), end="")
    print(write_bench(measured, options.runs))


def _network_page(options: argparse.Namespace) -> None:
    with native_code_quiet():
        from trainer.network_page import update

    print(*update(DOCS / "network.md", options.models), sep="\n")


def parser() -> argparse.ArgumentParser:
    """Return the command line."""
    made = Parser("python -m trainer", description="Photos in, a quantized .tflite and its card out")
    commands = made.add_subparsers(required=True, metavar="COMMAND")

    _add_train(commands)
    crossval = commands.add_parser(
        "crossval", help="train without each source or group in turn, and judge it; stopped, it goes on where it was"
    )
    crossval.set_defaults(command=_crossval)
    crossval.add_argument("--data", type=_folder, nargs="+", required=True, help="folders of photos")
    crossval.add_argument("--apart", type=_folder, nargs="*", default=[], help="leave out what resembles these")
    crossval.add_argument("--by", choices=["source", "group"], default="source")
    crossval.add_argument("--folds", type=_positive, default=99, help="at most so many (default: each source is one)")
    crossval.add_argument("--model", choices=["door", "simple", "resnet", "vgg19", "linear"], default="door")
    crossval.add_argument("--size", type=_size, help="side of the crops in pixels (default: the network's)")
    crossval.add_argument("--epochs", type=_positive, help="of each training (default: the network's)")
    crossval.add_argument("--seed", type=int, default=0)
    crossval.add_argument("--threads", type=_positive, default=2, help="of one operation")
    crossval.add_argument("--runs", type=Path, default=RUNS, help="where finished folds are kept (default: runs/)")

    compare = commands.add_parser("compare", help="put several .tflite side by side: accuracy, size, cost")
    compare.set_defaults(command=_compare)
    compare.add_argument("--data", type=Path, nargs="+", required=True, help="labelled photos, crops or scenes")
    compare.add_argument("--cropped", action="store_true", help="folders of photos hold face crops: take them whole")
    compare.add_argument("--model", type=Path, nargs="+", required=True, help="paths of .tflite")
    compare.add_argument("--runs", type=Path, default=RUNS, help="where compare.md goes (default: runs/)")

    bench = commands.add_parser("bench", help="CPU time, size and multiply-adds of the kiosk's networks and of others")
    bench.set_defaults(command=_bench)
    bench.add_argument("--yunet", type=Path, help="YuNet's .onnx, to measure beside them")
    bench.add_argument("--models", type=Path, default=MODELS, help="where they are (default: models/)")
    bench.add_argument("--runs", type=Path, default=RUNS, help="where bench.json goes (default: runs/)")

    convert = commands.add_parser("convert", help="turn the best checkpoints of runs into .tflite and cards")
    convert.set_defaults(command=_convert)
    convert.add_argument("--run", type=Path, help="folder of the run (default: those trained last)")
    convert.add_argument("--runs", type=Path, default=RUNS, help="where runs are kept (default: runs/)")
    convert.add_argument("--models", type=Path, default=MODELS, help="where the model goes (default: models/)")

    convert.add_argument(
        "--miss-cost", type=_cost, default=1.0,
        help="what a missed bare face costs, in false alarms; threshold and release follow (default: %(default)s)",
    )

    golden = commands.add_parser("golden", help="draw a .tflite's golden pictures, and write what it says of them")
    golden.set_defaults(command=_golden)
    golden.add_argument("--model", default="door", help="a name in models/ or a .tflite (default: %(default)s)")
    golden.add_argument("--yunet", type=_folder, help="YuNet's .onnx, for a model trained on its crops")

    page = commands.add_parser("network-page", help="draw the plots of docs/network.md, and fill its tables")
    page.set_defaults(command=_network_page)
    page.add_argument("--models", type=Path, default=MODELS, help="where the models are (default: models/)")

    evaluate = commands.add_parser("evaluate", help="measure a .tflite on labelled photos, crops or scenes")
    evaluate.set_defaults(command=_evaluate)
    evaluate.add_argument("--data", type=Path, required=True, help="labelled photos, crops or scenes")
    evaluate.add_argument("--cropped", action="store_true", help="the photos are face crops already: take them whole")
    evaluate.add_argument(
        "--slices", action="store_true", help="also measure masks, hands and light drawn on these photos, by name"
    )
    evaluate.add_argument("--model", default="door", help="a name in models/ or a .tflite (default: %(default)s)")
    evaluate.add_argument("--yunet", type=_folder, help="YuNet's .onnx, for a model trained on its crops")
    evaluate.add_argument("--json", type=Path, help="also write the figures there")
    add_commands(commands, RUNS, MODELS, _positive, _seed)
    add_passages(commands, _positive, _seed)
    add_collecting(commands, _folder)
    return made


def _add_train(commands: "argparse._SubParsersAction[Parser]") -> None:
    train = commands.add_parser("train", help="train a network on photos; stopped, it goes on when called again")
    train.set_defaults(command=_train)
    train.add_argument(
        "--data", help="folder that holds with_mask and without_mask; without it the notebook's photos are fetched"
    )
    train.add_argument("--extra", type=_folder, nargs="*", default=[], help="more folders of photos to train on")
    train.add_argument(
        "--apart", type=_folder, nargs="*", default=[], help="folders to measure with: what resembles them is left out"
    )
    train.add_argument(
        "--model", choices=["door", "simple", "resnet", "vgg19"], nargs="+", default=["door"],
        help="networks (default: door)",
    )
    train.add_argument(
        "--finder", choices=["own", "haar", "yunet"], default="own",
        help="what cuts the faces out, as in a kiosk.toml's [faces] (default: %(default)s)",
    )
    train.add_argument("--yunet", type=_folder, help="YuNet's .onnx, for --finder yunet")
    train.add_argument("--size", type=_size, help="side of the crops in pixels (default: the network's)")
    train.add_argument("--epochs", type=_positive, help="at most so many (default: the network's)")
    train.add_argument("--seed", type=_seed, default=0, help="of split, weights and order (default: %(default)s)")
    train.add_argument(
        "--split",
        choices=["grouped", "random"],
        default="grouped",
        help="grouped keeps photos of one person on one side; random is the notebook's (default: %(default)s)",
    )
    train.add_argument(
        "--threads", type=_positive, default=2, help="of one operation; they change the weights (default: %(default)s)"
    )
    train.add_argument("--runs", type=Path, default=RUNS, help="where runs are kept (default: runs/)")


def _size(text: str) -> int:
    size = int(text)
    if not SMALLEST <= size <= LARGEST:
        raise argparse.ArgumentTypeError(f"{size} is not between {SMALLEST} and {LARGEST} pixels")
    return size


def _folder(text: str) -> str:
    return str(Path(text).expanduser().resolve())


def _cost(text: str) -> float:
    cost = float(text)
    if not 0.1 <= cost <= 20:
        raise argparse.ArgumentTypeError(f"{cost} is not between 0.1 and 20 false alarms")
    return cost


def _seed(text: str) -> int:
    seed = int(text)
    if not 0 <= seed < 2**32:
        raise argparse.ArgumentTypeError(f"{seed} is not between 0 and {2**32 - 1}")
    return seed


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{number} is less than 1")
    return number


def end(code: int) -> NoReturn:
    """End the process, at once after Ctrl-C: TensorFlow's threads still work, and would crash an ordinary end."""
    if code != STOPPED:
        sys.exit(code)
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


if __name__ == "__main__":
    end(main())
