"""Receiving mail: one incoming SMTP session.

::

            HELO EHLO        MAIL             RCPT (accepted)      DATA            end of data
    greeted ---------> ready ----> sender -----------------> letter ----> content -----------> ready
                         ^                     RSET HELO EHLO                                  |
                         +---------------------------------------------------------------------+

A command may wait (for the resolver, for the disk); the commands behind it wait, too, so their
replies keep their order. A 250 after the end of data means that the message is on the disk. Every
refusal is permanent or temporary as :mod:`reference.protocols.smtp_replies` tells.

Guide 3.5.2, SMTP Module, Receiving Messages; RFC 5321, 4954 (AUTH), 3207 (STARTTLS), 3461 (DSN).
HELO is not insisted on: the Guide's dialogues begin with MAIL. After ATRN the roles are exchanged
(:mod:`reference.protocols.smtp_turn`).
"""

from __future__ import annotations

from collections.abc import Callable

from reference.formats.values import UNLIMITED
from reference.kernel.address import AddressSyntaxError
from reference.kernel.relay import Destination, Sender, Verdict, decide
from reference.kernel.routes import Route, RoutingError, SpamTrap
from reference.protocols.line import Doing
from reference.protocols.smtp_dialogue import SMTPDialogue
from reference.protocols.smtp_grammar import Fault, Mail, Rcpt, parse_mail, parse_rcpt
from reference.protocols.smtp_message import IncomingMessage
from reference.protocols.smtp_reception import valid_path
from reference.protocols.smtp_replies import refusal, replies, verdict_reply
from reference.protocols.smtp_sender import Audience, SendingHost, refusal_reply
from reference.protocols.smtp_trace import Trace, protocol
from reference.protocols.smtp_turns import SMTPTurns
from reference.protocols.tls import Side
from reference.queue.envelope import Envelope, Recipient, Source
from reference.queue.queue import Draft, QueueError
from reference.transport.return_path import SenderRefused


class SMTPSession(SMTPTurns):
    """One connection of a client."""

    # Greetings and small change

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
        self._message = IncomingMessage(
            draft=self._draft(mail),
            limit=self._server.options.message_limit,
            scanner=self._server.scanner(),
        )
        self._reply(354, "Enter mail, end with . on a line by itself")
        self.read_with(self._message, self._end_of_data)
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
        self._reply(214, f"Commands: {' '.join(self.verbs)}")
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

    verbs = {  # noqa: RUF012 - declared by the base class
        "HELO": _do_helo,
        "EHLO": _do_ehlo,
        "MAIL": _do_mail,
        "RCPT": _do_rcpt,
        "DATA": _do_data,
        "RSET": _do_rset,
        "NOOP": _do_noop,
        "VRFY": _do_vrfy,
        "HELP": _do_help,
        "QUIT": _do_quit,
        "AUTH": SMTPDialogue._do_auth,
        "STARTTLS": _do_starttls,
        "ETRN": SMTPTurns._do_etrn,
        "ATRN": SMTPTurns._do_atrn,
        "TURN": SMTPTurns._do_turn,
    }
