"""Checks of the doctor: the card, what is free on it, and what writes to it."""

import configparser

from device.doctor.finding import Case, Check, Level
from device.doctor.host import CantTellError, Host

INSTALLED = "opt/mask-kiosk"
FREE_MB = {"update": 100, "venv": 900}  # a release, and one with packages of its own, while the wheels lie beside it
WORN, WORN_OUT = 8, 10  # tenths of the life that the maker grants
NEARLY_SPENT, SPENT = 2, 3  # of the blocks kept in reserve
LOG_FOLDERS = ("usr/lib/systemd", "usr/local/lib/systemd", "run/systemd", "etc/systemd")  # a later one goes before

ROOMY = Case(Level.OK, "{megabytes} MB free")
NARROW = Case(
    Level.WARNING,
    f"only {{megabytes}} MB are free, expected {FREE_MB['venv']}, which an update with new Python packages needs",
    "Remove installation files that apt has kept: `sudo apt-get clean`.\n"
    "See which folders are large: `du -xh / | sort -h | tail`. Remove what you don't need.",
)
FULL = Case(Level.TROUBLE, f"only {{megabytes}} MB are free, expected at least {FREE_MB['update']}", NARROW.do)


def space(host: Host) -> Case:
    """Ask how much is free where releases are put."""
    folder = host.root / INSTALLED
    ran = host.run("df", "--output=avail", "--block-size=1000000", str(folder if folder.exists() else host.root))
    ran.require_done("df doesn't tell")
    megabytes = int(ran.out.split()[-1])
    case = FULL if megabytes < FREE_MB["update"] else NARROW if megabytes < FREE_MB["venv"] else ROOMY
    return case.of(megabytes=megabytes)


WRITABLE = Case(Level.OK, "{kind}, writable")
OVERLAID = Case(
    Level.NOTE, "the root is an overlay in memory: whatever is written is gone after the next start",
    "Before an update, switch the overlay off: `sudo raspi-config nonint disable_overlayfs`.\n"
    "Restart the Pi: `sudo reboot`.",
)
READ_ONLY = Case(
    Level.TROUBLE, "the root ({kind}) can only be read",
    "See whether errors of the SD card are the reason: `sudo dmesg | grep -i ext4` prints them.\n"
    "If it prints errors, copy the card to a new one, and use that.\n"
    "If it was made read-only on purpose, run `sudo mount -o remount,rw /` before an update.",
)


def root_file_system(host: Host) -> Case:
    """Look how the root is mounted; of several mounts on it, the last one counts."""
    mounts = [line.split() for line in (host.text("proc/mounts") or "").splitlines()]
    options = next(((m[2], m[3].split(",")) for m in reversed(mounts) if len(m) > 3 and m[1] == "/"), None)
    if options is None:
        raise CantTellError("/proc/mounts doesn't say")
    kind, flags = options
    return (OVERLAID if kind == "overlay" else READ_ONLY if "ro" in flags else WRITABLE).of(kind=kind)


UNWORN = Case(Level.OK, "{name} has used less than {percent} % of its life")
WEARING = Case(
    Level.WARNING, "the SD card or memory module {name} has used {percent} % of its life",
    "Get a new card or module, of an industrial or high-endurance kind.\n"
    "Put the system on it before this one fails.",
)
WORN_DOWN = Case(Level.TROUBLE, "the SD card or memory module {name} is at the end of its life", WEARING.do)


def wear(host: Host) -> Case:
    """Read what eMMC modules, and few SD cards, tell of their wear (JEDEC JESD84, EXT_CSD 267 to 269)."""
    told: list[tuple[int, int, str]] = []
    for name in sorted(path.name for path in (host.root / "sys/block").glob("mmcblk*")):
        life = host.text(f"sys/block/{name}/device/life_time")
        reserve = host.text(f"sys/block/{name}/device/pre_eol_info")
        tenths = max((int(part, 16) for part in (life or "").split()), default=0)
        if tenths or reserve:
            told.append((int(reserve or "0", 16), tenths, name))
    if not told:
        raise CantTellError("no card here tells of its wear, as most SD cards don't")
    reserve_level, tenths, name = max(told)
    if reserve_level >= SPENT or tenths > WORN_OUT:
        return WORN_DOWN.of(name=name)
    return (WEARING if reserve_level >= NEARLY_SPENT or tenths >= WORN else UNWORN).of(name=name, percent=10 * tenths)


ON_DISK = Case(Level.NOTE, "kept on disk; this is no Raspberry Pi, whose card that would wear")
IN_MEMORY = Case(Level.OK, "kept in memory, as Raspberry Pi OS sets it: gone after a restart")
ON_CARD = Case(
    Level.WARNING, "the log is kept on the SD card",
    "If you look for the cause of a problem over days, leave it so until you have found it.\n"
    "Have the log kept in memory: write two lines, `[Journal]` and `Storage=volatile`, into "
    "/etc/systemd/journald.conf.d/90-volatile.conf.\n"
    "Apply it: `sudo systemctl restart systemd-journald`.",
)


def log(host: Host) -> Case:
    """Find out where journald puts its log, from its settings and from what there is."""
    # Of two files of one name the one in the later folder counts; files take effect in the order of their names.
    files = {path.name: path for folder in LOG_FOLDERS for path in (host.root / folder).glob("journald.conf.d/*.conf")}
    main = [path for folder in reversed(LOG_FOLDERS) if (path := host.root / folder / "journald.conf").exists()][:1]
    storage = "auto"
    for path in (*main, *(files[name] for name in sorted(files))):
        parser = configparser.ConfigParser(strict=False, interpolation=None, allow_no_value=True)
        parser.read_string(path.read_text(encoding="utf-8"))
        storage = parser.get("Journal", "Storage", fallback=storage) or storage
    is_kept = storage == "persistent" or (storage == "auto" and (host.root / "var/log/journal").is_dir())
    if not is_kept:
        return IN_MEMORY
    return ON_CARD if host.is_pi else ON_DISK


CHECKS = (
    Check("space", "An update is unpacked beside the release that runs; a full SD card stops both.", space,
          (ROOMY, NARROW, FULL)),
    Check("root", "Settings and updates are written to the root, the system's part of the SD card. When the card "
          "fails, Linux makes it read-only.",
          root_file_system, (WRITABLE, OVERLAID, READ_ONLY)),
    Check("wear", "Writing wears SD cards out, and a worn one loses files.", wear, (UNWORN, WEARING, WORN_DOWN)),
    Check("log", "Writing wears SD cards out, and a log on the card is what writes most.", log,
          (IN_MEMORY, ON_DISK, ON_CARD)),
)
