"""Receiving mail: one incoming SMTP session.

::

            HELO EHLO        MAIL             RCPT (accepted)      DATA            end of data
    greeted ---------> ready ----> sender -----------------> letter ----> content -----------> ready
                         ^                     RSET HELO EHLO                                  |
                         +---------------------------------------------------------------------+

Every verb is a row of :data:`VERBS`. A command may wait (for the resolver, for the disk); the
commands behind it wait, too, so their replies keep their order. A 250 after the end of data means
that the message is on the disk. Every refusal is permanent or temporary as
:mod:`reference.protocols.smtp_replies` tells; too many end the session.

Guide 3.5.2, SMTP Module, Receiving Messages; RFC 5321, 4954 (AUTH), 3207 (STARTTLS), 3461 (DSN).
HELO is not insisted on: the Guide's dialogues begin with MAIL. After ATRN the roles are exchanged
(:mod:`reference.protocols.smtp_turn`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from reference.formats.values import UNLIMITED
from reference.kernel.access import Credentials, Login, LoginRefused, Peer
from reference.kernel.address import AddressSyntaxError
from reference.kernel.protection import Standing
from reference.kernel.relay import Destination, Sender, Verdict, decide
from reference.kernel.routes import Route, RoutingError, SpamTrap
from reference.protocols.line import CommandProtocol, Doing
from reference.protocols.sasl import Exchange, SASLError
from reference.protocols.smtp_grammar import (
    Command,
    Fault,
    Mail,
    Rcpt,
    parse_command,
    parse_mail,
    parse_rcpt,
)
from reference.protocols.smtp_message import IncomingMessage
from reference.protocols.smtp_reception import Reception, valid_path
from reference.protocols.smtp_replies import refusal, replies, reply, verdict_reply
from reference.protocols.smtp_sender import Audience, SendingHost, refusal_reply
from reference.protocols.smtp_trace import Trace, protocol
from reference.protocols.smtp_turn import Turning
from reference.protocols.tls import Side
from reference.queue.envelope import Envelope, Recipient, Source
from reference.queue.queue import Draft, QueueError
from reference.transport.return_path import SenderRefused
from reference.transport.smtp_client import SMTPClient
from reference.transport.smtp_hosts import Relay
from reference.transport.spf import SPFResult

#: Octets of a line during AUTH (RFC 4954, 4.3).
AUTH_LINE = 12288


class SMTPSession(CommandProtocol):
    """One connection of a client."""

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
            act = VERBS.get(command.verb)
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

    # Commands

    def _do_helo(self, argument: str) -> Doing:
        return self._greeted(argument, self._pleased, extended=False)

    def _do_ehlo(self, argument: str) -> Doing:
        return self._greeted(argument, self._capabilities, extended=True)

    def _greeted(self, name: str, answer: Callable[[], Doing], *, extended: bool) -> Doing:
        if not name:
            raise Fault(501, "a host name is expected")
        self._reset()
        self._helo, self._helo_holds, self._extended = name, None, extended
        options = self._server.options
        if options.senders.verify is not Audience.NOBODY:
            return self._when_known(lambda: self._verify_helo(answer))
        if extended and options.asks_who and self._standing is None:
            return self._when_known(answer)
        return answer()

    def _pleased(self) -> Doing:
        self._reply(250, f"{self._name()} is pleased to meet you")
        return None

    async def _verify_helo(self, answer: Callable[[], Doing]) -> None:
        if self._server.options.senders.verify.includes(client=self._client()):
            self._helo_holds = await self.outside(
                self._server.senders.helo_holds(self._helo, self.remote_ip)
            )
        answer()

    def _capabilities(self) -> Doing:
        options, client = self._server.options, self._client()
        lines = [f"{self._name()} is pleased to meet you", "HELP", "PIPELINING", "DSN"]
        if self._server.turning is not None:
            lines += ["ETRN", "ATRN"]
        limit = options.message_limit
        lines.append("SIZE" if limit >= UNLIMITED else f"SIZE {limit}")
        if options.advertise_8bitmime.includes(client=client):
            lines.append("8BITMIME")
        if options.advertise_auth.includes(client=client):
            lines.append(f"AUTH {' '.join(options.advertised(client=client))}")
        if self._side_for_tls() is not None:
            lines.append("STARTTLS")
        self.send(replies(250, lines))
        return None

    def _do_mail(self, argument: str) -> Doing:
        if self._mail is not None:
            raise Fault(503, "the sender is already specified")
        mail = parse_mail(argument)
        if mail.size is not None and mail.size > self._server.options.message_limit:
            raise Fault(552, "the message is too large")
        try:
            path = valid_path(mail.path) if mail.path else ""
        except AddressSyntaxError as error:
            raise Fault(501, f"{mail.path} {error.text}") from error
        mail = Mail(path, mail.size, mail.body, mail.auth, mail.ret, mail.envid)
        options = self._server.options
        if self._standing is None and (
            options.force_auth is Audience.NON_CLIENTS or options.senders.any
        ):
            return self._when_known(lambda: self._sender(mail))
        return self._sender(mail)

    def _sender(self, mail: Mail) -> Doing:
        # Fixed client addresses only: Guide 3.5.2, SMTP Module, Force AUTH.
        fixed = self._standing is not None and self._standing.client
        if (
            self._login is None
            and self._server.options.force_auth.includes(client=fixed)
            and self._server.registered(mail.path)
        ):
            self._reply(530, f"{mail.path} authentication is required")
            return None
        try:
            self._server.senders.check_local(mail.path)
        except SenderRefused as refused:
            self._reply(*refusal_reply(mail.path, refused))
            return None
        if self._server.options.senders.any:
            return self._check_sender(mail)
        self._accept_sender(mail)
        return None

    async def _check_sender(self, mail: Mail) -> None:
        host = SendingHost(
            ip=self.remote_ip,
            helo=self._helo,
            client=self._client(),
            authenticated=self._login is not None,
            blacklisted=self._blacklisted(),
        )
        checking = self._server.senders.check(mail.path, host, self._server.options.senders)
        try:
            self._spf = await self.outside(checking)
        except SenderRefused as refused:
            self._reply(*refusal_reply(mail.path, refused))
            return
        self._accept_sender(mail)

    def _accept_sender(self, mail: Mail) -> None:
        self._mail = mail
        self._reply(250, f"{mail.path or '<>'} sender accepted")

    def _do_rcpt(self, argument: str) -> Doing:
        if self._mail is None:
            raise Fault(503, "the sender is not specified yet")
        rcpt = parse_rcpt(argument)
        if len(self._recipients) >= self._server.options.recipient_limit:
            raise Fault(452, "too many recipients")
        if self._standing is None:
            return self._when_known(lambda: self._recipient(rcpt))
        return self._recipient(rcpt)

    def _recipient(self, rcpt: Rcpt) -> Doing:
        blacklisted = self._blacklisted()
        try:
            address, route = self._server.recipient(rcpt.path, blacklisted=blacklisted)
        except RoutingError as error:
            self._trapped = self._trapped or isinstance(error, SpamTrap)
            if blacklisted:
                self._reply(*self._server.blacklisted_reply())
            else:
                self._reply(*refusal(error, rcpt.path))
            return None
        # An empty address in a host's queue is a wake-up request.
        if route.module == "SMTP" and not route.address and self._may_not_wake():
            self._reply(550, f"{rcpt.path} wake-up messages are accepted from clients only")
            return None
        verdict = self._decide(route, None)
        if verdict is Verdict.LOOK_UP:
            return self._recipient_by_host(rcpt, address, route)
        self._judged(rcpt, address, verdict)
        return None

    async def _recipient_by_host(self, rcpt: Rcpt, address: str, route: Route) -> None:
        destination = await self.outside(self._server.destination(route))
        self._judged(rcpt, address, self._decide(route, destination))

    def _decide(self, route: Route, destination: Destination | None) -> Verdict:
        login, mail = self._login, self._mail
        sender = Sender(
            client=self._client(),
            authenticated=login is not None,
            relay_service=login is not None and login.relay,
        )
        verdict = decide(sender, route, destination, self._server.options.relay)
        if verdict is Verdict.REFUSED and login is None and mail is not None:
            registered = Sender(registered=self._server.registered(mail.path))
            verdict = decide(registered, route, destination, self._server.options.relay)
        return verdict

    def _judged(self, rcpt: Rcpt, address: str, verdict: Verdict) -> None:
        if verdict.accepts:
            self._recipients.append(Recipient(address, rcpt.notify, rcpt.orcpt))
        self._reply(*verdict_reply(verdict, address, self._server.strings))

    def _do_data(self, argument: str) -> Doing:
        if argument:
            raise Fault(501, "DATA has no parameters")
        mail = self._mail
        if mail is None:
            raise Fault(503, "the sender is not specified yet")
        if self._trapped:
            # Guide 3.5.2, Protection, Spam Traps: the entire message is rejected.
            self._reset()
            raise Fault(554, "the message is rejected: one of its recipients is a spam trap")
        if not self._recipients:
            raise Fault(503, "no recipient has been accepted")
        try:
            draft = self._draft(mail)
        except QueueError as error:
            self._server.log.write(1, self._tag, str(error))
            raise Fault(452, "the message cannot be stored now, try again later") from error
        limit = self._server.options.message_limit
        self._message = IncomingMessage(draft=draft, limit=limit, scanner=self._server.scanner())
        self._reply(354, "Enter mail, end with . on a line by itself")
        self.read_with(self._message.reader, self._end_of_data)
        return None

    def _draft(self, mail: Mail) -> Draft:
        login = self._login
        account = login.label if login is not None else ""
        draft = self._server.queue.new(
            Envelope(
                return_path=mail.path,
                recipients=tuple(self._recipients),
                source=Source("SMTP", self.remote_ip, account, self._helo, self.local_ip),
                ret=mail.ret,
                envid=mail.envid,
                body=mail.body,
            )
        )
        trace = Trace(
            helo=self._helo,
            helo_holds=self._helo_holds,
            ip=self.remote_ip,
            host=self._server.name(""),
            protocol=protocol(
                extended=self._extended, secure=self.secure, authenticated=login is not None
            ),
            id=draft.name,
            time=self.clock.time(),
            account=account,
            recipient=self._recipients[0].address if len(self._recipients) == 1 else "",
        )
        mark = self._spf.field(self._server.name("")) if self._spf is not None else b""
        draft.write(mark + trace.field())
        return draft

    def _end_of_data(self) -> Doing:
        message, self._message = self._message, None
        self._reset()
        if message is None:
            return None
        finished = message.finish()
        if not isinstance(finished, tuple):
            return self._commit(finished)
        self._reply(*finished)
        return None

    async def _commit(self, draft: Draft) -> None:
        try:
            name = await draft.commit()
        except QueueError as error:
            self._server.log.write(1, self._tag, str(error))
            self._reply(452, "the message cannot be stored now, try again later")
            return
        self._errors = 0
        self._reply(250, f"{name} message accepted for delivery")

    def _do_rset(self, argument: str) -> Doing:
        self._reset()
        self._reply(250, "SMTP state reset")
        return None

    def _do_noop(self, argument: str) -> Doing:
        self._reply(250, "OK")
        return None

    def _do_vrfy(self, argument: str) -> Doing:
        if not argument:
            raise Fault(501, "an address is expected")
        self._reply(252, "addresses are verified when mail is sent to them")
        return None

    def _do_help(self, argument: str) -> Doing:
        self._reply(214, f"Commands: {' '.join(VERBS)}")
        return None

    def _do_quit(self, argument: str) -> Doing:
        self._reply(221, f"{self._name()} {self._server.strings.text('SMTPByeBye')}")
        self.close()
        return None

    def _do_starttls(self, argument: str) -> Doing:
        if argument:
            raise Fault(501, "STARTTLS has no parameters")
        side = self._side_for_tls()
        if side is None:
            raise Fault(503, "TLS is not available")
        self._reply(220, "ready to start TLS")
        self.start_tls(side)
        self._reset()
        self.secure = True
        # What was said in the clear may have been somebody else's word (RFC 3207, 4.2).
        self._helo, self._helo_holds, self._extended = "", None, False
        if self._login is not None:
            self._login.leave()
            self._login = None
        return None

    def _side_for_tls(self) -> Side | None:
        if self.secure or self._reversed:
            return None
        return self._server.tls(self.local_ip)

    # ETRN, ATRN, TURN

    def _do_etrn(self, argument: str) -> Doing:
        if self._standing is None and self._server.options.wakeups_from_clients:
            return self._when_known(lambda: self._start_queue(argument))
        return self._start_queue(argument)

    def _start_queue(self, argument: str) -> Doing:
        try:
            if self._may_not_wake():
                raise Fault(459, f"{argument} is not allowed: from clients only")
            self._reply(*self._turning().start_queue(argument))
        except Fault as fault:
            self._reply(fault.code, fault.text)
        return None

    def _may_not_wake(self) -> bool:
        return self._server.options.wakeups_from_clients and not self._client()

    def _do_turn(self, argument: str) -> Doing:
        if argument:
            raise Fault(501, "TURN has no parameters")
        return self._do_atrn("")

    def _do_atrn(self, argument: str) -> Doing:
        if self._mail is not None:
            raise Fault(503, "not in the middle of a message")
        if self._login is None:
            raise Fault(530, "authentication is required")
        account = self._login.account
        turning = self._turning()
        name = account.name if account.domain.is_main else ""
        queue = turning.queue_for_turn(argument, name)
        self._reply(250, "OK now reversing the connection")

        def trace(line: str) -> None:
            self._server.log.write(5, f"SMTPO({queue})", line)

        client = SMTPClient(trace)
        self.hand_over(client)
        # The relay is whoever has connected: the port is the client's own.
        relay = Relay(queue, self.remote_ip, getattr(self.transport.getPeer(), "port", 0))
        sending = turning.send(queue, client, relay, secured=self.secure)
        Deferred.fromCoroutine(sending).addErrback(self._sending_failed)
        return None

    def _sending_failed(self, failure: Failure) -> None:
        self._server.log.write(1, self._tag, f"fault: {failure.getTraceback()}")
        self.transport.abortConnection()

    def _turning(self) -> Turning:
        turning = self._server.turning
        if turning is None:
            raise Fault(502, "the command is not implemented")
        return turning

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


#: What the receiver understands.
VERBS: Mapping[str, Callable[[SMTPSession, str], Doing]] = {
    "HELO": SMTPSession._do_helo,
    "EHLO": SMTPSession._do_ehlo,
    "MAIL": SMTPSession._do_mail,
    "RCPT": SMTPSession._do_rcpt,
    "DATA": SMTPSession._do_data,
    "RSET": SMTPSession._do_rset,
    "NOOP": SMTPSession._do_noop,
    "VRFY": SMTPSession._do_vrfy,
    "HELP": SMTPSession._do_help,
    "QUIT": SMTPSession._do_quit,
    "AUTH": SMTPSession._do_auth,
    "STARTTLS": SMTPSession._do_starttls,
    "ETRN": SMTPSession._do_etrn,
    "ATRN": SMTPSession._do_atrn,
    "TURN": SMTPSession._do_turn,
}
