"""One server of an adapter while a scenario lasts: start, rest, changed settings, end.

The base of adapters' sessions; what it knows of the server is its layout. A subclass says what is
under way (``look``) and where the queue is. See :mod:`.target` for an example.
"""

from __future__ import annotations

import abc
import asyncio
import re
import shutil
import signal
import socket
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar

from conformance.adapters.clock import FakeClock, library
from conformance.adapters.layout import Layout
from conformance.adapters.rest import Look, Watch, rest
from conformance.adapters.sandbox import Sandbox, Service
from conformance.adapters.syslog import Syslog
from conformance.scenario.model import Given
from conformance.targets.base import Holds, SettingsRefused, Surroundings, TargetError
from conformance.targets.labels import Keywords
from conformance.targets.life import ProcessSession
from conformance.targets.process import ServerProcess

if TYPE_CHECKING:
    from conformance.adapters.target import AdapterTarget

#: Seconds that the end of a killed session may take.
END_BOUND = 15.0
#: Seconds that an orderly end may take.
END_ORDERLY = 2.0
_SHOWN_LINES = 6


def changed(given: Given, modules: Mapping[str, Mapping[str, Any]]) -> Given:
    """Return a given with some settings changed."""
    keywords = Keywords()
    tables: dict[str, dict[str, Any]] = {}
    for source in (given.settings, modules):
        for module, table in source.items():
            tables.setdefault(module, {}).update(keywords.settings(module, table))
    return replace(given, settings=tables)


class AdapterSession(ProcessSession):
    """One server, from its start to its end; it may be killed and started again in between."""

    watched: ClassVar[Sequence[str]] = ()
    """Folders of the queue, relative to the session's folder, whose changes are events."""

    def __init__(self, target: AdapterTarget, layout: Layout, surroundings: Surroundings) -> None:
        super().__init__()
        self.target = target
        self.layout = layout
        self.sandbox = Sandbox(surroundings.folder / "server")
        self.transcript = surroundings.transcript
        self.given = Given()
        self.moved = asyncio.Event()
        self.log: Syslog | None = None
        self._dns = surroundings.dns_address
        self._lines: list[str] = []
        self._awaited: dict[re.Pattern[str], asyncio.Future[None]] = {}
        self._watch: Watch | None = None
        self.clock = FakeClock(self.sandbox) if "clock" in target.capabilities else None

    # Start

    async def launch(self) -> None:
        """Make the session's files and start its services. Raises TargetError."""
        self.prepare()
        await self._begin()

    def prepare(self) -> None:
        """Write the layout's files and folders, resolv.conf and hosts."""
        for path, folder in self.layout.folders.items():
            self.sandbox.make(path, mode=folder.mode, owner=folder.owner, group=folder.group)
        for path, file in self.layout.files.items():
            self.sandbox.write(path, file.text, mode=file.mode, owner=file.owner)
        options = f"options {self.layout.resolver}\n" if self.layout.resolver else ""
        self.sandbox.write("resolv.conf", f"nameserver {self._dns}\n{options}")
        hosts = {"localhost": "127.0.0.1", socket.gethostname(): "127.0.0.1", **self.layout.hosts}
        lines = "".join(f"{address} {name}\n" for name, address in hosts.items())
        self.sandbox.write("hosts", lines)

    async def _begin(self) -> None:
        launcher = self.target.launcher
        if launcher is None:
            raise TargetError("the target has not been opened")
        loop = asyncio.get_running_loop()
        # An end while it starts is told by the start.
        self._may_end = True
        self._forget_volatile()
        log = self.sandbox.folder / "log"
        log.unlink(missing_ok=True)
        self.log = Syslog(log, self._hear)
        if self.watched:
            folders = [self.sandbox.folder / each for each in self.watched]
            self._watch = Watch(folders, self.moved.set)
        ready = [service.ready for service in self.layout.services if service.ready]
        self._awaited = {re.compile(pattern): loop.create_future() for pattern in ready}
        self.process = await launcher.run(
            self.sandbox, [self._with_clock(service) for service in self.layout.services]
        )
        everything = asyncio.gather(*self._awaited.values())
        await self.process.ended_or(everything, self.target.file.start.within)
        if not everything.done() or self.process.status.done():
            everything.cancel()
            ended = self.process.status.done()
            how = "ended at its start" if ended else "accepted no connections in time"
            raise TargetError(f"the server {how}: {self.complaints() or 'without a word'}")
        self._may_end = False

    def _forget_volatile(self) -> None:
        """Make the folders anew that a program of a former start may have left something in."""
        for path, folder in self.layout.folders.items():
            if folder.volatile:
                shutil.rmtree(self.sandbox.folder / path)
                self.sandbox.make(path, mode=folder.mode, owner=folder.owner, group=folder.group)

    def _with_clock(self, service: Service) -> Service:
        if self.clock is None or not service.clock or not library():
            return service
        environment = {**service.environment, **self.clock.environment()}
        return replace(service, environment=environment)

    def _hear(self, line: str) -> None:
        self._lines.append(line)
        for pattern, future in self._awaited.items():
            if not future.done() and pattern.search(line):
                future.set_result(None)
        self.heard(line)
        self.moved.set()

    def heard(self, line: str) -> None:
        """Learn a line that the server has logged."""

    async def configure(self, given: Given) -> None:
        """Do nothing: the server was started with its configuration."""

    async def change_settings(self, modules: Mapping[str, Mapping[str, Any]]) -> None:
        """Write the configuration anew and start the services again, on their files.

        Raises SettingsRefused when they do not start with it (they then run as before),
        NotApplicable.
        """
        given = changed(self.given, modules)
        before, layout = self.layout, self.target.plan(given)
        await self.halt()
        try:
            await self._run_with(layout)
        except TargetError as error:
            await self._end(signal.SIGKILL)
            await self._run_with(before)
            raise SettingsRefused(str(error)) from None
        self.given = given

    async def _run_with(self, layout: Layout) -> None:
        self.layout = layout
        await self.launch()

    # Rest

    @abc.abstractmethod
    def look(self, held: Holds) -> Look:
        """Return what is under way now."""

    async def rest(self, held: Holds) -> None:
        """Return when nothing is under way. Raises TargetError."""
        await rest(lambda: self.look(held), self.moved)

    def look_at_connections(self, held: Holds) -> Look:
        """Return what the server's connections to remote hosts say: busy, or held."""
        if self.target.connections is None:
            return Look()
        counts: dict[str, int] = {}
        for each in self.target.connections.outgoing():
            wait = f"smtp:{each.remote[0]}:{each.remote[1]}"
            counts[wait] = counts.get(wait, 0) + 1
        busy = [wait for wait, count in counts.items() if not held(wait, count)]
        return Look(busy=", ".join(busy), held=", ".join(counts.keys() - set(busy)))

    def world_changed(self) -> None:
        """Look again whether the server is at rest."""
        self.moved.set()

    # Its end

    def _end_told(self, process: ServerProcess) -> str:
        """Say what the log and the services tell: the first process itself knows little."""
        return f": {self.complaints()}"

    def complaints(self) -> str:
        """Return the last lines of the log and of the services' standard error."""
        if self.log is not None:
            self.log.read()
        words = super().complaints()
        return " | ".join([*self._lines[-_SHOWN_LINES:], *([words] if words else [])])

    async def _end(self, number: signal.Signals) -> None:
        self.may_end()
        process = self.process
        if process is not None and not process.status.done():
            process.signal(number)
            if not await process.gone(END_ORDERLY):
                # Under libfaketime a signal may find a program inside the library, and stick.
                self.transcript.remark("the server does not end in an orderly way: it is killed")
                process.signal(signal.SIGKILL)
                if not await process.gone(END_BOUND):
                    raise TargetError("the server does not end")
        self._close()

    async def start_again(self) -> None:
        """Start the services again on their files. Raises TargetError."""
        await self._begin()

    async def stop(self) -> None:
        """End the session at once; the next start waits until it is over."""
        await super().stop()
        self._close()

    def _close(self) -> None:
        if self.log is not None:
            self.log.read()
            self.log.close()
        if self._watch is not None:
            self._watch.close()
            self._watch = None

    # Where things are

    def log_lines(self) -> list[str]:
        """Return what was logged since the first start."""
        return list(self._lines)

    def port(self, service: str) -> int:
        """The documented port of a service."""
        return self.layout.ports.get(service, self.target.file.ports[service])
