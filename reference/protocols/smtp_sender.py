"""Who sends: what is checked of the HELO name and the return path of incoming mail, and for whom.

Four checks, each for nobody, for hosts that are no clients, or for everybody:

=====================  ==================================================  =====================
setting                what is asked                                       what comes of it
=====================  ==================================================  =====================
(always)               is a name of a local domain known there?            550
VerifyReturnPath       :mod:`reference.transport.return_path`              550, or 451 for now
ReverseConnect         :mod:`reference.transport.reverse_connect`          550, or 451 for now
CheckSPF               :mod:`reference.transport.spf`                      550, 451, or a mark
=====================  ==================================================  =====================

Verify HELO and Return-Path also looks up the HELO name; what it finds is marked in the Received
field and refuses nobody: the name is no address to which anything goes back. A blacklisted host is
not checked: its recipients are refused anyway, and nothing may stand before the white hole. Who has
logged in is known, and needs neither a server of his own nor an entry in somebody's SPF record.

Guide 3.5.2, Protection, Return-Path Address Verification, and SMTP Module, Receiving Messages;
Admin article, Reception, Header Checks.
"""

from __future__ import annotations

import enum
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Protocol

from reference.kernel.address import ip_literal
from reference.transport.return_path import SenderRefused
from reference.transport.spf import SPFResult


class Audience(enum.Enum):
    """For whom an option holds."""

    NOBODY = "nobody"
    NON_CLIENTS = "non-clients"
    EVERYBODY = "everybody"

    @classmethod
    def of(cls, word: object) -> Audience:
        """Return the audience that a setting's word means."""
        return cls(str(word).strip().lower())

    def includes(self, *, client: bool) -> bool:
        """Tell whether the option holds for a client or non-client address."""
        return self is Audience.EVERYBODY or (self is Audience.NON_CLIENTS and not client)


@dataclass(frozen=True, slots=True, kw_only=True)
class SenderOptions:
    """The settings of the SMTP module that concern senders."""

    verify: Audience = Audience.NOBODY
    reverse_connect: Audience = Audience.NOBODY
    spf: Audience = Audience.NOBODY

    @classmethod
    def read(cls, get: Callable[[str], Any]) -> SenderOptions:
        """Read the present settings; ``get`` gives a keyword's value."""
        return cls(
            verify=Audience.of(get("VerifyReturnPath")),
            reverse_connect=Audience.of(get("ReverseConnect")),
            spf=Audience.of(get("CheckSPF")),
        )

    @property
    def any(self) -> bool:
        """Tell whether anything is checked for anybody."""
        return {self.verify, self.reverse_connect, self.spf} != {Audience.NOBODY}


@dataclass(frozen=True, slots=True, kw_only=True)
class SendingHost:
    """The host at the other end, as far as the checks need it."""

    ip: str
    helo: str
    client: bool
    authenticated: bool
    blacklisted: bool


class ReturnPaths(Protocol):
    """Verification of return paths, see :mod:`reference.transport.return_path`."""

    def check_local(self, path: str, /) -> None:
        """Refuse an unknown name of a local domain. Raises SenderRefused."""

    def foreign(self, path: str, /) -> str | None:
        """Return the domain of a path that the Router does not know. Raises SenderRefused."""

    def verify(self, path: str, /) -> Awaitable[None]:
        """Verify a path. Raises SenderRefused."""


class ReverseConnect(Protocol):
    """Questions to senders' servers, see :mod:`reference.transport.reverse_connect`."""

    def verify(self, path: str, domain: str, /) -> Awaitable[None]:
        """Ask the domain's server about a path. Raises SenderRefused."""


class SPFCheck(Protocol):
    """Evaluation of SPF records, see :mod:`reference.transport.spf`."""

    def evaluate(self, *, ip: str, sender: str, helo: str) -> Awaitable[SPFResult]:
        """Return what the sender's domain says."""


class Names(Protocol):
    """What is asked of the Domain Name System; what cannot be had is an empty list."""

    def a(self, name: str, /, *, quick: bool = False) -> Awaitable[list[str]]:
        """Return the addresses of a name, or none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SenderChecks:
    """The checks."""

    paths: ReturnPaths
    reverse: ReverseConnect
    spf: SPFCheck
    names: Names

    def check_local(self, path: str) -> None:
        """Make the check that is always made. Raises SenderRefused."""
        self.paths.check_local(path)

    async def check(self, path: str, host: SendingHost, options: SenderOptions) -> SPFResult | None:
        """Make the checks that hold for the host; return what SPF says if it was asked.

        Raises SenderRefused.
        """
        if host.blacklisted:
            return None
        if options.verify.includes(client=host.client):
            await self.paths.verify(path)
        if host.authenticated:
            return None
        if options.reverse_connect.includes(client=host.client):
            domain = self.paths.foreign(path)
            if domain is not None:
                await self.reverse.verify(path, domain)
        if not options.spf.includes(client=host.client):
            return None
        result = await self.spf.evaluate(ip=host.ip, sender=path, helo=host.helo)
        if result.result == "fail":
            raise SenderRefused(f"SPF: [{host.ip}] is no sender of this domain")
        if result.result == "temperror":
            raise SenderRefused(f"the SPF record cannot be checked now: {result.text}", later=True)
        return result

    async def helo_holds(self, name: str, ip: str) -> bool:
        """Tell whether a HELO name leads to the host that says it; non-qualified ones do not."""
        literal = ip_literal(name)
        if literal is not None:
            return literal[0] == ip
        return "." in name.strip(".") and ip in await self.names.a(name, quick=True)


def refusal_reply(path: str, refused: SenderRefused) -> tuple[int, str]:
    """Return the reply to a MAIL command whose sender is refused."""
    again = ", try again later" if refused.later else ""
    return (451 if refused.later else 550), f"{path or '<>'} {refused.text}{again}"
