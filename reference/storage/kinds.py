"""Kinds of setting values: how each is read from the dictionary format, checked and printed.

A kind turns a value of the format (a string, an array, a dictionary) into a typed one and back;
what is printed is read as the same value. Words are compared without regard to letter case and
printed as the documents write them. :meth:`Kind.parse` raises ValueError with a text that says what
to write instead. Nothing here knows of any particular setting.
"""

from __future__ import annotations

import abc
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address
from typing import Any

from reference.formats import values
from reference.formats.dictionary import Value


class Kind(abc.ABC):
    """A kind of values."""

    @abc.abstractmethod
    def parse(self, value: Value) -> Any:
        """Return the typed value. Raises ValueError."""

    @abc.abstractmethod
    def print(self, value: Any) -> Value:
        """Return the value as the dictionary format has it."""

    @property
    @abc.abstractmethod
    def description(self) -> str:
        """What to write, for help and complaints."""


def _string(value: Value, kind: Kind) -> str:
    if isinstance(value, str):
        return value
    raise ValueError(f"a string is expected: {kind.description}")


def _strings(value: Value, kind: Kind) -> list[str]:
    """Return an array of strings; a string stands for its parts between commas or lines."""
    if isinstance(value, str):
        return [part.strip() for part in re.split(r"[,\r\n]+", value) if part.strip()]
    if isinstance(value, list):
        found = [part.strip() for part in value if isinstance(part, str)]
        if len(found) == len(value):
            return [part for part in found if part]
    raise ValueError(f"an array of strings is expected: {kind.description}")


@dataclass(frozen=True)
class Text(Kind):
    """Any string."""

    description: str = "a string"

    def parse(self, value: Value) -> str:
        return _string(value, self)

    def print(self, value: str) -> Value:
        return value


@dataclass(frozen=True)
class Anything(Kind):
    """A value of any form, for settings that this server keeps and does not use."""

    description: str = "a string, an array or a dictionary"

    def parse(self, value: Value) -> Value:
        return value

    def print(self, value: Value) -> Value:
        return value


@dataclass(frozen=True)
class YesNo(Kind):
    """A flag."""

    description: str = "YES or NO"

    def parse(self, value: Value) -> bool:
        return values.parse_flag(_string(value, self))

    def print(self, value: bool) -> Value:
        return values.print_flag(value)


@dataclass(frozen=True)
class Number(Kind):
    """A whole number within limits; ``unlimited`` may be written when -1 is one."""

    least: int = 0
    most: int = 1_000_000_000

    @property
    def description(self) -> str:
        return f"a number from {self.least} to {self.most}"

    def parse(self, value: Value) -> int:
        text = _string(value, self).strip()
        if self.least < 0 and text.lower() == "unlimited":
            return -1
        if not re.fullmatch(r"-?[0-9]{1,12}", text) or not self.least <= int(text) <= self.most:
            raise ValueError(f"{text!r} is incorrect; write {self.description}")
        return int(text)

    def print(self, value: int) -> Value:
        return str(value)


@dataclass(frozen=True)
class Size(Kind):
    """A number of octets, or unlimited."""

    description: str = "a size such as 2048, 100K, 3M, 1G or unlimited"

    def parse(self, value: Value) -> int:
        return values.parse_size(_string(value, self))

    def print(self, value: int) -> Value:
        return values.print_size(value)


@dataclass(frozen=True)
class Duration(Kind):
    """A time span in seconds, or never."""

    description: str = "a time such as 30s, 10m, 2h, 1d or never"

    def parse(self, value: Value) -> float:
        return values.parse_duration(_string(value, self))

    def print(self, value: float) -> Value:
        return values.print_duration(value)


class Choice(Kind):
    """One word of several; the first of a tuple is printed, the others are read, too."""

    def __init__(self, *words: str | tuple[str, ...]) -> None:
        spellings = [word if isinstance(word, tuple) else (word,) for word in words]
        self.words = tuple(spelling[0] for spelling in spellings)
        self._read = {_key(word): spelling[0] for spelling in spellings for word in spelling}

    @property
    def description(self) -> str:
        """The words."""
        return "one of " + ", ".join(self.words)

    def parse(self, value: Value) -> str:
        """Return the word as it is printed."""
        text = _string(value, self)
        word = self._read.get(_key(text))
        if word is None:
            raise ValueError(f"{text!r} is incorrect; write {self.description}")
        return word

    def print(self, value: str) -> Value:
        """Return the word."""
        return value


def _key(word: str) -> str:
    return " ".join(word.lower().split())


#: The words of the log levels, from 0 (Guide 3.5.2, Server Logs; 3 is Problems, 5 is All Info).
LEVEL_WORDS = ("Crashes Only", "Failures", "Major & Failures", "Problems", "Low-Level", "All Info")


@dataclass(frozen=True)
class LogLevel(Kind):
    """A log level, as its number or its word."""

    description: str = "a log level: 0 to 5, or one of " + ", ".join(LEVEL_WORDS)

    def parse(self, value: Value) -> int:
        text = _string(value, self).strip()
        if re.fullmatch("[0-5]", text):
            return int(text)
        word = re.sub(r"[^a-z]", "", text.lower())
        for number, level in enumerate(LEVEL_WORDS):
            letters = re.sub(r"[^a-z]", "", level.lower())
            if word == letters or (number == 2 and word == "major"):
                return number
        raise ValueError(f"{text!r} is incorrect; write {self.description}")

    def print(self, value: int) -> Value:
        return str(value)


@dataclass(frozen=True)
class Strings(Kind):
    """An array of strings; a string with commas between them is read, too."""

    description: str = "an array of strings"

    def parse(self, value: Value) -> tuple[str, ...]:
        return tuple(_strings(value, self))

    def print(self, value: Iterable[str]) -> Value:
        return list(value)


@dataclass(frozen=True)
class StringMap(Kind):
    """A dictionary of strings."""

    description: str = "a dictionary of strings"

    def parse(self, value: Value) -> dict[str, str]:
        found: dict[str, str] = {}
        for key, text in value.items() if isinstance(value, dict) else ():
            if isinstance(text, str) and key.strip() and text.strip():
                found[key.strip()] = text.strip()
        if not isinstance(value, dict) or len(found) < len(value):
            raise ValueError(f"{self.description} is expected, none of them empty")
        return found

    def print(self, value: Mapping[str, str]) -> Value:
        return dict(value)


@dataclass(frozen=True)
class Lines(Kind):
    """An array of strings that count as they are, blanks and line ends too; empty ones vanish."""

    description: str = "an array of strings"

    def parse(self, value: Value) -> tuple[str, ...]:
        found = [value] if isinstance(value, str) else value
        if not isinstance(found, list):
            raise ValueError(f"an array of strings is expected: {self.description}")
        lines = [line for line in found if isinstance(line, str)]
        if len(lines) != len(found):
            raise ValueError(f"an array of strings is expected: {self.description}")
        return tuple(line for line in lines if line.strip())

    def print(self, value: Iterable[str]) -> Value:
        return list(value)


@dataclass(frozen=True)
class Addresses(Kind):
    """An array of IPv4 addresses; brackets around them are read, too."""

    description: str = "an array of IP addresses such as 10.0.0.5"

    def parse(self, value: Value) -> tuple[str, ...]:
        found = []
        for text in _strings(value, self):
            try:
                found.append(str(IPv4Address(text.removeprefix("[").removesuffix("]"))))
            except ValueError:
                raise ValueError(f"{text!r} is incorrect; write {self.description}") from None
        return tuple(dict.fromkeys(found))

    def print(self, value: Iterable[str]) -> Value:
        return list(value)


#: The services of accounts and domains (Guide 3.5.2, Domains, Enabling Messaging Services).
SERVICES = (
    *("Mail", "POP", "IMAP", "PWD", "ACAP", "WebMail"),
    *("WebSite", "Relay", "Mobile", "FTP", "MAPI", "TLS"),
)
_SERVICES = {service.lower(): service for service in SERVICES}


@dataclass(frozen=True)
class Services(Kind):
    """A set of services: All, None or an array. Newer servers put a number first."""

    description: str = "All, None or an array of " + ", ".join(SERVICES)

    def parse(self, value: Value) -> frozenset[str]:
        names = _strings(value, self)
        if len(names) == 1 and names[0].lower() in {"all", "none"}:
            return frozenset(SERVICES if names[0].lower() == "all" else ())
        if names and names[0].isdigit():
            del names[0]
        for name in names:
            if name.lower() not in _SERVICES:
                raise ValueError(f"{name!r} is no service; write {self.description}")
        return frozenset(_SERVICES[name.lower()] for name in names)

    def print(self, value: frozenset[str]) -> Value:
        if not value:
            return "None"
        return "All" if len(value) == len(SERVICES) else [s for s in SERVICES if s in value]
