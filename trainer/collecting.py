"""The commands for faces that doors have collected: the key they are sealed to, their labels, and the model after."""

import argparse

from device.arguments import Parser, path
from device.quiet import native_code_quiet
from trainer.options import folder, yunet


def add_collecting(commands: "argparse._SubParsersAction[Parser]") -> None:
    """Add the commands."""
    key = commands.add_parser("collect-key", help="make the pair of keys for the faces that a kiosk keeps")
    key.set_defaults(command=_key)
    key.add_argument("--to", type=path, help="folder for the two files (default: ~/.config/mask-kiosk)")

    label = commands.add_parser(
        "label", help="give face crops their labels on a page in the browser; stopped, it goes on when called again",
        description="Serve a page to this computer that shows one picture after the other. Keys: 1 a mask, 2 no mask, "
        "3 a mask worn wrong, 4 drop it, Backspace undo. Each picture moves into a folder of its label, beside the "
        "table crops.csv that lets `make train EXTRA=` take them as face crops.",
    )  # fmt: skip
    label.set_defaults(command=_label)
    label.add_argument("pictures", type=path, help="folder of face crops")

    accept = commands.add_parser(
        "accept", help="say whether a new model may take the present one's place",
        description="Judge the same labelled pictures with both models, as the device would, and compare them face by "
        "face. Masked faces, bare ones and masks worn wrong of each folder are a line each. The new model is worse "
        "where it is wrong on faces on which the present one is right, and so much oftener than the other way round "
        "that chance would do it less than once in twenty times, all lines together (exact one-sided McNemar tests, "
        "Bonferroni's correction).",
        epilog="exit code: 0 if it is worse nowhere, 1 if anywhere, 2 if refused",
    )  # fmt: skip
    accept.set_defaults(command=_accept)
    accept.add_argument("--model", required=True, help="the new one: a name in models/ or a .tflite")
    accept.add_argument("--present", default="door", help="the present one (default: %(default)s)")
    accept.add_argument(
        "--data", type=folder, nargs="+", required=True, help="labelled photos, crops or scenes neither learned from"
    )
    accept.add_argument("--cropped", action="store_true", help="folders of photos hold face crops: take them whole")
    accept.add_argument("--yunet", type=yunet, help="YuNet's .onnx, for models trained on its crops")


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
