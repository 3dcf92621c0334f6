"""Kinds of targets: from a target file to the class that runs its server.

A kind is an entry point of the group ``conformance.targets``: a subclass of
:class:`conformance.targets.base.Target` that is called with the TargetFile. The kinds that come
with the harness need no installation.
"""

from __future__ import annotations

from importlib.metadata import EntryPoint, entry_points

from conformance.targets.base import Target
from conformance.targets.file import TargetFile, TargetFileError, suggest

GROUP = "conformance.targets"
_BUILT_IN = {"cli": EntryPoint(name="cli", value="conformance.targets.cli:CLITarget", group=GROUP)}


def make_target(file: TargetFile) -> Target:
    """Return the target of a file. Raises TargetFileError for an unknown or broken kind."""
    known = {**{point.name: point for point in entry_points(group=GROUP)}, **_BUILT_IN}
    if file.kind not in known:
        near = suggest(file.kind, tuple(known)) or f"; known: {', '.join(sorted(known))}"
        raise TargetFileError(f"{file.path}: kind: {file.kind!r} is not a kind of target{near}")
    try:
        kind = known[file.kind].load()
    except (ImportError, AttributeError) as error:
        raise TargetFileError(
            f"{file.path}: kind: {file.kind!r} cannot be loaded: {error}"
        ) from error
    target: Target = kind(file)
    return target
