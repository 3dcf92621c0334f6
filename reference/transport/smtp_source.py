"""By which of the server's addresses a message leaves.

Guide 3.5.2, Domains, Relaying via a Dedicated IP Address: the domain's setting Use IP Address is
``any`` (the operating system chooses), ``first`` (the first address assigned to the domain) or
``same`` (the one at which the message was received, if it is assigned to the domain).

A message is a domain's if it was generated in it or received for it: the domain of the account that
authenticated, else of the return path, else of the address at which it was received.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from reference.queue.envelope import Envelope


class Domain(Protocol):
    """A local domain, as it is asked here."""

    def get(self, keyword: str, /) -> Any:
        """Return a setting."""


class Domains(Protocol):
    """The server's domains."""

    def get(self, name: str, /) -> Domain | None:
        """Return a domain by its name or an alias."""

    def by_address(self, ip: str, /) -> Domain | None:
        """Return the domain that a server address belongs to."""

    def addresses_of(self, domain: Any, /) -> Sequence[str]:
        """Return the addresses assigned to a domain."""


def source_address(envelope: Envelope, domains: Domains) -> str:
    """Return the server address by which a message must leave, or nothing."""
    domain = _domain_of(envelope, domains)
    if domain is None:
        return ""
    use = domain.get("RelayAddress")
    if use == "any":
        return ""
    assigned = domains.addresses_of(domain)
    if use == "first":
        return assigned[0] if assigned else ""
    received_at = envelope.source.local_ip
    return received_at if received_at in assigned else ""


def _domain_of(envelope: Envelope, domains: Domains) -> Domain | None:
    if envelope.source.account:  # without a domain it is one of the Main Domain
        return domains.get(envelope.source.account.partition("@")[2])
    name = envelope.return_path.rpartition("@")[2]
    domain = domains.get(name) if name else None
    if domain is not None:
        return domain
    received_at = envelope.source.local_ip
    return domains.by_address(received_at) if received_at else None
