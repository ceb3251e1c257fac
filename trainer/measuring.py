"""The part of the trainer's command line that measures: evaluate, crossval, compare, network-page."""

import argparse

from device.arguments import Parser, path
from device.quiet import native_code_quiet
from trainer.options import (
    CROPPED,
    DOCS,
    LABELLED,
    MODELS,
    NAMED,
    RUNS,
    SEED,
    SIZE,
    THREADS,
    YUNET,
    folder,
    positive,
    seed,
    several,
    size,
    target,
    target_file,
    yunet,
)

GROUP_FOLDS = 5


def add_measuring(commands: "argparse._SubParsersAction[Parser]") -> None:
    """Add the commands."""
    evaluate = commands.add_parser(
        "evaluate", help="measure a model on labelled photos, face crops or scenes",
        description="Judge labelled photos, face crops or scenes as the kiosk would, and print how many\nwere judged "
        "right.",
        epilog="examples:\n  python -m trainer evaluate --data ~/photos\n"
        "  python -m trainer evaluate --data ~/crops --cropped --model simple --json simple.json",
    )  # fmt: skip
    evaluate.set_defaults(command=_evaluate)
    evaluate.add_argument("--data", type=folder, required=True, help="a folder of labelled photos, crops or scenes")
    evaluate.add_argument("--cropped", action="store_true", help=CROPPED)
    evaluate.add_argument(
        "--slices", action="store_true",
        help="also draw masks, hands and light on the photos or crops, and measure each kind by itself",
    )
    evaluate.add_argument("--model", default="door", help=f"{NAMED} (default: %(default)s)")
    evaluate.add_argument("--yunet", type=yunet, help=YUNET)
    evaluate.add_argument("--json", type=target_file, help="also write the figures into this file")

    crossval = commands.add_parser(
        "crossval", help="judge each source of photos by a model that never saw it; if stopped, call it again to go on",
        description="Leave out one source of photos (or one part of the groups) after the other, train\non the rest, "
        "and judge what was left out. If stopped, the same command goes on\nafter the last that was finished.",
        epilog="examples:\n  python -m trainer crossval --data ~/photos ~/more-photos\n"
        "  python -m trainer crossval --data ~/photos --by group --folds 5",
    )  # fmt: skip
    crossval.set_defaults(command=_crossval)
    crossval.add_argument("--data", type=folder, nargs="+", required=True, help="folders of photos to train on")
    crossval.add_argument(
        "--apart", type=folder, nargs="*", default=[], help="folders: photos that resemble theirs are left out"
    )
    crossval.add_argument(
        "--by", choices=["source", "group"], default="source",
        help="what is left out at a time: a source, or groups of photos of one person (default: %(default)s)",
    )
    crossval.add_argument(
        "--folds", type=several,
        help=f"at most so many parts, 2 or more (default: each source is one; by group {GROUP_FOLDS})",
    )
    crossval.add_argument(
        "--model", choices=["door", "simple", "resnet", "vgg19", "linear"], default="door",
        help="the network to train (default: %(default)s)",
    )
    crossval.add_argument("--size", type=size, help=SIZE)
    crossval.add_argument("--epochs", type=positive, help="epochs of each training (default: the network's own)")
    crossval.add_argument("--seed", type=seed, default=0, help=SEED)
    crossval.add_argument("--threads", type=positive, default=2, help=THREADS)
    crossval.add_argument("--runs", type=target, default=RUNS, help="folder for what is finished (default: runs/)")

    compare = commands.add_parser(
        "compare", help="put several models side by side: accuracy, size, cost",
        description="Measure several models on the same labelled photos, and print their accuracy, size\nand cost in "
        "one table.",
        epilog="example:\n  python -m trainer compare --data ~/photos --model models/door.tflite new/door.tflite",
    )  # fmt: skip
    compare.set_defaults(command=_compare)
    compare.add_argument("--data", type=folder, nargs="+", required=True, help=LABELLED)
    compare.add_argument("--cropped", action="store_true", help=CROPPED)
    compare.add_argument("--model", type=path, nargs="+", required=True, help=".tflite files")
    compare.add_argument("--yunet", type=yunet, help=YUNET)
    compare.add_argument("--runs", type=target, default=RUNS, help="folder for compare.md (default: runs/)")

    page = commands.add_parser(
        "network-page", help="draw the plots of docs/network.md, and fill its tables",
        description="Draw the plots of docs/network.md, and fill its tables, from the models.",
    )  # fmt: skip
    page.set_defaults(command=_network_page)
    page.add_argument("--models", type=path, default=MODELS, help="folder of the models (default: models/)")


def _evaluate(options: argparse.Namespace) -> None:
    from device.classifier import Classifier
    from trainer.evaluate import describe_evaluation, evaluate, write_evaluation
    from trainer.finders import finder_for

    classifier = Classifier(options.model)
    finder = None if options.cropped else finder_for(classifier.card, options.data, False, options.yunet)
    evaluation = evaluate(classifier, finder, options.data, options.slices)
    print(describe_evaluation(evaluation))
    if options.json:  # not before: a full disk would take the figures with it
        write_evaluation(evaluation, options.json)


def _crossval(options: argparse.Namespace) -> None:
    from trainer.sources import check_folders

    check_folders(options.data, options.apart)
    with native_code_quiet():
        from trainer.crossval import LINEAR, Asked, by_group, by_source, cross_validate
    from trainer.copies import gather
    from trainer.networks import NETWORKS
    from trainer.training import set_threads

    set_threads(options.threads)
    recipe = NETWORKS["door" if options.model == LINEAR else options.model]
    material = gather(options.data, options.size or recipe.size, options.apart)
    per_source = options.by == "source"
    if per_source:
        folds = by_source(material, options.folds or len(material.dataset.names))
    else:
        folds = by_group(material, options.folds or GROUP_FOLDS)
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

    rows = compare(options.model, options.data, options.cropped, options.yunet)
    print(table(rows), end="")
    print(write_comparison(rows, options.runs))


def _network_page(options: argparse.Namespace) -> None:
    with native_code_quiet():
        from trainer.network_page import update

    print(*update(DOCS / "network.md", options.models), sep="\n")
