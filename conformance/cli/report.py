"""``mailproof report``: make the page from result files, one column a target."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from conformance.cli.run import LAST_RESULTS
from conformance.report.page import write_report
from conformance.run.outcome import EXIT_AS_EXPECTED, EXIT_BROKEN
from conformance.run.results import ResultsError, load


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the command."""
    parser = commands.add_parser(
        "report",
        help="make the HTML page from one or more result files",
        description="Write one self-contained HTML page; several result files stand side by side.",
    )
    parser.add_argument("results", nargs="*", type=Path, default=[LAST_RESULTS], metavar="FILE")
    parser.add_argument("-o", "--output", type=Path, default=Path("report/index.html"))
    parser.set_defaults(command=run)


def run(options: argparse.Namespace) -> int:
    """Write the page."""
    try:
        runs = [load(path) for path in options.results]
        write_report(runs, options.output)
    except (ResultsError, OSError) as error:
        print(f"mailproof report: {error}", file=sys.stderr)
        return EXIT_BROKEN
    print(options.output)
    return EXIT_AS_EXPECTED
