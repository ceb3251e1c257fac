"""The workstation's command line: deploy to hosts, look at them, go back, remove, fetch what they collected."""

import argparse
import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from shlex import join

from deploy import bundle, publish, steps
from deploy.errors import DeployError, UnreachedError
from deploy.hosts import hosts
from deploy.lock import RUNTIMES
from deploy.manifest import public_key
from deploy.pi.facts import HOME, UNIT
from deploy.remote import UNREACHED, Remote
from deploy.rollout import Result, batches, print_table, roll_out
from deploy.say import Say, sayer
from deploy.wheels import PYTHONS
from device.arguments import Parser

COMMANDS = (
    "deploy", "rollback", "undeploy", "status", "logs", "bundle", "keys", "publish", "follow", "unfollow",
    "collect",
)  # fmt: skip
LATEST = max(PYTHONS)  # Debian release
SHOWN_LINES = 50
INTERRUPTED = 130

Verb = Callable[[Remote, Say], str]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command, on all hosts if it is about hosts; return the worst exit code.

    0 done, 1 a release was taken back, 2 refused, 3 not reached, 4 another deployment runs there.
    """
    options = parser().parse_args(arguments)
    wish = steps.Wish(options.runtime, options.online, options.dry_run)
    verbs: dict[str, Verb] = {
        "deploy": partial(_deploy, wish),
        "rollback": partial(_on_release, "rollback"),
        "undeploy": partial(_on_release, "undeploy"),
        "follow": partial(_follow, options.server, options.key or publish.default_key()),
        "unfollow": partial(_on_release, "unfollow"),
        "status": _status,
        "logs": _logs,
    }
    try:
        if options.command == "collect":
            from deploy.collect import collecting  # alone of all it needs the workstation's environment

            verbs["collect"] = collecting(options.to, options.key)
        if options.command not in verbs:
            print(_here(options))
            return 0
        names = hosts(options.hosts)
        for name in names:
            Remote(name)  # so that a wrong one is told before anything begins
    except DeployError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.code
    parts = batches(names) if options.command == "deploy" else [names]
    results: dict[str, Result] = {}
    stopped = False
    try:
        results.update(roll_out(parts, partial(_result, verbs[options.command])))
    except KeyboardInterrupt:
        stopped = True
    print_table(parts, results)
    return INTERRUPTED if stopped else max(code for code, _ in results.values())


def _result(verb: Verb, name: str) -> Result:
    try:
        return 0, verb(Remote(name), sayer(name))
    except DeployError as error:
        return error.code, str(error)


def _deploy(wish: steps.Wish, remote: Remote, say: Say) -> str:
    return steps.deploy(remote, wish, say)


def _on_release(command: str, remote: Remote, say: Say) -> str:
    facts = steps.facts_of(remote)
    if not facts["current"]:
        raise DeployError("has no release, expected one: run `make deploy`")
    steps.on_pi(remote, f"{HOME}/current", command, say)
    return {"rollback": f"{facts['former'].get('version')} runs", "undeploy": "removed"}.get(command, "done")


def _follow(server: str, key: Path, remote: Remote, say: Say) -> str:
    public = public_key(key if key.suffix == ".pub" else key.with_name(f"{key.name}.pub"))
    return _on_release(join(["follow", server, public]), remote, say)


def _here(options: argparse.Namespace) -> str | Path:
    """Run a command that is about no host."""
    if options.command == "keys":
        return publish.make_keys(options.key or publish.default_key())
    if options.command == "bundle":
        return bundle.write(options.debian or LATEST, options.runtime)
    if options.to is None:
        raise DeployError("the folder is missing, expected one that a web server shows: make publish TO=~/www")
    return publish.publish(
        options.to, options.key or publish.default_key(), options.trust, options.days, publish.rings(options.rings),
        [options.debian] if options.debian else list(PYTHONS), options.runtime,
    )  # fmt: skip


def _status(remote: Remote, _: Say) -> str:
    facts = steps.facts_of(remote)
    unit, current = facts["unit"], facts["current"]
    if not current:
        return f"no release; {facts['system']}, {facts['free_mb']} MB free"
    state = f"{unit.get('ActiveState')} ({unit.get('SubState')}), {unit.get('NRestarts')} restarts"
    former = f"; former {facts['former']['version']}" if facts["former"] else ""
    line = f"{current['version']} {state}: {unit.get('StatusText') or 'no word'}; {facts['free_mb']} MB free{former}"
    if facts["pulled"]:
        line += f"; looked for a release: {facts['pulled']['line']}"
    if unit.get("ActiveState") != "active":
        raise DeployError(line)
    return line


def _logs(remote: Remote, say: Say) -> str:
    command = f"sudo -n journalctl --unit {UNIT} --lines {SHOWN_LINES} --no-pager --output short-iso"
    code = remote.follow(command, say)
    if code == UNREACHED:
        raise UnreachedError("isn't reached")
    return f"the last {SHOWN_LINES} lines"


def _path(text: str) -> Path:
    return Path(text).expanduser()


def parser() -> Parser:
    """Return the command line."""
    made = Parser("python -m deploy", description=__doc__)
    made.add_argument("command", choices=COMMANDS)
    made.add_argument("hosts", nargs="*", metavar="HOST", help="USER@NAME, or a file with one a line")
    made.add_argument("--runtime", choices=RUNTIMES, default=RUNTIMES[0], help="what runs the networks there")
    made.add_argument(
        "--online", action="store_true", help="the Pi fetches its Python packages from the index itself"
    )
    made.add_argument("--dry-run", action="store_true", help="say what would be done; nothing changes")
    made.add_argument(
        "--debian", choices=list(PYTHONS), help=f"12 Bookworm, 13 Trixie (default: bundle {LATEST}, publish both)"
    )
    made.add_argument("--to", type=_path, help="publish: the folder that a web server shows; collect: of faces")
    made.add_argument(
        "--key", type=_path, help="the private key, of signing or of collect (default: each its own in ~/.config)"
    )
    fetched = made.add_argument_group("for kiosks that fetch their releases themselves (docs/fleet.md)")
    fetched.add_argument("--trust", type=_path, nargs="+", default=[], help="publish: more public keys to believe")
    fetched.add_argument("--days", type=float, default=30.0, help="publish: how long the manifest is believed")
    fetched.add_argument("--rings", default=publish.RINGS, help="publish: percent of the kiosks @ hours (%(default)s)")
    fetched.add_argument("--from", dest="server", default="", help="follow: the address of that folder")
    return made


if __name__ == "__main__":
    sys.exit(main())
