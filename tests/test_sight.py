"""A live camera that is covered or frozen is told from one that looks at an unchanged scene, or into the night."""

import functools
import itertools
from collections.abc import Callable, Iterable, Iterator

import cv2
import numpy as np
import pytest
from test_gate import Scene, taken
from test_gate import empty_scene as draw_scene

from device.cameras.frame import Frame
from device.cameras.sight import BUFFERS, DAZZLED_SECONDS, SETTLE_SECONDS, Sight
from device.errors import Blind, CameraFault
from device.faces import Luma

RATES = (5.0, 10.0, 30.0)  # frames a second that the loop may get to see
FROZEN = 1.5  # seconds that a picture may be repeated
SAFE_SECONDS = 2.0  # a fault is to be known by then
NIGHT = 4.0  # grey levels: the noise of a sensor that is turned up


WIDTH, HEIGHT = 320, 240  # px


@functools.cache
def empty_scene(seed: int) -> Scene:
    return draw_scene(seed, WIDTH, HEIGHT)


def watch(lumas: Iterable[Luma], rate: float, repeats: bool = False) -> tuple[Blind, float] | None:
    """Show pictures at a rate a second; return the fault's word and its second, or None."""
    sight = Sight("usb:0", repeats)
    for place, luma in enumerate(lumas):
        try:
            sight.check(Frame(luma, 50 + place / rate))
        except CameraFault as fault:
            return fault.word, place / rate
    return None


def scenes(seed: int, noise: float, seconds: float, rate: float, scene: Scene | None = None) -> Iterator[Luma]:
    """Yield what a sensor with this noise sees of an unchanged scene."""
    rng = np.random.default_rng(seed)
    scene = empty_scene(seed) if scene is None else scene
    for _ in range(round(seconds * rate)):
        yield taken(rng, scene, noise)


def dark(noise: float, seconds: float, rate: float) -> Iterator[Luma]:
    """Yield what a sensor with this noise sees where no light is."""
    return scenes(9, noise, seconds, rate, np.full((HEIGHT, WIDTH), 2, np.float32))


def jpeg(luma: Luma, quality: int) -> Luma:
    return np.asarray(
        cv2.imdecode(cv2.imencode(".jpg", luma, [cv2.IMWRITE_JPEG_QUALITY, quality])[1], cv2.IMREAD_GRAYSCALE), np.uint8
    )


def covering(rate: float, seconds: float = 0.4) -> Iterator[Luma]:
    """Yield a lit scene before which, within so long, something opaque is moved from the left, out of focus."""
    rng, scene, frames = np.random.default_rng(1), empty_scene(1), round(seconds * rate)
    yield from scenes(1, 2.0, 3.0, rate)
    for place in range(1, frames):
        edge = WIDTH * place / frames
        light = np.clip((np.arange(WIDTH) - edge) / 30 + 0.5, 0, 1).astype(np.float32)
        yield taken(rng, scene * light + 2, 2.0)


@pytest.mark.parametrize("rate", RATES)
def test_a_repeated_picture_is_frozen(rate: float) -> None:
    last = taken(np.random.default_rng(7), empty_scene(0), 1.0)
    lumas = itertools.chain(scenes(0, 1.0, 2.0, rate), itertools.repeat(last, 100))
    word, second = watch(lumas, rate) or pytest.fail("not noticed")
    assert word is Blind.FROZEN
    assert FROZEN <= second - 2.0 <= SAFE_SECONDS


@pytest.mark.parametrize("rate", RATES)
def test_a_driver_that_hands_out_its_old_buffers_in_turn_is_frozen(rate: float) -> None:
    buffers = list(scenes(0, 1.0, 4 / rate, rate))
    word, second = watch(itertools.islice(itertools.cycle(buffers), 200), rate) or pytest.fail("not noticed")
    assert word is Blind.FROZEN
    assert second - 4 / rate <= SAFE_SECONDS


@pytest.mark.parametrize("quality", [None, 90, 50, 20])
@pytest.mark.parametrize("noise", [0.3, 1.0])
def test_an_unchanged_scene_is_not_frozen(noise: float, quality: int | None) -> None:
    for seed in range(3):
        lumas = scenes(seed, noise, 4.0, 10)
        assert watch(lumas if quality is None else (jpeg(luma, quality) for luma in lumas), 10) is None, seed


def test_a_single_grey_level_somewhere_is_enough() -> None:
    scene = taken(np.random.default_rng(0), empty_scene(0), 1.0)
    rng = np.random.default_rng(1)

    def flicker() -> Iterator[Luma]:
        for _ in range(60):
            luma = scene.copy()
            luma[rng.random(luma.shape) < 0.001] += 1
            yield luma

    assert watch(flicker(), 10) is None


@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("repeats", [False, True])
@pytest.mark.parametrize(("light", "noise"), [(310.0, 6.0), (240.0, 6.0), (235.5, 0.0)])
def test_a_light_into_the_lens_dazzles_it_however_little_noise_it_leaves(
    light: float, noise: float, repeats: bool, rate: float
) -> None:
    white = np.full((HEIGHT, WIDTH), light, np.float32)
    lumas = itertools.chain(scenes(0, 1.0, 2.0, rate), scenes(1, noise, 10.0, rate, white))
    assert watch(lumas, rate, repeats) == (Blind.DAZZLED, 2.0 + DAZZLED_SECONDS)
    assert watch(scenes(1, noise, 10.0, rate, white), rate, repeats) == (Blind.DAZZLED, DAZZLED_SECONDS)


@pytest.mark.parametrize("rate", RATES)
def test_a_glance_of_light_and_a_bright_wall_dazzle_nobody(rate: float) -> None:
    white = np.full((HEIGHT, WIDTH), 310, np.float32)
    glances = ([*scenes(0, 1.0, 2.8, rate, white), *scenes(seed, 1.0, 1.0, rate)] for seed in range(4))
    assert watch(itertools.chain.from_iterable(glances), rate) is None
    wall = np.full((HEIGHT, WIDTH), 250, np.float32) - np.linspace(0, 12, WIDTH, dtype=np.float32)
    assert watch(scenes(2, 1.0, 10.0, rate, wall), rate) is None


def repeated(times: int, seconds: float, rate: float) -> Iterator[Luma]:
    """Yield what is live, each picture so many times, as video that is coded as differences may give it."""
    rng = np.random.default_rng(0)
    pictures = [taken(rng, empty_scene(0), 1.0) for _ in range(BUFFERS + 1)]
    for place in range(round(seconds * rate)):
        yield pictures[place // times % len(pictures)]


@pytest.mark.parametrize(("times", "noticed"), [(1, 1.5), (3, 1.5), (10, 3.6), (40, 10.0)])
def test_a_network_camera_is_frozen_when_it_repeats_itself_longer_than_it_is_wont_to(
    times: int, noticed: float
) -> None:
    live, last = 40.0, taken(np.random.default_rng(9), empty_scene(1), 1.0)
    lumas = itertools.chain(repeated(times, live, 10), itertools.repeat(last, 200))
    word, second = watch(lumas, 10, repeats=True) or pytest.fail("not noticed")
    assert word is Blind.FROZEN
    assert second - live == pytest.approx(noticed, abs=0.11)
    assert watch(repeated(times, 120.0, 10), 10, repeats=True) is None


def test_a_network_camera_that_was_not_looked_at_yet_is_given_time() -> None:
    assert watch(itertools.islice(repeated(10000, 100.0, 10), 200), 10, repeats=True) == (Blind.FROZEN, 10.0)


@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("noise", [0.0, 1.0, NIGHT])
def test_what_is_put_before_the_lens_covers_it(rate: float, noise: float) -> None:
    start = len(list(covering(rate))) / rate
    word, second = watch(itertools.chain(covering(rate), dark(noise, 10.0, rate)), rate) or pytest.fail("not noticed")
    assert word is Blind.COVERED
    assert second - start <= SAFE_SECONDS


@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("seconds", [1.0, 2.0])
def test_what_is_put_before_the_lens_slowly_covers_it(rate: float, seconds: float) -> None:
    lumas = itertools.chain(covering(rate, seconds), dark(NIGHT, 3.0, rate))
    word, second = watch(lumas, rate) or pytest.fail("not noticed")
    assert word is Blind.COVERED
    assert second == pytest.approx(3.0 + seconds + 1.5, abs=0.21)


def lights_out(rate: float, part: float, after: Callable[[float], Iterator[Luma]]) -> Iterator[Luma]:
    """Yield a lit scene, a frame whose lower part was exposed after the lamp went out, and what comes after that."""
    yield from scenes(1, 2.0, 3.0, rate)
    scene = empty_scene(1).copy()
    scene[round(HEIGHT * part) :] *= 0.02
    yield taken(np.random.default_rng(2), scene, 2.0)
    yield from after(rate)


@pytest.mark.parametrize("rate", [10.0, 30.0])
@pytest.mark.parametrize("part", [0.0, 0.5])
def test_a_room_without_any_light_is_the_night(rate: float, part: float) -> None:
    assert watch(lights_out(rate, part, lambda rate: dark(NIGHT, 10.0, rate)), rate) is None


def two_lamps(rate: float, gap: float) -> Iterator[Luma]:
    """Yield a scene that two lamps light, one from each side, and that goes dark as one after the other goes out."""
    rng, across = np.random.default_rng(3), np.linspace(0, 1, WIDTH, dtype=np.float32)
    left, right = (np.exp(-(((across - lamp) / 0.35) ** 2)) for lamp in (0.1, 0.9))
    for place in range(round(10 * rate)):
        light = left * (place < round(3 * rate)) + right * (place < round((3 + gap) * rate))
        yield taken(rng, empty_scene(1) * light + 2, NIGHT)


@pytest.mark.parametrize(
    ("rate", "gap"), [(5.0, 0.4), (5.0, 0.8), *itertools.product([10.0, 30.0], [0.2, 0.3, 0.5, 0.8])]
)
def test_two_lamps_that_go_out_one_after_the_other_make_a_night(rate: float, gap: float) -> None:
    assert watch(two_lamps(rate, gap), rate) is None


def test_a_night_without_any_light_ends_at_some_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("device.cameras.sight.LONGEST_NIGHT_SECONDS", 600.0)
    rng, lit = np.random.default_rng(0), np.tile(np.arange(0, 160, dtype=np.uint8), (120, 1))
    black = [rng.integers(0, 3, (120, 160), np.uint8) for _ in range(2)]
    sight = Sight("usb:0")
    sight.check(Frame(lit, 0.0))
    for second in range(1, 601):
        sight.check(Frame(black[second % 2], second))
    with pytest.raises(CameraFault, match=r"^usb:0: camera covered: nothing but black for 600\.0 s"):
        sight.check(Frame(black[0], 601.0))


def test_pictures_of_another_size_in_the_dark_are_the_night_too() -> None:
    night = list(lights_out(10, 0.0, lambda rate: dark(NIGHT, 10.0, rate)))
    assert watch([*night, *(luma[::2, ::2].copy() for luma in dark(NIGHT, 5.0, 10))], 10) is None


def test_black_without_noise_is_no_night() -> None:
    word, second = watch(lights_out(10, 0.0, lambda rate: dark(0.0, 10.0, rate)), 10) or pytest.fail("not noticed")
    assert word is Blind.COVERED
    assert second <= 3.1 + 3.0


@pytest.mark.parametrize("brightest", [8.0, 20.0])
def test_a_room_in_the_dark_that_shows_anything_at_all_is_the_night(brightest: float) -> None:
    scene = empty_scene(3) / np.float32(220) * np.float32(brightest)
    assert watch(scenes(3, NIGHT, 8.0, 10, scene), 10) is None
    lamp = np.full((HEIGHT, WIDTH), 2, np.float32)  # a standby lamp
    cv2.circle(lamp, (250, 50), 6, brightest * 10, cv2.FILLED)
    assert watch(scenes(3, NIGHT, 8.0, 10, lamp), 10) is None


@pytest.mark.parametrize("noise", [0.0, NIGHT])
def test_a_start_in_the_dark_is_covered_but_may_be_black_for_a_moment(noise: float) -> None:
    assert watch(dark(noise, 10.0, 10), 10) == (Blind.COVERED, SETTLE_SECONDS)
    assert watch(itertools.chain(dark(noise, SETTLE_SECONDS - 0.1, 10), scenes(1, 1.0, 5.0, 10)), 10) is None


def test_light_that_comes_back_is_the_end_of_the_night() -> None:
    night = itertools.chain(lights_out(10, 0.0, lambda rate: dark(NIGHT, 20.0, rate)), scenes(1, 2.0, 5.0, 10))
    lumas = itertools.chain(night, itertools.islice(covering(10), 30, None), dark(NIGHT, 5.0, 10))
    word, second = watch(lumas, 10) or pytest.fail("not noticed")
    assert word is Blind.COVERED
    assert second == pytest.approx(3.1 + 20 + 5 + 0.3 + 1.5, abs=0.11)
