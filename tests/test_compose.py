"""Faces are where the boxes of a composed picture say: drawn faces are so bright that they can be measured in it."""

import cv2
import numpy as np
import pytest

from device.faces import Luma
from device.heatmap import HEIGHT, WIDTH
from trainer.finder import compose, dress, lay
from trainer.finder import photograph as photographs
from trainer.finder.compose import Composer
from trainer.finder.lay import Floats, Picture, picture
from trainer.finder.photograph import photograph

SIZES = [(160, 128), (224, 160), (320, 224)]
SEEDS = 100
FACE, ELSEWHERE = 255, 0  # grey levels
BRIGHT = 140  # above the commonest plain background
FACES = np.array([(30, 20, 24, 30), (70, 40, 40, 52)], np.float32)
CORNER = 10  # px: of a face that a tile's edge has cut, which is no oval any more, so much may lie outside of its box
EDGE = 1.3  # px: how exact a face's bounds can be measured in pixels
BOXES = np.array([(60, 40, 40, 50), (200, 90, 30, 38)], np.float32)
NOTHING = np.empty((0, 4), np.float32)


def drawn(width: int, height: int, *faces: tuple[int, int, int, int], label: str = "face") -> Picture:
    """A dark picture in which each face is a bright oval that fills its box."""
    luma = np.full((height * 4, width * 4), ELSEWHERE, np.uint8)
    for x, y, w, h in faces:
        cv2.ellipse(luma, ((4 * x + 2 * w - 0.5, 4 * y + 2 * h - 0.5), (4 * w, 4 * h), 0), FACE, -1)
    small = np.asarray(cv2.resize(luma, (width, height), interpolation=cv2.INTER_AREA), np.uint8)
    return picture(small, np.array(faces, np.float32).reshape(-1, 4), [label] * len(faces), NOTHING)


ONE = [drawn(321, 259, (110, 60, 80, 104)), drawn(150, 131, (60, 40, 26, 33)), drawn(64, 53, (25, 17, 12, 15))]
ROOMS = [drawn(320, 240), drawn(97, 203)]


@pytest.fixture(autouse=True)
def bare_heads(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is put on heads, which would make faces less bright."""
    monkeypatch.setattr(dress, "GLASSES", 0.0)
    monkeypatch.setattr(dress, "HEADWEAR", 0.0)


@pytest.fixture
def layers(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    """Pictures of so many layers, none of them on a background as bright as a face, or shown whole."""
    monkeypatch.setattr(compose, "LAYERS", request.param)
    monkeypatch.setattr(compose, "PLAIN", 0.0)
    monkeypatch.setattr(compose, "WHOLE", 0.0)


def composed(pictures: list[Picture], width: int, height: int) -> list[tuple[Luma, Floats, Floats]]:
    """Compositions of many seeds."""
    composer = Composer([(1.0, pictures)], ROOMS)
    return [composer.compose(np.random.default_rng(seed), width, height) for seed in range(SEEDS)]


def measured(canvas: Luma, box: Floats) -> Floats:
    """The edges of what is bright in a box and around it."""
    beside = 3 + 0.15 * box[2:].max()  # so much around a face is dark in its picture
    left, top, right, bottom = np.round(edges(box) + np.array([-1, -1, 1, 1]) * beside).astype(int).clip(0)
    down, across = np.nonzero(canvas[top:bottom, left:right] > BRIGHT)
    return np.array([left + across.min(), top + down.min(), left + across.max() + 1, top + down.max() + 1], np.float32)


def test_a_picture_shown_whole_lies_in_the_canvas_as_the_device_fits_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compose, "WHOLE", 1.0)
    monkeypatch.setattr(lay, "WHOLE_ZOOM", (1.0, 1.0))
    for canvas, boxes, ignored in composed([drawn(320, 240, (110, 60, 80, 104))], WIDTH, HEIGHT):
        (box,) = boxes
        assert not len(ignored)
        assert measured(canvas, box) == pytest.approx(edges(box), abs=EDGE)
        assert box[3] == pytest.approx(104 * HEIGHT / 240, rel=0.25)  # it is stretched and tilted a little


def edges(box: Floats) -> Floats:
    return np.concatenate([box[:2], box[:2] + box[2:]])


@pytest.mark.parametrize("layers", [(0, 1, 0, 0)], indirect=True)
@pytest.mark.parametrize(("width", "height"), SIZES)
@pytest.mark.usefixtures("layers")
def test_a_box_frames_its_face(width: int, height: int) -> None:
    heights = []
    for canvas, boxes, _ in composed(ONE, width, height):
        for box in boxes:
            assert measured(canvas, box) == pytest.approx(edges(box), abs=EDGE)
            heights.append(float(box[3]))

    assert len(heights) > SEEDS * 0.85
    assert min(heights) < 14
    assert max(heights) > 0.8 * height


@pytest.mark.parametrize("layers", [(0, 1, 0, 0)], indirect=True)
@pytest.mark.parametrize(("width", "height"), SIZES)
@pytest.mark.usefixtures("layers")
def test_a_face_counts_if_it_is_large_enough_and_half_of_it_is_seen(width: int, height: int) -> None:
    circle, speck = drawn(300, 300, (110, 110, 80, 80)), drawn(64, 64, (30, 30, 3, 3))
    shares = []
    for canvas, boxes, ignored in composed([circle], width, height):
        assert len(boxes) + len(ignored) == 1
        (box,) = (*boxes, *ignored)
        low, high = edges(box)[:2] > 0, edges(box)[2:] < (width, height)
        if box[2:].min() > 4:
            exact = max(EDGE, 0.1 * float(box[2:].max()))
            assert measured(canvas, box) == pytest.approx(edges(box), abs=exact)
        if low.sum() + high.sum() == 3 and box[2:].max() > 20:  # cut by one edge: the other side is still whole
            share = box[2:].min() / box[2:].max()
            shares.append(share)
            assert share > 0.4 if len(boxes) else share < 0.6
    for _, boxes, ignored in composed([speck], width, height):  # cannot be enlarged to 12 px
        assert len(boxes) == 0
        assert len(ignored) == 1
    assert min(shares) < 0.7


@pytest.mark.parametrize("layers", [(0, 0.2, 0.4, 0.4)], indirect=True)
@pytest.mark.parametrize(("width", "height"), SIZES)
@pytest.mark.usefixtures("layers")
def test_every_face_that_shows_has_a_box_or_is_ignored_and_every_box_shows_a_face(width: int, height: int) -> None:
    crowd = [*ONE, drawn(400, 300, (60, 50, 70, 90), (180, 60, 60, 80), (270, 200, 16, 20), (300, 40, 50, 66))]
    counts, hidden = [], 0
    for canvas, boxes, ignored in composed(crowd, width, height):
        bright = canvas > BRIGHT
        told = np.zeros(canvas.shape, bool)
        for box in (*boxes, *ignored):
            beside = EDGE + 0.06 * box[2:].max()  # what a tile's edge has cut off is tilted with the rest
            left, top, right, bottom = np.round(edges(box) + np.array([-1, -1, 1, 1]) * beside).astype(int).clip(0)
            told[top:bottom, left:right] = True
        assert (bright & ~told).sum() < CORNER
        for box in boxes:
            left, top, right, bottom = np.round(edges(box)).astype(int)
            oval = np.pi / 4 * box[2] * box[3]
            assert bright[top:bottom, left:right].sum() > 0.45 * oval
        for box in (*boxes, *ignored):
            assert (edges(box) >= 0).all()
            assert (edges(box) <= (width, height, width, height)).all()
        counts.append(len(boxes))
        hidden += len(ignored)

    assert max(counts) >= 4
    assert hidden > 0


@pytest.mark.parametrize("layers", [(0, 0, 1, 0)], indirect=True)
@pytest.mark.usefixtures("layers")
def test_a_face_under_another_picture_no_longer_counts() -> None:
    """Every picture is all face, so that of the upper one nothing but its face hides the lower one's."""
    full = drawn(100, 100, (0, 0, 100, 100))
    whole, hidden = 0, 0
    for canvas, boxes, ignored in composed([full], 320, 224):
        for box in boxes:
            left, top, right, bottom = np.round(edges(box)).astype(int)
            assert (canvas[top:bottom, left:right] > BRIGHT).mean() > 0.55
        whole += len(boxes) == 2 and not len(ignored)
        hidden += len(boxes) == 1 and len(ignored) == 1

    assert whole > 10
    assert hidden > 3


@pytest.mark.parametrize("layers", [(1, 0, 0, 0)], indirect=True)
@pytest.mark.usefixtures("layers")
def test_a_picture_without_layers_has_no_boxes() -> None:
    for canvas, boxes, ignored in composed(ONE, 128, 96):
        assert canvas.shape == (96, 128)
        assert canvas.max() <= BRIGHT
        assert boxes.shape == ignored.shape == (0, 4)


@pytest.mark.parametrize(("width", "height"), SIZES)
def test_the_same_seed_gives_the_same_bytes(width: int, height: int) -> None:
    scene = drawn(321, 259, (110, 60, 80, 104), label="without_mask")
    once, again = Composer([(1.0, [scene])], ROOMS), Composer([(1.0, [scene])], ROOMS)
    photos = []
    for seed in range(30):
        both = []
        for composer in (once, again):
            rng = np.random.default_rng(seed)
            canvas, boxes, ignored = composer.compose(rng, width, height)
            both.append((canvas.tobytes(), boxes.tobytes(), ignored.tobytes(),
                         photograph(rng, canvas, boxes).tobytes()))
        assert both[0] == both[1]
        photos.append(both[0][3])
    assert len(set(photos)) > 20


@pytest.mark.parametrize("layers", [(0, 1, 0, 0)], indirect=True)
@pytest.mark.usefixtures("layers")
def test_something_is_drawn_on_bare_faces_only_and_never_into_the_picture_itself() -> None:
    dressed = {}
    for label in ("without_mask", "with_mask"):
        scene = drawn(321, 259, (110, 60, 80, 104), label=label)
        before = scene.levels[0].copy()
        shares = [
            ((canvas > BRIGHT).sum() / (np.pi / 4 * boxes[0, 2] * boxes[0, 3]))
            for canvas, boxes, _ in composed([scene], 320, 224)
            if len(boxes) and boxes[0, 3] > 40
        ]
        dressed[label] = sum(share < 0.93 for share in shares) / len(shares)
        assert np.array_equal(scene.levels[0], before)

    assert dressed["with_mask"] == 0
    assert 0.02 < dressed["without_mask"] < 0.5


@pytest.mark.parametrize("worn", ["GLASSES", "HEADWEAR"])
@pytest.mark.parametrize("layers", [(0, 1, 0, 0)], indirect=True)
@pytest.mark.usefixtures("layers")
def test_heads_wear_something_whatever_covers_the_mouth(worn: str, monkeypatch: pytest.MonkeyPatch) -> None:
    scene = drawn(321, 259, (110, 60, 80, 104), label="with_mask")
    before = scene.levels[0].copy()
    plain = composed([scene], 320, 224)
    monkeypatch.setattr(dress, worn, 1.0)
    changed = total = 0
    for (was, boxes, _), (now, moved, _) in zip(plain, composed([scene], 320, 224), strict=True):
        if len(boxes) and boxes[0, 3] > 60:
            assert np.array_equal(boxes, moved)
            left, top, right, bottom = np.round(edges(boxes[0])).astype(int)
            upper, mouth = np.s_[top : (top + bottom) // 2, left:right], np.s_[bottom - (bottom - top) // 5 : bottom]
            total += 1
            changed += (was[upper] != now[upper]).mean() > 0.1 and (was[mouth] != now[mouth]).mean() < 0.1
    assert changed > 0.5 * total > 10
    assert np.array_equal(scene.levels[0], before)


def test_light_from_behind_leaves_heads_and_shoulders_dark(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(photographs, "FROM_BEHIND", 1.0)
    canvas = np.full((HEIGHT, WIDTH), 128, np.uint8)
    heads = np.zeros(canvas.shape, bool)
    for left, top, width, height in BOXES.astype(int):
        heads[top : top + height, left : left + width] = True
    darker = []
    for seed in range(60):
        photo = photograph(np.random.default_rng(seed), canvas, BOXES).astype(float)
        if not np.array_equal(photo, canvas):
            darker.append(photo[heads].mean() < photo[:, 130:180].mean() - 15)  # between both of them
    assert np.mean(darker) > 0.85


@pytest.mark.parametrize(("width", "height"), SIZES)
def test_a_photograph_keeps_shape_and_type(width: int, height: int) -> None:
    canvas = np.random.default_rng(0).integers(0, 256, (height, width), np.uint8)
    before = canvas.copy()
    changed = []
    for seed in range(60):
        for given in (canvas, canvas[:, ::-1]):
            photo = photograph(np.random.default_rng(seed), given, BOXES)
            assert photo.shape == (height, width)
            assert photo.dtype == np.uint8
            changed.append(not np.array_equal(photo, given))

    assert np.array_equal(canvas, before)
    assert 0.5 < np.mean(changed) < 1
