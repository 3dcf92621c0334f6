"""The Local Delivery module: messages into the mailboxes of accounts.

Guide 3.5.2, Local Delivery Module. Each account has a queue. As many processes as the settings
allow work on queues, one process on one queue at a time: it opens the account, applies its Rules
and stores the messages, one after the other, in a thread. A message for several addresses of one
unified account is stored once, with all of them in the field X-Real-To.

A delivery is reported only when the mailbox has it on the disk, so a killed server may store a
message a second time, but never forgets one. A queue waits while the account's Mail Service is
disabled or its storage is full, for as long as the settings say, and while flow control suspends
it, for as long as it takes.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Sequence
from functools import partial

from twisted.internet.defer import Deferred

from reference.kernel.clock import Clock
from reference.kernel.rules import Rule, RuleError, parse_rules
from reference.kernel.work import Work
from reference.queue.delivery import Entry, Outcome, Reports, Result, failed
from reference.queue.directory import Log
from reference.queue.envelope import Envelope
from reference.queue.lanes import Lanes
from reference.queue.message import QueuedMessage
from reference.queue.options import Settings
from reference.queue.threads import Threads
from reference.storage.domains import Account, Domain, Domains
from reference.transport.account_rules import AccountRules, rules_of
from reference.transport.flow_control import FlowMeter
from reference.transport.local_store import (
    REPORTS,
    Kept,
    Obstacle,
    Part,
    Storage,
    Storing,
    parts_of,
)
from reference.transport.mail_to_all import MailToAll, stands_for_all
from reference.transport.retry import Schedule
from reference.transport.waiting import Transfer, WaitingQueue

#: Seconds between two looks at an account that cannot get mail now.
CHECK_EVERY = 600.0
#: Seconds for which mail is kept when a mailbox cannot be written (a full disk, say).
KEEP_IF_BROKEN = 5 * 86400.0

_FAILURE, _MAJOR, _PROBLEM, _LOW_LEVEL = 1, 2, 3, 4
_PERIODS = {Obstacle.FULL: "KeepIfFull", Obstacle.DISABLED: "KeepIfDisabled"}


class _AccountQueue(WaitingQueue):
    """The queue of one account."""

    transfers: list[Part]  # type: ignore[assignment]

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.obstacle = Obstacle.BROKEN
        self.opens_in = 0.0
        """Seconds for which flow control suspends the queue."""


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
        submit: Callable[[Envelope, Callable[[], Iterable[bytes]]], Deferred[str]],
        is_client: Callable[[str], Awaitable[bool]],
    ) -> None:
        """``submit`` takes messages of the module's own; ``is_client`` knows IP addresses."""
        self._domains = domains
        self._clock = clock
        self._work = work
        self._log = log
        self._settings = settings
        self._reports = reports
        self._lanes = Lanes(threads=threads)
        self._rules = AccountRules(threads=threads, submit=submit)
        self._to_all = MailToAll(
            domains=domains, threads=threads, is_client=is_client, submit=submit
        )
        self._queues: dict[str, _AccountQueue] = {}
        self._meters: dict[str, FlowMeter] = {}
        self._turns: deque[_AccountQueue] = deque()
        self._running = 0
        self._dealing = False

    def enqueue(self, message: QueuedMessage, host: str, entries: Sequence[Entry]) -> None:
        """Take recipients into an account's queue."""
        name = host.lower()
        queue = self._queues.get(name)
        if queue is None:
            queue = self._queues[name] = _AccountQueue(name)
        parts = parts_of(message, entries)
        queue.transfers += parts
        schedule = self._schedule(queue)
        if not queue.covered(self._clock.time(), schedule, parts[0]):
            self._go_on(queue)

    def release(self, host: str) -> bool:
        """Deliver what waits for an account now; False when nothing does."""
        queue = self._queues.get(host.lower())
        if queue is None:
            return False
        queue.release()
        self._go_on(queue)
        return True

    def settings_changed(self) -> None:
        """Learn that the module's settings have changed: there may be more processes now."""
        self._next_turn()

    # When ----------------------------------------------------------------------------------------

    def _schedule(self, queue: _AccountQueue) -> Schedule:
        period = _PERIODS.get(queue.obstacle)
        if queue.obstacle is Obstacle.FLOW:
            every, keep, warn = queue.opens_in, math.inf, math.inf
        else:
            every, keep = CHECK_EVERY, KEEP_IF_BROKEN
            warn = self._settings.get("LOCAL", "WarnAfter")
        return Schedule(
            every=every,
            later_every=every,
            later_after=math.inf,
            give_up_after=self._settings.get("LOCAL", period) if period else keep,
            warn_after=warn,
        )

    def _go_on(self, queue: _AccountQueue) -> None:
        """Do what is due for a queue: wait for a process, or set its timer, or forget it."""
        if queue.active:
            return
        queue.unwatch()
        if queue.ready(self._clock.time()):
            queue.active = True
            self._turns.append(queue)
            self._next_turn()
            return
        self._sweep(queue)
        if queue.transfers:
            queue.watch(self._clock, self._schedule(queue), partial(self._go_on, queue))
        else:
            self._queues.pop(queue.name, None)

    def _next_turn(self) -> None:
        """Begin with the queues that wait for a process, as long as there is one."""
        if self._dealing:  # a delivery that ended at once: the loop below goes on
            return
        self._dealing = True
        while self._turns and self._running < self._settings.get("LOCAL", "Processes"):
            queue = self._turns.popleft()
            self._running += 1
            Deferred.fromCoroutine(self._turn(queue))
        self._dealing = False

    async def _turn(self, queue: _AccountQueue) -> None:
        with self._work.doing(f"LOCAL {queue.name}"):
            try:
                await self._process(queue)
            except Exception as error:  # noqa: BLE001 - one account must not hold up the others
                # What was in hand stays in the queue directory for the next start.
                self._note(_FAILURE, queue, f"delivery broken: {error!r}")
            self._running -= 1
            queue.active = False
            self._go_on(queue)
            self._next_turn()

    def _sweep(self, queue: _AccountQueue) -> None:
        """Give up what is too old and warn about what is late."""
        now, schedule = self._clock.time(), self._schedule(queue)
        text, status = REPORTS[queue.obstacle]
        for transfer in queue.take_expired(now, schedule):
            self._reports.report(transfer.message, transfer.indexes, failed(text, status))
        for transfer in queue.late(now, schedule):
            outcome = Outcome(Result.DELAYED, text, f"4{status[1:]}")
            self._reports.report(transfer.message, transfer.indexes, outcome)

    def _suspend(self, queue: _AccountQueue, obstacle: Obstacle, why: str = "") -> None:
        queue.obstacle = obstacle
        level = _FAILURE if obstacle is Obstacle.BROKEN else _PROBLEM
        self._note(level, queue, f"suspended: {REPORTS[obstacle][0]} {why}".rstrip())
        queue.suspend(self._clock.time(), self._schedule(queue), REPORTS[obstacle][0])

    # What ----------------------------------------------------------------------------------------

    async def _process(self, queue: _AccountQueue) -> None:
        """Deliver all of a queue that may be delivered now."""
        name, _, domain_name = queue.name.partition("@")
        domain = self._domains.get(domain_name)
        account = None if domain is None else domain.accounts.get(name)
        if domain is not None and stands_for_all(name, domain):
            await self._distribute(queue, name, domain)
        elif account is None:
            self._all_failed(queue, "unknown account", "5.1.1")
        elif "Mail" not in account.services:
            self._suspend(queue, Obstacle.DISABLED)
        else:
            parts = self._admitted(queue)
            self._note(_LOW_LEVEL, queue, f"account open, {len(parts)} message(s) to deliver")
            account.open()
            try:
                await self._deliver(queue, account, parts)
            finally:
                account.close()

    def _all_failed(self, queue: _AccountQueue, text: str, status: str) -> None:
        transfers, queue.transfers = queue.transfers, []
        for transfer in transfers:
            self._reports.report(transfer.message, transfer.indexes, failed(text, status))

    async def _distribute(self, queue: _AccountQueue, name: str, domain: Domain) -> None:
        parts, queue.transfers = queue.transfers, []
        for part in parts:
            now = self._clock.time()
            outcome = await self._to_all.distribute(part.message, name, domain, now)
            self._settle(queue, [part], [outcome])

    def _admitted(self, queue: _AccountQueue) -> list[Part]:
        """Take out what flow control lets through now; suspend the queue if that is nothing."""
        limit: int = self._settings.get("LOCAL", "FlowLimit")
        if not limit:
            self._meters.pop(queue.name, None)
            everything, queue.transfers = queue.transfers, []
            return everything
        period: float = self._settings.get("LOCAL", "FlowPeriod")
        now = self._clock.time()
        meter = self._meters.setdefault(queue.name, FlowMeter())
        room = meter.room(now, limit=limit, period=period)
        parts: list[Part] = []
        rest: list[Part] = []
        for part in queue.transfers:
            (parts if part.counted or room > 0 else rest).append(part)
            if not part.counted and room > 0:
                room -= 1
                part.counted = True
                meter.count(now, limit=limit)
        queue.transfers = rest
        if not parts:
            queue.opens_in = meter.opens_in(now, limit=limit, period=period)
            self._suspend(queue, Obstacle.FLOW)
        return parts

    async def _deliver(self, queue: _AccountQueue, account: Account, parts: Sequence[Part]) -> None:
        keeps = self._settings.get("LOCAL", "KeepIfFull") > 0
        percent: int = self._settings.get("LOCAL", "FullPercent")
        storing = Storing(
            storage=Storage(account, keep_from=percent if keeps else 0),
            field=self._settings.get("LOCAL", "EnvelopeRecipientsField"),
            now=self._clock.time(),
        )
        rules = self._rules_of(account, queue)
        plain = [part for part in parts if part.mailbox or not rules]
        if plain:
            outcomes = await self._lanes.run(lambda: [storing.part(part) for part in plain])
            self._settle(queue, plain, outcomes)
        for part in parts if rules else ():
            if not part.mailbox:
                note = partial(self._note_about, queue, part)
                outcome = await self._rules.deliver(part, rules, storing, note)
                self._settle(queue, [part], [outcome])

    def _rules_of(self, account: Account, queue: _AccountQueue) -> tuple[Rule, ...]:
        try:
            return parse_rules(rules_of(account))
        except RuleError as error:
            self._note(_FAILURE, queue, f"the Rules are damaged and not applied: {error}")
            return ()

    def _settle(
        self, queue: _AccountQueue, parts: Sequence[Part], results: Sequence[Outcome | Kept]
    ) -> None:
        """Report what became of parts; put back those that wait."""
        kept = []
        for part, result in zip(parts, results, strict=True):
            if isinstance(result, Outcome):
                self._note_about(queue, part, _MAJOR, result.text)
                self._reports.report(part.message, part.indexes, result)
            else:
                kept.append(part)
                queue.obstacle = result.obstacle
                part.last_word = result.why
        if kept:
            queue.transfers[:0] = kept
            self._suspend(queue, queue.obstacle, kept[-1].last_word)

    def _note_about(self, queue: WaitingQueue, part: Transfer, level: int, text: str) -> None:
        self._note(level, queue, f"[{part.message.name}] {text}")

    def _note(self, level: int, queue: WaitingQueue, text: str) -> None:
        self._log.write(level, f"LOCAL({queue.name})", text)
