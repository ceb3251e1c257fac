"""What the workstation runs: a folder of photos -> Keras -> a quantized .tflite and its card."""
