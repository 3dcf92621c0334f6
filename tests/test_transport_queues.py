"""How many channels a host's queue gets, and the names of queues."""

from __future__ import annotations

import math
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from queue_world import START, FakeClock
from transport_world import message_file

from reference.queue.delivery import Entry
from reference.queue.envelope import Envelope, Recipient, Source
from reference.transport.retry import Schedule
from reference.transport.smtp_queues import MANY, Channels, HostQueue, queue_name
from reference.transport.waiting import Transfer


class Options:
    def __init__(self, **values: Any) -> None:
        self.values = {"OutputChannels": 100, "ChannelsPerHost": 3, "AddChannelAfter": 60.0}
        self.values.update(values)

    def get(self, module: str, keyword: str) -> Any:
        return self.values[keyword]


class World:
    """Channels whose work is to take one transfer each and never to end by themselves."""

    def __init__(self, folder: Path, **options: Any) -> None:
        self.folder = folder
        self.clock = FakeClock()
        self.options = Options(**options)
        self.channels = Channels(clock=self.clock, settings=self.options, work=self.work)
        self.opened: list[str] = []

    def work(self, queue: HostQueue) -> None:
        self.opened.append(queue.name)
        if queue.next_ready(self.clock.time()) is not None:
            queue.in_hand += 1

    def queue(self, name: str, messages: int) -> HostQueue:
        queue = HostQueue(name)
        self.add(queue, messages)
        return queue

    def add(self, queue: HostQueue, messages: int) -> None:
        envelope = Envelope("", (Recipient("u@host.example"),), Source("SMTP"))
        one = message_file(self.folder / "queue", envelope, b"", START)
        queue.transfers += [Transfer(one, [Entry(0, "u@host.example")]) for _ in range(messages)]


def test_one_channel_at_first(tmp_path: Path) -> None:
    world = World(tmp_path)
    queue = world.queue("host.example", 5)
    world.channels.fill(queue)
    assert (queue.channels, world.opened) == (1, ["host.example"])
    world.clock.advance(59)
    assert queue.channels == 1


def test_one_more_each_time_nothing_is_completed(tmp_path: Path) -> None:
    world = World(tmp_path)
    queue = world.queue("host.example", 5)
    world.channels.fill(queue)
    counts = []
    for _ in range(4):
        world.clock.advance(60)
        counts.append(queue.channels)
    assert counts == [2, 3, 3, 3]


def test_progress_puts_it_off(tmp_path: Path) -> None:
    world = World(tmp_path)
    queue = world.queue("host.example", 5)
    world.channels.fill(queue)
    for _ in range(5):
        world.clock.advance(40)
        world.channels.completed(queue)
    assert queue.channels == 1
    world.clock.advance(60)
    assert queue.channels == 2


def test_no_more_channels_than_messages(tmp_path: Path) -> None:
    world = World(tmp_path)
    queue = world.queue("host.example", 2)
    world.channels.fill(queue)
    world.clock.advance(1000)
    assert queue.channels == 2


@pytest.mark.parametrize(("messages", "channels"), [(MANY, 1), (MANY + 1, 3)])
def test_many_messages(tmp_path: Path, messages: int, channels: int) -> None:
    world = World(tmp_path, AddChannelAfter=math.inf)
    queue = world.queue("host.example", messages)
    world.channels.fill(queue)
    assert queue.channels == channels
    world.clock.advance(10_000)
    assert queue.channels == channels


def test_a_host_that_takes_no_more_is_left_alone_for_a_while(tmp_path: Path) -> None:
    world = World(tmp_path)
    queue = world.queue("host.example", 60)
    world.options.values["ChannelsPerHost"] = 1
    world.channels.fill(queue)
    world.options.values["ChannelsPerHost"] = 3
    world.channels.not_taken(queue)
    world.channels.fill(queue)
    assert queue.channels == 1
    world.clock.advance(59)
    assert queue.channels == 1
    world.clock.advance(1)
    assert queue.channels == 3


def test_turns_are_kept(tmp_path: Path) -> None:
    world = World(tmp_path, OutputChannels=1)
    queues = [world.queue(f"{name}.example", 1) for name in "abc"]
    for queue in queues:
        world.channels.fill(queue)
    assert world.opened == ["a.example"]
    world.channels.ended(queues[0])
    assert world.opened == ["a.example", "b.example"]
    world.options.values["OutputChannels"] = 2
    world.channels.go_on()
    assert world.opened == ["a.example", "b.example", "c.example"]
    assert [queue.waits for queue in queues] == [False, False, False]


def test_no_channels_no_sending(tmp_path: Path) -> None:
    world = World(tmp_path, OutputChannels=0)
    queue = world.queue("host.example", 3)
    world.channels.fill(queue)
    assert (world.opened, queue.waits) == ([], True)


def test_the_last_channel_takes_its_timer_along(tmp_path: Path) -> None:
    world = World(tmp_path)
    queue = world.queue("host.example", 2)
    world.channels.fill(queue)
    world.channels.ended(queue)
    assert world.clock.getDelayedCalls() == []


def test_a_channel_that_has_taken_nothing_yet_sets_no_timer_again_and_again(tmp_path: Path) -> None:
    world = World(tmp_path)
    queue = world.queue("host.example", 1)
    world.channels = Channels(clock=world.clock, settings=world.options, work=lambda _: None)
    world.channels.fill(queue)
    world.clock.advance(61)
    assert (queue.channels, world.clock.getDelayedCalls()) == (1, [])
    world.add(queue, 1)
    world.channels.fill(queue)
    assert queue.channels == 2


def test_names_of_queues() -> None:
    assert queue_name("Host.Example", "") == "host.example"
    assert queue_name("hostName", "12.34.56.78") == "@12.34.56.78:hostname"
    queue = HostQueue("@12.34.56.78:mail.example:26")
    assert (queue.source, queue.host, queue.domain) == (
        "12.34.56.78",
        "mail.example:26",
        "mail.example",
    )
    plain = HostQueue("[10.0.0.5:26]")
    assert (plain.source, plain.host) == ("", "[10.0.0.5:26]")


PERIODS = st.integers(1, 100_000).map(float)


@given(every=PERIODS, later=PERIODS, after=PERIODS, give_up=PERIODS)
def test_attempts_of_a_dead_host(every: float, later: float, after: float, give_up: float) -> None:
    """The intervals change once, and no attempt is made when the message has been given up."""
    schedule = Schedule(
        every=every,
        later_every=later,
        later_after=after,
        give_up_after=give_up,
        warn_after=math.inf,
    )
    age, attempts = 0.0, [0.0]
    for _ in range(50):
        age += schedule.interval(age)
        if schedule.expired(age):
            break
        attempts.append(age)
    gaps = [b - a for a, b in pairwise(attempts)]
    for start, gap in zip(attempts, gaps, strict=False):
        assert gap == (every if start < after else later)
    assert all(moment < give_up for moment in attempts)
