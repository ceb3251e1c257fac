"""What the Raspberry Pi at the door runs: camera -> faces -> classifier -> decision -> LED and buzzer."""

import os

# Read by OpenCV when it is first imported. It would print its own lines about damaged files beside ours, and decode
# pictures larger than the memory of a Pi.
os.environ.setdefault("OPENCV_LOG_LEVEL", "SILENT")
os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")
os.environ.setdefault("OPENCV_IO_MAX_IMAGE_PIXELS", str(2**27))
