"""The workstation's command line: deploy to hosts, look at them, go back, remove, fetch what they collected."""

import argparse
import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from shlex import join

from deploy import bundle, publish, steps
from deploy.doctor import doctor
from deploy.errors import DeployError
from deploy.hosts import hosts, path_of
from deploy.lock import RUNTIMES
from deploy.manifest import public_key
from deploy.pi.facts import HOME, PYTHON, UNIT
from deploy.pi.follow import folder_url
from deploy.remote import Remote
from deploy.rollout import Result, batches, print_table, roll_out
from deploy.say import Say, sayer
from deploy.wheels import PYTHONS
from device.arguments import Parser

LATEST = max(PYTHONS)  # Debian release
SHOWN_LINES = 50
INTERRUPTED = 130

Verb = Callable[[Remote, Say], str]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command, on all hosts if it is about hosts; return the worst exit code.

    0 done, 1 a release was taken back or the doctor found something, 2 refused, 3 not reached, 4 another deployment
    runs there, 5 a release couldn't be kept.
    """
    options = parser().parse_args(arguments)
    try:
        if "hosts" not in options:
            print(_here(options))
            return 0
        verb, names = _verb(options), hosts(options.hosts)
        for name in names:
            Remote(name)  # so that a wrong one is told before anything begins
    except DeployError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.code
    except OSError as error:
        print(f"error: {_refusal(error)}", file=sys.stderr)
        return DeployError.code
    except KeyboardInterrupt:
        print("error: was stopped here: the same command begins anew", file=sys.stderr)
        return INTERRUPTED
    parts = batches(names) if options.command == "deploy" else [names]
    results: dict[str, Result] = {}
    stopped = False
    try:
        results.update(roll_out(parts, partial(_result, verb)))
    except KeyboardInterrupt:
        stopped = True
    print_table(parts, results)
    return INTERRUPTED if stopped else max(code for code, _ in results.values())


def _verb(options: argparse.Namespace) -> Verb:
    """Return what is done to each host."""
    match options.command:
        case "deploy":
            return partial(_deploy, steps.Wish(options.runtime, options.online, options.dry_run))
        case "follow":
            return partial(_on_release, join(["follow", folder_url(options.server), _public(options.key)]))
        case "collect":
            from deploy.collect import collecting  # alone of all it needs the workstation's environment

            return collecting(options.to, options.key)
        case "doctor":
            return partial(doctor, options.json)
        case command:
            return {"status": _status, "logs": _logs}.get(command, partial(_on_release, command))


def _result(verb: Verb, name: str) -> Result:
    try:
        return 0, verb(Remote(name), sayer(name))
    except DeployError as error:
        return error.code, str(error)
    except OSError as error:
        return DeployError.code, _refusal(error)


def _refusal(error: OSError) -> str:
    """Return what this computer refused, and what to do."""
    if error.filename is None:  # as where a disk is full
        reason = error.strerror or error
        return f"a file can't be written here ({reason}), expected a disk with room: look with `df -h`"
    return f"{error.filename}: can't be used ({error.strerror}): give another path"


def _deploy(wish: steps.Wish, remote: Remote, say: Say) -> str:
    return steps.deploy(remote, wish, say)


def _on_release(command: str, remote: Remote, say: Say) -> str:
    facts = steps.released(remote)
    steps.on_pi(remote, f"cd {HOME}/current && sudo -n {PYTHON} -B -m deploy.pi {command}", say)
    return {"rollback": f"{facts['former'].get('version')} runs", "undeploy": "removed"}.get(command, "done")


def _public(key: Path) -> str:
    return public_key(key if key.suffix == ".pub" else key.with_name(f"{key.name}.pub"))


def _here(options: argparse.Namespace) -> str | Path:
    """Run a command that is about no host."""
    if options.command == "keys":
        return publish.make_keys(options.key)
    if options.command == "bundle":
        return bundle.write(options.debian, options.runtime)
    if options.to is None:
        raise DeployError("the folder is missing, expected one that a web server shows: make publish TO=~/www")
    return publish.publish(
        options.to, options.key, options.trust, options.days, publish.rings(options.rings),
        [options.debian] if options.debian else list(PYTHONS), options.runtime,
    )  # fmt: skip


def _status(remote: Remote, _: Say) -> str:
    facts = steps.facts_of(remote)
    unit, version = facts["unit"], facts["current"].get("version")
    if not facts["released"]:
        return f"no release; {facts['system']}, {facts['free_mb']} MB free"
    state = f"{unit.get('ActiveState')} ({unit.get('SubState')}), {unit.get('NRestarts')} restarts"
    former = f"; former {facts['former']['version']}" if facts["former"] else ""
    name = version or "a release whose release.json is damaged (run `make deploy`)"
    line = f"{name} {state}: {unit.get('StatusText') or 'no word'}; {facts['free_mb']} MB free{former}"
    if facts["pulled"]:
        line += f"; looked for a release: {facts['pulled']['line']}"
    if unit.get("ActiveState") != "active":
        raise DeployError(line)
    return line


def _logs(remote: Remote, say: Say) -> str:
    steps.facts_of(remote)  # or it raises why the host isn't reached
    command = f"sudo -n journalctl --unit {UNIT} --lines {SHOWN_LINES} --no-pager --output short-iso"
    if remote.follow(command, say):
        raise DeployError("its journal can't be read, expected `sudo` without a password: see the line before")
    return f"the last {SHOWN_LINES} lines"


def parser() -> Parser:
    """Return the command line."""
    made = Parser("python -m deploy", description=__doc__)
    verbs = made.add_subparsers(dest="command", required=True, metavar="COMMAND")
    putting = verbs.add_parser("deploy", help="put this tree on hosts, in batches, and start it")
    putting.add_argument(
        "--online", action="store_true", help="the Pi fetches its Python packages from the index itself"
    )
    putting.add_argument("--dry-run", action="store_true", help="say what would be done; nothing changes")
    back = verbs.add_parser("rollback", help="start the release before the current one again")
    removing = verbs.add_parser("undeploy", help="remove the kiosk, outputs off; settings stay")
    looking = verbs.add_parser("status", help="say which release runs, and what it sees")
    examining = verbs.add_parser("doctor", help="say what ails kiosks, why it matters and what to do")
    examining.add_argument("--json", action="store_true", help="one JSON object a host, each on a line")
    reading = verbs.add_parser("logs", help=f"print the last {SHOWN_LINES} lines of the kiosk's journal")
    collecting = verbs.add_parser("collect", help="fetch and open the faces that kiosks kept")
    collecting.add_argument("--to", type=path_of, help="the folder of faces")
    collecting.add_argument("--key", type=path_of, help="the private key (default: in ~/.config)")
    following = verbs.add_parser("follow", help="have kiosks fetch their releases themselves (docs/fleet.md)")
    following.add_argument("--from", dest="server", default="", help="the address of the published folder")
    leaving = verbs.add_parser("unfollow", help="have them no longer do so")
    for each in (putting, back, removing, looking, examining, reading, collecting, following, leaving):
        each.add_argument("hosts", nargs="*", metavar="HOST", help="USER@NAME, or a file with one a line")

    packing = verbs.add_parser("bundle", help="write a release as one file, for a Pi's first start")
    packing.add_argument("--debian", choices=list(PYTHONS), default=LATEST, help="12 Bookworm, 13 Trixie (%(default)s)")
    making = verbs.add_parser("keys", help="make the pair of keys that signs releases")
    publishing = verbs.add_parser("publish", help="write signed releases for a web server")
    publishing.add_argument("--to", type=path_of, help="the folder that a web server shows")
    publishing.add_argument("--debian", choices=list(PYTHONS), help="12 Bookworm, 13 Trixie (default: both)")
    publishing.add_argument("--trust", type=path_of, nargs="+", default=[], help="more public keys to believe")
    publishing.add_argument("--days", type=float, default=30.0, help="how long the manifest is believed")
    publishing.add_argument("--rings", default=publish.RINGS, help="percent of the kiosks @ hours (%(default)s)")
    for each in (making, publishing, following):
        each.add_argument("--key", type=path_of, default=publish.default_key(), help="the private key (%(default)s)")
    for each in (putting, packing, publishing):
        each.add_argument("--runtime", choices=RUNTIMES, default=RUNTIMES[0], help="what runs the networks there")
    return made


if __name__ == "__main__":
    sys.exit(main())
