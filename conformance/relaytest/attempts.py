"""The known ways to make a server relay for a stranger, as tables.

Each attempt is one SMTP session that ends before DATA: nothing is ever sent through the host. The
ways come from the documents' Protection chapter (complex addresses, two-server relays, rerouted
addresses) and from what relay testers have tried for decades: every form that nmap's
``smtp-open-relay`` knows is among them, Exchange's encapsulated addresses, and commands that a
server should believe from its own proxies only.

In the tables ``{victim}`` at ``{foreign}`` is the address that must not be reached, ``{server}`` a
domain of the server and ``{ip}`` its address.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass


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
    stranger: str = "stranger@elsewhere.example"
    """The usual return path."""

    @property
    def local_name(self) -> str:
        """A path in the server's domain that no server has."""
        return f"<mailproof.no.such.name@{self.server}>"


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One way: what to say before RCPT, and the recipient."""

    name: str
    recipient: str
    """What stands behind ``RCPT TO:``, brackets and parameters included."""
    sender: str
    """What stands behind ``MAIL FROM:``."""
    helo: str = "stranger.example"
    before: tuple[str, ...] = ()
    """Commands between EHLO and MAIL; their replies do not matter (a failed AUTH, say)."""
    between: tuple[str, ...] = ()
    """Commands between MAIL and RCPT; likewise."""
    local: bool = False
    """The recipient is in one of the server's own domains, or in none: a server that takes every
    local name accepts it, and what it does with it cannot be told from outside."""


#: What the way is called, the return path. The recipient is the victim.
_SENDERS = (
    ("a stranger's return path", "<{stranger}>"),
    ("the null return path", "<>"),
    ("a return path without a domain", "<stranger>"),
    ("a return path in the server's domain", "<postmaster@{server}>"),
    ("an unknown return path in the server's domain", "<mailproof.no.such.name@{server}>"),
    ("a return path at the server's IP address", "<stranger@[{ip}]>"),
    ("a return path at localhost", "<stranger@localhost>"),
    ("the victim's own return path", "<{victim}@{foreign}>"),
    ("a return path vouched for by AUTH=", "<{stranger}> AUTH=postmaster@{server}"),
)

#: What the way is called, the recipient's path, whether it is local.
_RECIPIENTS = (
    ("a path without angle brackets", "{victim}@{foreign}", False),
    ("a domain with a last dot", "<{victim}@{foreign}.>", False),
    ("a quoted local part", '<"{victim}"@{foreign}>', False),
    # Complex addresses
    ("percent through the server", "<{victim}%{foreign}@{server}>", True),
    ("percent through the IP literal", "<{victim}%{foreign}@[{ip}]>", True),
    ("percent through the bare IP address", "<{victim}%{foreign}@{ip}>", True),
    ("percent through localhost", "<{victim}%{foreign}@localhost>", True),
    ("percent without a domain", "<{victim}%{foreign}>", True),
    ("two percents", "<{victim}%{foreign}%{server}@{server}>", True),
    ("percent, and a domain with a last dot", "<{victim}%{foreign}@{server}.>", True),
    ("bang path", "<{foreign}!{victim}>", True),
    ("bang path through the server", "<{foreign}!{victim}@{server}>", True),
    ("bang path through the IP literal", "<{foreign}!{victim}@[{ip}]>", True),
    ("bang path that begins with the server", "<{server}!{foreign}!{victim}>", True),
    ("bang path and percent", "<{foreign}!{victim}%{server}@{server}>", True),
    ("quoted address", '<"{victim}@{foreign}">', True),
    ("quoted percent", '<"{victim}%{foreign}">', True),
    ("quoted address at the server", '<"{victim}@{foreign}"@{server}>', True),
    ("quoted address at the IP literal", '<"{victim}@{foreign}"@[{ip}]>', True),
    ("quoted percent at the server", '<"{victim}%{foreign}"@{server}>', True),
    ("an escaped at sign", "<{victim}\\@{foreign}@{server}>", True),
    ("two at signs", "<{victim}@{foreign}@{server}>", True),
    ("two at signs, IP literal", "<{victim}@{foreign}@[{ip}]>", True),
    ("source route", "<@{server}:{victim}@{foreign}>", False),
    ("source route through the IP literal", "<@[{ip}]:{victim}@{foreign}>", False),
    ("source route through localhost", "<@localhost:{victim}@{foreign}>", False),
    ("source route with two hops", "<@{server},@relay.{foreign}:{victim}@{foreign}>", False),
    ("source route through another host", "<@relay.{foreign}:{victim}@{foreign}>", False),
    ("source route before a percent", "<@{server}:{victim}%{foreign}@{server}>", True),
    ("encapsulated address", "<IMCEASMTP-{victim}+40{foreign}@{server}>", True),
    # Two-server relays: this server hands it to another one, which trusts it.
    ("two-server relay", "<{victim}%{foreign}@relay.{foreign}>", False),
    ("two-server relay, quoted", '<"{victim}@{foreign}"@relay.{foreign}>', False),
    ("two-server relay, bang path", "<{foreign}!{victim}@relay.{foreign}>", False),
    # Addresses instead of domains
    ("IP literal of another host", "<{victim}@[192.0.2.200]>", False),
    ("IPv6 literal of another host", "<{victim}@[IPv6:2001:db8::200]>", False),
    ("bare IP address of another host", "<{victim}@192.0.2.200>", False),
    ("IP address of another host as a number", "<{victim}@#3221226184>", False),
    # Guide 3.5.2, Router and SMTP Module: names that mean something to this family of servers
    ("the .smtp suffix", "<{victim}%{foreign}@{foreign}.smtp>", False),
    ("the .smtp suffix with a port", "<{victim}%{foreign}@{foreign}.25.smtp>", False),
    ("the ._via suffix", "<{victim}%{foreign}@{foreign}._via>", False),
    ("the ._via suffix on an IP address", "<{victim}%{foreign}@192.0.2.200._via>", False),
    ("the .smtp suffix through the server", "<{victim}%{foreign}.smtp@{server}>", True),
    ("the domain blacklisted", "<{victim}%{foreign}@blacklisted>", False),
)

_WRONG = "AG1haWxwcm9vZi5uby5zdWNoLm5hbWUAd3Jvbmc="  # NUL mailproof.no.such.name NUL wrong
_WRONG_NAME, _WRONG_WORD = "bWFpbHByb29mLm5vLnN1Y2gubmFtZQ==", "d3Jvbmc="
_EMPTY = "AAA="  # NUL NUL

#: What the way is called, commands before MAIL, commands between MAIL and RCPT.
_CIRCUMSTANCES = (
    ("after a failed AUTH PLAIN", (f"AUTH PLAIN {_WRONG}",), ()),
    ("after a failed AUTH LOGIN", ("AUTH LOGIN", _WRONG_NAME, _WRONG_WORD), ()),
    ("after a failed AUTH CRAM-MD5", ("AUTH CRAM-MD5", _WRONG_NAME), ()),
    ("after an abandoned AUTH", ("AUTH LOGIN", "*"), ()),
    ("after AUTH with an empty name and password", (f"AUTH PLAIN {_EMPTY}",), ()),
    ("after XCLIENT", ("XCLIENT ADDR=127.0.0.1 NAME=localhost", "EHLO localhost"), ()),
    ("after XFORWARD", ("XFORWARD ADDR=127.0.0.1 NAME=localhost",), ()),
    (
        "after a transaction that was reset",
        ("MAIL FROM:<postmaster@{server}>", "RCPT TO:<postmaster@{server}>", "RSET"),
        (),
    ),
    ("after a local recipient", (), ("RCPT TO:<postmaster@{server}>",)),
)

#: What the way is called, the name behind EHLO.
_GREETINGS = (
    ("EHLO with the server's name", "{server}"),
    ("EHLO with the server's IP address", "[{ip}]"),
    ("EHLO localhost", "localhost"),
    ("EHLO 127.0.0.1", "[127.0.0.1]"),
)


def attempts(names: Names) -> Iterator[Attempt]:
    """Return every way to be tried, the plain ones first."""
    words = asdict(names)
    victim, stranger = f"<{names.victim}@{names.foreign}>", f"<{names.stranger}>"

    def filled(text: str) -> str:
        return text.format_map(words)

    for name, sender in _SENDERS:
        yield Attempt(name=name, recipient=victim, sender=filled(sender))
    for name, path, local in _RECIPIENTS:
        yield Attempt(name=name, recipient=filled(path), sender=stranger, local=local)
    for name, helo in _GREETINGS:
        yield Attempt(name=name, recipient=victim, sender=stranger, helo=filled(helo))
    for name, before, between in _CIRCUMSTANCES:
        yield Attempt(
            name=name,
            recipient=victim,
            sender=stranger,
            before=tuple(filled(command) for command in before),
            between=tuple(filled(command) for command in between),
        )
    yield Attempt(
        name="behind the server's name in ORCPT",
        recipient=f"{victim} ORCPT=rfc822;postmaster@{names.server}",
        sender=stranger,
    )
