"""Lets a known face detector, YuNet, mark the faces in pictures that nobody has marked."""

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import cv2
import numpy as np
from tqdm import tqdm

from device.errors import PictureError
from device.pictures import read_luma
from trainer.finder.contenders import YuNet
from trainer.finder.lay import Picture, cut, picture
from trainer.finder.scenes import Scene
from trainer.photos import LABELS, WORN_WRONG

LEAST_SCORE = 0.7  # of a face that is believed
DOUBTED_SCORE = 0.3  # from here on to there, nothing is asked in the face's box
AROUND = 0.3  # of a picture's sides, added before it is searched: face crops leave a detector nothing around the face
LONGEST_SIDE = 400  # px
WORDS = (*LABELS, WORN_WRONG)


def taught(teacher: Path, scenes: Sequence[Scene]) -> Iterator[Picture]:
    """Yield those of the pictures in which the teacher, YuNet's .onnx, is sure of a face, with its boxes.

    What the faces wear is taken from the folder that holds the picture, where that has a class's name. A picture that
    is unusable is left out with one line on stderr. Raises ModelError.
    """
    detector = YuNet(teacher)
    for scene in tqdm(scenes, "teaching", unit="picture", disable=None):
        try:
            luma = read_luma(scene.path)
        except PictureError as error:
            print(f"left out: {error}", file=sys.stderr)
            continue
        scale = min(1.0, LONGEST_SIDE / max(luma.shape))
        if scale < 1:
            luma = np.asarray(cv2.resize(luma, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA), np.uint8)
        rows, columns = (round(AROUND * side) for side in luma.shape)
        wide = cv2.copyMakeBorder(luma, rows, rows, columns, columns, cv2.BORDER_REPLICATE)
        found = [face for face in detector.find(np.asarray(wide, np.uint8)) if face.score >= DOUBTED_SCORE]
        boxes = np.array([face.box for face in found], np.float32).reshape(-1, 4) - (columns, rows, 0, 0)
        boxes, _ = cut(boxes.astype(np.float32), np.array([0.0, 0.0, *luma.shape[::-1]]))
        inside = boxes[:, 2:].min(axis=1) >= 1  # it may see a face in what was added around
        sure = np.array([face.score >= LEAST_SCORE for face in found], bool)[inside]
        boxes = boxes[inside]
        if sure.any():
            label = next((word for word in WORDS if word in scene.path.parts), "face")
            yield picture(luma, boxes[sure], [label] * int(sure.sum()), boxes[~sure])

