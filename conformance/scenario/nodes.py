"""YAML as positioned source text: every value is what the author typed.

YAML 1.1 turns ``no`` into false, ``010`` into 8 and ``12:30`` into 750. A scenario means the words,
so nothing is resolved here: a scalar is its text, and who reads it decides what it must be. Every
node knows its line and column, and a block scalar the line of each of its own lines.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

import yaml

from conformance.scenario.complaints import Complaints, Place

_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclass(frozen=True, slots=True)
class Text:
    """A scalar."""

    value: str
    line: int
    column: int
    style: str = ""
    """``|`` or ``>`` for blocks, a quotation mark, or empty for a plain scalar."""
    indent: int = 0
    """Of a ``|`` block: the column before its text."""
    origins: tuple[int, ...] = ()
    """When row values have added lines: for each line, which line of the source it comes from."""

    def place(self, number: int, offset: int = 0) -> Place:
        """Return where line ``number`` (from 0) of the value stands, ``offset`` into the line."""
        if self.style != "|":
            return Place(self.line, self.column)
        number = self.origins[number] if self.origins else number
        return Place(self.line + 1 + number, self.indent + 1 + offset)

    @property
    def absent(self) -> bool:
        """True for a key without any value after it."""
        return not self.value and not self.style


@dataclass(frozen=True, slots=True)
class Items:
    """A sequence."""

    items: tuple[Node, ...]
    line: int
    column: int


@dataclass(frozen=True, slots=True)
class Fields:
    """A mapping with distinct keys, in the order of the file."""

    pairs: tuple[tuple[Text, Node], ...]
    line: int
    column: int
    flow: bool = False

    def get(self, name: str) -> Node | None:
        """Return the value of a key, or None."""
        return next((node for key, node in self.pairs if key.value == name), None)


Node: TypeAlias = Text | Items | Fields


@dataclass(frozen=True, slots=True)
class Document:
    """A file: its tree and its text."""

    root: Node
    source: str
    lines: tuple[str, ...]


def kind_of(node: Node) -> str:
    """Name a node's kind for a message."""
    if isinstance(node, Text):
        return "nothing" if node.absent else "a text"
    return "a list" if isinstance(node, Items) else "a mapping"


def parse(source: str, complaints: Complaints) -> Document | None:
    """Return the document of a YAML text, or None after complaining."""
    loader = _Loader(source)
    try:
        root = loader.get_single_node()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = Place(mark.line + 1, mark.column + 1) if mark else Place(1)
        problem = error.problem or error.context or "cannot be read"
        complaints.add(place, f"this is not YAML: {problem}; {_advice(problem)}")
        return None
    except yaml.YAMLError as error:
        complaints.add(Place(1), f"this is not YAML: {error}")
        return None
    finally:
        loader.dispose()
    lines = tuple(source.split("\n"))
    if root is None:
        complaints.add(Place(1), "the file is empty; a scenario begins with “title:”")
        return None
    try:
        return Document(_convert(root, lines, complaints), source, lines)
    except RecursionError:
        complaints.add(Place(1), "an alias (*name) of the file contains itself; write it out")
        return None


def _advice(problem: str) -> str:
    """Return what most often helps against a YAML error."""
    if "mapping values are not allowed" in problem:
        return "put a text that contains “: ” in quotes"
    if "found character" in problem:
        return "put a text that begins with %, @, ` or a tab in quotes, and indent with blanks"
    if "alias" in problem or "anchor" in problem:
        return "put a text that begins with * or & in quotes"
    return "look at the indentation and the quotes just before this place"


def _convert(node: yaml.Node, lines: tuple[str, ...], complaints: Complaints) -> Node:
    line, column = node.start_mark.line + 1, node.start_mark.column + 1
    if isinstance(node, yaml.ScalarNode):
        style = node.style or ""
        indent = _indent(node.value, lines[line:]) if style == "|" else 0
        return Text(node.value, line, column, style, indent)
    if isinstance(node, yaml.SequenceNode):
        items = tuple(_convert(item, lines, complaints) for item in node.value)
        return Items(items, line, column)
    pairs: list[tuple[Text, Node]] = []
    seen: dict[str, int] = {}
    for key_node, value_node in node.value:
        key = _convert(key_node, lines, complaints)
        value = _convert(value_node, lines, complaints)
        if not isinstance(key, Text):
            complaints.add(key, f"a key must be a text, not {kind_of(key)}; put it in quotes")
        elif key.value in seen:
            complaints.add(
                key, f"the key “{key.value}” stands here twice (first in line {seen[key.value]})"
            )
        else:
            seen[key.value] = key.line
            pairs.append((key, value))
    return Fields(tuple(pairs), line, column, bool(getattr(node, "flow_style", False)))


def _indent(value: str, following: tuple[str, ...]) -> int:
    """Return how far a literal block is indented in the file."""
    for content, raw in zip(value.split("\n"), following, strict=False):
        if content.strip():
            return len(raw) - len(raw.lstrip(" ")) - (len(content) - len(content.lstrip(" ")))
    return 0


class RowValues:
    """Puts the values of one row in wherever ``{key}`` stands."""

    def __init__(self, values: Mapping[str, Node]) -> None:
        self._values = values
        self._placeholder = placeholder(values)
        self.used: set[str] = set()

    def fill(self, node: Node, complaints: Complaints) -> Node:
        """Return the node with the row's values; untouched parts are the same objects."""
        if isinstance(node, Text):
            return self._fill_text(node, complaints)
        if isinstance(node, Items):
            items = tuple(self.fill(item, complaints) for item in node.items)
            return node if _same(items, node.items) else Items(items, node.line, node.column)
        pairs: list[tuple[Text, Node]] = []
        for key, value in node.pairs:
            new_key = self._fill_text(key, complaints)
            if not isinstance(new_key, Text):
                complaints.add(key, f"the row's value for {key.value} is a key here, so a text")
                continue
            pairs.append((new_key, self.fill(value, complaints)))
        if len(pairs) == len(node.pairs) and all(
            a is c and b is d for (a, b), (c, d) in zip(pairs, node.pairs, strict=True)
        ):
            return node
        self._refuse_doubles(pairs, complaints)
        return Fields(tuple(pairs), node.line, node.column, node.flow)

    @staticmethod
    def _refuse_doubles(pairs: list[tuple[Text, Node]], complaints: Complaints) -> None:
        seen: set[str] = set()
        for key, _ in pairs:
            if key.value in seen:
                complaints.add(key, f"the row makes “{key.value}” a key of this mapping twice")
            seen.add(key.value)

    def _fill_text(self, node: Text, complaints: Complaints) -> Node:
        if "{" not in node.value:
            return node
        whole = self._placeholder.fullmatch(node.value)
        if whole:
            self.used.add(whole[1])
            return self._values[whole[1]]
        lines: list[str] = []
        origins: list[int] = []
        for number, line in enumerate(node.value.split("\n")):
            filled = self._placeholder.sub(lambda m: self._word(m, node, complaints), line)
            for piece in filled.split("\n"):
                lines.append(piece)
                origins.append(number)
        value = "\n".join(lines)
        if value == node.value:
            return node
        kept = tuple(origins) if len(set(origins)) < len(origins) else ()
        return Text(value, node.line, node.column, node.style, node.indent, kept)

    def _word(self, found: re.Match[str], node: Text, complaints: Complaints) -> str:
        value = self._values[found[1]]
        self.used.add(found[1])
        if isinstance(value, Text):
            return value.value.removesuffix("\n") if value.style == "|" else value.value
        complaints.add(
            node,
            f"the row's value for {found[0]} is {kind_of(value)}, so it must stand alone, "
            f"not inside a longer text",
        )
        return ""


def placeholder(names: Mapping[str, Node]) -> re.Pattern[str]:
    """Return the expression that finds ``{key}`` of the rows' keys."""
    words = "|".join(re.escape(name) for name in sorted(names, key=len, reverse=True))
    return re.compile(r"\{(" + (words or r"(?!)") + r")\}")


def _same(new: tuple[Node, ...], old: tuple[Node, ...]) -> bool:
    return all(a is b for a, b in zip(new, old, strict=True))
