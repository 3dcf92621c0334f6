"""Tables of settings: what a module's dictionary may hold, and how a change to it is checked.

A :class:`Setting` joins a keyword, the label that the documents' pages show, a kind, a default and
a document. A :class:`Table` is all settings of a module, of domains or of accounts; it turns a
change into the new dictionary or refuses it as a whole. The word ``default`` as a value takes the
explicit value away (Guide 3.5.2, Objects, Default Settings). Keywords are case-sensitive, as keys
of a dictionary are (Data Formats). Nothing here knows of files.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from typing import Any

from reference.formats.dictionary import Value
from reference.storage.errors import SettingError
from reference.storage.kinds import Kind


class Setting:
    """One setting; ``default`` is typed."""

    __slots__ = ("default", "document", "keyword", "kind", "label")

    def __init__(
        self, keyword: str, label: str, kind: Kind, default: Value, document: str = ""
    ) -> None:
        self.keyword = keyword
        self.label = label
        self.kind = kind
        self.default: Any = kind.parse(default)
        self.document = document

    def parse(self, value: Value) -> Any:
        """Return a value typed. Raises SettingError."""
        try:
            return self.kind.parse(value)
        except ValueError as error:
            raise SettingError(f"{self.keyword}: {error}") from None

    def __repr__(self) -> str:
        return f"<Setting {self.keyword}>"


class Table(tuple[Setting, ...]):
    """The settings of a module, in the order of the documents' page.

    An ``open`` table also keeps keywords that it does not know: accounts and domains bear custom
    settings (Guide 3.5.2, Accounts).
    """

    __slots__ = ()
    open = False

    def __new__(cls, settings: Iterable[Setting]) -> Table:
        """Make a table; keywords must differ."""
        table = super().__new__(cls, settings)
        keywords = [setting.keyword for setting in table]
        if len(set(keywords)) != len(keywords):
            raise ValueError("a keyword stands twice in a table of settings")
        return table

    def setting(self, keyword: str) -> Setting | None:
        """Return a setting by its keyword."""
        return next((setting for setting in self if setting.keyword == keyword), None)

    def merge(
        self, explicit: Mapping[str, Value], changes: Mapping[str, Value]
    ) -> dict[str, Value]:
        """Return the explicit values after ``changes``, printed in the one form.

        Raises SettingError for the first bad keyword or value.
        """
        merged = dict(explicit)
        for keyword, value in changes.items():
            setting = self.setting(keyword)
            if isinstance(value, str) and value.lower() == "default":
                if setting is None and not self.open:
                    raise self._unknown(keyword)
                merged.pop(keyword, None)
            elif setting is not None:
                merged[keyword] = setting.kind.print(setting.parse(value))
            elif self.open:
                merged[keyword] = value
            else:
                raise self._unknown(keyword)
        return merged

    def typed(self, explicit: Mapping[str, Value]) -> dict[str, Any]:
        """Return explicit values typed; the unknown ones of an open table stay as they are.

        A value that cannot be understood (a file edited by hand) is left out, as if it were not
        there; :meth:`faults` names it.
        """
        result: dict[str, Any] = {}
        for keyword, value in explicit.items():
            setting = self.setting(keyword)
            if setting is None:
                if self.open:
                    result[keyword] = value
                continue
            try:
                result[keyword] = setting.parse(value)
            except SettingError:
                continue
        return result

    def faults(self, explicit: Mapping[str, Value]) -> list[str]:
        """Return a sentence for each keyword and value that has no effect."""
        found: list[str] = []
        for keyword, value in explicit.items():
            setting = self.setting(keyword)
            if setting is None:
                if not self.open:
                    found.append(self._unknown(keyword).text)
                continue
            try:
                setting.parse(value)
            except SettingError as error:
                found.append(f"{error.text}; the default is used")
        return found

    def printed(self, typed: Mapping[str, Any]) -> dict[str, Value]:
        """Return typed values as the dictionary format has them, defaults for those left out."""
        result: dict[str, Value] = {}
        for setting in self:
            result[setting.keyword] = setting.kind.print(
                typed.get(setting.keyword, setting.default)
            )
        for keyword, value in typed.items():
            result.setdefault(keyword, value)
        return result

    def _unknown(self, keyword: str) -> SettingError:
        near = difflib.get_close_matches(keyword, [setting.keyword for setting in self], 1)
        hint = f"; did you mean {near[0]}?" if near else ""
        return SettingError(f"Unknown setting {keyword[:60]!r}{hint}")


class OpenTable(Table):
    """A table that keeps keywords that it does not know."""

    __slots__ = ()
    open = True
