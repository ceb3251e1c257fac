"""Fetches the sealed faces that a kiosk kept, opens them here, and removes from the kiosk what arrived whole."""

import tarfile
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, TYPE_CHECKING

from deploy.errors import DeployError, UnreachedError
from deploy.pi.facts import FACES
from deploy.remote import Remote, Watch
from deploy.say import Say
from device.crop_store import NAME, SUFFIX
from device.disk import write_whole
from device.seal import SealError, fingerprint, unseal
from trainer.collect_key import PRIVATE, KeyFileError, keys_folder, read_private_key

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

# As the kiosk's user, who can do no more than the kiosk.
AS_KIOSK = "sudo -n -u mask-kiosk sh -c"
SEND = (
    f"{AS_KIOSK} 'cd {FACES} 2>/dev/null || exec tar --create --files-from /dev/null; "  # nothing was ever kept
    f'find . -maxdepth 1 -name "*{SUFFIX}" -print0 | sort -z | tar --create --null --files-from -\''
)
REMOVE = f"{AS_KIOSK} 'cd {FACES} && xargs rm -f --'"
LARGEST = 4 << 20  # bytes: no crop is larger


def collecting(target: Path | None, key: Path | None) -> Callable[[Remote, Say], str]:
    """Return what fetches one kiosk's faces into a folder, opened with the private key.

    Raises DeployError, also for a folder that others may look into.
    """
    if target is None:
        raise DeployError("folder is missing, expected where the faces go: run `make collect HOST= TO=~/faces`")
    if target.is_dir() and (mode := target.stat().st_mode & 0o777) & 0o077:
        raise DeployError(f"{target}: others may look into it (mode {mode:03o}), expected 700: `chmod 700 '{target}'`")
    try:
        opener = read_private_key(key or keys_folder() / PRIVATE)
    except KeyFileError as error:
        raise DeployError(str(error)) from error
    return lambda remote, say: collect(remote, target, opener, say)


def collect(remote: Remote, target: Path, key: "X25519PrivateKey", say: Say) -> str:
    """Move a kiosk's crops into a folder, as PNG; return what became of them in a few words.

    Stopped at any moment, nothing is lost: a crop is removed there after it was written here, and one that is here
    already, labelled or not, isn't written twice. Raises DeployError, also for crops that another key opens.
    """
    target.mkdir(mode=0o700, parents=True, exist_ok=True)
    for left in target.glob("*.png.*.partial"):  # by one that was killed: a face that `make label` doesn't show
        left.unlink(missing_ok=True)
    arrived, new, foreign, broken = list[str](), 0, 0, False
    with remote.start(SEND) as running, Watch(running) as watch:
        assert running.stdout is not None  # noqa: S101
        try:
            for name, sealed in crops(running.stdout):
                watch.begin()
                try:
                    picture = unseal(sealed, key)
                except SealError:
                    foreign += 1
                    continue
                file = _picture_name(name)
                if not ((target / file).exists() or any(target.glob(f"*/{file}"))):
                    write_whole(target / file, picture)
                    new += 1
                arrived.append(name)
        except tarfile.TarError:  # it ended early, or isn't one
            broken = True
        except BaseException:
            running.kill()
            raise
        finally:
            errors = running.communicate()[1].decode(errors="replace")
    if arrived:
        say(f"{new} crops written to {target}, {len(arrived) - new} were there")
        code, _ = remote.ask(REMOVE, "\n".join(arrived))
        if code:
            raise DeployError(f"{len(arrived)} crops are here and can't be removed there: run the same command again")
    if running.returncode or (broken and (arrived or foreign)):
        end = "it fell silent" if watch.ended else f"code {running.returncode}"
        found = next((line.strip() for line in errors.splitlines() if line.strip()), end)
        raise UnreachedError(f"the copy stopped ({found}), {len(arrived)} crops arrived: run the same command again")
    if broken:
        raise DeployError(
            "its answer isn't an archive of crops, expected nothing else: make sure that its ~/.bashrc prints nothing"
        )
    if foreign:
        raise DeployError(
            f"{foreign} crops stay there: they are incomplete, or were encrypted to another key than "
            f"{fingerprint(key.public_key())}: name its private key with KEY="
        )
    return f"{len(arrived)} crops fetched and removed there"


def crops(stream: IO[bytes]) -> Iterator[tuple[str, bytes]]:
    """Yield names and contents of the crops in an archive that is being sent. Raises TarError where it ends early."""
    with tarfile.open(fileobj=stream, mode="r|") as archive:
        for member in archive:
            name = member.name.removeprefix("./")
            content = archive.extractfile(member) if member.isfile() and member.size <= LARGEST else None
            if content is not None and NAME.fullmatch(name):
                yield name, content.read()


def _picture_name(name: str) -> str:
    """Return the name of an opened crop: when it was kept, in UTC, and what makes it the only one."""
    kept, _, rest = name.removesuffix(SUFFIX).partition("-")
    return f"{datetime.fromtimestamp(int(kept), UTC):%Y%m%d-%H%M%S}-{rest}.png"
