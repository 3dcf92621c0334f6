"""An open mailbox of an IMAP session: its messages by number, and the commands on them.

Guide 3.5.2, IMAP Module (MultiAccess); RFC 3501, 6.4. The session numbers the messages that it has
told the client; others may add and remove messages all the time, and the client hears of that at
:meth:`OpenMailbox.refresh`. In a unified account, a user with a local part of his own sees his own
messages.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import partial
from typing import Protocol

from reference.kernel.access import Login
from reference.protocols.imap_fetch import FLAG_NAMES, answer, flag_list, needs_octets
from reference.protocols.imap_grammar import (
    FetchItem,
    IMAPSyntaxError,
    Value,
    parse_fetch,
    parse_set,
)
from reference.protocols.imap_office import IMAPOffice
from reference.protocols.message_view import names_recipient
from reference.storage.errors import MessageGone
from reference.storage.mbox import Mailbox, StoredMessage
from reference.storage.mbox_format import NO_FLAGS, Flag

_FLAGS = {name.lower(): flag for flag, name in FLAG_NAMES.items()}
_FLAG_LINE = b"(" + b" ".join(FLAG_NAMES.values()) + b")"
#: Search keys about flags: the flag, and whether it must be set.
_SEARCH = {
    b"SEEN": (Flag.SEEN, True),
    b"UNSEEN": (Flag.SEEN, False),
    b"ANSWERED": (Flag.ANSWERED, True),
    b"UNANSWERED": (Flag.ANSWERED, False),
    b"DELETED": (Flag.DELETED, True),
    b"UNDELETED": (Flag.DELETED, False),
    b"FLAGGED": (Flag.FLAGGED, True),
    b"UNFLAGGED": (Flag.FLAGGED, False),
    b"DRAFT": (Flag.DRAFT, True),
    b"UNDRAFT": (Flag.DRAFT, False),
}


class Refused(Exception):  # noqa: N818 - an answer, not a fault
    """A command that cannot be done; ``str()`` is the text of the NO."""


class Session(Protocol):
    """The IMAP session that has a mailbox open."""

    office: IMAPOffice

    def send(self, octets: bytes, /) -> None:
        """Send a line."""

    async def stream(self, octets: bytes, /) -> bool:
        """Send much, as fast as the client takes it; False when it is gone."""


class OpenMailbox:
    """A mailbox as one session sees it."""

    def __init__(self, *, session: Session, name: str, writable: bool) -> None:
        self.name = name
        self._session = session
        self._writable = writable
        self._mailbox: Mailbox | None = None
        self._real_to = ""
        self._uids: list[int] = []

    async def open(self, login: Login) -> None:
        """Open the mailbox and tell about it. Raises StorageError."""
        messages = await self._look(login)
        self._uids = [message.uid for message in messages]
        mailbox = self._box()
        validity = await self._session.office.threads.run(lambda: mailbox.uid_validity)
        following = max(self._uids, default=0) + 1
        self._send(b"FLAGS " + _FLAG_LINE)
        self._send(b"%d EXISTS" % len(messages))
        self._send(b"0 RECENT")
        self._send(b"OK [PERMANENTFLAGS %b]" % (_FLAG_LINE if self._writable else b"()"))
        self._send(b"OK [UIDVALIDITY %d]" % validity)
        self._send(b"OK [UIDNEXT %d]" % following)

    async def status(self, login: Login, items: Iterable[Value]) -> bytes:
        """Return the wanted numbers of STATUS. Raises IMAPSyntaxError, StorageError."""
        messages = await self._look(login)
        mailbox = self._box()
        numbers = {
            b"MESSAGES": len(messages),
            b"RECENT": 0,
            b"UNSEEN": sum(Flag.SEEN not in message.flags for message in messages),
            b"UIDNEXT": max((message.uid for message in messages), default=0) + 1,
            b"UIDVALIDITY": await self._session.office.threads.run(lambda: mailbox.uid_validity),
            b"INTERNALSIZE": await self._session.office.threads.run(mailbox.storage),
        }
        words = []
        for item in items:
            name = item.upper() if isinstance(item, bytes) else b""
            if name not in numbers:
                raise IMAPSyntaxError("STATUS does not know the item")
            words.append(b"%b %d" % (name, numbers[name]))
        return b" ".join(words)

    async def do(self, verb: bytes, arguments: list[Value], *, by_uid: bool) -> None:
        """Do a command of the selected state. Raises IMAPSyntaxError, Refused, StorageError."""
        if verb == b"FETCH":
            await self._fetch(arguments, by_uid=by_uid)
        elif verb == b"STORE":
            await self._store(arguments, by_uid=by_uid)
        elif verb == b"SEARCH":
            await self._search(arguments, by_uid=by_uid)
        elif verb == b"EXPUNGE":
            if not self._writable:
                raise Refused("the mailbox is open for reading only")
            await self.expunge(silent=False)
        else:  # CHECK
            await self.refresh()

    async def refresh(self) -> None:
        """Tell the client which messages others have removed and added."""
        messages = await self._read()
        present = {message.uid for message in messages}
        for number in range(len(self._uids), 0, -1):
            if self._uids[number - 1] not in present:
                del self._uids[number - 1]
                self._send(b"%d EXPUNGE" % number)
        known = set(self._uids)
        added = [message.uid for message in messages if message.uid not in known]
        if added:
            self._uids += added
            self._send(b"%d EXISTS" % len(self._uids))

    async def expunge(self, *, silent: bool) -> None:
        """Remove the messages that are marked as deleted."""
        if not self._writable:
            return
        mailbox, known = self._box(), set(self._uids)

        def remove() -> None:
            mailbox.delete(
                [m.uid for m in mailbox.messages() if Flag.DELETED in m.flags and m.uid in known]
            )

        await self._session.office.threads.run(remove)
        if not silent:
            await self.refresh()

    async def _fetch(self, arguments: list[Value], *, by_uid: bool) -> None:
        if len(arguments) != 2:
            raise IMAPSyntaxError("a set of messages and a list of items are expected")
        items = parse_fetch(arguments[1])
        if by_uid and all(item.name != b"UID" for item in items):
            items.append(FetchItem(b"UID"))
        marks = self._writable and not all(item.peek for item in items)
        octets_needed = any(map(needs_octets, items))
        for number, message in await self._chosen(arguments[0], by_uid=by_uid):
            octets = b""
            if octets_needed:
                try:
                    message, octets = await self._octets(message, seen=marks)
                except MessageGone:
                    continue  # the client hears of it with the next NOOP
            line = b" ".join(answer(item, message, octets) for item in items)
            if not await self._session.stream(b"* %d FETCH (%b)\r\n" % (number, line)):
                return

    async def _octets(self, message: StoredMessage, *, seen: bool) -> tuple[StoredMessage, bytes]:
        mailbox = self._box()

        def read() -> tuple[StoredMessage, bytes]:
            octets = mailbox.read(message)
            if seen and Flag.SEEN not in message.flags:
                return mailbox.change_flags(message.uid, add=Flag.SEEN), octets
            return message, octets

        return await self._session.office.threads.run(read)

    async def _store(self, arguments: list[Value], *, by_uid: bool) -> None:
        match arguments:
            case [bytes() as chosen, bytes() as mode, [*names]]:
                pass
            case [bytes() as chosen, bytes() as mode, bytes() as name]:
                names = [name]
            case _:
                raise IMAPSyntaxError("a set of messages, FLAGS and a list are expected")
        if not self._writable:
            raise Refused("the mailbox is open for reading only")
        mode = mode.upper()
        silent, mode = mode.endswith(b".SILENT"), mode.removesuffix(b".SILENT")
        if mode not in (b"FLAGS", b"+FLAGS", b"-FLAGS"):
            raise IMAPSyntaxError("FLAGS, +FLAGS or -FLAGS is expected")
        flags = _flags(names)
        add = NO_FLAGS if mode == b"-FLAGS" else flags
        remove = {b"FLAGS": ~flags, b"-FLAGS": flags}.get(mode, NO_FLAGS)
        mailbox = self._box()
        for number, message in await self._chosen(chosen, by_uid=by_uid):
            change = partial(mailbox.change_flags, message.uid, add=add, remove=remove)
            try:
                changed = await self._session.office.threads.run(change)
            except MessageGone:
                continue  # the client hears of it with the next NOOP
            if not silent:
                uid = b" UID %d" % message.uid if by_uid else b""
                self._send(b"%d FETCH (FLAGS %b%b)" % (number, flag_list(changed.flags), uid))

    async def _search(self, arguments: list[Value], *, by_uid: bool) -> None:
        found = [(n, m) for n, m in await self._numbered() if n]
        keys = list(arguments)
        if not keys:
            raise IMAPSyntaxError("search keys are expected")
        while keys:
            key = keys.pop(0)
            name = key.upper() if isinstance(key, bytes) else b""
            if name in _SEARCH:
                flag, wanted = _SEARCH[name]
                found = [(n, m) for n, m in found if (flag in m.flags) == wanted]
            elif name == b"UID" and keys:
                ranges = parse_set(keys.pop(0), max(self._uids, default=0))
                found = [(n, m) for n, m in found if _within(m.uid, ranges)]
            elif name[:1].isdigit() or name[:1] == b"*":
                ranges = parse_set(name, len(self._uids))
                found = [(n, m) for n, m in found if _within(n, ranges)]
            elif name != b"ALL":
                raise IMAPSyntaxError("SEARCH knows flags, numbers and UIDs only")
        numbers = (m.uid if by_uid else n for n, m in found)
        self._send(b" ".join([b"SEARCH", *(b"%d" % number for number in numbers)]))

    async def _chosen(self, text: Value, *, by_uid: bool) -> list[tuple[int, StoredMessage]]:
        largest = max(self._uids, default=0) if by_uid else len(self._uids)
        ranges = parse_set(text, largest)
        return [
            (number, message)
            for number, message in await self._numbered()
            if _within(message.uid if by_uid else number, ranges)
        ]

    async def _numbered(self) -> list[tuple[int, StoredMessage]]:
        """Return the messages that are still there by the numbers that the client knows."""
        present = {message.uid: message for message in await self._read()}
        return [
            (number, present[uid]) for number, uid in enumerate(self._uids, 1) if uid in present
        ]

    async def _look(self, login: Login) -> Sequence[StoredMessage]:
        self._mailbox = login.account.mailbox(self.name)
        self._real_to = login.real_to
        return await self._read()

    async def _read(self) -> Sequence[StoredMessage]:
        mailbox, real_to = self._box(), self._real_to
        field = str(self._session.office.settings.get("LOCAL", "EnvelopeRecipientsField"))

        def read() -> Sequence[StoredMessage]:
            messages = mailbox.messages()
            if not real_to:
                return messages
            return [m for m in messages if names_recipient(mailbox.read(m), field, real_to)]

        return await self._session.office.threads.run(read)

    def _box(self) -> Mailbox:
        if self._mailbox is None:
            raise IMAPSyntaxError("select a mailbox first")
        return self._mailbox

    def _send(self, line: bytes) -> None:
        self._session.send(b"* " + line + b"\r\n")


def _within(number: int, ranges: list[tuple[int, int]]) -> bool:
    return any(first <= number <= last for first, last in ranges)


def _flags(names: Iterable[Value]) -> Flag:
    flags = NO_FLAGS
    for name in names:
        flag = _FLAGS.get(name.lower()) if isinstance(name, bytes) else None
        if flag is None:
            raise Refused("only the system flags can be set")
        flags |= flag
    return flags
