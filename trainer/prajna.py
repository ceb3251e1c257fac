"""Fetches the original project's photos from their public repository, each checked against its SHA-256."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pooch
import requests
from tqdm import tqdm

from device.errors import KioskError

COMMIT = "cdcf4501bf7fdec7ac8a4ee245e343b187fa53c7"
BASE_URL = f"https://raw.githubusercontent.com/prajnasb/observations/{COMMIT}/experiements/data/"  # spelt so there
HASHES = Path(__file__).with_name("prajna.sha256")
CONNECTIONS = 8
TIMEOUT_SECONDS = 10  # to connect, and between two pieces


class FetchError(KioskError, OSError):
    """A host that can't be reached, or that answers with something else than the photos."""


def fetch_photos(folder: Path, base_url: str = BASE_URL, hashes: Path = HASHES) -> Path:
    """Bring the photos into a folder and return it; files that are there and whole aren't fetched again.

    hashes: lines of "sha256  class/name", as sha256sum writes them.
    Raises FetchError with one line; what came before stays, so that a second call goes on from there.
    """
    registry = dict(line.split("  ", 1)[::-1] for line in hashes.read_text(encoding="utf-8").splitlines())
    store = pooch.create(folder, base_url, registry=registry, retry_if_failed=2)
    pooch.get_logger().setLevel("ERROR")
    download = pooch.HTTPDownloader(timeout=TIMEOUT_SECONDS)
    for name in registry:  # here: two connections that make the same folder at once would fail
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
    names = iter(registry)
    try:
        with tqdm(total=len(registry), desc="photos", unit="file", disable=None) as progress:
            store.fetch(next(names), downloader=download)  # alone: an unreachable host is said once, and at once
            progress.update()
            with ThreadPoolExecutor(CONNECTIONS) as pool:
                try:
                    for _ in pool.map(lambda name: store.fetch(name, downloader=download), names):
                        progress.update()
                except BaseException:
                    pool.shutdown(cancel_futures=True)
                    raise
    except requests.RequestException as error:
        raise FetchError(f"{base_url.split('/')[2]} can't be reached ({type(error).__name__})") from error
    except ValueError as error:  # pooch's word for a wrong hash
        raise FetchError(f"{base_url}: a photo isn't the expected one ({str(error).split('.')[0]})") from error
    return folder
