"""What the Raspberry Pi at the door runs: camera -> faces -> classifier -> decision -> LED and buzzer."""

import os

# Read by OpenCV when it is first imported: it would print its own lines about damaged files beside ours.
os.environ.setdefault("OPENCV_LOG_LEVEL", "SILENT")
os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")
