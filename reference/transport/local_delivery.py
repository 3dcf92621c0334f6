"""The Local Delivery module: messages into the INBOX of accounts.

Guide 3.5.2, Local Delivery Module. Each account has a queue. What is in it is stored in the INBOX,
one message after the other, in a thread; the queues of different accounts do not wait for each
other. A message for several addresses of one unified account is stored once, with all of them in
the field X-Real-To (or the one that Envelope Recipients field names).

A delivery is reported only when the mailbox has it on the disk, so a killed server may store a
message a second time, but never forgets one. While an account's Mail Service is disabled or its
storage is full, its queue waits for as long as the settings say.
"""

from __future__ import annotations

import enum
import math
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from reference.formats.values import UNLIMITED
from reference.kernel.clock import Clock
from reference.kernel.work import Token, Work
from reference.queue.delivery import Entry, Outcome, Reports, Result, delivered, failed
from reference.queue.directory import Log
from reference.queue.head import State
from reference.queue.message import QueuedMessage
from reference.queue.options import Settings
from reference.queue.report import line
from reference.queue.threads import Threads
from reference.storage.domains import Account, Domains
from reference.transport.retry import Schedule
from reference.transport.waiting import Transfer, WaitingQueue

#: Seconds between two looks at an account that cannot get mail now.
CHECK_EVERY = 600.0
#: Seconds for which mail is kept when a mailbox cannot be written (a full disk, say).
KEEP_IF_BROKEN = 5 * 86400.0
#: Octets of a header line before it is folded.
_FOLD_AT = 900


class Obstacle(enum.Enum):
    """Why an account gets no mail now; the value is the setting that says how long to wait."""

    FULL = "KeepIfFull"
    DISABLED = "KeepIfDisabled"
    BROKEN = ""


#: What a sender is told in the end: text and status code (RFC 3463).
_REPORTS = {
    Obstacle.FULL: ("account is full", "5.2.2"),
    Obstacle.DISABLED: ("mail service is disabled for this account", "5.2.1"),
    Obstacle.BROKEN: ("the mailbox cannot be written", "4.3.0"),
}


@dataclass(frozen=True, slots=True)
class _Kept:
    """A message that was not stored and waits."""

    obstacle: Obstacle
    why: str = ""


class _AccountQueue(WaitingQueue):
    """The queue of one account."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.obstacle = Obstacle.BROKEN


class LocalDelivery:
    """The module ``LOCAL`` of the queue."""

    name = "LOCAL"

    def __init__(
        self,
        *,
        domains: Domains,
        clock: Clock,
        work: Work,
        log: Log,
        settings: Settings,
        reports: Reports,
        threads: Threads,
    ) -> None:
        self._domains = domains
        self._clock = clock
        self._work = work
        self._log = log
        self._settings = settings
        self._reports = reports
        self._threads = threads
        self._queues: dict[str, _AccountQueue] = {}

    def enqueue(self, message: QueuedMessage, host: str, entries: Sequence[Entry]) -> None:
        """Take recipients into an account's queue."""
        queue = self._queues.setdefault(host.lower(), _AccountQueue(host.lower()))
        transfer = Transfer(message, entries)
        queue.transfers.append(transfer)
        if not queue.covered(self._clock.time(), self._schedule(queue), transfer):
            self._go_on(queue)

    def release(self, host: str) -> bool:
        """Deliver what waits for an account now; False when nothing does."""
        queue = self._queues.get(host.lower())
        if queue is None:
            return False
        queue.release()
        self._go_on(queue)
        return True

    def _schedule(self, queue: _AccountQueue) -> Schedule:
        keep = queue.obstacle.value
        return Schedule(
            every=CHECK_EVERY,
            later_every=CHECK_EVERY,
            later_after=math.inf,
            give_up_after=self._settings.get("LOCAL", keep) if keep else KEEP_IF_BROKEN,
            warn_after=self._settings.get("LOCAL", "WarnAfter"),
        )

    def _go_on(self, queue: _AccountQueue) -> None:
        """Do what is due for a queue: begin a delivery, or set its timer, or forget it."""
        if queue.active:
            return
        queue.unwatch()
        if queue.ready(self._clock.time()):
            self._begin(queue)
            return
        self._sweep(queue)
        if queue.transfers:
            queue.watch(self._clock, self._schedule(queue), partial(self._go_on, queue))
        else:
            self._queues.pop(queue.name, None)

    def _sweep(self, queue: _AccountQueue) -> None:
        """Give up what is too old and warn about what is late."""
        now, schedule = self._clock.time(), self._schedule(queue)
        text, status = _REPORTS[queue.obstacle]
        for transfer in queue.take_expired(now, schedule):
            self._reports.report(transfer.message, transfer.indexes, failed(text, status))
        for transfer in queue.late(now, schedule):
            outcome = Outcome(Result.DELAYED, text, f"4{status[1:]}")
            self._reports.report(transfer.message, transfer.indexes, outcome)

    def _begin(self, queue: _AccountQueue) -> None:
        """Deliver all that is ready."""
        name, _, domain_name = queue.name.partition("@")
        domain = self._domains.get(domain_name)
        account = None if domain is None else domain.accounts.get(name)
        if account is None:
            self._all_failed(queue, "unknown account", "5.1.1")
        elif "Mail" not in account.services:
            self._suspend(queue, Obstacle.DISABLED)
        else:
            self._deliver(queue, account)
            return
        self._go_on(queue)

    def _all_failed(self, queue: _AccountQueue, text: str, status: str) -> None:
        transfers, queue.transfers = queue.transfers, []
        for transfer in transfers:
            self._reports.report(transfer.message, transfer.indexes, failed(text, status))

    def _suspend(self, queue: _AccountQueue, obstacle: Obstacle, why: str = "") -> None:
        queue.obstacle = obstacle
        level = 1 if obstacle is Obstacle.BROKEN else 3
        self._note(level, queue, f"suspended: {_REPORTS[obstacle][0]} {why}".rstrip())
        queue.suspend(self._clock.time(), self._schedule(queue), _REPORTS[obstacle][0])

    def _deliver(self, queue: _AccountQueue, account: Account) -> None:
        queue.active = True
        token = self._work.task(f"LOCAL {queue.name}")
        transfers, queue.transfers = queue.transfers, []
        field: str = self._settings.get("LOCAL", "EnvelopeRecipientsField")
        percent: int = self._settings.get("LOCAL", "FullPercent")
        keep = self._settings.get("LOCAL", "KeepIfFull") > 0
        limit: int = account.get("MaxAccountSize")
        now = self._clock.time()

        def store() -> list[Outcome | _Kept]:
            room = _Room(account, limit, percent if keep else 0)
            return [_store(account, transfer, field, now, room) for transfer in transfers]

        account.open()
        running: Deferred[list[Outcome | _Kept]] = self._threads.run(store)
        running.addCallback(self._settle, queue, transfers)
        running.addBoth(self._ended, queue, account, token)

    def _settle(
        self,
        results: Sequence[Outcome | _Kept],
        queue: _AccountQueue,
        transfers: Sequence[Transfer],
    ) -> None:
        kept = []
        for transfer, result in zip(transfers, results, strict=True):
            if isinstance(result, Outcome):
                self._note(2, queue, f"[{transfer.message.name}] {result.text}")
                self._reports.report(transfer.message, transfer.indexes, result)
            else:
                kept.append(transfer)
                queue.obstacle = result.obstacle
                transfer.last_word = result.why
        if kept:
            queue.transfers[:0] = kept
            self._suspend(queue, queue.obstacle, kept[-1].last_word)

    def _ended(self, result: object, queue: _AccountQueue, account: Account, token: Token) -> None:
        if isinstance(result, Failure):
            # What was in hand stays in the queue directory for the next start.
            self._note(1, queue, f"delivery broken: {result.value!r}")
        account.close()
        queue.active = False
        self._go_on(queue)
        token.done()

    def _note(self, level: int, queue: WaitingQueue, text: str) -> None:
        self._log.write(level, f"LOCAL({queue.name})", text)


class _Room:
    """How much an account may still store; looked up when the first message asks."""

    def __init__(self, account: Account, limit: int, percent: int) -> None:
        self._account = account
        self._limit = limit
        self._percent = percent

    def refuses(self, size: int) -> Outcome | _Kept | None:
        """Return why a message of this size is not stored, or None. Raises FileError."""
        if self._limit >= UNLIMITED:
            return None
        used = self._account.storage()
        if self._percent and used * 100 >= self._limit * self._percent:
            return _Kept(Obstacle.FULL)
        if used + size > self._limit:
            return failed(*_REPORTS[Obstacle.FULL])
        return None


def _store(
    account: Account, transfer: Transfer, field: str, now: float, room: _Room
) -> Outcome | _Kept:
    """Store a message in the INBOX; runs in a thread."""
    message = transfer.message
    try:
        refusal = room.refuses(message.size)
        if refusal is not None:
            return refusal
        account.mailbox().append(
            message.blocks(),
            return_path=message.envelope.return_path,
            time=now,
            extra_headers=added_fields(message, transfer.entries, field),
        )
    except Exception as error:  # noqa: BLE001 - one message must not hold up the others
        return _Kept(Obstacle.BROKEN, repr(error))
    # The others of the batch are still to come, and what is stored must not be stored again. Should
    # it not work, the Dequeuer marks the message a little later.
    with suppress(OSError):
        message.write_down(transfer.indexes, State.DONE)
    return delivered("stored in INBOX")


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
