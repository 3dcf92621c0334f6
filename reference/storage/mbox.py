"""One .mbox mailbox: delivery, reading and deletion, safe against crashes and against each other.

Guide 3.5.2, Mailboxes. Any number of sessions and deliveries use a mailbox at the same time without
file locks: there is one :class:`Mailbox` object a file, and its methods may be called from any
thread. A message is known by its UID, which is never used twice; so a session that was given a
list of messages still reads the right ones after others have been stored or removed.

A message is stored when :meth:`Mailbox.append` returns: its octets are on the disk. What a crash
leaves of an unfinished one is removed at the next opening. Removing messages writes a new file and
renames it. Nothing here knows of accounts, rules or limits.
"""

from __future__ import annotations

import mmap
import os
import threading
from collections.abc import Callable, Collection, Hashable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from typing import Protocol

from reference.storage import mbox_format as form
from reference.storage.errors import FileError, MessageGone
from reference.storage.files import TEMPORARY, fsync_folder, replace_file
from reference.storage.mbox_format import NO_FLAGS, Flag, FromLine
from reference.storage.mbox_scan import Record, scan, torn_at

_BLOCK = 1 << 20
#: Messages that are stored before an index at which nobody looks is forgotten: a mailbox that only
#: gets mail costs no memory for it.
UNSEEN = 100


class UidStore(Protocol):
    """Where a mailbox remembers what its file cannot tell once messages are removed."""

    def load(self) -> tuple[int, int]:
        """Return the UID validity and the last UID that was ever given out (0: none)."""

    def save(self, last: int) -> None:
        """Remember durably that UIDs up to ``last`` have been given out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredMessage:
    """A message in a mailbox, as it was when the mailbox was looked at."""

    uid: int
    size: int
    """Octets of the message as protocols send it, with CR LF line ends."""
    return_path: str
    time: float
    """When it was stored, in seconds since the epoch."""
    flags: Flag
    offset: int
    """Where its From-line begins in the file."""
    start: int
    """Where the message itself begins in the file."""
    length: int
    """Octets of the message in the file."""


class Mailbox:
    """A mailbox file; there must be one object a file."""

    def __init__(
        self, *, path: Path, uids: UidStore, remark: Callable[[str], None] | None = None
    ) -> None:
        """``remark`` is told, as a sentence, what was repaired."""
        self._path = path
        self._uids = uids
        self._remark = remark
        self._lock = threading.RLock()
        self._messages: dict[int, StoredMessage] = {}
        self._indexed = False  # whether they are all
        self._unseen = 0  # how many were stored since anybody has looked at them
        self._foreign = False  # some have no UID in the file
        self._end = -1  # size of the file as indexed; -1 before the first look
        self._ragged = False  # the file does not end with an empty line
        self._last = 0
        self._saved = 0
        self._validity = 0

    @property
    def uid_validity(self) -> int:
        """The UID validity: another value means that all UIDs are void. Raises FileError."""
        with self._opened():
            return self._validity

    def messages(self) -> Sequence[StoredMessage]:
        """Return the messages in the order of the file. Raises FileError."""
        with self._opened():
            return tuple(self._messages.values())

    def storage(self) -> int:
        """Return the octets that the mailbox takes on the disk. Raises FileError."""
        with self._opened(look=False):
            return self._end

    def read(self, message: StoredMessage) -> bytes:
        """Return a message with CR LF line ends. Raises MessageGone, FileError."""
        with self._opened():
            current = self._messages.get(message.uid)
            if current is None:
                raise MessageGone
            with self._path.open("rb") as file:
                file.seek(current.start)
                stored = file.read(current.length)
        return form.decode_message(_ended(stored))

    def append(
        self,
        chunks: Iterable[bytes],
        *,
        return_path: str,
        time: float,
        extra_headers: bytes = b"",
        flags: Flag = NO_FLAGS,
        share: Hashable | None = None,
    ) -> StoredMessage:
        """Store a message and return when it is on the disk.

        ``chunks`` are its octets in pieces of any size, ``extra_headers`` complete lines to put
        before it, ``time`` seconds since the epoch; ``share`` names the message among those that go
        into several mailboxes, for formats that store it once. Raises FileError (a full disk, say);
        then the mailbox is as it was. An exception of ``chunks`` passes through likewise.
        """
        with self._opened(look=False):
            self._mend()
            line = FromLine(
                return_path=return_path, flags=flags, uid=self._last + 1, time=time, length=0
            )
            descriptor = os.open(self._path, os.O_RDWR)
            try:
                message = self._write(descriptor, line, chain((extra_headers,), chunks))
            except BaseException:
                os.ftruncate(descriptor, self._end)
                raise
            finally:
                os.close(descriptor)
            self._last = message.uid
            self._end = message.start + message.length + 1
            self._remember(message)
            return message

    def _remember(self, message: StoredMessage) -> None:
        """Add a stored message to the index, or let go of an index that nobody looks at."""
        self._unseen += 1
        if self._unseen > UNSEEN and not self._foreign:
            self._messages = {}
            self._indexed = False
        elif self._indexed:
            self._messages[message.uid] = message

    def delete(self, uids: Collection[int]) -> None:
        """Remove messages, durably; UIDs that are gone already do no harm. Raises FileError."""
        with self._opened():
            doomed = self._messages.keys() & set(uids)
            if not doomed:
                return
            self._mend()
            kept = [m for uid, m in self._messages.items() if uid not in doomed]
            if self._saved < self._last and max((m.uid for m in kept), default=0) < self._last:
                # The file will not tell any more that these UIDs have been used.
                self._uids.save(self._last)
                self._saved = self._last
            self._rewrite(kept)

    def change_flags(
        self, uid: int, *, add: Flag = NO_FLAGS, remove: Flag = NO_FLAGS
    ) -> StoredMessage:
        """Set and reset flags of a message and return it as it is now.

        Flags of a message that another mail system has stored last until the mailbox is read
        again (Guide 3.5.2, Mailboxes). Raises MessageGone, FileError.
        """
        with self._opened():
            message = self._messages.get(uid)
            if message is None:
                raise MessageGone
            message = replace(message, flags=(message.flags | add) & ~remove)
            with self._path.open("r+b") as file:
                file.seek(message.offset)
                place = form.field_offsets(file.read(message.start - message.offset - 1))
                if place is not None:
                    file.seek(message.offset + place[0])
                    file.write(form.flag_letters(message.flags))
            self._messages[uid] = message
            return message

    # The file ------------------------------------------------------------------------------------

    @contextmanager
    def _opened(self, *, look: bool = True) -> Iterator[None]:
        """Hold the mailbox as the file is now; indexed, if somebody is to look at the messages."""
        with self._lock:
            try:
                if self._end < 0:
                    self._validity, self._saved = self._uids.load()
                try:
                    size = self._path.stat().st_size
                except FileNotFoundError:
                    # INBOX always exists; one that was taken away is empty (Guide, Objects).
                    self._path.touch()
                    size = 0
                if size != self._end or (look and not self._indexed):
                    self._index()
                if look:
                    self._unseen = 0
                yield
            except OSError as error:
                raise FileError(f"{self._path}: {error.strerror}") from error

    def _index(self) -> None:
        """Read the file from its beginning; repair what a crash or a move has left."""
        with self._path.open("r+b") as file:
            size = os.fstat(file.fileno()).st_size
            if not size:
                self._set([], b"")
                return
            with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as octets:
                first = bytes(octets[: octets.find(b"\n") + 1])
                foreign = first.endswith(b"\r\n") and form.parse_from_line(first[:-2]) is not None
                good = size
                if not foreign:
                    records = list(scan(octets))
                    good = torn_at(octets, records)
                    self._set(records, octets)
            if good < size:
                os.ftruncate(file.fileno(), good)
                self._end = good
                self._ragged = False
                if self._remark is not None:
                    self._remark(f"{self._path.name}: {size - good} octets of a torn message cut")
        if foreign:
            # The file comes from a platform whose lines end with CR LF.
            replace_file(self._path, self._path.read_bytes().replace(b"\r\n", b"\n"))
            self._index()

    def _set(self, records: Sequence[Record], octets: bytes | mmap.mmap) -> None:
        # A message without a UID in the file keeps the one it has been shown with.
        shown = {message.offset: message.uid for message in self._messages.values()}
        last = max(self._last, self._saved, *(r.line.uid for r in records), 0)
        messages: dict[int, StoredMessage] = {}
        for record in records:
            uid = record.line.uid or shown.get(record.offset, 0)
            if not uid or uid in messages:
                last += 1
                uid = last
            content = octets[record.start : record.start + record.length]
            messages[uid] = StoredMessage(
                uid=uid,
                size=_wire_size(content),
                return_path=record.line.return_path,
                time=record.line.time,
                flags=record.line.flags,
                offset=record.offset,
                start=record.start,
                length=record.length,
            )
        self._messages = messages
        self._indexed = True
        self._foreign = not all(record.line.uid for record in records)
        self._last = last
        self._end = len(octets)
        self._ragged = self._end > 0 and octets[-2:] != b"\n\n"

    def _mend(self) -> None:
        """End the file with an empty line, so that a From-line may follow."""
        if self._ragged:
            with self._path.open("r+b") as file:
                file.seek(-1, os.SEEK_END)
                file.write(b"\n" if file.read(1) == b"\n" else b"\n\n")
            self._index()

    def _write(self, descriptor: int, line: FromLine, chunks: Iterable[bytes]) -> StoredMessage:
        offset = self._end
        from_line = form.print_from_line(line)
        place = form.field_offsets(from_line)
        if place is None:
            raise ValueError(f"a From-line that cannot be read back: {from_line!r}")
        start = offset + len(from_line) + 1
        buffer = bytearray(from_line + b"\n")
        length = lines = 0
        written = offset
        for piece in form.encode_message(chunks):
            length += len(piece)
            lines += piece.count(b"\n")
            buffer += piece
            if len(buffer) >= _BLOCK:
                written += _write_at(descriptor, buffer, written)
                buffer.clear()
        buffer += b"\n"
        field = form.length_field(length)
        if written == offset:
            # All goes at once: a record of which a crash has left a part is shorter than it says.
            buffer[place[1] : place[1] + len(field)] = field
            _write_at(descriptor, buffer, written, os.RWF_DSYNC)
        else:
            # Until the end the length is 0: a crash leaves a record that is known to be torn.
            _write_at(descriptor, buffer, written)
            _write_at(descriptor, field, offset + place[1])
            os.fsync(descriptor)
        return StoredMessage(
            uid=line.uid,
            size=length + lines,
            return_path=line.return_path,
            time=line.time,
            flags=line.flags,
            offset=offset,
            start=start,
            length=length,
        )

    def _rewrite(self, kept: Sequence[StoredMessage]) -> None:
        temporary = self._path.with_name(self._path.name + TEMPORARY)
        messages: dict[int, StoredMessage] = {}
        written = 0
        with self._path.open("rb") as source, temporary.open("wb") as target:
            for message in kept:
                end = message.start + message.length + 1
                _copy(source.fileno(), target.fileno(), message.offset, end - message.offset)
                moved = written - message.offset
                messages[message.uid] = replace(
                    message, offset=written, start=message.start + moved
                )
                written += end - message.offset
            os.fsync(target.fileno())
        temporary.replace(self._path)
        fsync_folder(self._path.parent)
        self._messages = messages
        self._end = written


def _ended(stored: bytes) -> bytes:
    return stored if stored.endswith(b"\n") else stored + b"\n"


def _wire_size(stored: bytes) -> int:
    ended = _ended(stored)
    return len(ended) + ended.count(b"\n")


def _write_at(descriptor: int, octets: bytes | bytearray, position: int, flags: int = 0) -> int:
    """Write all octets at a position; return how many they are."""
    view = memoryview(octets)
    while view:
        written = os.pwritev(descriptor, [view], position, flags)
        view = view[written:]
        position += written
    return len(octets)


def _copy(source: int, target: int, offset: int, count: int) -> None:
    while count:
        copied = os.sendfile(target, source, offset, count)
        if not copied:
            raise OSError(0, "the mailbox is shorter than it was")
        offset += copied
        count -= copied
