"""A dictionary of settings in a file of its own: an account's, a domain's, a template.

Only explicitly set values stand in it. Reading is put off until the first use, so that a domain
with 100,000 accounts opens without reading 100,000 files.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from reference.formats.dictionary import Value
from reference.storage.files import make_folder, read_dictionary, write_dictionary
from reference.storage.table import Table


class SettingsFile:
    """The explicit settings of one object."""

    __slots__ = ("_changed", "_check", "_explicit", "_path", "_remark", "_table", "_typed")

    def __init__(
        self,
        path: Path,
        table: Table,
        *,
        check: Callable[[Mapping[str, Any]], None] | None = None,
        changed: Callable[[], object] | None = None,
        remark: Callable[[str], None] | None = None,
    ) -> None:
        """``check`` gets the typed values to come and raises to refuse them; ``changed`` is called
        after a change; ``remark`` is told, as a sentence, which values in the file have no effect.
        """
        self._path = path
        self._table = table
        self._check = check
        self._changed = changed
        self._remark = remark
        self._explicit: dict[str, Value] | None = None
        self._typed: dict[str, Any] = {}

    def explicit(self) -> dict[str, Value]:
        """Return the explicitly set values, as a dictionary of the format. Raises FileError."""
        return dict(self._read())

    def typed(self) -> Mapping[str, Any]:
        """Return the explicitly set values typed. Raises FileError."""
        self._read()
        return self._typed

    def update(self, changes: Mapping[str, Value]) -> None:
        """Set some values; ``default`` takes one away. Raises SettingError, FileError; then
        nothing has changed.
        """
        self._write(self._table.merge(self._read(), changes))

    def replace(self, values: Mapping[str, Value]) -> None:
        """Set values in place of all. Raises SettingError, FileError; then nothing has changed."""
        self._write(self._table.merge({}, values))

    def moved(self, path: Path) -> None:
        """Know the file by another path, where it is already."""
        self._path = path

    def _read(self) -> dict[str, Value]:
        if self._explicit is None:
            explicit = read_dictionary(self._path)
            self._take(explicit)
            if self._remark is not None:
                for fault in self._table.faults(explicit):
                    self._remark(f"{self._path.parent.name}/{self._path.name}: {fault}")
        assert self._explicit is not None
        return self._explicit

    def _take(self, explicit: dict[str, Value]) -> None:
        self._typed = self._table.typed(explicit)
        self._explicit = explicit

    def _write(self, explicit: dict[str, Value]) -> None:
        if self._check is not None:
            self._check(self._table.typed(explicit))
        if explicit == self._explicit:
            return
        make_folder(self._path.parent)
        write_dictionary(self._path, explicit)
        self._take(explicit)
        if self._changed is not None:
            self._changed()
