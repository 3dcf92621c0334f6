"""``mailproof serve``: start the reference server; this process becomes it."""

from __future__ import annotations

import argparse
import os
import sys
from typing import NoReturn

MISUSE: tuple[type[Exception], ...] = ()


def declare(parser: argparse.ArgumentParser) -> None:
    """Declare the command: whatever follows is the server's."""
    parser.add_argument("words", nargs=argparse.REMAINDER)


def run(options: argparse.Namespace) -> NoReturn:
    """Become the server, so that signals and the exit status are its own."""
    os.execv(sys.executable, [sys.executable, "-m", "reference", *options.words])
