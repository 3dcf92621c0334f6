"""Rest of servers that cannot say so: looks after events, held waits, bounds; folders watched."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from conformance.adapters.rest import Look, Watch, rest
from conformance.adapters.syslog import Syslog
from conformance.targets.base import TargetError


def looks(*seen: Look) -> Iterator[Look]:
    yield from seen
    while True:
        yield seen[-1]


def test_nothing_under_way_is_rest_at_once() -> None:
    asyncio.run(asyncio.wait_for(rest(Look, asyncio.Event(), silence=60), 5))


def test_an_event_makes_it_look_again() -> None:
    async def course() -> int:
        moved = asyncio.Event()
        count = 0

        def look() -> Look:
            nonlocal count
            count += 1
            if count < 3:
                asyncio.get_running_loop().call_soon(moved.set)
                return Look(busy="a message")
            return Look()

        await asyncio.wait_for(rest(look, moved, silence=60), 5)
        return count

    assert asyncio.run(course()) == 3


def test_what_is_said_while_it_looks_is_heard_before_it_is_rest() -> None:
    async def course() -> int:
        moved = asyncio.Event()
        count = 0

        def look() -> Look:
            nonlocal count
            count += 1
            if count == 1:
                moved.set()
            return Look()

        await asyncio.wait_for(rest(look, moved), 5)
        return count

    assert asyncio.run(course()) == 2


def test_what_the_world_holds_is_rest_after_a_silence() -> None:
    async def course() -> int:
        moved = asyncio.Event()
        asyncio.get_running_loop().call_later(0.01, moved.set)
        count = 0

        def look() -> Look:
            nonlocal count
            count += 1
            return Look(held="smtp:11.22.33.44:25")

        await asyncio.wait_for(rest(look, moved, silence=0.05), 5)
        return count

    # The event in the silence made it look again.
    assert asyncio.run(course()) == 2


def test_a_server_that_stays_busy_is_an_error_that_says_with_what() -> None:
    seen = looks(Look(busy="2 messages in active"))
    with pytest.raises(TargetError, match="2 messages in active"):
        asyncio.run(rest(lambda: next(seen), asyncio.Event(), bound=0.05))


def test_a_change_in_a_folder_is_an_event(tmp_path: Path) -> None:
    async def course() -> None:
        changed = asyncio.Event()
        watch = Watch([tmp_path], changed.set)
        (tmp_path / "message").write_text("x")
        await asyncio.wait_for(changed.wait(), 5)
        await asyncio.sleep(0)
        changed.clear()
        (tmp_path / "message").unlink()
        await asyncio.wait_for(changed.wait(), 5)
        watch.close()
        watch.close()

    asyncio.run(course())


def test_a_folder_that_is_not_there_cannot_be_watched(tmp_path: Path) -> None:
    async def course() -> None:
        Watch([tmp_path / "none"], lambda: None)

    with pytest.raises(TargetError, match="cannot be watched"):
        asyncio.run(course())


def test_the_log_is_read_line_by_line(tmp_path: Path) -> None:
    async def course() -> list[str]:
        heard: asyncio.Queue[str] = asyncio.Queue()
        log = Syslog(tmp_path / "log", heard.put_nowait)
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as program:
            program.connect(str(tmp_path / "log"))
            program.send(b"<22>Nov 21 01:02:03 postfix/qmgr[5]: A1: removed\n\0")
            program.send(b"<22>dovecot: ready")
            lines = [await asyncio.wait_for(heard.get(), 5) for _ in range(2)]
        assert log.lines == lines
        log.close()
        log.close()
        return lines

    assert asyncio.run(course()) == ["postfix/qmgr[5]: A1: removed", "dovecot: ready"]


def test_a_path_too_long_for_a_socket_is_told(tmp_path: Path) -> None:
    async def course() -> None:
        Syslog(tmp_path / ("x" * 120), lambda _: None)

    with pytest.raises(TargetError, match="cannot be had"):
        asyncio.run(course())
