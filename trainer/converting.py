"""The part of the trainer's command line that makes a .tflite of a trained network: convert, golden."""

import argparse
from typing import TYPE_CHECKING

from device.arguments import Parser, path
from device.quiet import native_code_quiet
from trainer.options import MODELS, NAMED, RUNS, YUNET, cost, target, yunet

if TYPE_CHECKING:
    from trainer.runs import Run


def add_converting(commands: "argparse._SubParsersAction[Parser]") -> None:
    """Add the commands."""
    convert = commands.add_parser(
        "convert", help="write trained networks to models/NAME.tflite, with their cards",
        description="Turn the best epoch of a training into a quantized .tflite file, measure it, and\n"
        "write its card: a JSON file that says how it was trained and measured.",
        epilog="example, where a bare face that is missed counts half as much as a false alarm:\n"
        "  python -m trainer convert --miss-cost 0.5",
    )  # fmt: skip
    convert.set_defaults(command=_convert)
    convert.add_argument("--run", type=path, help="folder of one run (default: the runs trained last)")
    convert.add_argument("--runs", type=path, default=RUNS, help="folder in which runs are kept (default: runs/)")
    convert.add_argument(
        "--models", type=target, default=MODELS, help="folder into which model and card are written (default: models/)"
    )
    convert.add_argument(
        "--miss-cost", type=cost, default=1.0,
        help="what a missed bare face costs, counted in false alarms, 0.1 to 20: the higher, the lower the levels at "
        "which the alarm begins and ends (default: %(default)s)",
    )

    golden = commands.add_parser(
        "golden", help="draw a model's golden pictures, and write down what it says of them",
        description="Draw a model's golden pictures (test pictures), and write down what it says of them.\nA kiosk "
        "that says otherwise of them is refused.",
    )  # fmt: skip
    golden.set_defaults(command=_golden)
    golden.add_argument("--model", default="door", help=f"{NAMED} (default: %(default)s)")
    golden.add_argument("--yunet", type=yunet, help=YUNET)


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
