"""Turns Keras networks into the bytes of a .tflite, full-integer for luma pictures, and runs these on pictures."""

import contextlib
import io
import warnings
from collections.abc import Iterator
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
from tqdm import tqdm

from device.errors import KioskError
from device.faces import Luma
from device.quiet import native_code_quiet
from device.tflite import TFLite


class ConversionError(KioskError, RuntimeError):
    """A .tflite that isn't the network it was made from."""


def quantize(network: Any, calibration: Luma) -> bytes:  # noqa: ANN401
    """Return a full-integer .tflite: uint8 luma in with scale 1 and zero point 0, batch 1, float32 scores out.

    calibration: uint8 (n, height, width), of what the network will see. One pixel of each is set to 0 and one to 255:
    without them the range of dull photos would scale the input, and camera bytes would be misread.
    """
    import tensorflow as tf

    height, width = calibration.shape[1:]
    pinned = calibration.astype(np.float32)
    pinned[:, 0, 0], pinned[:, 0, 1] = 0, 255

    def samples() -> Iterator[list[npt.NDArray[np.float32]]]:
        for luma in tqdm(pinned, "calibration", disable=None):
            yield [luma[np.newaxis, :, :, np.newaxis]]

    # A fixed batch lets the runtime delegate the whole graph. Names end up in the file: Keras would count them up.
    luma = keras.Input(batch_shape=(1, height, width, 1), name="luma")
    converter = tf.lite.TFLiteConverter.from_keras_model(keras.Model(luma, network(luma), name="model"))
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = samples
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    converter.inference_input_type = tf.uint8
    converter.inference_output_type = tf.float32
    # tflite-runtime 2.14 crashes on arm64 when dense weights are quantized per channel.
    converter._experimental_disable_per_channel_quantization_for_dense_layers = True
    content = _converted(converter)
    if len(content) < network.count_params():
        raise ConversionError(
            f"the .tflite has {len(content)} bytes for {network.count_params()} weights, expected one each: the "
            "converter has lost them; nothing was written"
        )
    return content


def float32(network: Any) -> bytes:  # noqa: ANN401
    """Return a Keras network as a float32 .tflite, nothing of it rounded."""
    import tensorflow as tf

    return _converted(tf.lite.TFLiteConverter.from_keras_model(network))


def _converted(converter: Any) -> bytes:  # noqa: ANN401
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()), native_code_quiet():
        warnings.simplefilter("ignore")  # TensorFlow warns of its own calls, and lists every tensor
        return bytes(converter.convert())


def run_tflite(
    content: bytes, crops: Luma, chosen: npt.NDArray[np.intp] | None = None
) -> npt.NDArray[np.float32]:
    """Return a .tflite's scores, float32 (n, labels), of uint8 crops (n, size, size), or of the chosen ones."""
    network = TFLite(content)
    numbers = np.arange(len(crops)) if chosen is None else chosen
    return np.stack([network.run(crops[i]) for i in tqdm(numbers, "tflite", disable=None)])
