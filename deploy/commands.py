"""The verbs of the workstation's command line. Each returns its exit code: the worst of all hosts."""

import argparse
import traceback
from collections.abc import Callable
from functools import partial
from shlex import join

from deploy import bundle as packing
from deploy import publish as publishing
from deploy import steps
from deploy.checks import Facts
from deploy.doctor import doctor as examine
from deploy.errors import DeployError
from deploy.hosts import hosts
from deploy.manifest import public_key
from deploy.pi.facts import GONE, HOME, PYTHON, UNIT
from deploy.pi.follow import folder_url
from deploy.pi.receive import BUSY, BUSY_CODE, LOCK
from deploy.remote import Remote
from deploy.rollout import Result, batches, print_table, roll_out
from deploy.say import Say, sayer
from deploy.wheels import PYTHONS
from device.disk import NO_ROOM

SHOWN_LINES = 50
INTERRUPTED = 130
# As deploy.pi.alone does, of which nothing is left there: who can open the lock can hold it.
REMOVE = (
    f"mkdir -p {LOCK.parent}; umask 077; flock -n -E {BUSY_CODE} {LOCK} rm -rf {GONE}; "
    f"code=$?; [ $code != {BUSY_CODE} ] || echo error: {BUSY}; exit $code"
)
ON_RELEASE = f"cd {HOME}/current && sudo -n {PYTHON} -B -m deploy.pi"

Verb = Callable[[Remote, Say], str]


def deploy(options: argparse.Namespace) -> int:
    """Put this tree on hosts, in batches, and start it."""
    wish = steps.Wish(options.runtime, options.online, options.dry_run)
    return _on_hosts(options, lambda remote, say: steps.deploy(remote, wish, say), in_batches=True)


def rollback(options: argparse.Namespace) -> int:
    """Start the release before the current one again."""
    return _on_release(options, "rollback", lambda facts: f"{facts['former'].get('version')} runs")


def undeploy(options: argparse.Namespace) -> int:
    """Remove the kiosk."""
    return _on_hosts(options, _remove)


def follow(options: argparse.Namespace) -> int:
    """Have kiosks fetch their releases themselves."""
    key = options.key if options.key.suffix == ".pub" else options.key.with_name(f"{options.key.name}.pub")
    return _on_release(options, join(["follow", folder_url(options.server), public_key(key)]), lambda _: "done")


def unfollow(options: argparse.Namespace) -> int:
    """Have them no longer do so."""
    return _on_release(options, "unfollow", lambda _: "done")


def collect(options: argparse.Namespace) -> int:
    """Fetch and open the faces that kiosks kept."""
    from deploy.collect import collecting  # alone of all it needs the workstation's environment

    if len(found := hosts(options.hosts)) > 1:
        raise DeployError(f"{len(found)} hosts are named, expected one: each door needs its own folder")
    return _on_hosts(options, collecting(options.to, options.key))


def doctor(options: argparse.Namespace) -> int:
    """Say what ails kiosks."""
    return _on_hosts(options, partial(examine, options.json))


def status(options: argparse.Namespace) -> int:
    """Say which release runs."""
    return _on_hosts(options, _state)


def logs(options: argparse.Namespace) -> int:
    """Print the end of the journal."""
    return _on_hosts(options, _journal)


def keys(options: argparse.Namespace) -> int:
    """Make the pair of keys that signs releases."""
    print(publishing.make_keys(options.key))
    return 0


def bundle(options: argparse.Namespace) -> int:
    """Write a release as one file."""
    print(packing.write(options.debian, options.runtime))
    return 0


def publish(options: argparse.Namespace) -> int:
    """Write signed releases for a web server."""
    if options.to is None:
        raise DeployError("the folder is missing, expected one that a web server shows: make publish TO=~/www")
    print(publishing.publish(
        options.to, options.key, options.trust, options.days, publishing.rings(options.rings),
        [options.debian] if options.debian else list(PYTHONS), options.runtime,
    ))  # fmt: skip
    return 0


def _on_hosts(options: argparse.Namespace, verb: Verb, in_batches: bool = False) -> int:
    """Do something to each host, and print what became of it; return the worst exit code."""
    names = hosts(options.hosts)
    for name in names:
        Remote(name)  # so that a wrong one is told before anything begins
    parts = batches(names) if in_batches else [names]
    results: dict[str, Result] = {}
    stopped = False
    try:
        results.update(roll_out(parts, partial(_result, verb)))
    except KeyboardInterrupt:
        stopped = True
    print_table(parts, results)
    return INTERRUPTED if stopped else max(code for code, _ in results.values())


def _on_release(options: argparse.Namespace, command: str, done: Callable[[Facts], str]) -> int:
    """Have the release of each host run a command; done: what to say then, by what was known of the host before."""

    def act(remote: Remote, say: Say) -> str:
        facts = steps.released(remote)
        steps.on_pi(remote, f"{ON_RELEASE} {command}", say)
        return done(facts)

    return _on_hosts(options, act)


def _remove(remote: Remote, say: Say) -> str:
    facts = steps.facts_of(remote)
    if facts["half_removed"] and not facts["released"]:  # a power cut has left no release that could do it
        steps.on_pi(remote, f"sudo -n sh -c '{REMOVE}'", say)
    else:
        steps.require_release(facts)
        steps.on_pi(remote, f"{ON_RELEASE} undeploy", say)
    return "removed"


def _state(remote: Remote, _: Say) -> str:
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


def _journal(remote: Remote, say: Say) -> str:
    steps.facts_of(remote)  # or it raises why the host isn't reached
    command = f"sudo -n journalctl --unit {UNIT} --lines {SHOWN_LINES} --no-pager --output short-iso"
    if remote.follow(command, say):
        raise DeployError("its journal can't be read, expected `sudo` without a password: see the line before")
    return f"the last {SHOWN_LINES} lines"


def _result(verb: Verb, name: str) -> Result:
    try:
        return 0, verb(Remote(name), sayer(name))
    except DeployError as error:
        return error.code, str(error)
    except OSError as error:
        return DeployError.code, refusal(error)
    except Exception as error:  # a mistake of ours: what became of other hosts is told all the same
        traceback.print_exc()
        return DeployError.code, f"failed: {error!r}"


def refusal(error: OSError) -> str:
    """Return what this computer refused, and what to do."""
    if error.filename is None or error.errno in NO_ROOM:
        what, reason = f"{error.filename}:" if error.filename else "a file", error.strerror or error
        return f"{what} can't be written here ({reason}), expected a disk with room: look with `df -h`"
    return f"{error.filename}: can't be used ({error.strerror}): give another path"
