"""The TCP Activity Schedule: when the server may begin to talk to the Internet by itself.

Guide 3.5.2, Dialup, TCP Activity Schedule. An element names days of the week, a time of the day
(over midnight when it begins later than it ends) and a pause: the least time between the beginnings
of two *sessions*. A session begins when a module has something to do and the schedule allows it;
whoever has something to do while it lasts joins it. It lasts while anybody works, and a moment
longer, for two modules that wake up at the same time. Without elements there is no limit.

The period over midnight belongs to the day on which it begins: the document leaves that open.
:class:`Element` is arithmetic; :class:`ActivitySchedule` counts sessions and does no I/O.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from typing import Any, Protocol

from reference.kernel.clock import Clock, Timer

#: Seconds after its beginning in which a session can be joined when nobody works any more.
JOINING_TIME = 60.0
#: Timers fire a little early or late; a moment this near counts as come.
TOLERANCE = 0.001
_TAG = "TCP"
_WEEK = 7


@dataclass(frozen=True, slots=True)
class Element:
    """One row of the schedule; ``days`` are 0 for Monday to 6 for Sunday."""

    days: frozenset[int]
    start: time
    end: time
    """Not after ``start``: the period goes over midnight. Equal to it: a whole day."""
    pause: float = 0.0
    """Seconds."""

    def allows(self, moment: datetime) -> bool:
        """Tell whether activity is allowed at a local time."""
        return any(start <= moment < end for start, end in self._periods(moment, (-1, 0)))

    def next_start(self, moment: datetime) -> datetime | None:
        """Return when the next period begins that is still to come; None: never."""
        starts = [start for start, _ in self._periods(moment, range(_WEEK + 1)) if start > moment]
        return min(starts, default=None)

    def _periods(
        self, moment: datetime, days: Iterable[int]
    ) -> Iterator[tuple[datetime, datetime]]:
        for days_on in days:
            day = moment.date() + timedelta(days=days_on)
            if day.weekday() in self.days:
                over = timedelta(days=1 if self.end <= self.start else 0)
                yield datetime.combine(day, self.start), datetime.combine(day, self.end) + over


def seconds_until_allowed(elements: Iterable[Element], now: float, last: float) -> float:
    """Return in how many seconds a session may begin: 0 now, ``math.inf`` never.

    ``now`` and ``last`` (when the last session began, ``-math.inf`` for none) are seconds since the
    epoch; the elements are meant in local time.
    """
    rows = tuple(elements)
    if not rows:
        return 0.0
    return max(0.0, min(_first_moment(row, now, last) for row in rows) - now)


def _first_moment(element: Element, now: float, last: float) -> float:
    """Return the first time, not before now, at which an element lets a session begin."""
    earliest = max(now, last + element.pause)
    if math.isinf(earliest):
        return math.inf
    if earliest - now <= TOLERANCE:
        earliest = now
    moment = datetime.fromtimestamp(earliest + TOLERANCE)
    if element.allows(moment):
        return earliest
    start = element.next_start(moment)
    return start.timestamp() if start is not None else math.inf


class Log(Protocol):
    """The server's log."""

    def write(self, level: int, tag: str, text: str, /) -> object:
        """Write a record."""


class Settings(Protocol):
    """The settings registry."""

    def get(self, module: str, keyword: str, /) -> Any:
        """Return a typed setting."""

    def subscribe(self, module: str, callback: Callable[[], object], /) -> object:
        """Call ``callback`` when a module's settings have changed."""


class Activity(Protocol):
    """The schedule, as the modules see it."""

    @property
    def closed_for(self) -> float:
        """In how many seconds activity is allowed: 0 now, ``math.inf`` nobody knows."""

    def enter(self, who: str, /) -> None:
        """Note that a module begins to work."""

    def leave(self) -> None:
        """Note that the work is done."""

    def when_open(self, who: str, call: Callable[[], object], /) -> None:
        """Call ``call`` once, when it is worth while to look again."""


class Unlimited:
    """No schedule at all."""

    closed_for = 0.0

    def enter(self, who: str) -> None:
        """Note nothing."""

    def leave(self) -> None:
        """Note nothing."""

    def when_open(self, who: str, call: Callable[[], object]) -> None:
        """Forget it: it is always open."""


class ActivitySchedule:
    """Counts the sessions of one server."""

    def __init__(self, *, clock: Clock, settings: Settings, log: Log) -> None:
        self._clock = clock
        self._settings = settings
        self._log = log
        self._began = -math.inf
        self._working = 0
        self._waiting: list[Callable[[], object]] = []
        self._timer: Timer | None = None
        settings.subscribe("Schedule", self._changed)

    @property
    def closed_for(self) -> float:
        """In how many seconds activity is allowed: 0 now, ``math.inf`` nobody knows."""
        elements: tuple[Element, ...] = self._settings.get("Schedule", "Elements")
        if not elements:
            return 0.0
        now = self._clock.time()
        if self._working or now < self._began + JOINING_TIME:
            # The session goes on, but none of its work begins outside the allowed time.
            return seconds_until_allowed(elements, now, -math.inf)
        return seconds_until_allowed(elements, now, self._began)

    def enter(self, who: str) -> None:
        """Note that a module begins to work; :attr:`closed_for` must be 0."""
        now = self._clock.time()
        if not self._working and now >= self._began + JOINING_TIME:
            self._began = now
            self._log.write(2, _TAG, f"session started by {who}")
            self._working += 1
            self._call_all()
            return
        self._log.write(4, _TAG, f"{who} joins the session")
        self._working += 1

    def leave(self) -> None:
        """Note that the work is done."""
        self._working -= 1
        if not self._working:
            self._log.write(4, _TAG, "nobody works any more")

    def when_open(self, who: str, call: Callable[[], object]) -> None:
        """Call ``call`` once, when it is worth while to look at :attr:`closed_for` again."""
        seconds = self.closed_for
        self._log.write(4, _TAG, f"{who} has to wait for {seconds:g} seconds")
        if call not in self._waiting:
            self._waiting.append(call)
        self._watch(seconds)

    def _changed(self) -> None:
        if self._waiting:
            self._call_all()

    def _watch(self, seconds: float) -> None:
        if self._timer is not None and self._timer.active():
            self._timer.cancel()
        self._timer = None
        if not math.isinf(seconds):
            self._timer = self._clock.call_later(seconds, self._call_all)

    def _call_all(self) -> None:
        waiting, self._waiting = self._waiting, []
        for call in waiting:
            call()
