"""Lanes: blocking calls that share a thread, and what happens when they are slow."""

from __future__ import annotations

import pytest
from queue_world import HeldThreads
from twisted.python.failure import Failure

from reference.queue.lanes import BATCH, MOST, SLOW, STUCK, Lanes


class Stopwatch:
    """Time that passes when a test says so."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


class World:
    def __init__(self) -> None:
        self.threads = HeldThreads()
        self.watch = Stopwatch()
        self.lanes = Lanes(threads=self.threads, seconds=self.watch)
        self.results: list[object] = []

    def call(self, name: str, *, takes: float = 0.0) -> None:
        def work() -> str:
            self.watch.now += takes
            return name

        self.lanes.run(work).addBoth(self.results.append)


@pytest.fixture
def world() -> World:
    return World()


def test_calls_that_come_while_one_runs_share_the_next_lane(world: World) -> None:
    for name in "abc":
        world.call(name)
    assert len(world.threads.calls) == 1
    world.threads.go()
    assert world.results == ["a"]
    assert len(world.threads.calls) == 1
    world.threads.go()
    assert world.results == ["a", "b", "c"]
    assert world.threads.calls == []


def test_a_call_that_raises_fails_alone(world: World) -> None:
    def broken() -> None:
        raise OSError("the disk is gone")

    world.call("a")
    world.lanes.run(broken).addBoth(world.results.append)
    world.call("c")
    world.threads.go()
    world.threads.go()
    assert world.results[::2] == ["a", "c"]
    assert isinstance(world.results[1], Failure)
    assert world.results[1].check(OSError)


def test_slow_calls_run_side_by_side_and_fast_ones_no_longer(world: World) -> None:
    for _ in range(40):
        world.call("slow", takes=10 * SLOW)
        world.threads.go()
    for number in range(2 * MOST):
        world.call(str(number))
    assert len(world.threads.calls) == MOST
    while world.threads.calls:
        world.threads.go()
    for _ in range(40):
        world.call("fast")
        world.threads.go()
    world.call("a")
    world.call("b")
    assert len(world.threads.calls) == 1


def test_nobody_waits_for_a_lane_that_is_stuck(world: World) -> None:
    world.call("a")
    world.call("b")
    assert len(world.threads.calls) == 1
    world.watch.now += STUCK
    world.call("c")
    assert len(world.threads.calls) == 2
    world.threads.go()
    assert sorted(map(str, world.results)) == ["a", "b", "c"]


def test_a_lane_takes_so_many_calls_at_a_time(world: World) -> None:
    for number in range(BATCH + 2):
        world.call(str(number))
    world.threads.go()
    world.threads.go()
    assert len(world.results) == BATCH + 1
    world.threads.go()
    assert len(world.results) == BATCH + 2
