"""The part of the trainer's command line that is about finding faces."""

import argparse
import json
from typing import TYPE_CHECKING

from device.arguments import Parser, path
from device.quiet import native_code_quiet
from trainer.options import DOCS, MODELS, RUNS, folder, positive, seed, target

EPOCHS, CHECK_EPOCHS = 48, 40

if TYPE_CHECKING:
    from trainer.finder.material import FinderPlan


def add_finder(commands: "argparse._SubParsersAction[Parser]") -> None:
    """Add the commands."""
    faces = commands.add_parser("faces", help="train the face finder, convert it, measure it; stopped, it goes on")
    faces.set_defaults(command=_faces)
    _add_material(faces, "faces.keras")
    faces.add_argument("--epochs", type=positive, default=EPOCHS, help="(default: %(default)s, an hour on two cores)")

    check = commands.add_parser("face-check", help="train the check of models/faces.tflite; stopped, it goes on")
    check.set_defaults(command=_face_check)
    _add_material(check, "faces-check.keras")
    check.add_argument("--epochs", type=positive, default=CHECK_EPOCHS,
                       help="(default: %(default)s, an hour on two cores)")

    compare = commands.add_parser("compare-faces", help="put face finders side by side: recall, false boxes")
    compare.set_defaults(command=_compare_faces)
    compare.add_argument("--scenes", type=path, nargs="+", required=True, help="folders of pictures with face boxes")
    compare.add_argument("--backgrounds", type=path, help="folder of pictures without faces; hard/ counts apart")
    compare.add_argument("--yunet", type=path, help="YuNet's .onnx, to compare with")
    compare.add_argument("--only", nargs="+", default=[], help="pictures named so, as 'wider-*' (default: all)")
    compare.add_argument("--runs", type=target, default=RUNS, help="where compare-faces.md goes (default: runs/)")

    sheet = commands.add_parser("faces-sheet", help="draw people, and what the kiosk finds and says of them")
    sheet.set_defaults(command=_sheet)
    sheet.add_argument("--model", default="door", help="classifier: a name in models/ or a .tflite (default: door)")
    sheet.add_argument("--seed", type=seed, default=0, help="of the people (default: %(default)s)")
    sheet.add_argument("--to", type=path, default=DOCS / "faces.webp", help="a .webp (default: docs/faces.webp)")

    page = commands.add_parser("faces-page", help="bring docs/faces.md up to date: card and comparison")
    page.set_defaults(command=_page)
    page.add_argument("--models", type=path, default=MODELS, help="where faces.json is (default: models/)")
    page.add_argument("--runs", type=path, default=RUNS,
                      help="where compare-faces.json is, if it was made (default: runs/)")


def _add_material(parser: Parser, weights: str) -> None:
    parser.add_argument("--start", type=folder, help=f"a {weights} to go on from (default: from scratch)")
    parser.add_argument("--scenes", type=folder, nargs="+", required=True,
                        help="folders of pictures with face boxes: a table boxes.csv, Pascal VOC or YOLO")
    parser.add_argument("--backgrounds", type=folder, nargs="+", required=True,
                        help="folders of pictures without faces")
    parser.add_argument("--unlabelled", type=folder, nargs="*", default=[],
                        help="folders of pictures in which the teacher marks the faces")
    parser.add_argument("--teacher", type=folder, help="YuNet's .onnx, which marks them")
    parser.add_argument("--hold-out", nargs="*", default=[], metavar="PATTERN",
                        help="pictures named so are measured with and never learned from, as 'wider-*'")
    parser.add_argument("--measure", type=folder, nargs="*", default=[], help="more folders of scenes to measure with")
    parser.add_argument("--seed", type=seed, default=0, help="of weights and pictures (default: %(default)s)")
    parser.add_argument("--threads", type=positive, default=2, help="of one operation (default: %(default)s)")
    parser.add_argument("--runs", type=target, default=RUNS, help="where runs are kept (default: runs/)")
    parser.add_argument("--models", type=target, default=MODELS, help="where faces.tflite is (default: models/)")


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
