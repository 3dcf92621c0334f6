"""Forwarders and mailing lists: the objects of a domain that are no accounts.

Guide 3.5.2, Forwarders: a forwarder is a name and one e-mail address; it works in the Router as a
``Relay:`` alias record does. LIST Module: a mailing list belongs to an account of its domain, its
owner, and has settings and subscribers. How messages are distributed is the LIST module's affair.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from reference.formats.dictionary import Value
from reference.storage.errors import SettingError
from reference.storage.files import read_dictionary, write_dictionary
from reference.storage.kinds import Choice

if TYPE_CHECKING:
    from reference.storage.domain import Domain

_SECRET = "ConfirmationSecret"
#: What stands among a list's settings without being one.
_OWN = frozenset({"Owner", _SECRET})
#: Subscription modes (Guide 3.5.2, Command Line Interface, Mailing Lists Administration).
MODES = Choice("feed", "digest", "index", "null", "banned")


@dataclass(frozen=True, slots=True, kw_only=True)
class Forwarder:
    """A forwarder object."""

    name: str
    address: str
    """The e-mail address that mail is re-routed to, as the administrator wrote it."""
    domain: Domain


@dataclass(frozen=True, slots=True, kw_only=True)
class Subscriber:
    """A subscriber of a mailing list."""

    address: str
    mode: str = "feed"
    real_name: str = ""


class MailingList:
    """A mailing list of a domain; made by the domain only."""

    def __init__(self, *, domain: Domain, name: str, path: Path) -> None:
        """Know the list whose settings are in the file ``path``."""
        self.domain = domain
        self.name = name
        self._path = path
        self._settings: dict[str, Value] | None = None
        self._subscribers: dict[str, Subscriber] | None = None

    def __repr__(self) -> str:
        return f"<MailingList {self.name}@{self.domain.name}>"

    @property
    def owner(self) -> str:
        """The name of the account that the list belongs to. Raises FileError."""
        return str(self._read().get("Owner", ""))

    @property
    def settings(self) -> dict[str, Value]:
        """The list's settings, as a dictionary of the format. Raises FileError."""
        return {key: value for key, value in self._read().items() if key not in _OWN}

    @property
    def secret(self) -> str:
        """What confirmation IDs are made with; made, durably, when it is first asked for.

        Raises FileError.
        """
        found = self._read().get(_SECRET)
        if isinstance(found, str):
            return found
        made = secrets.token_hex(16)
        self._write({**self._read(), _SECRET: made})
        return made

    def update(self, changes: Mapping[str, Value]) -> None:
        """Set some settings; ``default`` takes one away. Raises SettingError, FileError."""
        if "Owner" in changes:
            raise SettingError("The owner of a Mailing List is not one of its settings")
        if _SECRET in changes:
            raise SettingError(f"{_SECRET} is not a setting")
        settings = {**self._read(), **changes}
        self._write({key: value for key, value in settings.items() if value != "default"})

    def set_owner(self, name: str) -> None:
        """Give the list to another account of the domain. Raises FileError."""
        self._write({**self._read(), "Owner": name})

    @property
    def subscribers(self) -> Mapping[str, Subscriber]:
        """The subscribers by their addresses in lower case. Raises FileError."""
        return self._read_subscribers()

    def subscribe(self, address: str, *, mode: str = "feed", real_name: str = "") -> Subscriber:
        """Add a subscriber or change one, durably. Raises SettingError, FileError."""
        address = address.strip()
        if not address or not address.isprintable():
            raise SettingError("The subscriber's address is incorrect")
        try:
            word = MODES.parse(mode)
        except ValueError as error:
            raise SettingError(f"The subscription mode {error}") from None
        subscriber = Subscriber(address=address, mode=word, real_name=real_name)
        self._write_subscribers({**self._read_subscribers(), address.lower(): subscriber})
        return subscriber

    def unsubscribe(self, address: str) -> bool:
        """Remove a subscriber, durably; tell whether there was one. Raises FileError."""
        subscribers = dict(self._read_subscribers())
        if subscribers.pop(address.strip().lower(), None) is None:
            return False
        self._write_subscribers(subscribers)
        return True

    # Files ---------------------------------------------------------------------------------------

    def moved(self, name: str, path: Path) -> None:
        """Know the list by another name; its files have been renamed."""
        self.name = name
        self._path = path

    @staticmethod
    def subscribers_file(path: Path) -> Path:
        """Return the file of the subscribers that stands next to the one of the settings."""
        return path.with_suffix(".subscribers")

    def _read(self) -> dict[str, Value]:
        if self._settings is None:
            self._settings = read_dictionary(self._path)
        return self._settings

    def _write(self, settings: dict[str, Value]) -> None:
        write_dictionary(self._path, settings)
        self._settings = settings

    def _read_subscribers(self) -> dict[str, Subscriber]:
        if self._subscribers is None:
            kept = read_dictionary(self.subscribers_file(self._path))
            self._subscribers = {
                address.lower(): Subscriber(
                    address=address,
                    mode=_text(value, "Mode") or "feed",
                    real_name=_text(value, "RealName"),
                )
                for address, value in kept.items()
            }
        return self._subscribers

    def _write_subscribers(self, subscribers: dict[str, Subscriber]) -> None:
        kept: dict[str, Value] = {}
        for subscriber in subscribers.values():
            value: dict[str, Value] = {"Mode": subscriber.mode}
            if subscriber.real_name:
                value["RealName"] = subscriber.real_name
            kept[subscriber.address] = value
        write_dictionary(self.subscribers_file(self._path), kept)
        self._subscribers = subscribers


def _text(value: Value, key: str) -> str:
    found = value.get(key, "") if isinstance(value, dict) else ""
    return found if isinstance(found, str) else ""
