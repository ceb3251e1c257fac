"""Fixtures that several test files use."""

import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest
from browser import Browser
from kiosk_toml import config_for
from toy_faces import toy_faces
from toy_model import toy_model

# Shells have what they start in the background ignore Ctrl-C, and so would the programs that tests send it to.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def _pipes() -> Iterator[None]:
    """Undo what `device judge` and others do to their process: a server of a later test would end this one."""
    before = signal.getsignal(signal.SIGPIPE)
    yield
    signal.signal(signal.SIGPIPE, before)


@pytest.fixture(scope="module")
def one_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Photos that are cut for one test of a module serve the others."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """One Chromium for all tests of a module."""
    with Browser(tmp_path_factory.mktemp("chromium")) as opened:
        yield opened


@pytest.fixture(scope="session")
def toy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The toy model's .tflite, its card beside it; not to be changed by a test."""
    return toy_model(tmp_path_factory.mktemp("toy"))


@pytest.fixture(scope="session")
def toy_config(toy: Path) -> Path:
    """A kiosk.toml with the face finder that the toy model asks for."""
    return config_for(toy, toy.parent)


@pytest.fixture(scope="session")
def face_network(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The toy face network's .tflite, its card beside it; not to be changed by a test."""
    return toy_faces(tmp_path_factory.mktemp("faces"))


@pytest.fixture
def picamera2(monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    """The fake picamera2, imported anew."""
    monkeypatch.syspath_prepend(Path(__file__).parent / "fakes")
    monkeypatch.delitem(sys.modules, "picamera2", raising=False)
    import picamera2

    yield picamera2
    del sys.modules["picamera2"]
