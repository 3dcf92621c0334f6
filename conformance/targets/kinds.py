"""Kinds of targets: from a target file to the class that runs its server.

A kind is a subclass of :class:`conformance.targets.base.Target` that is called with the TargetFile.
It is named by an entry point of the group ``conformance.targets``, or as ``module:Class``, of a
module that is installed or lies beside the target file. The kind that comes with the harness needs
no installation.
"""

from __future__ import annotations

import sys
from importlib.metadata import EntryPoint, entry_points

from conformance.targets.base import Target
from conformance.targets.file import TargetFile, TargetFileError, suggest

GROUP = "conformance.targets"
_BUILT_IN = {"cli": EntryPoint(name="cli", value="conformance.targets.cli:CLITarget", group=GROUP)}


def make_target(file: TargetFile) -> Target:
    """Return the target of a file. Raises TargetFileError for an unknown or broken kind."""
    if ":" in file.kind:
        return _load(file, _beside(file))
    known = {**{point.name: point for point in entry_points(group=GROUP)}, **_BUILT_IN}
    if file.kind not in known:
        near = suggest(file.kind, tuple(known)) or f"; known: {', '.join(sorted(known))}"
        raise TargetFileError(f"{file.path}: kind: {file.kind!r} is not a kind of target{near}")
    return _load(file, known[file.kind])


def _beside(file: TargetFile) -> EntryPoint:
    folder = str(file.path.parent)
    if folder not in sys.path:
        sys.path.append(folder)
    return EntryPoint(name=file.kind, value=file.kind, group=GROUP)


def _load(file: TargetFile, point: EntryPoint) -> Target:
    try:
        kind = point.load()
    except (ImportError, AttributeError) as error:
        raise TargetFileError(
            f"{file.path}: kind: {file.kind!r} cannot be loaded: {error}"
        ) from error
    target: Target = kind(file)
    return target
