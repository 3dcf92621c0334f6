r"""Patterns: how a scenario says what a text must look like.

A pattern is a glob, in which ``*`` stands for any text (also none, also line ends), ``\*`` for a
star and ``\\`` for a backslash, and letter case does not matter; or a regular expression between
slashes, ``/as (this|that)/``, which is searched for as it stands, ``^`` and ``$`` matching at every
line (``/…/i``: letter case does not matter).

Inside dialogues a pattern may use variables: ``$name`` stands for a value bound earlier, ``$$``
for a dollar sign, and a named group of a regular expression binds its name; a name that is bound
already must agree. Patterns never touch what they match: no munging, no normalising.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

_VARIABLE = re.compile(r"\$(?:(\$)|([A-Za-z_][A-Za-z0-9_]*))")


class PatternError(ValueError):
    """A regular expression that does not compile; the text says why."""


@functools.lru_cache(maxsize=4096)
def _compiled(expression: str, ignore_case: bool) -> re.Pattern[str]:
    return re.compile(expression, re.MULTILINE | (re.IGNORECASE if ignore_case else 0))


@functools.lru_cache(maxsize=4096)
def glob_pieces(glob: str) -> tuple[str, ...]:
    r"""Return the literal pieces between the stars of a glob, in lower case, ``\*`` resolved."""
    pieces = [""]
    characters = iter(glob)
    for character in characters:
        if character == "*":
            pieces.append("")
        elif character == "\\":
            following = next(characters, "")
            pieces[-1] += following if following in ("*", "\\") and following else "\\" + following
        else:
            pieces[-1] += character
    return tuple(piece.lower() for piece in pieces)


def glob_matches(glob: str, text: str) -> bool:
    """Tell whether the whole of ``text`` matches ``glob``; linear in the text for each piece."""
    pieces = glob_pieces(glob)
    text = text.lower()
    if len(pieces) == 1:
        return text == pieces[0]
    first, *middle, last = pieces
    if len(text) < len(first) + len(last) or not text.startswith(first) or not text.endswith(last):
        return False
    at, end = len(first), len(text) - len(last)
    for piece in middle:
        found = text.find(piece, at, end)
        if found < 0:
            return False
        at = found + len(piece)
    return True


def escape_glob(text: str) -> str:
    r"""Return a glob that matches just ``text``."""
    return text.replace("\\", "\\\\").replace("*", "\\*")


def variables_in(text: str) -> tuple[str, ...]:
    """Return the names used as ``$name`` in a text of a dialogue, in order of appearance."""
    return tuple(match[2] for match in _VARIABLE.finditer(text) if match[2])


def substitute(text: str, variables: Mapping[str, str], escape: Callable[[str], str] = str) -> str:
    """Put values in for ``$name`` and a dollar sign for ``$$``. Raises KeyError when unbound."""
    if "$" not in text:
        return text
    return _VARIABLE.sub(lambda m: escape("$" if m[1] else variables[m[2]]), text)


@dataclass(frozen=True, slots=True)
class Pattern:
    """A glob or a /regular expression/, as the scenario's author wrote it."""

    text: str

    @classmethod
    def parse(cls, text: str) -> Pattern:
        """Return the pattern of a text. Raises PatternError when its regular expression is bad."""
        pattern = cls(text)
        if pattern.is_regex:
            try:
                pattern.groups()
            except re.error as error:
                raise PatternError(f"the regular expression does not compile: {error}") from None
        return pattern

    @property
    def is_regex(self) -> bool:
        """True for a pattern between slashes."""
        text = self.text
        return len(text) > 2 and text[0] == "/" and text.endswith(("/", "/i"))

    @property
    def expression(self) -> str:
        """What stands between the slashes."""
        return self.text[1 : self.text.rindex("/")]

    @property
    def ignores_case(self) -> bool:
        """False only for a regular expression without the ``i``."""
        return not self.is_regex or self.text.endswith("/i")

    def groups(self) -> tuple[str, ...]:
        """Return the names that the pattern binds. Raises re.error."""
        if not self.is_regex:
            return ()
        return tuple(_compiled(_masked(self.expression), self.ignores_case).groupindex)

    def matches(self, text: str) -> bool:
        """Tell whether ``text`` meets the pattern: a glob as a whole, a regex where it is found."""
        if self.is_regex:
            return _compiled(self.expression, self.ignores_case).search(text) is not None
        return glob_matches(self.text, text)

    def found_in(self, text: str) -> bool:
        """Tell whether some part of ``text`` meets the pattern (``contains``, ``lacks``)."""
        if self.is_regex:
            return self.matches(text)
        return glob_matches(f"*{self.text}*", text)

    def match(self, text: str, variables: Mapping[str, str]) -> dict[str, str] | None:
        """Match a text of a dialogue: the variables with those bound here, or None.

        ``$name`` and ``$$`` are replaced first (KeyError when a name is unbound); a group whose
        name is bound already must give the same value again.
        """
        if not self.is_regex:
            return (
                dict(variables)
                if glob_matches(substitute(self.text, variables, escape_glob), text)
                else None
            )
        expression = substitute(self.expression, variables, re.escape)
        found = _compiled(expression, self.ignores_case).search(text)
        if found is None:
            return None
        bound = {name: value for name, value in found.groupdict().items() if value is not None}
        if any(variables.get(name, value) != value for name, value in bound.items()):
            return None
        return {**variables, **bound}

    def describe(self) -> str:
        """Say in words what is wanted, for a failure's message."""
        return f"matches {self.text}" if self.is_regex or "*" in self.text else f"“{self.text}”"


def _masked(expression: str) -> str:
    """Return the expression with its variables replaced by something harmless, to compile it."""
    return _VARIABLE.sub("x", expression)
