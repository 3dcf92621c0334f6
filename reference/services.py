"""The services of the server: its protocols, each with the neighbours that it needs.

A service that is listened for is a module of the settings and the factory of its connections. What
they share (storage, the Router, the queue, logins) is handed in; the sockets are
:mod:`reference.listeners`'.
"""

from __future__ import annotations

import itertools
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from reference.cli.command import Kernel
from reference.cli.commands import COMMANDS
from reference.cli.interpreter import Interpreter
from reference.entrance import SameAddress
from reference.kernel.access import Access
from reference.kernel.banned import Banned
from reference.kernel.clock import Clock
from reference.kernel.network import Network
from reference.kernel.protection import Protection
from reference.kernel.quota_alerts import QuotaAlerts
from reference.kernel.router import Router
from reference.kernel.schedule import ActivitySchedule
from reference.kernel.work import Work
from reference.protocols.http_admin import AdminNeighbours, admin_site
from reference.protocols.http_user import WebNeighbours, user_site
from reference.protocols.imap import IMAPSession
from reference.protocols.imap_office import IMAPOffice
from reference.protocols.line import CommandProtocol, SessionFactory
from reference.protocols.pop import POPSession, PostOffice
from reference.protocols.pop_xmit import Submitter
from reference.protocols.pwd import PWDNeighbours, PWDSession
from reference.protocols.smtp_receive import SMTPSession
from reference.protocols.smtp_reception import Reception
from reference.protocols.smtp_replies import ServerStrings
from reference.protocols.smtp_sender import SenderChecks
from reference.protocols.smtp_turn import Turning
from reference.protocols.tls import ServerTLS
from reference.queue.queue import Queue
from reference.queue.threads import PoolThreads
from reference.storage.domains import Domains
from reference.storage.log import ServerLog
from reference.storage.settings import Settings
from reference.transport.dnr import DNR
from reference.transport.names import QuietNames
from reference.transport.patience import Patience
from reference.transport.pipe_submit import SubmittedFolder
from reference.transport.return_path import ReturnPaths
from reference.transport.reverse_connect import ReverseConnect
from reference.transport.rpop import RemotePolling
from reference.transport.rpop_poll import Polls
from reference.transport.spf import SPFCheck
from reference.transport.wakeups import Wakeups

#: A module of the settings, and the factory of its connections.
Service = tuple[str, SameAddress | SessionFactory]


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceNeighbours:
    """The parts of the server that its services work with."""

    reactor: Any
    clock: Clock
    work: Work
    log: ServerLog
    settings: Settings
    domains: Domains
    network: Network
    dnr: DNR
    router: Router
    queue: Queue
    access: Access
    protection: Protection
    turning: Turning
    activity: ActivitySchedule
    tls: ServerTLS
    readers: PoolThreads
    """Threads that read what is stored."""
    base: Path
    """The base directory."""
    version: str
    refresh: Callable[[], None]
    """Reads addresses and name servers from the operating system again."""
    shutdown: Callable[[], object]
    """Lets the server end soon."""
    in_force: Callable[[], Awaitable[None]]
    """Returns when the sockets are what the settings say."""

    def main_name(self) -> str:
        """Return the name of the Main Domain."""
        return self.domains.main.name

    def name_of(self, ip: str) -> str:
        """Return the name of the domain that a server address belongs to."""
        return (self.domains.by_address(ip) or self.domains.main).name

    def has_records(self, domain: str) -> bool:
        """Tell whether the Router table has records for a domain."""
        return any(record.domain == domain for record in self.router.table.records)


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """What :func:`build_services` makes."""

    listening: Sequence[Service]
    """In the order in which their ports are opened."""
    wakeups: Wakeups
    submitted: SubmittedFolder
    polling: RemotePolling


def build_services(its: ServiceNeighbours) -> Services:
    """Build the services; none does anything yet."""
    numbers = itertools.count(1)
    strings = ServerStrings(settings=its.settings, version=its.version, name=its.main_name)
    banned = Banned(its.settings)
    alerts = QuotaAlerts(settings=its.settings, clock=its.clock)
    reception = _reception(its, strings, banned)
    post_office = _post_office(its, strings, banned, alerts)
    mailroom = _mailroom(its, alerts)
    polling = _polling(its, banned)
    commands = _commands(its, polling)
    wakeups = _wakeups(
        its,
        lambda *, secure: SMTPSession(
            reception=reception, number=next(numbers), secure=secure, reversed_roles=True
        ),
    )
    listening = (
        _pages(its, "HTTPA", admin_site(_administration(its, wakeups), reactor=its.reactor)),
        _pages(its, "HTTPU", user_site(_web(its), reactor=its.reactor)),
        _sessions(
            its,
            "SMTP",
            lambda: SMTPSession(reception=reception, number=next(numbers)),
            "421 ",
            channels="InputChannels",
        ),
        _sessions(
            its, "POP", lambda: POPSession(office=post_office, number=next(numbers)), "-ERR "
        ),
        _sessions(
            its, "IMAP", lambda: IMAPSession(office=mailroom, number=next(numbers)), "* BYE "
        ),
        _sessions(its, "PWD", lambda: PWDSession(commands), "500 "),
    )
    return Services(
        listening=listening,
        wakeups=wakeups,
        submitted=_submitted(its, banned),
        polling=polling,
    )


def _polling(its: ServiceNeighbours, banned: Banned) -> RemotePolling:
    polling = RemotePolling(
        polls=Polls(
            network=its.network,
            dnr=its.dnr,
            patience=Patience(clock=its.clock, work=its.work),
            clock=its.clock,
            settings=its.settings,
            queue=its.queue,
            threads=its.readers,
            scanner=banned.scanner,
            host=its.main_name,
        ),
        domains=its.domains,
        router=its.router,
        clock=its.clock,
        work=its.work,
        log=its.log,
        settings=its.settings,
        activity=its.activity,
        threads=its.readers,
        folder=its.base / "Settings",
    )
    its.settings.subscribe("RPOP", polling.settings_changed)
    return polling


def _submitted(its: ServiceNeighbours, banned: Banned) -> SubmittedFolder:
    submitted = SubmittedFolder(
        folder=its.base / "Submitted",
        queue=its.queue,
        router=its.router,
        clock=its.clock,
        work=its.work,
        log=its.log,
        settings=its.settings,
        threads=its.readers,
        host=its.main_name,
        scanner=banned.scanner,
    )
    its.settings.subscribe("PIPE", submitted.settings_changed)
    return submitted


def _pages(its: ServiceNeighbours, module: str, site: Any) -> Service:
    return module, SameAddress(
        site, limit=lambda: int(its.settings.get(module, "SameAddressLimit"))
    )


def _sessions(
    its: ServiceNeighbours,
    module: str,
    build: Callable[[], CommandProtocol],
    refusal: str,
    *,
    channels: str = "Channels",
) -> Service:
    """Return a module and the factory of its sessions; ``refusal`` begins its error reply."""
    return module, SessionFactory(
        build=build,
        channels=lambda: int(its.settings.get(module, channels)),
        same_address=lambda: int(its.settings.get(module, "SameAddressLimit")),
        refusal=f"{refusal}too many connections, try later\r\n".encode("ascii"),
    )


def _reception(its: ServiceNeighbours, strings: ServerStrings, banned: Banned) -> Reception:
    return Reception(
        settings=its.settings,
        router=its.router,
        queue=its.queue,
        access=its.access,
        protection=its.protection,
        senders=_sender_checks(its),
        scanner=banned.scanner,
        resolver=its.dnr,
        strings=strings,
        name=its.name_of,
        clock=its.clock,
        work=its.work,
        log=its.log,
        records=its.has_records,
        tls=its.tls.side,
        turning=its.turning,
    )


def _sender_checks(its: ServiceNeighbours) -> SenderChecks:
    patience = Patience(clock=its.clock, work=its.work)
    protection = its.protection
    return SenderChecks(
        paths=ReturnPaths(
            router=its.router,
            resolver=its.dnr,
            blacklisted=protection.blacklisted,
            client=lambda ip: protection.hosts_are_clients([ip]),
        ),
        reverse=ReverseConnect(
            network=its.network,
            dnr=its.dnr,
            patience=patience,
            settings=its.settings,
            log=its.log,
            helo=its.main_name,
        ),
        spf=SPFCheck(resolver=its.dnr, patience=patience),
        names=QuietNames(its.dnr),
    )


def _post_office(
    its: ServiceNeighbours, strings: ServerStrings, banned: Banned, alerts: QuotaAlerts
) -> PostOffice:
    return PostOffice(
        access=its.access,
        submitter=Submitter(
            queue=its.queue,
            router=its.router,
            clock=its.clock,
            host=its.main_name,
            scanner=banned.scanner,
        ),
        settings=its.settings,
        strings=strings,
        name=its.name_of,
        threads=its.readers,
        clock=its.clock,
        work=its.work,
        log=its.log,
        tls=its.tls.side,
        alerts=alerts,
    )


def _mailroom(its: ServiceNeighbours, alerts: QuotaAlerts) -> IMAPOffice:
    return IMAPOffice(
        access=its.access,
        settings=its.settings,
        name=its.name_of,
        threads=its.readers,
        clock=its.clock,
        work=its.work,
        log=its.log,
        tls=its.tls.side,
        alerts=alerts,
    )


def _commands(its: ServiceNeighbours, polling: RemotePolling) -> PWDNeighbours:
    kernel = Kernel(
        domains=its.domains,
        settings=its.settings,
        router=its.router,
        protection=its.protection,
        log=its.log,
        clock=its.clock,
        release=its.queue.release,
        refresh=its.refresh,
        shutdown=its.shutdown,
        records_changed=polling.records_changed,
    )
    return PWDNeighbours(
        clock=its.clock,
        work=its.work,
        log=its.log,
        access=its.access,
        commands=Interpreter(kernel=kernel, commands=COMMANDS),
        server_name=its.main_name,
        number=itertools.count(1).__next__,
        in_force=its.in_force,
    )


def _wakeups(its: ServiceNeighbours, receive: Callable[..., SMTPSession]) -> Wakeups:
    wakeups = Wakeups(
        clock=its.clock,
        work=its.work,
        log=its.log,
        settings=its.settings,
        network=its.network,
        dnr=its.dnr,
        activity=its.activity,
        domain=its.main_name,
        receive=receive,
    )
    its.settings.subscribe("SMTP", wakeups.settings_changed)
    return wakeups


def _web(its: ServiceNeighbours) -> WebNeighbours:
    return WebNeighbours(
        router=its.router,
        domains=its.domains,
        access=its.access,
        threads=its.readers,
        clock=its.clock,
        work=its.work,
        log=its.log,
        certificate=its.tls.certificate_of,
    )


def _administration(its: ServiceNeighbours, wakeups: Wakeups) -> AdminNeighbours:
    return AdminNeighbours(
        access=its.access,
        domains=its.domains,
        settings=its.settings,
        work=its.work,
        log=its.log,
        version=its.version,
        wake_up=wakeups.wake_now,
    )
