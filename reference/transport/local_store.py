"""Storing one message in one mailbox of an account: its fields, the storage limit, the outcome.

Guide 3.5.2, Local Delivery Module (Storing Mail in Account Mailboxes, Unified Domain-Wide
Accounts). Everything here runs in a thread and knows no queue. A message is stored when the mailbox
has it on the disk; what stands in the way is told as an :class:`Outcome` (it is rejected) or as
:class:`Kept` (it may be stored later).
"""

from __future__ import annotations

import enum
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

from reference.formats.values import UNLIMITED
from reference.queue.delivery import Entry, Outcome, Result, delivered, failed
from reference.queue.head import State
from reference.queue.message import QueuedMessage
from reference.queue.report import line
from reference.storage.domains import Account
from reference.storage.errors import BadName, FileError, NoSuchMailbox
from reference.storage.mbox_format import NO_FLAGS, Flag
from reference.transport.waiting import Transfer

INBOX = "INBOX"
#: Octets of a header line before it is folded.
_FOLD_AT = 900


class Obstacle(enum.Enum):
    """Why an account gets no mail now."""

    FULL = enum.auto()
    DISABLED = enum.auto()
    FLOW = enum.auto()
    BROKEN = enum.auto()


#: What a sender is told in the end: text and status code (RFC 3463).
REPORTS = {
    Obstacle.FULL: ("account is full", "5.2.2"),
    Obstacle.DISABLED: ("mail service is disabled for this account", "5.2.1"),
    Obstacle.FLOW: ("too many messages for this account", "5.2.0"),
    Obstacle.BROKEN: ("the mailbox cannot be written", "4.3.0"),
}


@dataclass(frozen=True, slots=True)
class Kept:
    """A message that was not stored and waits."""

    obstacle: Obstacle
    why: str = ""


class Part(Transfer):
    """Recipients of one message that mean one mailbox of an account."""

    __slots__ = ("counted", "mailbox")

    def __init__(self, message: QueuedMessage, entries: Sequence[Entry], mailbox: str) -> None:
        super().__init__(message, entries)
        self.mailbox = mailbox
        """The mailbox that the address names; empty for what the Rules say, or INBOX."""
        self.counted = False
        """The flow control has let it through."""


def parts_of(message: QueuedMessage, entries: Sequence[Entry]) -> list[Part]:
    """Divide the recipients of a message by the mailboxes that they mean."""
    mailboxes = dict.fromkeys(entry.mailbox for entry in entries)
    return [
        Part(message, [entry for entry in entries if entry.mailbox == mailbox], mailbox)
        for mailbox in mailboxes
    ]


class Storage:
    """How much an account may still store; looked up when the first message asks."""

    def __init__(self, account: Account, *, keep_from: int) -> None:
        """``keep_from`` is the percentage from which on mail waits; 0: it never does."""
        self.account = account
        self._limit: int = account.get("MaxAccountSize")
        self._percent = keep_from

    def is_full(self) -> bool:
        """Tell whether the account is so full that its mail waits. Raises FileError."""
        if not self._percent or self._limit >= UNLIMITED:
            return False
        return self.account.storage() * 100 >= self._limit * self._percent

    def has_room(self, size: int) -> bool:
        """Tell whether a message of this size does not exceed the limit. Raises FileError."""
        return self._limit >= UNLIMITED or self.account.storage() + size <= self._limit


@dataclass(frozen=True, slots=True, kw_only=True)
class Storing:
    """Stores messages for one account at one time."""

    storage: Storage
    field: str
    """The envelope recipients field of unified accounts; empty for none."""
    now: float

    def part(self, part: Part) -> Outcome | Kept:
        """Store a part in its mailbox, INBOX if it names none."""
        try:
            if self.storage.is_full():
                return Kept(Obstacle.FULL)
            outcome = self.copy(part.message, part.entries, part.mailbox or INBOX)
        except Exception as error:  # noqa: BLE001 - one message must not hold up the others
            return Kept(Obstacle.BROKEN, repr(error))
        mark(part, outcome)
        return outcome

    def copy(
        self,
        message: QueuedMessage,
        entries: Sequence[Entry],
        mailbox: str,
        *,
        flags: Flag = NO_FLAGS,
        added: str = "",
    ) -> Outcome:
        """Store a message in a mailbox. Raises FileError, OSError.

        ``added`` are more header fields: lines that end with LF.
        """
        if not self.storage.has_room(message.size):
            return failed(*REPORTS[Obstacle.FULL])
        try:
            found = self.storage.account.mailbox(mailbox)
        except (NoSuchMailbox, BadName):
            return failed(f"mailbox {line(mailbox)} does not exist", "5.2.0")
        more = "".join(f"{each}\r\n" for each in added.split("\n") if each.strip())
        found.append(
            message.blocks(),
            return_path=message.envelope.return_path,
            time=self.now,
            extra_headers=added_fields(message, entries, self.field)
            + more.encode("utf-8", "surrogateescape"),
            flags=flags,
            share=(message.name, message.submitted),
        )
        return delivered(f"stored in {mailbox}")


def mark(part: Part, outcome: Outcome) -> None:
    """Let a killed server know at once that a part is stored, so that it is not stored again."""
    if outcome.result is Result.DELIVERED:
        # Others of the batch are still to come before the outcome is reported. Should it not work,
        # the Dequeuer marks the message a little later.
        with suppress(OSError):
            part.message.write_down(part.indexes, State.DONE)


def store_in_inbox(account: Account, message: QueuedMessage, now: float) -> str:
    """Store a message in an INBOX and return why it was not; empty when it was."""
    storing = Storing(storage=Storage(account, keep_from=0), field="", now=now)
    try:
        outcome = storing.copy(message, (), INBOX)
    except (FileError, OSError) as error:
        return str(error)
    return "" if outcome.status.startswith("2") else outcome.text


def added_fields(message: QueuedMessage, entries: Sequence[Entry], field: str) -> bytes:
    """Return the header fields that a stored message gets: Return-Path, and for a unified account
    the recipients (Guide 3.5.2, Unified Domain-Wide Accounts).
    """
    lines = [f"Return-Path: <{line(message.envelope.return_path)}>"]
    names = list(dict.fromkeys(line(entry.address) for entry in entries if entry.address))
    if names and field:
        lines.append(_folded(f"{field}: {names[0]}", names[1:]))
    return "".join(f"{each}\r\n" for each in lines).encode("utf-8", "surrogateescape")


def _folded(start: str, names: Sequence[str]) -> str:
    """Join names with commas, and fold where a line becomes too long."""
    lines = [start]
    for name in names:
        if len(lines[-1]) + len(name) > _FOLD_AT:
            lines[-1] += ","
            lines.append(f"\t{name}")
        else:
            lines[-1] += f", {name}"
    return "\r\n".join(lines)
