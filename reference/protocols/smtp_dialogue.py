"""The dialogue below SMTP's commands: one line after the other, the client's login and standing.

A command is a row of the session's ``verbs``; how it is done is told in
:mod:`reference.protocols.smtp_receive`. Here are the replies (too many refusals end the session),
AUTH (RFC 4954), and who the client is: Guide 3.5.2, Protection, and SMTP Module, Receiving
Messages.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ClassVar

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from reference.kernel.access import Credentials, Login, LoginRefused, Peer
from reference.kernel.protection import Standing
from reference.protocols.line import CommandProtocol, Doing
from reference.protocols.sasl import Exchange, SASLError
from reference.protocols.smtp_grammar import Command, Fault, Mail, parse_command
from reference.protocols.smtp_message import IncomingMessage
from reference.protocols.smtp_reception import Reception
from reference.protocols.smtp_replies import reply
from reference.queue.envelope import Recipient
from reference.transport.spf import SPFResult

#: Octets of a line during AUTH (RFC 4954, 4.3).
AUTH_LINE = 12288


class SMTPDialogue(CommandProtocol):
    """One connection of a client: its lines, its login, and what is known of the client."""

    verbs: ClassVar[Mapping[str, Callable[[Any, str], Doing]]] = {}
    """What is understood: a verb and what is done with its argument."""

    def __init__(
        self,
        *,
        reception: Reception,
        number: int,
        secure: bool = False,
        reversed_roles: bool = False,
    ) -> None:
        """``number`` names the session in the log; ``secure``: TLS from the start (port 465).

        ``reversed_roles``: the server has made the connection itself; TLS can begin no more.
        """
        super().__init__(clock=reception.clock, work=reception.work)
        self._server = reception
        self._tag = f"SMTP-{number:05d}"
        self._talk = reception.log.on("SMTP", 4)
        self.secure = secure
        self._reversed = reversed_roles
        self._helo = ""
        self._helo_holds: bool | None = None
        self._extended = False
        self._login: Login | None = None
        self._exchange: Exchange | None = None
        self._standing: Standing | None = None
        self._naming: Deferred[None] | None = None
        self._temporary = False
        self._errors = 0
        self._mail: Mail | None = None
        self._spf: SPFResult | None = None
        self._recipients: list[Recipient] = []
        self._trapped = False
        self._message: IncomingMessage | None = None

    # The line protocol

    def timeout(self) -> float:
        """Return the seconds that the client may be silent."""
        return self._server.options.command_timeout

    def greet(self) -> Doing:
        """Send the prompt; begin to find out who the client is."""
        server = self._server
        server.log.write(4, self._tag, f"connected from [{self.remote_ip}]")
        # The session keeps what the address is at its start, however long it lasts
        # (Guide 3.5.2, Protection, The Read-then-Send method).
        self._temporary = server.protection.is_temporary(self.remote_ip)
        self._standing = server.protection.standing_now(self.remote_ip)
        if self._standing is None:
            self._naming = Deferred.fromCoroutine(self._find_standing())
        self._reply(220, server.strings.text("SMTPNormalPrompt", self._name()))
        return None

    def command(self, line: bytes) -> Doing:
        """Do one command, or take one response of an AUTH exchange."""
        if self._exchange is not None:
            return self._auth_response(self._exchange, line)
        try:
            command = parse_command(line)
            act = self.verbs.get(command.verb)
            if self._talk:
                self._server.log.write(4, self._tag, f"cmd: {_shown(command, act is not None)}")
            if act is None:
                raise Fault(500, "the command is not recognized")
            return act(self, command.argument)
        except Fault as fault:
            self._reply(fault.code, fault.text)
            return None

    def line_too_long(self) -> None:
        """Answer a line that is too long."""
        self._exchange = None
        self._reply(500, "the line is too long")

    def timed_out(self) -> None:
        """Say goodbye to a silent client."""
        self._server.log.write(3, self._tag, "the client was silent for too long")
        self._reply(421, f"{self._name()} command timeout, closing connection")

    def broken(self, failure: Failure) -> None:
        """Answer a fault of the server."""
        self._server.log.write(1, self._tag, f"fault: {failure.getTraceback()}")
        self._reply(421, f"{self._name()} internal error, closing connection")

    def ended(self) -> None:
        """Give back what the session holds."""
        self._reset()
        if self._login is not None:
            self._login.leave()
        self._server.log.write(4, self._tag, "disconnected")

    # AUTH

    def _do_auth(self, argument: str) -> Doing:
        if self._login is not None or self._mail is not None:
            raise Fault(503, "not now")
        mechanism, _, initial = argument.partition(" ")
        try:
            exchange = Exchange(mechanism, self._server.challenge)
        except SASLError as error:
            raise Fault(504, str(error)) from error
        if not initial:
            self._challenge(exchange)
            return None
        return self._answer(exchange, lambda: exchange.initial(initial.encode("utf-8", "replace")))

    def _auth_response(self, exchange: Exchange, line: bytes) -> Doing:
        self._exchange = None
        return self._answer(exchange, lambda: exchange.answer(line))

    def _answer(self, exchange: Exchange, take: Callable[[], Credentials | None]) -> Doing:
        try:
            credentials = take()
        except SASLError as error:
            self.max_line = type(self).max_line
            self._reply(501, str(error))
            return None
        if credentials is None:
            self._challenge(exchange)
            return None
        self.max_line = type(self).max_line
        return self._authenticate(credentials)

    def _challenge(self, exchange: Exchange) -> None:
        self._exchange = exchange
        self.max_line = AUTH_LINE
        self.send(f"334 {exchange.line}\r\n".encode("ascii"))

    async def _authenticate(self, credentials: Credentials) -> None:
        peer = Peer(ip=self.remote_ip, local_ip=self.local_ip, secure=self.secure)
        standing = await self._known()
        try:
            login = await self._server.access.login(
                credentials, service="SMTP", peer=peer, standing=standing
            )
        except LoginRefused as refused:
            self._server.log.write(
                3, self._tag, f"login of {credentials.name} refused: {refused.text}"
            )
            self._reply(535, refused.text)
            return
        self._login = login
        self._server.log.write(3, self._tag, f"{login.label} authenticated")
        self._reply(235, f"{login.label} authenticated")

    # State

    def _client(self) -> bool:
        fixed = self._standing is not None and self._standing.client
        return fixed or self._temporary or self._server.protection.is_temporary(self.remote_ip)

    def _blacklisted(self) -> bool:
        # A login clears the mark: the user is known, wherever he is.
        return self._standing is Standing.BLACKLISTED and self._login is None

    async def _find_standing(self) -> None:
        self._standing = await self._server.protection.standing(self.remote_ip)

    async def _known(self) -> Standing:
        if self._naming is not None and self._standing is None:
            named: Deferred[None] = Deferred()
            self._naming.addBoth(lambda _: named.callback(None))
            await self.outside(named)
        return self._standing or Standing.STRANGER

    async def _when_known(self, act: Callable[[], Doing]) -> None:
        self._standing = await self._known()
        doing = act()
        if doing is not None:
            await doing

    def _name(self) -> str:
        return self._server.name(self.local_ip)

    def _reset(self) -> None:
        self._mail = None
        self._spf = None
        self._recipients = []
        self._trapped = False
        message, self._message = self._message, None
        if message is not None:
            message.abort()

    def _reply(self, code: int, text: str) -> None:
        self.send(reply(code, text))
        if self._talk or code >= 400:
            self._server.log.write(3 if code >= 400 else 4, self._tag, f"rsp: {code} {text}")
        if code < 500:
            return
        self._errors += 1
        if self._errors == self._server.options.error_limit and not self.closing:
            self._server.log.write(3, self._tag, "too many errors")
            self.send(reply(421, f"{self._name()} too many errors, closing connection"))
            self.close()


def _shown(command: Command, known: bool) -> str:
    """Return a command as the log may show it: a stray line may be a password."""
    if not known:
        return "not recognized"
    return command.verb if command.verb == "AUTH" else f"{command.verb} {command.argument}"
