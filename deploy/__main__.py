"""The workstation's command line: deploy to hosts, look at them, go back, remove, fetch what they collected."""

import argparse
import sys
from collections.abc import Sequence

from deploy import commands, publish
from deploy.errors import DeployError
from deploy.lock import RUNTIMES
from deploy.manifest import MOST_DAYS
from deploy.wheels import PYTHONS
from device.arguments import Parser, path
from device.errors import KioskError
from device.folders import user_folder

LATEST = max(PYTHONS)  # Debian release
CODES = """`python -m deploy COMMAND --help` explains a command.

exit codes, of several hosts the highest:
  0  done
  1  the new release didn't work and was rolled back, or the doctor found something
  2  refused; one line says what to do
  3  the host wasn't reached
  4  another deployment runs there
  5  the Pi couldn't keep the release
  6  it is dark in front of the camera: the release couldn't be tried
  130  stopped by Ctrl-C"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command, on all hosts if it is about hosts; return the worst exit code.

    0 done, 1 a release was taken back or the doctor found something, 2 refused, 3 not reached, 4 another deployment
    runs there, 5 a release couldn't be kept, 6 it was too dark to try it, 130 stopped by Ctrl-C.
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
    made = Parser("python -m deploy", "Install kiosks on Raspberry Pis from a workstation, and look after them.", CODES)
    verbs = made.add_subparsers(required=True, metavar="COMMAND")
    putting = verbs.add_parser(
        "deploy", help="install this tree on hosts, in batches, and start it",
        description="Install this tree on hosts, in batches, and start it. If it doesn't decide frames,\nthe release "
        "before is started again. Called again, it updates.",
        epilog="examples:\n  python -m deploy deploy --dry-run pi@kiosk.local\n"
        "  python -m deploy deploy pi@a pi@b\n  python -m deploy deploy doors.txt",
    )  # fmt: skip
    putting.set_defaults(command=commands.deploy)
    putting.add_argument(
        "--online", action="store_true", help="the Pi itself fetches its Python packages, from the package index"
    )
    putting.add_argument("--dry-run", action="store_true", help="say what would be done; nothing changes")
    back = verbs.add_parser(
        "rollback", help="start the release before the current one again",
        description="Start the release before the current one again; two are kept.",
    )  # fmt: skip
    back.set_defaults(command=commands.rollback)
    removing = verbs.add_parser(
        "undeploy", help="remove the kiosk, outputs off; settings stay",
        description="Switch all outputs off, and remove everything but settings and state.",
    )  # fmt: skip
    removing.set_defaults(command=commands.undeploy)
    looking = verbs.add_parser(
        "status", help="say which release runs, and what it sees",
        description="Say which release runs, the state of the door, restarts and free space.",
    )  # fmt: skip
    looking.set_defaults(command=commands.status)
    examining = verbs.add_parser(
        "doctor", help="say what is wrong with kiosks, why it matters and what to do",
        description="Look for every known problem of a kiosk (docs/troubleshooting.md), and say what was\nfound, why "
        "it matters and what to do.",
    )  # fmt: skip
    examining.set_defaults(command=commands.doctor)
    examining.add_argument("--json", action="store_true", help="print one JSON object for each host, one a line")
    reading = verbs.add_parser(
        "logs", help=f"print the last {commands.SHOWN_LINES} lines of the kiosk's log",
        description=f"Print the last {commands.SHOWN_LINES} lines of the kiosk's log.",
    )  # fmt: skip
    reading.set_defaults(command=commands.logs)
    collecting = verbs.add_parser(
        "collect", help="fetch and open the faces that a kiosk kept",
        description="Fetch the faces that a kiosk kept, and open them with the private key\n(docs/collect.md).",
        epilog="example:\n  python -m deploy collect pi@kiosk.local --to ~/faces",
    )  # fmt: skip
    collecting.set_defaults(command=commands.collect)
    collecting.add_argument("--to", type=path, help="the folder into which the faces go; it is needed")
    collecting.add_argument("--key", type=path, help="the private key (default: in ~/.config/mask-kiosk)")
    following = verbs.add_parser(
        "follow", help="have kiosks fetch their releases themselves (docs/fleet.md)",
        description="Have kiosks fetch signed releases from a web server themselves (docs/fleet.md).",
        epilog="example:\n  python -m deploy follow doors.txt --from https://example.org/kiosks/",
    )  # fmt: skip
    following.set_defaults(command=commands.follow)
    following.add_argument(
        "--from", dest="server", default="", help="the web address of the published folder; it is needed"
    )
    leaving = verbs.add_parser(
        "unfollow", help="have kiosks no longer fetch their releases",
        description="Have kiosks no longer fetch their releases: from then on `deploy` brings them.",
    )  # fmt: skip
    leaving.set_defaults(command=commands.unfollow)
    for each in (putting, back, removing, looking, examining, reading, collecting, following, leaving):
        each.add_argument("hosts", nargs="*", metavar="HOST",
                          help="USER@NAME, a name of ~/.ssh/config, or a file with one a line")
    packing, making, publishing = _add_releases(verbs)
    key = user_folder("XDG_CONFIG_HOME", ".config") / "update"  # its public one lies beside it, with .pub
    for each in (making, publishing, following):
        each.add_argument("--key", type=path, default=key,
                          help="the private key that signs releases (default: %(default)s)")
    for each in (putting, packing, publishing):
        each.add_argument("--runtime", choices=RUNTIMES, default=RUNTIMES[0],
                          help="the package that runs the models on the Pi (default: %(default)s)")
    return made


def _add_releases(verbs: "argparse._SubParsersAction[Parser]") -> tuple[Parser, Parser, Parser]:
    """Add the commands that make releases for kiosks which this computer doesn't reach: bundle, keys, publish."""
    packing = verbs.add_parser(
        "bundle", help="pack a release with its packages into a file, for a Pi's first start",
        description="Pack a release with its Python packages into one file in dist/, from which a Pi\ninstalls itself "
        "at its first start (docs/deploy.md).",
    )  # fmt: skip
    packing.set_defaults(command=commands.bundle)
    packing.add_argument("--debian", choices=list(PYTHONS), default=LATEST,
                         help="12 for Bookworm, 13 for Trixie (default: %(default)s)")
    making = verbs.add_parser(
        "keys", help="make the pair of keys that signs releases",
        description="Make the pair of keys that signs releases, with ssh-keygen.",
    )  # fmt: skip
    making.set_defaults(command=commands.keys)
    publishing = verbs.add_parser(
        "publish", help="write signed releases for a web server",
        description="Write signed releases of this tree into a folder that a web server shows\n(docs/fleet.md).",
        epilog="example, for a tenth of the kiosks at once, and for all of them two days later:\n"
        "  python -m deploy publish --to ~/www --rings '10@0 100@48'",
    )  # fmt: skip
    publishing.set_defaults(command=commands.publish)
    publishing.add_argument("--to", type=path, help="the folder that a web server shows; it is needed")
    publishing.add_argument("--debian", choices=list(PYTHONS), help="12 for Bookworm, 13 for Trixie (default: both)")
    publishing.add_argument("--trust", type=path, nargs="+", default=[], metavar="KEY",
                            help="more public keys whose releases the kiosks accept from then on")
    publishing.add_argument("--days", type=float, default=30.0,
                            help=f"for how many days kiosks accept the release, at most {MOST_DAYS}, and at least one "
                            "more than the last ring waits (default: %(default)g)")
    publishing.add_argument("--rings", default=publish.RINGS,
                            help="which share of the kiosks takes the release when, as PERCENT@HOURS, rising up to 100 "
                            "percent (default: '%(default)s')")
    return packing, making, publishing


if __name__ == "__main__":
    sys.exit(main())
