"""Checks of the doctor: the Python packages that the kiosk stands on, each tried in a Python of its own."""

from device.doctor.finding import Case, Check, Level
from device.doctor.host import Host

SYSTEM_PACKAGES = "usr/lib/python3/dist-packages"  # where apt puts Python packages
PICAMERA = "pi"  # the source of frames that needs picamera2

# Of each runtime: its version, "" where it isn't installed; and why it can't be imported, "" where it can.
RUNTIME = """
import importlib, importlib.metadata, json
def version(package):
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "of unknown version"
found = []
for package in ("ai-edge-litert", "tflite-runtime"):
    module = package.replace("-", "_")
    try:
        importlib.import_module(module + ".interpreter").Interpreter
        found.append([version(package), ""])
    except Exception as problem:
        absent = isinstance(problem, ModuleNotFoundError) and problem.name == module
        found.append(["" if absent else version(package), f"{type(problem).__name__}: {problem}".splitlines()[0]])
try:
    import numpy
    found.append(numpy.__version__)
except Exception:
    found.append("")
print(json.dumps(found))
"""

LITERT = Case(Level.OK, "ai-edge-litert {version}, which goes before tflite-runtime wherever it can be imported")
OLDER = Case(Level.OK, "tflite-runtime {version}, because ai-edge-litert isn't installed")
FALLEN_BACK = Case(
    Level.WARNING, "the models run on tflite-runtime {version}, because ai-edge-litert can't be imported ({error})",
    "Run `make deploy` again: it installs the runtime that fits this release. Until then scores may differ in their "
    "last digit.",
)
NUMPY_2 = Case(
    Level.TROUBLE, "the models run on tflite-runtime {version} with numpy {numpy}, expected numpy 1 with it",
    "Run `make deploy` again: it installs ai-edge-litert, or a numpy below 2, as fits this release.",
)
NO_RUNTIME = Case(
    Level.TROUBLE, "neither ai-edge-litert nor tflite-runtime can be imported ({error})",
    "On a kiosk: make sure that it has a 64-bit system with Debian 12 or 13, then run `make deploy` again.\n"
    "On a workstation: run `make .venv`, then `.venv/bin/python -m device doctor`.",
)


def runtime(host: Host) -> Case:
    """Import both runtimes in the order of device/tflite.py."""
    ran = host.python(RUNTIME)
    ran.require_done("Python couldn't say")
    (litert, litert_error), (tflite, tflite_error), numpy = ran.answer
    if not litert_error:
        return LITERT.of(version=litert)
    if tflite_error:
        return NO_RUNTIME.of(error=litert_error if litert else tflite_error)
    if int(numpy.partition(".")[0] or 0) >= 2:
        return NUMPY_2.of(version=tflite, numpy=numpy)
    return FALLEN_BACK.of(version=tflite, error=litert_error) if litert else OLDER.of(version=tflite)


NUMPY = """
import json, numpy
print(json.dumps([numpy.__version__, numpy.__file__]))
"""

ONE_NUMPY = Case(Level.OK, "numpy {version}, the system's own")
PLAIN_NUMPY = Case(Level.NOTE, "numpy {version} of {place}; the system has none of its own")
MIXED = Case(
    Level.TROUBLE, "numpy {version} in {place} hides the system's own, which picamera2 is compiled against",
    "Run `make deploy` again, which uses the system's; or remove the other with `pip uninstall numpy` in its Python "
    "environment.",
)
MIXED_UNUSED = Case(Level.NOTE, "numpy {version} of {place} hides the system's own; picamera2 isn't used here")
NO_NUMPY = Case(
    Level.TROUBLE, "numpy can't be imported ({error})",
    "On a Pi: install it with `sudo apt install python3-numpy`, then run `make deploy` again.\n"
    "On a workstation: run `make .venv`, then `.venv/bin/python -m device doctor`.",
)


def numpy(host: Host) -> Case:
    """Find out which numpy is imported."""
    ran = host.python(NUMPY)
    if ran.code:
        return NO_NUMPY.of(error=ran.last_line)
    version, place = ran.answer
    values: dict[str, object] = {"version": version, "place": place}
    if not (host.root / SYSTEM_PACKAGES / "numpy").is_dir():
        return PLAIN_NUMPY.of(**values)
    if place.startswith(str(host.root / SYSTEM_PACKAGES)):
        return ONE_NUMPY.of(**values)
    return (MIXED if host.settings.camera.source == PICAMERA else MIXED_UNUSED).of(**values)


OPENCV = """
import importlib.metadata, json, cv2
names = ("opencv-python", "opencv-contrib-python", "opencv-python-headless", "opencv-contrib-python-headless")
pips = [name for name in names if any(importlib.metadata.distributions(name=name))]
gui = [line.split(":")[1].strip() for line in cv2.getBuildInformation().splitlines() if line.strip().startswith("GUI:")]
print(json.dumps([cv2.__version__, gui[0] if gui else "", pips]))
"""

HEADLESS = Case(Level.OK, "OpenCV {version}, without windows")
WINDOWS = Case(Level.NOTE, "OpenCV {version}, built with windows ({gui}), which the kiosk doesn't open")
TWO_OPENCVS = Case(
    Level.WARNING, "{packages} are installed together, and each has overwritten files of the other",
    "Run `make deploy` again; or remove them all with `pip uninstall`, then install opencv-python-headless alone.",
)
UNFIT_OPENCV = Case(
    Level.TROUBLE, "OpenCV {version} is installed, expected {wanted} for the face finder {finder}",
    "Run `make deploy` again, which installs one that fits; or choose another `finder` in `[faces]` of kiosk.toml.",
)
NO_OPENCV = Case(
    Level.TROUBLE, "OpenCV can't be imported ({error})",
    "If the line names numpy, look at the check of numpy first.\n"
    "If it names libGL, the OpenCV for desktops is installed: remove opencv-python, and install "
    "opencv-python-headless.\n"
    "Run `make deploy` again; on a workstation `make .venv`.",
)


def opencv(host: Host) -> Case:
    """Import OpenCV, and compare its version with what the face finder needs."""
    ran = host.python(OPENCV)
    if ran.code:
        return NO_OPENCV.of(error=ran.last_line)
    version, gui, packages = ran.answer
    finder = host.settings.faces.finder
    low, high = {"haar": ((4, 6), (5,)), "yunet": ((4, 8), (6,)), "own": ((4, 6), (6,))}[finder]
    if not low <= tuple(int(part) for part in version.split(".")[:2]) < high:
        wanted = f"{'.'.join(map(str, low))} or later, below {high[0]}"
        return UNFIT_OPENCV.of(version=version, wanted=wanted, finder=finder)
    if len(packages) > 1:
        return TWO_OPENCVS.of(packages=" and ".join(packages))
    return HEADLESS.of(version=version) if gui in {"", "NONE"} else WINDOWS.of(version=version, gui=gui)


CHECKS = (
    Check("runtime", "The runtime runs the models. Which one it is decides which numpy fits, and the last digits of "
          "scores.", runtime, (LITERT, OLDER, FALLEN_BACK, NUMPY_2, NO_RUNTIME)),
    Check("numpy", "The camera's package, picamera2, is compiled against the system's numpy, and can't be imported "
          "with another one.",
          numpy, (ONE_NUMPY, PLAIN_NUMPY, MIXED_UNUSED, MIXED, NO_NUMPY)),
    Check("opencv", "OpenCV decodes and resizes pictures. Version 5 has no Haar cascade, versions before 4.8 have no "
          "YuNet.",
          opencv, (HEADLESS, WINDOWS, TWO_OPENCVS, UNFIT_OPENCV, NO_OPENCV)),
)
