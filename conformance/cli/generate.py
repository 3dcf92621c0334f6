"""``mailproof generate``: look for cases in which a server differs from a rule of the documents."""

from __future__ import annotations

import argparse
import difflib
import secrets
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from conformance.cli import paths
from conformance.cli.terminal import Terminal, short_path, shown
from conformance.run.client import EngineClient, EngineError
from conformance.run.messages import EngineSettings
from conformance.run.outcome import EXIT_AS_EXPECTED, EXIT_BROKEN, EXIT_DIFFERENCE, Outcome
from conformance.targets.base import TargetError
from conformance.targets.file import TargetFileError, load_target

if TYPE_CHECKING:
    from conformance.generate.search import Search

_SEEDS = 2**32


class GenerationFailed(Exception):  # noqa: N818 - named by what happened
    """Nothing can be said about the server; one sentence."""


MISUSE = (GenerationFailed, EngineError, TargetError, TargetFileError)


def _number(text: str) -> int:
    if not (text.isdecimal() and int(text) > 0):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of examples")
    return int(text)


def _seed(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} is not a seed, which is a number")
    return int(text)


def declare(parser: argparse.ArgumentParser) -> None:
    """Declare the command."""
    parser.description = (
        "Make random scenarios where the documents give a rule, and run them. One in which the "
        "server differs is made as small as can be and written as an ordinary scenario file. Exit "
        "status: 0 no difference, 1 a difference, 2 the server or the run broke."
    )
    add = parser.add_argument
    add("families", nargs="*", metavar="FAMILY", help="default: all; --list names them")
    add("--list", action="store_true", help="name the families and what they are about")
    add("--examples", type=_number, default=100, metavar="N", help="of each (default %(default)s)")
    add("--seed", type=_seed, metavar="N", help="the same seed makes the same scenarios")
    add("--target", metavar="FILE", help="default: the reference server")
    add("--plan", choices=("auto", "namespace", "loopback"), default="auto")
    add("--out", type=Path, default=Path(), metavar="DIR", help="where files go (default: here)")


def run(options: argparse.Namespace) -> int:
    """Search; return the exit status. Raises MISUSE."""
    # Loaded here, for only this command wants Hypothesis, which need not be installed.
    try:
        from conformance.generate.families import FAMILIES
        from conformance.generate.search import GenerateError, search
    except ModuleNotFoundError as error:
        if error.name != "hypothesis":
            raise
        raise GenerationFailed(
            "Hypothesis is missing; install it: pip install 'mailproof[generate]'"
        ) from None
    console = Terminal()
    if options.list:
        for family in FAMILIES.values():
            console.print(f"{family.name:10} {family.about}")
        return EXIT_AS_EXPECTED
    names = _chosen(options.families, list(FAMILIES))
    number = secrets.randbelow(_SEEDS) if options.seed is None else options.seed
    console.print(f"[dim]--seed {number}[/]")
    settings = EngineSettings(
        target=load_target(options.target or paths.reference_target()),
        plan=options.plan,
        fixtures=paths.own("fixtures"),
    )
    statuses = [EXIT_AS_EXPECTED]
    with EngineClient(settings) as engine:
        engine.ready()
        for name in names:
            try:
                found = search(FAMILIES[name], engine.run, examples=options.examples, number=number)
            except GenerateError as error:
                raise GenerationFailed(str(error)) from None
            statuses.append(_tell(console, found, options.out))
    return max(statuses)


def _chosen(named: Sequence[str], known: Sequence[str]) -> Sequence[str]:
    for name in named:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            hint = f"did you mean {near[0]}?" if near else f"families: {', '.join(known)}"
            raise GenerationFailed(f"there is no family {name!r} ({hint})")
    return named or known


def _tell(console: Terminal, found: Search, folder: Path) -> int:
    from conformance.generate.search import write

    def say(text: str) -> None:
        console.print(f"{found.family:10} {text}", soft_wrap=True)

    if found.unfit:
        say(f"[yellow]not applicable:[/] {shown(found.unfit)}")
        return EXIT_AS_EXPECTED
    if found.finding is None:
        say(f"[green]no difference[/] in {found.examples} scenarios")
        return EXIT_AS_EXPECTED
    result = found.finding.result
    try:
        path = write(found.finding, found.family, folder)
    except OSError as error:
        raise GenerationFailed(f"{folder}: cannot be written: {error.strerror}") from None
    broke = result.outcome is Outcome.ERROR
    say(f"[bold red]{result.outcome.value}[/] after {found.examples}: {shown(result.reason)}")
    say(f"written to {shown(short_path(str(path)))}")
    return EXIT_BROKEN if broke else EXIT_DIFFERENCE
