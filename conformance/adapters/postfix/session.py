"""A running Postfix: what is under way in its queue, and its clock."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import stat
import time
from pathlib import Path

from conformance.adapters.rest import Look
from conformance.adapters.target import AdapterSession
from conformance.targets.base import Holds, NotApplicable

#: qmgr(8) trigger(5): look at the deferred queue, for what is due.
_SCAN_DEFERRED = b"D"
#: Seconds that this may take.
_SCAN_BOUND = 5.0
#: Seconds after the time of an attempt when qmgr(8) no longer takes the host for a dead one.
_LATER = 2.0
_MOVING = ("maildrop", "incoming", "active")
_WAITING = ("deferred", "hold")


class PostfixSession(AdapterSession):
    """One Postfix with its Dovecot."""

    watched = tuple(f"spool/{name}" for name in (*_MOVING, *_WAITING))

    def look(self, held: Holds) -> Look:
        """Return what is under way: messages on their way, connections to remote hosts.

        A message whose file is not executable yet is still being received (mail_queue_enter(3)).
        """
        connections = self.look_at_connections(held)
        moving = [path for path in self._messages(_MOVING) if _is_complete(path)]
        if connections.busy:
            return connections
        if moving and not connections.held:
            return Look(busy=f"{len(moving)} messages in {', '.join(_MOVING)}")
        return connections

    async def advance(self, seconds: float, held: Holds) -> None:
        """Let time pass: from one message's next attempt to the next, with rest in between.

        The time of the next attempt is the modification time of a deferred message's file; qmgr(8)
        is told to look at the deferred queue, as master(8) tells it every queue_run_delay.
        """
        clock = self.clock
        if clock is None:
            raise NotApplicable("needs real time")
        await self.rest(held)
        end = time.time() + clock.ahead + seconds
        while True:
            now = time.time() + clock.ahead
            due = min(self._attempts().values(), default=end)
            if due >= end:
                break
            for path in self._attempts():
                # qmgr(8) passes over a message that its delivery agent has not let go of yet.
                await asyncio.to_thread(_unlocked, path)
            clock.move(max(0.0, due - now) + _LATER)
            await self._run_queue()
            await self.rest(held)
        clock.move(max(0.0, end - time.time() - clock.ahead))
        await self.rest(held)

    def _attempts(self) -> dict[Path, float]:
        """Return each deferred message's next attempt, in the server's time."""
        attempts = {}
        for path in self._messages(("deferred",)):
            with contextlib.suppress(FileNotFoundError):
                attempts[path] = path.stat().st_mtime
        return attempts

    async def _run_queue(self) -> None:
        """Have qmgr(8) look at the deferred queue; return when what is due has left it."""
        now = time.time() + (self.clock.ahead if self.clock else 0)
        due = set(self._due(now))
        _, writer = await asyncio.open_unix_connection(
            str(self.sandbox.folder / "spool/public/qmgr")
        )
        writer.write(_SCAN_DEFERRED)
        await writer.drain()
        async with asyncio.timeout(_SCAN_BOUND):
            while any(path in due for path in self._due(now)):
                self.moved.clear()
                await self.moved.wait()
        writer.close()

    def _due(self, now: float) -> list[Path]:
        return [path for path, moment in self._attempts().items() if moment <= now]

    def queue_files(self) -> list[Path]:
        """Return the messages in all queues."""
        return sorted(self._messages((*_MOVING, *_WAITING)))

    def _messages(self, queues: tuple[str, ...]) -> list[Path]:
        spool = self.sandbox.folder / "spool"
        return [path for queue in queues for path in (spool / queue).iterdir()]


def _is_complete(path: Path) -> bool:
    """Tell whether the message of a queue file has been received; one that moves has been."""
    try:
        return bool(path.stat().st_mode & stat.S_IXUSR)
    except FileNotFoundError:
        # It has just gone on to the next queue, which may have been looked at already.
        return True


def _unlocked(path: Path) -> None:
    """Return when nobody holds a lock on the file."""
    with contextlib.suppress(FileNotFoundError), path.open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
