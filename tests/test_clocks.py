"""The held clock fires what is due, in order, and nothing else."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.error import AlreadyCalled, AlreadyCancelled

from reference.kernel.clocks import HeldClock


def advance(clock: HeldClock, seconds: float) -> None:
    """Move the clock as the control socket does, with a server that is always at rest."""
    end = clock.now + seconds
    while (due := clock.next_due()) is not None and clock.now + due <= end:
        clock.fire_next()
    clock.skip(end - clock.now)


def test_time_stands_still_until_the_clock_is_moved() -> None:
    clock = HeldClock(start=1000.0)
    assert clock.time() == 1000.0
    advance(clock, 5)
    assert clock.time() == 1005.0


def test_a_timer_sees_its_own_time() -> None:
    clock = HeldClock(start=0)
    seen: list[float] = []
    clock.call_later(1800, lambda: seen.append(clock.time()))
    advance(clock, 86400)
    assert seen == [1800]
    assert clock.time() == 86400


def test_a_timer_may_set_the_next_one() -> None:
    clock = HeldClock(start=0)
    seen: list[float] = []

    def again() -> None:
        seen.append(clock.time())
        clock.call_later(30, again)

    clock.call_later(30, again)
    advance(clock, 100)
    assert seen == [30, 60, 90]


def test_a_cancelled_timer_does_not_fire() -> None:
    clock = HeldClock(start=0)
    timer = clock.call_later(1, lambda: pytest.fail("fired"))
    timer.cancel()
    advance(clock, 2)
    assert not timer.active()
    with pytest.raises(AlreadyCancelled):
        timer.cancel()


def test_a_fired_timer_cannot_be_cancelled() -> None:
    clock = HeldClock(start=0)
    timer = clock.call_later(1, lambda: None)
    advance(clock, 1)
    with pytest.raises(AlreadyCalled):
        timer.cancel()


@pytest.mark.parametrize("seconds", [1, 20])
def test_reset_moves_a_timer_both_ways(seconds: float) -> None:
    clock = HeldClock(start=0)
    seen: list[float] = []
    timer = clock.call_later(10, lambda: seen.append(clock.time()))
    timer.reset(seconds)
    advance(clock, 30)
    assert seen == [seconds]


def test_a_timer_cannot_be_due_in_the_past() -> None:
    with pytest.raises(ValueError, match="past"):
        HeldClock().call_later(-1, print)


# Eighths of a second are exact as floats: adding them up loses no timer that is due at the end.
_SPANS = st.integers(0, 8000).map(lambda eighths: eighths / 8)


@given(st.lists(_SPANS, max_size=20), _SPANS)
def test_exactly_the_due_timers_fire_and_in_order(delays: list[float], span: float) -> None:
    clock = HeldClock(start=0)
    fired: list[float] = []
    for delay in delays:
        clock.call_later(delay, fired.append, delay)
    advance(clock, span)
    assert fired == sorted(delay for delay in delays if delay <= span)


def test_timers_that_are_given_up_cost_no_memory() -> None:
    clock = HeldClock()
    clock.call_later(1.0, lambda: None)
    kept = clock.call_later(60.0, lambda: None)
    for _ in range(10_000):
        clock.call_later(3600.0, lambda: None).cancel()
        kept.reset(60.0)
    assert len(clock._heap) < 1000
    clock.skip(30.0)
    assert clock.next_due() == 0.0
    clock.fire_next()
    assert clock.next_due() == 30.0
