"""A small world for Router tests: domains with accounts, and modules as the documents have them."""

from __future__ import annotations

from dataclasses import dataclass, field

from reference.kernel.address import ip_literal, percent_to_at
from reference.kernel.router import Router, RouterOptions
from reference.kernel.routes import Accept, Address, Rewrite, UnknownAccount
from reference.kernel.table import RoutingTable


@dataclass
class Domain:
    """A local domain: its names, addresses, accounts, and what else lives in it."""

    name: str
    is_main: bool = False
    aliases: tuple[str, ...] = ()
    ips: tuple[str, ...] = ()
    accounts: tuple[str, ...] = ()
    forwarders: dict[str, str] = field(default_factory=dict)
    lists: dict[str, str] = field(default_factory=dict)
    """List names with their owners."""
    unknown_to: str = ""


class Domains:
    """All local domains."""

    def __init__(self, main: Domain, *secondary: Domain) -> None:
        self.main = main
        self._all = (main, *secondary)

    def get(self, name: str) -> Domain | None:
        if not name:
            return self.main
        for domain in self._all:
            if name.lower() in (domain.name.lower(), *domain.aliases):
                return domain
        return None

    def by_address(self, ip: str) -> Domain | None:
        return next((domain for domain in self._all if ip in domain.ips), None)


class Local:
    """Takes .local addresses at once and those of local domains finally; knows forwarders."""

    name = "LOCAL"

    def __init__(self, domains: Domains) -> None:
        self._domains = domains

    def route(self, address: Address, *, final: bool) -> Accept | Rewrite | None:
        if address.domain.endswith(".local"):
            return Accept(address.domain.removesuffix(".local"), address.local)
        domain = self._domains.get(address.domain)
        if not final or domain is None:
            return None
        local = address.local.lower()
        if local in domain.forwarders:
            rule = f"forwarder {local}@{domain.name}"
            return Rewrite(domain.forwarders[local], rule, relay=True)
        if local in domain.accounts:
            return Accept(local if domain.is_main else f"{local}@{domain.name}", "")
        if domain.unknown_to:
            return Rewrite(domain.unknown_to.replace("*", address.local), "unknown", relay=True)
        raise UnknownAccount("unknown account")


class Lists:
    """Takes list addresses at once and leads listname-admin to the owner."""

    name = "LIST"

    def __init__(self, domains: Domains) -> None:
        self._domains = domains

    def route(self, address: Address, *, final: bool) -> Accept | Rewrite | None:
        domain = self._domains.get(address.domain)
        if final or domain is None:
            return None
        local = address.local.lower()
        if local in domain.lists:
            return Accept(f"{local}@{domain.name}", "")
        name, dash, _ = local.rpartition("-admin")
        if dash and name in domain.lists:
            return Rewrite(domain.lists[name], f"owner of {name}")
        return None


class Smtp:
    """Takes .smtp and ._via suffixes and IP addresses at once, names with a dot finally."""

    name = "SMTP"

    def route(self, address: Address, *, final: bool) -> Accept | None:
        for suffix in (".smtp", "._via"):
            if address.domain.endswith(suffix):
                host = address.domain.removesuffix(suffix)
                return Accept(host, percent_to_at(address.local))
        if ip_literal(address.domain):
            return Accept(address.domain, percent_to_at(address.local))
        if final and "." in address.domain and not address.domain.endswith(".uucp"):
            return Accept(address.domain, str(address))
        return None


def make_router(
    table: str = "", *, domains: Domains, settings: RouterOptions | None = None
) -> Router:
    """Build a Router over the three modules."""
    return Router(
        table=RoutingTable.parse(table),
        domains=domains,
        # LOCAL is asked first, to show that two passes make the order indifferent.
        modules=[Local(domains), Smtp(), Lists(domains)],
        settings=settings,
    )
