r"""The Dictionary format: strings, arrays and dictionaries as text.

Guide 3.5.2, Data Formats. Settings files and the CLI write their values in this format::

    object     ::= string | array | dictionary
    string     ::= atom | quoted
    array      ::= ( [ object { , object } ] )
    dictionary ::= { { string = object ; } }

Between these parts there may be any number of blanks, tabs and line ends. Keys are unique and
case-sensitive; the last value of a dictionary needs its semicolon, too.

*Printing* is strict, as the formal syntax demands: an atom has ASCII letters and digits alone,
everything else is quoted. *Reading* is wider, for the sake of clients of newer servers: an atom may
hold ``- _ . @ ! # % :``, quoted strings that follow each other join, and numbers (``#12``), times
(``#T22-10-2009_15:24:45``), network addresses (``#I[10.0.0.1]:25``), data blocks (``[aGVsbG8=]``)
and the null object (``#NULL#``) become strings (the null object the empty one), because this
version knows no other kinds.

In a quoted string ``\\`` and ``\"`` stand for themselves, ``\r \n \t`` for the codes 13, 10 and 9,
``\nnn`` for the *decimal* code nnn of an octet, and ``\e`` for the line end of the system. In
memory that line end is CR LF: so ``\e`` comes back as ``\e``, while a lone ``\r`` or ``\n`` comes
back as such. :func:`with_line_ends` turns a text with other line ends into this form.

Strings are text; octets that are no UTF-8 are kept as surrogate escapes, and printed as ``\nnn``.
Nothing here knows what a key means.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping, Sequence
from typing import TypeAlias

__all__ = ["DictionaryError", "Value", "dump", "parse", "parse_prefix", "with_line_ends"]

Value: TypeAlias = "str | list[Value] | dict[str, Value]"
#: What :func:`dump` takes: read-only collections do, too.
Printable: TypeAlias = "str | Sequence[Printable] | Mapping[str, Printable]"

_MAX_DEPTH = 100

_BLANKS = re.compile(r"[ \t\r\n]*")
# a-symbol, widened; letters and digits of any script are letters and digits.
_ATOM = re.compile(r"[\w\-.@!#%:]+")
_STRICT_ATOM = re.compile(r"[A-Za-z0-9]+")
_PLAIN = re.compile(r'[^"\\\x00-\x08\x0a-\x1f\x7f]*')
_ESCAPE = re.compile(r'\\(?:([\\"rnet])|([0-9]{3}))')
_DATA_BLOCK = re.compile(r"\[([A-Za-z0-9+/=\s]*)\]")
_NUMBER = re.compile(r"#(-?[0-9]+)")
_TIME = re.compile(r"#T([0-9]{2}-[0-9]{2}-[0-9]{4}(?:_[0-9]{2}:[0-9]{2}:[0-9]{2})?)")
_ADDRESS = re.compile(r"#I(\[[0-9A-Fa-f.:]+\](?::[0-9]{1,5})?)")
_NEEDS_ESCAPE = re.compile(r'\r\n|[\x00-\x1f\x7f"\\\udc80-\udcff]')

_MEANINGS = {
    "\\": b"\\",
    '"': b'"',
    "r": b"\r",
    "n": b"\n",
    "e": b"\r\n",
    "t": b"\t",
}
_ESCAPES = {"\\": "\\\\", '"': '\\"', "\r\n": "\\e", "\r": "\\r", "\n": "\\n", "\t": "\\t"}


class DictionaryError(ValueError):
    """A text breaks the format at ``line`` and ``column`` (both from 1); ``text`` says how."""

    def __init__(self, line: int, column: int, text: str) -> None:
        super().__init__(f"line {line}, column {column}: {text}")
        self.line = line
        self.column = column
        self.text = text


def parse(text: str) -> Value:
    """Read a text that holds one object and nothing else.

    Raises DictionaryError.
    """
    value, end = parse_prefix(text)
    if end < len(text):
        raise _error(text, end, f"unexpected {_shown(text, end)} after the end of the object")
    return value


def parse_prefix(text: str, at: int = 0) -> tuple[Value, int]:
    """Read the object that begins at the index ``at``, and the white space round it.

    Returns the object and the index behind it. Raises DictionaryError.
    """
    reader = _Reader(text, at)
    reader.skip()
    value = reader.value(0)
    reader.skip()
    return value, reader.at


def dump(value: Printable, *, pretty: bool = False) -> str:
    """Print an object; with ``pretty`` one pair or element a line, for files.

    Raises TypeError for anything but strings, arrays and dictionaries with strings as keys.
    """
    pieces: list[str] = []
    _print(value, pieces, "\n" if pretty else "")
    if pretty:
        pieces.append("\n")
    return "".join(pieces)


def with_line_ends(text: str) -> str:
    r"""Return a text of lines with every line end (CR LF, CR or LF) as ``\e`` stands for it."""
    return re.sub(r"\r\n|\r|\n", "\r\n", text)


class _Reader:
    """The parser's place in the text."""

    def __init__(self, text: str, at: int) -> None:
        self.text = text
        self.at = at

    def skip(self) -> str:
        """Skip white space and return the next symbol, or the empty string at the end."""
        match = _BLANKS.match(self.text, self.at)
        if match is not None:
            self.at = match.end()
        return self.text[self.at : self.at + 1]

    def value(self, depth: int) -> Value:
        symbol = self.text[self.at : self.at + 1]
        if symbol == "{":
            return self.dictionary(depth + 1)
        if symbol == "(":
            return self.array(depth + 1)
        return self.string("a string, an array or a dictionary")

    def enter(self, depth: int) -> None:
        if depth > _MAX_DEPTH:
            raise self.error(f"more than {_MAX_DEPTH} arrays and dictionaries within each other")
        self.at += 1

    def array(self, depth: int) -> list[Value]:
        self.enter(depth)
        elements: list[Value] = []
        if self.skip() == ")":
            self.at += 1
            return elements
        while True:
            if self.skip() in (",", ")"):
                raise self.error("an element is missing before this symbol")
            elements.append(self.value(depth))
            symbol = self.skip()
            if symbol not in (",", ")"):
                raise self.error(f"expected , or ) after the element, not {self.shown()}")
            self.at += 1
            if symbol == ")":
                return elements

    def dictionary(self, depth: int) -> dict[str, Value]:
        self.enter(depth)
        pairs: dict[str, Value] = {}
        while self.skip() != "}":
            start = self.at
            key = self.string("a key or }")
            if key in pairs:
                self.at = start
                raise self.error(f"the key {key} stands here twice")
            if self.skip() != "=":
                raise self.error(f"expected = after the key {key}, not {self.shown()}")
            self.at += 1
            if self.skip() == ";":
                raise self.error(f'the key {key} has no value; write "" for an empty string')
            pairs[key] = self.value(depth)
            if self.skip() != ";":
                raise self.error(f"expected ; after the value of {key}, not {self.shown()}")
            self.at += 1
        self.at += 1
        return pairs

    def string(self, expected: str) -> str:
        symbol = self.text[self.at : self.at + 1]
        if symbol == '"':
            return self.quoted()
        if symbol == "[":
            return self.data_block()
        if symbol == "#":
            special = self.special()
            if special is not None:
                return special
        match = _ATOM.match(self.text, self.at)
        if match is None:
            raise self.error(f"expected {expected}, not {self.shown()}")
        self.at = match.end()
        return match[0]

    def special(self) -> str | None:
        """Read what newer servers write with a number sign; None if it is an ordinary atom."""
        address = _ADDRESS.match(self.text, self.at)
        if address is not None:
            self.at = address.end()
            return address[1]
        atom = _ATOM.match(self.text, self.at)
        word = atom[0] if atom is not None else ""
        match = _NUMBER.fullmatch(word) or _TIME.fullmatch(word)
        if match is None and word != "#NULL#":
            return None
        self.at += len(word)
        return match[1] if match is not None else ""

    def data_block(self) -> str:
        match = _DATA_BLOCK.match(self.text, self.at)
        if match is None:
            raise self.error("a data block has letters, digits, + / = and a closing ]")
        try:
            octets = base64.b64decode("".join(match[1].split()), validate=True)
        except (binascii.Error, ValueError):
            raise self.error("the data block is not base64") from None
        self.at = match.end()
        return octets.decode("utf-8", "surrogateescape")

    def quoted(self) -> str:
        pieces = [self.one_quoted()]
        while True:
            end = self.at
            if self.skip() != '"':
                self.at = end
                break
            pieces.append(self.one_quoted())
        joined = pieces[0] if len(pieces) == 1 else "".join(pieces)
        if joined.isascii():
            return joined
        # The parts of one UTF-8 symbol may have been written as several octets.
        return joined.encode("utf-8", "surrogateescape").decode("utf-8", "surrogateescape")

    def one_quoted(self) -> str:
        start = self.at
        self.at += 1
        pieces: list[str] = []
        while True:
            plain = _PLAIN.match(self.text, self.at)
            if plain is not None:
                pieces.append(plain[0])
                self.at = plain.end()
            symbol = self.text[self.at : self.at + 1]
            if symbol == '"':
                self.at += 1
                return "".join(pieces)
            if symbol == "\\":
                pieces.append(self.escape())
            elif symbol:
                raise self.error(f"{self.shown()} inside quotation marks; write \\e or \\nnn")
            else:
                self.at = start
                raise self.error("the string has no closing quotation mark")

    def escape(self) -> str:
        match = _ESCAPE.match(self.text, self.at)
        if match is None:
            raise self.error('a backslash is followed by \\ " r n e t or three digits')
        if match[2] and int(match[2]) > 255:
            raise self.error("a decimal code is at most 255")
        self.at = match.end()
        octets = bytes([int(match[2])]) if match[2] else _MEANINGS[match[1]]
        return octets.decode("utf-8", "surrogateescape")

    def shown(self) -> str:
        return _shown(self.text, self.at)

    def error(self, text: str) -> DictionaryError:
        return _error(self.text, self.at, text)


def _error(text: str, at: int, reason: str) -> DictionaryError:
    line = text.count("\n", 0, at) + 1
    return DictionaryError(line, at - text.rfind("\n", 0, at), reason)


def _shown(text: str, at: int) -> str:
    symbol = text[at : at + 1]
    if not symbol:
        return "the end of the text"
    return symbol if symbol.isprintable() else f"the symbol with the code {ord(symbol)}"


def _print(value: Printable, pieces: list[str], line_end: str) -> None:
    """Print to ``pieces``; ``line_end`` is a line feed with the indentation, or empty."""
    inner = line_end and line_end + " "
    if isinstance(value, str):
        pieces.append(_printed(value))
    elif isinstance(value, Mapping):
        pieces.append("{")
        for key, member in value.items():
            if not isinstance(key, str):
                raise TypeError(f"a key is a string, not {type(key).__name__}")
            pieces += (inner, _printed(key), " = " if inner else "=")
            _print(member, pieces, inner)
            pieces.append(";")
        pieces += (line_end if value else "", "}")
    elif isinstance(value, Sequence) and not isinstance(value, bytes | bytearray):
        pieces.append("(")
        for number, element in enumerate(value):
            pieces += ("," if number else "", inner)
            _print(element, pieces, inner)
        pieces += (line_end if value else "", ")")
    else:
        raise TypeError(f"the Dictionary format has no {type(value).__name__}")


def _printed(text: str) -> str:
    if _STRICT_ATOM.fullmatch(text):
        return text
    return '"' + _NEEDS_ESCAPE.sub(_escaped, text) + '"'


def _escaped(match: re.Match[str]) -> str:
    symbol = match[0]
    known = _ESCAPES.get(symbol)
    if known is not None:
        return known
    code = ord(symbol)
    return f"\\{code - 0xDC00 if code > 0xFF else code:03d}"
