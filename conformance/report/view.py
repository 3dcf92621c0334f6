"""What the page shows of results: cells, rows, findings and passages, all plain values.

Pure arithmetic over result files: which colour a cell has, in which order cases stand, and how
much of a transcript is shown. Everything that a server said is cut here, never interpreted; the
template escapes it.
"""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

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
SIGNS = {
    Outcome.PASSED: "✓",
    Outcome.FAILED: "✗",
    Outcome.EXPECTED_FAILURE: "≈",
    Outcome.UNEXPECTED_PASS: "!",
    Outcome.NOT_APPLICABLE: "–",
    Outcome.ERROR: "‼",
}
ARROWS = {">": "→", "<": "←", "*": "·"}
_KINDS = {">": "", "<": "s", "*": "r"}

#: Characters of a transcript line, and lines of a transcript, that the page shows.
LINE_LIMIT = 400
TRANSCRIPT_LIMIT = 600


def slug(outcome: Outcome) -> str:
    """Return an outcome's name as a CSS class and as a filter."""
    return outcome.value.replace(" ", "-")


def place(position: str) -> str:
    """Return ``path:line:column`` from the tree of scenarios on, wherever that lay."""
    _, found, below = position.rpartition("/scenarios/")
    return f"scenarios/{below}" if found else position


@dataclass(frozen=True, slots=True)
class Cell:
    """One chapter of one target, or one target's totals."""

    counts: Counter[Outcome]

    @property
    def judged(self) -> int:
        """Return the number of cases that a verdict was given on."""
        return sum(self.counts.values()) - self.counts[Outcome.NOT_APPLICABLE]

    @property
    def worst(self) -> Outcome:
        """Return the outcome that the cell's colour shows: passed only if nothing else was."""
        judged = [o for o in GRAVITY if o is not Outcome.NOT_APPLICABLE]
        return next((o for o in judged if self.counts[o]), Outcome.NOT_APPLICABLE)

    @property
    def text(self) -> str:
        """Return what stands in the cell, as ``38 / 40``; a dash when nothing was judged."""
        return f"{self.counts[Outcome.PASSED]} / {self.judged}" if self.judged else "–"

    @property
    def words(self) -> str:
        """Return the numbers in words, as ``38 passed, 2 failed``."""
        return ", ".join(f"{self.counts[o]} {o.value}" for o in Outcome if self.counts[o])

    @property
    def bar(self) -> list[tuple[Outcome, str]]:
        """Return the outcomes' shares in percent, in the order of Outcome."""
        total = sum(self.counts.values())
        return [(o, f"{100 * self.counts[o] / total:.2f}") for o in Outcome if self.counts[o]]


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a transcript as the page shows it."""

    channel: str
    """The channel where it changes, else empty."""
    kind: str
    """CSS class: ``s`` said by the server, ``r`` a remark, empty: said to the server."""
    text: str
    """The arrow and the text, cut."""
    cut: int
    """How many characters of the text are left out."""
    bad: bool


@dataclass(frozen=True, slots=True)
class Passage:
    """What went over the wire in one step."""

    step: int
    channels: str
    lines: tuple[Line, ...]
    is_open: bool
    """False: the building of the world, which seldom matters."""

    @property
    def label(self) -> str:
        """Return what the step is called; people count from 1."""
        return f"step {self.step + 1}" if self.step >= 0 else "building the world"


@dataclass(frozen=True, slots=True)
class Finding:
    """What became of a case on one target."""

    run: RunResult
    case: Case

    @property
    def target(self) -> str:
        """Return the target's name."""
        return str(self.run.target["name"])

    @property
    def outcome(self) -> Outcome:
        """Return the verdict."""
        return self.case.result.outcome

    @property
    def omitted(self) -> int:
        """Return how many lines of the transcript the page leaves out."""
        return len(self.case.result.transcript) - len(self._shown)

    @property
    def _shown(self) -> Sequence[TranscriptLine]:
        """The last lines up to the offending one and a few behind it; the rest is left out."""
        lines = self.case.result.transcript
        bad = next((at for at, line in enumerate(lines) if line.bad), len(lines) - 1)
        end = min(len(lines), max(bad + 20, TRANSCRIPT_LIMIT))
        return lines[max(0, end - TRANSCRIPT_LIMIT) : end]

    @property
    def passages(self) -> list[Passage]:
        """Return the transcript, a passage a step."""
        grouped = groupby(self._shown, key=lambda line: line.step)
        return [_passage(step, list(lines)) for step, lines in grouped]

    @property
    def replay(self) -> str:
        """Return the command that runs this case alone, as it was run."""
        words = ["mailproof", "run", self.case.id]
        if self.target != "reference":
            words += ["--target", str(self.run.target.get("file", f"{self.target}.toml"))]
        words += ["--plan", "loopback"] if self.run.plan == "loopback" else []
        words += ["--strict"] if self.run.strict else []
        return shlex.join(words)


def _passage(step: int, lines: Sequence[TranscriptLine]) -> Passage:
    channels = dict.fromkeys(line.channel for line in lines)
    return Passage(
        step=step,
        channels=", ".join(channels),
        lines=tuple(_lines(lines)),
        is_open=step >= 0 or any(line.bad for line in lines),
    )


def _lines(lines: Iterable[TranscriptLine]) -> Iterator[Line]:
    channel = ""
    for line in lines:
        yield Line(
            channel="" if line.channel == channel else line.channel,
            kind=_KINDS.get(line.arrow, "r"),
            text=f"{ARROWS.get(line.arrow, line.arrow)} {line.text[:LINE_LIMIT]}",
            cut=max(0, len(line.text) - LINE_LIMIT),
            bad=line.bad,
        )
        channel = line.channel


@dataclass(frozen=True, slots=True)
class Row:
    """One case over all targets."""

    case: Case
    findings: tuple[Finding | None, ...]
    """One a target; None: that run had no such case."""
    anchor: str
    """The fragment identifier that leads to it."""

    @property
    def found(self) -> list[Finding]:
        """Return the findings that there are."""
        return [finding for finding in self.findings if finding is not None]

    @property
    def outcomes(self) -> list[str]:
        """Return the filters that the row answers to."""
        return sorted({slug(finding.outcome) for finding in self.found})

    @property
    def worst(self) -> Outcome:
        """Return the gravest verdict of all targets."""
        outcomes = {finding.outcome for finding in self.found}
        return next(outcome for outcome in GRAVITY if outcome in outcomes)


def rows(runs: Sequence[RunResult]) -> list[Row]:
    """Return the cases of all runs by their ids."""
    by_id = [{case.id: case for case in run.cases} for run in runs]
    taken: set[str] = set()
    found = []
    for case_id in sorted({case_id for cases in by_id for case_id in cases}):
        findings = tuple(
            Finding(run, cases[case_id]) if case_id in cases else None
            for run, cases in zip(runs, by_id, strict=True)
        )
        first = next(finding for finding in findings if finding is not None)
        found.append(Row(first.case, findings, _anchor(case_id, taken)))
    return found


def _anchor(case_id: str, taken: set[str]) -> str:
    plain = "-".join("".join(c if c.isalnum() else " " for c in case_id).split()) or "case"
    anchor, number = plain, 2
    while anchor in taken:
        anchor, number = f"{plain}-{number}", number + 1
    taken.add(anchor)
    return anchor


def chapters(cases: Iterable[Row]) -> list[tuple[str, list[Row]]]:
    """Return the rows by chapter; rows come sorted."""
    return [(name, list(found)) for name, found in groupby(cases, lambda row: row.case.chapter)]


def matrix(runs: Sequence[RunResult]) -> dict[str, list[Cell]]:
    """Return chapter → a cell for each run."""
    names = sorted({case.chapter for run in runs for case in run.cases})
    return {
        name: [
            Cell(Counter(c.result.outcome for c in run.cases if c.chapter == name)) for run in runs
        ]
        for name in names
    }


def totals(runs: Sequence[RunResult]) -> list[Cell]:
    """Return a cell for each run, over all its chapters."""
    return [Cell(Counter(case.result.outcome for case in run.cases)) for run in runs]
