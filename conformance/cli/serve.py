"""``mailproof serve``: start the reference server, in a process of its own."""

from __future__ import annotations

import argparse
import subprocess
import sys


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the command."""
    parser = commands.add_parser(
        "serve",
        help="start the reference server (mailproof-server) with the options that follow",
        add_help=False,
        prefix_chars="\0",
    )
    parser.add_argument("words", nargs=argparse.REMAINDER)
    parser.set_defaults(command=run)


def run(options: argparse.Namespace) -> int:
    """Run the server until it ends; return its exit status."""
    with subprocess.Popen([sys.executable, "-m", "reference", *options.words]) as server:
        while True:
            try:
                return server.wait()
            except KeyboardInterrupt:
                server.terminate()
