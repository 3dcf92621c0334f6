"""Scenarios as pytest's tests: a file is a collector, a scenario or row is an item.

An item's name is the scenario's id, so ``-k``, ``--lf`` and JUnit XML speak of ids; ``-k`` also
finds the catalogue ids that it covers. The scenario runs in the item's *setup*, and the *call* only
states the verdict: so what pytest calls an error is the harness's *error* (the server or the
harness broke), and what it calls a failure is a difference from the documents.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from conformance.run.baseline import Baseline
from conformance.run.client import EngineClient, EngineError
from conformance.run.failure_text import failure_text
from conformance.run.outcome import Outcome
from conformance.run.results import Case
from conformance.scenario.load import ScenarioError, ScenarioTree
from conformance.scenario.model import Scenario


class Difference(Exception):  # noqa: N818 - a verdict
    """The server does something else than the documents say, or than the baseline says."""


class RunBroken(Exception):  # noqa: N818 - a verdict
    """The server or the harness broke; nothing is said about conformance."""


class Stage:
    """What all items of a session share: the engine and the baseline."""

    def __init__(self, client: EngineClient, baseline: Baseline) -> None:
        self.client = client
        self.baseline = baseline
        self._trees: dict[Path, ScenarioTree] = {}

    def tree(self, root: Path) -> ScenarioTree:
        """Return the tree of scenarios at a root; it is read once."""
        if root not in self._trees:
            self._trees[root] = ScenarioTree(root)
        return self._trees[root]

    def facts(self) -> dict[str, Any]:
        """Return the plan and the target's facts, empty while there is no engine."""
        try:
            ready = self.client.ready()
        except EngineError:
            return {}
        return {"plan": ready.plan, "target": dict(ready.target)}


class ScenarioFile(pytest.File):
    """A scenario file."""

    stage: Stage
    root: Path

    @classmethod
    def of(cls, parent: pytest.Collector, *, path: Path, root: Path, stage: Stage) -> ScenarioFile:
        """Return the collector of a file."""
        made: ScenarioFile = cls.from_parent(parent, path=path)
        made.stage = stage
        made.root = root
        return made

    def collect(self) -> Iterable[pytest.Item]:
        """Return an item for each scenario of the file."""
        try:
            scenarios = self.stage.tree(self.root).load(self.path)
        except ScenarioError as error:
            raise self.CollectError(str(error)) from None
        return [ScenarioItem.of(self, scenario, self.stage) for scenario in scenarios]


class ScenarioItem(pytest.Item):
    """One scenario."""

    scenario: Scenario
    stage: Stage
    case: Case | None = None

    @classmethod
    def of(cls, parent: ScenarioFile, scenario: Scenario, stage: Stage) -> ScenarioItem:
        """Return the item of a scenario."""
        # Given as a text, because pytest 9.2 takes an id with brackets apart when it reads its
        # notes for --lf, and would not know again one that it has put together itself.
        node_id = f"{parent.nodeid}::{scenario.id}"
        made: ScenarioItem = cls.from_parent(parent, name=scenario.id, nodeid=node_id)
        made.scenario = scenario
        made.stage = stage
        made.extra_keyword_matches.update(scenario.covers)
        return made

    def setup(self) -> None:
        """Run the scenario. Raises RunBroken when the server or the harness breaks."""
        result = self.stage.client.run(self.scenario)
        self.case = self.stage.baseline.judge(Case.of(self.scenario, result))
        if self.stage.client.hopeless:
            self.session.shouldstop = self.stage.client.hopeless
        if result.outcome is Outcome.ERROR:
            raise RunBroken(result.reason)

    def runtest(self) -> None:
        """State the verdict."""
        if self.case is None:
            raise RunBroken("the scenario has not been run")
        result = self.case.result
        if result.outcome is Outcome.NOT_APPLICABLE:
            pytest.skip(result.reason)
        if result.outcome is Outcome.EXPECTED_FAILURE:
            pytest.xfail(result.reason)
        if result.outcome is not Outcome.PASSED:
            raise Difference(result.reason)

    def repr_failure(
        self,
        excinfo: pytest.ExceptionInfo[BaseException],
        style: Any = None,
    ) -> Any:
        """Return what a reader of the failure needs: no trace of Python's, but of the wire."""
        if isinstance(excinfo.value, Difference | RunBroken) and self.case is not None:
            return failure_text(self.case)
        return super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[Path, int, str]:
        """Return where the scenario stands and what it is called."""
        return self.path, self.scenario.position.line - 1, self.name
