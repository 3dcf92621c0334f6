"""The server's settings: explicit values in files, typed values for everybody else.

Guide 3.5.2, System Administration. Each module has a dictionary of the explicitly set values in
``Settings/MODULE.settings`` (``Main.settings`` for the server itself); what is not set has the
default of the registry. A change is checked as a whole, written durably, and then told to the
subscribers; a change that is refused changes nothing. Texts that are no dictionaries (the Routing
Table) are files of the same folder.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from reference.formats.dictionary import Value
from reference.storage.errors import SettingError
from reference.storage.files import (
    encode,
    make_folder,
    read_dictionary,
    read_text,
    replace_file,
    write_dictionary,
)
from reference.storage.registry import MODULE_ALIASES, SETTINGS
from reference.storage.table import Setting, Table

__all__ = [
    "ROUTER_TABLE",
    "SERVER_RULES",
    "SETTINGS",
    "Setting",
    "SettingError",
    "Settings",
    "Table",
]

#: The file with the text of the Routing Table.
ROUTER_TABLE = "Router.table"
#: The name of the text that holds the Server-Wide Rules, in the dictionary format.
SERVER_RULES = "Rules.data"

Guard = Callable[[Mapping[str, Any]], None]


class Settings:
    """The settings of modules, and the server-wide defaults of domains and accounts."""

    def __init__(self, base: Path) -> None:
        """Read the files of a base directory. Raises FileError for one that cannot be read."""
        self._folder = base / "Settings"
        self._explicit: dict[str, dict[str, Value]] = {}
        self._typed: dict[str, dict[str, Any]] = {}
        self._subscribers: dict[str, list[Callable[[], object]]] = {}
        self._guards: dict[str, list[Guard]] = {}
        self.version = 0
        """Another number after each change of a value."""
        for module in SETTINGS:
            self._take(module, read_dictionary(self._path(module)))

    def name_of(self, module: str) -> str:
        """Return a module's name as it is written. Raises SettingError for an unknown one."""
        wanted = module.lower()
        for name in SETTINGS:
            if name.lower() == wanted:
                return name
        if wanted in MODULE_ALIASES:
            return MODULE_ALIASES[wanted]
        raise SettingError(f"Unknown module {module[:60]!r}")

    def get(self, module: str, keyword: str) -> Any:
        """Return the typed value in force. Module and keyword must exist (KeyError else)."""
        return self._typed[module][keyword]

    def module(self, module: str) -> dict[str, Value]:
        """Return the explicitly set values, as a dictionary of the format. Raises SettingError."""
        return dict(self._explicit[self.name_of(module)])

    def effective(self, module: str) -> dict[str, Value]:
        """Return all values in force, as a dictionary of the format. Raises SettingError."""
        name = self.name_of(module)
        return SETTINGS[name].printed(self._typed[name])

    def typed(self, module: str) -> Mapping[str, Any]:
        """Return the explicitly set values of a module typed; see :meth:`Table.typed`."""
        return SETTINGS[module].typed(self._explicit[module])

    def typed_effective(self, module: str) -> Mapping[str, Any]:
        """Return all values of a module in force, typed."""
        return self._typed[module]

    def faults(self) -> list[str]:
        """Return a sentence for each value in the files that has no effect, with its file."""
        return [
            f"{self._path(module).name}: {fault}"
            for module, explicit in self._explicit.items()
            for fault in SETTINGS[module].faults(explicit)
        ]

    def update(self, module: str, changes: Mapping[str, Value]) -> None:
        """Set some values; the value ``default`` takes the explicit one away.

        Raises SettingError, and changes nothing, when any keyword or value is bad.
        """
        name = self.name_of(module)
        self._change(name, SETTINGS[name].merge(self._explicit[name], changes))

    def replace(self, module: str, values: Mapping[str, Value]) -> None:
        """Set values in place of all explicit ones. Raises SettingError and changes nothing."""
        name = self.name_of(module)
        self._change(name, SETTINGS[name].merge({}, values))

    def subscribe(self, module: str, callback: Callable[[], object]) -> Callable[[], None]:
        """Call ``callback`` after each change of a module; return what ends the subscription.

        ``Router.table`` and other texts are subscribed to by their file names.
        """
        subscribers = self._subscribers.setdefault(module, [])
        subscribers.append(callback)
        return lambda: subscribers.remove(callback)

    def guard(self, module: str, check: Guard) -> None:
        """Let ``check`` refuse changes: it gets the values to come and raises SettingError."""
        self._guards.setdefault(module, []).append(check)

    def text(self, name: str) -> str:
        """Return a text such as ``Router.table``, its lines ended by LF; empty without the file."""
        return read_text(self._folder / name) or ""

    def set_text(self, name: str, text: str) -> None:
        """Replace a text durably and tell its subscribers. Raises FileError."""
        make_folder(self._folder)
        replace_file(self._folder / name, encode(text.replace("\r\n", "\n")))
        self._tell(name)

    def _change(self, module: str, explicit: dict[str, Value]) -> None:
        typed = self._with_defaults(module, explicit)
        for check in self._guards.get(module, ()):
            check(typed)
        if explicit == self._explicit[module]:
            return
        make_folder(self._folder)
        write_dictionary(self._path(module), explicit)
        self._take(module, explicit)
        self._tell(module)

    def _take(self, module: str, explicit: dict[str, Value]) -> None:
        self._explicit[module] = explicit
        self._typed[module] = self._with_defaults(module, explicit)
        self.version += 1

    def _with_defaults(self, module: str, explicit: Mapping[str, Value]) -> dict[str, Any]:
        table = SETTINGS[module]
        return {s.keyword: s.default for s in table} | table.typed(explicit)

    def _tell(self, name: str) -> None:
        for callback in tuple(self._subscribers.get(name, ())):
            callback()

    def _path(self, module: str) -> Path:
        return self._folder / f"{'Main' if module == 'Server' else module}.settings"
