"""Which of many pictures with at most one wildcard matches a text first.

A picture is a text, or a prefix and a suffix with any symbols between them. Each has a number, and
the lowest number that matches wins, as if one looked at the pictures one by one. The cost does not
grow with their number:

- An exact picture is found by one look-up.
- A suffix that begins with a separator, such as ``.company.com``, can only match at a separator of
  the text, so there is one look-up for each of these few places. The same goes for a prefix that
  ends with a separator, such as ``dept-``.
- Other suffixes and prefixes lie in one dictionary for each length that occurs. These are tried in
  the order of their lowest numbers, until none can hold a lower number than the one found.

Pictures with a prefix and a suffix are found by the suffix, and within one suffix by the prefix.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable
from typing import Generic, TypeVar

__all__ = ["NO_MATCH", "FirstMatch"]

NO_MATCH = sys.maxsize

_SEPARATORS = frozenset(".-_%@+=")
_SEPARATOR = re.compile(r"[.\-_%@+=]")

_Found = TypeVar("_Found")


class _Lengths(Generic[_Found]):
    """Texts at the edge of a longer text, in one dictionary for each length."""

    __slots__ = ("groups",)

    def __init__(self, entries: Iterable[tuple[str, int, _Found]]) -> None:
        lowest: dict[int, int] = {}
        found: dict[int, dict[str, _Found]] = {}
        for text, number, value in entries:
            length = len(text)
            lowest[length] = min(number, lowest.get(length, NO_MATCH))
            found.setdefault(length, {}).setdefault(text, value)
        self.groups = sorted(
            ((lowest[length], length, values) for length, values in found.items()),
            key=lambda group: group[0],
        )


class _Prefixes:
    """The pictures that share one suffix."""

    __slots__ = ("_aligned", "_other")

    def __init__(self, pictures: list[tuple[str, int]]) -> None:
        self._aligned: dict[str, int] = {}
        other = []
        for prefix, number in pictures:
            if prefix[-1:] in _SEPARATORS:
                self._aligned.setdefault(prefix, number)
            else:
                other.append((prefix, number, number))
        self._other = _Lengths(other).groups

    def find(self, text: str, separators: list[int], room: int, best: int) -> int:
        """Return the lowest number below ``best``; a prefix has at most ``room`` symbols."""
        if self._aligned:
            for place in separators:
                if place >= room:
                    break
                number = self._aligned.get(text[: place + 1], best)
                if number < best:
                    best = number
        for lowest, length, numbers in self._other:
            if lowest >= best:
                break
            if length <= room:
                best = min(best, numbers.get(text[:length], best))
        return best


class FirstMatch:
    """An index of numbered pictures."""

    __slots__ = ("_aligned", "_exact", "_other")

    def __init__(self, pictures: Iterable[tuple[int, str, str | None]]) -> None:
        """Take ``(number, text, None)`` and ``(number, prefix, suffix)`` in ascending order."""
        self._exact: dict[str, int] = {}
        suffixes: dict[str, list[tuple[str, int]]] = {}
        for number, prefix, suffix in pictures:
            if suffix is None:
                self._exact.setdefault(prefix, number)
            else:
                suffixes.setdefault(suffix, []).append((prefix, number))
        self._aligned: dict[str, int | _Prefixes] = {}
        other: list[tuple[str, int, int | _Prefixes]] = []
        for suffix, found in suffixes.items():
            prefix, number = found[0]
            # The first picture matches whatever the others of the suffix do if it has no prefix.
            value = number if not prefix else _Prefixes(found)
            if suffix[:1] in _SEPARATORS:
                self._aligned[suffix] = value
            else:
                other.append((suffix, number, value))
        self._other = _Lengths(other).groups

    def find(self, text: str, best: int = NO_MATCH) -> int:
        """Return the lowest number of a picture that matches, or ``best`` if none is lower."""
        best = min(best, self._exact.get(text, best))
        if not self._aligned and not self._other:
            return best
        size = len(text)
        separators = [match.start() for match in _SEPARATOR.finditer(text)]
        if self._aligned:
            for place in separators:
                found = self._aligned.get(text[place:])
                if found is None:
                    continue
                if not isinstance(found, int):
                    found = found.find(text, separators, place, best)
                if found < best:
                    best = found
        for lowest, length, suffixes in self._other:
            if lowest >= best:
                break
            found = suffixes.get(text[size - length :]) if length <= size else None
            if found is None:
                continue
            if not isinstance(found, int):
                found = found.find(text, separators, size - length, best)
            best = min(best, found)
        return best
