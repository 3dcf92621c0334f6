"""The known ways to make a server relay for a stranger, as a table.

Each attempt is one SMTP session that ends before DATA: nothing is ever sent through the host. The
ways come from the documents' Protection chapter (complex addresses, two-server relays, rerouted
addresses) and from what relay testers have tried for decades.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Names:
    """The names that the attempts are made of."""

    server: str
    """A domain of the server under test, as it calls itself."""
    ip: str
    """Its IP address."""
    victim: str
    """Local part of the address that must not be reached."""
    foreign: str
    """The domain of that address; nothing of the server's."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """One way: what to say before RCPT, and the recipient."""

    name: str
    recipient: str
    """The path as it stands behind ``RCPT TO:``, brackets included."""
    sender: str = "<stranger@elsewhere.example>"
    helo: str = "stranger.example"
    before: tuple[str, ...] = ()
    """Commands between EHLO and MAIL whose replies do not matter (a failed AUTH, say)."""
    local: bool = False
    """The recipient looks like a local address, so a server that takes any local name takes it."""


def attempts(names: Names) -> Iterator[Attempt]:
    """Return every way to be tried, the plain ones first."""
    yield from _senders(names)
    yield from _complex_addresses(names)
    yield from _special_domains(names)
    yield from _after_something(names)


def _senders(n: Names) -> Iterator[Attempt]:
    target = f"<{n.victim}@{n.foreign}>"
    for name, sender in (
        ("a stranger's return path", "<stranger@elsewhere.example>"),
        ("the null sender", "<>"),
        ("a return path without a domain", "<stranger>"),
        ("a return path in the server's domain", f"<postmaster@{n.server}>"),
        ("an unknown return path in the server's domain", f"<no.such.user@{n.server}>"),
        ("a return path at the server's IP address", f"<stranger@[{n.ip}]>"),
        ("a return path at localhost", "<stranger@localhost>"),
        ("the victim's own return path", target),
    ):
        yield Attempt(name, target, sender=sender)
    yield Attempt("a path without angle brackets", f" {n.victim}@{n.foreign}")
    yield Attempt("a domain with a last dot", f"<{n.victim}@{n.foreign}.>")


def _complex_addresses(n: Names) -> Iterator[Attempt]:
    victim, foreign, server, ip = n.victim, n.foreign, n.server, n.ip
    for name, path, local in (
        ("percent through the server", f"<{victim}%{foreign}@{server}>", True),
        ("percent through the IP literal", f"<{victim}%{foreign}@[{ip}]>", True),
        ("percent through the bare IP address", f"<{victim}%{foreign}@{ip}>", True),
        ("percent through localhost", f"<{victim}%{foreign}@localhost>", True),
        ("percent without a domain", f"<{victim}%{foreign}>", True),
        ("two percents", f"<{victim}%{foreign}%{server}@{server}>", True),
        ("bang path", f"<{foreign}!{victim}>", True),
        ("bang path through the server", f"<{foreign}!{victim}@{server}>", True),
        ("bang path that begins with the server", f"<{server}!{foreign}!{victim}>", True),
        ("bang path through the IP literal", f"<{foreign}!{victim}@[{ip}]>", True),
        ("quoted address", f'<"{victim}@{foreign}">', True),
        ("quoted percent", f'<"{victim}%{foreign}">', True),
        ("quoted address at the server", f'<"{victim}@{foreign}"@{server}>', True),
        ("quoted address at the IP literal", f'<"{victim}@{foreign}"@[{ip}]>', True),
        ("quoted local part", f'<"{victim}"@{foreign}>', False),
        ("two at signs", f"<{victim}@{foreign}@{server}>", True),
        ("two at signs, IP literal", f"<{victim}@{foreign}@[{ip}]>", True),
        ("source route", f"<@{server}:{victim}@{foreign}>", True),
        ("source route through the IP literal", f"<@[{ip}]:{victim}@{foreign}>", True),
        ("source route with two hops", f"<@{server},@{foreign}:{victim}@{foreign}>", True),
        ("source route through another host", f"<@relay.{foreign}:{victim}@{foreign}>", False),
        ("two-server relay", f"<{victim}%{foreign}@relay.{foreign}>", False),
        ("two-server relay, quoted", f'<"{victim}@{foreign}"@relay.{foreign}>', False),
    ):
        yield Attempt(name, path, local=local)


def _special_domains(n: Names) -> Iterator[Attempt]:
    for name, path in (
        ("an IP literal of another host", f"<{n.victim}@[192.0.2.200]>"),
        ("a bare IP address of another host", f"<{n.victim}@192.0.2.200>"),
        ("the .smtp suffix", f"<{n.victim}%{n.foreign}@{n.foreign}.smtp>"),
        ("the .smtp suffix with a port", f"<{n.victim}%{n.foreign}@{n.foreign}.25.smtp>"),
        ("the ._via suffix", f"<{n.victim}%{n.foreign}@{n.foreign}._via>"),
        ("the .smtp suffix through the server", f"<{n.victim}%{n.foreign}.smtp@{n.server}>"),
        ("the domain blacklisted", f"<{n.victim}%{n.foreign}@blacklisted>"),
    ):
        yield Attempt(name, path)


def _after_something(n: Names) -> Iterator[Attempt]:
    target = f"<{n.victim}@{n.foreign}>"
    yield Attempt("HELO with the server's name", target, helo=n.server)
    yield Attempt("HELO with the server's IP address", target, helo=f"[{n.ip}]")
    yield Attempt("HELO localhost", target, helo="localhost")
    wrong = "AG5vLnN1Y2gudXNlcgB3cm9uZw=="  # \0no.such.user\0wrong
    yield Attempt("after a failed AUTH PLAIN", target, before=(f"AUTH PLAIN {wrong}",))
    yield Attempt(
        "after a failed AUTH LOGIN", target, before=("AUTH LOGIN", "bm8uc3VjaC51c2Vy", "d3Jvbmc=")
    )
    yield Attempt("after an abandoned AUTH", target, before=("AUTH LOGIN", "*"))
    yield Attempt(
        "behind an accepted recipient's DSN parameter",
        f"{target} ORCPT=rfc822;postmaster@{n.server}",
    )
    yield Attempt(
        "after a transaction that was reset",
        target,
        before=(f"MAIL FROM:<postmaster@{n.server}>", f"RCPT TO:<postmaster@{n.server}>", "RSET"),
    )
