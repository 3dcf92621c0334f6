"""The command line of ``mailproof``: one subcommand a module, loaded when it is asked for.

A command module declares its arguments, runs, and names the errors of its users (``MISUSE``): those
become one sentence on standard error and exit status 2, here and nowhere else.
"""

from __future__ import annotations

import argparse
import difflib
import os
import sys
from collections.abc import Sequence
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from typing import NoReturn, Protocol, cast

from conformance.cli.paths import DataMissingError
from conformance.run.outcome import EXIT_BROKEN

#: Command → its module and what it does.
COMMANDS = {
    "run": ("run", "run scenarios against a server"),
    "list": ("listing", "list the scenarios, a line each"),
    "show": ("show", "show one scenario: requirement, source and text"),
    "coverage": ("coverage", "hold scenarios and results against the documents' statements"),
    "report": ("report", "make the HTML page from one or more result files"),
    "world": ("world", "set up a scenario's world and leave it running for telnet"),
    "generate": ("generate", "look for differences by random scenarios, where there is a rule"),
    "relay-test": ("relay_test", "try the known ways to make a server relay for a stranger"),
    "translate": ("translate", "translate a Routing Table for another server"),
    "serve": ("serve", "start the reference server with the options that follow"),
}


class Command(Protocol):
    """A module that is a subcommand."""

    MISUSE: tuple[type[Exception], ...]

    def declare(self, parser: argparse.ArgumentParser) -> None:
        """Declare the command's arguments."""

    def run(self, options: argparse.Namespace) -> int:
        """Do it; return the exit status. Raises MISUSE, ready to print."""


class Parser(argparse.ArgumentParser):
    """A parser whose complaint is one sentence."""

    def error(self, message: str) -> NoReturn:
        """Print the complaint and leave with status 2."""
        self.exit(EXIT_BROKEN, f"{self.prog}: {message} (see {self.prog} --help)\n")


def _version() -> str:
    try:
        return version("mailproof")
    except PackageNotFoundError:
        return "(not installed)"


def _module(command: str) -> Command:
    return cast(Command, import_module(f"conformance.cli.{COMMANDS[command][0]}"))


def parser(named: str = "") -> argparse.ArgumentParser:
    """Return the parser of the command line, complete for the named command only."""
    result = Parser(
        prog="mailproof",
        description="Conformance suite for mail servers of the CommuniGate Pro family.",
        epilog="Exit status: 0 all as expected, 1 a difference, 2 the run itself broke.",
    )
    result.add_argument("--version", action="version", version=f"mailproof {_version()}")
    commands = result.add_subparsers(metavar="COMMAND", required=True, parser_class=Parser)
    for name, (_, purpose) in COMMANDS.items():
        # serve hands all that follows on to the server, --help included.
        ours = name != "serve"
        sub = commands.add_parser(
            name, help=purpose, add_help=ours, prefix_chars="-" if ours else "\0"
        )
        if name == named:
            _module(name).declare(sub)
    return result


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return the exit status."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    named = next((word for word in words if not word.startswith("-")), "")
    if named and named not in COMMANDS:
        near = difflib.get_close_matches(named, COMMANDS, n=1)
        hint = f"did you mean {near[0]}?" if near else f"commands: {', '.join(COMMANDS)}"
        return _complain("mailproof", f"there is no command {named!r} ({hint})")
    options = parser(named).parse_args(words)
    command = _module(named)
    misuse: tuple[type[Exception], ...] = (DataMissingError, *command.MISUSE)
    try:
        return command.run(options)
    except misuse as error:
        return _complain(f"mailproof {named}", str(error))
    except KeyboardInterrupt:
        return _complain(f"mailproof {named}", "interrupted")
    except BrokenPipeError:
        # The reader of our output went away, as `mailproof list | head` does.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_BROKEN


def _complain(who: str, sentence: str) -> int:
    print(f"{who}: {sentence}", file=sys.stderr)
    return EXIT_BROKEN
