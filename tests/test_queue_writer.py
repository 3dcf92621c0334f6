"""The process that writes the queue's files in a crowd, as the server sees it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from queue_world import MESSAGE, FakeLog, ReactorTime, Turns, envelope
from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from reference.queue import PoolThreads
from reference.queue.directory import QueueDirectory
from reference.queue.message import QueuedMessage
from reference.queue.writer import CROWD, Writer


class Office:
    """A Queue directory whose commits may be done by a process."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.turns = Turns()
        self.log = FakeLog()
        self.threads = PoolThreads(reactor=self.turns.reactor, size=1, name="files")  # type: ignore[arg-type]
        self.writer = Writer(reactor=self.turns.reactor, folder=str(folder), log=self.log)
        self.directory = QueueDirectory(
            folder=folder,
            clock=ReactorTime(),
            threads=self.threads,
            log=self.log,
            crew=self.writer,
        )
        self.results: list[Any] = []

    def commit(self, count: int) -> list[Deferred[Any]]:
        """Begin so many commits."""
        commits = []
        for number in range(count):
            draft = self.directory.new(envelope(f"u{number}@one.example"))
            draft.append(MESSAGE)
            commits.append(self.directory.commit(draft).addBoth(self.results.append))
        return commits

    def commit_all(self, count: int) -> list[Any]:
        """Commit so many messages together; return the messages or failures."""
        self.results = []
        self.commit(count)
        self.turns.until(lambda: len(self.results) == count)
        return self.results

    def crowd(self) -> int:
        """Begin the process by a crowd; return its number when it is there."""
        # The first goes alone, the others wait for it together.
        self.commit_all(CROWD + 1)
        self.turns.until(lambda: self.writer.takes(0))
        assert self.writer.pid is not None
        return self.writer.pid

    def kinds(self) -> set[str]:
        """Return how the names in the directory end."""
        return {path.suffix for path in self.folder.iterdir()}

    def close(self) -> None:
        """End the process and the thread."""
        self.turns.wait(self.writer.stop())
        self.threads.stop()
        self.turns.close()


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Office]:
    office = Office(tmp_path / "Queue")
    yield office
    office.close()


def alive(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists()


def test_few_messages_need_no_process(office: Office) -> None:
    assert all(isinstance(each, QueuedMessage) for each in office.commit_all(CROWD))
    assert office.writer.pid is None


def test_in_a_crowd_a_process_writes(office: Office) -> None:
    pid = office.crowd()
    before = _written(pid)
    messages = office.commit_all(30)
    assert [b"".join(message.blocks()) for message in messages] == [MESSAGE] * 30
    for message in messages:
        message.forget()
        assert b"".join(message.blocks()) == MESSAGE
    assert office.kinds() == {".msg"}
    assert _written(pid) >= before + 30 * len(MESSAGE)
    assert office.log.has("QUEUE", f"writing process {pid} begun")


def test_the_process_writes_large_ones_marks_and_removals(office: Office) -> None:
    office.crowd()
    draft = office.directory.new(envelope("a@one.example", "b@one.example"))
    for _ in range(40):
        draft.append(b"0123456789" * 1000)
    message = office.turns.wait(office.directory.commit(draft))
    assert message.size == 400_000
    message.states[1] = type(message.states[1]).DONE
    office.turns.wait(office.directory.mark(message, [1]))
    again = office.directory.load(message.name)
    assert again is not None
    assert again.states == message.states
    assert b"".join(again.blocks()) == b"0123456789" * 40_000
    office.turns.wait(office.directory.remove(message))
    assert not message.path.exists()


def test_an_error_of_the_disk_is_that_message_s(office: Office) -> None:
    office.crowd()
    office.results = []
    first, second = (office.directory.new(envelope("a@one.example")) for _ in range(2))
    (office.folder / f"{first.name}.tmp").mkdir()
    for draft in (first, second):
        draft.append(MESSAGE)
        office.directory.commit(draft).addBoth(office.results.append)
    office.turns.until(lambda: len(office.results) == 2)
    failures = [each for each in office.results if isinstance(each, Failure)]
    (failure,) = failures
    assert isinstance(failure.value, FileExistsError)
    assert office.log.has("TEMPFILE", f"cannot store {first.name}.msg: [Errno 17] File exists")
    (office.folder / f"{first.name}.tmp").rmdir()
    assert (office.folder / f"{second.name}.msg").exists()


def test_signals_that_end_the_server_do_not_end_the_process(office: Office) -> None:
    pid = office.crowd()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        os.kill(pid, number)
    assert all(isinstance(each, QueuedMessage) for each in office.commit_all(20))
    assert office.writer.takes(1)


def test_when_the_process_dies_nothing_half_done_remains_and_a_thread_goes_on(
    office: Office,
) -> None:
    pid = office.crowd()
    (kept,) = office.commit_all(1)
    os.kill(pid, signal.SIGSTOP)
    office.results = []
    office.commit(5)
    office.directory.remove(kept).addBoth(office.results.append)
    os.kill(pid, signal.SIGKILL)
    office.turns.until(lambda: len(office.results) == 6)
    failures = [each for each in office.results if isinstance(each, Failure)]
    # The first was on its way to the process; the others had not been sent yet.
    (failure,) = failures
    assert "the process that writes the queue's files has ended" in str(failure.value)
    assert not kept.path.exists()
    assert office.kinds() == {".msg"}
    assert len(list(office.folder.iterdir())) == CROWD + 1 + 4
    assert office.log.has("QUEUE", "the writing process has ended (-9); a thread does its work")
    assert all(isinstance(each, QueuedMessage) for each in office.commit_all(2 * CROWD))
    assert not alive(pid)


def test_the_process_ends_with_the_server(tmp_path: Path) -> None:
    office = Office(tmp_path / "Queue")
    pid = office.crowd()
    office.results = []
    office.commit(10)
    office.turns.wait(office.writer.stop())
    assert len(office.results) >= 1, "what was sent is answered"
    office.turns.until(lambda: len(office.results) == 10)
    assert all(isinstance(each, QueuedMessage) for each in office.results)
    assert not alive(pid)
    office.close()


def test_a_process_that_cannot_be_begun_is_told_in_the_log(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: object, **__: object) -> None:
        raise BlockingIOError(11, "Resource temporarily unavailable")

    monkeypatch.setattr(subprocess, "Popen", refused)
    for _ in range(2):
        messages = office.commit_all(CROWD + 1)
        assert all(isinstance(each, QueuedMessage) for each in messages)
    records = [record for record in office.log.records if "no writing process" in record[2]]
    assert records == [(1, "QUEUE", "no writing process: Resource temporarily unavailable")]


def test_the_program_needs_nothing_of_the_server(tmp_path: Path) -> None:
    program = sys.modules["reference.queue.changes"].__file__
    done = subprocess.run(
        [sys.executable, "-IS", str(program), str(tmp_path), "77"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "Bad file descriptor" in done.stderr


def _written(pid: int) -> int:
    """Return the octets that a process has handed to system calls that write."""
    counts = Path(f"/proc/{pid}/io").read_text()
    return int(counts.partition("wchar:")[2].split()[0])
