"""The composition root: builds the parts of one server, tells each its neighbours, starts them.

Nothing below knows this module, and nothing but this module knows how the parts hang together.
Order of life: base directory → settings and objects → Router → queue → modules → protocols → ports
open → queue recovered → privileges dropped → ready. The end goes the same way back; what has been
accepted is on the disk all the time, so a server may also just be killed.
"""

from __future__ import annotations

import itertools
import os
import pwd
import socket
from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred

from reference.cli.command import Kernel
from reference.cli.commands import COMMANDS
from reference.cli.interpreter import Interpreter
from reference.control import connect_control
from reference.entrance import SameAddress
from reference.kernel.access import Access
from reference.kernel.banned import Banned
from reference.kernel.clocks import HeldClock, ReactorClock
from reference.kernel.network import Network
from reference.kernel.protection import Protection
from reference.kernel.quota_alerts import QuotaAlerts
from reference.kernel.router import Router, RouterOptions
from reference.kernel.schedule import ActivitySchedule
from reference.kernel.table import RoutingTable, TableSyntaxError
from reference.kernel.work import Work
from reference.listeners import Listeners, PortTaken
from reference.options import ServerOptions
from reference.protocols.http_admin import AdminNeighbours, admin_site
from reference.protocols.http_user import WebNeighbours, user_site
from reference.protocols.imap import IMAPOffice, IMAPSession
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
from reference.storage.base import prepare, remove_process_id, write_process_id
from reference.storage.domains import Domains
from reference.storage.errors import StorageError
from reference.storage.log import ServerLog
from reference.storage.settings import ROUTER_TABLE, Settings
from reference.transport.all_domain_aliases import AllDomainAliases
from reference.transport.dnr import DNR
from reference.transport.list_distribution import ListDistribution
from reference.transport.lists import ListRouting
from reference.transport.local import LocalRouting
from reference.transport.local_delivery import LocalDelivery
from reference.transport.names import QuietNames
from reference.transport.patience import Patience
from reference.transport.return_path import ReturnPaths
from reference.transport.reverse_connect import ReverseConnect
from reference.transport.server_rules import ServerRules
from reference.transport.smtp_route import SMTPRouting
from reference.transport.smtp_send import SMTPSender, queue_of
from reference.transport.smtp_source import source_address
from reference.transport.spf import SPFCheck
from reference.transport.wakeups import Wakeups

VERSION = "3.5.2"


class StartError(Exception):
    """The server cannot start; one sentence."""


class Server:
    """One server, built and not started."""

    def __init__(self, options: ServerOptions, *, reactor: Any) -> None:
        """Build the parts. Raises StartError."""
        self._options = options
        self._reactor = reactor
        self.work = Work()
        self._held = HeldClock() if options.hold_clock else None
        self.clock = self._held or ReactorClock(reactor)
        self.network = Network(
            reactor=reactor,
            clock=self.clock,
            addresses=options.addresses,
            dns_servers=options.dns_servers,
            port_offset=options.port_offset,
        )
        try:
            self._build()
        except (StorageError, OSError) as error:
            raise StartError(str(error)) from error
        self._stopped: Deferred[None] | None = None

    def _build(self) -> None:
        options, clock = self._options, self.clock
        prepare(options.base, clock=clock, host_name=socket.gethostname())
        self.settings = settings = Settings(options.base)
        self.log = log = ServerLog(
            folder=options.base / "SystemLogs",
            clock=clock,
            settings=settings,
            later=lambda call: self._reactor.callLater(0, call),
        )
        self._files = PoolThreads(reactor=self._reactor, size=2, name="files")
        self._readers = PoolThreads(reactor=self._reactor, size=4, name="readers")
        self.domains = Domains(
            base=options.base,
            settings=settings,
            clock=clock,
            network=self.network,
            remark=lambda text: log.write(1, "STORAGE", text),
        )
        self._tls = ServerTLS(
            domains=self.domains,
            settings=settings,
            clock=clock,
            log=log,
            folder=options.base / "Settings",
            given=options.certificate,
        )
        try:
            self._tls.check()
        except (ValueError, OSError) as error:
            raise StartError(f"--certificate {options.certificate}: {error}") from error
        self._build_transfer()
        self._build_access()

    def _build_transfer(self) -> None:
        """Build the Router, the queue and the modules that deliver."""
        clock, work, log, settings = self.clock, self.work, self.log, self.settings
        domains = self.domains
        lists, smtp = ListRouting(domains=domains), SMTPRouting(settings=settings)
        aliases = AllDomainAliases(domains=domains, settings=settings)
        local = LocalRouting(domains=domains, settings=settings)
        logins = LocalRouting(domains=domains, settings=settings, for_logins=True)
        self.router = router = Router(
            table=self._stored_table(),
            domains=domains,
            modules=(aliases, lists, local, smtp),
            access_modules=(aliases, lists, logins, smtp),
            log=log,
        )
        settings.subscribe("Router", self._read_router_options)
        self._read_router_options()
        patience = Patience(clock=clock, work=work)
        self.dnr = DNR(network=self.network, patience=patience, settings=settings, log=log)
        self.queue = queue = Queue(
            folder=self._options.base / "Queue",
            clock=clock,
            work=work,
            log=log,
            settings=settings,
            router=router,
            files=self._files,
            readers=self._readers,
            host=self._main_name,
        )
        delivery = LocalDelivery(
            domains=domains,
            clock=clock,
            work=work,
            log=log,
            settings=settings,
            reports=queue.dequeuer,
            threads=self._readers,
            submit=queue.submit,
            is_client=self._is_client,
        )
        queue.attach(delivery)
        settings.subscribe("LOCAL", delivery.settings_changed)
        self.activity = ActivitySchedule(clock=clock, settings=settings, log=log)
        sender = SMTPSender(
            clock=clock,
            work=work,
            log=log,
            settings=settings,
            network=self.network,
            dnr=self.dnr,
            router=router,
            reports=queue.dequeuer,
            helo=self._main_name,
            source=lambda message: source_address(message.envelope, domains),
            activity=self.activity,
        )
        self._turning = Turning(
            sender=sender,
            queue_of=lambda domain: queue_of(domain, router),
            clock=clock,
            work=work,
            log=log,
            helo=self._main_name,
        )
        queue.attach(sender)
        settings.subscribe("SMTP", sender.settings_changed)
        queue.attach(ListDistribution(domains=domains, clock=clock, log=log, queue=queue))
        queue.attach_rules(
            ServerRules(
                texts=settings,
                threads=self._readers,
                submit=queue.submit,
                clock=clock,
                log=log,
                host=self._main_name,
            )
        )

    def _build_access(self) -> None:
        """Build protection, logins and the protocols."""
        clock, work, log, settings = self.clock, self.work, self.log, self.settings
        self.protection = protection = Protection(
            folder=self._options.base / "Settings",
            settings=settings,
            names=QuietNames(self.dnr),
            clock=clock,
            own_addresses=self.network.addresses,
        )
        access = Access(
            router=self.router, domains=self.domains, settings=settings, protection=protection
        )
        strings = ServerStrings(settings=settings, version=VERSION, name=self._main_name)
        banned = Banned(settings)
        reception = Reception(
            settings=settings,
            router=self.router,
            queue=self.queue,
            access=access,
            protection=protection,
            senders=self._sender_checks(),
            scanner=banned.scanner,
            resolver=self.dnr,
            strings=strings,
            name=self._name_of,
            clock=clock,
            work=work,
            log=log,
            records=self._has_records,
            tls=self._tls.side,
            turning=self._turning,
        )
        alerts = QuotaAlerts(settings=settings, clock=clock)
        office = PostOffice(
            access=access,
            submitter=Submitter(
                queue=self.queue,
                router=self.router,
                clock=clock,
                host=self._main_name,
                scanner=banned.scanner,
            ),
            settings=settings,
            strings=strings,
            name=self._name_of,
            threads=self._readers,
            clock=clock,
            work=work,
            log=log,
            tls=self._tls.side,
            alerts=alerts,
        )
        mailroom = IMAPOffice(
            access=access,
            settings=settings,
            name=self._name_of,
            threads=self._readers,
            clock=clock,
            work=work,
            log=log,
            tls=self._tls.side,
            alerts=alerts,
        )
        kernel = Kernel(
            domains=self.domains,
            settings=settings,
            router=self.router,
            protection=protection,
            log=log,
            clock=clock,
            release=self.queue.release,
            refresh=self._refresh,
            shutdown=lambda: self._reactor.callLater(0, self._reactor.stop),
        )
        pwd_neighbours = PWDNeighbours(
            clock=clock,
            work=work,
            log=log,
            access=access,
            commands=Interpreter(kernel=kernel, commands=COMMANDS),
            server_name=self._main_name,
            number=itertools.count(1).__next__,
        )
        numbers = itertools.count(1)
        self._wakeups = Wakeups(
            clock=clock,
            work=work,
            log=log,
            settings=settings,
            network=self.network,
            dnr=self.dnr,
            activity=self.activity,
            domain=self._main_name,
            receive=lambda *, secure: SMTPSession(
                reception=reception, number=next(numbers), secure=secure, reversed_roles=True
            ),
        )
        settings.subscribe("SMTP", self._wakeups.settings_changed)
        self._listeners = Listeners(
            network=self.network, settings=settings, log=log, work=work, tls=self._tls.side
        )
        web = WebNeighbours(
            router=self.router,
            domains=self.domains,
            threads=self._readers,
            work=work,
            log=log,
            certificate=self._tls.certificate_of,
        )
        administration = AdminNeighbours(
            access=access,
            domains=self.domains,
            settings=settings,
            work=work,
            log=log,
            version=VERSION,
            wake_up=self._wakeups.wake_now,
        )
        self._services: list[tuple[str, Any]] = [
            self._pages("HTTPA", admin_site(administration, reactor=self._reactor)),
            self._pages("HTTPU", user_site(web, reactor=self._reactor)),
            self._sessions(
                "SMTP",
                lambda: SMTPSession(reception=reception, number=next(numbers)),
                "421 ",
                channels="InputChannels",
            ),
            self._sessions("POP", lambda: POPSession(office=office, number=next(numbers)), "-ERR "),
            self._sessions(
                "IMAP", lambda: IMAPSession(office=mailroom, number=next(numbers)), "* BYE "
            ),
            self._sessions("PWD", lambda: PWDSession(pwd_neighbours), "500 "),
        ]

    def _pages(self, module: str, site: Any) -> tuple[str, SameAddress]:
        """Return a module and the factory of its connections."""
        return module, SameAddress(
            site, limit=lambda: int(self.settings.get(module, "SameAddressLimit"))
        )

    def _sessions(
        self,
        module: str,
        build: Callable[[], CommandProtocol],
        refusal: str,
        *,
        channels: str = "Channels",
    ) -> tuple[str, SessionFactory]:
        """Return a module and the factory of its sessions; ``refusal`` begins its error reply."""
        return module, SessionFactory(
            build=build,
            channels=lambda: int(self.settings.get(module, channels)),
            same_address=lambda: int(self.settings.get(module, "SameAddressLimit")),
            refusal=f"{refusal}too many connections, try later\r\n".encode("ascii"),
        )

    def _sender_checks(self) -> SenderChecks:
        patience = Patience(clock=self.clock, work=self.work)
        protection = self.protection
        return SenderChecks(
            paths=ReturnPaths(
                router=self.router,
                resolver=self.dnr,
                blacklisted=protection.blacklisted,
                client=lambda ip: protection.hosts_are_clients([ip]),
            ),
            reverse=ReverseConnect(
                network=self.network,
                dnr=self.dnr,
                patience=patience,
                settings=self.settings,
                log=self.log,
                helo=self._main_name,
            ),
            spf=SPFCheck(resolver=self.dnr, patience=patience),
            names=QuietNames(self.dnr),
        )

    def _stored_table(self) -> RoutingTable:
        try:
            return RoutingTable.parse(self.settings.text(ROUTER_TABLE))
        except TableSyntaxError as error:
            raise StartError(f"Settings/Router.table: {error}") from error

    def _read_router_options(self) -> None:
        self.router.settings = RouterOptions(
            add_to_non_qualified=self.settings.get("Router", "AddToNonQualified"),
            suffix=self.settings.get("Router", "NonQualifiedSuffix"),
        )

    def _main_name(self) -> str:
        return self.domains.main.name

    def _name_of(self, ip: str) -> str:
        """Return the name of the domain that a server address belongs to."""
        return (self.domains.by_address(ip) or self.domains.main).name

    async def _is_client(self, ip: str) -> bool:
        """Tell whether an address is a client's."""
        return (await self.protection.standing(ip)).client

    def _has_records(self, domain: str) -> bool:
        return any(record.domain == domain for record in self.router.table.records)

    def _refresh(self) -> None:
        """Read addresses and name servers from the operating system again."""
        self.network.refresh()
        self.protection.own_addresses = frozenset(self.network.addresses)

    def start(self) -> None:
        """Open the ports, take over the queue, say that the server is ready. Raises StartError."""
        try:
            for module, factory in self._services:
                self._listeners.open(module, factory)
            write_process_id(self._options.base)
        except (PortTaken, StorageError, OSError) as error:
            raise StartError(str(error)) from error
        if self._options.user:
            _become(self._options.user)
        self.log.write(1, "SYSTEM", f"server {VERSION} started, main domain {self._main_name()}")
        self.queue.recover()
        self._wakeups.settings_changed()
        if self._options.control:
            connect_control(
                self._options.control,
                reactor=self._reactor,
                work=self.work,
                clock=self._held,
                stop=self._reactor.stop,
            )

    def stop(self) -> Deferred[None]:
        """Close the ports and end the threads; fires when everything is at rest on the disk."""
        if self._stopped is None:
            self._stopped = Deferred.fromCoroutine(self._stop())
        return self._stopped

    async def _stop(self) -> None:
        await self._listeners.close()
        self._files.stop()
        self._readers.stop()
        self.log.write(1, "SYSTEM", "server stopped")
        self.log.close()
        remove_process_id(self._options.base)


def _become(user: str) -> None:
    """Drop the privileges of root for those of a user. Raises StartError."""
    try:
        account = pwd.getpwnam(user)
        os.initgroups(user, account.pw_gid)
        os.setgid(account.pw_gid)
        os.setuid(account.pw_uid)
    except KeyError:
        raise StartError(f"--user {user}: there is no such user on this computer") from None
    except OSError as error:
        raise StartError(f"--user {user}: {error}") from error


def make_server(options: ServerOptions, *, reactor: Any) -> Server:
    """Build a server from its options. Raises StartError."""
    return Server(options, reactor=reactor)
