"""The SPF check: may this host send mail of that domain?

The domain publishes a TXT record with the addresses of its senders, RFC 7208. The language of these
records, its limits and its macros are the library's, pyspf; what it wants to know of the Domain
Name System comes from this server's own resolver. The library asks while it works and cannot wait:
so an evaluation that lacks an answer is given up, the question is asked, and the evaluation begins
again with one answer more. Evaluations are short and have no effects; few answers are needed.

The explanation that a domain may publish for its refusals is not fetched: it is a stranger's text.

Admin article, Reception, Header Checks. What comes of a result is decided in
:mod:`reference.protocols.smtp_sender`.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable
from dataclasses import dataclass
from typing import Any, Protocol

import spf

from reference.transport.dnr import DNSFailure, NoData, NoSuchName
from reference.transport.patience import OutOfTime, Patience

#: Seconds for all questions of one check (RFC 7208, 4.6.4).
WHOLE_TIME = 20.0
#: Questions of one check: ten mechanisms, each with a few names.
MAX_QUESTIONS = 50

_REVERSED = re.compile(r"((?:[0-9]{1,3}\.){4})in-addr\.arpa", re.IGNORECASE)
_UNSAFE = re.compile(r"[^ -~]|[\"\\]")


class Resolver(Protocol):
    """The part of the Domain Name Resolver that is needed."""

    def txt(self, name: str, /) -> Awaitable[list[str]]:
        """Return the texts of a name."""

    def mx(self, name: str, /) -> Awaitable[list[tuple[int, str]]]:
        """Return the MX records of a name."""

    def a(self, name: str, /) -> Awaitable[list[str]]:
        """Return the addresses of a host."""

    def ptr(self, ip: str, /) -> Awaitable[list[str]]:
        """Return the names of an address."""


@dataclass(frozen=True, slots=True)
class SPFResult:
    """What a domain says about a sender (RFC 7208, 2.6)."""

    result: str
    """``pass``, ``fail``, ``softfail``, ``neutral``, ``none``, ``temperror`` or ``permerror``."""
    text: str
    """Why, in a few words."""
    ip: str
    sender: str
    helo: str

    def field(self, host: str) -> bytes:
        """Return the Received-SPF field with its line ends (RFC 7208, 9.1)."""
        return (
            f"Received-SPF: {self.result} ({_safe(host)}: {_comment(self.text)})\r\n"
            f'  client-ip={self.ip}; envelope-from="{_safe(self.sender)}";\r\n'
            f'  helo="{_safe(self.helo)}"\r\n'
        ).encode("ascii", "replace")


class SPFCheck:
    """Evaluates senders' records."""

    def __init__(self, *, resolver: Resolver, patience: Patience) -> None:
        self._resolver = resolver
        self._patience = patience

    async def evaluate(self, *, ip: str, sender: str, helo: str) -> SPFResult:
        """Return what the sender's domain says; for the null sender, what the HELO name says."""
        try:
            checking = self._evaluate(ip, sender, helo)
            result, text = await self._patience.limited(WHOLE_TIME, checking)
        except OutOfTime as error:
            result, text = "temperror", str(error)
        return SPFResult(result, text, ip, sender, helo)

    async def _evaluate(self, ip: str, sender: str, helo: str) -> tuple[str, str]:
        answers: dict[tuple[str, str], list[Any] | DNSFailure] = {}
        while len(answers) <= MAX_QUESTIONS:
            try:
                result, _, text = _Evaluation(answers, i=ip, s=sender, h=helo).check()
            except _Missing as missing:
                answers[missing.question] = await self._answer(*missing.question)
            else:
                return str(result), str(text)
        return "permerror", "the record leads to too many questions"

    async def _answer(self, name: str, kind: str) -> list[Any] | DNSFailure:
        """Return records as the library wants them; none for kinds that are not looked up."""
        resolver = self._resolver
        try:
            match kind:
                case "TXT":
                    return [(text.encode("utf-8"),) for text in await resolver.txt(name)]
                case "MX":
                    return list(await resolver.mx(name))
                case "A":
                    return list(await resolver.a(name))
                case "PTR" if reverse := _REVERSED.fullmatch(name):
                    octets = reverse[1].rstrip(".").split(".")
                    return list(await resolver.ptr(".".join(reversed(octets))))
        except (NoData, NoSuchName):
            return []
        except DNSFailure as failure:
            return failure
        return []


class _Missing(Exception):  # noqa: N818 - a question, not a fault
    """The evaluation needs an answer that it does not have yet."""

    def __init__(self, name: str, kind: str) -> None:
        super().__init__(name, kind)
        self.question = (name, kind)


class _Evaluation(spf.query):  # type: ignore[misc]  # the library has no types
    """The library's evaluation over known answers instead of its own resolver."""

    def __init__(
        self, answers: dict[tuple[str, str], list[Any] | DNSFailure], *, i: str, s: str, h: str
    ) -> None:
        super().__init__(i=i, s=s, h=h)
        self._answers = answers

    def dns(self, name: Any, qtype: str, cnames: Any = None, ignore_void: bool = False) -> Any:
        """Return the records of a name; called by the library."""
        name = str(name).rstrip(".").lower()
        if not name or not all(0 < len(label) < 64 for label in name.split(".")):
            return []
        if (name, qtype) not in self._answers:
            raise _Missing(name, qtype)
        found = self._answers[name, qtype]
        if isinstance(found, DNSFailure):
            raise spf.TempError(f"DNS {found}")
        if not found and not ignore_void:
            self.void_lookups += 1
            if self.void_lookups > spf.MAX_VOID_LOOKUPS:
                raise spf.PermError(f"more than {spf.MAX_VOID_LOOKUPS} questions in vain")
        return list(found)


def _safe(text: str) -> str:
    return _UNSAFE.sub("?", text)


def _comment(text: str) -> str:
    return re.sub(r"[()]", " ", _safe(text))
