"""What the queue and the delivering modules say to each other.

Guide 3.5.2, Message Transfer, Enqueueing and Dequeueing. The Enqueuer gives a module the recipients
of one message that belong into one of its queues (:class:`DeliveryModule`); the module tells the
Dequeuer what became of each (:class:`Outcome`). Between both, a recipient is the module's: it alone
decides when to try again.
"""

from __future__ import annotations

import enum
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from reference.queue.message import QueuedMessage


@dataclass(frozen=True, slots=True)
class Entry:
    """A recipient in a module's queue."""

    index: int
    """The recipient's place in the message's envelope."""
    address: str
    """The address inside the queue, as the Router gave it."""
    mailbox: str = ""
    """The account's mailbox that the address names; empty for INBOX."""


class Result(enum.Enum):
    """What became of a recipient; where reported, by RFC 3464's word."""

    DELIVERED = "delivered"
    RELAYED = "relayed"
    """Handed to a host that makes no reports of its own."""
    PASSED = "passed on"
    """Handed to a host that makes the reports itself, or discarded; never reported here."""
    FAILED = "failed"
    DELAYED = "delayed"
    """Not delivered yet; the module goes on trying. Only said when a warning is due."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """A module's report about recipients.

    ``text`` is for people; ``status`` an enhanced status code (RFC 3463); ``remote`` the host that
    decided, and ``diagnostic`` its words, as ``smtp; 550 no such user``.
    """

    result: Result
    text: str
    status: str
    remote: str = ""
    diagnostic: str = ""


def delivered(text: str) -> Outcome:
    """Report a delivery."""
    return Outcome(Result.DELIVERED, text, "2.0.0")


def failed(text: str, status: str, *, remote: str = "", diagnostic: str = "") -> Outcome:
    """Report a failure for good."""
    return Outcome(Result.FAILED, text, status, remote=remote, diagnostic=diagnostic)


#: What becomes of an address that is routed to NULL: it counts as delivered, and nobody hears of it
#: (Guide 3.5.2, Router, Special Addresses).
DISCARDED = Outcome(Result.PASSED, "discarded", "2.0.0")


class DeliveryModule(Protocol):
    """A module with queues: SMTP, LOCAL, LIST."""

    name: str
    """The module's name, as routes have it."""

    def enqueue(self, message: QueuedMessage, host: str, entries: Sequence[Entry]) -> None:
        """Take recipients of a message into the queue ``host``.

        Returns at once; what becomes of the recipients goes to the Dequeuer. If the module works on
        them right away, it holds a task by the time it returns.
        """

    def release(self, host: str) -> bool:
        """Work on the queue ``host`` now, whatever it waits for; False if there is none."""


class Reports(Protocol):
    """The Dequeuer, as the modules see it."""

    def report(self, message: QueuedMessage, indexes: Sequence[int], outcome: Outcome) -> None:
        """Tell what became of recipients of a message."""
