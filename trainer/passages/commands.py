"""The part of the trainer's command line that draws: photos to practise with, passages through a door."""

import argparse

from device.arguments import Parser, path
from trainer.options import DOCS, NAMED, SEED, positive, seed

PASSAGES = 18  # two of each kind
VISITS = 1000


def add_drawing(commands: "argparse._SubParsersAction[Parser]") -> None:
    """Add the commands."""
    practice = commands.add_parser(
        "practice", help="draw photos of people with and without masks",
        description="Draw photos of people, each once with a mask and once without, to try training.",
        epilog="example:\n  python -m trainer practice --to drawn/ --people 500",
    )  # fmt: skip
    practice.set_defaults(command=_practice)
    practice.add_argument("--to", type=path, required=True, help="a new folder, for --data or --extra of `train`")
    practice.add_argument("--people", type=positive, default=200,
                          help="how many people; each is drawn twice (default: %(default)s)")
    practice.add_argument("--seed", type=seed, default=0, help=f"of the people; {SEED}")

    passages = commands.add_parser(
        "passages", help="draw recordings of people at a door, and measure what the kiosk says of them if asked to",
        description="Draw recordings of people who walk up to a door, with a table of the true visits.\n"
        "With --visits, --clips or --page, also run them through the kiosk, and simulate\n"
        "visits and a day without visitors: boxes and scores without pictures.",
        epilog="examples:\n  python -m trainer passages --to drawn/\n"
        "  python -m trainer passages --to drawn/ --visits 1000",
    )  # fmt: skip
    passages.set_defaults(command=_passages)
    passages.add_argument("--to", type=path, required=True, help="a new or empty folder for recordings and visits.csv")
    passages.add_argument("--count", type=positive, default=PASSAGES, help="how many recordings (default: %(default)s)")
    passages.add_argument("--faces", type=path,
                          help="a folder with face crops in with_mask/ and without_mask/ (default: drawn faces)")
    passages.add_argument("--backgrounds", type=path, help="a folder of pictures without faces (default: drawn ones)")
    passages.add_argument("--model", default="door", help=f"{NAMED} (default: %(default)s)")
    passages.add_argument("--visits", type=positive,
                          help=f"also measure, with so many simulated visits ({VISITS} with --clips or --page alone)")
    passages.add_argument("--measure", type=positive, metavar="PEOPLE",
                          help="first measure anew, on so many drawn people, how boxes and scores vary, and replace "
                          "the figures that are kept of it")
    passages.add_argument("--clips", type=path, help="also measure with the recordings of this folder, whose table "
                          "videos.csv says what is seen in each")
    passages.add_argument("--page", action="store_true", help="also measure, and write the figures into docs/door.md")
    passages.add_argument("--seed", type=seed, default=0, help=f"of people and ways; {SEED}")


def _passages(options: argparse.Namespace) -> None:
    from device.classifier import Classifier
    from trainer.finders import named_finder
    from trainer.passages.draw import GivenPictures, record
    from trainer.passages.measure import measure
    from trainer.passages.noise import read_noise, write_noise
    from trainer.passages.page import clips_text, recordings_text, simulated_text, update
    from trainer.passages.play import passages_of, play, play_clips, read_clips
    from trainer.passages.simulate import LEVELS, live_alone, simulate

    classifier = Classifier(options.model)
    finder = named_finder(classifier.card.face_finder, None)
    classifier.require_crops_of(finder)
    given = GivenPictures(options.faces, options.backgrounds)
    seen = read_clips(options.clips) if options.clips else {}
    passages = passages_of(options.count, options.seed)
    videos = record(passages, given, options.to, options.seed)  # before the noise: it may refuse the folder
    print(options.to, flush=True)
    if options.measure:
        print(write_noise(measure(classifier, finder, options.measure, options.seed)))
    if not (options.visits or options.clips or options.page):
        return
    noise, visits = read_noise(), options.visits or VISITS
    known = noise.known(LEVELS)
    texts = {
        "recordings": recordings_text(play(passages, videos, options.to, classifier, finder), options.count),
        "simulated": simulated_text(
            simulate(known, visits, options.seed), simulate(noise, visits, options.seed, causes=True),
            live_alone(seed=options.seed), noise, known,
        ),
    }  # fmt: skip
    if options.clips:
        played = play_clips(options.clips, seen, classifier, finder)
        texts["clips"] = clips_text(played, seen, classifier)
    print(*texts.values(), sep="\n")
    if options.page:
        update(DOCS / "door.md", texts)
        print(DOCS / "door.md")


def _practice(options: argparse.Namespace) -> None:
    from trainer.practice import draw_practice_set

    draw_practice_set(options.to, options.people, options.seed)
    print(options.to)
