"""The TCP Activity Schedule: when activity is allowed, and what a session is."""

from __future__ import annotations

import math
from datetime import datetime, time, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reference.formats.dictionary import Value
from reference.kernel.clocks import HeldClock
from reference.kernel.schedule import (
    JOINING_TIME,
    ActivitySchedule,
    Element,
    seconds_until_allowed,
)
from reference.storage.schedule_kind import Schedule

KIND = Schedule()
EVERY_DAY = frozenset(range(7))
SUNDAY = datetime(2004, 3, 7)
HOUR = 3600.0

elements = st.builds(
    Element,
    st.frozensets(st.integers(0, 6), min_size=1),
    st.builds(time, st.integers(0, 23), st.integers(0, 59)),
    st.builds(time, st.integers(0, 23), st.integers(0, 59)),
    st.integers(0, 7 * 86400).map(float),
)


def until(rows: list[Element], moment: str, *, last: str = "") -> float:
    """Return the hours from a moment of the week of the 7th of March to the next session."""
    now = datetime.strptime(f"2004-03-{moment}", "%Y-%m-%d %H:%M").timestamp()
    begun = (
        datetime.strptime(f"2004-03-{last}", "%Y-%m-%d %H:%M").timestamp() if last else -math.inf
    )
    return seconds_until_allowed(rows, now, begun) / HOUR


def element(days: str = "every day", when: str = "00:00 - 24:00", pause: str = "0s") -> Element:
    (parsed,) = KIND.parse([{"Days": days, "When": when, "Pause": pause}])
    return parsed


@pytest.mark.parametrize(
    ("when", "moment", "hours"),
    [
        ("08:00 - 18:00", "07 07:00", 1),
        ("08:00 - 18:00", "07 08:00", 0),
        ("08:00 - 18:00", "07 17:59", 0),
        ("08:00 - 18:00", "07 18:00", 14),
        ("19:30 - 07:30", "07 19:00", 0.5),
        ("19:30 - 07:30", "07 23:00", 0),
        ("19:30 - 07:30", "08 03:00", 0),
        ("19:30 - 07:30", "08 08:00", 11.5),
        ("00:00 - 24:00", "07 12:00", 0),
        ("00:00 - 00:00", "07 23:59", 0),
    ],
)
def test_hours_of_the_day(when: str, moment: str, hours: float) -> None:
    assert until([element(when=when)], moment) == hours


@pytest.mark.parametrize(
    ("days", "when", "moment", "hours"),
    [
        ("Monday", "00:00 - 24:00", "07 23:00", 1),
        ("Monday", "00:00 - 24:00", "08 23:59", 0),
        ("Monday", "00:00 - 24:00", "09 00:00", 6 * 24),
        ("weekdays", "00:00 - 24:00", "07 12:00", 12),
        ("weekend", "00:00 - 24:00", "08 00:00", 5 * 24),
        ("Sunday,Tue", "08:00 - 09:00", "07 09:00", 47),
        # The part after midnight belongs to the day on which the period began.
        ("Sunday", "22:00 - 02:00", "08 01:00", 0),
        ("Monday", "22:00 - 02:00", "08 01:00", 21),
    ],
)
def test_days_of_the_week(days: str, when: str, moment: str, hours: float) -> None:
    assert until([element(days, when)], moment) == hours


def test_a_pause_runs_from_the_beginning_of_the_last_session() -> None:
    rows = [element(pause="30m")]
    assert until(rows, "07 10:05", last="07 10:00") == pytest.approx(25 / 60)
    assert until(rows, "07 10:30", last="07 10:00") == 0


def test_a_pause_that_ends_outside_the_period_waits_for_the_next_one() -> None:
    rows = [element(when="08:00 - 10:10", pause="30m")]
    assert until(rows, "07 10:05", last="07 10:00") == pytest.approx(24 - 2 - 5 / 60)


def test_the_first_of_several_elements_counts() -> None:
    rows = [element(when="18:00 - 19:00"), element(when="08:00 - 09:00")]
    assert until(rows, "07 10:00") == 8
    assert until(rows, "07 20:00") == 12


def test_no_elements_are_no_limit_and_an_endless_pause_is_one() -> None:
    assert until([], "07 10:00", last="07 10:00") == 0
    assert until([element(pause="never")], "07 10:00") == 0
    assert until([element(pause="never")], "07 10:00", last="07 09:00") == math.inf


@given(rows=st.lists(elements, min_size=1, max_size=4), minutes=st.integers(0, 7 * 24 * 60))
def test_the_moment_that_is_named_is_the_first_allowed_one(
    rows: list[Element], minutes: int
) -> None:
    now = SUNDAY + timedelta(minutes=minutes)
    seconds = seconds_until_allowed(rows, now.timestamp(), -math.inf)
    assert any(row.allows(now + timedelta(seconds=seconds)) for row in rows)
    for part in range(1, 8) if seconds else ():
        earlier = now + timedelta(seconds=seconds * part / 8)
        assert not any(row.allows(earlier) for row in rows)


@given(st.lists(elements, max_size=4).map(tuple))
def test_what_is_printed_is_read_as_the_same(rows: tuple[Element, ...]) -> None:
    assert KIND.parse(KIND.print(rows)) == rows


@pytest.mark.parametrize(
    "value",
    [
        "every day",
        ["Monday"],
        [{"Days": "Someday"}],
        [{"Days": "T"}],
        [{"Days": ""}],
        [{"When": "8 - 9"}],
        [{"When": "25:00 - 26:00"}],
        [{"Pause": "soon"}],
        [{"Hours": "8"}],
        [{"Days": ["Monday"]}],
    ],
)
def test_what_is_no_schedule(value: Value) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - the text is for people
        KIND.parse(value)


def test_never_is_no_element() -> None:
    assert KIND.parse([{"Days": "Never", "When": "08:00 - 09:00"}]) == ()


class World:
    """A schedule with a held clock that begins on a Sunday at ten."""

    def __init__(self, *rows: Element) -> None:
        self.clock = HeldClock((SUNDAY + timedelta(hours=10)).timestamp())
        self.rows = rows
        self.log: list[tuple[int, str]] = []
        self.changed: list[Any] = []
        self.schedule = ActivitySchedule(clock=self.clock, settings=self, log=self)

    def get(self, module: str, keyword: str, /) -> Any:
        return self.rows

    def subscribe(self, module: str, callback: Any, /) -> None:
        self.changed.append(callback)

    def write(self, level: int, tag: str, text: str, /) -> None:
        assert tag == "TCP"
        self.log.append((level, text))

    def advance(self, seconds: float) -> None:
        end = self.clock.now + seconds
        while (due := self.clock.next_due()) is not None and self.clock.now + due <= end:
            self.clock.fire_next()
        self.clock.skip(end - self.clock.now)


def test_who_waits_is_called_when_the_pause_is_over() -> None:
    world = World(element(pause="30m"))
    calls: list[str] = []
    world.schedule.enter("SMTP")
    world.schedule.leave()
    world.advance(5 * 60)
    assert world.schedule.closed_for == 25 * 60
    world.schedule.when_open("SMTP", lambda: calls.append("now"))
    world.advance(24 * 60)
    assert not calls
    world.advance(60)
    assert calls == ["now"]
    assert world.schedule.closed_for == 0


def test_a_session_is_joined_while_it_lasts() -> None:
    world = World(element(pause="30m"))
    world.schedule.enter("SMTP")
    world.advance(600)
    assert world.schedule.closed_for == 0
    world.schedule.enter("SMTPW")
    world.schedule.leave()
    assert world.schedule.closed_for == 0
    world.schedule.leave()
    assert world.schedule.closed_for == 20 * 60
    assert [text for level, text in world.log if level == 2] == ["session started by SMTP"]


def test_a_session_can_be_joined_for_a_moment_when_its_work_is_done() -> None:
    world = World(element(pause="30m"))
    world.schedule.enter("SMTP")
    world.schedule.leave()
    world.advance(JOINING_TIME - 1)
    assert world.schedule.closed_for == 0
    world.advance(2)
    assert world.schedule.closed_for > 0


def test_a_new_session_calls_the_others() -> None:
    world = World(element(pause="30m"))
    calls: list[str] = []
    world.schedule.enter("SMTP")
    world.schedule.leave()
    world.advance(300)
    world.schedule.when_open("RPOP", lambda: calls.append("RPOP"))
    world.rows = ()
    world.schedule.enter("SMTP")
    assert calls == ["RPOP"]


def test_nobody_begins_outside_the_hours_because_a_session_goes_on() -> None:
    world = World(element(when="08:00 - 10:05"))
    world.schedule.enter("SMTP")
    world.advance(600)
    assert world.schedule.closed_for > 0


def test_other_elements_are_looked_at_at_once() -> None:
    world = World(element(when="08:00 - 09:00"))
    calls: list[str] = []
    world.schedule.when_open("SMTP", lambda: calls.append("now"))
    world.rows = ()
    for callback in world.changed:
        callback()
    assert calls == ["now"]
