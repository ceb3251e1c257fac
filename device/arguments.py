"""Reads a command line, and refuses a wrong one in one line."""

import argparse
from typing import NoReturn


class Parser(argparse.ArgumentParser):
    """An ArgumentParser whose refusal is one line and exit code 2, as every other refusal here."""

    def error(self, message: str) -> NoReturn:
        """Print the line and exit."""
        self.exit(2, f"error: {message}: see {self.prog} --help\n")
