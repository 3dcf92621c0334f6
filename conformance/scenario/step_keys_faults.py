"""The keys of steps about what befalls the server computer: its disk, its clock."""

from __future__ import annotations

import re
from pathlib import PurePosixPath
from typing import Any

from conformance.scenario.shapes import (
    SIZE,
    TEXT_SCHEMA,
    Key,
    Parsed,
    Several,
    Shape,
    duration,
    size,
)
from conformance.scenario.step_keys_world import Values, record
from conformance.scenario.steps import ClockStep, DiskStep

FULL, FREE = "full", "free"
_JUMP = re.compile(r"(forward|back) +(.*)", re.IGNORECASE)


def _space(text: str) -> int | None:
    if text.lower() == FREE:
        return None
    return 0 if text.lower() == FULL else size(text)


def _folder(text: str) -> str:
    path = PurePosixPath(text)
    if not text or path.is_absolute() or ".." in path.parts:
        raise ValueError(f"“{text}” is no directory below the base directory; write Queue")
    return str(path)


def _jump(text: str) -> ClockStep:
    match = _JUMP.fullmatch(text.strip())
    if match is None:
        raise ValueError(f"“{text}” says not where the clock goes; write forward 2d, or back 2d")
    seconds = duration(match[2])
    return ClockStep(seconds if match[1].lower() == "forward" else -seconds)


_FOLDERS: Shape[tuple[str, ...]] = Several(
    Parsed("a directory", _folder, "Queue", {**TEXT_SCHEMA, "examples": ["Queue"]})
)

DISK = record(
    "disk",
    Key(
        "space",
        Parsed("what is left", _space, None, {**SIZE.schema(), "examples": [FULL, FREE, "100K"]}),
        "full, free, or what is left, as 100K",
    ),
    Key("read only", _FOLDERS, "directories below the base directory that cannot be written now"),
    Key("writable", _FOLDERS, "those of them that can be written again"),
    brief="space",
)

CLOCK: Shape[ClockStep] = Parsed(
    "a jump of the clock",
    _jump,
    ClockStep(0),
    {"type": "string", "pattern": r"^(forward|back) .*$|^\{.*\}$", "examples": ["back 2d"]},
)


def disk(values: Values) -> DiskStep:
    """Return the step ``disk``."""
    return DiskStep(
        space_changes="space" in values,
        left=values.get("space"),
        read_only=values.get("read only", ()),
        writable=values.get("writable", ()),
    )


def clock(value: Any) -> ClockStep:
    """Return the step ``clock``."""
    step: ClockStep = value
    return step
