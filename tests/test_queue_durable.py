"""What the queue promises about power and ``kill -9``, with real threads and files."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from queue_world import MESSAGE, FakeLog, InlineThreads, Pump, ReactorTime, World, envelope

from reference.queue import PoolThreads
from reference.queue.directory import QueueDirectory

HERE = Path(__file__).parent


def test_commits_run_in_another_thread_and_end_in_the_reactor_s(tmp_path: Path) -> None:
    pump = Pump()
    threads = PoolThreads(reactor=pump, size=2, name="files")  # type: ignore[arg-type]
    world = World(tmp_path, threads=threads, readers=threads)
    ran: list[threading.Thread] = []
    names: list[str] = []
    for number in range(30):
        submitted = world.queue.submit(
            envelope(f"u{number}@one.example"),
            lambda: (ran.append(threading.current_thread()), MESSAGE)[1:],
        )
        submitted.addCallback(
            lambda name: (names.append(name), ran.append(threading.current_thread()))
        )
        if number % 10 == 9:
            pump.wait(submitted)
    while len(names) < 30:
        pump.wait(world.queue.submit(envelope("last@one.example"), MESSAGE))
    assert threading.main_thread() in ran
    assert len({thread.name for thread in ran}) > 1
    assert len(world.files()) >= 30
    threads.stop()


def test_an_exception_of_a_thread_comes_back() -> None:
    pump = Pump()
    threads = PoolThreads(reactor=pump, size=1, name="files")  # type: ignore[arg-type]
    with pytest.raises(ZeroDivisionError):
        pump.wait(threads.run(lambda: 1 // 0))
    threads.stop()


def test_a_pool_that_stops_finishes_what_it_was_given_and_takes_no_more() -> None:
    threads = PoolThreads(reactor=Pump(), size=1, name="ending")  # type: ignore[arg-type]
    made: list[int] = []
    for number in range(5):
        threads.run(lambda number=number: made.append(number))  # type: ignore[misc]
    threads.stop()
    assert made == [0, 1, 2, 3, 4]
    threads.run(lambda: made.append(5))
    assert not any(thread.name.startswith("ending-") for thread in threading.enumerate())
    assert 5 not in made


def test_a_pool_that_was_never_used_stops() -> None:
    PoolThreads(reactor=Pump(), size=1, name="files").stop()  # type: ignore[arg-type]


@pytest.mark.parametrize("most", [7, 30, 40], ids=["by a thread", "in a crowd", "in a larger one"])
def test_what_was_accepted_survives_kill(tmp_path: Path, most: int) -> None:
    folder = tmp_path / "Queue"
    child = subprocess.Popen(
        [sys.executable, str(HERE / "queue_killed.py"), str(folder), str(most)],
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": f"{HERE.parent}:{HERE}"},
        text=True,
    )
    assert child.stdout is not None
    accepted = dict(child.stdout.readline().split() for _ in range(random.randint(1, 600)))
    child.kill()
    accepted.update(line.split() for line in child.stdout.read().splitlines() if line.count(" "))
    child.wait()
    log = FakeLog()
    directory = QueueDirectory(folder=folder, clock=ReactorTime(), threads=InlineThreads(), log=log)
    names = directory.scan()
    assert set(accepted) <= set(names)
    assert not list(folder.glob("*.tmp"))
    for name in names:
        message = directory.load(name)
        assert message is not None, "no message is torn"
        content = b"".join(message.blocks())
        number = int(content.split(b"\r\n")[0].split()[1])
        assert content == f"Subject: {number}\r\n\r\n".encode() + (
            bytes([65 + number % 26]) * 3000 + b"\r\n"
        )
        assert message.envelope.recipients[0].address == f"u{number}@x"
        if name in accepted:
            assert accepted[name] == str(number)
