"""Coverage: how far scenarios, and their last outcomes, reach into the catalogue.

Pure bookkeeping over values: it loads nothing and runs nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from typing import Any

from conformance.run.outcome import Outcome
from conformance.scenario.catalogue import Catalogue, Entry
from conformance.scenario.model import Level, Scenario

_GOOD = frozenset({Outcome.PASSED, Outcome.UNEXPECTED_PASS})
_BAD = frozenset({Outcome.FAILED, Outcome.EXPECTED_FAILURE})


@dataclass(frozen=True, slots=True)
class AreaCoverage:
    """The ids of one area, sorted into what is known of them."""

    entries: tuple[str, ...] = ()
    covered: tuple[str, ...] = ()
    """At least one scenario claims them."""
    untestable: tuple[str, ...] = ()
    """The catalogue says why no black-box test can check them, and no scenario does."""
    passed: tuple[str, ...] = ()
    """Every scenario that claims them passed."""
    failed: tuple[str, ...] = ()
    """Some scenario that claims them failed, expected or not."""

    @property
    def missing(self) -> tuple[str, ...]:
        """Neither covered nor untestable."""
        known = {*self.covered, *self.untestable}
        return tuple(entry for entry in self.entries if entry not in known)

    def counts(self) -> dict[str, int]:
        """Return the numbers, as ``mailproof coverage --json`` prints them."""
        return {field.name: len(getattr(self, field.name)) for field in fields(self)}


@dataclass(frozen=True, slots=True)
class Coverage:
    """Coverage of every area, in the order of the catalogue."""

    areas: Mapping[str, AreaCoverage]

    @property
    def totals(self) -> dict[str, int]:
        """The sums over all areas."""
        totals = AreaCoverage().counts()
        for area in self.areas.values():
            for name, count in area.counts().items():
                totals[name] += count
        return totals

    def as_json(self) -> dict[str, Any]:
        """Return ``{"areas": {"ROUTE": {"entries": n, …}}, "totals": {…}}``."""
        return {
            "areas": {name: area.counts() for name, area in self.areas.items()},
            "totals": self.totals,
        }


def coverage(
    scenarios: Iterable[Scenario], catalogue: Catalogue, results: Mapping[str, Outcome]
) -> Coverage:
    """Hold scenarios and the outcomes of a run (scenario id → outcome) against the catalogue.

    A statement is *passed* when every scenario that claims it passed, and at least one; it is
    *failed* when one of them failed. Scenarios of level ``text`` run with ``--strict`` only, so one
    that was not run does not keep a statement from being passed.
    """
    claims: dict[str, list[Scenario]] = {}
    for scenario in scenarios:
        for entry_id in scenario.covers:
            claims.setdefault(entry_id, []).append(scenario)
    return Coverage(
        {area: _area(entries, claims, results) for area, entries in catalogue.areas().items()}
    )


def _area(
    entries: Iterable[Entry],
    claims: Mapping[str, list[Scenario]],
    results: Mapping[str, Outcome],
) -> AreaCoverage:
    entries = tuple(entries)
    covered = tuple(entry.id for entry in entries if entry.id in claims)
    return AreaCoverage(
        entries=tuple(entry.id for entry in entries),
        covered=covered,
        untestable=tuple(e.id for e in entries if e.untestable and e.id not in claims),
        passed=tuple(one for one in covered if _passed(claims[one], results)),
        failed=tuple(one for one in covered if any(results.get(s.id) in _BAD for s in claims[one])),
    )


def _passed(claiming: Iterable[Scenario], results: Mapping[str, Outcome]) -> bool:
    not_run = (None, Outcome.NOT_APPLICABLE)
    needed = [s for s in claiming if s.level is not Level.TEXT or results.get(s.id) not in not_run]
    return bool(needed) and all(results.get(scenario.id) in _GOOD for scenario in needed)
