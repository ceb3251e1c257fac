"""A kiosk below a folder that fetches its releases, a publisher, and the web server between them, which misbehaves."""

import json
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import replace
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from toy_release import behave, index_of, make_tree, play_installer

from deploy.manifest import Bundle, Manifest, public_key, signed, signers_file, verified
from deploy.release import Release, as_json

OLD = Release("0.1.0-old", "12", "ai-edge-litert", "another lock")
MACHINE = "0123456789abcdef0123456789abcdef\n"  # its place among all is 0.752

Trick = Callable[["Handler"], object]


class Publisher:
    """A tree with its keys, which publishes into `www`."""

    def __init__(self, folder: Path) -> None:
        self.tree, self.www, self.keys = make_tree(folder), folder / "www", folder / "keys"
        play_installer(self.tree)
        self.environment = os.environ | index_of(self.tree) | {"XDG_CACHE_HOME": str(folder / "cache")}
        for name in ("update", "next", "stranger"):
            assert self.run("keys", "--key", str(self.keys / name))[0] == 0

    def command(self, *words: str) -> list[str]:
        """Return what runs `python -m deploy WORDS`, in the tree."""
        return [sys.executable, "-m", "deploy", *words]

    def publishing(self, key: str = "update", rings: str = "100@0") -> list[str]:
        """Return the words that publish the tree as it is."""
        where = ("--to", str(self.www), "--key", str(self.keys / key))
        return ["publish", *where, "--debian", "12", "--rings", rings]

    def run(self, *words: str) -> tuple[int, str]:
        """Run `python -m deploy WORDS`; return its exit code and what it printed."""
        done = subprocess.run(
            self.command(*words), cwd=self.tree, env=self.environment, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False, start_new_session=True,
        )  # fmt: skip
        return done.returncode, done.stdout.strip()

    def publish(
        self, behaviour: str = "works", *, key: str = "update", trust: str = "", rings: str = "100@0"
    ) -> Bundle:
        """Publish the tree, whose device does something of its own; return the release."""
        behave(self.tree, behaviour)
        more = ["--trust", str(self.keys / f"{trust}.pub")] if trust else []
        code, printed = self.run(*self.publishing(key, rings), *more)
        assert code == 0, printed
        return self.manifest.bundles[0]

    @property
    def manifest(self) -> Manifest:
        """What was published last."""
        names = self.www.parent / "signers"
        names.write_text(signers_file(tuple(public_key(path) for path in sorted(self.keys.glob("*.pub")))))
        return verified((self.www / "manifest").read_bytes(), names)

    def sign(self, key: str = "update", **changes: Any) -> None:
        """Publish the manifest with changes."""
        (self.www / "manifest").write_text(signed(replace(self.manifest, **changes), self.keys / key))


class Handler(SimpleHTTPRequestHandler):
    """Serves a folder, or does what the test has put in a file's place."""

    server: "Server"

    def do_GET(self) -> None:
        trick = self.server.tricks.get(Path(self.path).suffix or self.path)
        if trick is None:
            super().do_GET()
        else:
            trick(self)

    def log_message(self, *_: object) -> None:
        pass


class Server(ThreadingHTTPServer):
    """Serves a publisher's folder at `url`."""

    def __init__(self, www: Path) -> None:
        super().__init__(("127.0.0.1", 0), lambda *words: Handler(*words, directory=str(www)))
        self.tricks: dict[str, Trick] = {}  # by the path, or by its suffix where it has one
        self.ending = threading.Event()
        self.url = f"http://127.0.0.1:{self.server_address[1]}/"
        self._thread = threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.05})
        self._thread.start()

    def close(self) -> None:
        """End it, and what still waits in it."""
        self.ending.set()
        self.shutdown()
        self._thread.join()
        self.server_close()


class Kiosk:
    """One below a folder, on which OLD runs."""

    def __init__(self, root: Path, server: str, signers: tuple[str, ...]) -> None:
        self.root, self.home = root, root / "opt/mask-kiosk"
        self.state, self.last = root / "var/lib/mask-kiosk-pull/state.json", root / "run/mask-kiosk-pull/last.json"
        self.deploy(OLD)
        (root / "run/mask-kiosk-pull").mkdir(parents=True)
        (root / "etc/systemd/system/multi-user.target.wants").mkdir(parents=True)
        self.enabled = root / "etc/systemd/system/multi-user.target.wants/mask-kiosk.service"
        self.enabled.symlink_to("/usr/local/lib/systemd/system/mask-kiosk.service")
        for path, text in {
            "machine-id": MACHINE,
            "os-release": 'ID=debian\nVERSION_ID="12"\n',
            "mask-kiosk-pull/server": f"{server}\n",
            "mask-kiosk-pull/signers": signers_file(signers),
        }.items():
            (root / "etc" / path).parent.mkdir(parents=True, exist_ok=True)
            (root / "etc" / path).write_text(text)

    def deploy(self, release: Release) -> None:
        """Make a release the current one, as a workstation does."""
        folder, current = self.home / "releases" / release.version, self.home / "current"
        (folder / "device").mkdir(parents=True, exist_ok=True)
        (folder / "device" / "__main__.py").touch()
        (folder / "release.json").write_text(as_json(release))
        current.unlink(missing_ok=True)
        current.symlink_to(f"releases/{release.version}")

    @property
    def command(self) -> list[str]:
        """What looks for a release, as a process of its own."""
        return [sys.executable, "-B", "-m", "deploy.pi.pull", "--root", str(self.root)]

    def runs(self) -> str:
        """The release that is current, which must be whole."""
        release = (self.home / "current").resolve()
        assert json.loads((release / "release.json").read_text())["version"] == release.name
        assert (release / "device" / "__main__.py").exists()
        return release.name

    def said(self) -> tuple[int, str]:
        """What it said last: exit code and line."""
        last = json.loads(self.last.read_text())
        return last["code"], last["line"]

    def leftovers(self) -> list[str]:
        """What lies beside the releases and isn't complete."""
        return [path.name for path in self.home.rglob(".*") if path.name != ".current.new"]


def copy_of(www: Path, to: Path) -> None:
    """Put a published folder back as it was."""
    shutil.rmtree(to)
    shutil.copytree(www, to)
