"""Two files of a domain that join names: account aliases, and access rights.

Guide 3.5.2, Account Data (Domain Files): ``Aliases.data`` and ``Access.settings``. Both are read at
the first use and written as a whole.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

from reference.formats.dictionary import Value
from reference.storage.files import make_folder, read_dictionary, write_dictionary


class Aliases:
    """The account aliases of a domain: alias → account."""

    def __init__(self, path: Path, *, changed: Callable[[], object]) -> None:
        """``changed`` is called after a change."""
        self._path = path
        self._changed = changed
        self._accounts: dict[str, str] | None = None  # alias in lower case → account
        self._names: dict[str, list[str]] = {}  # account → aliases as they were entered

    def account(self, alias: str) -> str | None:
        """Return the account of an alias in lower case."""
        return self._read().get(alias)

    def of(self, account: str) -> tuple[str, ...]:
        """Return an account's aliases as they were entered."""
        self._read()
        return tuple(self._names.get(account, ()))

    def set(self, account: str, aliases: Iterable[str]) -> None:
        """Give an account these aliases and no others, durably. Raises FileError."""
        self._read()
        names = {**self._names, account: list(aliases)}
        self._write(names)

    def rename(self, old: str, new: str) -> None:
        """Give an account's aliases to its new name, durably. Raises FileError."""
        self._read()
        if old in self._names:
            names = dict(self._names)
            names[new] = names.pop(old)
            self._write(names)

    def drop(self, account: str) -> None:
        """Remove an account's aliases, durably. Raises FileError."""
        if self.of(account):
            self.set(account, ())

    def moved(self, path: Path) -> None:
        """Know the file by another path."""
        self._path = path

    def _read(self) -> dict[str, str]:
        if self._accounts is None:
            kept = read_dictionary(self._path)
            names: dict[str, list[str]] = {}
            for alias, account in kept.items():
                names.setdefault(str(account).lower(), []).append(alias)
            self._take(names)
        assert self._accounts is not None
        return self._accounts

    def _take(self, names: dict[str, list[str]]) -> None:
        self._names = {account: aliases for account, aliases in names.items() if aliases}
        self._accounts = {
            alias.lower(): account for account, aliases in names.items() for alias in aliases
        }

    def _write(self, names: dict[str, list[str]]) -> None:
        kept: dict[str, Value] = {
            alias: account for account, aliases in names.items() for alias in aliases
        }
        make_folder(self._path.parent)
        write_dictionary(self._path, kept)
        self._take(names)
        self._changed()


class Rights:
    """The access rights of a domain's accounts, as they are spelled in the file."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._rights: dict[str, frozenset[str]] | None = None

    def of(self, account: str) -> frozenset[str]:
        """Return the rights granted to an account. Raises FileError."""
        return self._read().get(account, frozenset())

    def set(self, account: str, rights: Iterable[str]) -> None:
        """Grant these rights and no others, durably. Raises FileError."""
        self._write({**self._read(), account: frozenset(rights)})

    def rename(self, old: str, new: str) -> None:
        """Give an account's rights to its new name, durably. Raises FileError."""
        rights = dict(self._read())
        if old in rights:
            rights[new] = rights.pop(old)
            self._write(rights)

    def drop(self, account: str) -> None:
        """Revoke all rights of an account, durably. Raises FileError."""
        if self.of(account):
            self.set(account, ())

    def moved(self, path: Path) -> None:
        """Know the file by another path."""
        self._path = path

    def _read(self) -> dict[str, frozenset[str]]:
        if self._rights is None:
            kept = read_dictionary(self._path)
            self._rights = {
                account.lower(): frozenset(
                    str(right) for right in (rights if isinstance(rights, list) else [rights])
                )
                for account, rights in kept.items()
            }
        return self._rights

    def _write(self, rights: dict[str, frozenset[str]]) -> None:
        granted = {account: names for account, names in rights.items() if names}
        kept: dict[str, Value] = {account: [*sorted(n)] for account, n in granted.items()}
        make_folder(self._path.parent)
        write_dictionary(self._path, kept)
        self._rights = granted
