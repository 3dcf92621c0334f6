"""``mailproof show ID``: one scenario as a postmaster reads it, without any server."""

from __future__ import annotations

import argparse

from rich.markup import escape
from rich.syntax import Syntax

from conformance.cli import paths
from conformance.cli.selection import SelectionError, load_scenarios, one
from conformance.cli.terminal import Terminal, short_path
from conformance.run.outcome import EXIT_AS_EXPECTED
from conformance.scenario.catalogue import Catalogue, CatalogueError

MISUSE = (SelectionError, CatalogueError)


def declare(parser: argparse.ArgumentParser) -> None:
    """Declare the command."""
    parser.description = "Show one scenario: requirement, source, statements and text."
    parser.add_argument("id", metavar="ID", help="a scenario, as router/loop or router/loop[row]")


def run(options: argparse.Namespace) -> int:
    """Print one scenario. Raises SelectionError and CatalogueError."""
    s = one(load_scenarios(), options.id)
    entries = Catalogue.load(paths.scenarios() / "catalogue").entries
    console = Terminal()

    def say(text: str) -> None:
        console.print(text, soft_wrap=True)

    say(f"[bold]{escape(s.title)}[/]")
    say(f"{escape(s.id)}  [dim]{escape(short_path(str(s.position)))}[/]")
    say(f"Source:   {escape(s.source)}")
    say(f"Requires: {', '.join(s.requires) or '-'}   Level: {s.level.value}")
    for number, statement in enumerate(s.covers):
        title = f" {escape(entries[statement].title)}" if statement in entries else ""
        say(f"{'' if number else 'Covers:':9} [cyan]{escape(statement)}[/]{title}")
    if s.note:
        say(f"Note:     {escape(s.note)}")
    console.print()
    if console.is_terminal:
        console.print(Syntax(s.text, "yaml", theme="ansi_light", background_color="default"))
    else:
        print(s.text)
    return EXIT_AS_EXPECTED
