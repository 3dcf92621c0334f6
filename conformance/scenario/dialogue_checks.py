"""Dialogues that cannot match: what a reader of the text alone can tell.

A :class:`Conversation` follows one connection through the dialogues of a scenario and complains of
what no server could satisfy: a reply that nothing asked for, a command after QUIT, a code that the
protocol does not have. It keeps an upper bound of the replies that the server still owes, so that
pipelining, half lines and raw octets never make it complain without reason.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from conformance.scenario.complaints import suggest
from conformance.scenario.dialogue import (
    Authenticate,
    Drop,
    Event,
    ExchangeRoles,
    Expect,
    ExpectClose,
    ExpectRefused,
    ExpectSilence,
    ExpectTurnedAway,
    Line,
    Remark,
    Send,
    SendFile,
    StartTLS,
    unescape,
)
from conformance.scenario.patterns import substitute, variables_in

_DIGITS = r"[2-5]([0-9]{2}|[0-9]?\*)"
_CODES = {
    "smtp": re.compile(rf"{_DIGITS}(\|{_DIGITS})*"),
    "pwd": re.compile(rf"{_DIGITS}(\|{_DIGITS})*"),
    "pop": re.compile(r"\+OK|-ERR|\+", re.IGNORECASE),
    "imap": re.compile(r"\+|\* (OK|NO|BAD|BYE|PREAUTH)|[!-)+-~]+ (OK|NO|BAD)", re.IGNORECASE),
}
_CODE_HELP = {
    "smtp": "an SMTP reply has three digits, the first of them 2 to 5: S: 250, S: 5*",
    "pwd": "a PWD reply has three digits, the first of them 2 to 5: S: 200, S: 5*",
    "pop": "a POP3 reply is S: +OK or S: -ERR",
    "imap": "an IMAP reply is S: TAG OK (NO, BAD), S: * OK (BYE, PREAUTH) or S: +",
}
_GREETING = {"smtp": "S: 220", "pop": "S: +OK", "imap": "S: * OK", "pwd": "S: 200"}
_BREAK = re.compile(rb"\r\n|\r|\n")
_FINAL_DOT = re.compile(rb"(^|[\r\n])\.([\r\n]|$)")
_QUIT = {"smtp": "QUIT", "pop": "QUIT", "pwd": "QUIT", "imap": "LOGOUT"}
_TLS_COMMANDS = ("STARTTLS", "STLS")


class Mistake(NamedTuple):
    """What is wrong with a line of the file."""

    line: int
    text: str


Mistakes = Iterator[Mistake]


class Conversation:
    """One connection, as far as its dialogues tell."""

    def __init__(self, protocol: str, bound: set[str]) -> None:
        self.protocol = protocol
        self.ended = 0
        """The line that ended the connection; 0 while it is open."""
        self._bound = bound
        """Variables bound so far in the scenario; shared by all its conversations."""
        self._begun = False
        self._silent = True
        """True while nobody has said anything."""
        self._owed = 1
        self._awaiting = ["greeting"]
        """The commands whose replies are to come, oldest first."""
        self._exact = True
        """False once raw octets have made ``_awaiting`` a guess."""
        self._in_data = False
        self._answered = ""
        """The command whose success the last reply said."""
        self._last_reply = 0
        self._fresh_reply = False
        """True while nothing has followed the last reply."""
        self._tags: set[str] = set()

    @property
    def over(self) -> bool:
        """True once the connection is closed, or about to be after QUIT."""
        return bool(self.ended) or self._answered == "QUIT"

    def may_speak(self) -> None:
        """Note that the server may say something by itself (a time-out, a shutdown)."""
        self._owed += 1

    def follow(self, events: tuple[Event, ...]) -> Mistakes:
        """Follow some more lines; yield the line number and the text of each mistake."""
        for event in events:
            if isinstance(event, Remark):
                continue
            if self.ended:
                yield Mistake(
                    event.line,
                    f"the connection ended in line {self.ended}; nothing can follow on it",
                )
                return
            yield from self._step(event)
            self._begun = True
            self._silent = self._silent and isinstance(event, ExpectSilence)

    def _step(self, event: Event) -> Mistakes:
        match event:
            case Authenticate():
                yield from self._authenticate(event)
            case ExpectRefused() | ExpectTurnedAway():
                if self._begun:
                    yield Mistake(
                        event.line, "whether a connection is taken shows first; begin with it"
                    )
                self.ended = event.line
            case Expect():
                yield from self._expect(event)
            case Line():
                yield from self._line(event)
            case Send():
                yield from self._send(event)
            case SendFile():
                yield from self._send_file(event)
            case StartTLS():
                yield from self._tls(event)
            case ExchangeRoles():
                yield from self._turn(event)
            case ExpectClose() | Drop():
                self.ended = event.line

    # What the client does.

    def _send(self, event: Send) -> Mistakes:
        if not self._begun:
            yield Mistake(
                event.line,
                f"the server speaks first: begin with its greeting, {_GREETING[self.protocol]}",
            )
            self._owed, self._awaiting = 0, []
        elif self._answered == "QUIT":
            yield Mistake(
                event.line,
                f"the server has said good-bye in line {self._last_reply}; "
                "only --- close can follow",
            )
        yield from self._unbound(event.line, event.text)
        octets = unescape(substitute(event.text, _Anything())) + b"\r\n" * event.line_end
        self._fresh_reply = False
        self._exact = self._exact and event.line_end and octets.count(b"\r\n") == 1
        if self._in_data:
            if not _FINAL_DOT.search(octets):
                return
            self._in_data = False
            self._awaiting.append(".")
        else:
            self._awaiting.append(self._command(octets))
        self._owed += max(1, len(_BREAK.findall(octets)))

    def _command(self, octets: bytes) -> str:
        """Return the command word of a line, QUIT for the protocol's own way to say it."""
        words = octets.decode("latin-1").upper().split()
        if self.protocol == "imap" and words:
            self._tags.add(words.pop(0))
        word = words[0] if words else ""
        return "QUIT" if word == _QUIT[self.protocol] else word

    def _send_file(self, event: SendFile) -> Mistakes:
        if self.protocol not in ("smtp", "pop"):
            yield Mistake(
                event.line, "<<< sends a message with a final dot, as smtp and pop alone have it"
            )
        elif not self._in_data and self._exact:
            before = "C: DATA and S: 354" if self.protocol == "smtp" else "C: XTND XMIT and S: +OK"
            yield Mistake(
                event.line, f"<<< sends the data of a message; put {before} right before it"
            )
        self._in_data = self._fresh_reply = False
        self._awaiting.append(".")
        self._owed += 1

    def _authenticate(self, event: Authenticate) -> Mistakes:
        if self.protocol not in ("smtp", "pop"):
            yield Mistake(event.line, "--- auth is for smtp and pop alone; write the exchange out")
        yield from self._send(Send(event.line, f"AUTH {event.method}"))
        yield from self._unbound(event.line, f"{event.name} {event.password}")

    def _tls(self, event: StartTLS) -> Mistakes:
        if self._silent:
            return
        if self._answered not in _TLS_COMMANDS and self._exact:
            command = "STLS" if self.protocol == "pop" else "STARTTLS"
            yield Mistake(event.line, f"--- tls follows a positive reply to {command}")
        self._fresh_reply, self._answered = False, ""

    def _turn(self, event: ExchangeRoles) -> Mistakes:
        if self._answered not in ("ATRN", "TURN") and self._exact:
            yield Mistake(event.line, "--- turn follows a positive reply to ATRN or TURN")
        self.ended = event.line

    # What the server does.

    def _expect(self, event: Expect) -> Mistakes:
        if event.code != "*" and not _CODES[self.protocol].fullmatch(event.code):
            yield Mistake(event.line, f"“{event.code}” cannot come: {_CODE_HELP[self.protocol]}")
        elif self._in_data and event.code.startswith("2"):
            yield Mistake(event.line, "the message has no end yet; put C: . before this line")
        elif self._owed <= 0 and not event.code.startswith(("421", "* ")):
            yield Mistake(
                event.line,
                f"nothing was sent since the reply in line {self._last_reply}, "
                "so no reply can come; a multi-line reply is one S: line (S+ for its lines)",
            )
        else:
            yield from self._impossible(event)
        if event.pattern:
            yield from self._unbound(event.line, event.pattern.text)
            if not event.text_only:
                self._bound.update(event.pattern.groups())
        self._owed = max(0, self._owed - 1)
        self._note_reply(event)

    def _impossible(self, event: Expect) -> Mistakes:
        """Yield what is wrong with a code that the protocol has, but not here."""
        command = self._awaiting[0] if self._awaiting else ""
        if self.protocol == "imap":
            tag = event.code.split()[0].upper()
            if tag not in ("*", "+") and tag not in self._tags and self._exact:
                yield Mistake(
                    event.line,
                    f"no command with the tag “{event.code.split()[0]}” was sent; "
                    "write the tag in the command too, as C: a NOOP",
                )
        elif self.protocol == "smtp" and self._exact:
            if event.code == "354" and command != "DATA":
                yield Mistake(event.line, "354 is the reply to DATA alone; send C: DATA before it")
            elif command == "greeting" and event.code in ("250", "354"):
                yield Mistake(
                    event.line, f"“{event.code}” is no greeting; write {_GREETING['smtp']}"
                )

    def _note_reply(self, event: Expect) -> None:
        command = self._awaiting.pop(0) if self._awaiting else ""
        good = event.code[:1] == "2" or event.code.upper().endswith("OK")
        self._answered = command if good and self._exact else ""
        takes_message = (command == "DATA" and event.code[:1] == "3") or (
            # XTND XMIT takes a message as DATA does.
            self.protocol == "pop" and command == "XTND" and good
        )
        # A message that was sent before this reply is no longer told from commands.
        self._in_data = takes_message and not self._awaiting
        self._exact = self._exact and not (takes_message and self._awaiting)
        self._last_reply = event.line
        self._fresh_reply = True

    def _line(self, event: Line) -> Mistakes:
        mark = "S+" if event.present else "S-"
        if not self._last_reply:
            yield Mistake(event.line, f"{mark} looks at the last reply, and there is none yet")
        elif not self._fresh_reply:
            yield Mistake(event.line, f"{mark} looks at a reply; put it right after the S: line")
        yield from self._unbound(event.line, event.pattern.text)
        if event.present:
            self._bound.update(event.pattern.groups())

    def _unbound(self, line: int, text: str) -> Mistakes:
        for name in variables_in(text):
            if name not in self._bound:
                hint = suggest(name, self._bound)
                yield Mistake(
                    line,
                    f"nothing binds ${name} before this line{hint or ''}; bind it with "
                    f"/(?P<{name}>…)/ in an S: line, or write $$ for a dollar sign",
                )


class _Anything(dict[str, str]):
    """Variables of which every one is bound, for looking at a line's shape."""

    def __missing__(self, key: str) -> str:
        return "x"
