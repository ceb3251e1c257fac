"""The workstation's command line: deploy to hosts, look at them, go back, remove, fetch what they collected."""

import argparse
import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from deploy import bundle, steps
from deploy.errors import DeployError, UnreachedError
from deploy.hosts import hosts
from deploy.lock import RUNTIMES
from deploy.pi.facts import HOME, UNIT
from deploy.remote import UNREACHED, Remote
from deploy.rollout import Result, batches, print_table, roll_out
from deploy.say import Say, sayer

SHOWN_LINES = 50
INTERRUPTED = 130

Verb = Callable[[Remote, Say], str]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command on all hosts; return the worst exit code.

    0 done, 1 a release was taken back, 2 refused, 3 not reached.
    """
    options = parser().parse_args(arguments)
    wish = steps.Wish(options.runtime, options.online, options.dry_run)
    verbs: dict[str, Verb] = {
        "deploy": partial(_deploy, wish),
        "rollback": partial(_on_release, "rollback"),
        "undeploy": partial(_on_release, "undeploy"),
        "status": _status,
        "logs": _logs,
    }
    try:
        if options.command == "collect":
            verbs["collect"] = _collecting(options)
        if options.command == "bundle":
            print(bundle.write(options.debian, options.runtime))
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
    return "removed" if command == "undeploy" else f"{facts['former'].get('version')} runs"


def _status(remote: Remote, _: Say) -> str:
    facts = steps.facts_of(remote)
    unit, current = facts["unit"], facts["current"]
    if not current:
        return f"no release; {facts['system']}, {facts['free_mb']} MB free"
    state = f"{unit.get('ActiveState')} ({unit.get('SubState')}), {unit.get('NRestarts')} restarts"
    former = f"; former {facts['former']['version']}" if facts["former"] else ""
    line = f"{current['version']} {state}: {unit.get('StatusText') or 'no word'}; {facts['free_mb']} MB free{former}"
    if unit.get("ActiveState") != "active":
        raise DeployError(line)
    return line


def _logs(remote: Remote, say: Say) -> str:
    command = f"sudo -n journalctl --unit {UNIT} --lines {SHOWN_LINES} --no-pager --output short-iso"
    code = remote.follow(command, say)
    if code == UNREACHED:
        raise UnreachedError("isn't reached")
    return f"the last {SHOWN_LINES} lines"


def _collecting(options: argparse.Namespace) -> Verb:
    """Return what fetches collected faces; alone of all verbs it needs the workstation's environment."""
    from deploy.collect import collect
    from trainer.collect_key import PRIVATE, KeyFileError, keys_folder, read_private_key

    if options.to is None:
        raise DeployError("folder is missing, expected where the faces go: run `make collect HOST= TO=~/faces`")
    try:
        key = read_private_key(options.key or keys_folder() / PRIVATE)
    except KeyFileError as error:
        raise DeployError(str(error)) from error
    return lambda remote, say: collect(remote, options.to, key, say)


def parser() -> argparse.ArgumentParser:
    """Return the command line."""
    made = argparse.ArgumentParser("python -m deploy", description=__doc__)
    made.add_argument("command", choices=["deploy", "rollback", "undeploy", "status", "logs", "bundle", "collect"])
    made.add_argument("hosts", nargs="*", metavar="HOST", help="USER@NAME, or a file with one a line")
    made.add_argument("--runtime", choices=RUNTIMES, default=RUNTIMES[0], help="what runs the networks there")
    made.add_argument(
        "--online", action="store_true", help="the Pi fetches its Python packages from the index itself"
    )
    made.add_argument("--dry-run", action="store_true", help="say what would be done; nothing changes")
    made.add_argument("--debian", choices=["12", "13"], default="13", help="of a bundle: 12 Bookworm, 13 Trixie")
    made.add_argument("--to", type=Path, help="collect: the folder for the faces that a kiosk kept")
    made.add_argument("--key", type=Path, help="collect: the private key (default: in ~/.config/mask-kiosk)")
    return made


if __name__ == "__main__":
    sys.exit(main())
