"""The kiosk killed, blind or hung while its outputs are on: when they go off, and when it judges again."""

from collections.abc import Callable

from virtual_pi.diary import Diary
from virtual_pi.guest import UNIT, Levels, guest, levels, now, show, unit, until

DARK = (0, 0, 0, 0)
KILLED_SECONDS = 1.0  # the longest that outputs may stay on without a kiosk
HEADS = {"masked": "green and the relay on", "bare": "red and the buzzer on"}


def _raise(face: str) -> None:
    """Bring the outputs on that this face brings."""
    show("empty")
    until(lambda: levels()[-1][1:] == DARK, "all dark")
    show(face)
    wanted = (0, 1, 0, 1) if face == "masked" else (1, 0, 1, 0)
    until(lambda: levels()[-1][1:] == wanted, HEADS[face])


def _strike(command: str) -> float:
    """Do something to the kiosk in the guest; return when that was there, in seconds since its start."""
    main = f"main=$(systemctl show --property=MainPID --value {UNIT})"
    return float(guest(f"{main}; read -r since _ </proc/uptime; {command}; echo $since"))


def _after(began: float, wanted: Callable[[Levels], bool], words: str) -> float:
    """Wait until the outputs were as wanted at some moment after this one; return how long that took."""
    until(lambda: any(wanted(each) for each in levels(began)), words)
    return next(each for each in levels(began) if wanted(each)).at - began


def _dark(each: Levels) -> bool:
    return each[1:] == DARK


def killed(diary: Diary, face: str) -> None:
    """SIGKILL with these outputs on."""
    _raise(face)
    with diary.step(f"killed with {HEADS[face]}: every output off") as measured:
        began = _strike("kill -KILL $main")
        assert levels(began)[0].buzzer or levels(began)[0].relay, levels(began)
        took = _after(began, _dark, "all dark")
        measured.append(f"after {took:.2f} s")
        assert took <= KILLED_SECONDS, took
    _judges_again(diary, "killed")


def frozen(diary: Diary) -> None:
    """A camera that gives the same picture again and again, which the kiosk notices itself."""
    _raise("masked")
    restarts = int(unit("NRestarts"))
    with diary.step("the camera froze with the door released: locked, both lamps lit, started again") as measured:
        began = _strike("touch /run/feeder/frozen")
        locked = _after(began, lambda each: not each.relay, "a locked door")
        told = _after(began, lambda each: each[1:] == (1, 1, 0, 0), "both lamps")
        until(lambda: int(unit("NRestarts")) > restarts, "another start")
        measured.append(f"after {locked:.2f} s, {told:.2f} s and {now() - began:.0f} s")
        guest("rm /run/feeder/frozen")
    _judges_again(diary, "the camera sees again")
    with diary.step("status counts the starts"):
        (line,) = diary.page("make status HOST=pi@kiosk.local")
        assert f"{restarts + 1} restarts" in line, line


def hung(diary: Diary) -> None:
    """A process that stands still, which only the watchdog notices."""
    _raise("masked")
    restarts = int(unit("NRestarts"))
    with diary.step("hung with the door released: ended by the watchdog, every output off") as measured:
        began = _strike("kill -STOP $main")
        measured.append(f"off after {_after(began, _dark, 'all dark'):.2f} s")
        until(lambda: int(unit("NRestarts")) > restarts, "another start")
        measured.append(f"started again after {now() - began:.0f} s")
    _judges_again(diary, "hung")


def _judges_again(diary: Diary, what: str) -> None:
    with diary.step(f"{what}: it judges again, by itself"):
        until(lambda: unit("ActiveState") == "active", "a running kiosk")
        show("masked")
        until(lambda: levels()[-1][1:3] == (0, 1), "green alone")
        show("empty")
