"""``mailproof run``: run scenarios against a server and say where it stands.

pytest is the engine; this command chooses its arguments, shows its progress a chapter a line, and
prints the differences. Only the plugins that are needed are loaded, whatever else is installed.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

import pytest
from rich.console import Console

from conformance.cli import paths
from conformance.cli.progress import ChapterProgress
from conformance.cli.selection import SelectionError, load_scenarios, matching
from conformance.cli.summary import print_summary
from conformance.report.page import write_report
from conformance.run.outcome import EXIT_BROKEN
from conformance.run.results import ResultsError, load
from conformance.targets.base import TargetError
from conformance.targets.file import load_target

#: Where the last run's results lie when nothing else is said.
LAST_RESULTS = Path(".mailproof/result.json")


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the command."""
    parser = commands.add_parser(
        "run",
        help="run scenarios against a server",
        description="Run scenarios. Without --target the server is the embedded reference.",
    )
    add = parser.add_argument
    add("words", nargs="*", metavar="ID|PATH", help="chapters, files or cases (default: all)")
    add("--target", metavar="FILE", help="the target file of the server under test")
    add("--plan", choices=("auto", "namespace", "loopback"), default="auto")
    add("--strict", action="store_true", help="check literal reply texts too")
    add("--baseline", metavar="FILE", help="YAML file of expected failures")
    add("--results", metavar="FILE", help=f"write result.json there (default {LAST_RESULTS})")
    add("--report", metavar="DIR", help="leave result.json and the page index.html there")
    add("--junit", metavar="FILE", help="write JUnit XML there")
    add("-n", dest="workers", default="0", metavar="N", help="parallel workers (a number or auto)")
    add("-k", dest="expression", metavar="EXPR", help="only cases whose id matches, as in pytest")
    add("-x", dest="first", action="store_true", help="stop at the first difference")
    add("--lf", dest="last_failed", action="store_true", help="only what failed last time")
    add("--slowest", type=int, default=5, metavar="N", help="how many of the slowest to print")
    parser.set_defaults(command=run)


def _results_path(options: argparse.Namespace) -> Path:
    if options.results:
        return Path(options.results)
    return Path(options.report) / "result.json" if options.report else LAST_RESULTS


def _pytest_arguments(options: argparse.Namespace, results: Path) -> list[str]:
    target = Path(options.target) if options.target else paths.reference_target()
    load_target(target)  # so that a bad file is one sentence and nothing is started
    scenarios = paths.scenarios()
    chosen = matching(load_scenarios(scenarios), options.words) if options.words else []
    arguments = [
        "-c",
        str(Path(__file__).with_name("pytest.ini")),
        f"--rootdir={Path.cwd()}",
        *("-p", "no:terminal", "-p", "conformance.plugin", "-p", "xdist.plugin"),
        f"--mailproof-target={target.resolve()}",
        f"--mailproof-plan={options.plan}",
        f"--mailproof-results={results.resolve()}",
        f"--mailproof-fixtures={(scenarios.parent / 'fixtures').resolve()}",
        *(["--mailproof-strict"] if options.strict else []),
        *([f"--mailproof-baseline={Path(options.baseline).resolve()}"] if options.baseline else []),
        *([f"--junit-xml={options.junit}"] if options.junit else []),
        *(["-k", options.expression] if options.expression else []),
        *(["-x"] if options.first else []),
        *(["--lf"] if options.last_failed else []),
        *(["-n", options.workers] if options.workers != "0" else []),
    ]
    files = sorted({str(s.position.path) for s in chosen})
    return arguments + (files or [str(scenarios)])


def run(options: argparse.Namespace) -> int:
    """Run the scenarios; return the exit status."""
    console = Console(highlight=False)
    results = _results_path(options)
    try:
        arguments = _pytest_arguments(options, results)
    except (TargetError, SelectionError) as error:
        print(f"mailproof run: {error}", file=sys.stderr)
        return EXIT_BROKEN
    results.unlink(missing_ok=True)
    os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    progress = ChapterProgress(console, only=frozenset(options.words))
    status = int(pytest.main(arguments, plugins=[progress]))
    progress.close()
    return _account(console, options, results, status)


def _account(
    console: Console, options: argparse.Namespace, results: Path, pytest_status: int
) -> int:
    try:
        outcome = load(results)
    except ResultsError as error:
        print(f"mailproof run: {error}", file=sys.stderr)
        return EXIT_BROKEN
    print_summary(console, outcome, slowest=options.slowest)
    if options.report:
        page = Path(options.report) / "index.html"
        write_report([outcome], page)
        console.print(f"Report: {page}", soft_wrap=True)
    interrupted = pytest_status in {pytest.ExitCode.INTERRUPTED, pytest.ExitCode.INTERNAL_ERROR}
    return EXIT_BROKEN if interrupted and not options.first else outcome.exit_status
