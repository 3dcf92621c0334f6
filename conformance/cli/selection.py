"""Which scenarios the user means: by path, by id, by chapter."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from pathlib import Path

from conformance.cli import paths
from conformance.scenario.load import ScenarioError, load_tree
from conformance.scenario.model import Scenario


class SelectionError(Exception):
    """There is no such scenario, or the scenarios cannot be loaded; ready to print."""


def load_scenarios(folder: Path | None = None) -> list[Scenario]:
    """Load all scenarios. Raises SelectionError with every complaint about them."""
    try:
        return load_tree(folder or paths.scenarios())
    except ScenarioError as errors:
        raise SelectionError(str(errors)) from None


def matching(scenarios: Iterable[Scenario], words: Sequence[str]) -> list[Scenario]:
    """Return the scenarios whose id is, or lies below, one of the words; all without words.

    Raises SelectionError for a word that means none.
    """
    everything = list(scenarios)
    chosen = {id(s) for word in words for s in _meant(everything, word)}
    return [s for s in everything if not words or id(s) in chosen]


def one(scenarios: Iterable[Scenario], word: str) -> Scenario:
    """Return the one scenario of this id; of a file with rows, the first row."""
    return _meant(list(scenarios), word)[0]


def _meant(scenarios: list[Scenario], word: str) -> list[Scenario]:
    name = word.rstrip("/")
    path = Path(name)
    if path.suffix == ".yaml" or path.exists():
        here = path.resolve()
        found = [
            s
            for s in scenarios
            if here == (file := s.position.path.resolve()) or here in file.parents
        ]
    else:
        found = [s for s in scenarios if s.id == name or s.id.startswith((f"{name}/", f"{name}["))]
    if not found:
        near = difflib.get_close_matches(name, [s.id for s in scenarios], n=3)
        hint = f" (did you mean {', '.join(near)}?)" if near else ""
        raise SelectionError(f"no scenario is called {word!r}{hint}; mailproof list shows them all")
    return found
