"""``mailproof coverage``: hold the scenarios and the last results against the catalogue."""

from __future__ import annotations

import argparse
import difflib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from conformance.cli import paths
from conformance.cli.run import LAST_RESULTS
from conformance.cli.selection import SelectionError, load_scenarios
from conformance.cli.terminal import Terminal
from conformance.run.outcome import EXIT_AS_EXPECTED, Outcome
from conformance.run.results import ResultsError, load
from conformance.scenario.catalogue import Catalogue, CatalogueError
from conformance.scenario.coverage import Coverage, coverage


class UnknownAreaError(Exception):
    """The catalogue has no such area; one sentence."""


MISUSE = (CatalogueError, ResultsError, SelectionError, UnknownAreaError)
_COLUMNS = ("entries", "covered", "untestable", "passed", "failed")


def declare(parser: argparse.ArgumentParser) -> None:
    """Declare the command."""
    parser.description = (
        "Count the documents' statements by area. A statement is passed when every scenario that "
        "covers it passed, and failed when one of them failed."
    )
    add = parser.add_argument
    add("areas", nargs="*", metavar="AREA", help="areas such as ROUTE (default: all)")
    add("--json", action="store_true", help="numbers only, as JSON")
    add("--missing", action="store_true", help="name the statements that nothing covers")
    add("--results", type=Path, metavar="FILE", help=f"default: {LAST_RESULTS} if it is there")


def run(options: argparse.Namespace) -> int:
    """Print the coverage of the chosen areas. Raises MISUSE."""
    catalogue = Catalogue.load(paths.scenarios() / "catalogue")
    found = coverage(load_scenarios(), catalogue, _outcomes(options.results))
    if options.areas:
        found = _only(found, [area.upper() for area in options.areas])
    if options.json:
        print(json.dumps(found.as_json(), indent=1))
    else:
        _print(Terminal(), found, catalogue, missing=options.missing)
    return EXIT_AS_EXPECTED


def _outcomes(path: Path | None) -> Mapping[str, Outcome]:
    if path is None and not LAST_RESULTS.exists():
        return {}
    return {case.id: case.result.outcome for case in load(path or LAST_RESULTS).cases}


def _only(found: Coverage, areas: Sequence[str]) -> Coverage:
    for area in areas:
        if area not in found.areas:
            near = difflib.get_close_matches(area, found.areas, n=1)
            hint = f"did you mean {near[0]}?" if near else f"areas: {', '.join(found.areas)}"
            raise UnknownAreaError(f"the catalogue has no area {area!r} ({hint})")
    return Coverage({area: found.areas[area] for area in areas})


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
