"""Reading mail with POP3: one session.

Guide 3.5.2, POP Module; RFC 1939, 1734 (AUTH), 2449 (CAPA), 2595 (STLS). A session sees the
messages that were there when it logged in, by the same numbers to its end; new ones show in the
next session. One that another session has removed stays in the list with the size 0 and cannot be
retrieved. Nothing is locked, and DELE only marks: what is marked is removed by QUIT, and by nothing
else.

A login name may name another mailbox (``private#john``). In a unified account, a user with a local
part of his own sees the messages whose envelope recipients field names it.

Everything that touches a mailbox file runs in a thread. XTND XMIT is in
:mod:`reference.protocols.pop_xmit`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from twisted.python.failure import Failure

from reference.kernel.access import (
    Access,
    ClearText,
    Credentials,
    Digest,
    Login,
    LoginRefused,
    Peer,
)
from reference.kernel.clock import Clock
from reference.kernel.quota_alerts import QuotaAlerts
from reference.kernel.work import Work
from reference.protocols.line import CommandProtocol, Doing
from reference.protocols.message_view import names_recipient, top
from reference.protocols.pop_xmit import Submission, SubmissionRefused, Submitter
from reference.protocols.sasl import MECHANISMS, Exchange, SASLError
from reference.protocols.smtp_data import stuffed
from reference.protocols.smtp_replies import ServerStrings
from reference.protocols.tls import Side, no_tls
from reference.storage.errors import MessageGone, StorageError
from reference.storage.mbox import Mailbox, StoredMessage
from reference.storage.mbox_format import Flag

T = TypeVar("T")

#: Seconds without a command after which a session is closed (RFC 1939, 3).
IDLE_LIMIT = 600.0
#: Logins that may fail in one session.
LOGIN_LIMIT = 10
#: Octets that are written at a time.
BLOCK = 65536


class Log(Protocol):
    """The System Log."""

    def write(self, level: int, tag: str, text: str, /) -> object:
        """Write a record."""

    def on(self, tag: str, level: int, /) -> bool:
        """Tell whether a component's records of a level are wanted."""


class SettingsReader(Protocol):
    """The part of the settings that POP needs."""

    def get(self, module: str, keyword: str, /) -> Any:
        """Return the typed value of a setting."""


class Threads(Protocol):
    """Runs what touches files."""

    def run(self, call: Callable[[], T], /) -> Awaitable[T]:
        """Call in a thread; gives the result."""


@dataclass(frozen=True, kw_only=True)
class PostOffice:
    """The neighbours of the POP sessions."""

    access: Access
    submitter: Submitter
    settings: SettingsReader
    strings: ServerStrings
    name: Callable[[str], str]
    """The domain name of one of the server's addresses."""
    threads: Threads
    clock: Clock
    work: Work
    log: Log
    tls: Callable[[str], Side | None] = no_tls
    """What secures connections to a server address; None: nothing does."""
    """A context factory for STLS; None without a certificate."""
    alerts: QuotaAlerts | None = None


class Refused(Exception):  # noqa: N818 - an answer, not a fault
    """A command that cannot be done; ``str()`` is the text of the -ERR."""


class POPSession(CommandProtocol):
    """One connection of a client."""

    def __init__(self, *, office: PostOffice, number: int, secure: bool = False) -> None:
        """``number`` names the session in the log; ``secure``: TLS from the start (port 995)."""
        super().__init__(clock=office.clock, work=office.work)
        self._office = office
        self._number = number
        self._tag = f"POP-{number:05d}"
        self._talk = office.log.on("POP", 4)
        self.secure = secure
        self._timestamp = ""
        self._user = ""
        self._failures = 0
        self._exchange: Exchange | None = None
        self._login: Login | None = None
        self._mailbox: Mailbox | None = None
        self._messages: Sequence[StoredMessage] = ()
        self._deleted: set[int] = set()
        self._submission: Submission | None = None

    # The line protocol

    def timeout(self) -> float:
        """Return the seconds that the client may be silent."""
        return IDLE_LIMIT

    def greet(self) -> Doing:
        """Send the prompt with the timestamp of APOP."""
        office = self._office
        office.log.write(4, self._tag, f"connected from [{self.remote_ip}]")
        self._timestamp = f"<{self._number}.{self.clock.time():.0f}@{office.name(self.local_ip)}>"
        self._ok(f"{office.strings.text('POPPrompt')} {self._timestamp}")
        return None

    def command(self, line: bytes) -> Doing:
        """Do one command, or take one response of an AUTH exchange."""
        if self._exchange is not None:
            return self._auth_response(self._exchange, line)
        text = line.decode("utf-8", "surrogateescape")
        word, _, argument = text.partition(" ")
        verb = word.upper()
        verbs = BEFORE_LOGIN if self._login is None else AFTER_LOGIN
        act = ALWAYS.get(verb) or verbs.get(verb)
        if self._talk:
            shown = verb if verb in _SECRET else f"{verb} {argument}"
            self._office.log.write(4, self._tag, f"cmd: {shown if act else 'not recognized'}")
        try:
            if act is None:
                known = verb in BEFORE_LOGIN or verb in AFTER_LOGIN
                raise Refused("not now" if known else "the command is not recognized")
            if not text.isprintable() and verb != "PASS":
                raise Refused("control characters in the command")
            doing = act(self, argument)
        except Refused as refused:
            self._error(str(refused))
            return None
        return None if doing is None else self._answered(doing)

    async def _answered(self, doing: Awaitable[None]) -> None:
        try:
            await doing
        except Refused as refused:
            self._error(str(refused))
        except StorageError as error:
            self._office.log.write(2, self._tag, error.text)
            self._error(error.text)

    def line_too_long(self) -> None:
        """Answer a line that is too long."""
        self._exchange = None
        self._error("the line is too long")

    def timed_out(self) -> None:
        """Say goodbye to a silent client; nothing is deleted."""
        self._error("the session was idle for too long")

    def broken(self, failure: Failure) -> None:
        """Answer a fault of the server."""
        self._office.log.write(1, self._tag, f"fault: {failure.getTraceback()}")
        self._error("internal error, closing connection")

    def ended(self) -> None:
        """Give back what the session holds."""
        if self._submission is not None:
            self._submission.abort()
        if self._login is not None:
            self._login.leave()
        self._office.log.write(4, self._tag, "disconnected")

    # Before the login

    def _do_user(self, argument: str) -> Doing:
        if not argument.strip():
            raise Refused("a name is expected")
        self._user = argument.strip()
        # Whether the name exists is not told before the password is right.
        self._ok(", send pass", blank=False)
        return None

    def _do_pass(self, argument: str) -> Doing:
        if not self._user:
            raise Refused("USER first")
        name, self._user = self._user, ""
        return self._open(ClearText(name=name, password=argument))

    def _do_apop(self, argument: str) -> Doing:
        name, blank, digest = argument.strip().rpartition(" ")
        if not blank:
            raise Refused("a name and a digest are expected")
        return self._open(
            Digest(name=name, method="APOP", challenge=self._timestamp, response=digest)
        )

    def _do_auth(self, argument: str) -> Doing:
        if not argument.strip():  # the "empty AUTH" of some mailers
            self._lines("", MECHANISMS)
            return None
        mechanism, _, initial = argument.strip().partition(" ")
        try:
            exchange = Exchange(mechanism, lambda: self._timestamp)
            if not initial:
                self._challenge(exchange)
                return None
            credentials = exchange.initial(initial.encode("utf-8", "replace"))
        except SASLError as error:
            raise Refused(str(error)) from error
        if credentials is None:
            self._challenge(exchange)
            return None
        return self._open(credentials)

    def _auth_response(self, exchange: Exchange, line: bytes) -> Doing:
        self._exchange = None
        try:
            credentials = exchange.answer(line)
        except SASLError as error:
            self._error(str(error))
            return None
        if credentials is None:
            self._challenge(exchange)
            return None
        return self._answered(self._open(credentials))

    def _challenge(self, exchange: Exchange) -> None:
        self._exchange = exchange
        self.send(f"+ {exchange.line}\r\n".encode("ascii"))

    async def _open(self, credentials: Credentials) -> None:
        peer = Peer(ip=self.remote_ip, local_ip=self.local_ip, secure=self.secure)
        try:
            login = await self.outside(
                self._office.access.login(credentials, service="POP", peer=peer)
            )
        except LoginRefused as refused:
            self._refuse_login(credentials.name, refused)
            return
        if self.lost:
            login.leave()
            return
        try:
            alert = await self._alert(login)
            if alert:
                self._error(f"ALERT: {alert}")
                login.leave()
                return
            mailbox = login.account.mailbox(login.mailbox or "INBOX")
            self._messages = await self._office.threads.run(lambda: self._view(mailbox, login))
        except StorageError:
            login.leave()
            raise
        if self.lost:
            login.leave()
            return
        self._login, self._mailbox = login, mailbox
        self._office.log.write(3, self._tag, f"{login.label} logged in from [{self.remote_ip}]")
        self._ok(f"{len(self._messages)} message(s)")

    async def _alert(self, login: Login) -> str:
        """Return an alert that the user has to see first; empty without one."""
        alerts, account = self._office.alerts, login.account
        if alerts is None or not alerts.wanted(account):
            return ""
        over = await self._office.threads.run(lambda: alerts.is_over(account))
        return alerts.text(account) if over else ""

    def _refuse_login(self, name: str, refused: LoginRefused) -> None:
        self._office.log.write(3, self._tag, f"login of {name} refused: {refused.text}")
        self._failures += 1
        self._error(refused.text)
        if refused.closes or self._failures >= LOGIN_LIMIT:
            self.close()

    def _view(self, mailbox: Mailbox, login: Login) -> Sequence[StoredMessage]:
        """Return the messages that the session shows; runs in a thread."""
        messages = mailbox.messages()
        if not login.real_to:
            return messages
        field = str(self._office.settings.get("LOCAL", "EnvelopeRecipientsField"))
        return [
            message
            for message in messages
            if names_recipient(mailbox.read(message), field, login.real_to)
        ]

    # After the login

    def _do_stat(self, argument: str) -> Doing:
        return self._stat()

    async def _stat(self) -> None:
        sizes = await self._sizes()
        self._ok(f"{len(sizes)} {sum(sizes.values())}")

    def _do_list(self, argument: str) -> Doing:
        return self._list(argument)

    async def _list(self, argument: str) -> None:
        sizes = await self._sizes()
        if argument.strip():
            number = self._number_of(argument)
            self._ok(f"{number} {sizes[number]}")
            return
        self._lines(
            f"{len(sizes)} message(s)", [f"{number} {size}" for number, size in sizes.items()]
        )

    def _do_uidl(self, argument: str) -> Doing:
        if argument.strip():
            number = self._number_of(argument)
            self._ok(f"{number} {self._messages[number - 1].uid}")
            return None
        self._lines("", [f"{number} {message.uid}" for number, message in self._shown()])
        return None

    def _do_retr(self, argument: str) -> Doing:
        return self._retrieve(self._number_of(argument), None)

    def _do_top(self, argument: str) -> Doing:
        number, _, count = argument.strip().partition(" ")
        if not (count.strip().isascii() and count.strip().isdigit() and len(count.strip()) < 10):
            raise Refused("a message number and a number of lines are expected")
        return self._retrieve(self._number_of(number), int(count))

    async def _retrieve(self, number: int, lines: int | None) -> None:
        message, mailbox = self._messages[number - 1], self._open_mailbox()

        def read() -> bytes:
            octets = mailbox.read(message)
            if lines is None and Flag.SEEN not in message.flags:
                mailbox.change_flags(message.uid, add=Flag.SEEN)
            return octets

        try:
            octets = await self._office.threads.run(read)
        except MessageGone as gone:
            raise Refused("the message has been deleted") from gone
        if lines is not None:
            octets = top(octets, lines)
        if octets and not octets.endswith(b"\r\n"):
            octets += b"\r\n"
        self._ok(f"{len(octets)} octets" if lines is None else "")
        octets = stuffed(octets)
        for start in range(0, len(octets), BLOCK):
            if not await self.stream(octets[start : start + BLOCK]):
                return
        self.send(b".\r\n")

    def _do_dele(self, argument: str) -> Doing:
        number = self._number_of(argument)
        self._deleted.add(number)
        self._ok("marked")
        return None

    def _do_rset(self, argument: str) -> Doing:
        self._deleted.clear()
        self._ok(f"{len(self._messages)} message(s)")
        return None

    def _do_xtnd(self, argument: str) -> Doing:
        if argument.strip().upper() != "XMIT":
            raise Refused("XTND XMIT is the only extension")
        login = self._login
        if login is None:
            raise Refused("log in first")
        self._submission = Submission(
            submitter=self._office.submitter,
            account=login.label,
            ip=self.remote_ip,
            local_ip=self.local_ip,
        )
        self._ok("send the message, end with . on a line by itself")
        self.read_with(self._submission.reader, self._submitted)
        return None

    def _submitted(self) -> Doing:
        submission, self._submission = self._submission, None
        return None if submission is None else self._answered(self._submit(submission))

    async def _submit(self, submission: Submission) -> None:
        try:
            name = await submission.finish()
        except SubmissionRefused as refused:
            raise Refused(refused.text) from refused
        self._ok(f"{name} message accepted")

    # At any time

    def _do_noop(self, argument: str) -> Doing:
        self._ok()
        return None

    def _do_capa(self, argument: str) -> Doing:
        lines = ["TOP", "UIDL", "USER", "PIPELINING", f"SASL {' '.join(MECHANISMS)}", "XTND XMIT"]
        if not self.secure and self._office.tls(self.local_ip) is not None:
            lines.append("STLS")
        self._lines("capabilities follow", lines)
        return None

    def _do_stls(self, argument: str) -> Doing:
        side = None if self.secure else self._office.tls(self.local_ip)
        if side is None:
            raise Refused("TLS is not available")
        self._ok("begin TLS negotiation")
        self._user = ""
        self.secure = True
        self.start_tls(side)
        return None

    def _do_quit(self, argument: str) -> Doing:
        return self._quit()

    async def _quit(self) -> None:
        mailbox = self._mailbox
        doomed = [self._messages[number - 1].uid for number in sorted(self._deleted)]
        self._deleted.clear()
        if self._login is not None:
            self._login.leave()  # the address begins to expire now, however long the line lingers
        try:
            if mailbox is not None and doomed:
                await self._office.threads.run(lambda: mailbox.delete(doomed))
            self._ok("bye-bye")
        except StorageError as error:
            self._office.log.write(2, self._tag, error.text)
            self._error(f"some messages are not deleted: {error.text}")
        self.close()

    # Numbers and replies

    def _shown(self) -> list[tuple[int, StoredMessage]]:
        return [
            (number, message)
            for number, message in enumerate(self._messages, 1)
            if number not in self._deleted
        ]

    async def _sizes(self) -> dict[int, int]:
        """Return number and size of each message; 0 for one that others have removed."""
        present = {m.uid for m in await self._office.threads.run(self._open_mailbox().messages)}
        return {
            number: message.size if message.uid in present else 0
            for number, message in self._shown()
        }

    def _number_of(self, argument: str) -> int:
        text = argument.strip()
        if not (text.isascii() and text.isdigit() and len(text) < 10):
            raise Refused("a message number is expected")
        number = int(text)
        if not 1 <= number <= len(self._messages):
            raise Refused("there is no such message")
        if number in self._deleted:
            raise Refused("the message is marked as deleted")
        return number

    def _open_mailbox(self) -> Mailbox:
        if self._mailbox is None:
            raise Refused("log in first")
        return self._mailbox

    def _ok(self, text: str = "", *, blank: bool = True) -> None:
        line = f"+OK{' ' if text and blank else ''}{text}"
        self.send(f"{line}\r\n".encode("utf-8", "surrogateescape"))
        if self._talk:
            self._office.log.write(4, self._tag, f"rsp: {line}")

    def _error(self, text: str) -> None:
        line = f"-ERR {' '.join(text.split())}"
        self.send(f"{line}\r\n".encode("utf-8", "surrogateescape"))
        if self._talk:
            self._office.log.write(4, self._tag, f"rsp: {line}")

    def _lines(self, text: str, lines: Sequence[str]) -> None:
        self._ok(text)
        self.send("".join(f"{line}\r\n" for line in (*lines, ".")).encode("utf-8"))


#: Commands whose parameters the log must not show.
_SECRET = frozenset({"PASS", "AUTH", "APOP"})

Act = Callable[[POPSession, str], Doing]

#: Commands in any state, before the login, and after it (RFC 1939: AUTHORIZATION, TRANSACTION).
ALWAYS: Mapping[str, Act] = {
    "QUIT": POPSession._do_quit,
    "CAPA": POPSession._do_capa,
}
BEFORE_LOGIN: Mapping[str, Act] = {
    "USER": POPSession._do_user,
    "PASS": POPSession._do_pass,
    "APOP": POPSession._do_apop,
    "AUTH": POPSession._do_auth,
    "STLS": POPSession._do_stls,
}
AFTER_LOGIN: Mapping[str, Act] = {
    "STAT": POPSession._do_stat,
    "LIST": POPSession._do_list,
    "UIDL": POPSession._do_uidl,
    "RETR": POPSession._do_retr,
    "TOP": POPSession._do_top,
    "DELE": POPSession._do_dele,
    "RSET": POPSession._do_rset,
    "NOOP": POPSession._do_noop,
    "XTND": POPSession._do_xtnd,
}
