"""Shapes: what a value of a scenario file must look like, how it is read, and its JSON Schema.

The tables of ``given`` and of the steps are made of shapes, and both the loader and the published
schema come from those tables, so the two cannot disagree. A shape that cannot read its node
complains and returns a harmless value of the right type, so that one run finds every mistake.
"""

from __future__ import annotations

import abc
import ipaddress
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from conformance.scenario.complaints import Complaints, either, suggest
from conformance.scenario.nodes import Fields, Items, Node, Text, kind_of
from conformance.scenario.patterns import Pattern, PatternError

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)
JSON = dict[str, Any]

#: What a text may be in an editor, which resolves YAML: 5.1 and 250 are texts here.
TEXT_SCHEMA: JSON = {"type": ["string", "number", "boolean"]}
PLACEHOLDER: JSON = {"type": "string", "pattern": r"^\{[A-Za-z][^{}]*\}$"}

_YES = {"yes": True, "true": True, "on": True, "no": False, "false": False, "off": False}
_SIZE = re.compile(r"([0-9]{1,9}) *([KM]?)", re.IGNORECASE)
_DURATION = re.compile(r"(\d+)\s*([smhd])\s*")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


class Shape(abc.ABC, Generic[T_co]):
    """A kind of value."""

    @abc.abstractmethod
    def read(self, node: Node, complaints: Complaints) -> T_co:
        """Return the value of a node; complain when the node has another shape."""

    @abc.abstractmethod
    def schema(self) -> JSON:
        """Return the JSON Schema of the value."""


def text_of(node: Node, complaints: Complaints, wanted: str) -> str | None:
    """Return a scalar's text, or None after complaining that ``wanted`` stands elsewhere."""
    if isinstance(node, Text) and not node.absent:
        return node.value
    hint = ""
    if isinstance(node, Fields) and node.flow:
        hint = "; put a text that begins with “{” in quotes"
    elif isinstance(node, Items):
        hint = "; put a text that begins with “[” in quotes"
    elif isinstance(node, Text):
        hint = '; write "" for the empty text'
    complaints.add(node, f"{wanted} belongs here, not {kind_of(node)}{hint}")
    return None


@dataclass(frozen=True)
class AnyText(Shape[str]):
    """A text, as typed."""

    what: str = "a text"
    example: str = ""
    lines: bool = True
    """False: one line only."""

    def read(self, node: Node, complaints: Complaints) -> str:
        text = text_of(node, complaints, self.what)
        if text is None:
            return ""
        if not self.lines:
            text = text.removesuffix("\n")
            if "\n" in text:
                complaints.add(node, f"{self.what} is one line")
        return text

    def schema(self) -> JSON:
        return {**TEXT_SCHEMA, **({"examples": [self.example]} if self.example else {})}


@dataclass(frozen=True)
class Parsed(Shape[T]):
    """A text that a function turns into a value; its ValueError says what is wrong."""

    what: str
    make: Callable[[str], T]
    fallback: T
    json: JSON

    def read(self, node: Node, complaints: Complaints) -> T:
        text = text_of(node, complaints, self.what)
        if text is None:
            return self.fallback
        try:
            return self.make(text)
        except ValueError as error:
            complaints.add(node, str(error))
            return self.fallback

    def schema(self) -> JSON:
        return self.json


def _pattern(text: str) -> Pattern:
    try:
        return Pattern.parse(text.removesuffix("\n"))
    except PatternError as error:
        raise ValueError(
            f"{error}; write a glob, or mend what stands between the slashes"
        ) from error


def _address(text: str) -> str:
    try:
        ipaddress.IPv4Address(text)
    except ValueError:
        raise ValueError(f"“{text}” is not an IPv4 address; write one such as 10.1.2.3") from None
    return text


def _flag(text: str) -> bool:
    try:
        return _YES[text.lower()]
    except KeyError:
        raise ValueError(f"“{text}” is neither yes nor no") from None


def duration(text: str) -> int:
    """Return the seconds of ``90s``, ``30m``, ``2h``, ``5d``, ``1d 12h``. Raises ValueError."""
    pieces = _DURATION.findall(text)
    if not pieces or _DURATION.sub("", text):
        raise ValueError(
            f"“{text}” is not a duration; write a number and s, m, h or d, as 30s, 10m, 2h, 5d"
        )
    return sum(int(number) * _SECONDS[unit] for number, unit in pieces)


def size(text: str) -> int:
    """Return the octets of ``2000``, ``50K``, ``3M``. Raises ValueError."""
    match = _SIZE.fullmatch(text.strip())
    octets = int(match[1]) * {"": 1, "K": 1 << 10, "M": 1 << 20}[match[2].upper()] if match else 0
    if not 0 < octets <= 1 << 26:
        raise ValueError(f"“{text}” is no size; write 2000, 50K or 3M, at most 64M")
    return octets


PATTERN: Shape[Pattern] = Parsed(
    "a pattern", _pattern, Pattern("*"), {**TEXT_SCHEMA, "description": "a glob, or /a regex/"}
)
ADDRESS: Shape[str] = Parsed(
    "an IPv4 address",
    _address,
    "",
    {"type": "string", "pattern": r"^(\d{1,3}(\.\d{1,3}){3}|\{[A-Za-z][^{}]*\})$"},
)
FLAG: Shape[bool] = Parsed(
    "yes or no",
    _flag,
    False,
    {"anyOf": [{"type": "boolean"}, {"enum": sorted(_YES)}, PLACEHOLDER]},
)
DURATION: Shape[int] = Parsed(
    "a duration",
    duration,
    1,
    {"type": "string", "pattern": r"^(\d+\s*[smhd]\s*)+$|^\{.*\}$", "examples": ["30m"]},
)
SIZE: Shape[int] = Parsed("a size", size, 0, TEXT_SCHEMA)
TEXT: Shape[str] = AnyText()
LINE: Shape[str] = AnyText(lines=False)


@dataclass(frozen=True)
class Number(Shape[int]):
    """A whole number within bounds."""

    least: int = 0
    most: int | None = None

    def read(self, node: Node, complaints: Complaints) -> int:
        text = text_of(node, complaints, "a number")
        if text is None:
            return self.least
        if not text.isascii() or not text.isdigit():
            complaints.add(node, f"“{text}” is not a whole number; write digits alone")
            return self.least
        value = int(text)
        if value < self.least or (self.most is not None and value > self.most):
            bound = f"at least {self.least}" if value < self.least else f"at most {self.most}"
            complaints.add(node, f"{value} is out of bounds: {bound}")
            return self.least
        return value

    def schema(self) -> JSON:
        bounds: JSON = {"type": "integer", "minimum": self.least}
        if self.most is not None:
            bounds["maximum"] = self.most
        return {"anyOf": [bounds, PLACEHOLDER]}


@dataclass(frozen=True)
class Choice(Shape[str]):
    """One of some words, whatever the letter case."""

    what: str
    words: tuple[str, ...]
    fallback: str = ""
    """What stands for a wrong word; empty: the first word."""

    def read(self, node: Node, complaints: Complaints) -> str:
        text = text_of(node, complaints, self.what)
        if text is None:
            return self.fallback or self.words[0]
        for word in self.words:
            if word.lower() == text.lower():
                return word
        otherwise = f"; write {either(self.words)}"
        complaints.add(
            node, f"“{text}” is not {self.what}{suggest(text, self.words, otherwise=otherwise)}"
        )
        return self.fallback or self.words[0]

    def schema(self) -> JSON:
        return {"anyOf": [{"enum": list(self.words)}, PLACEHOLDER]}


@dataclass(frozen=True)
class Several(Shape[tuple[T, ...]]):
    """One value, or a list of such values."""

    one: Shape[T]
    least: int = 0

    def read(self, node: Node, complaints: Complaints) -> tuple[T, ...]:
        if not isinstance(node, Items):
            return (self.one.read(node, complaints),)
        if len(node.items) < self.least:
            complaints.add(node, "this list is empty; name at least one")
        return tuple(self.one.read(item, complaints) for item in node.items)

    def schema(self) -> JSON:
        one = self.one.schema()
        several: JSON = {"type": "array", "items": one}
        if self.least:
            several["minItems"] = self.least
        return {"anyOf": [one, several]}


@dataclass(frozen=True)
class ListOf(Shape[tuple[T, ...]]):
    """A list, even of one."""

    one: Shape[T]
    what: str

    def read(self, node: Node, complaints: Complaints) -> tuple[T, ...]:
        if not isinstance(node, Items):
            complaints.add(
                node, f"a list of {self.what} belongs here, not {kind_of(node)}; write [one, two]"
            )
            return ()
        return tuple(self.one.read(item, complaints) for item in node.items)

    def schema(self) -> JSON:
        return {"anyOf": [{"type": "array", "items": self.one.schema()}, PLACEHOLDER]}


@dataclass(frozen=True)
class MapOf(Shape[Mapping[str, T]]):
    """A mapping whose keys are the author's own (names, addresses), or of a given set."""

    value: Shape[T]
    what: str
    keys: tuple[str, ...] = ()
    """Empty: any key. Keys are compared whatever their letter case and come out as here."""

    def read(self, node: Node, complaints: Complaints) -> dict[str, T]:
        if not isinstance(node, Fields):
            complaints.add(
                node,
                f"a mapping of {self.what} belongs here, not {kind_of(node)}; write key: value",
            )
            return {}
        known = {key.lower(): key for key in self.keys}
        read: dict[str, T] = {}
        for key, value in node.pairs:
            name = known.get(key.value.lower(), "") if known else key.value
            if not name:
                hint = suggest(key.value, self.keys, otherwise=f"; known: {', '.join(self.keys)}")
                complaints.add(key, f"unknown {self.what} “{key.value}”{hint}")
                continue
            read[name] = self.value.read(value, complaints)
        return read

    def schema(self) -> JSON:
        if self.keys:
            value = self.value.schema()
            mapping: JSON = {
                "type": "object",
                "properties": dict.fromkeys(self.keys, value),
                "additionalProperties": False,
            }
        else:
            mapping = {"type": "object", "additionalProperties": self.value.schema()}
        return {"anyOf": [mapping, PLACEHOLDER]}


@dataclass(frozen=True)
class Free(Shape[Any]):
    """Any value: texts, tuples and dictionaries of texts (settings)."""

    def read(self, node: Node, complaints: Complaints) -> Any:
        if isinstance(node, Text):
            return node.value
        if isinstance(node, Items):
            return tuple(self.read(item, complaints) for item in node.items)
        return {key.value: self.read(value, complaints) for key, value in node.pairs}

    def schema(self) -> JSON:
        return {}


@dataclass(frozen=True)
class Key(Generic[T]):
    """One key of a record: its name in the file, its shape, what it is about."""

    name: str
    shape: Shape[T]
    about: str
    required: bool = False


@dataclass(frozen=True)
class Record(Shape[T]):
    """A mapping with known keys that become one value."""

    what: str
    keys: tuple[Key[Any], ...]
    make: Callable[[dict[str, Any], Node, Complaints], T]
    """Gets the values of the keys that the file has, by the file's names."""
    brief: str = ""
    """The key that a bare text or list stands for, as ``- john`` for ``- name: john``."""

    def read(self, node: Node, complaints: Complaints) -> T:
        return self.make(self.values(node, complaints), node, complaints)

    def values(self, node: Node, complaints: Complaints) -> dict[str, Any]:
        """Return the values of the keys that stand in the file."""
        known = {key.name: key for key in self.keys}
        if self.brief and not isinstance(node, Fields):
            return {self.brief: known[self.brief].shape.read(node, complaints)}
        values: dict[str, Any] = {}
        if isinstance(node, Fields):
            for name, value in node.pairs:
                key = known.get(name.value)
                if key is None:
                    hint = suggest(name.value, known, otherwise=f"; known: {', '.join(known)}")
                    complaints.add(name, f"unknown key “{name.value}” of {self.what}{hint}")
                else:
                    values[key.name] = key.shape.read(value, complaints)
        elif not (isinstance(node, Text) and node.absent):
            complaints.add(
                node,
                f"{self.what} is a mapping, not {kind_of(node)}; its keys: {', '.join(known)}",
            )
            return values
        self._require(node, values, complaints)
        return values

    def _require(self, node: Node, values: Mapping[str, Any], complaints: Complaints) -> None:
        present = {name.value for name, _ in node.pairs} if isinstance(node, Fields) else set()
        for key in self.keys:
            if key.required and key.name not in values and key.name not in present:
                complaints.add(node, f"{self.what} needs the key “{key.name}”: {key.about}")

    def schema(self) -> JSON:
        record = record_schema(self.keys)
        if not self.brief:
            return {"anyOf": [record, PLACEHOLDER]}
        brief = next(key for key in self.keys if key.name == self.brief)
        return {"anyOf": [brief.shape.schema(), record]}


def record_schema(keys: Iterable[Key[Any]]) -> JSON:
    """Return the JSON Schema of a mapping with these keys and no others."""
    keys = tuple(keys)
    record: JSON = {
        "type": "object",
        "properties": {key.name: {"description": key.about, **key.shape.schema()} for key in keys},
        "additionalProperties": False,
    }
    required = [key.name for key in keys if key.required]
    if required:
        record["required"] = required
    return record
