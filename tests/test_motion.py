"""A face that moves on its own is told from a poster, whatever light, noise, passers-by and a shaken camera do."""

import dataclasses
import itertools
from collections.abc import Callable, Sequence

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from device.classifier import Verdict
from device.decision import Decision
from device.events import Kind, State
from device.faces import Box, Face, Luma
from device.levels import Levels
from device.look import Look
from device.motion import Motion
from device.settings import DecisionSettings
from trainer.passages.noise import FRAMES_PER_SECOND, Seen, read_noise
from trainer.passages.script import KINDS, write_passage

WIDTH, HEIGHT = 480, 360
BOX = Box(180, 100, 100, 130)
Plane = npt.NDArray[np.float32]
Scene = Callable[[float], Plane]


class Here:
    """Finds the same face in every picture."""

    def __init__(self, faces: list[Face]) -> None:
        self.faces = faces

    def find(self, luma: Luma, now: float) -> list[Face]:
        return self.faces


def always(now: float, boxes: Sequence[Box], shape: tuple[int, ...]) -> bool:
    return True


def texture(seed: int, width: int = WIDTH, spread: float = 5) -> Plane:
    """Return soft spots, float32 (HEIGHT, width), 40-200; spread: of one, standard deviation in px."""
    rng = np.random.default_rng(seed)
    spots = cv2.GaussianBlur(rng.standard_normal((HEIGHT, width), np.float32), (0, 0), spread)
    return np.asarray(40 + 160 * (spots - spots.min()) / np.ptp(spots), np.float32)


WALL, FACE, BODY = texture(1), texture(2), texture(3, 120)


def shifted(picture: Plane, x: float, y: float = 0.0) -> Plane:
    matrix = np.array([[1, 0, x], [0, 1, y]], np.float32)
    moved = cv2.warpAffine(picture, matrix, (WIDTH, HEIGHT), borderMode=cv2.BORDER_REFLECT)
    return np.asarray(moved, np.float32)


def with_face(x: float = 0.0) -> Plane:
    """Return the wall with a face before it, so many px from its place."""
    scene, face = WALL.copy(), shifted(FACE, x)
    inside = np.s_[BOX.y : BOX.y + BOX.height, BOX.x : BOX.x + BOX.width]
    scene[inside] = face[inside]
    return scene


def moves(scene: Scene, rate: float, seconds: float, noise: float = 2.0) -> list[tuple[float, float | None]]:
    """Return seconds, and how far the face has moved, of each frame."""
    rng, motion, found = np.random.default_rng(0), Motion(Here([Face(BOX, 1.0)]), always), []
    for frame in range(round(seconds * rate)):
        now = frame / rate
        luma = np.clip(scene(now) + noise * rng.standard_normal((HEIGHT, WIDTH)) + 0.5, 0, 255).astype(np.uint8)
        (face,) = motion.find(luma, now)
        found.append((now, face.moved))
    return found


def told(found: list[tuple[float, float | None]], score: float = 0.05) -> list[tuple[Kind, State, float]]:
    """Return what a door tells of a face in one place with these moves."""
    decision, events = Decision(DecisionSettings(), Levels(0.6, 0.5)), list[tuple[Kind, State, float]]()
    for now, moved in found:
        verdict = Verdict(BOX, 1.0, (1 - score, score), score, "with_mask", Look(moved=moved))
        events += [(event.kind, event.state, event.at) for event in decision.update(now, [verdict])[1]]
    return events


@pytest.mark.parametrize("rate", [2.0, 10.0, 30.0])
def test_who_hardly_moves_is_judged_at_once(rate: float) -> None:
    def leaning(now: float) -> Plane:  # by a thirtieth of a face's height in a second
        return with_face(BOX.height / 30 * now)

    found = moves(leaning, rate, 2.0, noise=6.0)
    assert found[0][1] is None
    later = [moved for now, moved in found if now >= 1]
    assert later == pytest.approx([1 / 60] * len(later), rel=0.25)
    events = told(found)
    assert [event[:2] for event in events] == [(Kind.ENTER, State.CHECKING), (Kind.VERDICT, State.CLEAR)]
    assert events[1][2] <= max(0.7, 3 / rate)


def shaken(now: float) -> Plane:
    return shifted(with_face(), 3 * np.sin(5 * now), 2 * np.sin(17 * now))


def wavering(now: float) -> Plane:
    side = np.linspace(1 - 0.15 * np.sin(3 * now), 1 + 0.15 * np.sin(3 * now + 1), WIDTH, dtype=np.float32)
    return with_face() * side * np.float32(1 + 0.1 * np.sin(9 * now))


def shadow(now: float) -> Plane:
    edge = 220 * now % (WIDTH + 100)
    columns = np.arange(WIDTH, dtype=np.float32)
    return np.asarray(with_face() * (1 - 0.4 / (1 + np.exp((columns - edge) / 25))), np.float32)


def passing(now: float) -> Plane:
    scene, left = with_face(), round(300 * now % (WIDTH + 240)) - 120
    shown = slice(max(0, left), max(0, left + 120))
    part = BODY[80:, shown.start - left : shown.stop - left]
    scene[80:, shown] = part[:, : scene[80:, shown].shape[1]]
    return scene


@pytest.mark.parametrize("scene", [lambda now: with_face(), shaken, wavering, shadow, passing])
def test_a_poster_is_never_judged(scene: Scene) -> None:
    assert told(moves(scene, 10.0, 6.0)) == []


@pytest.mark.parametrize(
    ("scene", "least", "most"), [(lambda now: with_face(), 1.0, 1.0), (wavering, 0.9, 1.0), (shaken, 0.0, 0.1)]
)
def test_a_poster_is_seen_to_be_still_unless_the_camera_is_shaken(scene: Scene, least: float, most: float) -> None:
    found = [moved for now, moved in moves(scene, 10.0, 6.0) if now >= 0.2]
    assert least <= sum(moved == 0 for moved in found) / len(found) <= most


def test_in_much_noise_a_small_poster_is_not_judged_wherever_the_finder_sees_its_face() -> None:
    rng, finder, told = np.random.default_rng(0), Here([]), []
    decision = Decision(DecisionSettings(), Levels(0.6, 0.5))
    motion = Motion(finder, decision.wonders)
    scene = texture(1, spread=2)  # as much to be seen in it as in a face of this size
    for frame in range(100):
        now, lower = frame / 10, 9 * (frame % 10 in {6, 7})
        finder.faces = [Face(Box(200, 120 + lower, 32, 42), 1.0)]
        (face,) = motion.find(np.clip(scene + 5 * rng.standard_normal(scene.shape), 0, 255).astype(np.uint8), now)
        told += decision.update(now, [Verdict(face.box, 1.0, (0.05, 0.95), 0.95, "", Look(moved=face.moved))])[1]
    assert told == []


def test_in_much_noise_who_is_near_and_moves_slowly_is_judged_by_their_box() -> None:
    rng, finder, told = np.random.default_rng(0), Here([]), []
    decision = Decision(DecisionSettings(), Levels(0.6, 0.5))
    motion = Motion(finder, decision.wonders)
    for frame in range(80):
        now, drift = frame / 10, 0.03 * 216 * frame / 10  # a thirtieth of the face's height a second
        scene, box = WALL.copy(), Box(150 + round(drift), 70, 160, 216)
        scene[70:286, box.x : box.x + 160] = shifted(FACE, drift)[70:286, box.x : box.x + 160]
        finder.faces = [Face(box, 1.0)]
        dim = 128 + 0.25 * (scene - 128) + 6 * rng.standard_normal(scene.shape)
        (face,) = motion.find(np.clip(dim, 0, 255).astype(np.uint8), now)
        told += decision.update(now, [Verdict(box, 1.0, (0.95, 0.05), 0.05, "", Look(moved=face.moved))])[1]
    assert [event.kind for event in told] == [Kind.ENTER, Kind.VERDICT]
    assert told[1].at <= 4.0


def test_without_anything_to_compare_with_nothing_is_told() -> None:
    faces = [Face(Box(0, 0, WIDTH, HEIGHT), 1.0)]  # it hides all the rest
    motion, pictures = Motion(Here(faces), always), [texture(5), shifted(texture(5), 4.0)]
    found = [motion.find(picture.astype(np.uint8), now)[0].moved for now, picture in enumerate(pictures)]
    assert found == [None, None]
    tiny = Motion(Here([Face(Box(100, 100, 20, 20), 1.0)]), always)
    assert [tiny.find(picture.astype(np.uint8), now)[0].moved for now, picture in enumerate(pictures)] == [None, None]


def test_pictures_from_before_everybody_left_are_forgotten() -> None:
    finder = Here([Face(BOX, 1.0)])
    motion, found = Motion(finder, always), []
    for now, there, x in ((0.0, True, 0.0), (0.4, True, 2.0), (1.0, False, 2.0), (1.5, False, 2.0), (1.6, True, 4.0)):
        finder.faces = [Face(BOX, 1.0)] if there else []
        found.append([face.moved for face in motion.find(with_face(x).astype(np.uint8), now)])
    assert list(itertools.chain(*found)) == [None, pytest.approx(2 / BOX.height, rel=0.1), None]


def test_a_face_is_asked_how_far_it_moves_until_it_has_moved_once() -> None:
    decision, found = Decision(DecisionSettings(), Levels(0.6, 0.5)), list[float | None]()
    motion = Motion(Here([Face(BOX, 1.0)]), decision.wonders)
    for frame in range(20):
        now = frame / 10
        (face,) = motion.find(with_face(BOX.height / 30 * now).astype(np.uint8), now)
        decision.update(now, [Verdict(BOX, 1.0, (0.9, 0.1), 0.1, "with_mask", Look(moved=face.moved))])
        found.append(face.moved)
    assert decision.state is State.CLEAR
    moving = [frame for frame, moved in enumerate(found) if moved]
    assert moving == list(range(4, found.index(None, 2)))  # so far they are moved too little to be seen
    assert found.index(None, 2) <= 8


@pytest.mark.parametrize("living", [True, False])
def test_who_sits_still_is_asked_again_before_they_are_a_poster_and_no_poster_stays(living: bool) -> None:
    rng, decision = np.random.default_rng(0), Decision(DecisionSettings(background_seconds=60.0), Levels(0.6, 0.5))
    motion, told, asked = Motion(Here([Face(BOX, 1.0)]), decision.wonders), list[Kind](), 0
    for frame in range(5 * 200):
        now = frame / 5
        leaning = 2.5 * np.sin(2 * now) if living or now < 4 else 0.0  # somebody hangs it up
        scene = with_face(leaning) if living or now < 4 else wavering(now)
        luma = np.clip(scene + 2 * rng.standard_normal((HEIGHT, WIDTH)), 0, 255).astype(np.uint8)
        (face,) = motion.find(luma, now)
        verdict = Verdict(BOX, 1.0, (0.9, 0.1), 0.1, "with_mask", Look(moved=face.moved))
        told += [event.kind for event in decision.update(now, [verdict])[1]]
        asked += face.moved is not None
    assert told == [Kind.ENTER, Kind.VERDICT, *[Kind.LEAVE] * (not living)]
    assert asked < 5 * 200 * 0.2


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_told_is_the_same_as_if_every_move_were_known(kind: str) -> None:
    asked = faces = 0
    for number in range(2 if kind == "poster" else 10):
        rng = np.random.default_rng([6, number])
        passage = write_passage(rng, kind)
        people = [Seen(rng, read_noise(), walk) for walk in passage.walks]
        whole, spared = (Decision(DecisionSettings(least_move=0.2), Levels(0.6, 0.5)) for _ in range(2))
        for frame in range(round(passage.seconds * FRAMES_PER_SECOND)):
            now = frame / FRAMES_PER_SECOND
            still = [verdict for person in people if (verdict := person.verdict(passage, now))]
            looks = [dataclasses.replace(verdict.look, moved=rng.exponential(0.03)) for verdict in still]
            moving = [dataclasses.replace(verdict, look=look) for verdict, look in zip(still, looks, strict=True)]
            wonders = spared.wonders(now, [verdict.box for verdict in still], (HEIGHT, WIDTH))
            assert whole.update(now, moving) == spared.update(now, moving if wonders else still)
            asked, faces = asked + wonders, faces + bool(still)
    assert asked < faces / 2
