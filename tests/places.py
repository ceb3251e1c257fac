"""Where what is tested lies."""

from pathlib import Path

TREE = Path(__file__).parent.parent
