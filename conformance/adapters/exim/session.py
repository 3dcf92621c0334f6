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
import time
from datetime import UTC, datetime
from pathlib import Path

from conformance.adapters.exim.config import CONFIG, EXIM
from conformance.adapters.exim.route import answer
from conformance.adapters.inside import run_inside, start_inside
from conformance.adapters.rest import Look
from conformance.adapters.sandbox import INSIDE
from conformance.adapters.target import AdapterSession, AdapterTarget, Layout
from conformance.targets.base import Holds, NotApplicable, Surroundings, TargetError
from conformance.targets.dictionary import parse

#: After these marks in a log line a delivery of the message has been tried, or is not wanted now.
_TRIED = re.compile(
    r"(?:exim\[\d+\]: )(?:\[[\d/]+\] )?([\w-]{16,23}) "
    r"(?:=>|->|\*\*|==|>>|Completed|Frozen|no immediate delivery|Message is frozen)"
)
#: A record of the retry database: first failure, last attempt, next attempt.
_NEXT = re.compile(r"^\S+ [\d:]{8} +(\S+ [\d:]{8}) +(\S+ [\d:]{8})", re.MULTILINE)
#: Attempts within one span that are not too many.
_ATTEMPTS = 60
_ROUTE = re.compile(r"\s*route\s+(.*)", re.IGNORECASE | re.DOTALL)


class EximSession(AdapterSession):
    """One Exim with its Dovecot."""

    watched = ("spool/input",)

    def __init__(self, target: AdapterTarget, layout: Layout, surroundings: Surroundings) -> None:
        super().__init__(target, layout, surroundings)
        self._tried: set[str] = set()
        self._ends: dict[int, int] = {}
        self._runs: list[asyncio.subprocess.Process] = []

    def heard(self, line: str) -> None:
        """Note the messages whose delivery has been tried."""
        found = _TRIED.search(line)
        if found is not None:
            self._tried.add(found[1])

    async def advance(self, seconds: float, held: Holds) -> None:
        """Let time pass: from one host's or address's next attempt to the next.

        Exim keeps these moments in its retry database, and looks at them when a queue run asks;
        so the clock is put to each, and a run is started.
        """
        clock = self.clock
        if clock is None:
            raise NotApplicable("needs real time")
        await self.rest(held)
        end = time.time() + clock.ahead + seconds
        while True:
            now = time.time() + clock.ahead
            coming = [each for each in await self._attempts() if each[1] > now]
            due = min((moment for _, moment in coming), default=end)
            if due > end - 1:
                break
            if any(seconds / max(1.0, after - before) > _ATTEMPTS for before, after in coming):
                raise NotApplicable(
                    "needs real time: Exim looks whether a message is due when a queue run asks, "
                    f"and one for each attempt would be more than {_ATTEMPTS} runs"
                )
            clock.move(due - now + 1)
            await self._run_queue(held)
        clock.move(max(0.0, end - time.time() - clock.ahead))
        await self._run_queue(held)

    async def _attempts(self) -> list[tuple[float, float]]:
        """Return the moments of the last and the next attempts, in the server's time."""
        if self.process is None or not (self.sandbox.folder / "spool/db/retry").exists():
            return []
        done = await run_inside(
            self.process.pid, ["/usr/sbin/exim_dumpdb", "-z", f"{INSIDE}/spool", "retry"]
        )
        return [(_moment(last), _moment(after)) for last, after in _NEXT.findall(done.output)]

    async def _run_queue(self, held: Holds) -> None:
        """Run the queue once; return when it is at rest again. Raises TargetError."""
        if self.process is None or self.clock is None:
            return
        run = await start_inside(
            self.process.pid,
            [EXIM, "-C", CONFIG, "-q"],
            environment=self.clock.environment(),
        )
        self._runs.append(run)
        ended = asyncio.create_task(run.wait())
        ended.add_done_callback(lambda _: self.moved.set())
        await self.rest(held)

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
        tree = _processes()
        found: dict[int, list[int]] = {}
        for run in self._runs:
            if run.returncode is None:
                _collect(run.pid, tree, found)
        for service in tree.get(self.process.pid, []):
            words = _command(service)
            if words[:1] != [EXIM]:
                continue
            if "-bdf" not in words:
                # Its parent has ended: what is left belongs to the first process.
                _collect(service, tree, found)
            for connection in tree.get(service, []):
                if "-bdf" not in _command(connection):
                    _collect(connection, tree, found)
                for child in tree.get(connection, []):
                    _collect(child, tree, found)
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


def _moment(text: str) -> float:
    return datetime.strptime(text, "%d-%b-%Y %H:%M:%S").replace(tzinfo=UTC).timestamp()


def _processes() -> dict[int, list[int]]:
    """Return the children of every process, those that have ended left out."""
    tree: dict[int, list[int]] = {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                stat = (folder / "stat").read_text(encoding="ascii", errors="replace")
            except OSError:
                continue
            state, parent, *_ = stat[stat.rindex(")") + 2 :].split()
            if state not in "ZX":
                tree.setdefault(int(parent), []).append(int(folder.name))
    return tree


def _command(pid: int) -> list[str]:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().decode("ascii", "replace").split("\0")
    except OSError:
        return []


def _collect(pid: int, tree: dict[int, list[int]], found: dict[int, list[int]]) -> None:
    found[pid] = tree.get(pid, [])
    for child in found[pid]:
        _collect(child, tree, found)
