"""The rows of the TCP Activity Schedule as a setting's value.

Guide 3.5.2, Dialup, TCP Activity Schedule: Day(s) of Week, When, Pause. As data the schedule is an
array of dictionaries such as ``{Days="Monday,Friday";When="19:30 - 07:30";Pause=30m;}``. Days are
names of days, ``every day``, ``weekdays`` or ``weekend``; the row with ``Never`` is the dummy one
at the end of the documents' table, and is no element. Without When an element holds all day.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import time

from reference.formats.dictionary import Value
from reference.formats.values import parse_duration, print_duration
from reference.kernel.schedule import Element
from reference.storage.kinds import Kind

_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_EVERY_DAY = "every day"
_GROUPS = {
    _EVERY_DAY: frozenset(range(7)),
    "any day": frozenset(range(7)),
    "weekdays": frozenset(range(5)),
    "weekend": frozenset({5, 6}),
}
_NEVER = "never"
_KEYS = {key.lower(): key for key in ("Days", "When", "Pause")}
_WHEN = re.compile(r"(\d{1,2}):(\d{2})\s*-\s*(\d{1,2}):(\d{2})")


@dataclass(frozen=True)
class Schedule(Kind):
    """An array of schedule elements."""

    description: str = 'an array of elements such as {Days=Monday;When="19:30 - 07:30";Pause=30m}'

    def parse(self, value: Value) -> tuple[Element, ...]:
        if value == "":
            return ()
        if not isinstance(value, list):
            raise ValueError(f"{self.description} is expected")
        return tuple(element for element in map(self._element, value) if element is not None)

    def print(self, value: Iterable[Element]) -> Value:
        return [_printed(element) for element in value]

    def _element(self, row: Value) -> Element | None:
        if not isinstance(row, dict):
            raise ValueError(f"{self.description} is expected")
        cells: dict[str, str] = {}
        for key, text in row.items():
            if key.lower() not in _KEYS or not isinstance(text, str):
                raise ValueError(
                    f"{key!r} is incorrect; an element has {', '.join(_KEYS.values())}"
                )
            cells[_KEYS[key.lower()]] = text.strip()
        days = cells.get("Days", _EVERY_DAY)
        start, end = _when(cells.get("When", "00:00 - 00:00"))
        pause = parse_duration(cells.get("Pause", "0s"))
        if days.lower() == _NEVER:
            return None
        return Element(_days(days), start, end, pause)


def _days(text: str) -> frozenset[int]:
    found: set[int] = set()
    for word in filter(None, (part.strip().lower() for part in text.split(","))):
        matching = [at for at, day in enumerate(_DAYS) if day.lower().startswith(word)]
        if word in _GROUPS:
            found |= _GROUPS[word]
        elif len(matching) == 1 and len(word) >= 2:
            found.update(matching)
        else:
            raise ValueError(
                f"{word!r} is incorrect; write names of days, every day, weekdays, weekend or Never"
            )
    if not found:
        raise ValueError("the days of the week are missing; write every day, or Never")
    return frozenset(found)


def _when(text: str) -> tuple[time, time]:
    found = _WHEN.fullmatch(text)
    try:
        if found is None:
            raise ValueError
        hours = [int(part) for part in found.groups()]
        # A day ends at 24:00 as well.
        return time(hours[0] % 24, hours[1]), time(0 if hours[2] == 24 else hours[2], hours[3])
    except ValueError:
        raise ValueError(f"{text!r} is incorrect; write a period as 08:00 - 18:00") from None


def _printed(element: Element) -> Value:
    group = next((name for name, days in _GROUPS.items() if days == element.days), "")
    return {
        "Days": group or ",".join(_DAYS[day] for day in sorted(element.days)),
        "When": f"{element.start:%H:%M} - {element.end:%H:%M}",
        "Pause": print_duration(element.pause),
    }
