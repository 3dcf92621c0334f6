"""When outgoing SMTP connections are secured, and what the other side must show for it.

Guide 3.5.2, SMTP Module, Secure (encrypted) Message Relaying. For a domain that is listed in Send
Encrypted the relay must offer STARTTLS, and its certificate must be in force and name the domain or
the relay; else mail for the domain is rejected. The forwarding server's certificate may bear any
name. Where it is merely possible, a connection that cannot be secured is used all the same.

The documents name no list of trusted authorities, so who issued a certificate is not asked.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from cryptography.x509 import Certificate, DNSName, ExtensionNotFound, SubjectAlternativeName
from cryptography.x509.oid import NameOID
from OpenSSL import SSL
from twisted.internet.interfaces import IOpenSSLClientConnectionCreator
from zope.interface import implementer

#: The port on which TLS begins with the connection.
SECURE_PORT = 465


class Listed:
    """The names of Send Encrypted, in which ``*`` stands for anything."""

    def __init__(self, names: Iterable[str]) -> None:
        self._pattern = re.compile(
            "|".join(
                ".*".join(map(re.escape, name.strip().lower().split("*")))
                for name in names
                if name.strip()
            )
            or "(?!)"
        )

    def __contains__(self, name: str) -> bool:
        return self._pattern.fullmatch(name.lower()) is not None


@dataclass(frozen=True, slots=True)
class Security:
    """What is asked of a connection."""

    required: bool = False
    """Nothing of a message goes out before TLS is up."""
    wanted: bool = False
    """TLS is tried where it is offered."""
    names: tuple[str, ...] | None = None
    """The certificate must bear one of these; None: any."""


class Insecure(Exception):  # noqa: N818 - it is what the sender is told
    """A connection cannot be as secure as is demanded."""


def complaint(certificate: Certificate | None, names: Collection[str], now: float) -> str:
    """Return what is wrong with a certificate, or nothing."""
    if certificate is None:
        return "it has shown no certificate"
    moment = datetime.fromtimestamp(now, UTC)
    if moment < certificate.not_valid_before_utc:
        return "its certificate is not valid yet"
    if moment > certificate.not_valid_after_utc:
        return "its certificate has expired"
    borne = set(certificate_names(certificate))
    if not any(bears(own, name) for own in borne for name in names):
        return (
            f"its certificate is issued to {', '.join(sorted(borne)) or 'nobody'}, "
            f"not to {' or '.join(names)}"
        )
    return ""


def certificate_names(certificate: Certificate) -> Iterator[str]:
    """Return the host names of a certificate: its Common Names and what newer ones have instead."""
    for attribute in certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME):
        yield str(attribute.value).lower()
    try:
        others = certificate.extensions.get_extension_for_class(SubjectAlternativeName)
    except (ExtensionNotFound, ValueError):
        return
    for name in others.value.get_values_for_type(DNSName):
        yield name.lower()


def bears(own: str, name: str) -> bool:
    """Tell whether a certificate's name stands for a host name; ``*.`` is one label."""
    own, name = own.lower().rstrip("."), name.lower().rstrip(".")
    if own.startswith("*."):
        label, dot, rest = name.partition(".")
        return bool(label and dot) and rest == own[2:]
    return own == name


@implementer(IOpenSSLClientConnectionCreator)
class ClientTLS:
    """Makes the client's side of TLS connections; ``host`` is whom we say to look for."""

    def __init__(self, context: SSL.Context, host: str) -> None:
        self._context = context
        self._host = host

    def clientConnectionForTLS(self, protocol: Any) -> SSL.Connection:
        """Return a connection; called by Twisted."""
        connection = SSL.Connection(self._context, None)
        if self._host and not re.fullmatch(r"[0-9.]+", self._host):
            connection.set_tlsext_host_name(self._host.encode("idna"))
        return connection


def client_context() -> SSL.Context:
    """Return a context that takes any certificate: it is judged when it is known."""
    context = SSL.Context(SSL.TLS_CLIENT_METHOD)
    context.set_min_proto_version(SSL.TLS1_VERSION)
    context.set_verify(SSL.VERIFY_NONE, lambda *_: True)
    return context
