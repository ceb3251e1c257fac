import itertools
import logging
import queue
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import cv2
import numpy as np
import pytest

from device.cameras import live
from device.cameras.camera import Camera
from device.cameras.camera import open_camera as open_settings
from device.cameras.frame import Frame
from device.cameras.recordings import at_speed
from device.cameras.view import turned_and_cropped
from device.errors import Blind, CameraError, CameraFault
from device.settings import CameraSettings

BACKEND = cv2.CAP_V4L2 if sys.platform == "linux" else cv2.CAP_ANY


def open_camera(source: str, **more: Any) -> Camera:
    return open_settings(CameraSettings(source, **more))


def refusal(source: Path | str) -> str:
    with pytest.raises(CameraError) as error:
        open_camera(str(source))
    assert "\n" not in str(error.value)
    return str(error.value)


def write_video(path: Path, greys: list[int], codec: str = "MJPG") -> None:
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*codec), 25.0, (64, 48))
    for grey in greys:
        writer.write(np.full((48, 64, 3), grey, np.uint8))
    writer.release()


@pytest.mark.parametrize("suffix", [".avi", ".mp4", ".MKV"])
def test_a_video_runs_on_its_own_clock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, suffix: str) -> None:
    monkeypatch.chdir(tmp_path)
    path = Path(f"door:1{suffix}")  # ffmpeg takes it for a protocol
    write_video(path.absolute(), [0, 64, 128, 255])
    with open_camera(str(path)) as camera:
        frames = list(camera.frames())
    assert [round(frame.taken, 3) for frame in frames] == [0.0, 0.04, 0.08, 0.12]
    assert [(frame.luma.dtype.name, frame.luma.shape) for frame in frames] == [("uint8", (48, 64))] * 4
    assert [round(frame.luma.mean()) for frame in frames] == pytest.approx([0, 64, 128, 255], abs=2)


def test_the_clock_of_a_video_is_its_timestamps_and_not_its_frame_rate(tmp_path: Path) -> None:
    path = tmp_path / "uneven.mkv"
    write_video(path, [0, 64, 128, 255])
    whole = path.read_bytes()
    last_block = b"\x81" + (120).to_bytes(2, "big") + b"\x80"  # track 1, 120 ms, key frame
    assert whole.count(last_block) == 1
    path.write_bytes(whole.replace(last_block, b"\x81" + (500).to_bytes(2, "big") + b"\x80"))
    with open_camera(str(path)) as camera:
        assert [round(frame.taken, 3) for frame in camera.frames()] == [0.0, 0.04, 0.08, 0.5]


def test_a_recording_is_played_at_its_own_speed_and_what_comes_too_late_is_dropped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, clock, waits = tmp_path / "visit.avi", [100.0], list[float]()
    write_video(path, list(range(0, 250, 10)))  # 25 a second

    def pause(seconds: float) -> None:
        waits.append(seconds)
        clock[0] += seconds

    monkeypatch.setattr(time, "monotonic", lambda: clock[0])
    shown = list[int]()
    with open_settings(CameraSettings(str(path)), pause) as camera:
        for frame in camera.frames():
            shown.append(round(frame.taken * 25))
            if frame.taken < 0.3:
                assert clock[0] - 100 == pytest.approx(frame.taken)
            clock[0] += 0.5 if shown[-1] == 8 else 0.01  # a frame that takes long
    assert shown == [*range(9), *range(16, 25)]  # up to 0.2 s late
    assert waits[:3] == pytest.approx([0.03] * 3)
    assert clock[0] - 100 == pytest.approx(24 / 25 + 0.01)


@pytest.mark.parametrize(
    ("decoding", "judging", "fewest", "longest"),
    [(0.045, 0.0, 120, 0.2), (0.045, 0.1, 45, 0.2), (0.3, 0.0, 150, 0.04), (0.01, 0.3, 12, 0.5)],
    ids=["decoding takes long", "both take long", "decoding takes very long", "judging takes long"],
)
def test_a_recording_is_judged_to_its_end_however_slow_the_computer_is(
    monkeypatch: pytest.MonkeyPatch, decoding: float, judging: float, fewest: int, longest: float
) -> None:
    clock = [100.0]

    def decoded() -> Iterator[Frame]:
        for place in range(150):  # 30 a second
            clock[0] += decoding
            yield Frame(np.zeros((48, 64), np.uint8), place / 30)

    def pause(seconds: float) -> None:
        clock[0] += seconds

    monkeypatch.setattr(time, "monotonic", lambda: clock[0])
    taken, waits = list[float](), list[float]()
    asked = clock[0]
    for frame in at_speed(decoded(), pause):
        taken.append(frame.taken)
        waits.append(clock[0] - asked)
        clock[0] += judging
        asked = clock[0]
    assert len(taken) >= fewest
    apart = [later - earlier for earlier, later in itertools.pairwise([*taken, 5.0])]
    assert min(apart) > 0
    assert max(apart) < longest  # seconds of the recording
    assert max(waits) < 0.21 + decoding  # seconds until the loop got its next frame


def test_a_gap_in_a_recording_is_waited_for_two_seconds_at_most(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [100.0]

    def pause(seconds: float) -> None:
        clock[0] += seconds

    monkeypatch.setattr(time, "monotonic", lambda: clock[0])
    frames = [Frame(np.zeros((48, 64), np.uint8), taken) for taken in (0.0, 0.5, 2.5, 5.0, 7.5, 9000.0, 9000.5)]
    shown = [(frame.taken, clock[0]) for frame in at_speed(iter(frames), pause)]
    assert shown == [
        (0.0, 100.0), (0.5, 100.5), (2.5, 102.5), (5.0, 104.5), (7.5, 106.5), (9000.0, 108.5), (9000.5, 109.0),
    ]  # fmt: skip


def test_a_file_that_is_no_video_is_refused(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    for name in ("text.mp4", "text.txt", "empty.avi"):
        (tmp_path / name).write_bytes(b"no video\n" * (100 if name.startswith("text") else 0))
        assert refusal(tmp_path / name) == (
            f"{tmp_path / name}: is damaged or no video, expected one of .avi, .m4v, .mkv, .mov, .mp4, .mpeg, .mpg, "
            ".webm"
        )
    (tmp_path / "a.JPG").touch()
    assert refusal(tmp_path / "a.JPG") == (
        f"{tmp_path}/a.JPG: is a picture, expected a video or a folder of pictures: `make judge PICTURES=` judges it"
    )
    write_video(tmp_path / "whole.mp4", [0, 255], codec="mp4v")
    (tmp_path / "cut.mp4").write_bytes((tmp_path / "whole.mp4").read_bytes()[:500])
    assert refusal(tmp_path / "cut.mp4").startswith(f"{tmp_path}/cut.mp4: is damaged or no video")
    assert capfd.readouterr() == ("", "")


def test_the_lines_of_ffmpeg_about_a_damaged_video_are_kept_off_the_terminal(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "damaged.mp4"
    write_video(path, [0, 64, 128, 255], codec="mp4v")
    content = bytearray(path.read_bytes())
    place = content.rindex(b"\x00\x00\x01\xb6") + 6  # in the last picture, behind the code that starts it
    content[place : place + 8] = bytes(255 - byte for byte in content[place : place + 8])
    path.write_bytes(content)
    with open_camera(str(path)) as camera:
        assert len(list(camera.frames())) == 4
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("suffix", [".avi", ".mp4"])
def test_a_video_that_ends_long_before_its_end_is_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, suffix: str
) -> None:
    path = tmp_path / f"film{suffix}"
    write_video(path, list(range(0, 200, 2)))
    with open_camera(str(path)) as camera:
        assert len(list(camera.frames())) == 100
    assert caplog.messages == []
    whole = path.read_bytes()
    middle = len(whole) // 2
    path.write_bytes(whole[:middle] + bytes(len(whole) // 4) + whole[middle + len(whole) // 4 :])
    with open_camera(str(path)) as camera:
        came = len(list(camera.frames()))
    assert came < 90
    assert caplog.messages == [
        f"{path}: ends after {came} of 100 frames, expected them all: it may be damaged, copy it again"
    ]


def test_a_folder_is_a_recording_of_ten_pictures_a_second(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    for name, grey in (("b.png", 20), ("a.png", 10), ("d.png", 40)):
        cv2.imwrite(str(tmp_path / name), np.full((48, 64), grey, np.uint8))
    (tmp_path / "c.png").write_bytes(b"no picture")
    with open_camera(str(tmp_path)) as camera, caplog.at_level(logging.INFO):
        shown = [(frame.taken, int(frame.luma.mean()), frame.luma.shape) for frame in camera.frames()]
    assert shown == [(0.0, 10, (48, 64)), (0.1, 20, (48, 64)), (0.3, 40, (48, 64))]
    assert caplog.messages == [
        f"{tmp_path}/c.png: is damaged or no picture, expected JPEG, PNG, WebP, BMP, GIF or TIFF: convert or remove it"
    ]


def test_a_camera_that_is_not_there_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert refusal(tmp_path) == f"{tmp_path}: holds no pictures, expected a folder with JPEG, PNG or WebP files"
    for source in (tmp_path / "absent.mp4", tmp_path / "absent", "absent.mp4"):
        assert refusal(source) == f"{source}: no such file or folder, expected a recording: check the path"
    for source in ("usb:", "usb:x", "webcam", "/dev/null"):
        assert refusal(source) == (
            f"{source}: no such camera, expected pi, usb:0, rtsp://HOST/PATH, a video file or a folder of pictures"
        )
    assert refusal("usb:99") == (
        "usb:99: can't be opened: check the plug, and that the user is in the group video"
    )
    monkeypatch.setitem(sys.modules, "picamera2", None)
    assert refusal("pi").startswith("pi: picamera2 can't be imported (")


class Capture:
    """A cv2.VideoCapture that gives what the test puts into it, and notes when it is asked for more."""

    def __init__(self) -> None:
        self.pictures: queue.Queue[Any] = queue.Queue()
        self.asked: queue.Queue[None] = queue.Queue()
        self.released: queue.Queue[None] = queue.Queue()
        self.settings: dict[int, float] = {}

    def isOpened(self) -> bool:
        return True

    def set(self, propId: int, value: float) -> bool:
        self.settings[propId] = value
        return propId != cv2.CAP_PROP_BACKLIGHT

    def read(self) -> tuple[bool, Any]:
        self.asked.put(None)
        picture = self.pictures.get()
        return picture is not None, picture

    def release(self) -> None:
        self.released.put(None)


@pytest.fixture
def capture(monkeypatch: pytest.MonkeyPatch) -> Capture:
    """What OpenCV opens as usb:0."""
    capture = Capture()
    monkeypatch.setattr(cv2, "VideoCapture", lambda *asked: {(0, BACKEND): capture}[asked])
    return capture


def test_only_the_newest_frame_of_a_usb_camera_is_kept(capture: Capture) -> None:
    with open_camera("usb:0") as camera:
        frames = camera.frames()
        for grey in (101, 102, 103):
            capture.pictures.put(np.full((48, 64, 3), grey, np.uint8))
        for _ in range(4):  # by the fourth time three frames have been kept
            capture.asked.get(timeout=10)
        first = next(frames)
        capture.pictures.put(np.full((48, 64, 3), 104, np.uint8))
        second = next(frames)
        for _ in range(4):
            capture.pictures.put(None)
        with pytest.raises(CameraFault) as ended:
            next(frames)
    assert ended.value.word is Blind.STALLED
    assert str(ended.value) == (
        "usb:0: camera stalled: it gives no more frames: check its cable, then start again"
    )
    assert capture.settings == {cv2.CAP_PROP_BUFFERSIZE: 1, cv2.CAP_PROP_BACKLIGHT: 0}
    assert [int(frame.luma.mean()) for frame in (first, second)] == [103, 104]
    assert first.luma.shape == (48, 64)
    assert first.taken < second.taken
    assert capture.released.qsize() == 1


def test_a_few_damaged_frames_of_a_usb_camera_are_none(capture: Capture) -> None:
    with open_camera("usb:0") as camera:
        frames = camera.frames()
        for grey in (101, 102, 103):
            for _ in range(3):
                capture.pictures.put(None)
            capture.pictures.put(np.full((48, 64, 3), grey, np.uint8))
            assert int(next(frames).luma.mean()) == grey
        for _ in range(4):  # let the thread end
            capture.pictures.put(None)
        capture.released.get(timeout=10)


def test_a_usb_camera_that_hangs_is_stalled(capture: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "START_SECONDS", 60.0)
    monkeypatch.setattr(live, "STALL_SECONDS", 0.05)
    capture.pictures.put(np.full((48, 64, 3), 90, np.uint8))
    with open_camera("usb:0") as camera:
        frames = camera.frames()
        next(frames)
        with pytest.raises(CameraFault) as stalled:
            next(frames)
    assert str(stalled.value) == "usb:0: camera stalled: no frame for 0.05 s: check its cable, then start again"
    capture.pictures.put(None)  # lets the thread end
    capture.released.get(timeout=10)


def test_a_usb_camera_that_never_starts_is_stalled(capture: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "START_SECONDS", 0.05)
    stalled = pytest.raises(CameraFault, match=r"^usb:0: camera stalled: no frame for 0\.05 s")
    with open_camera("usb:0") as camera, stalled:
        next(camera.frames())
    capture.pictures.put(None)
    capture.released.get(timeout=10)


def test_a_usb_camera_that_repeats_its_picture_is_a_fault(capture: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = itertools.count(100.0, 0.25)
    monkeypatch.setattr(time, "monotonic", lambda: next(clock))
    def repeat() -> None:
        capture.pictures.put(np.tile(np.arange(64, dtype=np.uint8), (48, 1)))

    def drain(camera: Camera, then: Callable[[], None]) -> None:
        for _ in camera.frames():
            then()

    repeat()
    with open_camera("usb:0") as camera:
        with pytest.raises(CameraFault, match=r"^usb:0: picture frozen: the same picture for 1\.[5-9] s: ") as frozen:
            drain(camera, repeat)
        capture.pictures.put(None)
    assert frozen.value.word is Blind.FROZEN


def test_backlight_is_asked_of_the_driver_and_missed_in_the_log(
    capture: Capture, caplog: pytest.LogCaptureFixture
) -> None:
    capture.pictures.put(None)
    with caplog.at_level(logging.WARNING), open_camera("usb:0", backlit=True):
        pass
    assert capture.settings[cv2.CAP_PROP_BACKLIGHT] == 1
    assert caplog.messages == ["usb:0: its driver has no backlight compensation, so backlit does nothing"]


def test_a_fault_in_the_reading_thread_reaches_the_loop(capture: Capture) -> None:
    with open_camera("usb:0") as camera:
        capture.pictures.put("no picture")
        with pytest.raises(AttributeError):
            next(camera.frames())
    assert capture.released.qsize() == 1


def test_the_pi_camera_gives_the_luma_plane_until_it_stalls(picamera2: ModuleType) -> None:
    planes = np.zeros((720, 704), np.uint8)  # rows longer than the picture, and the colour planes below it
    planes[:480, :640] = np.arange(640) % 251
    planes[480:] = 255
    picamera2.FRAMES.append(planes)
    with open_camera("pi") as camera:
        frames = camera.frames()
        frame = next(frames)
        with pytest.raises(CameraFault) as stalled:
            next(frames)
    assert str(stalled.value) == "pi: camera stalled: no frame for 1.5 s: check the ribbon cable if it recurs"
    assert np.array_equal(frame.luma, planes[:480, :640])
    assert frame.luma.flags.c_contiguous
    asked = {
        "main": {"size": (1280, 960)}, "lores": {"size": (640, 480), "format": "YUV420"}, "buffer_count": 4,
        "queue": False, "controls": {"FrameDurationLimits": (33333, 100000)},
    }
    calls = list(picamera2.CALLS)
    assert calls == ["open", asked, "start", "release", "cancel", "stop", "close"]


def test_what_is_black_at_the_start_is_no_frame_and_what_turns_black_later_is(
    picamera2: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = itertools.count(100.0, 0.25)
    monkeypatch.setattr(time, "monotonic", lambda: next(clock))
    black = list(np.random.default_rng(0).integers(0, 6, (8, 720, 640), np.uint8))  # with a sensor's noise
    room = black[3].copy()
    room[:40, :40] = 90  # a lamp in the dark, which then goes out
    picamera2.FRAMES.extend([*black[:3], room, *black[4:]])
    seen: list[int] = []
    with open_camera("pi") as camera, pytest.raises(CameraFault, match="camera stalled"):
        seen.extend(int(frame.luma.max()) for frame in camera.frames())
    assert seen == [90, 5, 5, 5, 5]


def test_the_pi_camera_is_told_how_to_expose(picamera2: ModuleType) -> None:
    with open_camera("pi", backlit=True, brighter=0.5):
        pass
    assert picamera2.CALLS[1]["controls"] == {
        "FrameDurationLimits": (33333, 100000), "AeMeteringMode": 2, "AeConstraintMode": 2, "ExposureValue": 0.5,
    }


@pytest.mark.parametrize(
    ("view", "greys"),
    [
        ({}, [[1, 2, 3], [4, 5, 6]]),
        ({"rotation": 90}, [[4, 1], [5, 2], [6, 3]]),
        ({"rotation": 180}, [[6, 5, 4], [3, 2, 1]]),
        ({"rotation": 270}, [[3, 6], [2, 5], [1, 4]]),
        ({"mirror": True}, [[3, 2, 1], [6, 5, 4]]),
        ({"rotation": 90, "mirror": True}, [[1, 4], [2, 5], [3, 6]]),
        ({"crop": (0.34, 0.5, 0.66, 0.5)}, [[5, 6]]),
        ({"rotation": 90, "crop": (0.5, 0.0, 0.5, 0.66)}, [[1], [2]]),
        ({"rotation": 90, "mirror": True, "crop": (0.0, 0.34, 0.5, 0.66)}, [[2], [3]]),
    ],
)
def test_a_picture_is_turned_then_mirrored_then_cropped(tmp_path: Path, view: dict[str, Any], greys: list[Any]) -> None:
    blocks = np.array([[20, 40, 60], [80, 100, 120]], np.uint8).repeat(16, axis=0).repeat(16, axis=1)
    cv2.imwrite(str(tmp_path / "door.png"), blocks)
    with open_camera(str(tmp_path), **view) as camera:
        (frame,) = camera.frames()
    assert np.array_equal(frame.luma[8::16, 8::16] // 20, greys)
    assert frame.luma.shape == (len(greys) * 16, len(greys[0]) * 16)
    assert frame.luma.flags.c_contiguous


def test_a_picture_of_one_pixel_can_be_cropped() -> None:
    luma = np.full((1, 1), 90, np.uint8)
    assert np.array_equal(turned_and_cropped(luma, CameraSettings(crop=(0.9, 0.9, 0.1, 0.1))), luma)


def test_a_pi_camera_in_use_is_refused_and_closed(picamera2: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(picamera2, "START_ERROR", RuntimeError("Failed to acquire camera"))
    assert refusal("pi") == (
        "pi: the camera doesn't start (Failed to acquire camera): is another program using it?"
    )
    assert picamera2.CALLS[-1] == "close"


def test_a_pi_camera_that_another_program_holds_is_told_from_none(
    picamera2: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    def held() -> None:  # as picamera2's constructor fails
        try:
            raise RuntimeError("Failed to acquire camera: Device or resource busy")
        except RuntimeError:
            raise RuntimeError("Camera __init__ sequence did not complete.")  # noqa: B904

    monkeypatch.setattr(picamera2, "ON_OPEN", held)
    assert refusal("pi") == (
        "pi: the camera doesn't start (Failed to acquire camera: Device or resource busy): is another program using it?"
    )


def test_a_pi_without_a_camera_is_refused(picamera2: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_camera() -> None:  # as picamera2 fails
        raise IndexError("list index out of range")

    monkeypatch.setattr(picamera2, "Picamera2", no_camera)
    assert refusal("pi") == (
        "pi: no camera found (list index out of range): check the ribbon cable and restart the Pi"
    )
