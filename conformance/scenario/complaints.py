"""What is wrong with a scenario: complaints that say what, where, and what to write instead."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from conformance.scenario.model import Position


class Placed(Protocol):
    """Anything that knows its line and column in the file, both from 1."""

    @property
    def line(self) -> int: ...

    @property
    def column(self) -> int: ...


@dataclass(frozen=True, slots=True)
class Place:
    """A bare line and column, both from 1."""

    line: int
    column: int = 1


@dataclass(frozen=True, slots=True)
class Complaint:
    """One thing that is wrong, and where."""

    position: Position
    message: str
    """What is wrong and what to write instead."""
    rows: tuple[str, ...] = ()
    """The rows in which it is wrong; empty: wrong whatever the row."""

    def __str__(self) -> str:
        rows = f" (row {', '.join(self.rows)})" if self.rows else ""
        return f"{self.position}: {self.message}{rows}"


class ScenarioError(Exception):
    """Scenario files that cannot be accepted; ``complaints`` holds everything found wrong."""

    def __init__(self, complaints: Iterable[Complaint]) -> None:
        self.complaints = tuple(complaints)
        super().__init__("\n".join(str(complaint) for complaint in self.complaints))

    def __reduce__(self) -> tuple[type[ScenarioError], tuple[tuple[Complaint, ...]]]:
        return type(self), (self.complaints,)


class Complaints:
    """Collects what is wrong with one file, while it is read row by row."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.row = ""
        """The name of the row that is being read; empty outside rows."""
        self._found: dict[tuple[int, int, str], list[str]] = {}

    def __len__(self) -> int:
        return len(self._found)

    def add(self, place: Placed, message: str) -> None:
        """Note one complaint; the same one in several rows is noted once."""
        self._found.setdefault((place.line, place.column, message), []).append(self.row)

    def position(self, place: Placed) -> Position:
        """Return the full position of a place in this file."""
        return Position(self.path, place.line, place.column)

    def listed(self, all_rows: int) -> list[Complaint]:
        """Return the complaints by place; rows are named where only some of them are wrong."""
        return [
            Complaint(
                Position(self.path, line, column),
                message,
                () if "" in rows or len(rows) >= all_rows else tuple(rows),
            )
            for (line, column, message), rows in sorted(self._found.items())
        ]


def suggest(word: str, known: Iterable[str], *, otherwise: str = "") -> str:
    """Return “; did you mean X?” when a known word resembles ``word``, else ``otherwise``."""
    spellings = {name.lower(): name for name in known}
    close = difflib.get_close_matches(
        word.lower(), spellings, n=1, cutoff=0.6 if len(word) > 3 else 0.5
    )
    return f"; did you mean “{spellings[close[0]]}”?" if close else otherwise


def either(words: Iterable[str]) -> str:
    """Return ``a, b or c``."""
    *some, last = words
    return f"{', '.join(some)} or {last}" if some else last
