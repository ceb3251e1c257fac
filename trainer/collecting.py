"""The commands for faces that doors have collected: the key they are sealed to, their labels, and the model after."""

import argparse

from device.arguments import Parser, path
from device.quiet import native_code_quiet
from trainer.options import CROPPED, LABELLED, NAMED, YUNET, folder, yunet


def add_collecting(commands: "argparse._SubParsersAction[Parser]") -> None:
    """Add the commands."""
    key = commands.add_parser(
        "collect-key", help="make the pair of keys for the faces that a kiosk keeps",
        description="Make two keys: the kiosk gets the public one and encrypts the faces that it keeps\nto it; only "
        "the private one opens them (docs/collect.md).",
    )  # fmt: skip
    key.set_defaults(command=_key)
    key.add_argument("--to", type=path, help="folder for the two files (default: ~/.config/mask-kiosk)")

    label = commands.add_parser(
        "label", help="label face crops on a page in the browser; if stopped, call it again to go on",
        description="Open a page in this computer's browser that shows one picture after the other.\n"
        "Keys: 1 a mask, 2 no mask, 3 a mask worn wrong, 4 drop it, Backspace undo.\n"
        "Each picture moves into a folder of its label, beside the table crops.csv, by\n"
        "which `make train EXTRA=` takes them as face crops.",
        epilog="example:\n  python -m trainer label faces/",
    )  # fmt: skip
    label.set_defaults(command=_label)
    label.add_argument("pictures", type=path, help="a folder of face crops")

    accept = commands.add_parser(
        "accept", help="say whether a new model may replace the present one",
        description="Judge the same labelled pictures with both models, as the kiosk would, and compare\n"
        "them face by face. Masked faces, bare ones and masks worn wrong of each folder\n"
        "are a line each. The new model is worse where it misjudges faces that the\n"
        "present one judges right, and so much oftener than the other way round that\n"
        "chance would do it less than once in twenty times, all lines together (exact\n"
        "one-sided McNemar tests, Bonferroni's correction).",
        epilog="exit codes: 0 if it is worse nowhere, 1 if anywhere, 2 if refused\n\n"
        "example:\n  python -m trainer accept --model new/door.tflite --data ~/faces",
    )  # fmt: skip
    accept.set_defaults(command=_accept)
    accept.add_argument("--model", required=True, help=f"the new model: {NAMED}")
    accept.add_argument("--present", default="door", help="the present model (default: %(default)s)")
    accept.add_argument("--data", type=folder, nargs="+", required=True, help=f"{LABELLED} that neither learned from")
    accept.add_argument("--cropped", action="store_true", help=CROPPED)
    accept.add_argument("--yunet", type=yunet, help=YUNET)


def _key(options: argparse.Namespace) -> None:
    from trainer.collect_key import describe_pair, keys_folder, make_pair

    print(describe_pair(make_pair(options.to or keys_folder())))


def _label(options: argparse.Namespace) -> None:
    import asyncio
    import webbrowser

    from device.web.screen import somebody_sits_here
    from trainer.label_server import LabelServer
    from trainer.labels import LabelFolder

    server = LabelServer(LabelFolder(options.pictures))
    print(server.url, flush=True)
    if somebody_sits_here():
        webbrowser.open(server.url)
    asyncio.run(server.serve())


def _accept(options: argparse.Namespace) -> int:
    with native_code_quiet():
        from trainer.accept import compare, describe

    comparison = compare(options.model, options.present, options.data, options.cropped, options.yunet)
    print(describe(comparison))
    return 1 if comparison.worse else 0
