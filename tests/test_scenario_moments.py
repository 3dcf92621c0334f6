"""Moments of the week: what a wait until one of them takes."""

from __future__ import annotations

from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conformance.scenario.moments import MARGIN, Moment, parse_moment

SUNDAY_NOON = datetime(2004, 3, 7, 12, 0).timestamp()
HOUR = 3600.0


@pytest.mark.parametrize(
    ("text", "hours"),
    [
        ("until 19:30", 7.5),
        ("until 08:00", 20),
        ("until 12:00", 0),
        ("until Monday 08:00", 20),
        ("until sunday 13:00", 1),
        ("until Sunday 11:59", 7 * 24 - 1 / 60),
    ],
)
def test_how_long_it_is_until_a_moment(text: str, hours: float) -> None:
    assert parse_moment(text).seconds_from(SUNDAY_NOON) == hours * HOUR + MARGIN


@pytest.mark.parametrize("text", ["until", "until 25:00", "until 8", "until Funday 08:00", "8:00"])
def test_no_moment(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - the text is for people
        parse_moment(text)


@given(
    now=st.floats(0, 2e9),
    hour=st.integers(0, 23),
    minute=st.integers(0, 59),
    day=st.none() | st.integers(0, 6),
)
def test_a_wait_ends_on_the_day_at_the_minute(
    now: float, hour: int, minute: int, day: int | None
) -> None:
    seconds = Moment(hour, minute, day).seconds_from(now)
    end = datetime.fromtimestamp(now + seconds)
    assert seconds > 0
    assert (end.hour, end.minute) == (hour, minute)
    assert day in (None, end.weekday())
