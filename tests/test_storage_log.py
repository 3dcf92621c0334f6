"""The Server Log: form, levels, files, and what must never stand in it."""

from __future__ import annotations

import io
import os
import re
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.task import Clock as TwistedClock

from reference.kernel.clock import Timer
from reference.storage.log import Level, ServerLog, masked
from reference.storage.settings import Settings


class Clock:
    """A clock that a test moves."""

    def __init__(self, now: float) -> None:
        self.now = now
        self._timers = TwistedClock()

    def time(self) -> float:
        return self.now

    def call_later(self, seconds: float, call: Callable[..., object], *args: Any) -> Timer:
        timer: Timer = self._timers.callLater(seconds, call, *args)
        return timer


def at(text: str) -> float:
    """A local time as seconds since the epoch."""
    return time.mktime(time.strptime(text, "%Y-%m-%d %H:%M:%S"))


@pytest.fixture
def clock() -> Clock:
    return Clock(at("2001-04-04 21:08:46") + 0.1234)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    (tmp_path / "base").mkdir()
    return Settings(tmp_path / "base")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "SystemLogs"
    path.mkdir()
    return path


def lines(folder: Path) -> list[str]:
    return [line for path in sorted(folder.iterdir()) for line in path.read_text().splitlines()]


def test_a_record(folder: Path, clock: Clock) -> None:
    log = ServerLog(folder=folder, clock=clock)
    log.write(Level.PROBLEMS, "POP-12357", "connection from [10.0.0.1]")
    assert lines(folder) == ["21:08:46.123 3 POP-12357 connection from [10.0.0.1]"]
    assert [p.name for p in folder.iterdir()] == ["2001-04-04_21-08.log"]
    assert log.path == folder / "2001-04-04_21-08.log"


def test_levels_follow_the_settings(folder: Path, clock: Clock, settings: Settings) -> None:
    log = ServerLog(folder=folder, clock=clock, settings=settings)
    assert log.on("SMTPO-00001(relay.com)", 3)
    assert not log.on("SMTPO-00001(relay.com)", 4)
    settings.update("SMTP", {"LogLevel": "All Info"})
    assert log.on("SMTPO-00001(relay.com)", 5)
    assert not log.on("POP-00001", 4)
    settings.update("POP", {"LogLevel": "0"})
    assert log.on("POP-00001", Level.CRASHES)
    assert not log.on("POP-00001", Level.FAILURES)
    settings.update("DomainDefaults", {"AccountsLogLevel": "4"})
    assert log.on("ACCOUNT", 4)
    assert not log.on("MAILBOX", 4)
    log.write(5, "POP-00001", "never")
    log.write(5, "SMTP-00001", "always")
    assert [line[13:] for line in lines(folder)] == ["5 SMTP-00001 always"]


def test_log_all_and_the_console(folder: Path, clock: Clock, settings: Settings) -> None:
    console = io.StringIO()
    log = ServerLog(folder=folder, clock=clock, settings=settings, log_all=True, console=console)
    log.write(5, "ROUTER", "a = b")
    assert console.getvalue() == "21:08:46.123 5 ROUTER a = b\n"
    assert lines(folder) == ["21:08:46.123 5 ROUTER a = b"]


@given(st.text())
def test_a_text_is_one_line(text: str) -> None:
    written = io.StringIO()
    log = ServerLog(
        folder=Path("/nonexistent"), clock=Clock(0), console=written, later=lambda call: None
    )
    log.write(1, "SMTP", text)
    record = written.getvalue()
    assert record.endswith("\n")
    assert not re.search(r"[\x00-\x1f\x7f]", record[:-1])


def test_records_of_a_turn_are_written_together(folder: Path, clock: Clock) -> None:
    turn: list[Callable[[], object]] = []
    log = ServerLog(folder=folder, clock=clock, later=turn.append)
    log.write(1, "SYSTEM", "one")
    log.write(1, "SYSTEM", "two")
    assert len(turn) == 1
    assert lines(folder) == []
    turn.pop()()
    assert [line[22:] for line in lines(folder)] == ["one", "two"]
    log.write(1, "SYSTEM", "three")
    assert len(turn) == 1
    log.close()
    assert lines(folder)[-1].endswith("three")


def test_another_thread_does_not_touch_the_reactor(folder: Path, clock: Clock) -> None:
    turn: list[Callable[[], object]] = []
    log = ServerLog(folder=folder, clock=clock, later=turn.append)
    thread = threading.Thread(target=lambda: log.write(1, "LOCAL", "stored"))
    thread.start()
    thread.join()
    assert turn == []
    assert lines(folder)[-1].endswith("stored")


def test_a_new_file_at_midnight(folder: Path, clock: Clock) -> None:
    log = ServerLog(folder=folder, clock=clock)
    log.write(1, "SYSTEM", "before")
    clock.now = at("2001-04-04 23:59:59")
    log.write(1, "SYSTEM", "still before")
    clock.now = at("2001-04-05 00:00:00")
    log.write(1, "SYSTEM", "after")
    assert sorted(p.name for p in folder.iterdir()) == [
        "2001-04-04_21-08.log",
        "2001-04-05_00-00.log",
    ]


def test_a_new_file_when_the_settings_say(folder: Path, clock: Clock, settings: Settings) -> None:
    settings.update("Logs", {"NewFileEvery": "1h", "LargerThan": "100"})
    log = ServerLog(folder=folder, clock=clock, settings=settings)
    log.write(1, "SYSTEM", "x" * 200)
    log.write(1, "SYSTEM", "y" * 200)
    clock.now += 3600
    log.write(1, "SYSTEM", "z")
    assert sorted(p.name for p in folder.iterdir()) == [
        "2001-04-04_21-08.log",
        "2001-04-04_21-08_2.log",
        "2001-04-04_22-08.log",
    ]


def test_old_files_are_removed_with_a_new_one(
    folder: Path, clock: Clock, settings: Settings
) -> None:
    for name, days in (("old.log", 6), ("recent.log", 4)):
        (folder / name).write_text("")
        os.utime(folder / name, (clock.now, clock.now - days * 86400))
    settings.update("Logs", {"DeleteOldFiles": "5d"})
    log = ServerLog(folder=folder, clock=clock, settings=settings)
    log.write(1, "SYSTEM", "new")
    assert {p.name for p in folder.iterdir()} == {"recent.log", "2001-04-04_21-08.log"}


def test_a_restart_goes_on_with_the_file(folder: Path, clock: Clock) -> None:
    for text in ("one", "two"):
        ServerLog(folder=folder, clock=clock).write(1, "SYSTEM", text)
    assert len(list(folder.iterdir())) == 1
    assert len(lines(folder)) == 2


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("PASS secret word", "PASS ***"),
        ("newpass secret", "newpass ***"),
        ("APOP john 0123456789abcdef", "APOP john ***"),
        ("USER john", "USER john"),
        ('a1 LOGIN "jo hn" secret', 'a1 LOGIN "jo hn" ***'),
        ("a1 LOGIN john {6}", "a1 LOGIN john ***"),
        ("AUTH PLAIN AGpvaG4Ac2VjcmV0", "AUTH PLAIN ***"),
        ("a1 AUTHENTICATE PLAIN AGpvaG4A", "a1 AUTHENTICATE PLAIN ***"),
        ("AUTH CRAM-MD5", "AUTH CRAM-MD5"),
        ('SetAccountPassword "john" TO "sec ret"', 'SetAccountPassword "john" TO ***'),
        ("VerifyAccountPassword john PASSWORD secret", "VerifyAccountPassword john PASSWORD ***"),
        ('CreateAccount j {Password="a \\"b";X=1;}', "CreateAccount j {Password=***;X=1;}"),
        ("{X=1;Password = secret;}", "{X=1;Password = ***;}"),
        ("RCPT TO:<password@host>", "RCPT TO:<password@host>"),
    ],
)
def test_masked(line: str, expected: str) -> None:
    assert masked(line) == expected
