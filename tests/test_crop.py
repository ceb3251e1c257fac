import numpy as np
import pytest

from device.crop import crop_face, whole_picture
from device.faces import Box, Luma

HEIGHT, WIDTH = 90, 120  # px
# A slope in each direction, so that every pixel tells where it comes from; no step reaches 256.
SLOPES = [np.ascontiguousarray(slope * 2, dtype=np.uint8) for slope in np.indices((HEIGHT, WIDTH))[::-1]]


def window(luma: Luma, x: int, y: int, side: int) -> Luma:
    """Cut out a square that may reach over the edges, whose pixels are repeated."""
    return np.pad(luma, side, "edge")[y + side : y + 2 * side, x + side : x + 2 * side]


@pytest.mark.parametrize(
    ("box", "margin", "x", "y", "side"),
    [
        (Box(30, 20, 40, 40), 0.0, 30, 20, 40),
        (Box(30, 20, 40, 40), 0.25, 20, 10, 60),
        (Box(30, 20, 20, 40), 0.0, 20, 20, 40),  # the longer side counts, the centre stays
        (Box(30, 20, 40, 20), 0.1, 26, 6, 48),
        (Box(20, 20, 10, 7), 0.025, 20, 18, 10),  # 10.5 px: as many pixels in both directions
        (Box(0, 0, 40, 40), 0.25, -10, -10, 60),  # over the left and the top edge
        (Box(90, 60, 40, 40), 0.25, 80, 50, 60),  # over the right and the bottom edge, the box too
        (Box(-20, 30, 30, 30), 0.0, -20, 30, 30),
        (Box(-30, -30, 200, 200), 0.0, -30, -30, 200),  # over all four
        (Box(WIDTH, 30, 20, 20), 0.5, WIDTH - 10, 20, 40),  # only the margin reaches the picture
        (Box(7, 9, 1, 1), 0.0, 7, 9, 1),
        (Box(7, 9, 0, 0), 0.0, 7, 9, 1),
    ],
)
def test_the_crop_is_the_square_around_the_box(box: Box, margin: float, x: int, y: int, side: int) -> None:
    for luma in SLOPES:
        before = luma.copy()
        crop = crop_face(luma, box, margin, side)
        assert crop.dtype == np.uint8
        assert crop.tolist() == window(luma, x, y, side).tolist()
        assert luma.tolist() == before.tolist()


def test_the_crop_has_the_size_asked_for() -> None:
    box = Box(20, 10, 60, 60)
    for luma in SLOPES:
        inside = luma[10:70, 20:80].astype(int)
        half = inside.reshape(30, 2, 30, 2).mean((1, 3))
        assert np.abs(crop_face(luma, box, 0.0, 30) - half).max() <= 0.5  # rounded
        double = crop_face(luma, box, 0.0, 120)
        assert double.shape == (120, 120)
        assert np.abs(double.reshape(60, 2, 60, 2).mean((1, 3)) - inside).max() <= 1


def test_rows_and_columns_may_lie_apart_in_memory() -> None:
    frame = np.random.default_rng(0).integers(0, 256, (HEIGHT * 2, WIDTH * 3), np.uint8)
    for luma in (frame[:HEIGHT, :WIDTH], frame[::2, ::3], frame[HEIGHT - 1 :: -1, WIDTH - 1 :: -1], frame.T):
        whole = np.ascontiguousarray(luma)
        for box in (Box(20, 10, 50, 50), Box(-20, -10, 50, 50)):
            assert crop_face(luma, box, 0.2, 33).tolist() == crop_face(whole, box, 0.2, 33).tolist()
        assert whole_picture(luma, 33).tolist() == whole_picture(whole, 33).tolist()


def test_a_read_only_frame_can_be_cut() -> None:
    luma = SLOPES[0].copy()
    luma.flags.writeable = False
    assert crop_face(luma, Box(-5, -5, 20, 20), 0.0, 20).tolist() == window(luma, -5, -5, 20).tolist()


@pytest.mark.parametrize(
    "box", [Box(WIDTH, 0, 9, 9), Box(-9, 0, 9, 9), Box(-30, 0, 20, 20), Box(0, HEIGHT, 9, 9), Box(0, -30, 20, 20)]
)
def test_a_box_outside_is_refused(box: Box) -> None:
    with pytest.raises(ValueError, match=r"^face box \(.*\) lies outside the picture of 120x90 pixels$"):
        crop_face(SLOPES[0], box, 0.0, 16)


def test_a_whole_picture_is_squeezed() -> None:
    luma = SLOPES[0]
    assert whole_picture(luma[:, :90], 90).tolist() == luma[:, :90].tolist()
    squeezed = whole_picture(luma, 30)
    assert squeezed.tolist() == [[4 * x + 3 for x in range(0, 60, 2)]] * 30


def test_shrinking_averages_and_enlarging_blends() -> None:
    narrow = np.tile(np.array([255, 0, 0, 0], np.uint8), (16, 4))  # one bright column in four
    step = np.tile(np.array([0, 200], np.uint8), (2, 1))
    for turned in (np.asarray, np.transpose):
        for bright in (narrow, narrow[:4]):  # both sides shrink, and one
            assert np.unique(whole_picture(turned(bright), 4)).tolist() == [64]
        for tall in (step, np.tile(step, (4, 1))):  # both sides grow, and one
            grown = turned(whole_picture(turned(tall), 8))
            assert 0 < grown[0, 3] < grown[0, 4] < 200
