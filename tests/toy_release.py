"""A tree to deploy: ours, but for a device that only tells systemd that it decides frames, and wheels of one module."""

import hashlib
import shutil
import zipfile
from pathlib import Path

TREE = Path(__file__).parent.parent
NUMPY = "1.24.2"
WHEELS = {
    "opencv-python-headless": ("opencv_python_headless-4.11.0.86-cp37-abi3-manylinux_2_17_aarch64.whl", "cv2"),
    "gpiozero": ("gpiozero-2.0.1-py3-none-any.whl", "gpiozero"),
    "ai-edge-litert": ("ai_edge_litert-2.3.0-cp311-cp311-manylinux_2_27_aarch64.whl", "ai_edge_litert"),
    "tflite-runtime": ("tflite_runtime-2.14.0-cp311-cp311-manylinux_2_34_aarch64.whl", "tflite_runtime"),
}
DEVICE = '''\
"""Behaves as the kiosk does towards systemd and the command line; BEHAVIOUR says how well."""
import os, pathlib, signal, socket, sys, time
from device.settings import read_settings

BEHAVIOUR = "works"
read_settings(pathlib.Path(sys.argv[sys.argv.index("--config") + 1]))
if sys.argv[1] == "check":
    sys.exit("error: door.tflite: its golden pictures are wrong" if BEHAVIOUR == "misjudges" else 0)
if sys.argv[1] == "off":
    pathlib.Path("/var/lib/mask-kiosk/switched-off").touch()
    sys.exit()
notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
notify.connect(os.environ["NOTIFY_SOCKET"])
if BEHAVIOUR == "has no camera":
    notify.send(b"STATUS=FAULT no camera")
    sys.exit("error: no camera is connected")
signal.signal(signal.SIGTERM, lambda *_: sys.exit())
notify.send(b"STATUS=IDLE  nobody there\\nREADY=1")
for place in range(10**6):
    if BEHAVIOUR == "dies soon" and place == 1:
        os.abort()
    notify.send(b"WATCHDOG=1")
    time.sleep(0.1)
'''


def make_tree(folder: Path) -> Path:
    """Write such a tree and the index that its wheels come from; return the tree."""
    tree, index = folder / "a kiosk", folder / "index"
    for name in ("deploy", "systemd"):
        shutil.copytree(TREE / name, tree / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(TREE / "pyproject.toml", tree)
    (tree / "models").mkdir()
    (tree / "models" / "door.tflite").write_bytes(b"a model")
    (tree / "device").mkdir()
    for name in ("settings.py", "errors.py", "quiet_hours.py"):
        shutil.copy(TREE / "device" / name, tree / "device")
    (tree / "device" / "__init__.py").write_text("")
    (tree / "device" / "__main__.py").write_text(DEVICE)
    index.mkdir()
    lock = [f"numpy=={NUMPY} \\\n    --hash=sha256:{'0' * 64}"]
    for name, (file, module) in WHEELS.items():
        with zipfile.ZipFile(index / file, "w") as wheel:
            package, version = file.split("-")[:2]
            wheel.writestr(f"{module}.py", f'"""A stand-in of {name}."""\n')
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
