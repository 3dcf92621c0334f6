"""The self-contained HTML page: chapters × targets, and every case with its wire transcript.

The page needs no network and no server, and everything but the filters works without scripts. It is
made from result files alone, so it can be made again years later.
"""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined

from conformance.run.outcome import Outcome, TranscriptLine
from conformance.run.results import Case, RunResult

#: The order of outcomes by how much they want to be looked at.
GRAVITY = (
    Outcome.ERROR,
    Outcome.FAILED,
    Outcome.UNEXPECTED_PASS,
    Outcome.EXPECTED_FAILURE,
    Outcome.NOT_APPLICABLE,
    Outcome.PASSED,
)


def slug(outcome: Outcome) -> str:
    """Return an outcome's name as a CSS class and as a filter."""
    return outcome.value.replace(" ", "-")


@dataclass(frozen=True, slots=True)
class Cell:
    """One chapter of one target, or one target's totals."""

    counts: Counter[Outcome]

    @property
    def applicable(self) -> int:
        """Return the number of cases that were judged."""
        return sum(self.counts.values()) - self.counts[Outcome.NOT_APPLICABLE]

    @property
    def worst(self) -> Outcome:
        """Return the outcome that the cell's colour shows."""
        return next((o for o in GRAVITY if self.counts[o]), Outcome.NOT_APPLICABLE)

    @property
    def text(self) -> str:
        """Return what stands in the cell, as ``38 / 40``; a dash when nothing was judged."""
        return f"{self.counts[Outcome.PASSED]} / {self.applicable}" if self.applicable else "–"


@dataclass(frozen=True, slots=True)
class Finding:
    """What became of a case on one target."""

    target: str
    case: Case

    @property
    def outcome(self) -> Outcome:
        """Return the verdict."""
        return self.case.result.outcome

    @property
    def steps(self) -> list[tuple[int, list[TranscriptLine]]]:
        """Return the transcript, grouped by steps."""
        grouped = groupby(self.case.result.transcript, key=lambda line: line.step)
        return [(step, list(lines)) for step, lines in grouped]


@dataclass(frozen=True, slots=True)
class Row:
    """One case over all targets."""

    case: Case
    findings: tuple[Finding, ...]

    @property
    def outcomes(self) -> list[str]:
        """Return the filters that the row answers to."""
        return sorted({slug(finding.outcome) for finding in self.findings})

    @property
    def worst(self) -> Outcome:
        """Return the gravest verdict of all targets."""
        found = {finding.outcome for finding in self.findings}
        return next(o for o in GRAVITY if o in found)

    @property
    def words(self) -> str:
        """Return what the search looks at, in lower case."""
        case = self.case
        reasons = (finding.case.result.reason for finding in self.findings)
        return " ".join((case.id, case.title, case.source, *case.covers, *reasons)).lower()

    @property
    def anchor(self) -> str:
        """Return the row's fragment identifier."""
        return "".join(c if c.isalnum() else "-" for c in self.case.id)

    @property
    def replay(self) -> str:
        """Return the command that runs this case alone."""
        return f"mailproof run {shlex.quote(self.case.id)}"


def _rows(runs: Sequence[RunResult]) -> Iterator[Row]:
    findings: dict[str, list[Finding]] = {}
    for run in runs:
        for case in run.cases:
            findings.setdefault(case.id, []).append(Finding(str(run.target["name"]), case))
    for _, found in sorted(findings.items()):
        yield Row(found[0].case, tuple(found))


def _matrix(runs: Sequence[RunResult]) -> dict[str, list[Cell]]:
    chapters = sorted({case.chapter for run in runs for case in run.cases})
    return {
        chapter: [
            Cell(Counter(c.result.outcome for c in run.cases if c.chapter == chapter))
            for run in runs
        ]
        for chapter in chapters
    }


def render(runs: Sequence[RunResult]) -> str:
    """Return the page of these runs, one column a run."""
    environment = Environment(
        loader=PackageLoader("conformance.report", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["slug"] = slug
    return environment.get_template("page.html").render(
        runs=runs,
        matrix=_matrix(runs),
        totals=[Cell(Counter(case.result.outcome for case in run.cases)) for run in runs],
        chapters=[(name, list(rows)) for name, rows in groupby(_rows(runs), _chapter)],
        outcomes=[outcome for outcome in Outcome if any(run.count(outcome) for run in runs)],
        count={outcome: sum(run.count(outcome) for run in runs) for outcome in Outcome},
    )


def _chapter(row: Row) -> str:
    return row.case.chapter


def write_report(runs: Sequence[RunResult], path: Path) -> None:
    """Write the page. Raises OSError."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(render(runs), encoding="utf-8", errors="replace")
