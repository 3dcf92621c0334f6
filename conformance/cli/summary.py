"""What a run says at its end: the differences with the lines that matter, the slowest, the sum.

A cause that many cases share (no server could be started, say) is said once.
"""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console

from conformance.cli.terminal import short_path, shown
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
#: What is shown, the gravest last: it then stands just above the sum.
_SHOWN = (Outcome.FAILED, Outcome.UNEXPECTED_PASS, Outcome.ERROR)
#: Transcript lines up to the offending one.
_CONTEXT = 5
#: So many differences are shown with their transcripts, the others in a line each.
_DETAILED = 20
#: Octets of a transcript line that a terminal is given.
_WIDTH = 300


def lines_that_matter(case: Case, context: int = _CONTEXT) -> list[TranscriptLine]:
    """Return the offending line with what came just before it in the same step.

    Without an offending line they are the last ones of the failed step.
    """
    lines = case.result.transcript
    bad = next((at for at, line in enumerate(lines) if line.bad), len(lines) - 1)
    step = lines[bad].step if lines else -1
    return [line for line in lines[max(0, bad + 1 - context) : bad + 1] if line.step == step]


def print_summary(console: Console, run: RunResult, *, slowest: int) -> None:
    """Print the differences of a run, its slowest cases, and its totals."""
    _print_differences(console, run)
    for entry in run.stale:
        console.print(f"[magenta]stale[/] {shown(entry.id)}: {shown(entry.reason)}", soft_wrap=True)
    for sentence in run.broken:
        console.print(f"[bold red]broken[/] {shown(sentence)}", soft_wrap=True)
    if slowest and run.cases:
        worst = ", ".join(f"{c.id} {c.result.seconds:.2f} s" for c in run.slowest(slowest))
        console.print(f"\n[dim]Slowest: {shown(worst)}[/]", soft_wrap=True)
    totals = ", ".join(
        f"[{_STYLES[outcome]}]{run.count(outcome)} {outcome.value}[/]"
        for outcome in Outcome
        if run.count(outcome)
    )
    rate = f", {len(run.cases) / run.seconds:.0f} a second" if run.cases and run.seconds else ""
    console.print(
        f"{shown(str(run.target['name']))}, {run.plan} plan: {totals or 'no cases'} "
        f"in {run.seconds:.1f} s{rate}",
        soft_wrap=True,
    )


def _print_differences(console: Console, run: RunResult) -> None:
    different = [case for kind in _SHOWN for case in run.cases if case.result.outcome is kind]
    by_cause: dict[str, list[Case]] = {}
    for case in different:
        alone = "" if case.result.outcome is Outcome.ERROR else case.id
        by_cause.setdefault(f"{alone}\n{case.result.reason}", []).append(case)
    for number, cases in enumerate(by_cause.values()):
        if any(cases[0].result.reason in sentence for sentence in run.broken):
            continue  # it is said below, once
        if len(cases) == 1 and number < _DETAILED:
            _print_case(console, cases[0])
        else:
            _print_short(console, cases)
    if len(by_cause) > _DETAILED:
        advice = "mailproof report makes a page with all transcripts."
        console.print(f"[dim]{advice}[/]", soft_wrap=True)


def _print_case(console: Console, case: Case) -> None:
    style = _STYLES[case.result.outcome]
    console.print(
        f"\n[{style}]{case.result.outcome.value}[/] [bold]{shown(case.id)}[/]  {shown(case.title)}",
        soft_wrap=True,
    )
    where = short_path(case.result.position)
    place = f"  [dim]{shown(where)}[/]" if where else ""
    console.print(f"  {shown(case.result.reason, width=_WIDTH)}{place}", soft_wrap=True)
    for line in lines_that_matter(case):
        if line.text == case.result.reason:
            continue
        style = "red" if line.bad else "dim"
        text = shown(f"{line.channel} {line.arrow} {line.text}", width=_WIDTH)
        console.print(f"    [{style}]{text}[/]", soft_wrap=True)


def _print_short(console: Console, cases: Sequence[Case]) -> None:
    outcome, reason = cases[0].result.outcome, cases[0].result.reason
    names = ", ".join(case.id for case in cases[:3])
    more = f" and {len(cases) - 3} more" if len(cases) > 3 else ""
    console.print(
        f"[{_STYLES[outcome]}]{outcome.value}[/] [bold]{shown(names)}[/]{more}: "
        f"{shown(reason, width=_WIDTH)}",
        soft_wrap=True,
    )
