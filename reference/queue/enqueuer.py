"""The Enqueuer: routes each recipient of a message and hands it to the module it is routed to.

Guide 3.5.2, Message Transfer, Routing and Enqueueing. Recipients that lead into one queue of one
module go there together, so that the module makes one copy for all of them. What is routed to NULL
counts as delivered; what cannot be routed fails, and the Dequeuer reports it. When all recipients
are routed, the Server-Wide Rules are applied, once for the message.

The Enqueuer never delivers.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from twisted.internet.defer import Deferred

from reference.kernel.routes import (
    BlacklistedAddress,
    Route,
    RoutingError,
    RoutingLoop,
    UnknownAccount,
    UnknownDomain,
)
from reference.kernel.work import Token, Work
from reference.queue.delivery import DISCARDED, DeliveryModule, Entry, Outcome, Reports, failed
from reference.queue.directory import Log
from reference.queue.message import QueuedMessage
from reference.queue.options import Settings

#: The status code (RFC 3463) of a routing error; the first class that fits.
STATUSES: tuple[tuple[type[RoutingError], str], ...] = (
    (UnknownAccount, "5.1.1"),
    (UnknownDomain, "5.1.2"),
    (BlacklistedAddress, "5.7.1"),
    (RoutingLoop, "5.4.6"),
    (RoutingError, "5.1.0"),
)


class Router(Protocol):
    """The Router, as the Enqueuer sees it."""

    def route(self, address: str, /) -> Route:
        """Route an address. Raises RoutingError."""


class MessageRules(Protocol):
    """The Server-Wide Rules."""

    def in_force(self) -> bool:
        """Tell whether there are any."""

    async def apply(
        self, message: QueuedMessage, entries: Sequence[Entry], routes: Sequence[str]
    ) -> Outcome | None:
        """Apply them to a message, once; return what ends it for all, None when it goes on.

        ``routes`` are the local parts of the addresses, as they were routed.
        """


@dataclass(frozen=True, slots=True)
class _Routed:
    """A message whose recipients are routed."""

    message: QueuedMessage
    queues: dict[tuple[str, str], list[Entry]]
    ended: list[tuple[int, Outcome]]
    """What needs no module."""

    def entries(self) -> list[Entry]:
        """Return all recipients that a module is to get."""
        return [entry for entries in self.queues.values() for entry in entries]

    def routes(self) -> list[str]:
        """Return the local part of each of these addresses, of an account its name."""
        return [
            (entry.address or host).rpartition("@")[0] or entry.address or host
            for (_, host), entries in self.queues.items()
            for entry in entries
        ]


class Enqueuer:
    """Distributes messages among the modules.

    As many messages are under Server-Wide Rules at a time as there are Enqueuer Processors.
    """

    def __init__(
        self,
        *,
        router: Router,
        modules: Mapping[str, DeliveryModule],
        reports: Reports,
        log: Log,
        settings: Settings,
        work: Work,
    ) -> None:
        self._router = router
        self._modules = modules
        self._reports = reports
        self._log = log
        self._settings = settings
        self._work = work
        self.rules: MessageRules | None = None
        """The Server-Wide Rules, once they are attached."""
        self._turns: deque[tuple[_Routed, Token]] = deque()
        self._busy = 0

    def enqueue(self, message: QueuedMessage) -> None:
        """Pass on all recipients of a message that wait for delivery, now or after the Rules.

        Reports that the Dequeuer makes are not subject to Rules: that a Rule rejects everything
        must not keep the senders from hearing of it.
        """
        routed = self._routed(message)
        rules = self.rules is not None and self.rules.in_force()
        if rules and routed.queues and message.envelope.source.protocol != "DEQUEUER":
            self._turns.append((routed, self._work.task("rules")))
            self._next_turn()
        else:
            self._pass_on(routed)

    def _routed(self, message: QueuedMessage) -> _Routed:
        routed = _Routed(message, {}, [])
        for index in message.waiting():
            address = message.envelope.recipients[index].address
            try:
                route = self._router.route(address)
            except RoutingError as error:
                routed.ended.append((index, _refused(error)))
                continue
            if route.module == "SYSTEM":
                routed.ended.append((index, DISCARDED))
            elif route.module not in self._modules:
                routed.ended.append((index, failed(f"no {route.module} module here", "5.3.3")))
            else:
                entries = routed.queues.setdefault((route.module, route.host), [])
                entries.append(Entry(index, route.address, route.mailbox))
            self._log.write(
                4,
                "ENQUEUER",
                f"[{message.name}] <{address}> to {route.module}({route.host}) {route.address}",
            )
        return routed

    def _next_turn(self) -> None:
        while self._turns and self._busy < self._settings.get("Queue", "EnqueuerProcessors"):
            self._busy += 1
            routed, token = self._turns.popleft()
            Deferred.fromCoroutine(self._by_rules(routed)).addBoth(self._turn_ended, token)

    def _turn_ended(self, _: object, token: Token) -> None:
        self._busy -= 1
        self._next_turn()
        token.done()

    async def _by_rules(self, routed: _Routed) -> None:
        message = routed.message
        try:
            assert self.rules is not None
            outcome = await self.rules.apply(message, routed.entries(), routed.routes())
            if outcome is not None:
                routed.ended.extend((entry.index, outcome) for entry in routed.entries())
                routed.queues.clear()
            self._pass_on(routed)
        except Exception as error:  # noqa: BLE001 - one message must not stop the others
            # The message file stays: the next start tries again.
            self._log.write(1, "ENQUEUER", f"[{message.name}] not enqueued: {error!r}")

    def _pass_on(self, routed: _Routed) -> None:
        for (module, host), entries in routed.queues.items():
            self._modules[module].enqueue(routed.message, host, entries)
        for index, outcome in routed.ended:
            self._reports.report(routed.message, [index], outcome)


def _refused(error: RoutingError) -> Outcome:
    status = next(status for kind, status in STATUSES if isinstance(error, kind))
    return failed(error.text, status)
