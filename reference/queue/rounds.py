"""Group commit: many messages that arrive together share one round of syncs.

A 250 after DATA means that the message survives a power failure: its content is synced, the file
has its final name, and the directory is synced. One after the other, that would cost each message
the time of several disk writes; in a round, all files that are pending are synced side by side and
the directory once. While a round runs, the next one gathers.

A job has two halves that both run in a thread: ``write`` puts octets into a file and names the
descriptor to sync, ``publish`` makes the result visible (renames, closes or unlinks). A job whose
write or sync fails is not published. Jobs of one round do not depend on each other, and jobs keep
the order in which they were handed in.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Protocol, TypeVar

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from reference.queue.threads import Threads

T = TypeVar("T")

#: Files of one round that are synced at the same time on a slow disk: the file system then shares
#: its journal writes among them.
PARALLEL_SYNCS = 8
#: Seconds of a file's sync from which on a disk counts as slow. On a fast one, threads cost more
#: than they save.
SLOW = 0.002


class Job(Protocol):
    """A change in the queue directory."""

    in_folder: bool
    """The change is one of the directory, which is synced, too."""

    def write(self) -> int | None:
        """Write; return the descriptor to sync, if any. Raises OSError."""

    def publish(self) -> None:
        """Make the synced change visible. Raises OSError."""

    def undo(self) -> None:
        """Clean up after a failure of ``write``, of the sync, or of ``publish``."""


class Rounds:
    """Performs jobs in rounds, in a thread."""

    def __init__(self, *, folder: Path, threads: Threads) -> None:
        self._folder = folder
        self._threads = threads
        self._pending: list[tuple[Job, Deferred[None]]] = []
        self._running = False
        self.count = 0
        """Rounds made so far."""

    def do(self, job: Job) -> Deferred[None]:
        """Perform a job; the Deferred fires when it is durable, or fails with OSError."""
        done: Deferred[None] = Deferred()
        self._pending.append((job, done))
        if not self._running:
            self._next()
        return done

    def _next(self) -> None:
        self._running = True
        self.count += 1
        batch, self._pending = self._pending, []
        jobs = [job for job, _ in batch]
        running = self._threads.run(lambda: perform(jobs, self._folder))
        running.addBoth(self._ended, batch)

    def _ended(
        self,
        result: list[OSError | None] | Failure,
        batch: list[tuple[Job, Deferred[None]]],
    ) -> None:
        # The next round starts before anybody hears of this one: what they hand in then gathers.
        self._running = False
        if self._pending:
            self._next()
        for at, (_, done) in enumerate(batch):
            error = result if isinstance(result, Failure) else result[at]
            if error is None:
                done.callback(None)
            else:
                done.errback(error)


def perform(jobs: Sequence[Job], folder: Path) -> list[OSError | None]:
    """Perform the jobs of one round; return each one's error or None."""
    errors: list[OSError | None] = [None] * len(jobs)
    descriptors = [_attempt(jobs[at].write, at, errors) for at in range(len(jobs))]
    _sync(descriptors, errors)
    for at, job in enumerate(jobs):
        if errors[at] is None:
            _attempt(job.publish, at, errors)
    if any(job.in_folder for job in jobs):
        try:
            _sync_folder(folder)
        except OSError as error:
            errors = [error] * len(jobs)
    for at, job in enumerate(jobs):
        if errors[at] is not None:
            job.undo()
    return errors


def _attempt(call: Callable[[], T], at: int, errors: list[OSError | None]) -> T | None:
    try:
        return call()
    except OSError as error:
        errors[at] = error
        return None


def _sync(descriptors: Sequence[int | None], errors: list[OSError | None]) -> None:
    wanted = [(at, fd) for at, fd in enumerate(descriptors) if fd is not None]
    if len(wanted) < PARALLEL_SYNCS // 2:
        for at, fd in wanted:
            _attempt(partial(os.fsync, fd), at, errors)
        return
    at, fd = wanted.pop(0)
    begun = time.perf_counter()
    _attempt(partial(os.fsync, fd), at, errors)
    if time.perf_counter() - begun < SLOW:
        for at, fd in wanted:
            _attempt(partial(os.fsync, fd), at, errors)
        return
    with ThreadPoolExecutor(PARALLEL_SYNCS) as pool:
        running = [(at, pool.submit(os.fsync, fd)) for at, fd in wanted]
    for at, future in running:
        error = future.exception()
        if isinstance(error, OSError):
            errors[at] = error


def _sync_folder(folder: Path) -> None:
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
