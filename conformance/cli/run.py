"""``mailproof run``: run scenarios against a server and say where it stands.

pytest is the engine; this command chooses its arguments, shows its progress a chapter a line, and
prints the differences. Only the plugins that are needed are loaded, whatever else is installed or
set in the environment. What can be wrong with the arguments is found before anything is started.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from rich.console import Console

from conformance.cli import paths
from conformance.cli.progress import ChapterProgress
from conformance.cli.selection import SelectionError, arguments, load_scenarios, matching
from conformance.cli.summary import print_summary
from conformance.cli.terminal import Terminal
from conformance.report.page import write_report
from conformance.run.baseline import Baseline, BaselineError
from conformance.run.outcome import EXIT_AS_EXPECTED, EXIT_BROKEN
from conformance.run.results import ResultsError, RunResult, load
from conformance.scenario.load import find_root
from conformance.targets.base import TargetError
from conformance.targets.file import load_target


class RunError(Exception):
    """The run cannot begin, or it had nothing to do; one sentence."""


MISUSE = (RunError, TargetError, SelectionError, BaselineError, ResultsError)

#: What a run leaves in the current folder: its results and pytest's notes for ``--lf``.
STATE = Path(".mailproof")
LAST_RESULTS = STATE / "result.json"


def _workers(text: str) -> str:
    if text in ("auto", "logical") or text.isdigit():
        return text
    raise argparse.ArgumentTypeError(f"{text!r} is neither a number nor auto")


def _number(text: str) -> int:
    if text.isdigit():
        return int(text)
    raise argparse.ArgumentTypeError(f"{text!r} is not a number")


def declare(parser: argparse.ArgumentParser) -> None:
    """Declare the command."""
    parser.description = "Run scenarios. Without --target the server is the embedded reference."
    parser.epilog = "Exit status: 0 all as expected, 1 a difference, 2 the run itself broke."
    add = parser.add_argument
    add("words", nargs="*", metavar="ID|PATH", help="chapters, files or cases (default: all)")
    add("--target", metavar="FILE", help="the target file of the server under test")
    add("--plan", choices=("auto", "namespace", "loopback"), default="auto")
    add("--strict", action="store_true", help="check literal reply texts too")
    known = "YAML file, id: reason, of expected failures (default: the target's)"
    add("--baseline", metavar="FILE", help=known)
    add("--results", metavar="FILE", help=f"write result.json there (default: {LAST_RESULTS})")
    add("--report", metavar="DIR", help="leave the page index.html and result.json there")
    add("--junit", metavar="FILE", help="write JUnit XML there")
    add("-n", dest="workers", type=_workers, default="0", metavar="N", help="a number, or auto")
    add("-k", dest="expression", metavar="EXPR", help="only cases whose id matches, as in pytest")
    add("-x", dest="first", action="store_true", help="stop at the first difference")
    add("--lf", dest="last_failed", action="store_true", help="only what failed last time")
    add("--slowest", type=_number, default=5, metavar="N", help="how many of the slowest to print")


def run(options: argparse.Namespace) -> int:
    """Run the scenarios; return the exit status. Raises MISUSE."""
    console = Terminal()
    target = load_target(options.target or paths.reference_target())
    baseline = options.baseline or target.baseline
    if baseline:
        Baseline.load(baseline)
    words = _pytest_arguments(options, target.path)
    results = Path(options.results or LAST_RESULTS)
    for path in _outputs(options, results):
        _check_writable(path)
    results.unlink(missing_ok=True)
    progress = ChapterProgress(console)
    with _own_plugins_only(), progress:
        status = int(pytest.main(words, plugins=[progress]))
    if status == pytest.ExitCode.USAGE_ERROR:
        return EXIT_BROKEN  # pytest has said what is wrong with its arguments
    return _account(console, options, load(results), status)


def _pytest_arguments(options: argparse.Namespace, target: Path) -> list[str]:
    tree = paths.scenarios()
    root, named = tree.parent, [str(tree)]
    if options.words:
        scenarios = load_scenarios(tree)
        chosen = matching(scenarios, options.words)
        named = arguments(chosen, scenarios)
        roots = {find_root(s.position.path.absolute()).parent for s in chosen}
        root = Path(os.path.commonpath([tree.parent, *roots]))
    return [
        "-c",
        str(Path(__file__).with_name("pytest.ini")),
        f"--rootdir={root}",
        *("-o", f"cache_dir={Path.cwd() / STATE / 'cache'}"),
        *("-p", "no:terminal", "-p", "conformance.plugin", "-p", "xdist.plugin"),
        "-s",  # scenarios print nothing, and the progress must reach the terminal
        f"--mailproof-target={target}",
        f"--mailproof-plan={options.plan}",
        f"--mailproof-results={Path(options.results or LAST_RESULTS).absolute()}",
        *(["--mailproof-strict"] if options.strict else []),
        *(
            [f"--mailproof-baseline={Path(options.baseline).absolute()}"]
            if options.baseline
            else []
        ),
        *([f"--junit-xml={Path(options.junit).absolute()}"] if options.junit else []),
        *(["-k", options.expression] if options.expression else []),
        *(["-x"] if options.first else []),
        *(["--lf"] if options.last_failed else []),
        *(["-n", options.workers] if options.workers != "0" else []),
        *named,
    ]


def _outputs(options: argparse.Namespace, results: Path) -> Iterator[Path]:
    yield results
    if options.report:
        yield Path(options.report) / "index.html"
    if options.junit:
        yield Path(options.junit)


def _check_writable(path: Path) -> None:
    """Find out now what would otherwise be known after the run. Raises RunError."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        is_new = not path.exists()
        path.open("ab").close()
        if is_new:
            path.unlink()
    except OSError as error:
        raise RunError(f"{path} cannot be written: {error.strerror}") from None


@contextlib.contextmanager
def _own_plugins_only() -> Iterator[None]:
    """Keep other plugins and the user's own pytest options out of the run and its workers."""
    before = dict(os.environ)
    os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    for name in ("PYTEST_ADDOPTS", "PYTEST_PLUGINS"):
        os.environ.pop(name, None)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def _account(console: Console, options: argparse.Namespace, outcome: RunResult, status: int) -> int:
    if not outcome.cases and outcome.exit_status == EXIT_AS_EXPECTED:
        raise RunError("nothing was selected; mailproof list shows what there is")
    print_summary(console, outcome, slowest=options.slowest)
    if options.report:
        _leave_report(console, options, outcome)
    broke = status == pytest.ExitCode.INTERNAL_ERROR
    return EXIT_BROKEN if broke else outcome.exit_status


def _leave_report(console: Console, options: argparse.Namespace, outcome: RunResult) -> None:
    folder = Path(options.report)
    results = Path(options.results or LAST_RESULTS)
    try:
        write_report([outcome], folder / "index.html")
        if results.resolve() != (folder / "result.json").resolve():
            shutil.copyfile(results, folder / "result.json")
    except OSError as error:
        raise RunError(f"the report cannot be written: {error}") from None
    console.print(f"Report: {folder / 'index.html'}", soft_wrap=True)
