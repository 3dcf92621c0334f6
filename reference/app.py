"""The composition root: builds the parts of one server, tells each its neighbours, starts them.

Nothing below knows this module, and nothing but this module knows how the parts hang together; the
protocols that use them are put together in :mod:`reference.services`.
Order of life: base directory → settings and objects → Router → queue → modules → protocols → ports
open → privileges dropped → queue recovered → ready. The end goes the same way back; what has been
accepted is on the disk all the time, so a server may also just be killed.
"""

from __future__ import annotations

import os
import socket
from contextlib import suppress
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.error import ReactorNotRunning

from reference.control import connect_control
from reference.kernel.access import Access
from reference.kernel.clocks import HeldClock, ReactorClock
from reference.kernel.network import Network
from reference.kernel.protection import Protection
from reference.kernel.router import Router, RouterOptions
from reference.kernel.schedule import ActivitySchedule
from reference.kernel.table import RoutingTable, TableSyntaxError
from reference.kernel.work import Work
from reference.listeners import Listeners, PortTaken
from reference.options import ServerOptions
from reference.privileges import PrivilegeError, become
from reference.protocols.smtp_turn import Turning
from reference.protocols.tls import ServerTLS
from reference.queue.queue import Queue
from reference.queue.threads import PoolThreads
from reference.queue.writer import Writer
from reference.services import ServiceNeighbours, build_services
from reference.storage.base import claim, prepare, remove_process_id, write_process_id
from reference.storage.domains import Domains
from reference.storage.errors import StorageError
from reference.storage.folder_watch import FolderWatch
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
from reference.transport.pipe_deliver import PipeDelivery
from reference.transport.pipe_route import PipeRouting
from reference.transport.programs import Programs
from reference.transport.rule_execute import Execution
from reference.transport.server_rules import ServerRules
from reference.transport.smtp_route import SMTPRouting
from reference.transport.smtp_send import SMTPSender, queue_of
from reference.transport.smtp_source import source_address

VERSION = "3.5.2"
#: External programs that may run at a time; each has a thread that attends to it.
PROGRAMS = 200


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
        self.trouble: StartError | None = None
        """Why the server ended soon after its start."""
        self._stopped: Deferred[None] | None = None
        try:
            self._claim = claim(options.base)
            self._build()
        except (StorageError, OSError) as error:
            raise StartError(_sentence(error)) from error

    def _build(self) -> None:
        options, clock = self._options, self.clock
        prepared = prepare(options.base, clock=clock, host_name=socket.gethostname())
        self._fresh = prepared.fresh
        self.settings = settings = Settings(options.base)
        self.log = log = ServerLog(
            folder=options.base / "SystemLogs",
            clock=clock,
            settings=settings,
            later=lambda call: self._reactor.callLater(0, call),
        )
        for fault in settings.faults():
            log.write(1, "STORAGE", fault)
        self._files = PoolThreads(reactor=self._reactor, size=2, name="files")
        self._readers = PoolThreads(reactor=self._reactor, size=4, name="readers")
        self._waiters = PoolThreads(reactor=self._reactor, size=PROGRAMS, name="programs")
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
        except OSError as error:
            raise StartError(f"--certificate {options.certificate}: {error.strerror}") from error
        except ValueError as error:
            raise StartError(f"--certificate {options.certificate}: {error}") from error
        self._build_transfer()
        self._build_access()

    def _build_transfer(self) -> None:
        """Build the Router, the queue and the modules that deliver."""
        clock, work, log, settings = self.clock, self.work, self.log, self.settings
        domains = self.domains
        lists, smtp = ListRouting(domains=domains), SMTPRouting(settings=settings)
        aliases = AllDomainAliases(domains=domains, settings=settings)
        pipe = PipeRouting(settings=settings)
        local = LocalRouting(domains=domains, settings=settings)
        logins = LocalRouting(domains=domains, settings=settings, for_logins=True)
        self.router = router = Router(
            table=self._stored_table(),
            domains=domains,
            modules=(aliases, lists, pipe, local, smtp),
            access_modules=(aliases, lists, pipe, logins, smtp),
            log=log,
            version=lambda: (settings.version, domains.version, self.network.addresses),
        )
        settings.subscribe("Router", self._read_router_options)
        self._read_router_options()
        patience = Patience(clock=clock, work=work)
        self.dnr = DNR(network=self.network, patience=patience, settings=settings, log=log)
        folder = self._options.base / "Queue"
        self._writer = Writer(reactor=self._reactor, folder=str(folder), log=log)
        self.queue = queue = Queue(
            folder=folder,
            clock=clock,
            work=work,
            log=log,
            settings=settings,
            router=router,
            files=self._files,
            readers=self._readers,
            host=self._main_name,
            crew=self._writer,
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
        programs = Programs(threads=self._waiters, clock=clock, work=work)
        applications = PipeDelivery(
            base=self._options.base,
            programs=programs,
            work=work,
            log=log,
            settings=settings,
            reports=queue.dequeuer,
        )
        queue.attach(applications)
        settings.subscribe("PIPE", applications.settings_changed)
        queue.attach_rules(
            ServerRules(
                execution=Execution(base=self._options.base, programs=programs, log=log),
                texts=settings,
                threads=self._readers,
                submit=queue.submit,
                clock=clock,
                log=log,
                host=self._main_name,
            )
        )

    def _build_access(self) -> None:
        """Build protection, logins and the services."""
        self.protection = protection = Protection(
            folder=self._options.base / "Settings",
            settings=self.settings,
            names=QuietNames(self.dnr),
            clock=self.clock,
            own_addresses=self.network.addresses,
        )
        access = Access(
            router=self.router,
            domains=self.domains,
            settings=self.settings,
            protection=protection,
        )
        neighbours = ServiceNeighbours(
            reactor=self._reactor,
            clock=self.clock,
            work=self.work,
            log=self.log,
            settings=self.settings,
            domains=self.domains,
            network=self.network,
            dnr=self.dnr,
            router=self.router,
            queue=self.queue,
            access=access,
            protection=protection,
            turning=self._turning,
            activity=self.activity,
            tls=self._tls,
            readers=self._readers,
            base=self._options.base,
            version=VERSION,
            refresh=self._refresh,
            shutdown=lambda: self._reactor.callLater(0, self.end),
            in_force=lambda: self._listeners.settled(),
        )
        self._services = build_services(neighbours)
        self._listeners = Listeners(
            network=self.network,
            settings=self.settings,
            log=self.log,
            work=self.work,
            tls=self._tls.side,
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

    async def _is_client(self, ip: str) -> bool:
        """Tell whether an address is a client's."""
        return (await self.protection.standing(ip)).client

    def _refresh(self) -> None:
        """Read addresses and name servers from the operating system again."""
        self.network.refresh()
        self.protection.own_addresses = frozenset(self.network.addresses)

    def start(self) -> None:
        """Open the ports, take over the queue, say that the server is ready. Raises StartError."""
        try:
            for module, factory in self._services.listening:
                self._listeners.open(module, factory)
            write_process_id(self._options.base)
        except (PortTaken, StorageError, OSError) as error:
            raise StartError(_sentence(error)) from error
        user = self._options.user
        if user:
            try:
                become(user, base=self._options.base, fresh=self._fresh)
            except PrivilegeError as error:
                raise StartError(f"--user {user}: {error}") from error
        self.log.write(1, "SYSTEM", f"server {VERSION} started, main domain {self._main_name()}")
        self.queue.recover()
        self._services.wakeups.settings_changed()
        self._services.polling.start()
        self._services.submitted.start(FolderWatch(self._reactor).watch)
        if self._options.control:
            connect_control(
                self._options.control,
                reactor=self._reactor,
                work=self.work,
                clock=self._held,
                stop=self.end,
                failed=self._uncontrolled,
            )

    def _uncontrolled(self, why: str) -> None:
        self.trouble = StartError(f"--control {self._options.control}: {why}")
        self.end()

    def end(self) -> None:
        """Let the reactor end, and the server with it; harmless when it is ending already."""
        with suppress(ReactorNotRunning):
            self._reactor.stop()

    def stop(self) -> Deferred[None]:
        """Close the ports and end the threads; fires when everything is at rest on the disk."""
        if self._stopped is None:
            self._stopped = Deferred.fromCoroutine(self._stop())
        return self._stopped

    async def _stop(self) -> None:
        await self._listeners.close()
        await self._writer.stop()
        self._files.stop()
        self._readers.stop()
        self._waiters.stop()
        self.log.write(1, "SYSTEM", "server stopped")
        self.log.close()
        remove_process_id(self._options.base)
        os.close(self._claim)


def _sentence(error: StorageError | PortTaken | OSError) -> str:
    """Return what is wrong, in the words of the server rather than Python's."""
    if isinstance(error, OSError) and error.filename is not None:
        return f"{error.filename}: {error.strerror}"
    return str(error)


def make_server(options: ServerOptions, *, reactor: Any) -> Server:
    """Build a server from its options. Raises StartError."""
    return Server(options, reactor=reactor)
