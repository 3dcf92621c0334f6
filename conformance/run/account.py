"""The account of a run: gathers the cases from the reports and writes the result file.

It lives in the process that talks to the user: the only one, or the controller of pytest-xdist, to
which every worker's reports come. It is told what happened and touches neither engine nor server.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping
from datetime import UTC, datetime
from typing import Any

from conformance.run.baseline import Baseline
from conformance.run.results import Case, RunResult, Stale


class Account:
    """What a run has found out so far."""

    def __init__(self, *, target: Mapping[str, Any], plan: str, strict: bool) -> None:
        self._target = dict(target)
        self._plan = plan
        self._strict = strict
        self._began = time.monotonic()
        self._started = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        self._cases: dict[str, Case] = {}
        self._broken: list[str] = []

    def learn(self, plan: str, target: Mapping[str, Any]) -> None:
        """Take the plan and the facts that an engine has found."""
        self._plan = plan
        self._target.update(target)

    def add(self, case: Case) -> None:
        """Take the final verdict on one case."""
        self._cases[case.id] = case

    def broke(self, sentence: str) -> None:
        """Take something that broke outside any case."""
        if sentence not in self._broken:
            self._broken.append(sentence)

    @property
    def is_broken(self) -> bool:
        """True when something broke outside any case."""
        return bool(self._broken)

    def close(self, baseline: Baseline, ids_of: Callable[[str], Collection[str]]) -> RunResult:
        """Return the whole result of the run."""
        stale: tuple[Stale, ...] = ()
        if not self._broken:
            outcomes = {case.id: case.result.outcome for case in self._cases.values()}
            stale = baseline.stale(outcomes, ids_of)
        return RunResult(
            target=self._target,
            plan=self._plan,
            strict=self._strict,
            started=self._started,
            seconds=time.monotonic() - self._began,
            cases=tuple(self._cases[case_id] for case_id in sorted(self._cases)),
            stale=stale,
            broken=tuple(self._broken),
        )
