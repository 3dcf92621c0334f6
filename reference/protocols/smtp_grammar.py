"""The grammar of SMTP command lines: bytes in, frozen values or a :class:`Fault` out.

RFC 5321, 4.1 (commands and paths), RFC 1870 (SIZE), RFC 6152 (BODY), RFC 4954 (AUTH=), RFC 3461
(RET, ENVID, NOTIFY, ORCPT). Deviations, all generous: a path may stand without angle brackets and
after blanks, as in the dialogues of the Guide 3.5.2 (SMTP Module, Processing Mail from BlackListed
Addresses: ``MAIL FROM: user@host``); blanks around the colon and several blanks between parameters
are allowed. What stands inside a path is the Router's business; here it is only delimited. A line
with control characters is refused, so that nothing can be smuggled into a header or a log.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any


class Fault(Exception):  # noqa: N818 - the reply says that it is an error
    """A command line that is not understood; ``code`` and ``text`` make the reply."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(text)
        self.code = code
        self.text = text


@dataclass(frozen=True, slots=True)
class Command:
    """A command: its verb in capitals, and the rest of the line."""

    verb: str
    argument: str


@dataclass(frozen=True, slots=True)
class Mail:
    """The parameters of MAIL."""

    path: str
    """Empty for the null return path."""
    size: int | None = None
    """The declared size in octets."""
    body: str = ""
    auth: str = ""
    ret: str = ""
    envid: str = ""


@dataclass(frozen=True, slots=True)
class Rcpt:
    """The parameters of RCPT; ``orcpt`` without its xtext encoding."""

    path: str
    notify: str = ""
    orcpt: str = ""


_CONTROL = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")
_QUOTED = r'"(?:[^"\\]|\\.)*+"'
#: The inside of <…>: quoted strings hide a ">", a backslash hides the next character.
_BRACKETED = re.compile(rf'<((?:[^"<>\\]|{_QUOTED}|\\.)*+)>')
_BARE = re.compile(rf'(?:[^\s"<>\\]|{_QUOTED}|\\.)++')
#: A keyword with or without a value, as in ``SIZE=1000``.
_PARAMETER = re.compile(r"([A-Za-z0-9][A-Za-z0-9-]*)(?:=([^\s=]+))?")
_XTEXT = re.compile(r"(?:[!-*,-<>-~]|\+[0-9A-F]{2})*")
_XTEXT_CODE = re.compile(r"\+([0-9A-F]{2})")
_NOTIFY = {"SUCCESS", "FAILURE", "DELAY"}
_PATH_LIMIT = 1024


def parse_command(line: bytes) -> Command:
    """Read a command line without its end. Raises Fault."""
    if _CONTROL.search(line):
        raise Fault(500, "control characters in the command")
    verb, _, argument = line.decode("utf-8", "surrogateescape").replace("\t", " ").partition(" ")
    return Command(verb.upper(), argument.strip(" "))


def parse_mail(argument: str) -> Mail:
    """Read what follows MAIL. Raises Fault."""
    path, rest = _path(argument, "FROM", null=True)
    return Mail(path, **_parameters(rest, _MAIL_PARAMETERS))


def parse_rcpt(argument: str) -> Rcpt:
    """Read what follows RCPT. Raises Fault."""
    path, rest = _path(argument, "TO", null=False)
    return Rcpt(path, **_parameters(rest, _RCPT_PARAMETERS))


def xtext(text: str) -> str:
    """Take the xtext encoding off (RFC 3461, 4). Raises ValueError for bad text."""
    if not _XTEXT.fullmatch(text):
        raise ValueError("not xtext")
    return _XTEXT_CODE.sub(lambda match: chr(int(match[1], 16)), text)


def _path(argument: str, keyword: str, *, null: bool) -> tuple[str, str]:
    word, colon, rest = argument.partition(":")
    if not colon or word.strip().upper() != keyword:
        raise Fault(501, f"{keyword}:<address> expected")
    rest = rest.lstrip(" ")
    match = _BRACKETED.match(rest) or _BARE.match(rest)
    if match is None:
        raise Fault(501, f"{keyword}:<address> expected")
    path = match[1].strip(" ") if match.re is _BRACKETED else match[0]
    if not path and not null:
        raise Fault(501, "an address is expected")
    if len(path) > _PATH_LIMIT:
        raise Fault(501, "the address is too long")
    rest = rest[match.end() :]
    if rest and not rest.startswith(" "):
        raise Fault(501, "blank expected after the address")
    return path, rest


def _parameters(
    rest: str, known: Mapping[str, tuple[str, Callable[[str], object]]]
) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for word in rest.split():
        match = _PARAMETER.fullmatch(word)
        if match is None:
            raise Fault(501, "incorrect parameter syntax")
        keyword = match[1].upper()
        if keyword not in known:
            raise Fault(555, f"the parameter {keyword} is not supported")
        name, read = known[keyword]
        if name in values:
            raise Fault(501, f"the parameter {keyword} is given twice")
        try:
            values[name] = read(match[2] or "")
        except ValueError:
            raise Fault(501, f"incorrect value of the parameter {keyword}") from None
    return values


def _size(value: str) -> int:
    if not re.fullmatch(r"[0-9]{1,20}", value, re.ASCII):
        raise ValueError
    return int(value)


def _choice(*words: str) -> Callable[[str], str]:
    def read(value: str) -> str:
        if value.upper() not in words:
            raise ValueError
        return value.upper()

    return read


def _submitter(value: str) -> str:
    if not value:
        raise ValueError
    return "" if value == "<>" else _printable(xtext(value))


def _envid(value: str) -> str:
    if not value or len(value) > 100:
        raise ValueError
    return _printable(xtext(value))


def _notify(value: str) -> str:
    words = value.upper().split(",")
    if words != ["NEVER"] and not (set(words) <= _NOTIFY and len(set(words)) == len(words)):
        raise ValueError
    return ",".join(words)


def _orcpt(value: str) -> str:
    kind, semicolon, address = value.partition(";")
    if not semicolon or not kind or not address or len(value) > 500:
        raise ValueError
    if not re.fullmatch(r"[A-Za-z0-9-]+", kind):
        raise ValueError
    return f"{kind};{_printable(xtext(address))}"


def _printable(text: str) -> str:
    # A decoded CR LF would write its own line into a report's header.
    if not text.isprintable():
        raise ValueError
    return text


_MAIL_PARAMETERS: Mapping[str, tuple[str, Callable[[str], object]]] = {
    "SIZE": ("size", _size),
    "BODY": ("body", _choice("7BIT", "8BITMIME")),
    "AUTH": ("auth", _submitter),
    "RET": ("ret", _choice("FULL", "HDRS")),
    "ENVID": ("envid", _envid),
}
_RCPT_PARAMETERS: Mapping[str, tuple[str, Callable[[str], object]]] = {
    "NOTIFY": ("notify", _notify),
    "ORCPT": ("orcpt", _orcpt),
}
