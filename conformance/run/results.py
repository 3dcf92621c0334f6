"""Result files: what a run leaves behind, as ``result.json``; docs/results.md is its description.

A :class:`RunResult` is a complete account: the target's facts, the plan, and for every case what
the scenario claims, what became of it and what went over the wire. Reports and ``coverage`` read
nothing else, so a result file can be kept, compared and shown years later.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from conformance.run.outcome import (
    EXIT_AS_EXPECTED,
    EXIT_BROKEN,
    EXIT_DIFFERENCE,
    CaseResult,
    Outcome,
    TranscriptLine,
)
from conformance.scenario.model import Scenario

FORMAT = "mailproof-result/1"
DIFFERENCES = frozenset({Outcome.FAILED, Outcome.UNEXPECTED_PASS})


class ResultsError(Exception):
    """A result file that cannot be read or written; one sentence with the path."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One scenario and what became of it."""

    id: str
    title: str
    source: str
    covers: tuple[str, ...] = ()
    level: str = "must"
    requires: tuple[str, ...] = ()
    note: str = ""
    file: str = ""
    """``path:line:column`` of the scenario."""
    text: str = ""
    """The YAML source of the case."""
    result: CaseResult

    @property
    def chapter(self) -> str:
        """The folder of the scenario, that is, the documents' chapter."""
        return self.id.split("/", 1)[0]

    @classmethod
    def of(cls, scenario: Scenario, result: CaseResult) -> Case:
        """Return the case of a scenario that has been run."""
        return cls(
            id=scenario.id,
            title=scenario.title,
            source=scenario.source,
            covers=tuple(scenario.covers),
            level=scenario.level.value,
            requires=tuple(scenario.requires),
            note=scenario.note,
            file=str(scenario.position),
            text=scenario.text,
            result=result,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Stale:
    """An entry of the baseline that is no longer true."""

    id: str
    reason: str
    """Why it is stale: there is no such scenario, or it passes now."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunResult:
    """What a run found out."""

    target: Mapping[str, Any]
    """Facts about the server under test; ``name`` is always there."""
    plan: str
    strict: bool = False
    started: str = ""
    """When the run began: UTC, ``2026-01-31T12:00:00Z``."""
    seconds: float = 0.0
    cases: tuple[Case, ...] = ()
    stale: tuple[Stale, ...] = ()
    broken: tuple[str, ...] = field(default=())
    """What broke outside any case (a scenario file that does not load, say), one sentence each."""

    def count(self, outcome: Outcome) -> int:
        """Return how many cases ended so."""
        return sum(case.result.outcome is outcome for case in self.cases)

    @property
    def exit_status(self) -> int:
        """0 all as expected, 1 a difference, 2 the run itself broke."""
        outcomes = {case.result.outcome for case in self.cases}
        if self.broken or Outcome.ERROR in outcomes:
            return EXIT_BROKEN
        if self.stale or outcomes & DIFFERENCES:
            return EXIT_DIFFERENCE
        return EXIT_AS_EXPECTED

    def slowest(self, number: int) -> list[Case]:
        """Return the cases that took longest, the slowest first."""
        return sorted(self.cases, key=lambda case: -case.result.seconds)[:number]


def case_to_json(case: Case) -> dict[str, Any]:
    """Return a case as plain JSON values."""
    result = case.result
    return {
        "id": case.id,
        "title": case.title,
        "source": case.source,
        "covers": list(case.covers),
        "level": case.level,
        "requires": list(case.requires),
        "note": case.note,
        "file": case.file,
        "text": case.text,
        "outcome": result.outcome.value,
        "seconds": round(result.seconds, 4),
        "reason": result.reason,
        "step": result.step,
        "position": result.position,
        "transcript": [
            [line.step, line.channel, line.arrow, line.text, *([True] if line.bad else [])]
            for line in result.transcript
        ],
    }


def case_from_json(entry: Mapping[str, Any]) -> Case:
    """Return the case of plain JSON values. Raises KeyError, ValueError or TypeError."""
    transcript = tuple(
        TranscriptLine(
            step=line[0], channel=line[1], arrow=line[2], text=line[3], bad=len(line) > 4
        )
        for line in entry["transcript"]
    )
    result = CaseResult(
        id=entry["id"],
        outcome=Outcome(entry["outcome"]),
        seconds=entry["seconds"],
        reason=entry["reason"],
        step=entry["step"],
        position=entry["position"],
        transcript=transcript,
    )
    return Case(
        id=entry["id"],
        title=entry["title"],
        source=entry["source"],
        covers=tuple(entry["covers"]),
        level=entry["level"],
        requires=tuple(entry["requires"]),
        note=entry["note"],
        file=entry["file"],
        text=entry["text"],
        result=result,
    )


def with_outcome(case: Case, outcome: Outcome, reason: str) -> Case:
    """Return the case with another outcome and reason (the baseline decides so)."""
    return replace(case, result=replace(case.result, outcome=outcome, reason=reason))


def to_json(run: RunResult) -> dict[str, Any]:
    """Return a run as plain JSON values."""
    return {
        "format": FORMAT,
        "target": dict(run.target),
        "plan": run.plan,
        "strict": run.strict,
        "started": run.started,
        "seconds": round(run.seconds, 3),
        "exit status": run.exit_status,
        "totals": {outcome.value: run.count(outcome) for outcome in Outcome},
        "stale": [{"id": entry.id, "reason": entry.reason} for entry in run.stale],
        "broken": list(run.broken),
        "cases": [case_to_json(case) for case in run.cases],
    }


def from_json(value: Mapping[str, Any]) -> RunResult:
    """Return the run of plain JSON values. Raises KeyError, ValueError or TypeError."""
    if value["format"] != FORMAT:
        raise ValueError(f"its format is {value['format']!r}, this version reads {FORMAT!r}")
    return RunResult(
        target=value["target"],
        plan=value["plan"],
        strict=value["strict"],
        started=value["started"],
        seconds=value["seconds"],
        cases=tuple(case_from_json(case) for case in value["cases"]),
        stale=tuple(Stale(id=entry["id"], reason=entry["reason"]) for entry in value["stale"]),
        broken=tuple(value["broken"]),
    )


def save(run: RunResult, path: str | Path) -> None:
    """Write a result file; readers see the old one or the whole new one. Raises ResultsError."""
    path = Path(path)
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        text = json.dumps(to_json(run), ensure_ascii=False, indent=1)
        fresh.write_bytes(text.encode("utf-8", "replace"))
        fresh.replace(path)
    except OSError as error:
        raise ResultsError(f"{path}: cannot be written: {error}") from None


def load(path: str | Path) -> RunResult:
    """Read a result file. Raises ResultsError with one sentence."""
    path = Path(path)
    try:
        return from_json(json.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError:
        raise ResultsError(f"{path}: there is no such result file") from None
    except OSError as error:
        raise ResultsError(f"{path}: cannot be read: {error}") from None
    except KeyError as error:
        raise ResultsError(f"{path}: not a result file: {error} is missing") from None
    except (ValueError, TypeError, AttributeError, IndexError) as error:
        raise ResultsError(f"{path}: not a result file: {error}") from None
