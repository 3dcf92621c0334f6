"""``mailproof list``: the scenarios, a line each, without any server."""

from __future__ import annotations

import argparse
import difflib
import json

from rich.markup import escape

from conformance.cli import paths
from conformance.cli.selection import SelectionError, load_scenarios, matching
from conformance.cli.terminal import Terminal
from conformance.run.outcome import EXIT_AS_EXPECTED
from conformance.scenario.catalogue import scan_ids
from conformance.scenario.model import Scenario

MISUSE = (SelectionError,)


def declare(parser: argparse.ArgumentParser) -> None:
    """Declare the command."""
    parser.description = "List scenarios: their ids and the requirements that they check."
    parser.add_argument("words", nargs="*", metavar="ID|PATH", help="a chapter, file or case")
    parser.add_argument("--covers", metavar="STATEMENT", help="those that cover it, as ROUTE-018")
    parser.add_argument("--json", action="store_true", help="as a JSON array")


def run(options: argparse.Namespace) -> int:
    """Print the chosen scenarios. Raises SelectionError."""
    chosen = matching(load_scenarios(), options.words)
    if options.covers:
        _check_statement(options.covers)
        chosen = [s for s in chosen if options.covers in s.covers]
    if options.json:
        print(json.dumps([_summary(s) for s in chosen], indent=1, ensure_ascii=False))
        return EXIT_AS_EXPECTED
    console = Terminal()
    for s in chosen:
        console.print(f"[cyan]{escape(s.id)}[/]  {escape(s.title)}", soft_wrap=True)
    console.print(f"[dim]{len(chosen)} scenario{'' if len(chosen) == 1 else 's'}[/]")
    return EXIT_AS_EXPECTED


def _check_statement(name: str) -> None:
    known = scan_ids(paths.scenarios() / "catalogue")
    if known and name not in known:
        near = difflib.get_close_matches(name.upper(), known, n=1)
        hint = f" (did you mean {near[0]}?)" if near else ""
        raise SelectionError(f"the catalogue has no statement {name!r}{hint}")


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
