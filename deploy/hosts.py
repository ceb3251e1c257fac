"""Which hosts are meant: named one by one, or in a file with one a line."""

from pathlib import Path

from deploy.errors import DeployError


def hosts(words: list[str]) -> list[str]:
    """Return the hosts that these words name, each once; a file stands for its lines, in which # begins a remark."""
    found: list[str] = []
    for word in words:
        path = Path(word).expanduser()
        if path.is_file():
            lines = (line.partition("#")[0].strip() for line in path.read_text(encoding="utf-8").splitlines())
            found += [line for line in lines if line]
        else:
            found.append(word)
    if not found:
        raise DeployError(f"host is '{' '.join(words)}', expected USER@NAME: run `make deploy HOST=pi@kiosk.local`")
    return list(dict.fromkeys(found))
