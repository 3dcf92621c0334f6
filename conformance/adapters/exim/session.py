"""A running Exim: when it is at rest, and what it answers to Route.

What is under way is seen in three places: messages in ``spool/input`` of which the log tells no
delivery attempt yet, processes that the daemon's own connections have started (deliveries, queue
runs, bounces), and connections to remote hosts. A message that stays in the queue after an attempt
waits for a retry: that is rest.
"""

from __future__ import annotations

import asyncio
import os
import re
from pathlib import Path

from conformance.adapters.exim.config import CONFIG, EXIM
from conformance.adapters.exim.route import answer
from conformance.adapters.inside import run_inside
from conformance.adapters.rest import Look
from conformance.adapters.target import AdapterSession
from conformance.targets.base import Holds, TargetError
from conformance.targets.dictionary import parse

#: After these marks in a log line a delivery of the message has been tried, or is not wanted now.
_TRIED = re.compile(
    r"(?:exim\[\d+\]: )(?:\[[\d/]+\] )?([\w-]{16,23}) "
    r"(?:=>|->|\*\*|==|>>|Completed|Frozen|no immediate delivery|Message is frozen)"
)
_ROUTE = re.compile(r"\s*route\s+(.*)", re.IGNORECASE | re.DOTALL)


class EximSession(AdapterSession):
    """One Exim with its Dovecot."""

    watched = ("spool/input",)

    def prepare(self) -> None:
        """Write the files; begin with no message tried."""
        super().prepare()
        self._tried: set[str] = set()
        self._ends: dict[int, int] = {}

    def heard(self, line: str) -> None:
        """Note the messages whose delivery has been tried."""
        found = _TRIED.search(line)
        if found is not None:
            self._tried.add(found[1])

    def look(self, held: Holds) -> Look:
        """Return what is under way now."""
        if self.log is not None:
            self.log.read()
        fresh = [name for name in self._queue() if name not in self._tried]
        working = self._working()
        connections = self.look_at_connections(held)
        if connections.busy or (not working and not fresh):
            return connections
        leaves = [pid for pid, children in working.items() if not children]
        open_now = 0 if self.target.connections is None else len(self.target.connections.outgoing())
        if connections.held and len(leaves) <= open_now and len(fresh) <= open_now:
            return connections
        self._await_ends(working)
        words = [f"messages {', '.join(fresh)}"] if fresh else []
        words += [f"{len(working)} processes"] if working else []
        return Look(busy=" and ".join(words))

    def _queue(self) -> list[str]:
        """Return the messages in the queue."""
        folder = self.sandbox.folder / "spool" / "input"
        return sorted(path.name[:-2] for path in folder.glob("*-H"))

    def queue_files(self) -> list[Path]:
        """Return the message files in the queue."""
        return [self.sandbox.folder / "spool" / "input" / f"{name}-D" for name in self._queue()]

    def _working(self) -> dict[int, list[int]]:
        """Return processes that do more than to serve a connection, each with its children."""
        if self.process is None:
            return {}
        found: dict[int, list[int]] = {}
        for service in _children(self.process.pid):
            if _command(service)[:1] == [EXIM]:
                for connection in _children(service):
                    words = _command(connection)
                    if words[:2] != [EXIM, "-C"] or "-bdf" not in words:
                        _collect(connection, found)
                    for child in _children(connection):
                        _collect(child, found)
            elif _command(service)[:1] not in ([], ["/usr/sbin/dovecot"]):
                # A delivery whose parent has ended belongs to the first process.
                _collect(service, found)
        return found

    def _await_ends(self, working: dict[int, list[int]]) -> None:
        """Let the end of a process be an event."""
        for pid in working:
            if pid not in self._ends:
                try:
                    descriptor = os.pidfd_open(pid)
                except ProcessLookupError:
                    continue
                self._ends[pid] = descriptor
                asyncio.get_running_loop().add_reader(descriptor, self._ended, pid)

    def _ended(self, pid: int) -> None:
        descriptor = self._ends.pop(pid)
        asyncio.get_running_loop().remove_reader(descriptor)
        os.close(descriptor)
        self.moved.set()

    def _close(self) -> None:
        for pid in list(self._ends):
            self._ended(pid)
        super()._close()

    async def cli(self, command: str, *, user: str = "", password: str = "") -> tuple[int, str]:
        """Answer Route; nothing else of the CLI. Raises TargetError."""
        asked = _ROUTE.fullmatch(command)
        if asked is None or self.process is None:
            return await super().cli(command, user=user, password=password)
        address = str(parse(asked[1]))
        done = await run_inside(
            self.process.pid, [EXIM, "-C", CONFIG, "-DROUTE_ONLY=yes", "-bt", "--", address]
        )
        if done.errors and not done.output:
            raise TargetError(f"exim -bt {address}: {done.errors.strip()}")
        return answer(done.output)


def _children(pid: int) -> list[int]:
    try:
        text = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii")
    except OSError:
        return []
    return [int(word) for word in text.split()]


def _command(pid: int) -> list[str]:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().decode("ascii", "replace").split("\0")
    except OSError:
        return []


def _collect(pid: int, found: dict[int, list[int]]) -> None:
    if not _command(pid)[0:1] or _command(pid) == [""]:
        return
    found[pid] = _children(pid)
    for child in found[pid]:
        _collect(child, found)
