"""The PWD protocol: poppwd for users who change their password, and the way to the CLI.

Guide 3.5.2, PWD Module, and Command Line Interface. Before the login a session knows ``USER``,
``PASS``, ``APOP`` and ``AUTH``; after it, ``NEWPASS`` and every command of the CLI. ``INLINE``,
``HELP``, ``NOOP`` and ``QUIT`` are known at any time. The greeting ends with the challenge that an
APOP digest is made of.

A command line may be as long as a whole Router table. This module checks no right and knows no
command of the CLI: that is the interpreter's part. Passwords and digests never reach the log.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol

from twisted.python.failure import Failure

from reference.cli.replies import Code, CommandError, Reply
from reference.cli.syntax import split_name
from reference.kernel.access import ClearText, Credentials, Digest, Login, LoginRefused, Peer
from reference.kernel.clock import Clock
from reference.kernel.work import Work
from reference.protocols.line import CommandProtocol, Doing
from reference.protocols.sasl import Exchange, SASLError
from reference.storage.account import Account
from reference.storage.errors import StorageError
from reference.storage.log import masked

__all__ = ["IDLE_LIMIT", "LINE_LIMIT", "LOGIN_LINE_LIMIT", "PWDNeighbours", "PWDSession"]

#: Seconds without a command after which a session is closed.
IDLE_LIMIT = 600.0

#: Octets of a command line; a Router table of 100,000 records passes.
LINE_LIMIT = 16 * 1024 * 1024

#: Octets of a line before the login, when nobody has a table to send.
LOGIN_LINE_LIMIT = 64 * 1024

#: Refused logins after which the connection is closed.
LOGIN_LIMIT = 10

#: Characters of a command line that the log shows.
_LOGGED = 500

_LOGIN_FIRST = "please log in first with USER and PASS"


class Logins(Protocol):
    """Who grants logins; see :mod:`reference.kernel.access`."""

    async def login(self, credentials: Credentials, /, *, service: str, peer: Peer) -> Login:
        """Return the login, or raise LoginRefused."""


class Commands(Protocol):
    """The CLI; see :mod:`reference.cli.interpreter`."""

    def execute(self, line: str, account: Account, /) -> Reply:
        """Do one command on behalf of an account; refusals are replies, too."""

    def help(self, name: str, /) -> Reply:
        """Tell which commands there are, or how one is written."""


class Log(Protocol):
    """The part of the server's log that a session writes to."""

    def write(self, level: int, tag: str, text: str, /) -> object:
        """Write a record."""

    def on(self, tag: str, level: int, /) -> bool:
        """Tell whether records of a level are wanted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PWDNeighbours:
    """What every session works with."""

    clock: Clock
    work: Work
    log: Log
    access: Logins
    commands: Commands
    server_name: Callable[[], str]
    """Returns the Main Domain's name, which is the server's."""
    number: Callable[[], int]
    """Returns the number of the next session."""
    in_force: Callable[[], Awaitable[None]]
    """Returns when what a command has set is in force."""


class PWDSession(CommandProtocol):
    """One connection to the PWD port."""

    max_line = LOGIN_LINE_LIMIT

    def __init__(self, neighbours: PWDNeighbours) -> None:
        super().__init__(clock=neighbours.clock, work=neighbours.work)
        self._its = neighbours
        self._number = neighbours.number()
        self._tag = f"PWD-{self._number:05}"
        self._challenge = ""
        self._user = ""
        self._failures = 0
        self._exchange: Exchange | None = None
        self._login: Login | None = None
        self._inline = False

    # What a session of command lines defines

    def timeout(self) -> float:
        """Return the seconds that the client may be silent."""
        return IDLE_LIMIT

    def greet(self) -> Doing:
        """Greet the client."""
        self._log(4, f"connection from [{self.remote_ip}]")
        name = self._its.server_name()
        self._challenge = self._unique()
        self._answer(
            Reply(Code.OK, f"CommuniGate Pro at {name} PWD Server 3.5 ready {self._challenge}")
        )
        return None

    async def command(self, line: bytes) -> None:
        """Do one command and answer it."""
        try:
            reply = await self._reply(line)
        except CommandError as error:
            reply = Reply(error.code, error.text)
        except (StorageError, SASLError) as error:
            reply = Reply(Code.UNKNOWN, str(error))
        except LoginRefused as refused:
            self._refuse(refused)
            return
        if reply is not None:
            self._answer(reply)

    def _refuse(self, refused: LoginRefused) -> None:
        self._log(3, f"login from [{self.remote_ip}] refused: {refused.text}")
        self._failures += 1
        self._answer(Reply(Code.UNKNOWN, refused.text))
        if refused.closes or self._failures >= LOGIN_LIMIT:
            self.close()

    def line_too_long(self) -> None:
        """Answer a line that is too long."""
        self._answer(Reply(Code.UNKNOWN, f"the line is longer than {self.max_line} octets"))

    def timed_out(self) -> None:
        """Say goodbye to a client that was silent for too long."""
        self._answer(Reply(Code.UNKNOWN, "the session was idle for too long"))

    def broken(self, failure: Failure) -> None:
        """Answer and log a fault of the server."""
        self._log(1, f"internal error: {failure.getTraceback()}")
        self._answer(Reply(Code.FAILED, "internal error; see the server's log"))

    def ended(self) -> None:
        """Leave the account; the connection is gone."""
        self._leave()
        self._log(4, "connection closed")

    # The commands

    async def _reply(self, line: bytes) -> Reply | None:
        if self._exchange is not None:
            return await self._go_on_with(self._exchange, line)
        text = line.decode("utf-8", "surrogateescape")
        name, end = split_name(text)
        own = _OWN.get(name.upper())
        if own is not None:
            # One blank separates; whatever else stands there may belong to a password.
            return await own(self, text[end:].removeprefix(" "))
        if self._login is None:
            raise CommandError(f"unknown command; {_LOGIN_FIRST}", Code.UNKNOWN)
        if self._its.log.on(self._tag, 4):
            self._log(4, f"cmd: {masked(text[:_LOGGED])}")
        reply = self._its.commands.execute(text, self._login.account)
        await self._its.in_force()
        return reply

    async def _do_user(self, parameter: str) -> Reply:
        self._leave()
        self._user = parameter.strip()
        if not self._user:
            raise CommandError("expected the user's name", Code.UNKNOWN)
        return Reply(Code.PASSWORD_WANTED, "please send the PASS")

    async def _do_pass(self, parameter: str) -> Reply:
        if not self._user:
            raise CommandError("please send the USER first", Code.UNKNOWN)
        user, self._user = self._user, ""
        return await self._enter(ClearText(name=user, password=parameter))

    async def _do_apop(self, parameter: str) -> Reply:
        self._leave()
        name, _, digest = parameter.strip().rpartition(" ")
        if not name:
            raise CommandError("expected the user's name and the digest", Code.UNKNOWN)
        return await self._enter(
            Digest(name=name.strip(), method="APOP", challenge=self._challenge, response=digest)
        )

    async def _do_auth(self, parameter: str) -> Reply:
        self._leave()
        method, _, initial = parameter.strip().partition(" ")
        exchange = Exchange(method, self._unique)
        if initial:
            credentials = exchange.initial(initial.strip().encode("ascii", "replace"))
            if credentials is not None:
                return await self._enter(credentials)
        self._exchange = exchange
        return Reply(Code.PASSWORD_WANTED, exchange.line)

    async def _go_on_with(self, exchange: Exchange, line: bytes) -> Reply:
        self._exchange = None
        credentials = exchange.answer(line)
        if credentials is not None:
            return await self._enter(credentials)
        self._exchange = exchange
        return Reply(Code.PASSWORD_WANTED, exchange.line)

    async def _enter(self, credentials: Credentials) -> Reply:
        peer = Peer(ip=self.remote_ip, local_ip=self.local_ip, secure=self.secure)
        login = await self.outside(self._its.access.login(credentials, service="PWD", peer=peer))
        if self.lost:
            login.leave()
            return Reply(Code.OK, "")
        self._login = login
        self.max_line = LINE_LIMIT
        self._log(4, f"{login.label} logged in")
        return Reply(Code.OK, "login OK")

    def _leave(self) -> None:
        login, self._login = self._login, None
        if login is not None:
            login.leave()

    async def _do_newpass(self, parameter: str) -> Reply:
        if self._login is None:
            raise CommandError(_LOGIN_FIRST, Code.UNKNOWN)
        account = self._login.account
        if not account.get("PWDAllowed"):
            raise CommandError("the password may not be modified", Code.UNKNOWN)
        if not parameter:
            raise CommandError("expected the new password", Code.UNKNOWN)
        account.set_password(parameter)
        self._log(3, f"{self._login.label}: password modified")
        return Reply(Code.OK, "password changed")

    async def _do_inline(self, parameter: str) -> Reply:
        self._inline = True
        return Reply(Code.OK, "inline mode is on")

    async def _do_help(self, parameter: str) -> Reply:
        return self._its.commands.help(parameter.strip())

    async def _do_noop(self, parameter: str) -> Reply:
        return Reply(Code.OK, "OK")

    async def _do_quit(self, parameter: str) -> None:
        self._answer(Reply(Code.OK, "CommuniGate Pro PWD connection closed"))
        self.close()

    def _answer(self, reply: Reply) -> None:
        self.send(reply.render(inline=self._inline).encode("utf-8", "surrogateescape"))

    def _unique(self) -> str:
        milliseconds = int(self.clock.time() * 1000)
        return f"<{self._number}.{milliseconds}@{self._its.server_name()}>"

    def _log(self, level: int, text: str) -> None:
        self._its.log.write(level, self._tag, text)


#: The commands of the protocol itself. The CLI has none of these names.
_OWN: dict[str, Callable[[PWDSession, str], Awaitable[Reply | None]]] = {
    "USER": PWDSession._do_user,
    "PASS": PWDSession._do_pass,
    "APOP": PWDSession._do_apop,
    "AUTH": PWDSession._do_auth,
    "NEWPASS": PWDSession._do_newpass,
    "INLINE": PWDSession._do_inline,
    "HELP": PWDSession._do_help,
    "NOOP": PWDSession._do_noop,
    "QUIT": PWDSession._do_quit,
}
