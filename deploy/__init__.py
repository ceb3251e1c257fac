"""Puts device/ and models/ on Raspberry Pis over ssh; needs the standard library and ssh, on the Pi Python."""

import sys

if sys.version_info < (3, 11):  # noqa: UP036  # whatever python3 is on a workstation
    print(f"error: Python is {sys.version.split()[0]}, expected 3.11 or later: set PYTHON=", file=sys.stderr)
    sys.exit(2)
