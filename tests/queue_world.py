"""Small stand-ins for the neighbours of the queue and of the delivering modules."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from queue import SimpleQueue
from typing import Any

from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.epollreactor import EPollReactor
from twisted.internet.task import Clock as TwistedClock
from twisted.python.failure import Failure

from reference.kernel.routes import Address, Route, RoutingError
from reference.kernel.work import Work
from reference.queue import Entry, Envelope, Outcome, Queue, Recipient, Source
from reference.queue.message import QueuedMessage

START = 1_700_000_000.0

SETTINGS: dict[tuple[str, str], Any] = {
    ("Queue", "ReportingDelay"): 15.0,
    ("Queue", "FailureReturn"): "headers by default",
    ("Queue", "CopyFailuresTo"): "",
    ("Queue", "DequeuerProcessors"): 1,
    ("Queue", "EnqueuerProcessors"): 1,
}


class FakeClock(TwistedClock):
    """A clock that a test advances."""

    def __init__(self) -> None:
        super().__init__()
        self.rightNow = START

    def time(self) -> float:
        return self.rightNow

    def call_later(self, seconds: float, call: Callable[..., object], *args: Any) -> Any:
        return self.callLater(seconds, call, *args)


class FakeLog:
    """Keeps the records."""

    def __init__(self) -> None:
        self.records: list[tuple[int, str, str]] = []

    def write(self, level: int, tag: str, text: str) -> None:
        self.records.append((level, tag, text))

    def has(self, tag: str, part: str) -> bool:
        return any(record[1].startswith(tag) and part in record[2] for record in self.records)


class FakeSettings:
    """Settings of a test, on top of usual ones."""

    def __init__(self, **values: Any) -> None:
        self.values = {**SETTINGS, **values.pop("more", {})}

    def get(self, module: str, keyword: str, /) -> Any:
        return self.values[module, keyword]


class InlineThreads:
    """Runs every call at once."""

    def run(self, call: Callable[[], Any]) -> Deferred[Any]:
        return maybeDeferred(call)


class HeldThreads:
    """Runs calls when the test says so."""

    def __init__(self) -> None:
        self.calls: list[tuple[Callable[[], Any], Deferred[Any]]] = []

    def run(self, call: Callable[[], Any]) -> Deferred[Any]:
        done: Deferred[Any] = Deferred()
        self.calls.append((call, done))
        return done

    def go(self) -> None:
        calls, self.calls = self.calls, []
        for call, done in calls:
            maybeDeferred(call).chainDeferred(done)


class Pump:
    """The reactor's thread for code that only hands calls to it."""

    def __init__(self) -> None:
        self._calls: SimpleQueue[tuple[Callable[..., object], tuple[Any, ...]]] = SimpleQueue()

    def callFromThread(self, call: Callable[..., object], *args: Any) -> None:
        self._calls.put((call, args))

    def wait(self, coming: Deferred[Any]) -> Any:
        """Run calls until a Deferred fires; return its result or raise its exception."""
        results: list[Any] = []
        coming.addBoth(results.append)
        while not results:
            call, args = self._calls.get(timeout=30)
            call(*args)
        if isinstance(results[0], Failure):
            results[0].raiseException()
        return results[0]


class Turns:
    """A real reactor of its own, whose turns are made while somebody waits."""

    def __init__(self) -> None:
        self.reactor = EPollReactor()

    def wait(self, coming: Deferred[Any]) -> Any:
        """Make turns until a Deferred fires; return its result or raise its exception."""
        results: list[Any] = []
        coming.addBoth(results.append)
        self.until(lambda: bool(results))
        if isinstance(results[0], Failure):
            results[0].raiseException()
        return results[0]

    def until(self, there: Callable[[], bool]) -> None:
        """Make turns until something is so; fails after half a minute in which it is not."""
        end = time.monotonic() + 30
        self.reactor.runUntilCurrent()
        while not there():
            assert time.monotonic() < end, "it has not happened"
            self.reactor.doIteration(1)
            self.reactor.runUntilCurrent()

    def close(self) -> None:
        """Give the reactor's descriptors back."""
        self.reactor.removeAll()
        for reader in self.reactor._internalReaders:
            reader.connectionLost(None)
        self.reactor._poller.close()


class ReactorTime:
    """Real time without timers."""

    def time(self) -> float:
        return time.time()

    def call_later(self, seconds: float, call: Callable[..., object], *args: Any) -> Any:
        raise NotImplementedError


class FakeRouter:
    """Routes ``*@null`` to NULL, listed addresses to errors, all others to module DOMAIN."""

    def __init__(self) -> None:
        self.errors: dict[str, RoutingError] = {}

    def route(self, address: str, /) -> Route:
        if address in self.errors:
            raise self.errors[address]
        local, _, domain = address.partition("@")
        if domain == "null":
            return Route("SYSTEM", "NULL", "", Address(local, domain))
        module = "LOCAL" if domain in ("", "here.example") else "SMTP"
        host = local if module == "LOCAL" else domain
        return Route(module, host, address if module == "SMTP" else "", Address(local, domain))


class FakeModule:
    """Keeps what it is given."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.got: list[tuple[QueuedMessage, str, list[Entry]]] = []

    def enqueue(self, message: QueuedMessage, host: str, entries: Sequence[Entry]) -> None:
        self.got.append((message, host, list(entries)))

    def release(self, host: str) -> bool:
        return any(host == queue for _, queue, _ in self.got)


class FakeReports:
    """A Dequeuer that keeps the outcomes."""

    def __init__(self) -> None:
        self.outcomes: list[tuple[str, Outcome]] = []

    def report(self, message: QueuedMessage, indexes: Sequence[int], outcome: Outcome) -> None:
        self.outcomes += [(address, outcome) for address in message.addresses(indexes)]

    def of(self, address: str) -> list[Outcome]:
        return [outcome for at, outcome in self.outcomes if at == address]


@dataclass
class World:
    """A queue with stand-ins all round."""

    folder: Path
    clock: FakeClock = field(default_factory=FakeClock)
    work: Work = field(default_factory=Work)
    log: FakeLog = field(default_factory=FakeLog)
    settings: FakeSettings = field(default_factory=FakeSettings)
    router: Any = field(default_factory=FakeRouter)
    threads: Any = field(default_factory=InlineThreads)
    readers: Any = field(default_factory=InlineThreads)

    def __post_init__(self) -> None:
        self.queue = Queue(
            folder=self.folder / "Queue",
            clock=self.clock,
            work=self.work,
            log=self.log,
            settings=self.settings,
            router=self.router,
            files=self.threads,
            readers=self.readers,
            host=lambda: "here.example",
        )
        self.local = FakeModule("LOCAL")
        self.smtp = FakeModule("SMTP")
        self.queue.attach(self.local)
        self.queue.attach(self.smtp)

    def files(self, kind: str = "msg") -> list[str]:
        return sorted(path.name for path in (self.folder / "Queue").glob(f"*.{kind}"))

    def again(self) -> World:
        """The server is started again in the same folder."""
        return World(self.folder, clock=self.clock, settings=self.settings, router=self.router)


def envelope(*to: str | Recipient, sender: str = "sender@here.example", **options: str) -> Envelope:
    recipients = [Recipient(one) if isinstance(one, str) else one for one in to]
    return Envelope(sender, recipients, Source("SMTP", ip="192.0.2.1"), **options)


MESSAGE = b"Subject: hello\r\nFrom: a@b.example\r\n\r\nfirst line\r\n.dot\r\n"
