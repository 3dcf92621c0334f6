"""``mailproof report``: make the page from result files, one column a target."""

from __future__ import annotations

import argparse
from pathlib import Path

from conformance.cli.run import LAST_RESULTS
from conformance.report.page import write_report
from conformance.run.outcome import EXIT_AS_EXPECTED
from conformance.run.results import ResultsError, load


class ReportError(Exception):
    """The page cannot be written; one sentence."""


MISUSE = (ResultsError, ReportError)


def declare(parser: argparse.ArgumentParser) -> None:
    """Declare the command."""
    parser.description = "Write one self-contained page; several result files stand side by side."
    add = parser.add_argument
    add(
        "results",
        nargs="*",
        type=Path,
        default=[LAST_RESULTS],
        metavar="FILE",
        help=f"result files (default: the last run's, {LAST_RESULTS})",
    )
    add("-o", "--output", type=Path, default=Path("report/index.html"), help="default %(default)s")


def run(options: argparse.Namespace) -> int:
    """Write the page. Raises MISUSE."""
    runs = [load(path) for path in options.results]
    try:
        write_report(runs, options.output)
    except OSError as error:
        raise ReportError(f"{options.output} cannot be written: {error.strerror}") from None
    print(options.output)
    return EXIT_AS_EXPECTED
