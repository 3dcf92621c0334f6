"""Small scenario files for the tests of the loader."""

from __future__ import annotations

from pathlib import Path

from conformance.scenario.complaints import Complaint, ScenarioError
from conformance.scenario.load import ScenarioTree
from conformance.scenario.model import Scenario

HEAD = """\
title: A title
source: Guide > Chapter
level: beyond
"""
CATALOGUE = (
    '[[case]]\nid = "ROUTE-001"\ntitle = "one"\n\n[[case]]\nid = "ROUTE-002"\ntitle = "two"\n'
)


def tree(folder: Path) -> ScenarioTree:
    """Return a tree with a catalogue of two entries and the fixture plain.eml."""
    root = folder / "scenarios"
    (root / "catalogue").mkdir(parents=True, exist_ok=True)
    (root / "catalogue" / "some.toml").write_text(CATALOGUE)
    messages = folder / "fixtures" / "messages"
    messages.mkdir(parents=True, exist_ok=True)
    (messages / "plain.eml").write_text("Subject: plain\r\n\r\n")
    return ScenarioTree(root)


def load(folder: Path, text: str, name: str = "chapter/case.yaml") -> list[Scenario]:
    """Write one scenario file and load it."""
    its_tree = tree(folder)
    path = its_tree.root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return its_tree.load(path)


def load_one(folder: Path, text: str) -> Scenario:
    """Load a file that holds one scenario."""
    (scenario,) = load(folder, text)
    return scenario


def complaints(folder: Path, text: str, name: str = "chapter/case.yaml") -> list[str]:
    """Return the complaints about a file, as ``line:column: message``."""
    start = f"{folder / 'scenarios' / name}:"
    found: tuple[Complaint, ...] = ()
    try:
        load(folder, text, name)
    except ScenarioError as error:
        found = error.complaints
    assert all(str(complaint).startswith(start) for complaint in found)
    return [str(complaint).removeprefix(start) for complaint in found]
