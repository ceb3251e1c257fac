"""The workstation's command line: deploy to hosts, look at them, go back, remove, fetch what they collected."""

import sys
from collections.abc import Sequence

from deploy import commands, publish
from deploy.errors import DeployError
from deploy.lock import RUNTIMES
from deploy.wheels import PYTHONS
from device.arguments import Parser, path
from device.errors import KioskError
from device.folders import user_folder

LATEST = max(PYTHONS)  # Debian release


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command, on all hosts if it is about hosts; return the worst exit code.

    0 done, 1 a release was taken back or the doctor found something, 2 refused, 3 not reached, 4 another deployment
    runs there, 5 a release couldn't be kept, 6 it is dark there, 130 stopped by Ctrl-C.
    """
    try:
        options = parser().parse_args(arguments)
        return int(options.command(options))
    except DeployError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.code
    except KioskError as error:
        print(f"error: {error}", file=sys.stderr)
        return DeployError.code
    except OSError as error:
        print(f"error: {commands.refusal(error)}", file=sys.stderr)
        return DeployError.code
    except KeyboardInterrupt:
        print("error: was stopped here: the same command begins anew", file=sys.stderr)
        return commands.INTERRUPTED


def parser() -> Parser:
    """Return the command line."""
    made = Parser("python -m deploy", description=__doc__)
    verbs = made.add_subparsers(required=True, metavar="COMMAND")
    putting = verbs.add_parser("deploy", help="put this tree on hosts, in batches, and start it")
    putting.set_defaults(command=commands.deploy)
    putting.add_argument(
        "--online", action="store_true", help="the Pi fetches its Python packages from the index itself"
    )
    putting.add_argument("--dry-run", action="store_true", help="say what would be done; nothing changes")
    back = verbs.add_parser("rollback", help="start the release before the current one again")
    back.set_defaults(command=commands.rollback)
    removing = verbs.add_parser("undeploy", help="remove the kiosk, outputs off; settings stay")
    removing.set_defaults(command=commands.undeploy)
    looking = verbs.add_parser("status", help="say which release runs, and what it sees")
    looking.set_defaults(command=commands.status)
    examining = verbs.add_parser("doctor", help="say what ails kiosks, why it matters and what to do")
    examining.set_defaults(command=commands.doctor)
    examining.add_argument("--json", action="store_true", help="one JSON object a host, each on a line")
    reading = verbs.add_parser("logs", help=f"print the last {commands.SHOWN_LINES} lines of the kiosk's journal")
    reading.set_defaults(command=commands.logs)
    collecting = verbs.add_parser("collect", help="fetch and open the faces that kiosks kept")
    collecting.set_defaults(command=commands.collect)
    collecting.add_argument("--to", type=path, help="the folder of faces")
    collecting.add_argument("--key", type=path, help="the private key (default: in ~/.config)")
    following = verbs.add_parser("follow", help="have kiosks fetch their releases themselves (docs/fleet.md)")
    following.set_defaults(command=commands.follow)
    following.add_argument("--from", dest="server", default="", help="the address of the published folder")
    leaving = verbs.add_parser("unfollow", help="have them no longer do so")
    leaving.set_defaults(command=commands.unfollow)
    for each in (putting, back, removing, looking, examining, reading, collecting, following, leaving):
        each.add_argument("hosts", nargs="*", metavar="HOST", help="USER@NAME, or a file with one a line")

    packing = verbs.add_parser("bundle", help="write a release as one file, for a Pi's first start")
    packing.set_defaults(command=commands.bundle)
    packing.add_argument("--debian", choices=list(PYTHONS), default=LATEST, help="12 Bookworm, 13 Trixie (%(default)s)")
    making = verbs.add_parser("keys", help="make the pair of keys that signs releases")
    making.set_defaults(command=commands.keys)
    publishing = verbs.add_parser("publish", help="write signed releases for a web server")
    publishing.set_defaults(command=commands.publish)
    publishing.add_argument("--to", type=path, help="the folder that a web server shows")
    publishing.add_argument("--debian", choices=list(PYTHONS), help="12 Bookworm, 13 Trixie (default: both)")
    publishing.add_argument("--trust", type=path, nargs="+", default=[], help="more public keys to believe")
    publishing.add_argument("--days", type=float, default=30.0, help="how long the manifest is believed")
    publishing.add_argument("--rings", default=publish.RINGS, help="percent of the kiosks @ hours (%(default)s)")
    key = user_folder("XDG_CONFIG_HOME", ".config") / "update"  # its public one lies beside it, with .pub
    for each in (making, publishing, following):
        each.add_argument("--key", type=path, default=key, help="the private key (%(default)s)")
    for each in (putting, packing, publishing):
        each.add_argument("--runtime", choices=RUNTIMES, default=RUNTIMES[0], help="what runs the networks there")
    return made


if __name__ == "__main__":
    sys.exit(main())
