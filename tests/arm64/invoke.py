"""Runs a .tflite a given number of times on a grey picture, for whoever counts what that takes."""

import importlib
import sys

import numpy as np


def main() -> None:
    """Take RUNTIME MODEL.tflite COUNT."""
    runtime, model, count = sys.argv[1:]
    interpreter = importlib.import_module(f"{runtime}.interpreter").Interpreter(model_path=model, num_threads=1)
    interpreter.allocate_tensors()
    (source,) = interpreter.get_input_details()
    for _ in range(int(count)):
        interpreter.set_tensor(source["index"], np.full(source["shape"], 128, np.uint8))
        interpreter.invoke()


if __name__ == "__main__":
    main()
