r"""The documents' data format: strings, arrays and dictionaries as text.

Guide 3.5.2, Data Formats: a string is an atom or stands in quotation marks, ``(a, b)`` is an array,
``{key = value;}`` is a dictionary. They become ``str``, ``list`` and ``dict`` here. ``\e``, the
system-independent line end, is read as a line feed, and a line feed is printed as ``\e``.

Reading is generous where servers of this family differ: an atom may hold ``-_.@!#%:*/+`` too,
quoted strings side by side join, newer data types (``#123``, ``#NULL#``, ``#I[1.2.3.4]:25``,
``[base64]``) are kept as the text that they are. Printing keeps to the strict rule: letters and
digits, or quotation marks.
"""

from __future__ import annotations

import re
from typing import TypeAlias

Value: TypeAlias = "str | list[Value] | dict[str, Value]"

_SPACE = re.compile(r"\s*")
_ATOM = re.compile(r"(?:#I\[[^\]]*\](?::\d+)?|\[[^\]]*\]|[A-Za-z0-9_.@!#%:*/+\x80-\U0010ffff-]+)")
_STRICT_ATOM = re.compile(r"[A-Za-z0-9]+\Z")
_ESCAPES = {"r": "\r", "n": "\n", "e": "\n", "t": "\t", "\\": "\\", '"': '"'}
_PRINTED = {"\r": "\\r", "\n": "\\e", "\t": "\\t", "\\": "\\\\", '"': '\\"'}
_DEEPEST = 100


class DictionaryError(ValueError):
    """A text that is not in the format; ``line`` and ``column`` count from 1."""

    def __init__(self, complaint: str, line: int, column: int) -> None:
        super().__init__(f"line {line}, column {column}: {complaint}")
        self.line = line
        self.column = column


def parse(text: str) -> Value:
    """Return the one value that the text is. Raises DictionaryError."""
    parser = _Parser(text)
    value = parser.value(0)
    parser.space()
    if parser.at < len(text):
        raise parser.error("something stands behind the value")
    return value


def dump(value: Value | tuple[str, ...]) -> str:
    """Return the value as text on one line, as a command of the CLI needs it."""
    if isinstance(value, str):
        return _dump_string(value)
    if isinstance(value, dict):
        return "{" + "".join(f"{_dump_string(k)}={dump(v)};" for k, v in value.items()) + "}"
    return "(" + ",".join(dump(element) for element in value) + ")"


def kind_of_data(value: Value) -> str:
    """Return ``dictionary``, ``array`` or ``string``."""
    return {dict: "dictionary", list: "array"}.get(type(value), "string")


def _dump_string(text: str) -> str:
    if _STRICT_ATOM.match(text):
        return text
    return '"' + "".join(map(_dump_character, text)) + '"'


def _dump_character(character: str) -> str:
    if character in _PRINTED:
        return _PRINTED[character]
    return f"\\{ord(character):03d}" if character < " " or character == "\x7f" else character


class _Parser:
    """A reading position in a text."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0

    def error(self, complaint: str) -> DictionaryError:
        before = self.text[: self.at]
        return DictionaryError(
            complaint, before.count("\n") + 1, self.at - (before.rfind("\n") + 1) + 1
        )

    def space(self) -> str:
        """Skip white space and return the character behind it, an empty string at the end."""
        found = _SPACE.match(self.text, self.at)
        self.at = found.end() if found else self.at
        return self.text[self.at : self.at + 1]

    def value(self, depth: int) -> Value:
        if depth > _DEEPEST:
            raise self.error(f"nested more than {_DEEPEST} deep")
        following = self.space()
        if following == "(":
            return self._array(depth)
        if following == "{":
            return self._dictionary(depth)
        return self._string()

    def _array(self, depth: int) -> list[Value]:
        self.at += 1
        elements: list[Value] = []
        if self.space() == ")":
            self.at += 1
            return elements
        while True:
            elements.append(self.value(depth + 1))
            following = self.space()
            if following not in (",", ")") or not following:
                raise self.error("a comma or a closing parenthesis is missing")
            self.at += 1
            if following == ")":
                return elements

    def _dictionary(self, depth: int) -> dict[str, Value]:
        self.at += 1
        pairs: dict[str, Value] = {}
        while self.space() != "}":
            start = self.at
            key = self._string()
            if key in pairs:
                self.at = start
                raise self.error(f"the key {key!r} stands here twice")
            self._sign("=")
            pairs[key] = self.value(depth + 1)
            self._sign(";")
        self.at += 1
        return pairs

    def _sign(self, sign: str) -> None:
        if self.space() != sign:
            raise self.error(f"{sign!r} is missing")
        self.at += 1

    def _string(self) -> str:
        if self.space() == '"':
            parts = [self._quoted()]
            while self._another_quoted():
                parts.append(self._quoted())
            return "".join(parts)
        found = _ATOM.match(self.text, self.at)
        if found is None:
            raise self.error("a value is missing")
        self.at = found.end()
        return found[0]

    def _another_quoted(self) -> bool:
        behind = self.at
        if self.space() == '"':
            return True
        self.at = behind
        return False

    def _quoted(self) -> str:
        self.at += 1
        parts: list[str] = []
        while True:
            character = self.text[self.at : self.at + 1]
            if not character:
                raise self.error("the quotation mark that ends a string is missing")
            if character == '"':
                self.at += 1
                return "".join(parts)
            parts.append(self._escape() if character == "\\" else character)
            self.at += 1

    def _escape(self) -> str:
        """Return what an escape stands for; the position is left on its last character."""
        number = self.text[self.at + 1 : self.at + 4]
        if len(number) == 3 and number.isascii() and number.isdigit():
            self.at += 3
            return chr(int(number))
        self.at += 1
        letter = self.text[self.at : self.at + 1]
        if letter not in _ESCAPES or not letter:
            self.at -= 1
            raise self.error(f"\\{letter} is not an escape")
        return _ESCAPES[letter]
