"""What a run says at its end: the differences with the lines that matter, the slowest, the sum."""

from __future__ import annotations

from rich.console import Console
from rich.markup import escape

from conformance.run.outcome import Outcome, TranscriptLine
from conformance.run.results import Case, RunResult

_STYLES = {
    Outcome.PASSED: "green",
    Outcome.FAILED: "red",
    Outcome.EXPECTED_FAILURE: "yellow",
    Outcome.UNEXPECTED_PASS: "magenta",
    Outcome.NOT_APPLICABLE: "dim",
    Outcome.ERROR: "bold red",
}
_SHOWN = (Outcome.ERROR, Outcome.UNEXPECTED_PASS, Outcome.FAILED)
#: Transcript lines shown around the offending one.
_CONTEXT = 5


def lines_that_matter(case: Case, context: int = _CONTEXT) -> list[TranscriptLine]:
    """Return the offending line with what came just before it; without one, the last lines."""
    lines = case.result.transcript
    bad = [at for at, line in enumerate(lines) if line.bad]
    end = bad[0] + 1 if bad else len(lines)
    return list(lines[max(0, end - context) : end])


def print_summary(console: Console, run: RunResult, *, slowest: int) -> None:
    """Print the differences of a run, its slowest cases, and its totals."""
    for sentence in run.broken:
        console.print(f"[bold red]broken[/] {escape(sentence)}", soft_wrap=True)
    for case in sorted(run.cases, key=lambda c: c.id):
        if case.result.outcome in _SHOWN:
            _print_case(console, case)
    for entry in run.stale:
        console.print(f"[magenta]stale[/] {escape(entry.id)}: {escape(entry.reason)}")
    if slowest and run.cases:
        worst = ", ".join(f"{c.id} {c.result.seconds:.2f} s" for c in run.slowest(slowest))
        console.print(f"\n[dim]Slowest: {escape(worst)}[/]", soft_wrap=True)
    totals = ", ".join(
        f"[{_STYLES[outcome]}]{run.count(outcome)} {outcome.value}[/]"
        for outcome in Outcome
        if run.count(outcome)
    )
    console.print(
        f"{escape(str(run.target['name']))}, {run.plan} plan: {totals or 'no cases'} "
        f"in {run.seconds:.1f} s"
    )


def _print_case(console: Console, case: Case) -> None:
    style = _STYLES[case.result.outcome]
    console.print(
        f"\n[{style}]{case.result.outcome.value}[/] [bold]{escape(case.id)}[/]  "
        f"{escape(case.title)}",
        soft_wrap=True,
    )
    where = f"  [dim]{escape(case.result.position)}[/]" if case.result.position else ""
    console.print(f"  {escape(case.result.reason)}{where}", soft_wrap=True)
    for line in lines_that_matter(case):
        mark = "[red]" if line.bad else "[dim]"
        console.print(
            f"    {mark}{escape(line.channel)} {line.arrow} {escape(line.text)}[/]", soft_wrap=True
        )
