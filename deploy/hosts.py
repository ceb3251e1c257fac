"""Which hosts are meant: named one by one, or in a file with one a line."""

from pathlib import Path

from deploy.errors import DeployError
from device import arguments


def hosts(words: list[str]) -> list[str]:
    """Return the hosts that these words name, each once; a file stands for its lines, in which # begins a remark.

    Raises DeployError, also for the path of no file: no host has a slash in its name, and none that ends in .txt.
    """
    found: list[str] = []
    for word in words:
        path = arguments.path(word)
        if path.is_file():
            found += _listed(path)
        elif "@" not in word and ("/" in word or path.suffix == ".txt"):
            raise DeployError(f"{word}: no such file, expected one with a host a line, or USER@NAME: correct HOST=")
        else:
            found.append(word)
    if words and not found:
        raise DeployError(f"{' '.join(words)} names no host, expected one a line, as USER@NAME: correct HOST=")
    if not found:
        raise DeployError(f"host is '{' '.join(words)}', expected USER@NAME: set HOST=pi@kiosk.local")
    return list(dict.fromkeys(found))


def _listed(path: Path) -> list[str]:
    try:
        text = path.read_text(encoding="utf-8-sig")
        if "\0" in text:  # UTF-16 without its mark can be read as UTF-8
            raise ValueError("it holds zeros")
    except OSError as error:
        raise DeployError(f"{path}: can't be read ({error.strerror}), expected a file with a host a line") from error
    except ValueError as error:
        raise DeployError(f"{path}: isn't UTF-8 ({error}), expected a host a line: save it as UTF-8") from error
    return [host for line in text.splitlines() if (host := line.partition("#")[0].strip())]
