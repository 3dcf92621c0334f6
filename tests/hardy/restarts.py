"""A server on one base directory that is started, killed and started again."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from hardy.control import Control
from hardy.places import Place
from hardy.talk import command
from hardy.warm import Forked, Warm

DOMAIN = "main.example"
SINK_PORT = 2525
#: Seconds of the server's clock after which it tries again.
RETRY = 1800.0
#: How often the clock is moved on while messages are left in the queue: less than the five days
#: after which they are returned.
MOST_RETRIES = 200
_KILLED = 128 + 9


class Restarted:
    """The server; begin with :meth:`open`, end with :meth:`close`."""

    def __init__(self, folder: Path) -> None:
        self.base = folder / "base"
        self.place = Place()
        self.control = Control(folder / "control")
        self.runs = 0
        """How often it was started."""
        self._errors = folder / "errors"
        self._warm: Warm | None = None
        self._server: Forked | None = None

    async def open(self, accounts: Sequence[str], commands: Sequence[str] = ()) -> None:
        """Start the server and configure it: accounts with the password ``secret``, and more.

        The domain ``sink.example`` leads to the port :data:`SINK_PORT` of the place's remote host.
        """
        await self.control.listen()
        self._warm = await Warm.start(self._errors)
        await self.start()
        await self.control.ready()
        await command(
            self.place.server,
            self.base,
            [
                f"UpdateServerSettings {{DomainName={DOMAIN};}}",
                f'UpdateDomainSettings {DOMAIN} {{MailToUnknown="Accepted and Bounced";}}',
                r'SetClientIPs "127.0.0.1\e"',
                rf'SetRouterTable "sink.example = [{self.place.remote}:{SINK_PORT}]\e"',
                *(f"CreateAccount {name} {{Password=secret;}}" for name in accounts),
                *commands,
            ],
        )

    async def close(self) -> None:
        """End the server and all that belongs to it."""
        self.control.close()
        if self._warm is not None:
            await self._warm.close()
        self.place.close()

    async def start(self) -> None:
        """Start the server; it need not be ready on return."""
        if self._warm is None:
            raise RuntimeError("the warm process does not run")
        self.runs += 1
        self.control.expect()
        self._server = await self._warm.fork(
            [
                *("--base", str(self.base), *self.place.options()),
                *("--control", str(self.control.path), "--hold-clock"),
            ]
        )

    async def kill(self) -> None:
        """Kill the server; return when it is gone. Raises RuntimeError if it has ended before."""
        if self._server is not None:
            self._server.kill()
            status = await self._server.gone()
            if status != _KILLED:
                raise RuntimeError(f"the server ended by itself, with status {status}")

    async def finish(self) -> None:
        """Let the server do all that it has to do, its clock moved on as far as it takes."""
        await self.control.ready()
        await self.control.rest()
        for _ in range(MOST_RETRIES):
            if not self.queued():
                break
            await self.control.advance(RETRY)
            await self.control.rest()

    def queued(self) -> list[str]:
        """Return the names of the files in the Queue directory."""
        return sorted(path.name for path in (self.base / "Queue").iterdir())

    def log(self) -> list[str]:
        """Return the lines of all log files."""
        texts = (path.read_text("utf-8", "replace") for path in self.base.glob("SystemLogs/*"))
        return [line for text in texts for line in text.splitlines()]

    def complaints(self) -> list[str]:
        """Return what should stand neither in the log nor on standard error."""
        errors = self._errors.read_text("utf-8", "replace").splitlines()
        return [line for line in self.log() if is_complaint(line)] + errors


def is_complaint(line: str) -> bool:
    """Tell whether a line of the log says that the server itself is at fault."""
    return any(word in line for word in (" fault: ", "internal error", "Traceback", "broken: "))
