"""The Submitted folder: messages that programs of this computer put down as files.

Guide 3.5.2, PIPE Module, The Submitted Folder. Files with the extension ``.sub`` are looked for
every so often; each becomes a message and is removed. A file that cannot become one, or that has a
banned line or a spam trap among its recipients, gets the extension ``.bad``, and the log says why.
Where else such messages go is not restricted.

The moments of the scans stand a period apart, but a scan is made only when the folder has changed
since the last one: an idle server has nothing to wake up for. A file is looked into and copied in a
thread.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Protocol

from twisted.internet.defer import Deferred

from reference.kernel.banned import Scanner
from reference.kernel.clock import Clock, Timer
from reference.kernel.routes import Route, RoutingError, SpamTrap
from reference.kernel.work import Work
from reference.queue.directory import Log
from reference.queue.envelope import Recipient
from reference.queue.options import Settings
from reference.queue.queue import Draft, Queue, QueueError
from reference.queue.threads import Threads
from reference.transport.pipe_file import HEADER_LIMIT, Unfit, read_header, with_wire_ends

SUFFIX = ".sub"
BAD = ".bad"
_TAG = "PIPE"
_FAILURE, _MAJOR = 1, 2
_BLOCK = 65536
#: Calls back whenever something may have changed in a folder; returns False where nobody can tell.
Watch = Callable[[Path, Callable[[], None]], bool]


class Routing(Protocol):
    """The part of the Router that is needed."""

    def route(self, address: str, /) -> Route:
        """Route an address for mail. Raises RoutingError."""


class SubmittedFolder:
    """Submits files; ``host`` gives the Main Domain's name."""

    def __init__(
        self,
        *,
        folder: Path,
        queue: Queue,
        router: Routing,
        clock: Clock,
        work: Work,
        log: Log,
        settings: Settings,
        threads: Threads,
        host: Callable[[], str],
        scanner: Callable[[], Scanner | None],
    ) -> None:
        self._folder = folder
        self._queue = queue
        self._router = router
        self._clock = clock
        self._work = work
        self._log = log
        self._settings = settings
        self._threads = threads
        self._host = host
        self._scanner = scanner
        self._began = clock.time()
        self._every = math.inf
        self._timer: Timer | None = None
        self._watched = False
        self._scanning = False

    def start(self, watch: Watch) -> None:
        """Begin to look for files."""
        self._watched = watch(self._folder, self._changed)
        self.settings_changed()

    def settings_changed(self) -> None:
        """Learn the period; another one begins now."""
        every: float = self._settings.get("PIPE", "CheckSubmittedEvery")
        if every != self._every:
            self._every, self._began = every, self._clock.time()
            if self._timer is not None and self._timer.active():
                self._timer.cancel()
            self._timer = None
        self._changed()

    def _changed(self) -> None:
        """Set the timer for the next scan, if it is not set."""
        if self._timer is None and 0 < self._every < math.inf:
            passed = (self._clock.time() - self._began) % self._every
            self._timer = self._clock.call_later(self._every - passed, self._due)

    def _due(self) -> None:
        self._timer = None
        if self._scanning or not self._watched:
            self._changed()
        if not self._scanning:
            self._scanning = True
            Deferred.fromCoroutine(self._scan())

    async def _scan(self) -> None:
        with self._work.doing("Submitted"):
            try:
                for path in await self._threads.run(self._files):
                    await self._submit(path)
            except OSError as error:
                self._log.write(_FAILURE, _TAG, f"{self._folder.name} cannot be read: {error}")
            finally:
                self._scanning = False

    def _files(self) -> list[Path]:
        return sorted(path for path in self._folder.glob(f"*{SUFFIX}") if path.is_file())

    async def _submit(self, path: Path) -> None:
        try:
            name = await self._submitted(path)
            await self._threads.run(path.unlink)
        except Unfit as error:
            self._log.write(_FAILURE, _TAG, f"{path.name} is not submitted: {error}")
            await self._threads.run(lambda: path.rename(path.with_suffix(BAD)))
        except (OSError, QueueError) as error:
            # It stays as it is, for the next scan.
            self._log.write(_FAILURE, _TAG, f"{path.name} cannot be submitted now: {error}")
            self._changed()
        else:
            self._log.write(_MAJOR, _TAG, f"{path.name} submitted as [{name}]")

    async def _submitted(self, path: Path) -> str:
        now, host = self._clock.time(), self._host()
        header, body = await self._threads.run(lambda: _split(path))
        made = read_header(header, domain=host, now=now, name=f"{path.stem}-{int(now * 1000)}")
        self._refuse_traps(made.envelope.recipients)
        draft = self._queue.new(made.envelope)
        try:
            scanner = self._scanner()
            draft.write(made.header)
            if scanner is not None:
                scanner.feed(header + b"\r\n")
            await self._threads.run(lambda: _copy(path, body, draft, scanner))
            banned = scanner.finish() if scanner is not None else ""
            if banned:
                raise Unfit(f"it has a banned {banned} line")
        except BaseException:
            draft.abort()
            raise
        return await draft.commit()

    def _refuse_traps(self, recipients: Sequence[Recipient]) -> None:
        """Raise Unfit for a spam trap: the entire message is rejected (Guide 3.5.2, Protection)."""
        for recipient in recipients:
            try:
                self._router.route(recipient.address)
            except SpamTrap as error:
                raise Unfit(f"{recipient.address} is a spam trap") from error
            except RoutingError:
                # The Enqueuer reports what leads nowhere.
                continue


def _split(path: Path) -> tuple[bytes, int]:
    """Return the header, its lines ended by CR LF, and how many octets of the message it takes.

    The octets are counted with CR LF. Raises Unfit, OSError.
    """
    octets = b""
    for block in with_wire_ends(_blocks(path)):
        octets += block
        end = 0 if octets.startswith(b"\r\n") else octets.find(b"\r\n\r\n") + 2
        if end != 1:
            return octets[:end], end + 2
        if len(octets) > HEADER_LIMIT:
            raise Unfit("the header is too large")
    return octets, len(octets)


def _copy(path: Path, skip: int, draft: Draft, scanner: Scanner | None) -> None:
    """Write the body into a draft; in a thread. Raises OSError."""
    for block in with_wire_ends(_blocks(path)):
        body = block[skip:]
        skip = max(0, skip - len(block))
        if body:
            draft.write(body)
            if scanner is not None:
                scanner.feed(body)


def _blocks(path: Path) -> Iterator[bytes]:
    with path.open("rb", buffering=0) as file:
        while block := file.read(_BLOCK):
            yield block
