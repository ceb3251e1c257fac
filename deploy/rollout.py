"""Does one thing on many hosts in batches: one, a tenth, the rest. A batch that fails is the last one."""

import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from itertools import pairwise

from deploy.errors import DeployError, TakenBackError, UnkeptError
from deploy.say import shown

AT_ONCE = 8  # hosts
FAILURES = {DeployError.code, TakenBackError.code, UnkeptError.code}

Result = tuple[int, str]  # exit code, lines


def batches(names: list[str]) -> list[list[str]]:
    """Return the first host, a tenth of all, and the rest."""
    cuts = (0, 1, 1 + (len(names) + 9) // 10, len(names))
    return [part for first, end in pairwise(cuts) if (part := names[first:end])]


def roll_out(parts: list[list[str]], act: Callable[[str], Result]) -> Iterator[tuple[str, Result]]:
    """Act on the hosts of each batch, AT_ONCE of them side by side; yield each host with its result as it ends.

    A batch passes if at least one host of it is done and none failed: one that isn't reached, is busy or stands in the
    dark proves nothing against a release. After one that doesn't pass no other begins.
    """
    for number, part in enumerate(parts, 1):
        if len(parts) > 1:
            print(f"batch {number} of {len(parts)}: {len(part)} of {sum(map(len, parts))} hosts", flush=True)
        codes = []
        with ThreadPoolExecutor(AT_ONCE) as pool:
            acting = {pool.submit(act, name): name for name in part}
            try:
                for ended in as_completed(acting):
                    codes.append(ended.result()[0])
                    yield acting[ended], ended.result()
            except KeyboardInterrupt:  # those that have begun end, the others don't begin
                pool.shutdown(cancel_futures=True)
                yield from ((name, future.result()) for future, name in acting.items() if not future.cancelled())
                raise
        if FAILURES & set(codes) or 0 not in codes:
            return


def print_table(parts: list[list[str]], results: dict[str, Result]) -> None:
    """Print what became of each host, failures on stderr, and what to do about those whose turn didn't come."""
    names = [name for part in parts for name in part]
    width = max(len(name) for name in names)
    for name in names:
        code, lines = results.get(name, (0, ""))
        for line in map(shown, lines.splitlines()):
            print(f"{name:{width}}  {'ok' if code == 0 else 'error'}  {line}", file=sys.stderr if code else sys.stdout)
        if name not in results:
            print(f"{name:{width}}  waits")
    if len(results) < len(names):
        done = sum(code == 0 for code, _ in results.values())
        print(
            f"{done} of {len(names)} hosts are done, {len(names) - len(results)} weren't begun: "
            "the same command goes on from here",
            file=sys.stderr,
        )
