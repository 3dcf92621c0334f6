"""``mailproof list`` and ``mailproof show``: look at scenarios without any server."""

from __future__ import annotations

import argparse
import json
import sys

from rich.console import Console
from rich.markup import escape
from rich.syntax import Syntax

from conformance.cli.selection import SelectionError, load_scenarios, matching, one
from conformance.run.outcome import EXIT_AS_EXPECTED, EXIT_BROKEN
from conformance.scenario.model import Scenario


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare both commands."""
    listing = commands.add_parser("list", help="list the scenarios, a line each")
    listing.add_argument("words", nargs="*", metavar="ID|PATH", help="a chapter, file or case")
    listing.add_argument("--covers", metavar="STATEMENT", help="those that cover it, as ROUTE-018")
    listing.add_argument("--json", action="store_true", help="as a JSON array")
    listing.set_defaults(command=run_list)
    show = commands.add_parser("show", help="show one scenario: requirement, source and text")
    show.add_argument("id", metavar="ID")
    show.set_defaults(command=run_show)


def run_list(options: argparse.Namespace) -> int:
    """Print the chosen scenarios."""
    try:
        chosen = matching(load_scenarios(), options.words)
    except SelectionError as error:
        print(f"mailproof list: {error}", file=sys.stderr)
        return EXIT_BROKEN
    if options.covers:
        chosen = [s for s in chosen if options.covers in s.covers]
    if options.json:
        print(json.dumps([_summary(s) for s in chosen], indent=1, ensure_ascii=False))
        return EXIT_AS_EXPECTED
    console = Console(highlight=False)
    for s in chosen:
        console.print(f"[cyan]{escape(s.id)}[/]  {escape(s.title)}", soft_wrap=True)
    console.print(f"[dim]{len(chosen)} scenarios[/]")
    return EXIT_AS_EXPECTED


def _summary(s: Scenario) -> dict[str, object]:
    return {
        "id": s.id,
        "title": s.title,
        "source": s.source,
        "covers": list(s.covers),
        "level": s.level.value,
        "requires": list(s.requires),
        "file": str(s.position),
    }


def run_show(options: argparse.Namespace) -> int:
    """Print one scenario."""
    try:
        s = one(load_scenarios(), options.id)
    except SelectionError as error:
        print(f"mailproof show: {error}", file=sys.stderr)
        return EXIT_BROKEN
    console = Console(highlight=False)
    console.print(f"[bold]{escape(s.title)}[/]\n{escape(s.id)}  [dim]{escape(str(s.position))}[/]")
    console.print(f"Source:   {escape(s.source)}")
    console.print(f"Covers:   {', '.join(s.covers) or '-'}")
    console.print(f"Requires: {', '.join(s.requires) or '-'}   Level: {s.level.value}")
    if s.note:
        console.print(f"Note:     {escape(s.note)}")
    console.print()
    console.print(Syntax(s.text, "yaml", theme="ansi_light", background_color="default"))
    return EXIT_AS_EXPECTED
