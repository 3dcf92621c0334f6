"""A server of the documents' own family while one scenario lasts: start, configure, rest, end.

A :class:`CLISession` is made by :class:`conformance.targets.cli.CLITarget` and knows that target
only as what its file says. Every complaint about the server's process carries its last words.
"""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

from conformance.scenario.model import Given
from conformance.targets.base import (
    Holds,
    NotApplicable,
    SettingsRefused,
    Surroundings,
    TargetError,
)
from conformance.targets.commands import Administrator
from conformance.targets.configure import (
    POSTMASTER,
    administrator_password,
    changes,
    configuration,
)
from conformance.targets.control import Control, ControlLost
from conformance.targets.dictionary import DictionaryError, parse
from conformance.targets.file import TargetFile, fill
from conformance.targets.labels import Keywords
from conformance.targets.life import ProcessSession
from conformance.targets.process import ServerProcess, WarmProcess, spawn
from conformance.targets.settle import accepts, settle

#: Seconds that the end of a killed process may take.
END_BOUND = 5.0
#: Seconds after a lost connection in which the end of the server becomes known.
DEATH_NOTICE = 0.5
_CLI_UNKNOWN = 500


class Described(Protocol):
    """What a session needs of its target."""

    file: TargetFile
    capabilities: frozenset[str]
    keywords: Keywords
    warm: WarmProcess | None

    def constants(self) -> dict[str, str]:
        """Return the placeholders that mean the same for every server."""

    def environment(self, values: Mapping[str, str]) -> dict[str, str]:
        """Return the environment that the file asks for."""


class CLISession(ProcessSession):
    """One server, from its start to its end; it may be killed and started again in between."""

    def __init__(self, target: Described, given: Given, surroundings: Surroundings) -> None:
        super().__init__()
        self._target = target
        self._given = given
        self._plan = surroundings.plan
        self._folder = surroundings.folder
        self._transcript = surroundings.transcript
        base = surroundings.folder / "base"
        addresses = [surroundings.plan.address(address) for address in given.addresses]
        self._values = {
            **target.constants(),
            "base": str(base),
            "address": addresses[0],
            "addresses": ",".join(addresses),
            "dns": surroundings.dns_address,
            "port_offset": str(surroundings.plan.port(25) - 25),
            "control": str(surroundings.folder / "control"),
        }
        self._base = Path(fill(target.file.files.base, self._values))
        base.mkdir()
        self._control: Control | None = None
        self._admin = Administrator(
            plan=surroundings.plan,
            transcript=surroundings.transcript,
            address=given.addresses[0],
            port=self.port("pwd"),
        )
        self._user = target.file.login.user
        self._password: str | None = None
        self._moved = asyncio.Event()

    # Start

    async def launch(self) -> None:
        """Start the server process; return when it accepts connections. Raises TargetError."""
        file = self._target.file
        if file.has_control:
            self._control = Control(Path(self._values["control"]))
            await self._control.listen()
        words = [fill(word, self._values) for word in file.start.command]
        self.process = await self._process(words)
        self._may_end = False
        await self._await_start(self.process, file.start.within)

    async def _await_start(self, process: ServerProcess, seconds: float) -> None:
        ready = asyncio.create_task(self._ready())
        await process.ended_or(ready, seconds)
        # A server that closes its control socket is about to end: its last words say more.
        if ready.done() and ready.exception() is not None:
            await process.gone(DEATH_NOTICE)
        complaint = ""
        if process.status.done():
            complaint = f"the server ended at its start {process.describe_end()}"
        elif not ready.done():
            words = process.last_words()
            said = f"; it said: {words}" if words else ""
            complaint = f"the server accepted no connections within {seconds:g} seconds{said}"
        if complaint:
            ready.cancel()
            await asyncio.wait({ready})
            raise TargetError(complaint)
        ready.result()

    async def _process(self, words: list[str]) -> ServerProcess:
        environment = self._target.environment(self._values)
        warm = self._target.warm
        if warm is not None:
            arguments = arguments_of(words)
            return await warm.fork(arguments, environment=environment, folder=self._folder)
        process, _ = await spawn(
            words,
            environment=environment,
            folder=self._folder,
            output=self._folder / "output",
            enter=self._plan.enter_server,
        )
        return process

    async def _ready(self) -> None:
        if self._control is not None:
            await self._control.ready()
        elif self.process is not None:
            services = [name for name in ("smtp", "pwd") if self._offers(name)]
            for service in services:
                await accepts(
                    self._plan, self._given.addresses[0], self.port(service), self.process.status
                )

    def _offers(self, service: str) -> bool:
        return ("cli" if service == "pwd" else service) in self._target.capabilities

    # The scenario's world

    async def configure(self, given: Given) -> None:
        """Give the commands that make the scenario's ``given``; all at once, then the answers.

        Raises NotApplicable when the server does not know a command, TargetError when it refuses
        one.
        """
        user = await self._give(configuration(given, self._target.keywords))
        if user.lower() == POSTMASTER:
            self._password = administrator_password(given)

    async def change_settings(self, modules: Mapping[str, Mapping[str, Any]]) -> None:
        """Change settings of modules. Raises like :meth:`configure`."""
        await self._give(changes(modules, self._target.keywords))

    async def _give(self, commands: list[str]) -> str:
        """Give commands that must succeed; return who gave them."""
        user, password = self._login()
        answers = await self._admin.run(commands, user=user, password=password)
        for command, (code, text) in zip(commands, answers, strict=True):
            if code == _CLI_UNKNOWN and "unknown" in text.lower():
                raise NotApplicable(f"the server does not know the command {command.split()[0]}")
            if not 200 <= code < 300:
                raise SettingsRefused(
                    f"the server refused to be configured: {command} got {code} {text}"
                )
        return user

    async def cli(self, command: str, *, user: str = "", password: str = "") -> tuple[int, str]:
        """Give one command over the PWD port; return the code and the data, or the text."""
        if command.strip().lower() == "shutdown":
            self.may_end()
        if user:
            return await self._admin.once(command, user=user, password=password)
        own, own_password = self._login()
        (answer,) = await self._admin.run([command], user=own, password=own_password)
        return answer

    def _login(self) -> tuple[str, str]:
        login = self._target.file.login
        if self._password is None:
            self._password = login.password or self._read_password()
        return self._user, self._password

    def _read_password(self) -> str:
        named = self._target.file.login.password_file
        if not named:
            return ""
        path = Path(fill(named, self._values))
        try:
            settings = parse(path.read_text(encoding="utf-8"))
        except OSError as error:
            raise TargetError(
                f"the administrator's password cannot be read: {path}: {error.strerror}"
            ) from None
        except (DictionaryError, UnicodeDecodeError) as error:
            raise TargetError(f"the administrator's password: {path}: {error}") from None
        password = settings.get("Password") if isinstance(settings, dict) else None
        if not isinstance(password, str):
            raise TargetError(f"the administrator's password: {path} has no key Password")
        return password

    # Rest and time

    async def rest(self, held: Holds) -> None:
        """Return when the server is at rest: it says so itself, or nothing has moved for a while.

        Raises TargetError.
        """
        if self._control is not None:
            await self._alive(self._control.rest(held))
        else:
            await settle(self._moved, self._target.file.start.settle, self.queue_files)

    async def advance(self, seconds: float, held: Holds) -> None:
        """Move the server's clock. Raises TargetError, NotApplicable."""
        if self._control is None:
            raise NotApplicable("the server has no clock that the harness can move")
        # An idle connection of the harness must not be what the server times out.
        self._admin.close()
        await self._alive(self._control.advance(seconds, held))

    async def set_clock(self, seconds: float) -> None:
        """Set the server's wall clock. Raises TargetError, NotApplicable."""
        if self._control is None:
            raise NotApplicable("the server has no clock that the harness can set")
        await self._alive(self._control.set_clock(seconds))

    def world_changed(self) -> None:
        """Look again whether the server is at rest."""
        self._moved.set()
        if self._control is not None and not self._control.lost:
            self._control.world_changed()

    async def _alive(self, waiting: Any) -> None:
        """Await something of the control socket; a lost one becomes the story of the end."""
        try:
            await waiting
        except ControlLost:
            process = self.process
            if process is not None and await process.gone(DEATH_NOTICE):
                raise TargetError(f"the server ended {process.describe_end()}") from None
            raise

    # Its end

    async def start_again(self) -> None:
        """Start the server again on its folder. Raises TargetError."""
        if not await self.gone(END_BOUND):
            raise TargetError("the server still runs; it cannot be started again")
        self._forget()
        await self.launch()

    async def _end(self, number: signal.Signals) -> None:
        self.may_end()
        self._admin.close()
        process = self.process
        if process is None or process.status.done():
            return
        if number == signal.SIGTERM and self._control is not None and not self._control.lost:
            self._control.stop()
        else:
            process.signal(number)
        seconds = self._target.file.start.end_within
        if not await process.gone(seconds):
            process.signal(signal.SIGKILL)
            await process.gone(END_BOUND)
            raise TargetError(f"the server did not end within {seconds:g} seconds and was killed")

    def _forget(self) -> None:
        self._admin.close()
        if self._control is not None:
            self._control.close()
            self._control = None

    async def stop(self) -> None:
        """End the server at once and leave its connections."""
        await super().stop()
        self._forget()

    # Where things are

    @property
    def base(self) -> Path:
        """The server's base directory."""
        return self._base

    def log_lines(self) -> list[str]:
        """Return the lines of all log files, in the order of the files' names."""
        lines: list[str] = []
        for path in sorted(self._base.glob(self._target.file.files.log)):
            lines += path.read_text(encoding="utf-8", errors="backslashreplace").splitlines()
        return lines

    def queue_files(self) -> list[Path]:
        """Return the message files in the queue, sorted."""
        return sorted(self._base.glob(self._target.file.files.queue))

    def port(self, service: str) -> int:
        """The documented port of a service of this server."""
        return self._target.file.ports[service]


def arguments_of(words: list[str]) -> list[str]:
    """Return the start command's arguments: what follows the program, script or ``-m module``."""
    if words[1:2] == ["-m"]:
        return words[3:]
    return words[2:] if words[0] == sys.executable else words[1:]
