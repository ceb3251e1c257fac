"""Turns the scores of a model on two runtimes and two computers into a verdict: exit code 1 where arm64 goes astray."""

import sys
from pathlib import Path

import numpy as np
import numpy.typing as npt

RUNTIMES = "ai_edge_litert", "tflite_runtime"
STEP = 1 / 256  # of an int8 score: ai-edge-litert 2.3 was seen to be one off on arm64, tflite-runtime never
TIE = 0.05  # 0-1: how near the two best scores may be to differ about which is the best


def main() -> None:
    """Take the folder that holds RUNTIME-MACHINE.npy, each float32 (n, labels)."""
    folder = Path(sys.argv[1])
    on_x86, on_arm = ({r: np.load(folder / f"{r}-{m}.npy") for r in RUNTIMES} for m in ("x86_64", "aarch64"))
    failed = False
    for runtime in RUNTIMES:
        difference = np.abs(on_x86[runtime] - on_arm[runtime]).max(axis=1)
        failed |= not difference.max() <= STEP  # also where a score is nan
        print(f"{runtime}, x86_64 and aarch64: {(difference > 0).sum()} of {len(difference)} pictures differ, by at "
              f"most {difference.max():.4f} (one step: {STEP:.4f})")
        failed |= _disagree(on_x86[runtime], on_arm[runtime])
    litert, tflite = (on_arm[runtime] for runtime in RUNTIMES)
    print(f"the two runtimes on aarch64: they differ by at most {np.abs(litert - tflite).max():.4f}")
    failed |= _disagree(litert, tflite)
    sys.exit(failed)


def _disagree(first: npt.NDArray[np.float32], second: npt.NDArray[np.float32]) -> bool:
    """Print how many best labels differ; return True if one does that was no tie."""
    flips = first.argmax(1) != second.argmax(1)
    best = np.sort(first, axis=1)
    clear = flips & (best[:, -1] - best[:, -2] > TIE)
    print(f"    best labels that differ: {flips.sum()}; by more than a tie of {TIE}: {clear.sum()}")
    return bool(clear.any())


if __name__ == "__main__":
    main()
