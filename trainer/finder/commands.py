"""The part of the trainer's command line that is about finding faces."""

import argparse
import json
from typing import TYPE_CHECKING

from device.arguments import Parser, path
from device.quiet import native_code_quiet
from trainer.options import DOCS, MODELS, NAMED, RUNS, SEED, THREADS, folder, positive, seed, target

EPOCHS, CHECK_EPOCHS = 48, 40
EXAMPLE = "example:\n  python -m trainer {} --scenes scenes/ --backgrounds rooms/"

if TYPE_CHECKING:
    from trainer.finder.material import FinderPlan


def add_finder(commands: "argparse._SubParsersAction[Parser]") -> None:
    """Add the commands."""
    faces = commands.add_parser(
        "faces", help="train the face finder, convert it and measure it; if stopped, call it again to go on",
        description="Train the network that finds faces, convert it to models/faces.tflite, and measure\nit. If "
        "stopped, the same command goes on from the last whole epoch.",
        epilog=EXAMPLE.format("faces"),
    )  # fmt: skip
    faces.set_defaults(command=_faces)
    _add_material(faces, "faces.keras")
    faces.add_argument("--epochs", type=positive, default=EPOCHS,
                       help="train for so many epochs (default: %(default)s, an hour on two cores)")

    check = commands.add_parser(
        "face-check", help="train the face finder's check; if stopped, call it again to go on",
        description="Train the second network of the face finder, which checks what models/faces.tflite\nfinds, and "
        "convert it. If stopped, the same command goes on from the last whole\nepoch.",
        epilog=EXAMPLE.format("face-check"),
    )  # fmt: skip
    check.set_defaults(command=_face_check)
    _add_material(check, "faces-check.keras")
    check.add_argument("--epochs", type=positive, default=CHECK_EPOCHS,
                       help="train for so many epochs (default: %(default)s, an hour on two cores)")

    compare = commands.add_parser(
        "compare-faces", help="put face finders side by side: faces found, false boxes",
        description="Have several face finders look at the same pictures, and print how many faces\neach finds, and "
        "how many boxes it draws where there is none.",
        epilog="example:\n  python -m trainer compare-faces --scenes scenes/ --yunet yunet.onnx",
    )  # fmt: skip
    compare.set_defaults(command=_compare_faces)
    compare.add_argument("--scenes", type=path, nargs="+", required=True, help="folders of pictures with face boxes")
    compare.add_argument("--backgrounds", type=path,
                         help="a folder of pictures without faces; those in its folder hard/ are counted separately")
    compare.add_argument("--yunet", type=path, help="YuNet's .onnx file, to compare with")
    compare.add_argument("--only", nargs="+", default=[], metavar="PATTERN",
                         help="only pictures whose names fit, as 'wider-*' (default: all)")
    compare.add_argument("--runs", type=target, default=RUNS, help="folder for compare-faces.md (default: runs/)")

    sheet = commands.add_parser(
        "faces-sheet", help="draw people, and what the kiosk finds and says of them",
        description="Draw people with and without masks, and what the kiosk finds and says of them.",
    )  # fmt: skip
    sheet.set_defaults(command=_sheet)
    sheet.add_argument("--model", default="door", help=f"{NAMED} (default: %(default)s)")
    sheet.add_argument("--seed", type=seed, default=0, help=f"of the people; {SEED}")
    sheet.add_argument("--to", type=path, default=DOCS / "faces.webp",
                       help="the .webp file to write (default: docs/faces.webp)")

    page = commands.add_parser(
        "faces-page", help="bring the tables of docs/faces.md up to date",
        description="Bring the tables of docs/faces.md up to date with the face finder's card and with\nthe last "
        "comparison of face finders.",
    )  # fmt: skip
    page.set_defaults(command=_page)
    page.add_argument("--models", type=path, default=MODELS, help="folder of faces.json (default: models/)")
    page.add_argument("--runs", type=path, default=RUNS,
                      help="folder of compare-faces.json, if it was made (default: runs/)")


def _add_material(parser: Parser, weights: str) -> None:
    parser.add_argument("--start", type=folder, help=f"a {weights} whose weights to start from (default: from scratch)")
    parser.add_argument("--scenes", type=folder, nargs="+", required=True,
                        help="folders of pictures with face boxes: a table boxes.csv, Pascal VOC or YOLO")
    parser.add_argument("--backgrounds", type=folder, nargs="+", required=True,
                        help="folders of pictures without faces")
    parser.add_argument("--unlabelled", type=folder, nargs="*", default=[],
                        help="folders of pictures in which the teacher marks the faces")
    parser.add_argument("--teacher", type=folder, help="YuNet's .onnx file, which marks them")
    parser.add_argument("--hold-out", nargs="*", default=[], metavar="PATTERN",
                        help="pictures whose names fit, as 'wider-*', are measured with and never learned from")
    parser.add_argument("--measure", type=folder, nargs="*", default=[], help="more folders of scenes to measure with")
    parser.add_argument("--seed", type=seed, default=0, help=f"of weights and pictures; {SEED}")
    parser.add_argument("--threads", type=positive, default=2, help=THREADS)
    parser.add_argument("--runs", type=target, default=RUNS, help="folder in which runs are kept (default: runs/)")
    parser.add_argument("--models", type=target, default=MODELS, help="folder of faces.tflite (default: models/)")


def _faces(options: argparse.Namespace) -> None:
    plan = _plan(options, "faces.keras")
    with native_code_quiet():
        from trainer.finder.make import make_faces
    print(make_faces(plan, options.measure, options.runs, options.models))


def _face_check(options: argparse.Namespace) -> None:
    plan = _plan(options, "faces-check.keras")
    with native_code_quiet():
        from trainer.finder.make_check import make_check
    print(make_check(plan, options.measure, options.runs, options.models))


def _plan(options: argparse.Namespace, weights: str) -> "FinderPlan":
    from trainer.photos import PhotosError
    from trainer.sources import require_once, require_utf8

    for given in (options.scenes, options.backgrounds, options.unlabelled, options.measure):
        require_utf8(given)
        require_once(given)
    if options.start and not options.start.is_file():
        raise PhotosError(f"{options.start}: no such file, expected weights as models/{weights}: check START")
    if options.unlabelled and not (options.teacher and options.teacher.is_file()):
        raise PhotosError(
            f"{options.teacher or 'no teacher'}: no such file, expected YuNet's .onnx, which marks the faces of "
            "--unlabelled: set --teacher, or leave --unlabelled out"
        )
    with native_code_quiet():
        from trainer.finder.material import FinderPlan

    return FinderPlan(
        scenes=tuple(map(str, options.scenes)),
        backgrounds=tuple(map(str, options.backgrounds)),
        unlabelled=tuple(map(str, options.unlabelled)),
        teacher=str(options.teacher) if options.unlabelled else "",
        hold_out=tuple(options.hold_out),
        start=str(options.start or ""),
        epochs=options.epochs,
        seed=options.seed,
        threads=options.threads,
    )


def _compare_faces(options: argparse.Namespace) -> None:
    from trainer.finder.compare import BACKGROUND_SETS, compare, table, write_comparison
    from trainer.finder.contenders import contenders
    from trainer.finder.material import usable_scenes
    from trainer.finder.scenes import named_like, read_backgrounds
    from trainer.sources import distinct

    whole = [folder.resolve() for folder in options.scenes]
    names = distinct([folder.name for folder in whole], whole, taken=BACKGROUND_SETS)
    finders = contenders(options.yunet)
    scenes = {
        name: named_like(usable_scenes(folder), options.only, folder)
        for name, folder in zip(names, options.scenes, strict=True)
    }
    backgrounds = options.backgrounds
    plain = named_like(read_backgrounds(backgrounds), options.only, backgrounds) if backgrounds else []
    compared = compare(finders, scenes, plain)
    print(table(compared))
    print(write_comparison(compared, options.runs))


def _sheet(options: argparse.Namespace) -> None:
    from trainer.finder.sheet import draw_sheet

    print(draw_sheet(options.model, options.to, options.seed))


def _page(options: argparse.Namespace) -> None:
    from device.face_card import read_face_card
    from trainer.finder.page import update

    comparison = options.runs / "compare-faces.json"
    compared = json.loads(comparison.read_text(encoding="utf-8")) if comparison.exists() else None
    update(DOCS / "faces.md", read_face_card(options.models / "faces.tflite")[0], compared)
    print(DOCS / "faces.md")
