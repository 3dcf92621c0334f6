"""Fixtures: where the messages and certificates that scenarios name are found."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path


def fixtures_folder(scenarios: Path) -> Path:
    """Return the folder that holds ``messages/`` for a tree of scenarios.

    It is ``fixtures`` beside the tree's root, or the suite's own when there is none.
    """
    package = Path(__file__).resolve().parent.parent
    beside = scenarios.absolute().parent / "fixtures"
    candidates = (beside, package.parent / "fixtures", package / "_data" / "fixtures")
    return next((folder for folder in candidates if folder.is_dir()), beside)


def message_names(fixtures: Path) -> frozenset[str]:
    """Return the names of all messages of a fixtures folder."""
    folder = fixtures / "messages"
    return frozenset(path.name for path in folder.iterdir()) if folder.is_dir() else frozenset()


def certificate_texts(fixtures: Path) -> Mapping[str, str]:
    """Return ``certificates/NAME`` → text for the keys and certificates of a fixtures folder."""
    folder = fixtures / "certificates"
    paths = sorted(folder.iterdir()) if folder.is_dir() else []
    return {
        f"certificates/{path.name}": path.read_text(encoding="ascii").strip()
        for path in paths
        if path.suffix in (".pem", ".key")
    }
