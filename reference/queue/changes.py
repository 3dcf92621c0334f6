"""What is to happen to files of the Queue directory, as plain data, and the doing of it.

A :class:`Change` says what is written into one file and what becomes of the file then;
:func:`perform` does the changes of one round. A 250 after DATA means that the message survives a
power failure: its content is synced, the file has its final name, and the directory is synced. One
after the other, that would cost each message the time of several disk writes; in a round, all files
are written and synced together, and the directory once.

A thread of the server does rounds by calling :func:`perform`. Under load a process does: this file
is its program, too (``python changes.py FOLDER DESCRIPTOR``), so it imports nothing of the server.
The process holds a shared lock on the folder while it lives (:func:`alone`), and ends when the
server does: nothing is written any more once its socket is at its end.
"""

from __future__ import annotations

import errno
import fcntl
import os
import pickle
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from typing import BinaryIO, NamedTuple, TypeVar

T = TypeVar("T")

#: Files of one round that are synced at the same time on a slow disk: the file system then shares
#: its journal writes among them.
PARALLEL_SYNCS = 8
#: Seconds of a file's sync from which on a disk counts as slow. On a fast one, threads cost more
#: than they save.
SLOW = 0.002
#: Octets of the number before each batch and each answer: how long it is.
PREFIX = 4


class Change(NamedTuple):
    """What is to happen to one file."""

    path: str
    writes: tuple[tuple[int, bytes], ...] = ()
    """Places in the file and what is written there; it is synced then."""
    make: bool = False
    """There must be no such file yet."""
    final: str = ""
    """The path that the file has afterwards, durably; empty: it keeps its own."""
    remove: bool = False
    """It is gone afterwards. That is not forced to the disk: the file system does it with the next
    message. A power failure before may bring the file back, and the message is delivered again
    rather than lost."""


def perform(changes: Sequence[Change], folder: str) -> list[OSError | None]:
    """Do the changes of one round; return each one's error or None.

    Changes of one round do not depend on each other. One that fails has not happened: of a file
    that was to get its final name nothing remains.
    """
    errors: list[OSError | None] = [None] * len(changes)
    descriptors = [
        _attempt(partial(_written, change), at, errors) for at, change in enumerate(changes)
    ]
    _sync(descriptors, errors)
    for at, (change, descriptor) in enumerate(zip(changes, descriptors, strict=True)):
        if descriptor is not None:
            os.close(descriptor)
        if errors[at] is None:
            _attempt(partial(_publish, change), at, errors)
    if any(change.final for change in changes):
        try:
            sync_folder(folder)
        except OSError as error:
            errors = [error] * len(changes)
    for change, failed in zip(changes, errors, strict=True):
        if failed is not None:
            undo(change)
    return errors


def salvage(changes: Sequence[Change], folder: str) -> list[OSError | None]:
    """Do changes of which somebody else may have done a part; return each one's error or None.

    A message that was to become durable is given up; all else is done again.
    """
    lost = OSError(errno.EIO, "the process that writes the queue's files has ended")
    for change in changes:
        undo(change)
    again = perform([change for change in changes if not change.final], folder)
    others = iter(again)
    return [lost if change.final else next(others) for change in changes]


def undo(change: Change) -> None:
    """Let nothing remain of a message that is not durable."""
    if change.final:
        for path in (change.path, change.final):
            with suppress(OSError):
                os.unlink(path)  # noqa: PTH108 - the program needs no pathlib


def sync_folder(folder: str) -> None:
    """Force the names in a folder to the disk."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _attempt(call: Callable[[], T], at: int, errors: list[OSError | None]) -> T | None:
    try:
        return call()
    except OSError as error:
        errors[at] = error
        return None


def _written(change: Change) -> int | None:
    """Write; return the descriptor to sync, if any."""
    if not change.writes:
        return None
    flags = os.O_WRONLY | os.O_CLOEXEC
    if change.make:
        flags |= os.O_CREAT | os.O_EXCL
    descriptor = os.open(change.path, flags, 0o600)
    try:
        for place, octets in change.writes:
            write_at(descriptor, octets, place)
    except OSError:
        os.close(descriptor)
        raise
    return descriptor


def write_at(descriptor: int, octets: bytes | bytearray, place: int) -> None:
    """Write all octets at a place of a file. Raises OSError."""
    written = os.pwrite(descriptor, octets, place)
    while written < len(octets):
        written += os.pwrite(descriptor, octets[written:], place + written)


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
    # Most disks are fast, and the writing process starts sooner without it.
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(PARALLEL_SYNCS) as pool:
        running = [(at, pool.submit(os.fsync, fd)) for at, fd in wanted]
    for at, future in running:
        error = future.exception()
        if isinstance(error, OSError):
            errors[at] = error


def _publish(change: Change) -> None:
    if change.final:
        os.rename(change.path, change.final)  # noqa: PTH104 - as above
    elif change.remove:
        with suppress(FileNotFoundError):
            os.unlink(change.path)  # noqa: PTH108 - as above


# The process -------------------------------------------------------------------------------------


def packed(value: object) -> bytes:
    """Return a batch or an answer as it goes over the socket, with its length before it."""
    octets = pickle.dumps(value, pickle.HIGHEST_PROTOCOL)
    return len(octets).to_bytes(PREFIX, "big") + octets


def serve(connection: socket.socket, folder: str) -> None:
    """Do the rounds that come over a socket, until its end; the first answer is an empty one."""
    with connection, connection.makefile("rb") as batches, alone(folder, shared=True):
        connection.sendall(packed([]))
        for batch in _batches(batches):
            errors = perform(batch, folder)
            connection.sendall(
                packed([error and (error.errno, error.strerror) for error in errors])
            )


def _batches(stream: BinaryIO) -> Iterator[list[Change]]:
    """Yield what the server sends; a batch of which it has sent a part only is none."""
    while len(prefix := stream.read(PREFIX)) == PREFIX:
        size = int.from_bytes(prefix, "big")
        octets = stream.read(size)
        if len(octets) < size:
            return
        yield [Change(*change) for change in pickle.loads(octets)]


@contextmanager
def alone(folder: str, *, shared: bool = False) -> Iterator[None]:
    """Hold a folder's lock.

    The writing process holds it ``shared``. Who takes it alone waits until the process of a server
    that was killed has done what it was at.
    """
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH if shared else fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def main(folder: str, descriptor: str) -> None:
    """Be the process. It ends with the socket, not by the signals that end the server."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    # The server was killed: there is nobody to be told.
    with suppress(ConnectionError):
        serve(socket.socket(fileno=int(descriptor)), folder)


if __name__ == "__main__":
    main(*sys.argv[1:])
