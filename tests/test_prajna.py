"""The original's photos are fetched from a real server on loopback, checked, and fetched once only."""

import hashlib
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from drawn_photos import drawn_photos

from trainer.prajna import HASHES, FetchError, fetch_photos

Served = tuple[str, Path, Path, list[str]]


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    """A server of drawn photos: its address, its folder, the list of hashes, and what was asked of it."""
    folder = drawn_photos(tmp_path / "served", 5)
    hashes = tmp_path / "photos.sha256"
    names = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*.png"))
    hashes.write_text("".join(f"{hashlib.sha256((folder / n).read_bytes()).hexdigest()}  {n}\n" for n in names))
    asked: list[str] = []

    class Handler(SimpleHTTPRequestHandler):
        def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
            asked.append(self.path.lstrip("/"))

    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=str(folder))) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/", folder, hashes, asked
        server.shutdown()


def test_every_photo_comes_once_and_whole(served: Served, tmp_path: Path) -> None:
    url, folder, hashes, asked = served
    got = fetch_photos(tmp_path / "got", url, hashes)
    first = sorted(asked)
    asked.clear()
    (got / "with_mask" / "2.png").write_bytes(b"damaged meanwhile")
    (got / "without_mask" / "4.png").unlink()

    fetch_photos(got, url, hashes)

    names = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*.png"))
    assert first == names
    assert sorted(asked) == ["with_mask/2.png", "without_mask/4.png"]
    assert {n: (got / n).read_bytes() for n in names} == {n: (folder / n).read_bytes() for n in names}


def test_another_photo_than_the_expected_one_is_refused(served: Served, tmp_path: Path) -> None:
    url, folder, hashes, _ = served
    (folder / "with_mask" / "3.png").write_bytes(b"somebody else's")

    with pytest.raises(FetchError, match="isn't the expected one"):
        fetch_photos(tmp_path / "got", url, hashes)

    assert not (tmp_path / "got" / "with_mask" / "3.png").exists()


def test_a_host_that_does_not_answer_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(FetchError, match=r"^127\.0\.0\.1:9 can't be reached") as caught:
        fetch_photos(tmp_path / "got", "http://127.0.0.1:9/", HASHES)

    assert "\n" not in str(caught.value)


def test_the_committed_list_is_the_whole_set() -> None:
    lines = [line.split("  ") for line in HASHES.read_text().splitlines()]

    assert sum(name.startswith("with_mask/") for _, name in lines) == 690
    assert sum(name.startswith("without_mask/") for _, name in lines) == 686
    assert all(len(digest) == 64 for digest, _ in lines)
