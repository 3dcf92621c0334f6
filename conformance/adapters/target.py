"""The common base of adapters: one target class and one session class to derive from.

An adapter says what its server needs, everything else is here::

    class ExampleTarget(AdapterTarget):
        programs = {"/usr/sbin/exampled": "example-mta"}     # program → Debian package
        hidden = ("/etc/example",)                           # shown empty in the sandbox

        def layout(self, site: Site) -> Layout:              # pure; raises NotApplicable
            …
            return Layout(files=…, folders=…, services=…)

        def session(self, layout, surroundings) -> AdapterSession:
            return ExampleSession(self, layout, surroundings)

    class ExampleSession(AdapterSession):
        watched = ("spool/input",)                           # folders whose changes are events
        def look(self, held) -> Look: …                      # what is under way (see .rest)
        def queue_files(self) -> list[Path]: …

``layout`` is asked twice: by ``lacks``, before anything is built (so a row that is not applicable
costs nothing), and by ``start``. ``[options] tree`` of a target file names a folder (or a list)
with the contents of Debian packages that are not installed (``dpkg -x``); ``usr`` of it is laid
over /usr in the sandbox; a folder that does not exist is left out. Paths in files are those below
:data:`.sandbox.INSIDE`.
"""

from __future__ import annotations

import abc
import asyncio
import re
import shutil
import signal
import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any, ClassVar

from conformance.adapters.clock import PACKAGE, FakeClock, library
from conformance.adapters.connections import Connections
from conformance.adapters.rest import Look, Watch, rest
from conformance.adapters.sandbox import Launcher, Sandbox, Service
from conformance.adapters.site import Site
from conformance.adapters.syslog import Syslog
from conformance.scenario.model import Given, Scenario
from conformance.scenario.steps import SettingsStep
from conformance.targets.base import (
    Holds,
    NotApplicable,
    Session,
    SettingsRefused,
    Surroundings,
    Target,
    TargetError,
)
from conformance.targets.file import TargetFile, TargetFileError
from conformance.targets.labels import Keywords
from conformance.targets.process import ServerProcess
from conformance.world.plan import Plan

#: Seconds that the end of a killed session may take.
END_BOUND = 15.0
_SHOWN_LINES = 6


@dataclass(frozen=True, slots=True)
class File:
    """A file of a session."""

    text: str | bytes
    mode: int = 0o644
    owner: str = "root"


@dataclass(frozen=True, slots=True)
class Folder:
    """A folder of a session."""

    mode: int = 0o755
    owner: str = "root"
    group: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """What a session consists of; paths are relative to the session's folder."""

    files: Mapping[str, File]
    folders: Mapping[str, Folder] = field(default_factory=dict)
    services: Sequence[Service]
    volatile: Sequence[str] = ()
    """Folders of ``folders`` that hold nothing but what belongs to running programs."""
    ports: Mapping[str, int] = field(default_factory=dict)
    """Documented ports that differ (service → port)."""
    hosts: Mapping[str, str] = field(default_factory=dict)
    """Name → address: what /etc/hosts says besides localhost."""
    resolver: str = ""
    """Options of resolv.conf, as ``timeout:1 attempts:2``; empty: the resolver's own."""


class AdapterTarget(Target):
    """A server of another family."""

    programs: ClassVar[Mapping[str, str]] = {}
    """Program, as the sandbox finds it → Debian package that has it."""
    hidden: ClassVar[Sequence[str]] = ()
    """Folders of this computer's own configuration, shown empty."""
    etc: Mapping[str, str] = MappingProxyType({})
    """Files below /etc that the programs insist on, the same for all sessions: name → text."""

    def __init__(self, file: TargetFile) -> None:
        self.file = file
        self.name = file.name
        self.capabilities = file.capabilities
        tree = file.options.get("tree", [])
        trees = [tree] if isinstance(tree, str) else tree
        if not isinstance(trees, list) or not all(isinstance(each, str) for each in trees):
            raise TargetFileError(f"{file.path}: options.tree: must be a folder or a list of them")
        folders = [file.path.parent / each for each in trees]
        self.trees = [str(folder) for folder in folders if folder.is_dir()]
        self.launcher: Launcher | None = None
        self.connections: Connections | None = None
        self._previous: AdapterSession | None = None

    @abc.abstractmethod
    def layout(self, site: Site) -> Layout:
        """Return what a session for the site consists of. Raises NotApplicable, TargetError."""

    @abc.abstractmethod
    def session(self, layout: Layout, surroundings: Surroundings) -> AdapterSession:
        """Return a session that has not been started."""

    def lacks(self, scenario: Scenario) -> str:
        """Return why the scenario is not applicable: a capability, or a wish of its ``given``."""
        reason = super().lacks(scenario)
        if reason:
            return reason
        if "clock" in scenario.requires and not library():
            return f"needs real time: {PACKAGE} is not installed"
        given = scenario.given
        if "clock" in scenario.requires and "timeout" in given.dns_faults.values():
            return "needs real time: the resolver's time-outs go by the computer's own clock"
        try:
            self.plan(given)
            for step in scenario.steps:
                if isinstance(step.value, SettingsStep) and not step.value.refused:
                    given = changed(given, step.value.modules)
                    self.plan(given)
        except NotApplicable as error:
            return str(error)
        except TargetError:
            # It is an error of the case, and ``start`` tells it.
            return ""
        return ""

    def plan(self, given: Given) -> Layout:
        """Return the layout for a given, all of whose wishes are taken. Raises NotApplicable."""
        site = Site(given)
        layout = self.layout(site)
        site.check()
        return layout

    async def open(self, plan: Plan) -> None:
        """Start the launcher. Raises TargetError when something is missing."""
        missing = [path for path in self.programs if not self._has(path)]
        if missing:
            packages = " ".join(sorted({self.programs[path] for path in missing}))
            raise TargetError(
                f"{', '.join(missing)} cannot be found: apt-get install {packages}, "
                f"or name a folder with the packages' contents in {self.file.path}: options.tree"
            )
        self.launcher = await Launcher.start(
            plan, hidden=self.hidden, etc=self.etc, trees=self.trees
        )
        self.connections = Connections(plan)

    def _has(self, path: str) -> bool:
        return any(Path(f"{tree}{path}").exists() for tree in ["", *self.trees])

    async def vacant(self) -> None:
        """Return when the session before has ended. Raises TargetError."""
        process = self._previous.process if self._previous is not None else None
        if process is not None and not await process.gone(END_BOUND):
            raise TargetError("the server of the scenario before does not end")

    async def start(self, given: Given, surroundings: Surroundings) -> AdapterSession:
        """Start a fresh server in the state of ``given``. Raises NotApplicable, TargetError."""
        session = self.session(self.plan(given), surroundings)
        session.given = given
        self._previous = session
        try:
            await session.launch()
        except BaseException:
            await session.stop()
            raise
        return session

    async def close(self) -> None:
        """End the launcher, and with it whatever is left."""
        if self.connections is not None:
            self.connections.close()
        if self.launcher is not None:
            await self.launcher.close()

    def describe(self) -> Mapping[str, Any]:
        """Return what the target file states."""
        return {
            "name": self.name,
            "kind": self.file.kind,
            "file": str(self.file.path),
            "programs": sorted(self.programs),
            "clock": "clock" in self.capabilities,
            "capabilities": sorted(self.capabilities),
        }


def changed(given: Given, modules: Mapping[str, Mapping[str, Any]]) -> Given:
    """Return a given with some settings changed."""
    keywords = Keywords()
    tables: dict[str, dict[str, Any]] = {}
    for source in (given.settings, modules):
        for module, table in source.items():
            tables.setdefault(module, {}).update(keywords.settings(module, table))
    return replace(given, settings=tables)


class AdapterSession(Session):
    """One server, from its start to its end; it may be killed and started again in between."""

    watched: ClassVar[Sequence[str]] = ()
    """Folders of the queue, relative to the session's folder, whose changes are events."""

    def __init__(self, target: AdapterTarget, layout: Layout, surroundings: Surroundings) -> None:
        self.target = target
        self.layout = layout
        self.sandbox = Sandbox(surroundings.folder / "server")
        self.transcript = surroundings.transcript
        self.given = Given()
        self.process: ServerProcess | None = None
        self.moved = asyncio.Event()
        self.log: Syslog | None = None
        self._dns = surroundings.dns_address
        self._lines: list[str] = []
        self._awaited: dict[re.Pattern[str], asyncio.Future[None]] = {}
        self._watch: Watch | None = None
        self._may_end = False
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
        waited: set[asyncio.Future[Any]] = {self.process.status}
        everything = asyncio.gather(*self._awaited.values())
        await asyncio.wait(
            {*waited, everything},
            timeout=self.target.file.start.within,
            return_when=asyncio.FIRST_COMPLETED,
        )
        if not everything.done() or self.process.status.done():
            everything.cancel()
            ended = self.process.status.done()
            how = "ended at its start" if ended else "accepted no connections in time"
            raise TargetError(f"the server {how}: {self.complaints() or 'without a word'}")
        self._may_end = False

    def _forget_volatile(self) -> None:
        """Make the folders anew that a program of a former start may have left sockets in."""
        for path in self.layout.volatile:
            shutil.rmtree(self.sandbox.folder / path, ignore_errors=True)
            folder = self.layout.folders[path]
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

    async def ended(self) -> str:
        """Return how the server ended although nobody told it to."""
        while True:
            process = self.process
            if process is None or process.status.done():
                await asyncio.get_running_loop().create_future()
            else:
                await asyncio.shield(process.status)
                if process is self.process and not self._may_end:
                    return f"the server ended in the middle: {self.complaints()}"

    def may_end(self) -> None:
        """Take the server's end for granted from now on."""
        self._may_end = True

    @property
    def running(self) -> bool:
        """True while the session's first process lives."""
        return self.process is not None and not self.process.status.done()

    def complaints(self) -> str:
        """Return the last lines of the log and of the services' standard error."""
        if self.log is not None:
            self.log.read()
        words = self.process.last_words() if self.process is not None else ""
        return " | ".join([*self._lines[-_SHOWN_LINES:], *([words] if words else [])])

    async def kill(self) -> None:
        """End all processes at once."""
        await self._end(signal.SIGKILL)

    async def halt(self) -> None:
        """End the services in an orderly way."""
        await self._end(signal.SIGTERM)

    async def _end(self, number: signal.Signals) -> None:
        self.may_end()
        process = self.process
        if process is not None and not process.status.done():
            process.signal(number)
            seconds = self.target.file.start.end_within
            if not await process.gone(seconds):
                process.signal(signal.SIGKILL)
                await process.gone(END_BOUND)
                raise TargetError(f"the server did not end within {seconds:g} seconds")
        self._close()

    async def start_again(self) -> None:
        """Start the services again on their files. Raises TargetError."""
        await self._begin()

    async def stop(self) -> None:
        """End the session at once; the next start waits until it is over."""
        self.may_end()
        if self.process is not None:
            self.process.signal(signal.SIGKILL)
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
