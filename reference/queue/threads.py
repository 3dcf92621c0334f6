"""Where blocking work runs: files are read, written and synced outside the reactor's thread.

The rest of the server knows only the :class:`Threads` protocol: hand in a call, get a Deferred that
fires in the reactor's thread. The pool starts with its first call, not before, so that a server
may be forked before it is used.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, TypeVar

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorFromThreads
from twisted.internet.threads import deferToThreadPool
from twisted.python.threadpool import ThreadPool

T = TypeVar("T")


class Threads(Protocol):
    """Something that runs blocking calls."""

    def run(self, call: Callable[[], T]) -> Deferred[T]:
        """Run ``call`` elsewhere; the Deferred has its result or its exception."""


class PoolThreads:
    """A pool of at most ``size`` threads."""

    def __init__(self, *, reactor: IReactorFromThreads, size: int, name: str) -> None:
        self._reactor = reactor
        self._pool = ThreadPool(minthreads=0, maxthreads=size, name=name)

    def run(self, call: Callable[[], T]) -> Deferred[T]:
        """Run ``call`` in a thread of the pool."""
        if not self._pool.started:
            self._pool.start()
        running: Deferred[T] = deferToThreadPool(self._reactor, self._pool, call)
        return running

    def stop(self) -> None:
        """Finish the calls under way and end the threads."""
        if self._pool.started:
            self._pool.stop()
