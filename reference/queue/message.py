"""A message in the queue: its file, and what is still to be done for each recipient.

The content is on the disk, and of a new message in memory, too, for as long as the queue directory
lets it. Whoever needs it reads it in blocks (:meth:`QueuedMessage.blocks`), in a thread or a block
at a time.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from reference.queue.envelope import Envelope
from reference.queue.head import Head, State, status

#: Octets that are read at a time.
BLOCK = 65536


class QueuedMessage:
    """A message file of the Queue directory with its present states."""

    __slots__ = (
        *("_content", "_down", "_head_size", "_places", "envelope", "gone", "kept", "name"),
        *("path", "size", "states", "submitted", "warned"),
    )

    def __init__(self, *, name: str, path: Path, head: Head, content: bytes | None = None) -> None:
        self.name = name
        """The queue's number of the message, as the log shows it: ``[1001]``."""
        self.path = path
        self.envelope: Envelope = head.envelope
        self.submitted = head.submitted
        """Wall time of the submission, in seconds since the epoch."""
        self.size = head.content
        """Octets of the content."""
        self.states: list[State] = list(head.states)
        self.warned: list[bool] = list(head.warned)
        self._head_size = head.size
        self._places = head.places
        self._content = content
        self.kept = 0 if content is None else len(content)
        """Octets of content that a new message has in memory."""
        self._down: dict[int, State] = {}  # what :meth:`write_down` has written
        self.gone = False
        """The file has been removed: there was nothing left to do."""

    def __repr__(self) -> str:
        return f"<QueuedMessage {self.name}>"

    def waiting(self) -> list[int]:
        """Return the indexes of the recipients that are not delivered yet."""
        return [at for at, state in enumerate(self.states) if state is State.WAITING]

    def finished(self) -> bool:
        """Tell whether nothing is left to do for any recipient."""
        return all(state is State.DONE for state in self.states)

    def place(self, index: int) -> int:
        """Return where the status octets of a recipient stand in the file."""
        return self._places[index]

    def owes_success(self, index: int) -> bool:
        """Tell whether the sender is to hear of a delivery to this recipient."""
        return bool(self.envelope.return_path) and self.envelope.recipients[index].wants("SUCCESS")

    def write_down(self, indexes: Sequence[int], state: State | None = None) -> None:
        """Write recipients' states into the file at once, without waiting for the disk.

        ``state`` None writes the present ones; DONE becomes REPORT_OWED where the sender is to
        hear of it. When that is the end of the message, its file is removed instead. A server that
        is killed the next moment knows them; only a power failure may undo it. May be called from
        any thread. Raises OSError.
        """
        wanted: dict[int, State] = {}
        for index in indexes:
            new = self.states[index] if state is None else state
            if state is State.DONE and self.owes_success(index):
                new = State.REPORT_OWED
            if self._down.get(index) is not new:
                wanted[index] = new
        if self.gone or not wanted:
            return
        if len(wanted) == len(self.states) and set(wanted.values()) == {State.DONE}:
            # All in one: there is nothing that the file would have to remember.
            self.path.unlink(missing_ok=True)
            self.gone = True
            return
        fd = os.open(self.path, os.O_WRONLY | os.O_CLOEXEC)
        try:
            for index, new in wanted.items():
                os.pwrite(fd, status(new, self.warned[index]), self._places[index])
        finally:
            os.close(fd)
        self._down |= wanted

    def forget(self) -> None:
        """Let the content be on the disk only."""
        self._content = None

    def addresses(self, indexes: Sequence[int]) -> list[str]:
        """Return the envelope addresses of recipients."""
        return [self.envelope.recipients[index].address for index in indexes]

    def blocks(self) -> Iterator[bytes]:
        """Read the content in blocks of at most 64 Koctets. Raises OSError."""
        content = self._content
        if content is not None:
            yield content
            return
        with self.path.open("rb", buffering=0) as file:
            file.seek(self._head_size)
            while block := file.read(BLOCK):
                yield block

    def header(self) -> bytes:
        """Read the message header, with the empty line left out.

        A header without end is cut off after 64 Koctets. Raises OSError.
        """
        start = next(self.blocks(), b"")
        if start.startswith(b"\r\n"):
            return b""
        end = start.find(b"\r\n\r\n")
        return start if end < 0 else start[: end + 2]
