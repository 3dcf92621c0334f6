"""The grammar of command lines: words, values, and the usage notation of the command table.

Guide 3.5.2, Command Line Interface, CLI Syntax. A command line is a row of words, strings, arrays
and dictionaries in the Dictionary format. Keywords are unquoted and their letter case does not
matter. A string needs quotation marks only if it has a blank, a quotation mark, a comma, a
semicolon, a backslash or a bracket: the documents' own samples send ``1.3.6.1`` and
``MyList@mydomain.com`` unquoted.

How a command is written is declared in the documents' notation, and the declaration is the parser::

    accountName:string [type:MultiMailbox|TextMailbox] [external] [settings:dictionary]

``name:string``, ``name:number``, ``name:array`` and ``name:dictionary`` are values,
``name:object`` is any of these, ``name:A|B`` is one of the words A and B, ``name:rest`` is the text
up to the end of the line, a bare name is a keyword, and brackets enclose what may be left out.

Nothing here knows a command, and nothing is executed.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast

from reference.formats import dictionary
from reference.formats.dictionary import DictionaryError, Value

__all__ = ["Arguments", "CommandSyntaxError", "Token", "Usage", "split_name", "tokenize"]

_BLANKS = " \t"
_QUOTED = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"')
_BARE = re.compile(r'[^\s"\\(){},;\x00-\x1f\x7f]+')
_NUMBER = re.compile(r"-?[0-9]{1,18}")
_NAME = re.compile(r"[ \t]*([A-Za-z][A-Za-z0-9]*)")


class CommandSyntaxError(Exception):
    """A command line breaks the grammar at ``column`` (from 1). ``text`` says what was expected."""

    def __init__(self, column: int, text: str) -> None:
        super().__init__(f"column {column}: {text}")
        self.column = column
        self.text = text


@dataclass(frozen=True, slots=True)
class Token:
    """One word or value of a command line."""

    value: Value
    column: int
    """Where it begins, from 1."""
    bare: bool
    """True when it is not quoted, so that it may be a keyword."""


def split_name(line: str) -> tuple[str, int]:
    """Return the command's name and the index behind it; the name is empty if there is none."""
    match = _NAME.match(line)
    if match is None:
        return "", 0
    return match[1], match.end()


def tokenize(line: str, at: int = 0) -> list[Token]:
    """Cut a command line into its words and values from the index ``at`` on.

    Raises CommandSyntaxError.
    """
    tokens: list[Token] = []
    end = len(line)
    while True:
        while at < end and line[at] in _BLANKS:
            at += 1
        if at >= end:
            return tokens
        token, at = _token(line, at)
        tokens.append(token)


def _token(line: str, at: int) -> tuple[Token, int]:
    first = line[at]
    if first in "({":
        try:
            value, end = dictionary.parse_prefix(line, at)
        except DictionaryError as error:
            raise CommandSyntaxError(error.column, error.text) from None
        return Token(value, at + 1, bare=False), end
    if first == '"':
        quoted = _QUOTED.match(line, at)
        if quoted is None:
            raise CommandSyntaxError(at + 1, "the string has no closing quotation mark")
        try:
            value = dictionary.parse(quoted[0])
        except DictionaryError as error:
            raise CommandSyntaxError(at + error.column, error.text) from None
        return Token(value, at + 1, bare=False), quoted.end()
    bare = _BARE.match(line, at)
    if bare is None:
        raise CommandSyntaxError(at + 1, f"unexpected {_shown(first)}")
    return Token(bare[0], at + 1, bare=True), bare.end()


def _shown(symbol: str) -> str:
    return symbol if symbol.isprintable() else f"symbol with the code {ord(symbol)}"


@dataclass(frozen=True, slots=True)
class _Word:
    text: str

    def accepts(self, token: Token) -> bool:
        value = token.value
        return token.bare and isinstance(value, str) and value.lower() == self.text.lower()

    def describe(self) -> str:
        return self.text

    def store(self, token: Token, found: dict[str, Value]) -> None:
        found[self.text.lower()] = self.text


@dataclass(frozen=True, slots=True)
class _Choice:
    name: str
    words: tuple[str, ...]

    def accepts(self, token: Token) -> bool:
        return self._word(token) is not None

    def _word(self, token: Token) -> str | None:
        if not token.bare or not isinstance(token.value, str):
            return None
        given = token.value.lower()
        return next((word for word in self.words if word.lower() == given), None)

    def describe(self) -> str:
        return " or ".join(self.words)

    def store(self, token: Token, found: dict[str, Value]) -> None:
        found[self.name] = self._word(token) or ""


@dataclass(frozen=True, slots=True)
class _Value:
    name: str
    kind: str

    def accepts(self, token: Token) -> bool:
        value = token.value
        match self.kind:
            case "string":
                return isinstance(value, str)
            case "number":
                return isinstance(value, str) and _NUMBER.fullmatch(value) is not None
            case "array":
                return isinstance(value, list)
            case "dictionary":
                return isinstance(value, dict)
        return True

    def describe(self) -> str:
        return f"{self.name} ({self.kind})"

    def store(self, token: Token, found: dict[str, Value]) -> None:
        found[self.name] = token.value


@dataclass(frozen=True, slots=True)
class _Rest:
    name: str

    def describe(self) -> str:
        return self.name


@dataclass(frozen=True, slots=True)
class _Group:
    nodes: tuple[_Node, ...]


_Single = _Word | _Choice | _Value
_Node = _Single | _Rest | _Group


class Arguments:
    """The values of a command line by the names of its usage."""

    def __init__(self, found: Mapping[str, Value]) -> None:
        self._found = found

    def given(self, name: str) -> bool:
        """Tell whether a value, or a keyword in lower case, stands in the command line."""
        return name in self._found

    def text(self, name: str) -> str:
        """Return a string; the empty string when it was left out."""
        return cast("str", self._found.get(name, ""))

    def optional(self, name: str) -> str | None:
        """Return a string, or None when it was left out."""
        return cast("str | None", self._found.get(name))

    def array(self, name: str) -> list[Value]:
        """Return an array; an empty one when it was left out."""
        return cast("list[Value]", self._found.get(name, []))

    def dictionary(self, name: str) -> dict[str, Value]:
        """Return a dictionary; an empty one when it was left out."""
        return cast("dict[str, Value]", self._found.get(name, {}))

    def number(self, name: str, default: int) -> int:
        """Return a number; ``default`` when it was left out."""
        return int(cast("str", self._found[name])) if name in self._found else default


class Usage:
    """How a command is written; made from the notation in the module's docstring."""

    def __init__(self, notation: str) -> None:
        self.notation = notation
        words = notation.replace("[", " [ ").replace("]", " ] ").split()
        self.nodes = _compile(words)
        if words:
            raise ValueError(f"unbalanced brackets in the usage: {notation}")

    def parse(self, line: str, at: int = 0) -> Arguments:
        """Read the parameters of a command line from the index ``at`` on.

        Raises CommandSyntaxError with the place that fits no form of the command.
        """
        if not self.nodes and not line[at:].strip(_BLANKS):
            return Arguments({})
        return _Reading(line, at, self.nodes).arguments()


def _compile(words: list[str]) -> tuple[_Node, ...]:
    """Take nodes off the front of ``words``, up to the end or a closing bracket."""
    nodes: list[_Node] = []
    while words:
        if words[0] == "]":
            break
        word = words.pop(0)
        if word == "[":
            group = _Group(_compile(words))
            if not words:
                raise ValueError("a bracket is not closed")
            words.pop(0)
            nodes.append(group)
        else:
            nodes.append(_single(word))
    return tuple(nodes)


def _single(word: str) -> _Node:
    name, colon, kind = word.partition(":")
    if not colon:
        return _Word(name)
    if kind in ("string", "number", "array", "dictionary", "object"):
        return _Value(name, kind)
    if kind == "rest":
        return _Rest(name)
    return _Choice(name, tuple(kind.split("|")))


def _ends_freely(nodes: tuple[_Node, ...]) -> bool:
    last = nodes[-1] if nodes else None
    return isinstance(last, _Rest) or (isinstance(last, _Group) and _ends_freely(last.nodes))


class _Reading:
    """One attempt to fit a command line to a usage; the deepest failure is the one to report."""

    def __init__(self, line: str, at: int, nodes: tuple[_Node, ...]) -> None:
        self._line = line
        self._nodes = nodes
        self._deepest = -1
        self._expected: list[str] = []
        # Text up to the end of the line obeys no grammar of ours, so its tokens may be broken.
        free = _ends_freely(nodes)
        self._tokens = self._loosely(at) if free else tokenize(line, at)

    def _loosely(self, at: int) -> list[Token]:
        tokens = []
        for match in re.finditer(r'"[^"]*"|[^\s"]+', self._line[at:]):
            text = match[0]
            bare = not text.startswith('"')
            tokens.append(Token(text if bare else text[1:-1], at + match.start() + 1, bare))
        return tokens

    def arguments(self) -> Arguments:
        """Return the arguments or raise CommandSyntaxError."""
        found = self._fit(self._nodes, 0, {})
        if found is not None:
            return Arguments(found)
        if self._deepest < len(self._tokens):
            column = self._tokens[self._deepest].column
        else:
            column = len(self._line) + 1
        raise CommandSyntaxError(column, "expected " + ", or ".join(self._expected))

    def _fit(
        self, nodes: tuple[_Node, ...], at: int, found: dict[str, Value]
    ) -> dict[str, Value] | None:
        if not nodes:
            if at == len(self._tokens):
                return found
            self._fail(at, "the end of the command")
            return None
        node, rest = nodes[0], nodes[1:]
        if isinstance(node, _Group):
            taken = self._fit(node.nodes + rest, at, dict(found))
            return taken if taken is not None else self._fit(rest, at, found)
        if at == len(self._tokens):
            self._fail(at, node.describe())
            return None
        token = self._tokens[at]
        if isinstance(node, _Rest):
            found[node.name] = self._line[token.column - 1 :].strip(_BLANKS)
            return found
        if not node.accepts(token):
            self._fail(at, node.describe())
            return None
        node.store(token, found)
        return self._fit(rest, at + 1, found)

    def _fail(self, at: int, expected: str) -> None:
        if at > self._deepest:
            self._deepest = at
            self._expected = []
        if at == self._deepest and expected not in self._expected:
            self._expected.append(expected)
