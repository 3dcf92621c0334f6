"""The Queue directory: one file a message, from the first octet of a draft to the last report.

Guide 3.5.2, Message Transfer, Submitting Messages. A message being composed is ``ID.tmp``; a
complete one is ``ID.msg``, and it is that exactly when it is durable (see
:mod:`reference.queue.changes`). A start removes the ``.tmp`` files that a killed server left and
hands out the ``.msg`` files. A file that is torn or of unknown kind is never removed: a torn one is
renamed to ``ID.bad``, a foreign one stays as it is; both are logged.

This module knows files, not deliveries.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from twisted.internet.defer import Deferred, fail, succeed
from twisted.python.failure import Failure

from reference.kernel.clock import Clock
from reference.queue import head as heads
from reference.queue.changes import Change, alone, write_at
from reference.queue.envelope import Envelope
from reference.queue.head import Head, TornHeadError
from reference.queue.message import QueuedMessage
from reference.queue.rounds import Crew, Rounds
from reference.queue.threads import Threads

#: Octets of a draft that are gathered before they are written.
BUFFER = 65536
#: Octets of contents that are kept in memory, of all messages.
KEPT = 8 << 20
FAILURE, LOW_LEVEL = 1, 4
# Names of messages grow with time even when the directory was emptied: hundredths of a second since
# 2020, so that one name does not stand for two messages in the logs of a day.
_NAMES_BEGIN = 1_577_836_800


class Log(Protocol):
    """The server's log, as the queue and the modules use it."""

    def write(self, level: int, tag: str, text: str) -> None:
        """Write a record; level 1 is for failures, 5 for all details."""


class QueueDirectory:
    """The message files."""

    def __init__(
        self,
        *,
        folder: Path,
        clock: Clock,
        threads: Threads,
        log: Log,
        crew: Crew | None = None,
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self._clock = clock
        self._log = log
        self._rounds = Rounds(folder=str(folder), threads=threads, crew=crew)
        self._next = 0
        self._kept: dict[str, QueuedMessage] = {}  # with their content in memory, oldest first
        self._octets = 0  # of these contents

    def new(self, envelope: Envelope) -> MessageFile:
        """Begin a message; it has a file ``ID.tmp`` as soon as it needs one."""
        now = self._clock.time()
        self._next = max(self._next + 1, int((now - _NAMES_BEGIN) * 100))
        name = str(self._next)
        return MessageFile(folder=self.folder, name=name, envelope=envelope, submitted=now)

    def make(self, draft: MessageFile) -> None:
        """Let a draft have its file now. That it cannot be made shows at the commit."""
        if draft.made:
            return
        try:
            draft.make()
        except OSError as error:
            self._note(FAILURE, draft.name, f"cannot create {draft.name}.tmp: {error.strerror}")
            draft.fail(error)
        else:
            self._note(LOW_LEVEL, draft.name, f"{draft.name}.tmp created")

    def discard(self, draft: MessageFile) -> None:
        """Give a draft up and remove its file."""
        draft.undo()
        self._note(LOW_LEVEL, draft.name, f"{draft.name}.tmp deleted, {draft.size} bytes")

    def commit(self, draft: MessageFile) -> Deferred[QueuedMessage]:
        """Make a draft durable; the Deferred fails with OSError and the draft is gone then."""

        def stored(_: None) -> QueuedMessage:
            self._note(LOW_LEVEL, draft.name, f"{draft.name}.msg stored, {draft.size} bytes")
            message = draft.message()
            self._keep(message)
            return message

        def lost(failure: Failure) -> Failure:
            self._note(FAILURE, draft.name, f"cannot store {draft.name}.msg: {failure.value}")
            return failure

        try:
            change = draft.change()
        except OSError as error:
            draft.undo()
            done: Deferred[None] = fail(error)
        else:
            done = self._rounds.do(change)
        return done.addCallbacks(stored, lost)

    def _note(self, level: int, name: str, text: str) -> None:
        self._log.write(level, "TEMPFILE", f"[{name}] {text}")

    def mark(self, message: QueuedMessage, indexes: Sequence[int]) -> Deferred[None]:
        """Write the present states of recipients into the file."""
        marks = tuple(
            (message.place(index), heads.status(message.states[index], message.warned[index]))
            for index in indexes
        )
        return self._rounds.do(Change(str(message.path), marks))

    def remove(self, message: QueuedMessage) -> Deferred[None]:
        """Remove the file of a message that is finished."""
        self._forget(message)
        if message.gone:
            return succeed(None)
        return self._rounds.do(Change(str(message.path), remove=True))

    def _keep(self, message: QueuedMessage) -> None:
        """Let the newest messages have their content in memory: most are delivered at once."""
        self._kept[message.name] = message
        self._octets += message.kept
        while self._octets > KEPT:
            self._forget(next(iter(self._kept.values())))

    def _forget(self, message: QueuedMessage) -> None:
        if self._kept.pop(message.name, None) is not None:
            self._octets -= message.kept
            message.forget()

    def scan(self) -> list[str]:
        """Clean up at start, before any :meth:`new`; return the names of the messages in order."""
        with alone(str(self.folder)):
            return self._scanned()

    def _scanned(self) -> list[str]:
        names = []
        for path in sorted(self.folder.iterdir()):
            name, dot, kind = path.name.rpartition(".")
            if not (dot and name.isascii() and name.isdigit() and kind in ("tmp", "msg", "bad")):
                self._log.write(1, "QUEUE", f"unknown file {path.name!r} is left alone")
                continue
            self._next = max(self._next, int(name))
            if kind == "tmp":
                path.unlink()
                self._log.write(3, "QUEUE", f"[{name}] incomplete message removed")
            elif kind == "msg":
                names.append(name)
        return sorted(names, key=int)

    def load(self, name: str) -> QueuedMessage | None:
        """Read the head of a message file; set the file aside and return None if it is torn.

        Raises OSError.
        """
        path = self.folder / f"{name}.msg"
        try:
            return QueuedMessage(name=name, path=path, head=read_head(path))
        except TornHeadError as error:
            aside = path.with_suffix(".bad")
            path.rename(aside)
            self._log.write(1, "QUEUE", f"[{name}] set aside as {aside.name}: {error}")
            return None


def read_head(path: Path) -> Head:
    """Read the head of a queue file. Raises :class:`TornHeadError` and OSError."""
    with path.open("rb", buffering=0) as file:
        start = file.read(heads.FIRST_LINE_LIMIT)
        size = heads.head_size(start)
        octets = start[:size]
        while len(octets) < size and (more := file.read(size - len(octets))):
            octets += more
        head = heads.parse(octets)
        whole = os.fstat(file.fileno()).st_size
    if whole != head.size + head.content:
        raise TornHeadError(f"it has {whole} octets instead of {head.size + head.content}")
    return head


class MessageFile:
    """A message being composed: ``ID.tmp``, and the change that makes it ``ID.msg``."""

    def __init__(self, *, folder: Path, name: str, envelope: Envelope, submitted: float) -> None:
        self.name = name
        self.size = 0
        """Octets of content so far."""
        self._tmp = folder / f"{name}.tmp"
        self._path = folder / f"{name}.msg"
        self._envelope = envelope
        self._submitted = submitted
        self._head, self._places = heads.compose(envelope, submitted)
        self._content: bytes | None = None
        self._buffer = bytearray(self._head)
        self._written = 0
        self._error: OSError | None = None
        self._fd = -1

    @property
    def made(self) -> bool:
        """True once there is a file."""
        return self._fd >= 0

    def make(self) -> None:
        """Make the file, if there is none yet. Raises OSError."""
        if self._fd < 0:
            flags = os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC
            self._fd = os.open(self._tmp, flags, 0o600)

    def fail(self, error: OSError) -> None:
        """Let the commit fail."""
        self._error = error
        self._buffer.clear()

    def append(self, octets: bytes) -> None:
        """Add content. A failure to write shows when the draft is committed."""
        self.size += len(octets)
        if self._error is not None:
            return
        self._buffer += octets
        if len(self._buffer) >= BUFFER:
            try:
                self._flush()
            except OSError as error:
                self.fail(error)

    def change(self) -> Change:
        """Return what makes the message durable; nothing is added afterwards. Raises OSError."""
        if self._error is not None:
            raise self._error
        made = self.made
        self._close()
        length = b"%0*d" % (heads.LENGTH_DIGITS, self.size)
        writes: tuple[tuple[int, bytes], ...]
        if self._written:
            writes = (self._written, bytes(self._buffer)), (heads.LENGTH_OFFSET, length)
        else:
            end = heads.LENGTH_OFFSET + heads.LENGTH_DIGITS
            self._buffer[heads.LENGTH_OFFSET : end] = length
            whole = bytes(self._buffer)
            self._content = whole[len(self._head) :]
            writes = ((0, whole),)
        self._buffer.clear()
        return Change(str(self._tmp), writes, make=not made, final=str(self._path))

    def undo(self) -> None:
        """Give the draft up and remove its file."""
        self._close()
        self._tmp.unlink(missing_ok=True)

    def message(self) -> QueuedMessage:
        """Return the message that the file with its final name holds."""
        head = heads.new(self._envelope, self._submitted, len(self._head), self.size, self._places)
        content, self._content = self._content, None
        return QueuedMessage(name=self.name, path=self._path, head=head, content=content)

    def _flush(self) -> None:
        self.make()
        write_at(self._fd, self._buffer, self._written)
        self._written += len(self._buffer)
        self._buffer.clear()

    def _close(self) -> None:
        fd, self._fd = self._fd, -1
        if fd >= 0:
            os.close(fd)
