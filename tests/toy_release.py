"""A tree to deploy: ours, but for a device that only tells systemd that it decides frames, and wheels of one module."""

import base64
import hashlib
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

TREE = Path(__file__).parent.parent
NUMPY = "1.24.2"
EVERYWHERE = "manylinux_2_34_aarch64.manylinux_2_34_x86_64"  # the box is one, says it is the other
WHEELS = {
    "opencv-python-headless": (f"opencv_python_headless-4.11.0.86-cp37-abi3-{EVERYWHERE}.whl", "cv2.py"),
    "gpiozero": ("gpiozero-2.0.1-py3-none-any.whl", "gpiozero.py"),
    "ai-edge-litert": ("ai_edge_litert-2.3.0-cp311-cp311-manylinux_2_27_aarch64.whl", "ai_edge_litert/interpreter.py"),
    "tflite-runtime": (f"tflite_runtime-2.14.0-cp311-cp311-{EVERYWHERE}.whl", "tflite_runtime/interpreter.py"),
}
DEVICE = '''\
"""Behaves as the kiosk does towards systemd and the command line; BEHAVIOUR says how well."""
import http.server, os, pathlib, signal, socket, sys, threading, time
from device.settings import read_settings

BEHAVIOUR = "works"
if sys.argv[1] == "doctor":
    trouble = int(BEHAVIOUR == "ails")
    text = f"{'trouble' if trouble else 'ok'}  camera  {os.geteuid()}\\n1 checks: {trouble} trouble, {1 - trouble} ok"
    print('{"worst": "%s", "findings": []}' % ["ok", "trouble"][trouble] if "--json" in sys.argv else text)
    sys.exit(2 * trouble)
screen = getattr(read_settings(pathlib.Path(sys.argv[sys.argv.index("--config") + 1])), "screen", None)

class Page(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()

if sys.argv[1] == "check":
    sys.exit("error: door.tflite: its golden pictures are wrong" if BEHAVIOUR == "misjudges" else 0)
if sys.argv[1] == "off":
    pathlib.Path("/var/lib/mask-kiosk/switched-off").touch()
    sys.exit()
notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
notify.connect(os.environ["NOTIFY_SOCKET"])
if BEHAVIOUR == "has no camera":
    os.write(2, b"caf\\xe9: no camera\\n")  # as some drivers do
    notify.send(b"STATUS=FAULT no camera")
    sys.exit("error: no camera is connected")
if pathlib.Path("/etc/box/night").exists() or BEHAVIOUR == "sees black":
    notify.send(b"STATUS=FAULT pi: camera covered: nothing but black for 3.0 s: uncover the lens, or give it light")
    sys.exit("error: nothing but black")
signal.signal(signal.SIGTERM, lambda *_: sys.exit())
if screen is not None and screen.enabled and BEHAVIOUR != "serves no page":
    while True:  # a kiosk of another test may have the port for a moment
        try:
            page = http.server.HTTPServer((screen.host, screen.port), Page)
            break
        except OSError:
            time.sleep(0.1)
    threading.Thread(target=page.serve_forever, daemon=True).start()
notify.send(b"STATUS=IDLE  nobody there\\nREADY=1")
for place in range(10**6):
    if BEHAVIOUR == "dies soon" and place == 1:
        os.abort()
    notify.send(b"WATCHDOG=1")
    time.sleep(0.1)
'''
INSTALLER = '''\
"""Makes a release the current one in one step, unless etc/spoils says how it ends: by an exit code, or cut off."""
import fcntl, os, pathlib, shutil, sys
from deploy.pi.receive import LOCK

def main(words, locked=False):
    root, version = pathlib.Path.cwd().parents[3], words[1]
    home = root / "opt/mask-kiosk"
    how = (root / "etc/spoils").read_text() if (root / "etc/spoils").exists() else ""
    if how == "no state":
        state = root / "var/lib/mask-kiosk-pull/state.json"
        state.unlink()
        state.mkdir()
    elif how:
        if how == "kill":
            os.killpg(0, 9)
        if how == "alone":
            os.kill(os.getpid(), 9)
        if how == "breaks":
            raise MemoryError
        with (root / LOCK.relative_to("/")).open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                sys.exit("error: nobody holds the lock")
            except BlockingIOError:
                pass
        if how == "full":
            print("error: the release can't make a venv (No space left on device): look with `df -h`")
            return 5
        now = f"{(home / 'current').resolve().name} runs again" if (home / "current").exists() else "nothing runs"
        print(f"error: {version} didn't come up (FAULT no camera); {now}")
        return int(how)
    release, fresh, link = home / "releases" / version, home / "releases" / f".new-{version}", home / ".current.new"
    if not release.exists():
        shutil.rmtree(fresh, ignore_errors=True)
        shutil.copytree(home / "incoming" / version, fresh)
        (fresh / "venv/bin").mkdir(parents=True)
        (fresh / "venv/bin/python").symlink_to("/usr/bin/true")  # finds everything as it was built
        fresh.rename(release)
    link.unlink(missing_ok=True)
    link.symlink_to(release.relative_to(home))
    link.replace(home / "current")
    shutil.rmtree(home / "incoming")

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
'''


def make_tree(folder: Path) -> Path:
    """Write such a tree and the index that its wheels come from; return the tree."""
    tree, index = folder / "a kiosk", folder / "index"
    for name in ("deploy", "systemd"):
        shutil.copytree(TREE / name, tree / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(TREE / "pyproject.toml", tree)
    (tree / "models").mkdir()
    (tree / "models" / "door.tflite").write_bytes(b"a model")
    # Of our device, what deploy/ needs.
    ours = "*(module.__file__ for name, module in sys.modules.items() if 'device' in name)"
    loaded = f"import sys, deploy.__main__, deploy.manifest, deploy.pi.browser, deploy.pi.hold; print({ours})"
    needed = subprocess.run([sys.executable, "-c", loaded], cwd=TREE, capture_output=True, text=True, check=True).stdout
    modules = {Path(path).relative_to(TREE) for path in needed.split()}
    data = {path.relative_to(TREE) for path in (TREE / "device").rglob("*.*") if path.suffix not in {".py", ".pyc"}}
    for path in modules | data:
        (tree / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(TREE / path, tree / path)
    (tree / "device" / "__main__.py").write_text(DEVICE)
    index.mkdir()
    lock = [f"numpy=={NUMPY} \\\n    --hash=sha256:{'0' * 64}"]
    for name, (file, module) in WHEELS.items():
        with zipfile.ZipFile(index / file, "w") as wheel:
            package, version = file.split("-")[:2]
            code = f'"""A stand-in of {name}."""\n'
            digest = base64.urlsafe_b64encode(hashlib.sha256(code.encode()).digest()).decode().rstrip("=")
            wheel.writestr(module, code)
            wheel.writestr(f"{package}-{version}.dist-info/RECORD", f"{module},sha256={digest},{len(code)}\n")
            wheel.writestr(
                f"{package}-{version}.dist-info/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
            )
            wheel.writestr(f"{package}-{version}.dist-info/WHEEL", "Wheel-Version: 1.0\n")
        digest = hashlib.sha256((index / file).read_bytes()).hexdigest()
        lock.append(f"{name}=={version} \\\n    --hash=sha256:{digest}")
    (tree / "deploy" / "debian-12.lock").write_text("\n".join(lock) + "\n")
    return tree


def index_of(tree: Path) -> dict[str, str]:
    """Return the environment in which pip finds that index and no other."""
    return {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(tree.parent / "index"), "PIP_CONFIG_FILE": "/dev/null"}


def behave(tree: Path, behaviour: str) -> None:
    """Have the tree's device do something else from now on."""
    main = tree / "device" / "__main__.py"
    lines = main.read_text().splitlines(keepends=True)
    main.write_text("".join(f'BEHAVIOUR = "{behaviour}"\n' if line.startswith("BEHAVIOUR") else line for line in lines))


def play_installer(tree: Path) -> None:
    """Give the tree's releases an installer that needs neither packages nor systemd."""
    (tree / "deploy" / "pi" / "__main__.py").write_text(INSTALLER)
