"""Reading mail with IMAP4rev1: one session, as much of it as logins and INBOX need.

Guide 3.5.2, IMAP Module; RFC 3501. A session logs in (LOGIN, AUTHENTICATE), lists and opens the
account's mailboxes, fetches, searches by flags and numbers, sets flags and expunges. It makes no
mailboxes, stores no messages, and knows no parts of MIME messages beyond their structure; what it
does not know gets a BAD. Mailboxes are not locked: what others add or remove is told at NOOP and
CHECK. Everything that touches a mailbox file runs in a thread.

The commands run on :mod:`reference.protocols.line` like those of the other protocols, so that one
waits for the other and no session outruns its client.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping

from twisted.python.failure import Failure

from reference.kernel.access import (
    ClearText,
    Credentials,
    Login,
    LoginRefused,
    MovedElsewhere,
    Peer,
)
from reference.kernel.address import parse
from reference.kernel.routes import RoutingError
from reference.protocols.imap_grammar import (
    IMAPSyntaxError,
    Value,
    literal_at_end,
    mailbox_name,
    parse_arguments,
    quoted_name,
)
from reference.protocols.imap_mailbox import OpenMailbox, Refused
from reference.protocols.imap_office import IMAPOffice
from reference.protocols.line import CommandProtocol, Doing
from reference.protocols.sasl import MECHANISMS, Exchange, SASLError
from reference.storage.errors import StorageError

#: Seconds without a command after which a session is closed: before and after the login.
LOGIN_TIME = 60.0
IDLE_LIMIT = 1800.0
#: Octets of a command with its literals.
COMMAND_LIMIT = 65536
LOGIN_LIMIT = 10


class IMAPSession(CommandProtocol):
    """One connection of a client."""

    max_line = COMMAND_LIMIT

    def __init__(self, *, office: IMAPOffice, number: int, secure: bool = False) -> None:
        """``number`` names the session in the log; ``secure``: TLS from the start (port 993)."""
        super().__init__(clock=office.clock, work=office.work)
        self.office = office
        self._number = number
        self._tag = f"IMAP-{number:05d}"
        self.secure = secure
        self._pieces: list[bytes] = []
        self._exchange: tuple[bytes, Exchange] | None = None
        self._challenges = 0
        self._failures = 0
        self._login: Login | None = None
        self._mailbox: OpenMailbox | None = None

    # The line protocol

    def timeout(self) -> float:
        """Return the seconds that the client may be silent."""
        return LOGIN_TIME if self._login is None else IDLE_LIMIT

    def greet(self) -> Doing:
        """Send the greeting."""
        self.office.log.write(4, self._tag, f"connected from [{self.remote_ip}]")
        self._untagged("OK", f"{self.office.name(self.local_ip)} IMAP4rev1 server ready")
        return None

    def command(self, line: bytes) -> Doing:
        """Take a line: a response, or a piece of a command; do the command that it completes."""
        if self._exchange is not None:
            return self._response(line)
        self._pieces.append(line)
        literal = literal_at_end(line)
        if literal is None:
            pieces, self._pieces = self._pieces, []
            return self._whole(pieces)
        if literal.size + sum(map(len, self._pieces)) > COMMAND_LIMIT:
            self._pieces = []
            self._untagged("BAD", "the literal is too large")
            if not literal.waits:  # its octets are under way and would be read as commands
                self.close()
            return None
        if literal.waits:
            self.send(b"+ go on\r\n")
        if literal.size:
            self.read_with(_Octets(literal.size, self._pieces.append), lambda: None)
        else:
            self._pieces.append(b"")
        return None

    def line_too_long(self) -> None:
        """Answer a line that is too long."""
        self._exchange = None
        self._pieces = []
        self._untagged("BAD", "the line is too long")

    def timed_out(self) -> None:
        """Say goodbye to a silent client."""
        self._untagged("BYE", "the session was idle for too long")

    def broken(self, failure: Failure) -> None:
        """Answer a fault of the server."""
        self.office.log.write(1, self._tag, f"fault: {failure.getTraceback()}")
        self._untagged("BYE", "internal error, closing connection")

    def ended(self) -> None:
        """Give back what the session holds."""
        if self._login is not None:
            self._login.leave()
        self.office.log.write(4, self._tag, "disconnected")

    def _whole(self, pieces: list[bytes]) -> Doing:
        tag, _, rest = pieces[0].partition(b" ")
        verb, _, pieces[0] = rest.partition(b" ")
        if not tag or tag.startswith((b"+", b"*")) or not tag.isalnum() or not verb:
            self._untagged("BAD", "a tag and a command are expected")
            return None
        return self._do(tag, verb.upper(), pieces)

    async def _do(self, tag: bytes, verb: bytes, pieces: list[bytes]) -> None:
        act = ANYTIME.get(verb)
        if act is None and self._login is None:
            act = BEFORE_LOGIN.get(verb)
        elif act is None:
            act = AFTER_LOGIN.get(verb)
        try:
            if act is None and verb in SELECTED and self._login is not None:
                await self._selected(tag, verb, parse_arguments(pieces))
            elif act is None:
                raise IMAPSyntaxError("the command is not known, or not possible now")
            else:
                await act(self, tag, parse_arguments(pieces))
        except IMAPSyntaxError as error:
            self.tagged(tag, "BAD", str(error))
        except Refused as refused:
            self.tagged(tag, "NO", str(refused))
        except StorageError as error:
            self.office.log.write(2, self._tag, error.text)
            self.tagged(tag, "NO", error.text)

    async def _selected(self, tag: bytes, verb: bytes, arguments: list[Value]) -> None:
        if self._mailbox is None:
            raise IMAPSyntaxError("select a mailbox first")
        if verb in (b"CLOSE", b"UNSELECT"):
            mailbox, self._mailbox = self._mailbox, None
            if verb == b"CLOSE":
                await mailbox.expunge(silent=True)
        elif verb == b"UID":
            if not arguments or not isinstance(arguments[0], bytes):
                raise IMAPSyntaxError("a command is expected after UID")
            inner = arguments[0].upper()
            if inner not in (b"FETCH", b"STORE", b"SEARCH"):
                raise IMAPSyntaxError("UID goes with FETCH, STORE and SEARCH")
            await self._mailbox.do(inner, arguments[1:], by_uid=True)
        else:
            await self._mailbox.do(verb, arguments, by_uid=False)
        self.tagged(tag, "OK", "completed")

    # At any time

    async def do_capability(self, tag: bytes, arguments: list[Value]) -> None:
        """Tell the capabilities."""
        words = ["IMAP4rev1", "LITERAL+", "UNSELECT", "LOGIN-REFERRALS"]
        words += [f"AUTH={name}" for name in MECHANISMS]
        if not self.secure and self.office.tls(self.local_ip) is not None:
            words.append("STARTTLS")
        self._untagged("CAPABILITY", " ".join(words))
        self.tagged(tag, "OK", "completed")

    async def do_noop(self, tag: bytes, arguments: list[Value]) -> None:
        """Tell what has changed in the open mailbox."""
        if self._mailbox is not None:
            await self._mailbox.refresh()
        if self._login is not None:
            await self._alert(self._login)
        self.tagged(tag, "OK", "completed")

    async def _alert(self, login: Login) -> None:
        """Tell of the storage quota when that is due (Guide 3.5.2, IMAP, Notification Alerts)."""
        alerts, account = self.office.alerts, login.account
        if alerts is None or not alerts.wanted(account):
            return
        try:
            over = await self.office.threads.run(lambda: alerts.is_over(account))
        except StorageError as error:
            self.office.log.write(2, self._tag, error.text)
            return
        if over:
            self._untagged("OK", f"[ALERT] {alerts.text(account)}")

    async def do_logout(self, tag: bytes, arguments: list[Value]) -> None:
        """End the session."""
        if self._login is not None:
            self._login.leave()  # the address begins to expire now, however long the line lingers
        self._untagged("BYE", "closing connection")
        self.tagged(tag, "OK", "completed")
        self.close()

    # Before the login

    async def do_starttls(self, tag: bytes, arguments: list[Value]) -> None:
        """Turn the connection into a secure one."""
        side = None if self.secure else self.office.tls(self.local_ip)
        if side is None:
            raise IMAPSyntaxError("TLS is not available")
        self.tagged(tag, "OK", "begin TLS negotiation")
        self.secure = True
        self.start_tls(side)

    async def do_login(self, tag: bytes, arguments: list[Value]) -> None:
        """Log in with a name and a password."""
        match arguments:
            case [bytes(name), bytes(password)]:
                credentials = ClearText(name=_text(name), password=_text(password))
            case _:
                raise IMAPSyntaxError("a name and a password are expected")
        await self._open(tag, credentials)

    async def do_authenticate(self, tag: bytes, arguments: list[Value]) -> None:
        """Log in with a SASL mechanism."""
        match arguments:
            case [bytes(mechanism)]:
                pass
            case _:
                raise IMAPSyntaxError("a mechanism is expected")
        try:
            exchange = Exchange(_text(mechanism), self._challenge)
        except SASLError as error:
            raise Refused(str(error)) from error
        self._ask(tag, exchange)

    def _challenge(self) -> str:
        self._challenges += 1
        stamp = f"{self._number}.{self._challenges}.{self.clock.time():.0f}"
        return f"<{stamp}@{self.office.name(self.local_ip)}>"

    def _ask(self, tag: bytes, exchange: Exchange) -> None:
        self._exchange = (tag, exchange)
        self.send(f"+ {exchange.line}\r\n".encode("ascii"))

    def _response(self, line: bytes) -> Doing:
        if self._exchange is None:
            return None
        (tag, exchange), self._exchange = self._exchange, None
        try:
            credentials = exchange.answer(line)
        except SASLError as error:
            self.tagged(tag, "BAD", str(error))
            return None
        if credentials is None:
            self._ask(tag, exchange)
            return None
        return self._open(tag, credentials)

    async def _open(self, tag: bytes, credentials: Credentials) -> None:
        peer = Peer(ip=self.remote_ip, local_ip=self.local_ip, secure=self.secure)
        try:
            login = await self.outside(
                self.office.access.login(credentials, service="IMAP", peer=peer)
            )
        except LoginRefused as refused:
            self.office.log.write(
                3, self._tag, f"login of {credentials.name} refused: {refused.text}"
            )
            self._failures += 1
            self.tagged(tag, "NO", _referral(refused) + refused.text)
            if refused.closes or self._failures >= LOGIN_LIMIT:
                self.close()
            return
        if self.lost:
            login.leave()
            return
        self._login = login
        self.touch()
        self.office.log.write(3, self._tag, f"{login.label} logged in from [{self.remote_ip}]")
        await self._alert(login)
        self.tagged(tag, "OK", "completed")

    # After the login

    async def do_select(self, tag: bytes, arguments: list[Value]) -> None:
        """Open a mailbox."""
        await self._select(tag, arguments, writable=True)

    async def do_examine(self, tag: bytes, arguments: list[Value]) -> None:
        """Open a mailbox and change nothing in it."""
        await self._select(tag, arguments, writable=False)

    async def _select(self, tag: bytes, arguments: list[Value], *, writable: bool) -> None:
        self._mailbox = None
        mailbox = OpenMailbox(session=self, name=_name(arguments), writable=writable)
        await mailbox.open(self._logged_in())
        self._mailbox = mailbox
        self.tagged(tag, "OK", f"[READ-{'WRITE' if writable else 'ONLY'}] completed")

    async def do_status(self, tag: bytes, arguments: list[Value]) -> None:
        """Tell numbers about a mailbox that need not be open."""
        match arguments:
            case [bytes(), [*items]] if items:
                pass
            case _:
                raise IMAPSyntaxError("a mailbox and a list of items are expected")
        mailbox = OpenMailbox(session=self, name=_name(arguments[:1]), writable=False)
        numbers = await mailbox.status(self._logged_in(), items)
        self.send(b"* STATUS " + quoted_name(mailbox.name) + b" (" + numbers + b")\r\n")
        self.tagged(tag, "OK", "completed")

    async def do_list(self, tag: bytes, arguments: list[Value]) -> None:
        """List the mailboxes that match a pattern."""
        match arguments:
            case [bytes(reference), bytes(pattern)]:
                wanted = mailbox_name(reference + pattern)
            case _:
                raise IMAPSyntaxError("a reference and a pattern are expected")
        if not wanted:
            self.send(b'* LIST (\\Noselect) "/" ""\r\n')
        account = self._logged_in().account
        names = await self.office.threads.run(account.mailbox_names)
        for name in names:
            if _matches(name, wanted):
                self.send(b'* LIST () "/" ' + quoted_name(name) + b"\r\n")
        self.tagged(tag, "OK", "completed")

    def _logged_in(self) -> Login:
        if self._login is None:
            raise IMAPSyntaxError("log in first")
        return self._login

    # Replies

    def tagged(self, tag: bytes, state: str, text: str) -> None:
        """End a command."""
        self.send(tag + f" {state} {' '.join(text.split())}\r\n".encode("utf-8", "replace"))

    def _untagged(self, state: str, text: str) -> None:
        self.send(f"* {state} {text}\r\n".encode("utf-8", "replace"))


class _Octets:
    """Takes a number of octets."""

    def __init__(self, size: int, take: Callable[[bytes], object]) -> None:
        self._size = size
        self._take = take
        self._octets = bytearray()

    def feed(self, octets: bytes) -> bytes | None:
        """Take octets; return what follows the last one."""
        missing = self._size - len(self._octets)
        self._octets += octets[:missing]
        if len(self._octets) < self._size:
            return None
        self._take(bytes(self._octets))
        return octets[missing:]


def _text(octets: bytes) -> str:
    return octets.decode("utf-8", "surrogateescape")


def _name(arguments: list[Value]) -> str:
    match arguments:
        case [bytes(name)] if name:
            text = mailbox_name(name)
            return "INBOX" if text.upper() == "INBOX" else text
        case _:
            raise IMAPSyntaxError("a mailbox name is expected")


def _matches(name: str, pattern: str) -> bool:
    """Match a mailbox name: ``*`` stands for anything, ``%`` for one level (RFC 3501, 6.3.8)."""
    parts = (
        ".*" if part == "*" else "[^/]*" if part == "%" else re.escape(part)
        for part in re.split(r"([*%])", pattern)
    )
    return re.fullmatch("".join(parts), name, re.DOTALL) is not None


def _referral(refused: LoginRefused) -> str:
    """Return the response code of a login referral (RFC 2221; Guide, IMAP Module)."""
    if not isinstance(refused, MovedElsewhere):
        return ""
    try:
        address = parse(refused.address)
    except RoutingError:
        return ""
    return f"[REFERRAL IMAP://{address.local};AUTH=*@{address.domain}/] "


Act = Callable[[IMAPSession, bytes, list[Value]], Awaitable[None]]

#: The commands of each state (RFC 3501, 6); those of SELECTED are in imap_mailbox.
ANYTIME: Mapping[bytes, Act] = {
    b"CAPABILITY": IMAPSession.do_capability,
    b"NOOP": IMAPSession.do_noop,
    b"LOGOUT": IMAPSession.do_logout,
}
BEFORE_LOGIN: Mapping[bytes, Act] = {
    b"STARTTLS": IMAPSession.do_starttls,
    b"LOGIN": IMAPSession.do_login,
    b"AUTHENTICATE": IMAPSession.do_authenticate,
}
AFTER_LOGIN: Mapping[bytes, Act] = {
    b"SELECT": IMAPSession.do_select,
    b"EXAMINE": IMAPSession.do_examine,
    b"STATUS": IMAPSession.do_status,
    b"LIST": IMAPSession.do_list,
}
SELECTED = frozenset(
    {b"CLOSE", b"UNSELECT", b"UID", b"CHECK", b"EXPUNGE", b"FETCH", b"SEARCH", b"STORE"}
)
