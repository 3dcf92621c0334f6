"""Where the project's own data lie: scenarios, fixtures and target files.

In a checkout they stand at its top; an installed wheel carries them inside the package. A path that
the user names always wins.
"""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parents[1]
#: What marks a folder called ``scenarios`` as one of ours.
_MARKS = ("catalogue", "scenario.schema.json")


class DataMissingError(Exception):
    """A folder of the project's own data is not there; one sentence."""


def own(name: str, package: Path = _PACKAGE) -> Path:
    """Return the project's own folder ``scenarios``, ``fixtures`` or ``targets``.

    Raises DataMissingError.
    """
    # An installed package stands beside strangers' folders, so its own data come first.
    for folder in (package / "_data" / name, package.parent / name):
        if folder.is_dir():
            return folder
    raise DataMissingError(f"the folder {name}/ is missing from this installation of mailproof")


def scenarios() -> Path:
    """Return the folder of the scenarios: the current folder's, else the project's own."""
    here = Path.cwd() / "scenarios"
    is_ours = any((here / mark).exists() for mark in _MARKS)
    return here if is_ours else own("scenarios")


def reference_target() -> Path:
    """Return the target file of the reference server."""
    return own("targets") / "reference.toml"
