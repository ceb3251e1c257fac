#!/bin/bash
# Breaks the device's core, one small change after the other, in a copy of this tree, and runs the tests of each part.
# Arguments: the folder for the copy, and the parts: each is a .toml beside this script. Prints the changes that no test
# noticed; all of them stand in PART.txt beside the copy.
set -euo pipefail
copy=$1
tool="$PWD/.venv-mutate/bin/python"
export PYTEST_DISABLE_PLUGIN_AUTOLOAD=1  # starting the tests is most of the work
rm -rf "$copy"
mkdir -p "$copy"
cp -R device models tests trainer pyproject.toml "$copy"
ln -s "$PWD"/.venv* "$copy"
cd "$copy"
for part in "${@:2}"; do
    "$tool" -m cosmic_ray.cli baseline "tests/mutate/$part.toml"  # the tests pass as long as nothing is broken
    "$tool" -m cosmic_ray.cli init "tests/mutate/$part.toml" "$part.sqlite"
    "$tool" -m cosmic_ray.tools.filters.operators_filter "$part.sqlite" tests/mutate/operators.toml
    "$tool" -m cosmic_ray.cli exec "tests/mutate/$part.toml" "$part.sqlite"
    "$tool" -m cosmic_ray.tools.report --show-diff "$part.sqlite" >"$part.txt"
    "$tool" -m cosmic_ray.tools.report --show-diff --surviving-only "$part.sqlite" | sed '/^total jobs/,$d'
    # Its own count takes the changes that operators.toml leaves out for noticed ones.
    echo "$part: tests noticed $(grep -c TestOutcome.KILLED "$part.txt") changes, missed $(grep -c TestOutcome.SURVIVED "$part.txt")"
done
