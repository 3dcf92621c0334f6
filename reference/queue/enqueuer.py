"""The Enqueuer: routes each recipient of a message and hands it to the module it is routed to.

Guide 3.5.2, Message Transfer, Routing and Enqueueing. Recipients that lead into one queue of one
module go there together, so that the module makes one copy for all of them. What is routed to NULL
counts as delivered; what cannot be routed fails, and the Dequeuer reports it.

The Enqueuer never delivers and never waits.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from reference.kernel.routes import (
    BlacklistedAddress,
    Route,
    RoutingError,
    RoutingLoop,
    UnknownAccount,
    UnknownDomain,
)
from reference.queue.delivery import DISCARDED, DeliveryModule, Entry, Outcome, Reports, failed
from reference.queue.directory import Log
from reference.queue.message import QueuedMessage

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


class Enqueuer:
    """Distributes messages among the modules."""

    def __init__(
        self,
        *,
        router: Router,
        modules: Mapping[str, DeliveryModule],
        reports: Reports,
        log: Log,
    ) -> None:
        self._router = router
        self._modules = modules
        self._reports = reports
        self._log = log

    def enqueue(self, message: QueuedMessage) -> None:
        """Pass on all recipients of a message that wait for delivery."""
        queues: dict[tuple[str, str], list[Entry]] = {}
        ended: list[tuple[int, Outcome]] = []
        for index in message.waiting():
            address = message.envelope.recipients[index].address
            try:
                route = self._router.route(address)
            except RoutingError as error:
                ended.append((index, _refused(error)))
                continue
            if route.module == "SYSTEM":
                ended.append((index, DISCARDED))
            elif route.module not in self._modules:
                ended.append((index, failed(f"no {route.module} module here", "5.3.3")))
            else:
                entries = queues.setdefault((route.module, route.host), [])
                entries.append(Entry(index, route.address, route.mailbox))
            self._log.write(
                4,
                "ENQUEUER",
                f"[{message.name}] <{address}> to {route.module}({route.host}) {route.address}",
            )
        for (module, host), entries in queues.items():
            self._modules[module].enqueue(message, host, entries)
        for index, outcome in ended:
            self._reports.report(message, [index], outcome)


def _refused(error: RoutingError) -> Outcome:
    status = next(status for kind, status in STATUSES if isinstance(error, kind))
    return failed(error.text, status)
