"""Message Flow Control: never more than the limit in any period, and nobody waits for ever."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reference.transport.flow_control import FlowMeter


@given(
    st.lists(st.tuples(st.integers(0, 400), st.integers(0, 5)), max_size=40),
    st.integers(1, 6),
    st.integers(1, 300),
)
def test_no_period_has_more_than_the_limit(
    arrivals: list[tuple[int, int]], limit: int, period: int
) -> None:
    meter, now, passed = FlowMeter(), 0.0, []
    for pause, wanted in arrivals:
        now += pause
        let = min(wanted, meter.room(now, limit=limit, period=period))
        for _ in range(let):
            meter.count(now, limit=limit)
        passed += [now] * let
        for start in passed:
            assert sum(start <= moment < start + period for moment in passed) <= limit
        wait = meter.opens_in(now, limit=limit, period=period)
        assert 0 <= wait <= period
        assert meter.room(now + wait, limit=limit, period=period) > 0


def test_the_eleventh_waits_until_the_first_is_five_minutes_old() -> None:
    meter = FlowMeter()
    for second in range(10):
        assert meter.room(second, limit=10, period=300.0) > 0
        meter.count(second, limit=10)
    assert meter.room(10, limit=10, period=300.0) == 0
    assert meter.opens_in(10, limit=10, period=300.0) == pytest.approx(290)
    assert meter.room(300, limit=10, period=300.0) == 1


def test_no_limit() -> None:
    meter = FlowMeter()
    meter.count(0.0, limit=0)
    assert meter.room(0.0, limit=0, period=300.0) > 1000
    assert meter.opens_in(0.0, limit=0, period=300.0) == 0


def test_a_limit_that_was_lowered() -> None:
    meter = FlowMeter()
    for _ in range(10):
        meter.count(0.0, limit=10)
    assert meter.room(5.0, limit=3, period=300.0) == 0
    assert meter.opens_in(5.0, limit=3, period=300.0) == pytest.approx(295)
