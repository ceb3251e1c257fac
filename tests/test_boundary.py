import ast
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from footprint import DEVICE_MODULES, import_seconds, peak_megabytes
from places import TREE
from runtimes import PYTHONS

TRAINING = (
    "joblib", "keras", "matplotlib", "pandas", "PIL", "pooch", "ray", "requests", "scipy", "sklearn", "tensorflow",
    "tqdm", "trainer",
)  # fmt: skip
LARGEST_IMPORT_SECONDS = 1.0  # CPU
LARGEST_PEAK_MEGABYTES = 110.0
IMPORT_WITHOUT = """
import importlib, sys

class Blocker:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in blocked:
            raise ModuleNotFoundError(f"{name} is not for the device")

blocked = sys.argv[1].split(",")
sys.meta_path.insert(0, Blocker())
for name in sys.argv[2:]:
    importlib.import_module(name)
"""


def import_without(*modules: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-c", IMPORT_WITHOUT, ",".join((*TRAINING, "picamera2", "libcamera", "lgpio")), *modules]
    return subprocess.run(command, cwd=TREE, check=False, capture_output=True, text=True)


def test_the_device_needs_nothing_that_trains() -> None:
    assert {"device", "device.__main__", "device.cameras.pi", "device.kiosk"} <= set(DEVICE_MODULES)
    result = import_without(*DEVICE_MODULES)
    assert (result.returncode, result.stderr) == (0, "")
    for name in ("tqdm", "trainer"):  # the wall stands
        assert import_without(name).stderr.endswith(f"ModuleNotFoundError: {name} is not for the device\n")


def imported(*patterns: str) -> set[str]:
    """Return the top-level packages that the files name in any import."""
    found = set()
    files = [path for pattern in patterns for path in TREE.glob(pattern)]
    for node in (node for path in files for node in ast.walk(ast.parse(path.read_text()))):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module.partition(".")[0])
    return found


def test_who_imports_whom() -> None:
    ours = {"deploy", "device", "tests", "trainer"}
    assert imported("device/**/*.py") & ours == {"device"}
    assert imported("trainer/**/*.py") & ours == {"device", "trainer"}
    assert imported("deploy/pi/*.py") & ours == {"deploy", "device"}
    opens = "deploy/collect.py"  # what kiosks sealed, in the workstation's environment
    assert imported(opens) & ours == {"deploy", "device", "trainer"}
    others = [str(path.relative_to(TREE)) for path in TREE.glob("deploy/*.py") if path != TREE / opens]
    assert imported(*others) <= {"deploy", "device", *sys.stdlib_module_names}


def test_a_workstation_deploys_without_an_environment() -> None:
    code = "import sys; sys.path.insert(0, '.'); import deploy.__main__; print(deploy.__main__.parser().prog)"
    bare = subprocess.run(  # no packages of any environment
        [sys.executable, "-I", "-S", "-c", code], cwd=TREE, check=False, capture_output=True, text=True,
    )
    assert (bare.returncode, bare.stdout, bare.stderr) == (0, "python -m deploy\n", "")


@pytest.mark.parametrize("command", ["trainer train", "device check"])
def test_outside_the_environment_one_line_names_it(command: str) -> None:
    package = command.partition(" ")[0]
    outside = [sys.executable, "-S", "-m", *command.split()]  # -S: without any package
    result = subprocess.run(outside, cwd=TREE, check=False, capture_output=True, text=True)
    (line,) = result.stderr.splitlines()
    assert line.startswith(
        f"error: No module named 'numpy': run `.venv/bin/python -m {package}`, which `make .venv` makes"
    )
    assert result.returncode == 2


def test_the_devices_packages_are_few() -> None:
    extras = tomllib.loads((TREE / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]
    names = [requirement.split(">")[0] for requirement in extras["device"]]
    assert names == [
        "numpy", "opencv-python-headless", "ai-edge-litert", "gpiozero", "tornado", "tomlkit", "cryptography",
        "paho-mqtt", "prometheus-client",
    ]  # fmt: skip


@pytest.mark.parametrize("python", PYTHONS)
def test_the_device_is_light(toy: Path, python: str) -> None:
    # The least of some: what else runs here makes the others slower.
    assert min(import_seconds(python) for _ in range(5)) <= LARGEST_IMPORT_SECONDS
    assert peak_megabytes(python, toy) <= LARGEST_PEAK_MEGABYTES


@pytest.mark.parametrize("name", ["facts.py", "receive.py"])
def test_what_is_sent_over_ssh_to_run_there_alone_needs_only_python(name: str) -> None:
    tree = ast.parse((TREE / "deploy" / "pi" / name).read_text(encoding="utf-8"))
    plain = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    of = {str(node.module) for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert {module.partition(".")[0] for module in plain | of} <= sys.stdlib_module_names
