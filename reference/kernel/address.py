"""E-mail addresses: from the text of an envelope to local part and domain part, and back.

Guide 3.5.2, Router, Domain and Local Parts of E-mail Addresses; RFC 822, Address Specification.
The domain part is the system that a message goes to next, the local part is what that system gets:

====================  ===================  ==========
text                  local part           domain
====================  ===================  ==========
``xxxx@yyyyy``        ``xxxx``             ``yyyyy``
``<@a,@b:x@c>``       ``x%c%b``            ``a``
``a!b!c!user``        ``user%c%b``         ``a``
``user%b@a``          ``user%b``           ``a``
``a!b@c``             ``b%a``              ``c``
``user%a``            ``user``             ``a``
``user``              ``user``             (empty)
====================  ===================  ==========

So one notation is left, the percent notation, and with an empty domain part the rightmost percent
sign counts as an at sign. A percent sign or exclamation mark without a name on both sides separates
nothing: it is a plain symbol of a local part.

Comments and white space that RFC 822 allows are dropped. A quoted string loses its quotation marks
if it means the same without them; a quoted local part, or a quoted piece of a path, is never taken
apart, whatever stands in it. The domain part is put into lower case, the local part is not.

Nothing here knows a domain, a table or a DNS record.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from reference.kernel.iplist import dotted, ipv4
from reference.kernel.routes import Address, RoutingError

__all__ = [
    "AddressSyntaxError",
    "Path",
    "bare_ip",
    "canonical_domain",
    "fold",
    "ip_literal",
    "is_domain",
    "is_simple_local",
    "parse",
    "parse_path",
    "percent_to_at",
    "unwrap",
]

MAX_LENGTH = 1024

# RFC 822, 3.3: an atom has neither specials nor space nor control symbols. Octets above 127 are
# allowed (RFC 6531), and so are dots at any place, which many systems hand out.
_ATOM = r'[^\x00-\x20\x7f()<>@,;:\\"\[\]]+'
_TOKEN = re.compile(
    rf"""(?P<space>[ \t\r\n]+)
      |(?P<atom>{_ATOM})
      |(?P<quoted>"(?:[^"\\\x00\r\n]|\\[^\x00\r\n])*")
      |(?P<literal>\[[^\[\]\\\x00-\x20\x7f]*\])
      |(?P<mark>[@,:<>])""",
    re.VERBOSE,
)
# What needs no quotation marks: words and dots (RFC 822, 6.1), without the route marks % and !.
_PLAIN_WORD = re.compile(
    r'[^\x00-\x20\x7f()<>@,;:\\"\[\]%!.]+(?:\.[^\x00-\x20\x7f()<>@,;:\\"\[\]%!.]+)*'
)
_SIMPLE = re.compile(
    r'<?([^\x00-\x20\x7f()<>@,;:\\"\[\]%!]+)@([a-z0-9_-]+(?:\.[a-z0-9_-]+)*)>?', re.IGNORECASE
)
# U+E000 stands for the wildcard symbol of a Routing Table record while the record is parsed.
_DOMAIN = re.compile(r"[\w\-\udc80-\udcff\ue000]+(?:\.[\w\-\udc80-\udcff\ue000]+)*")
_LITERAL_IP = re.compile(r"\[([0-9.]+)(?::([0-9]{1,5}))?\]")
_QUOTED_PAIR = re.compile(r"\\(.)", re.DOTALL)
_COMMENT_MARK = re.compile(r"\\.|[()]", re.DOTALL)


class AddressSyntaxError(RoutingError):
    """A text is no address; ``column`` (from 1) is where it stops being one, ``reason`` is why."""

    def __init__(self, reason: str, address: str, column: int) -> None:
        super().__init__(f"{reason}, in column {column}", address)
        self.reason = reason
        self.column = column


@dataclass(frozen=True, slots=True)
class Path:
    """An address with what its text tells beyond it."""

    address: Address
    simple: bool
    """One route and no quotation marks (Guide 3.5.2, Protection, Relay to Clients)."""


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    text: str
    column: int
    spaced: bool
    """White space or a comment stands before it."""


def parse(text: str) -> Address:
    """Parse an address with or without angle brackets.

    Raises AddressSyntaxError.
    """
    return parse_path(text).address


def parse_path(text: str) -> Path:
    """Parse an address and tell whether it is simple. Raises AddressSyntaxError."""
    match = _SIMPLE.fullmatch(text)
    if match is not None and (text[0] == "<") == (text[-1] == ">") and len(text) <= MAX_LENGTH:
        return Path(Address(match[1], match[2].lower()), simple=True)
    return _Parser(text).path()


def unwrap(local: str) -> Address:
    """Divide a local part whose domain part is empty: its rightmost % becomes the @.

    Without a name on both sides of the percent sign, or within quotation marks, nothing changes.
    """
    if "%" in local:
        head, _, tail = local.rpartition("%")
        if head and is_domain(tail):
            return Address(head, canonical_domain(tail))
    return Address(local, "")


def percent_to_at(local: str) -> str:
    """Return a local part as the address that it stands for: its rightmost % becomes the @.

    Guide 3.5.2, SMTP Module, Routing: what a module does before it accepts an address that it sends
    without its domain part.
    """
    address = unwrap(local)
    return f"{address.local}@{local.rpartition('%')[2]}" if address.domain else local


def is_domain(text: str) -> bool:
    """Tell whether a text can be a domain part: names with dots, or a literal in brackets."""
    if text.startswith("["):
        token = _TOKEN.fullmatch(text)
        return token is not None and token.lastgroup == "literal" and len(text) > 2
    return _DOMAIN.fullmatch(text) is not None


def is_simple_local(local: str) -> bool:
    """Tell whether a local part holds no route, not even one within quotation marks."""
    return not ("%" in local or "@" in local or "!" in local)


def bare_ip(domain: str) -> str | None:
    """Return the literal ``[a.b.c.d]`` for a domain part ``a.b.c.d``, None for other ones."""
    number = ipv4(domain)
    return None if number is None else f"[{dotted(number)}]"


def ip_literal(domain: str) -> tuple[str, int | None] | None:
    """Take ``[a.b.c.d]`` or ``[a.b.c.d:port]`` apart; None for other domain parts.

    Guide 3.5.2, SMTP Module, Sending to Non-Standard Ports.
    """
    match = _LITERAL_IP.fullmatch(domain)
    number = ipv4(match[1]) if match is not None else None
    if match is None or number is None:
        return None
    port = int(match[2]) if match[2] else None
    if port is not None and not 0 < port < 65536:
        return None
    return dotted(number), port


def fold(text: str) -> str:
    """Return a text in lower case with the same length, for comparisons by position."""
    lower = text.lower()
    if len(lower) == len(text):
        return lower
    return "".join(small if len(small := symbol.lower()) == 1 else symbol for symbol in text)


def canonical_domain(text: str) -> str:
    """Return a domain part in lower case; an IP address in brackets without leading zeros."""
    literal = ip_literal(text)
    if literal is None:
        return text.lower()
    ip, port = literal
    return f"[{ip}]" if port is None else f"[{ip}:{port}]"


class _Parser:
    """One pass over the tokens of an address."""

    def __init__(self, text: str) -> None:
        self.text = text
        if len(text) > MAX_LENGTH:
            raise self.error(f"the address is longer than {MAX_LENGTH} symbols", MAX_LENGTH + 1)
        self.tokens = self.scan()
        self.at = 0

    def error(self, reason: str, column: int) -> AddressSyntaxError:
        shown = self.text if len(self.text) <= 80 else self.text[:77] + "..."
        return AddressSyntaxError(reason, shown, column)

    def scan(self) -> list[_Token]:
        text = self.text
        tokens: list[_Token] = []
        at, spaced = 0, False
        while at < len(text):
            if text[at] == "(":
                at, spaced = self.end_of_comment(at), True
                continue
            match = _TOKEN.match(text, at)
            if match is None:
                raise self.error(self.refusal(text[at]), at + 1)
            if match.lastgroup == "space":
                spaced = True
            else:
                tokens.append(_Token(str(match.lastgroup), match[0], at + 1, spaced))
                spaced = False
            at = match.end()
        tokens.append(_Token("end", "", len(text) + 1, spaced))
        return tokens

    @staticmethod
    def refusal(symbol: str) -> str:
        if symbol == '"':
            return "a quotation mark is not closed"
        if symbol == "[":
            return "a bracket is not closed"
        shown = symbol if symbol.isprintable() else f"code {ord(symbol)}"
        return f"unexpected symbol {shown}"

    def end_of_comment(self, start: int) -> int:
        depth = 0
        for mark in _COMMENT_MARK.finditer(self.text, start):
            depth += {"(": 1, ")": -1}.get(mark[0], 0)
            if not depth:
                return mark.end()
        raise self.error("a comment is not closed", start + 1)

    def take(self, *marks: str) -> bool:
        """Take the next token if it is one of the marks."""
        token = self.tokens[self.at]
        if token.kind == "mark" and token.text in marks:
            self.at += 1
            return True
        return False

    def path(self) -> Path:
        bracketed = self.take("<")
        address = self.route_address()
        if bracketed and not self.take(">"):
            raise self.unexpected("a closing >")
        if self.tokens[self.at].kind != "end":
            raise self.unexpected("the end of the address")
        quoted = any(token.kind == "quoted" for token in self.tokens)
        return Path(address, simple=not quoted and is_simple_local(address.local))

    def unexpected(self, expected: str) -> AddressSyntaxError:
        token = self.tokens[self.at]
        shown = token.text or "the end"
        return self.error(f"expected {expected}, not {shown}", token.column)

    def route_address(self) -> Address:
        hops: list[str] = []
        while self.take("@"):
            hops.append(self.domain())
            while self.take(","):
                pass
        if hops and not self.take(":"):
            raise self.unexpected(": after the route")
        address = self.simple_address()
        for hop in reversed(hops):
            local = f"{address.local}%{address.domain}" if address.domain else address.local
            address = Address(local, hop)
        return address

    def simple_address(self) -> Address:
        start = self.tokens[self.at].column
        local = _local_part(self, self.words())
        if not local:
            raise self.error("the address has no local part", start)
        if self.take("@"):
            return Address(local, self.domain())
        return unwrap(local)

    def words(self) -> list[_Token]:
        """Take the tokens of a local part or a domain; blanks may stand beside dots alone."""
        first = self.at
        while self.tokens[self.at].kind in ("atom", "quoted", "literal"):
            token = self.tokens[self.at]
            if self.at > first and token.spaced:
                before = self.tokens[self.at - 1].text
                if not before.endswith(".") and not token.text.startswith("."):
                    raise self.error("a blank stands within the address", token.column)
            self.at += 1
        return self.tokens[first : self.at]

    def domain(self) -> str:
        tokens = self.words()
        text = "".join(token.text for token in tokens)
        if not text:
            raise self.unexpected("a domain name")
        # A name that is qualified down to the root of the DNS means the same without its last dot.
        text = text.removesuffix(".")
        if not is_domain(text):
            raise self.error(f"{text} is not a domain name", tokens[0].column)
        return canonical_domain(text)


def _local_part(parser: _Parser, tokens: list[_Token]) -> str:
    """Return the percent notation of the words of a local part."""
    pieces: list[str] = []
    marks: list[str] = []
    piece: list[_Token] = []
    for token in tokens:
        if token.kind != "atom":
            piece.append(token)
            continue
        for part in re.split("([%!])", token.text):
            if part in ("%", "!"):
                pieces.append(_piece(parser, piece))
                marks.append(part)
                piece = []
            elif part:
                piece.append(_Token("atom", part, token.column, token.spaced))
    pieces.append(_piece(parser, piece))
    if pieces[0].startswith("[") and marks[:1] != ["!"]:
        raise parser.error("an address in brackets is no local part", tokens[0].column)
    return _percent_notation(pieces, marks)


def _piece(parser: _Parser, tokens: list[_Token]) -> str:
    """Join the words between two route marks, quoted if they must be."""
    text = "".join(
        _QUOTED_PAIR.sub(r"\1", token.text[1:-1]) if token.kind == "quoted" else token.text
        for token in tokens
    )
    for token in tokens:
        if token.kind == "literal" and len(tokens) > 1:
            raise parser.error("brackets stand within a name", token.column)
    quoted = any(token.kind == "quoted" for token in tokens)
    if not quoted or _PLAIN_WORD.fullmatch(text):
        return text
    return _quoted(text)


def _quoted(text: str) -> str:
    return '"' + re.sub(r'(["\\])', r"\\\1", text) + '"'


def _percent_notation(pieces: list[str], marks: list[str]) -> str:
    """Turn a leading bang path into percent signs: ``a!b!user%c`` is ``user%b%a%c``."""
    bangs = len(marks) - len("".join(marks).lstrip("!"))
    path = pieces[: bangs + 1]
    if bangs and path[-1] and all(is_domain(hop) for hop in path[:-1]):
        pieces = path[::-1] + pieces[bangs + 1 :]
        marks = ["%"] * bangs + marks[bangs:]
    return pieces[0] + "".join(mark + piece for mark, piece in zip(marks, pieces[1:], strict=True))
