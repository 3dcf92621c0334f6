"""What the IMAP sessions of a server have around them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from reference.kernel.access import Access
from reference.kernel.clock import Clock
from reference.kernel.quota_alerts import QuotaAlerts
from reference.kernel.work import Work
from reference.protocols.pop import Log, SettingsReader, Threads
from reference.protocols.tls import Side, no_tls


@dataclass(frozen=True, kw_only=True)
class IMAPOffice:
    """The neighbours of the IMAP sessions."""

    access: Access
    settings: SettingsReader
    name: Callable[[str], str]
    """The domain name of one of the server's addresses."""
    threads: Threads
    clock: Clock
    work: Work
    log: Log
    tls: Callable[[str], Side | None] = no_tls
    """What secures connections to a server address; None: nothing does."""
    alerts: QuotaAlerts | None = None
