"""Steps ``queued``, ``log``, ``file``, ``write``: what the server keeps on its disk."""

from __future__ import annotations

import uuid
from pathlib import Path

from conformance.run.scene import Mismatch, Scene
from conformance.scenario.model import Step
from conformance.scenario.steps import FileStep, LogStep, QueuedStep, WriteStep
from conformance.targets.base import TargetError
from conformance.targets.dictionary import DictionaryError, dump, kind_of_data, parse

_FILES = "files"
_PROGRAM_MODE, _FILE_MODE = 0o755, 0o644


async def judge_queued(scene: Scene, step: Step) -> None:
    """Count the message files in the queue. Raises Mismatch."""
    value: QueuedStep = step.value
    await scene.rest()
    found = scene.session.queue_files()
    if len(found) != value.messages:
        names = ", ".join(path.name for path in found) or "none"
        raise Mismatch(f"{len(found)} messages are queued ({names}), expected {value.messages}")


async def judge_log(scene: Scene, step: Step) -> None:
    """Look for lines of the log. Raises Mismatch."""
    value: LogStep = step.value
    await scene.rest()
    lines = scene.session.log_lines()
    for pattern in value.patterns:
        found = next((line for line in lines if pattern.matches(line)), None)
        if found is None and not value.negated:
            for line in lines[-20:]:
                scene.transcript.remark(line, channel="log")
            raise Mismatch(f"no line of the log {_is(pattern.describe())}")
        if found is not None and value.negated:
            scene.transcript.remark(found, channel="log", bad=True)
            raise Mismatch(f"a line of the log {_is(pattern.describe())}: {found}")


async def judge_file(scene: Scene, step: Step) -> None:
    """Look into files under the base directory. Raises Mismatch."""
    value: FileStep = step.value
    await scene.rest()
    found = sorted(path for path in scene.session.base.glob(value.path) if path.is_file())
    if value.count is not None and len(found) != value.count:
        raise Mismatch(f"{len(found)} files match {value.path}, expected {value.count}")
    if value.count is None and not found:
        raise Mismatch(f"no file matches {value.path}{_neighbours(scene.session.base, value.path)}")
    for path in found:
        links = path.stat().st_nlink
        if value.links is not None and links != value.links:
            name = path.relative_to(scene.session.base)
            raise Mismatch(f"{name} has {links} hard link(s), expected {value.links}")
        text = path.read_text(encoding="utf-8", errors="backslashreplace").replace("\r\n", "\n")
        complaint = _file_unmet(text, value)
        if complaint:
            name = path.relative_to(scene.session.base)
            for line in text.splitlines()[:40]:
                scene.transcript.remark(line, channel=str(name))
            raise Mismatch(f"{name}: {complaint}")


def _file_unmet(text: str, value: FileStep) -> str:
    """Return what the file lacks, or an empty string."""
    for pattern in value.contains:
        if not pattern.found_in(text):
            return f"has nothing that is {pattern.describe()}"
    for pattern in value.lacks:
        if pattern.found_in(text):
            return f"has something that is {pattern.describe()}"
    for pattern in value.matches:
        if not any(pattern.matches(line) for line in text.splitlines()):
            return f"no line {_is(pattern.describe())}"
    if value.is_text is not None and text.rstrip("\n") != value.is_text:
        return f"is {text.rstrip(chr(10))!r}, expected {value.is_text!r}"
    return _other_data(text, value)


def _other_data(text: str, value: FileStep) -> str:
    if not value.shape and value.dictionary is None:
        return ""
    try:
        found = parse(text)
    except DictionaryError as error:
        return f"is not data: {error}"
    if value.shape and kind_of_data(found) != value.shape:
        return f"is {dump(found)}, expected data of the kind {value.shape}"
    expected = found if value.dictionary is None else parse(value.dictionary)
    return "" if found == expected else f"is {dump(found)}, expected {dump(expected)}"


def _is(described: str) -> str:
    return described if described.startswith("matches ") else f"is {described}"


def _neighbours(base: Path, pattern: str) -> str:
    """Name what stands in the folder where the file should be."""
    folder = base / Path(pattern).parent
    if "*" in str(folder) or not folder.is_dir():
        return ""
    names = ", ".join(sorted(path.name for path in folder.iterdir())[:12])
    return f" (there is {names})" if names else " (the folder is empty)"


async def judge_write(scene: Scene, step: Step) -> None:
    """Make a file while the server is stopped. Raises TargetError."""
    if scene.session.running:
        raise TargetError("the scenario writes a file while the server runs: stop it first")
    await judge_put(scene, step)


async def judge_put(scene: Scene, step: Step) -> None:
    """Make a file that appears as a whole. Raises TargetError."""
    value: WriteStep = step.value
    path = scene.session.base / value.path
    if not path.resolve().is_relative_to(scene.session.base.resolve()):
        raise TargetError(f"the scenario writes outside the base directory: {value.path}")
    path.parent.mkdir(parents=True, exist_ok=True)
    # A name of its own beside the server's folder: a file that is not complete is nobody's.
    draft = scene.session.base.with_name(f"{scene.session.base.name}-{uuid.uuid4().hex}")
    draft.write_text(value.text, encoding="utf-8", newline="")
    draft.chmod(_PROGRAM_MODE if value.program else _FILE_MODE)
    draft.rename(path)
    scene.transcript.remark(f"wrote {value.path}", channel=_FILES)
