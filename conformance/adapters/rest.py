"""Rest of servers that cannot say so: found out by looking, each time that something has moved.

What moves is known by events: a line in the log, a change in a watched folder of the queue
(:class:`Watch`, inotify(7)), something that the world heard. After each the session looks at its
queue and its connections (:class:`Look`). Nothing under way: it is at rest. Only what the world
holds on purpose: it is at rest when nothing has moved for a short while, for the server may be
about to begin something else. Otherwise the next event is awaited, up to a bound.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from conformance.targets.base import TargetError

#: Seconds without an event after which a server that waits for the world is at rest.
SILENCE = 0.2
#: Seconds between two looks when no event comes, in case one has no event of its own.
BETWEEN = 0.1
_TURNS = 2
#: Seconds after which a server that is still busy is given up.
BOUND = 12.0

_CHANGES = 0x2 | 0x4 | 0x8 | 0x40 | 0x80 | 0x100 | 0x200
"""IN_MODIFY, IN_ATTRIB, IN_CLOSE_WRITE, IN_MOVED_FROM, IN_MOVED_TO, IN_CREATE, IN_DELETE."""
_libc = ctypes.CDLL(None, use_errno=True)


@dataclass(frozen=True, slots=True)
class Look:
    """What a session saw."""

    busy: str = ""
    """What is under way and will end by itself, in words; empty: nothing."""
    held: str = ""
    """What the world holds on purpose, in words; empty: nothing."""


class Watch:
    """Calls back when something changes in one of some folders."""

    def __init__(self, folders: Iterable[Path], changed: Callable[[], None]) -> None:
        self._changed = changed
        self._descriptor = _libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
        if self._descriptor < 0:
            raise TargetError(f"inotify cannot be had: {os.strerror(ctypes.get_errno())}")
        for folder in folders:
            if _libc.inotify_add_watch(self._descriptor, os.fsencode(folder), _CHANGES) < 0:
                code = ctypes.get_errno()
                self._close()
                raise TargetError(f"{folder} cannot be watched: {os.strerror(code)}")
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(self._descriptor, self._read)

    def _read(self) -> None:
        with contextlib.suppress(BlockingIOError):
            os.read(self._descriptor, 1 << 16)
            self._changed()

    def close(self) -> None:
        """Stop watching."""
        if self._descriptor >= 0:
            self._loop.remove_reader(self._descriptor)
            self._close()

    def _close(self) -> None:
        os.close(self._descriptor)
        self._descriptor = -1


async def rest(
    look: Callable[[], Look],
    moved: asyncio.Event,
    *,
    silence: float = SILENCE,
    bound: float = BOUND,
) -> None:
    """Return when ``look()`` finds nothing under way; ``moved`` is set by every event.

    Raises TargetError after ``bound`` seconds, with what was seen last.
    """
    seen = Look()
    try:
        async with asyncio.timeout(bound):
            while True:
                moved.clear()
                seen = look()
                # What has already been said, but not heard, may change the picture: in the loop's
                # next turn it is found, in the one after its reader has run.
                for _ in range(_TURNS):
                    await asyncio.sleep(0)
                if moved.is_set():
                    continue
                if not seen.busy and not seen.held:
                    return
                moved_again = await _wait(moved, BETWEEN if seen.busy else silence)
                if not seen.busy and not moved_again:
                    return
    except TimeoutError:
        raise TargetError(
            f"the server does not come to rest within {bound:g} seconds: {seen.busy or seen.held}"
        ) from None


async def _wait(moved: asyncio.Event, seconds: float) -> bool:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await moved.wait()
    return moved.is_set()
