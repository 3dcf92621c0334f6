"""The catalogue: what the documents say that a test can check, as entries with ids.

Loading all files takes a good part of a second, and only coverage and reports need the entries'
words. Whoever just needs to know which ids exist asks :func:`scan_ids`, which reads no TOML.
"""

from __future__ import annotations

import functools
import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

_ID_LINE = re.compile(rb'^id *= *"([^"\n]*)"', re.MULTILINE)


class CatalogueError(Exception):
    """A catalogue file that cannot be read; one clear sentence with the file's name."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One statement of the documents."""

    id: str
    """``ROUTE-012``: area and number."""
    title: str
    source: str = ""
    lines: str = ""
    kind: str = ""
    via: tuple[str, ...] = ()
    given: str = ""
    when: str = ""
    then: str = ""
    priority: int = 2
    note: str = ""
    untestable: str = ""
    """Why no black-box test can check it; empty: it can be checked."""

    @property
    def area(self) -> str:
        """The id without its number."""
        return area_of(self.id)


@dataclass(frozen=True, slots=True)
class Catalogue:
    """All entries, in the order of the files."""

    entries: Mapping[str, Entry] = field(default_factory=lambda: MappingProxyType({}))

    @classmethod
    def load(cls, folder: Path) -> Catalogue:
        """Read every TOML file of a folder. Raises CatalogueError."""
        entries: dict[str, Entry] = {}
        for path in sorted(folder.glob("*.toml")):
            for entry in _entries(path):
                if entry.id in entries:
                    raise CatalogueError(f"{path}: the id {entry.id} stands in the catalogue twice")
                entries[entry.id] = entry
        return cls(MappingProxyType(entries))

    def __len__(self) -> int:
        return len(self.entries)

    def __contains__(self, entry_id: object) -> bool:
        return entry_id in self.entries

    def __iter__(self) -> Iterator[Entry]:
        return iter(self.entries.values())

    def __getitem__(self, entry_id: str) -> Entry:
        return self.entries[entry_id]

    def areas(self) -> dict[str, tuple[Entry, ...]]:
        """Return the entries by area, areas in the order of the catalogue."""
        areas: dict[str, list[Entry]] = {}
        for entry in self:
            areas.setdefault(entry.area, []).append(entry)
        return {area: tuple(entries) for area, entries in areas.items()}


def area_of(entry_id: str) -> str:
    """Return the area of an id: ``ROUTE`` of ``ROUTE-012``."""
    return entry_id.rpartition("-")[0]


def _entries(path: Path) -> Iterator[Entry]:
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8")).get("case", [])
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, OSError) as error:
        raise CatalogueError(f"{path}: this catalogue file cannot be read: {error}") from error
    for number, table in enumerate(tables, 1):
        yield _entry(path, number, table)


_FIELDS = frozenset(Entry.__dataclass_fields__)


def _entry(path: Path, number: int, table: dict[str, Any]) -> Entry:
    for key in ("id", "title"):
        if not isinstance(table.get(key), str):
            raise CatalogueError(f"{path}: entry {number} has no {key}")
    unknown = sorted(set(table) - _FIELDS)
    if unknown:
        raise CatalogueError(
            f"{path}: {table['id']} has the unknown key {unknown[0]!r}; "
            f"known: {', '.join(sorted(_FIELDS))}"
        )
    return Entry(**{**table, "via": tuple(table.get("via", ()))})


def scan_ids(folder: Path) -> frozenset[str]:
    """Return all ids of a catalogue folder, in a few milliseconds; a missing folder has none."""
    files = sorted(folder.glob("*.toml"))
    return _scan(tuple((str(path), path.stat().st_mtime_ns) for path in files))


@functools.lru_cache(maxsize=8)
def _scan(files: tuple[tuple[str, int], ...]) -> frozenset[str]:
    ids: set[str] = set()
    for name, _ in files:
        ids.update(found.decode() for found in _ID_LINE.findall(Path(name).read_bytes()))
    return frozenset(ids)
