"""``mailproof coverage``: hold the scenarios and the last results against the catalogue."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from conformance.cli import paths
from conformance.cli.run import LAST_RESULTS
from conformance.cli.selection import SelectionError, load_scenarios
from conformance.run.outcome import EXIT_AS_EXPECTED, EXIT_BROKEN, Outcome
from conformance.run.results import ResultsError, load
from conformance.scenario.catalogue import Catalogue, CatalogueError
from conformance.scenario.coverage import Coverage, coverage


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the command."""
    parser = commands.add_parser(
        "coverage",
        help="hold scenarios and results against the catalogue of the documents' statements",
        description="A statement is passed when every scenario that covers it passed.",
    )
    add = parser.add_argument
    add("areas", nargs="*", metavar="AREA", help="areas such as ROUTE (default: all)")
    add("--json", action="store_true", help="numbers only, as JSON")
    add("--missing", action="store_true", help="name the statements that nothing covers")
    add("--results", type=Path, metavar="FILE", help=f"default: {LAST_RESULTS} if it is there")
    parser.set_defaults(command=run)


def _outcomes(path: Path | None) -> Mapping[str, Outcome]:
    if path is None and not LAST_RESULTS.exists():
        return {}
    return {case.id: case.result.outcome for case in load(path or LAST_RESULTS).cases}


def run(options: argparse.Namespace) -> int:
    """Print the coverage of the chosen areas."""
    try:
        catalogue = Catalogue.load(paths.scenarios() / "catalogue")
        found = coverage(load_scenarios(), catalogue, _outcomes(options.results))
    except (CatalogueError, ResultsError, SelectionError) as error:
        print(f"mailproof coverage: {error}", file=sys.stderr)
        return EXIT_BROKEN
    unknown = [area for area in options.areas if area not in found.areas]
    if unknown:
        print(
            f"mailproof coverage: no area {', '.join(unknown)}; areas: {', '.join(found.areas)}",
            file=sys.stderr,
        )
        return EXIT_BROKEN
    if options.areas:
        found = Coverage({name: found.areas[name] for name in options.areas})
    if options.json:
        print(json.dumps(found.as_json(), indent=1))
        return EXIT_AS_EXPECTED
    _print(Console(highlight=False), found, catalogue, missing=options.missing)
    return EXIT_AS_EXPECTED


_COLUMNS = ("entries", "covered", "untestable", "passed", "failed")


def _print(console: Console, found: Coverage, catalogue: Catalogue, *, missing: bool) -> None:
    table = Table(box=None, pad_edge=False)
    table.add_column("area")
    for name in (*_COLUMNS, "not yet"):
        table.add_column(name, justify="right")
    for area, numbers in found.areas.items():
        counts = numbers.counts()
        table.add_row(area, *(str(counts[c]) for c in _COLUMNS), str(len(numbers.missing)))
    totals = found.totals
    yet = sum(len(numbers.missing) for numbers in found.areas.values())
    table.add_row("all", *(str(totals[column]) for column in _COLUMNS), str(yet), style="bold")
    console.print(table)
    if missing:
        for numbers in found.areas.values():
            for entry in numbers.missing:
                console.print(f"[cyan]{entry}[/] {escape(catalogue[entry].title)}", soft_wrap=True)
