"""Lets a network's large products be computed in bfloat16, as fast again where the processor has instructions for it.

The network stays as it is: TensorFlow rewrites the graph that it runs, rounds what goes into convolutions and dense
layers to 8 significant bits, and keeps weights, losses and the optimizer in float32 (Micikevicius et al., Mixed
Precision Training, ICLR 2018; Kalamkar et al., arXiv 1905.12322).
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PROCESSOR = Path("/proc/cpuinfo")
INSTRUCTIONS = {"avx512_bf16", "amx_bf16"}  # without one, oneDNN imitates such numbers, and is slower than in float32


def has_bfloat16() -> bool:
    """Tell whether this processor multiplies bfloat16 numbers, as far as Linux says so."""
    try:
        words = PROCESSOR.read_text(encoding="utf-8", errors="replace").split()
    except OSError:
        return False
    return not INSTRUCTIONS.isdisjoint(words)


@contextmanager
def in_bfloat16(wanted: bool) -> Iterator[None]:
    """Let graphs that are built meanwhile compute in bfloat16, if that is wanted and the processor has it."""
    import tensorflow as tf

    tf.config.optimizer.set_experimental_options({"auto_mixed_precision_onednn_bfloat16": wanted and has_bfloat16()})
    try:
        yield
    finally:
        tf.config.optimizer.set_experimental_options({"auto_mixed_precision_onednn_bfloat16": False})
