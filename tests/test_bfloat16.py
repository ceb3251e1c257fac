"""Training in bfloat16 rounds what is multiplied, for as long as it is asked for, and leaves the network in float32."""

from pathlib import Path

import keras
import numpy as np
import numpy.typing as npt
import pytest

from trainer import bfloat16
from trainer.bfloat16 import has_bfloat16, in_bfloat16
from trainer.networks import simple
from trainer.training import set_threads

set_threads(2)  # the default of `train`, and only possible before TensorFlow's first operation

needs_instructions = pytest.mark.skipif(not has_bfloat16(), reason="this processor doesn't multiply bfloat16 numbers")
SIZE = 24  # px
PHOTOS = np.random.default_rng(0).integers(0, 256, (32, SIZE, SIZE, 1)).astype(np.float32)
LABELS = np.eye(2, dtype=np.float32)[np.arange(32) % 2]


def learned(wanted: bool) -> list[npt.NDArray[np.float32]]:
    """Return the weights after three steps, always from the same start."""
    keras.utils.set_random_seed(0)
    network = simple(SIZE)
    network.compile("sgd", "categorical_crossentropy")
    with in_bfloat16(wanted):
        network.fit(PHOTOS, LABELS, epochs=3, shuffle=False, verbose=0)
    assert {str(weights.dtype) for weights in network.variables} <= {"float32", "uint32", "int64", "int32"}
    weights: list[npt.NDArray[np.float32]] = network.get_weights()
    return weights


@needs_instructions
def test_other_weights_are_learned_but_nearly_the_same() -> None:
    rounded, exact = learned(wanted=True), learned(wanted=False)

    assert any((a != b).any() for a, b in zip(rounded, exact, strict=True))
    assert max(float(np.abs(a - b).max()) for a, b in zip(rounded, exact, strict=True)) < 1e-2


@needs_instructions
def test_the_same_weights_are_learned_again() -> None:
    first, second = learned(wanted=True), learned(wanted=True)

    assert all((a == b).all() for a, b in zip(first, second, strict=True))


@needs_instructions
def test_weights_keep_the_bits_that_bfloat16_has_not() -> None:
    of_convolution = learned(wanted=True)[0].view(np.uint32)

    assert (of_convolution & 0xFFFF).any()


@needs_instructions
def test_what_is_asked_afterwards_is_exact_again() -> None:
    expected = learned(wanted=False)
    learned(wanted=True)

    assert all((a == b).all() for a, b in zip(learned(wanted=False), expected, strict=True))


@pytest.mark.parametrize("told", ["flags\t\t: fpu avx512f avx512_vnni\n", None])
def test_a_processor_without_it_computes_exactly(
    told: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = learned(wanted=False)
    if told:
        (tmp_path / "cpuinfo").write_text(told, encoding="utf-8")
    monkeypatch.setattr(bfloat16, "PROCESSOR", tmp_path / "cpuinfo")

    assert not has_bfloat16()
    assert all((a == b).all() for a, b in zip(learned(wanted=True), expected, strict=True))
