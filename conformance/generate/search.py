"""The search for a counter-example: run cases until one differs, then make that one small.

Hypothesis draws the cases and shrinks the one that fails. A server that breaks is a finding like a
server that does something else: both leave a scenario file. A server that lacks what the family
needs ends the search.
"""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis.errors import Flaky

from conformance.generate.family import Family
from conformance.run.outcome import CaseResult, Outcome
from conformance.scenario.load import load_file
from conformance.scenario.model import Scenario

Run = Callable[[Scenario], CaseResult]


class GenerateError(Exception):
    """The search says nothing about the server; one sentence."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """The smallest case that was found to differ."""

    text: str
    """The scenario file."""
    result: CaseResult


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """What came of a search."""

    family: str
    examples: int
    """How many scenarios were run, those of the shrinking included."""
    finding: Finding | None = None
    unfit: str = ""
    """Why the family cannot be tried with this server; empty: it can."""


class _Differs(Exception):  # noqa: N818 - what Hypothesis looks for
    """The server does something else than the model."""

    def __init__(self, finding: Finding) -> None:
        super().__init__(finding.result.reason)
        self.finding = finding


class _Unfit(BaseException):
    """The server lacks what the family needs."""


def search(family: Family, run: Run, *, examples: int, number: int) -> Search:
    """Run up to ``examples`` cases of a family; ``number`` is the seed: the same, the same cases.

    Raises GenerateError when a difference does not come again, and ScenarioError when the family
    writes what the loader refuses.
    """
    count = 0
    with tempfile.TemporaryDirectory(prefix="mailproof-generate-") as folder:
        path = Path(folder) / "scenarios" / "generated" / f"{family.name}.yaml"
        path.parent.mkdir(parents=True)

        def attempt(case: Any) -> None:
            nonlocal count
            count += 1
            text = family.text(case)
            path.write_text(text, encoding="utf-8")
            (scenario,) = load_file(path)
            result = run(scenario)
            if result.outcome is Outcome.NOT_APPLICABLE:
                raise _Unfit(result.reason)
            if result.outcome is not Outcome.PASSED:
                raise _Differs(Finding(text=text, result=result))

        try:
            seed(number)(_configured(examples)(given(family.cases)(attempt)))()
        except _Differs as difference:
            return Search(family=family.name, examples=count, finding=difference.finding)
        except _Unfit as unfit:
            return Search(family=family.name, examples=count, unfit=str(unfit))
        except Flaky as error:
            first = str(error).splitlines()[0]
            raise GenerateError(
                f"{family.name}: a difference did not come again: {first}"
            ) from None
    return Search(family=family.name, examples=count)


def _configured(examples: int) -> settings:
    return settings(
        max_examples=examples,
        database=None,
        deadline=None,
        print_blob=False,
        report_multiple_bugs=False,
        phases=(Phase.generate, Phase.shrink),
        suppress_health_check=list(HealthCheck),
    )


def write(finding: Finding, family: str, folder: Path) -> Path:
    """Write a finding as a scenario file; return its path. Raises OSError."""
    digest = hashlib.sha256(finding.text.encode()).hexdigest()[:8]
    path = folder / f"{family}-{digest}.yaml"
    folder.mkdir(parents=True, exist_ok=True)
    path.write_text(finding.text, encoding="utf-8")
    return path
