"""The PIPE module: messages to external applications.

Guide 3.5.2, PIPE Module, Delivering to External Applications, Serialized Delivery and Command Tags.
Each queue is worked on by one processor; as many queues are worked on at a time as Processes says.
The message goes to the application's standard input. A delivery fails, for good, when the
application cannot be started, does not read the whole message, takes too long, or says anything on
its standard error channel; a text that it says there is for the sender. An exit code that is not
zero is a failure, too: the document is silent about it.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterable, Sequence
from pathlib import Path

from twisted.internet.defer import Deferred

from reference.kernel.work import Work
from reference.queue.delivery import Entry, Outcome, Reports, delivered, failed
from reference.queue.directory import Log
from reference.queue.message import QueuedMessage
from reference.queue.options import Settings
from reference.queue.report import line
from reference.transport.commands import CommandError, Tag
from reference.transport.pipe_route import read_address
from reference.transport.programs import Command, Ended, NotStarted, Programs

_FAILURE, _MAJOR, _LOW_LEVEL = 1, 2, 4
_STATUS = "5.3.0"


class PipeDelivery:
    """The module ``PIPE`` of the queue; ``base`` is the server's base directory."""

    name = "PIPE"

    def __init__(
        self,
        *,
        base: Path,
        programs: Programs,
        work: Work,
        log: Log,
        settings: Settings,
        reports: Reports,
    ) -> None:
        self._base = base
        self._programs = programs
        self._work = work
        self._log = log
        self._settings = settings
        self._reports = reports
        self._queues: dict[str, deque[tuple[QueuedMessage, Entry]]] = {}
        self._turns: deque[str] = deque()
        self._running = 0

    def enqueue(self, message: QueuedMessage, host: str, entries: Sequence[Entry]) -> None:
        """Take recipients into the queue ``host``."""
        queue = self._queues.get(host.lower())
        if queue is None:
            queue = self._queues[host.lower()] = deque()
            self._turns.append(host.lower())
        queue.extend((message, entry) for entry in entries)
        self._next_turn()

    def release(self, host: str) -> bool:
        """Nothing waits here but for a processor."""
        return False

    def settings_changed(self) -> None:
        """Learn that there may be more processes now."""
        self._next_turn()

    def _next_turn(self) -> None:
        while self._turns and self._running < self._settings.get("PIPE", "Processes"):
            self._running += 1
            Deferred.fromCoroutine(self._turn(self._turns.popleft()))

    async def _turn(self, name: str) -> None:
        with self._work.doing(f"PIPE {name}"):
            queue = self._queues[name]
            while queue:
                message, entry = queue.popleft()
                try:
                    await self._deliver(name, message, entry)
                except Exception as error:  # noqa: BLE001 - one message must not hold up the others
                    # It stays in the queue directory for the next start.
                    self._note(_FAILURE, name, message, f"delivery broken: {error!r}")
            del self._queues[name]
            self._running -= 1
            self._next_turn()

    async def _deliver(self, name: str, message: QueuedMessage, entry: Entry) -> None:
        outcome = await self._outcome(name, message, entry)
        self._note(_MAJOR, name, message, f"<{entry.address}> {outcome.text}")
        self._reports.report(message, [entry.index], outcome)

    async def _outcome(self, name: str, message: QueuedMessage, entry: Entry) -> Outcome:
        try:
            command = read_address(entry.address).command
            words = command.completed(
                file=os.path.relpath(message.path, self._base),
                return_path=message.envelope.return_path,
                recipients=[message.envelope.recipients[entry.index].address],
            )
            program = self._application(words[0])
        except CommandError as error:
            return failed(str(error), _STATUS)

        def content() -> Iterable[bytes]:
            return () if Tag.FILE in command.tags else message.blocks()

        self._note(_LOW_LEVEL, name, message, f"starting {words[0]}")
        try:
            ended = await self._programs.run(
                Command(words=[str(program), *words[1:]], folder=self._base),
                content,
                limit=self._settings.get("PIPE", "TimeLimit"),
            )
        except NotStarted as error:
            return failed(f"the application cannot be started: {error}", _STATUS)
        return _judged(words[0], ended)

    def _note(self, level: int, name: str, message: QueuedMessage, text: str) -> None:
        self._log.write(level, f"PIPE({name})", f"[{message.name}] {text}")

    def _application(self, name: str) -> Path:
        folder = self._settings.get("PIPE", "ApplicationDirectory")
        if not folder:
            raise CommandError("messages are not delivered to applications here")
        return Path(self._base / folder / name)


def _judged(name: str, ended: Ended) -> Outcome:
    said = line(ended.errors.decode("utf-8", "replace")).strip()
    if ended.interrupted:
        return failed(f"the application {name} has not ended in time", _STATUS)
    if said:
        return failed(said, _STATUS)
    if ended.code:
        return failed(f"the application {name} has failed (exit code {ended.code})", _STATUS)
    if not ended.read_all:
        return failed(f"the application {name} has not read the whole message", _STATUS)
    return delivered(f"passed to the application {name}")
