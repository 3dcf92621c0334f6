"""The control socket tells the truth about rest, and moves the clock only through it."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from twisted.internet.testing import StringTransport

from reference.control import ControlLink
from reference.kernel.clocks import HeldClock
from reference.kernel.work import Work


class Turns:
    """An event loop of which the test makes each turn."""

    def __init__(self) -> None:
        self._next: list[Callable[[], object]] = []

    def callLater(self, seconds: float, call: Callable[..., object], *args: Any) -> None:
        assert seconds == 0
        self._next.append(lambda: call(*args))

    def turn(self) -> None:
        due, self._next = self._next, []
        for call in due:
            call()


class Harness:
    """The far end of the control socket, on a reactor that the test turns by hand."""

    def __init__(self, *, held: bool = True) -> None:
        self.turns = Turns()
        self.work = Work()
        self.clock = HeldClock(start=0) if held else None
        self.stopped = 0
        self.link = ControlLink(
            reactor=self.turns, work=self.work, clock=self.clock, stop=self._stop
        )
        self.transport = StringTransport()
        self.link.makeConnection(self.transport)

    def _stop(self) -> None:
        self.stopped += 1

    def send(self, **request: Any) -> None:
        self.link.dataReceived(json.dumps(request).encode() + b"\n")

    def turn(self, turns: int = 20) -> list[dict[str, Any]]:
        """Turn the event loop and return what the server said since the last time."""
        for _ in range(turns):
            self.turns.turn()
        said = [json.loads(line) for line in self.transport.value().splitlines()]
        self.transport.clear()
        return said


def test_a_fresh_server_is_ready_and_quiet() -> None:
    ready, quiet = Harness().turn()
    assert ready["event"] == "ready"
    assert quiet == {"event": "quiet", "serial": 1, "waits": []}


def test_quiet_is_answered_only_when_the_last_task_has_ended() -> None:
    harness = Harness()
    harness.turn()
    task = harness.work.task("routing")
    harness.send(op="quiet", id=7)
    assert harness.turn() == []
    task.done()
    assert {"id": 7, "waits": [], "next_timer": None} in harness.turn()


def test_a_task_that_hands_over_to_another_is_not_quiet_in_between() -> None:
    harness = Harness()
    harness.turn()
    first = harness.work.task()
    harness.send(op="quiet", id=1)
    first.done()
    harness.turns.turn()
    second = harness.work.task()
    assert harness.turn() == []
    second.done()
    assert harness.turn() == [{"id": 1, "waits": [], "next_timer": None}]


def test_waits_are_told_when_they_change() -> None:
    harness = Harness()
    harness.turn()
    wait = harness.work.wait("smtp:11.22.33.44:25")
    assert harness.turn() == [{"event": "quiet", "serial": 2, "waits": ["smtp:11.22.33.44:25"]}]
    wait.done()
    assert harness.turn() == [{"event": "quiet", "serial": 3, "waits": []}]


def test_state_answers_at_once() -> None:
    harness = Harness()
    harness.turn()
    harness.work.task()
    harness.send(op="state", id=3)
    assert harness.turn() == [{"id": 3, "tasks": 1, "waits": []}]


def test_advance_comes_to_rest_between_two_timers() -> None:
    harness = Harness()
    harness.turn()
    clock = harness.clock
    assert clock is not None
    tasks: list[Any] = []
    clock.call_later(10, lambda: tasks.append(harness.work.task()))
    clock.call_later(20, lambda: tasks.append(None))
    harness.send(op="advance", id=1, seconds=60, held=[])
    assert harness.turn() == []
    assert len(tasks) == 1
    assert clock.time() == 10
    tasks[0].done()
    assert harness.turn() == [{"id": 1, "waits": []}]
    assert len(tasks) == 2
    assert clock.time() == 60


def test_a_wait_that_the_world_does_not_hold_stops_the_clock() -> None:
    harness = Harness()
    harness.turn()
    wait = harness.work.wait("dns:MX company.com")
    harness.send(op="advance", id=1, seconds=5, held=[])
    assert "id" not in str(harness.turn())
    wait.done()
    assert {"id": 1, "waits": []} in harness.turn()


def test_a_held_wait_lets_the_clock_run() -> None:
    harness = Harness()
    harness.work.wait("dns:MX company.com")
    harness.send(op="advance", id=1, seconds=5, held=[])
    harness.send(op="held", waits=["dns:MX company.com"])
    assert {"id": 1, "waits": ["dns:MX company.com"]} in harness.turn()


def test_a_running_clock_cannot_be_moved() -> None:
    harness = Harness(held=False)
    harness.turn()
    harness.send(op="advance", id=1, seconds=5)
    (answer,) = harness.turn()
    assert "--hold-clock" in answer["error"]


def test_two_advances_at_once_are_refused() -> None:
    harness = Harness()
    harness.turn()
    harness.work.task()
    harness.send(op="advance", id=1, seconds=5)
    harness.send(op="advance", id=2, seconds=5)
    (answer,) = harness.turn()
    assert answer["id"] == 2
    assert "already" in answer["error"]


@pytest.mark.parametrize("line", [b"garbage", b"{}", b'{"op": "fly"}', b'{"op": "quiet"}', b"[1]"])
def test_a_bad_line_is_answered(line: bytes) -> None:
    harness = Harness()
    harness.turn()
    harness.link.dataReceived(line + b"\n")
    (answer,) = harness.turn()
    assert "not a control request" in answer["error"]


def test_stop_and_a_lost_harness_end_the_server() -> None:
    harness = Harness()
    harness.send(op="stop")
    assert harness.stopped == 1
    harness.link.connectionLost()
    assert harness.stopped == 2
