"""The command line of ``mailproof``: one subcommand a module."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version

from conformance.cli import coverage, listing, relay_test, report, run, serve, world
from conformance.cli.paths import DataMissingError
from conformance.run.outcome import EXIT_BROKEN


def _version() -> str:
    try:
        return version("mailproof")
    except PackageNotFoundError:
        return "(not installed)"


def parser() -> argparse.ArgumentParser:
    """Return the parser of the whole command line."""
    result = argparse.ArgumentParser(
        prog="mailproof",
        description="Conformance suite for mail servers of the CommuniGate Pro family.",
        epilog="Exit status: 0 all as expected, 1 a difference, 2 the run itself broke.",
    )
    result.add_argument("--version", action="version", version=f"mailproof {_version()}")
    commands = result.add_subparsers(metavar="COMMAND", required=True)
    for module in (run, listing, coverage, report, world, relay_test, serve):
        module.add_parser(commands)
    return result


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return the exit status."""
    options = parser().parse_args(arguments)
    try:
        return int(options.command(options))
    except DataMissingError as error:
        print(f"mailproof: {error}", file=sys.stderr)
        return EXIT_BROKEN
    except KeyboardInterrupt:
        print("mailproof: interrupted", file=sys.stderr)
        return EXIT_BROKEN
    except BrokenPipeError:
        # The reader of our output went away, as `mailproof list | head` does.
        sys.stderr.close()
        return EXIT_BROKEN
