"""Where blocking work runs: files are read, written and synced outside the reactor's thread.

The rest of the server knows only the :class:`Threads` protocol: hand in a call, get a Deferred that
fires in the reactor's thread. A pool's threads start when calls need them, not before, so that a
server may be forked before it is used.

A hand-over costs one queue operation each way and no lock of ours: what a pool must know (how many
of its threads are busy) is counted in the reactor's thread alone.
"""

from __future__ import annotations

from collections.abc import Callable
from queue import SimpleQueue
from threading import Thread
from typing import Any, Protocol, TypeVar

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorFromThreads
from twisted.python.failure import Failure

T = TypeVar("T")


class Threads(Protocol):
    """Something that runs blocking calls."""

    def run(self, call: Callable[[], T]) -> Deferred[T]:
        """Run ``call`` elsewhere; the Deferred has its result or its exception."""


class PoolThreads:
    """A pool of at most ``size`` threads; used from the reactor's thread only."""

    def __init__(self, *, reactor: IReactorFromThreads, size: int, name: str) -> None:
        self._reactor = reactor
        self._size = size
        self._name = name
        self._calls: SimpleQueue[tuple[Callable[[], Any], Deferred[Any]] | None] = SimpleQueue()
        self._threads: list[Thread] = []
        self._under_way = 0
        self._stopped = False

    def run(self, call: Callable[[], T]) -> Deferred[T]:
        """Run ``call`` in a thread of the pool; after :meth:`stop` nothing is run any more."""
        done: Deferred[T] = Deferred()
        if self._stopped:
            return done
        self._under_way += 1
        if len(self._threads) < min(self._under_way, self._size):
            thread = Thread(target=self._work, name=f"{self._name}-{len(self._threads)}")
            self._threads.append(thread)
            thread.start()
        self._calls.put((call, done))
        return done

    def stop(self) -> None:
        """Finish the calls that were handed in and end the threads."""
        self._stopped = True
        for _ in self._threads:
            self._calls.put(None)
        for thread in self._threads:
            thread.join()

    def _work(self) -> None:
        """Make calls, one after the other; a thread's life."""
        while (task := self._calls.get()) is not None:
            call, done = task
            try:
                result: Any = call()
            except Exception:  # noqa: BLE001 - it belongs to who waits for this call
                result = Failure()
            self._reactor.callFromThread(self._ended, done, result)
            # An idle thread must not keep alive what its last call has used.
            del task, call, done, result

    def _ended(self, done: Deferred[Any], result: Any) -> None:
        self._under_way -= 1
        done.callback(result)
