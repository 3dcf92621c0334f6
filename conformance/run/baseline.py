"""Baselines: the failures of a server that are known, and the watch that they stay true.

A baseline file is YAML, ``id: reason``. A scenario that it names is expected to fail: its failure
is an *expected failure*, its success an *unexpected pass*. An entry that names no scenario is stale
and fails the run, so a baseline can only shrink by being looked at.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import yaml

from conformance.run.outcome import Outcome
from conformance.run.results import Case, Stale, with_outcome


class BaselineError(Exception):
    """A baseline file that cannot be used; one sentence with the file, and the line if known."""


@dataclass(frozen=True, slots=True)
class Baseline:
    """The expected failures of one target."""

    path: Path | None = None
    reasons: Mapping[str, str] = field(default_factory=dict)
    """Scenario id → why it is expected to fail."""

    @classmethod
    def load(cls, path: str | Path) -> Baseline:
        """Read a baseline file. Raises BaselineError."""
        path = Path(path)
        try:
            node = yaml.compose(path.read_text(encoding="utf-8"), Loader=yaml.SafeLoader)
        except FileNotFoundError:
            raise BaselineError(f"{path}: there is no such baseline file") from None
        except (OSError, UnicodeDecodeError) as error:
            raise BaselineError(f"{path}: cannot be read: {error}") from None
        except yaml.YAMLError as error:
            mark = getattr(error, "problem_mark", None)
            where = f":{mark.line + 1}" if mark else ""
            problem = getattr(error, "problem", None) or str(error)
            raise BaselineError(f"{path}{where}: not YAML: {problem}") from None
        return cls(path, _reasons(path, node))

    def judge(self, case: Case) -> Case:
        """Return the case with the outcome that it has in the light of this baseline."""
        reason = self.reasons.get(case.id)
        if reason is None:
            return case
        if case.result.outcome is Outcome.FAILED:
            return with_outcome(case, Outcome.EXPECTED_FAILURE, f"{reason} ({case.result.reason})")
        if case.result.outcome is Outcome.PASSED:
            return with_outcome(
                case,
                Outcome.UNEXPECTED_PASS,
                f"it passes, but the baseline expects it to fail: {reason}",
            )
        return case

    def stale(
        self, cases: Mapping[str, Outcome], ids_of: Callable[[str], Collection[str]]
    ) -> tuple[Stale, ...]:
        """Return the entries that are no longer true.

        ``cases`` are the outcomes of this run; ``ids_of(id)`` gives all ids of the scenario file
        that would hold ``id`` (none when there is no such file) and is asked only about entries
        without a result, so that a run of a few scenarios can be judged too.
        """
        found = []
        for case_id in self.reasons:
            outcome = cases.get(case_id)
            if outcome is Outcome.UNEXPECTED_PASS:
                found.append(Stale(id=case_id, reason="it passes now: take it out of the baseline"))
            elif outcome is None and case_id not in ids_of(case_id):
                found.append(Stale(id=case_id, reason="there is no such scenario"))
        return tuple(found)


def _reasons(path: Path, node: yaml.Node | None) -> dict[str, str]:
    if node is None:
        return {}
    if not isinstance(node, yaml.MappingNode):
        raise BaselineError(
            f"{path}:{node.start_mark.line + 1}: write lines of the form id: reason"
        )
    reasons: dict[str, str] = {}
    for key, value in node.value:
        line = key.start_mark.line + 1
        if not isinstance(key, yaml.ScalarNode) or not isinstance(value, yaml.ScalarNode):
            raise BaselineError(f"{path}:{line}: write lines of the form id: reason")
        if key.value in reasons:
            raise BaselineError(f"{path}:{line}: {key.value} stands here twice")
        if not value.value.strip():
            raise BaselineError(f"{path}:{line}: {key.value} has no reason")
        reasons[key.value] = value.value.strip()
    return reasons
