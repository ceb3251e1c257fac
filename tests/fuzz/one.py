"""Fuzzes one target in this process, which libFuzzer ends: python -m fuzz.one TARGET FOLDER RUNS.

The folder keeps the inputs that reached something new, from which another time goes on, and one that fails.
"""

import logging
import os
import signal
import sys
import time
from pathlib import Path

import atheris

# What reads, and is written in Python: of parsers in C nothing is seen.
INSTRUMENTED = [
    "PIL", "csv", "deploy", "device", "email", "http", "json", "paho", "tarfile", "tomlkit", "tomllib", "tornado",
    "trainer", "urllib", "xml",
]  # fmt: skip
MOST_PIXELS = 1 << 22  # more are refused by OpenCV itself: a few bytes that promise a billion take seconds each
LARGEST = 4096  # bytes
SLOW_SECONDS, MOST_MEGABYTES = 30, 2048
TOLD_SECONDS = 10.0
DONE = "done "  # before the number of runs, in the log


class Refusal(AssertionError):
    """A refusal that isn't one line."""


def escaped(word: bytes) -> str:
    """Return a word as a line of libFuzzer's dictionaries."""
    return '"' + "".join(f"\\x{byte:02x}" for byte in word) + '"\n'


def main(name: str, folder: Path, runs: str) -> None:
    """Fuzz until all runs are done, or something fails; stdout and stderr say what came of it."""
    logging.getLogger().addHandler(logging.NullHandler())
    os.environ |= {"OPENCV_IO_MAX_IMAGE_PIXELS": str(MOST_PIXELS), "OPENCV_LOG_LEVEL": "SILENT"}
    with atheris.instrument_imports(include=INSTRUMENTED):
        from fuzz.samples import SAMPLES, WORDS
        from fuzz.targets import opened

        with opened(name) as feed:
            for sample in SAMPLES[name]:
                feed(sample)  # some modules are only imported now
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # libFuzzer's then
    inputs, samples, words = folder / "inputs", folder / "samples", folder / "words"
    for each in (inputs, samples):
        each.mkdir(parents=True, exist_ok=True)
    for number, sample in enumerate(SAMPLES[name]):
        (samples / str(number)).write_bytes(sample)
    words.write_text("".join(escaped(word[:64]) for word in WORDS if word))
    done, told = 0, time.monotonic()
    with opened(name) as feed:

        def run(content: bytes) -> None:
            nonlocal done, told
            done += 1
            if time.monotonic() - told >= TOLD_SECONDS:
                told = time.monotonic()
                print(f"{DONE}{done}", flush=True)
            for line in feed(content):
                if len(line.splitlines()) != 1:
                    raise Refusal(line)

        options = {
            "runs": runs, "seed": 1, "max_len": LARGEST, "timeout": SLOW_SECONDS, "rss_limit_mb": MOST_MEGABYTES,
            "dict": words, "artifact_prefix": f"{folder}/", "print_final_stats": 1, "reload": 0,
            "close_fd_mask": 2,  # of libraries' chatter; libFuzzer's own goes on
        }  # fmt: skip
        atheris.Setup(["fuzz", *(f"-{key}={value}" for key, value in options.items()), str(inputs), str(samples)], run)
        atheris.Fuzz()


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), sys.argv[3])
