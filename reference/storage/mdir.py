"""One .mdir mailbox: a directory with a file for each message.

Guide 3.5.2, Mailboxes (The .mdir Format). A file is named ``iiii-flags-timestamp``: the message's
UID, its flags as letters, and the time (GMT) when it was stored. Lines end with LF, and nothing is
escaped. A message that goes into several mailboxes of this format is one file with a hard link in
each directory (:class:`SharedFiles`); flags stand in the names, so each mailbox has its own.

A message is stored when :meth:`DirectoryMailbox.append` returns: its file is on the disk under its
name. What a crash leaves of an unfinished one has another name and is removed. As with the other
format there is one object a mailbox, whose methods may be called from any thread.
"""

from __future__ import annotations

import calendar
import os
import re
import threading
import time as clock
from collections import OrderedDict
from collections.abc import Callable, Collection, Hashable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from itertools import chain
from pathlib import Path

from reference.storage.errors import FileError, MessageGone
from reference.storage.files import TEMPORARY, fsync_folder, write_durably
from reference.storage.mbox import Mailbox, StoredMessage, UidStore
from reference.storage.mbox_format import NO_FLAGS, Flag, flag_letters, flags_of

SUFFIX = ".mdir"

_NAME = re.compile(r"(\d{1,18})-([A-Za-z]*)-(\d{14})")
_RETURN_PATH = re.compile(rb"Return-Path: *<([^>\r\n]*)>", re.IGNORECASE)
_STAMP = "%Y%m%d%H%M%S"
#: Messages that are remembered as stored somewhere already.
_REMEMBERED = 1000


class _Shared:
    """One message and where it was stored first."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.folder: Path | None = None
        self.uid = 0

    def link(self, path: Path) -> bool:
        """Make ``path`` a hard link to the message's file; False when there is none."""
        # The name changes with the flags, the UID in it does not.
        for known in self.folder.glob(f"{self.uid}-*") if self.folder is not None else ():
            with suppress(OSError):
                path.hardlink_to(known)
                return True
        return False


class SharedFiles:
    """Where messages that are being delivered have been stored first; for any thread."""

    def __init__(self) -> None:
        self._messages: OrderedDict[Hashable, _Shared] = OrderedDict()
        self._lock = threading.Lock()

    @contextmanager
    def sharing(self, key: Hashable) -> Iterator[_Shared]:
        """Hold a message while it is stored: who stores it at the same time waits."""
        with self._lock:
            message = self._messages.setdefault(key, _Shared())
            self._messages.move_to_end(key)
            if len(self._messages) > _REMEMBERED:
                self._messages.popitem(last=False)
        with message.lock:
            yield message


class DirectoryMailbox(Mailbox):
    """A mailbox directory; there must be one object a directory."""

    def __init__(
        self,
        *,
        path: Path,
        uids: UidStore,
        shared: SharedFiles,
        remark: Callable[[str], None] | None = None,
    ) -> None:
        """``shared`` is one for all mailboxes; ``remark`` is told what was repaired."""
        super().__init__(path=path, uids=uids, remark=remark)
        self._shared = shared
        self._names: dict[int, str] = {}
        self._stamp = -1  # the directory's own time as indexed

    def read(self, message: StoredMessage) -> bytes:
        """Return a message with CR LF line ends. Raises MessageGone, FileError."""
        with self._opened():
            octets = self._file(message.uid).read_bytes()
        return _ended(octets).replace(b"\n", b"\r\n")

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
        """Store a message and return when it is on the disk; see :meth:`Mailbox.append`.

        Messages with the same ``share`` and ``extra_headers`` are the same.
        """
        content = chain((extra_headers,), chunks)
        if share is None:
            with self._opened():
                return self._store(content, flags, time, None)
        with self._opened(), self._shared.sharing((share, extra_headers)) as shared:
            message = self._store(content, flags, time, shared)
            shared.folder, shared.uid = self._path, message.uid
            return message

    def _store(
        self, content: Iterable[bytes], flags: Flag, time: float, shared: _Shared | None
    ) -> StoredMessage:
        name = _name(self._last + 1, flags, time)
        path, temporary = self._path / name, self._path / f"{name}{TEMPORARY}"
        try:
            if shared is None or not shared.link(temporary):
                write_durably(temporary, _stored(content))
            temporary.rename(path)
            fsync_folder(self._path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
        message = self._learn(name)
        self._end += message.length
        self._stamp = self._path.stat().st_mtime_ns
        return message

    def delete(self, uids: Collection[int]) -> None:
        """Remove messages, durably; UIDs that are gone already do no harm. Raises FileError."""
        with self._opened():
            doomed = self._messages.keys() & set(uids)
            kept = self._messages.keys() - doomed
            if not doomed:
                return
            if self._saved < self._last and max(kept, default=0) < self._last:
                # No name will tell any more that these UIDs have been used.
                self._uids.save(self._last)
                self._saved = self._last
            for uid in doomed:
                self._file(uid).unlink()
                del self._messages[uid], self._names[uid]
            fsync_folder(self._path)
            self._measure()

    def change_flags(
        self, uid: int, *, add: Flag = NO_FLAGS, remove: Flag = NO_FLAGS
    ) -> StoredMessage:
        """Set and reset flags of a message and return it. Raises MessageGone, FileError."""
        with self._opened():
            path = self._file(uid)
            message = self._messages[uid]
            message = replace(message, flags=(message.flags | add) & ~remove)
            name = _name(uid, message.flags, message.time)
            path.rename(self._path / name)
            self._messages[uid], self._names[uid] = message, name
            self._measure()
            return message

    # The directory -------------------------------------------------------------------------------

    @contextmanager
    def _opened(self, *, look: bool = True) -> Iterator[None]:
        """Hold the mailbox, indexed as the directory is now."""
        with self._lock:
            try:
                if self._end < 0:
                    self._validity, self._saved = self._uids.load()
                    self._last = max(self._last, self._saved)
                    self._clean()
                if self._path.stat().st_mtime_ns != self._stamp:
                    self._index()
                yield
            except OSError as error:
                raise FileError(f"{self._path}: {error.strerror}") from error

    def _clean(self) -> None:
        """Remove what a crash has left of unfinished messages."""
        for path in self._path.glob(f"*{TEMPORARY}"):
            path.unlink()
            if self._remark is not None:
                self._remark(f"{self._path.name}: {path.name}, an unfinished message, removed")

    def _index(self) -> None:
        """Read the names; files that are known under them are not read again."""
        found = {int(parts[1]): entry.name for entry, parts in self._entries()}
        for uid in self._messages.keys() - found.keys():
            del self._messages[uid], self._names[uid]
        for uid in sorted(found):
            if self._names.get(uid) != found[uid]:
                self._learn(found[uid])
        self._messages = {uid: self._messages[uid] for uid in sorted(self._messages)}
        self._measure()

    def _entries(self) -> Iterator[tuple[os.DirEntry[str], re.Match[str]]]:
        with os.scandir(self._path) as entries:
            for entry in entries:
                parts = _NAME.fullmatch(entry.name)
                if parts is not None and int(parts[1]) > 0:
                    yield entry, parts

    def _learn(self, name: str) -> StoredMessage:
        """Learn of a message from its file."""
        parts = _NAME.fullmatch(name)
        if parts is None:
            raise ValueError(f"not the name of a message: {name}")
        octets = (self._path / name).read_bytes()
        sender = _RETURN_PATH.match(octets)
        ended = _ended(octets)
        message = StoredMessage(
            uid=int(parts[1]),
            size=len(ended) + ended.count(b"\n"),
            return_path=sender[1].decode("utf-8", "surrogateescape") if sender else "",
            time=_time(parts[3]),
            flags=flags_of(parts[2]),
            offset=0,
            start=0,
            length=len(octets),
        )
        self._messages[message.uid], self._names[message.uid] = message, name
        self._last = max(self._last, message.uid)
        return message

    def _measure(self) -> None:
        self._end = sum(message.length for message in self._messages.values())
        self._stamp = self._path.stat().st_mtime_ns

    def _file(self, uid: int) -> Path:
        name = self._names.get(uid)
        if name is None:
            raise MessageGone
        return self._path / name


def _name(uid: int, flags: Flag, time: float) -> str:
    stamp = clock.strftime(_STAMP, clock.gmtime(time))
    return f"{uid}-{flag_letters(flags).decode()}-{stamp}"


def _time(stamp: str) -> float:
    try:
        return float(calendar.timegm(clock.strptime(stamp, _STAMP)))
    except ValueError:
        return 0.0


def _stored(chunks: Iterable[bytes]) -> bytes:
    return _ended(b"".join(chunks).replace(b"\r\n", b"\n"))


def _ended(octets: bytes) -> bytes:
    return octets if octets.endswith(b"\n") else octets + b"\n"
