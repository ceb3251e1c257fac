"""Turns a .tflite and an array of pictures into the model's scores, on whatever computer and runtime this is."""

import importlib
import sys

import numpy as np


def main() -> None:
    """Take RUNTIME MODEL.tflite PICTURES.npy SCORES.npy.

    Pictures are uint8 (n, height, width), scores float32 (n, labels). No import of device/: it picks its own runtime.
    """
    runtime, model, pictures, scores = sys.argv[1:]
    interpreter = importlib.import_module(f"{runtime}.interpreter").Interpreter(model_path=model, num_threads=1)
    interpreter.allocate_tensors()
    (source,) = interpreter.get_input_details()
    (sink,) = interpreter.get_output_details()
    rows = []
    for picture in np.load(pictures):
        interpreter.set_tensor(source["index"], picture[np.newaxis, :, :, np.newaxis])
        interpreter.invoke()
        rows.append(interpreter.get_tensor(sink["index"])[0])
    np.save(scores, np.stack(rows))


if __name__ == "__main__":
    main()
