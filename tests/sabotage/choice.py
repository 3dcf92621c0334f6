"""Which scenarios a case is put before, and what is said about the outcome.

In full every case meets all scenarios. In brief it meets its witness (the file that is sure to
notice) and one portion of all others: the portions rotate from case to case, so that the table of
cases as a whole meets every scenario.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from conformance.run.outcome import CaseResult, Outcome
from conformance.scenario.model import Level, Scenario
from sabotage.case import CHAPTERS, Sabotage

#: In brief, one in so many scenarios is run beside the witness.
PORTIONS = 240
_FINE = frozenset({Outcome.PASSED, Outcome.NOT_APPLICABLE})


def chapter_of(scenario_id: str) -> str:
    """Return the folder that a scenario stands in."""
    return scenario_id.partition("/")[0]


def file_of(scenario_id: str) -> str:
    """Return a scenario's id without the name of its row."""
    return scenario_id.partition("[")[0]


def binding(scenarios: Iterable[Scenario]) -> list[Scenario]:
    """Return the scenarios that the documents demand, by their ids.

    Only chapters that the table has cases for: the others say nothing about it yet.
    """
    demanded = (s for s in scenarios if s.level is Level.MUST and s.chapter in CHAPTERS)
    return sorted(demanded, key=lambda s: s.id)


def chosen(
    case: Sabotage, number: int, scenarios: Sequence[Scenario], *, full: bool
) -> list[Scenario]:
    """Return the scenarios for the case that is the table's ``number``-th."""
    return [
        scenario
        for place, scenario in enumerate(scenarios)
        if full or file_of(scenario.id) == case.witness or place % PORTIONS == number % PORTIONS
    ]


def complaint(case: Sabotage, results: Sequence[CaseResult]) -> str:
    """Return what is wrong with the scenarios' judgement of a case; empty when nothing is."""
    amiss = [result for result in results if result.outcome not in _FINE]
    astray = [result for result in amiss if chapter_of(result.id) not in case.chapters]
    expected = ", ".join(sorted(case.chapters))
    if astray:
        return (
            f"the sabotage {case.name} is the business of {expected}, but these notice it, too:\n"
            f"{listed(astray)}"
        )
    if not any(result.outcome is Outcome.FAILED for result in amiss):
        return f"no scenario catches the sabotage {case.name} ({len(results)} were run)" + (
            f"; these could not be run:\n{listed(amiss)}" if amiss else ""
        )
    witnesses = {r.id for r in results if r.outcome is Outcome.FAILED}
    if case.witness not in map(file_of, witnesses):
        return (
            f"{case.witness} does not catch the sabotage {case.name} any more; "
            f"name another witness, one of these:\n{listed(amiss)}"
        )
    return ""


def listed(results: Iterable[CaseResult]) -> str:
    """Return a line for each result that is not as it should be."""
    return "\n".join(
        f"  {result.id}: {result.outcome.value}: {result.reason}"
        for result in sorted(results, key=lambda result: result.id)
        if result.outcome not in _FINE
    )
