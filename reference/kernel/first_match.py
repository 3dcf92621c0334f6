"""Which of many pictures with at most one wildcard matches a text first.

A picture is a text, or a prefix and a suffix with any symbols between them. Each has a number, and
the lowest number that matches wins, as if one looked at the pictures one by one. The cost does not
grow with their number: an exact picture is found by one look-up, and pictures with a wildcard lie
in one dictionary for each length of suffix (and, within one suffix, for each length of prefix) that
occurs. The groups are tried in the order of their lowest numbers, and the search ends when no group
is left that could hold a lower number than the one found.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable

__all__ = ["NO_MATCH", "FirstMatch"]

NO_MATCH = sys.maxsize

_Group = tuple[int, int, dict[str, int]]


class _Prefixes:
    """The pictures that share one suffix."""

    __slots__ = ("_groups",)

    def __init__(self, pictures: list[tuple[str, int]]) -> None:
        self._groups = _grouped(pictures)

    def find(self, text: str, room: int, best: int) -> int:
        """Return the lowest number below ``best``; a prefix has at most ``room`` symbols."""
        for lowest, length, numbers in self._groups:
            if lowest >= best:
                break
            if length <= room:
                best = min(best, numbers.get(text[:length], best))
        return best


class FirstMatch:
    """An index of numbered pictures."""

    __slots__ = ("_exact", "_groups")

    def __init__(self, pictures: Iterable[tuple[int, str, str | None]]) -> None:
        """Take ``(number, text, None)`` and ``(number, prefix, suffix)`` in ascending order."""
        self._exact: dict[str, int] = {}
        suffixes: dict[str, list[tuple[str, int]]] = {}
        for number, prefix, suffix in pictures:
            if suffix is None:
                self._exact.setdefault(prefix, number)
            else:
                suffixes.setdefault(suffix, []).append((prefix, number))
        by_length: dict[int, dict[str, int | _Prefixes]] = {}
        lowest: dict[int, int] = {}
        for suffix, ends in suffixes.items():
            length, (prefix, number) = len(suffix), ends[0]
            # Most suffixes have one picture that begins with the wildcard: the number says it all.
            shadows = prefix == ""
            by_length.setdefault(length, {})[suffix] = number if shadows else _Prefixes(ends)
            lowest[length] = min(number, lowest.get(length, NO_MATCH))
        self._groups = sorted(
            ((lowest[length], length, by_length[length]) for length in by_length),
            key=lambda group: group[0],
        )

    def find(self, text: str, best: int = NO_MATCH) -> int:
        """Return the lowest number of a picture that matches, or ``best`` if none is lower."""
        best = min(best, self._exact.get(text, best))
        size = len(text)
        for lowest, length, suffixes in self._groups:
            if lowest >= best:
                break
            if length > size:
                continue
            found = suffixes.get(text[size - length :])
            if found is None:
                continue
            if isinstance(found, int):
                best = min(best, found)
            else:
                best = found.find(text, size - length, best)
        return best


def _grouped(pictures: list[tuple[str, int]]) -> list[_Group]:
    by_length: dict[int, dict[str, int]] = {}
    lowest: dict[int, int] = {}
    for prefix, number in pictures:
        by_length.setdefault(len(prefix), {}).setdefault(prefix, number)
        lowest.setdefault(len(prefix), number)
    return sorted(
        ((lowest[length], length, numbers) for length, numbers in by_length.items()),
        key=lambda group: group[0],
    )
