"""Runs a .tflite on luma pictures with one thread, by ai-edge-litert or, where that isn't installed, tflite-runtime."""

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from device.cards import brought_back
from device.errors import ModelError
from device.faces import Luma
from device.quiet import native_code_quiet


class TFLite:
    """A model that takes one luma picture and gives one float array.

    `takes` and `gives` describe its tensors, as "uint8 [1, 100, 100, 1] scale 1.0 zero 0" and "float32 [1, 2]"; `size`
    is the (height, width) in px of its picture.
    """

    def __init__(self, content: bytes) -> None:
        """Load a model from the bytes of its .tflite. Raises ModelError if the runtime can't run it."""
        interpreter_class = _interpreter_class()
        try:
            with native_code_quiet():
                self._interpreter = interpreter_class(model_content=content, num_threads=1)
                self._interpreter.allocate_tensors()
            (takes,) = self._interpreter.get_input_details()
            (gives,) = self._interpreter.get_output_details()
        except (RuntimeError, ValueError) as error:  # no model, newer operators than the runtime's, several inputs
            found = str(error).splitlines()[0]
            runtime = interpreter_class.__module__.partition(".")[0]
            raise ModelError(f"can't be run by {runtime} ({found}): update it, or convert the model again") from error
        self.takes, self.gives = _terms(takes), _terms(gives)
        self.size = tuple(takes["shape"][1:3].tolist())
        self._input, self._output = takes["index"], gives["index"]

    def run(self, luma: Luma) -> npt.NDArray[np.float32]:
        """Return the output, float32 without its batch axis, for a picture, uint8 (height, width) of its size."""
        self._interpreter.set_tensor(self._input, luma[np.newaxis, :, :, np.newaxis])
        self._interpreter.invoke()
        return np.asarray(self._interpreter.get_tensor(self._output)[0], dtype=np.float32)


def load(model: Path, content: bytes, size: tuple[int, int], shape: tuple[int, ...], made_by: str) -> TFLite:
    """Load a model from the bytes of its file, proven to take and give what its card says.

    size: (height, width) in px of the luma it takes; shape: the output's, without its batch axis; made_by: the command
    that makes the file. Raises ModelError with one line that names the file.
    """
    takes, gives = f"uint8 {[1, *size, 1]} scale 1.0 zero 0", f"float32 {[1, *shape]}"
    try:
        network = TFLite(content)
    except ModelError as error:
        raise ModelError(f"{model}: {error}") from error
    for side, found, expected in (("takes", network.takes, takes), ("gives", network.gives, gives)):
        if found != expected:
            raise ModelError(f"{model}: {side} {found}, its card says {expected}: run {brought_back(model, made_by)}")
    return network


def _terms(tensor: dict[str, Any]) -> str:
    kind, shape = np.dtype(tensor["dtype"]).name, tensor["shape"].tolist()
    scale, zero = tensor["quantization"]
    return f"{kind} {shape}" + (f" scale {scale} zero {zero}" if scale else "")


def _interpreter_class() -> Any:  # noqa: ANN401
    try:
        from ai_edge_litert.interpreter import Interpreter
    except ImportError:
        try:
            from tflite_runtime.interpreter import Interpreter
        except ImportError:
            raise ModelError(
                "neither ai-edge-litert nor tflite-runtime is installed: run `make .venv`, or `make deploy` for a Pi"
            ) from None
    return Interpreter
