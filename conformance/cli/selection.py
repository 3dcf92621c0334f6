"""Which scenarios the user means: by chapter, by id, by row, by path."""

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
    """Load the scenarios below a folder (default: the project's), or those of one file.

    Raises SelectionError with every complaint about them.
    """
    try:
        return load_tree(folder or paths.scenarios())
    except ScenarioError as errors:
        raise SelectionError(str(errors)) from None


def matching(scenarios: Iterable[Scenario], words: Sequence[str]) -> list[Scenario]:
    """Return the scenarios that the words mean, in order; all of them without words.

    A word is an id, the beginning of ids (a chapter, a file with rows), or a path; a path may also
    lead to scenarios that are none of the given ones. Raises SelectionError for a word that means
    none.
    """
    everything = list(scenarios)
    if not words:
        return everything
    chosen = {
        scenario.position: scenario for word in words for scenario in _meant(everything, word)
    }
    known = {scenario.position for scenario in everything}
    inside = [scenario for scenario in everything if scenario.position in chosen]
    return inside + [scenario for at, scenario in chosen.items() if at not in known]


def one(scenarios: Iterable[Scenario], word: str) -> Scenario:
    """Return the scenario that a word means, the first one of several rows.

    Raises SelectionError when it means none, or several that are no rows of one file.
    """
    found = _meant(list(scenarios), word)
    if len({scenario.position.path for scenario in found}) > 1:
        raise SelectionError(f"{word!r} means {len(found)} scenarios; name one of them")
    return found[0]


def arguments(chosen: Iterable[Scenario], scenarios: Iterable[Scenario]) -> list[str]:
    """Return what pytest is to be told to collect: files, and single rows as ``FILE::ID``.

    ``scenarios`` are all that there are, to tell whether a file is chosen as a whole.
    """
    ids: dict[Path, list[str]] = {}
    for scenario in chosen:
        ids.setdefault(scenario.position.path, []).append(scenario.id)
    rows: dict[Path, int] = {}
    for scenario in scenarios:
        rows[scenario.position.path] = rows.get(scenario.position.path, 0) + 1
    found = []
    for path, wanted in ids.items():
        absolute = path.absolute()
        if len(wanted) >= rows.get(path, 0):
            found.append(str(absolute))
        else:
            found += [f"{absolute}::{case_id}" for case_id in wanted]
    return found


def _meant(scenarios: list[Scenario], word: str) -> list[Scenario]:
    name = word.rstrip("/")
    found = [s for s in scenarios if s.id == name or s.id.startswith((f"{name}/", f"{name}["))]
    path = Path(word)
    if not found and path.exists():
        here = path.resolve()
        found = [s for s in scenarios if _is_below(s.position.path.resolve(), here)]
        found = found or load_scenarios(path)
    if not found:
        near = difflib.get_close_matches(name, [s.id for s in scenarios], n=3)
        hint = f" (did you mean {' or '.join(near)}?)" if near else ""
        raise SelectionError(f"no scenario is called {word!r}{hint}; mailproof list shows them all")
    return found


def _is_below(file: Path, place: Path) -> bool:
    return file == place or place in file.parents
