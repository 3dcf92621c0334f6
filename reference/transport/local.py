"""The Local Delivery module's part in routing.

Guide 3.5.2, Local Delivery Module, Routing, Routing to Unknown Accounts, and Unified Domain-Wide
Accounts. On the first call the module takes

- ``abcdef@nnnnn.local``: the Main Domain's account ``nnnnn``, which gets everybody's mail;
- ``abcdef%xyz@nnnnn.domain``: the same for the account ``xyz`` of the local domain ``nnnnn``.

What is left of the local part goes with the address: it becomes the X-Real-To field. On the final
call the module decides about every address in a local domain: an account (or an alias of one), a
forwarder, or an unknown name, for which the domain's settings say what to do. To the modules of
users' access it also tells whose login page a domain name means, by the fictitious user LoginPage.

Whether an account may get mail now is no question of routing; it is asked at delivery
(:mod:`reference.transport.local_delivery`).
"""

from __future__ import annotations

from reference.kernel.address import parse
from reference.kernel.routes import Accept, Address, Rewrite, RoutingError, UnknownAccount
from reference.storage.domains import Account, Domain, Domains, Forwarder

#: The suffixes of unified domain-wide accounts.
IN_MAIN_DOMAIN = ".local"
IN_A_DOMAIN = ".domain"
#: The fictitious user that stands for a domain itself; for logins every local domain has it.
LOGIN_PAGE = "loginpage"


class LocalRouting:
    """The routing module ``LOCAL``."""

    name = "LOCAL"

    def __init__(self, *, domains: Domains, for_logins: bool = False) -> None:
        """``for_logins``: a name that nobody has is refused, whatever mail to it becomes."""
        self._domains = domains
        self._for_logins = for_logins

    def route(self, address: Address, *, final: bool) -> Accept | Rewrite | None:
        """Take or change an address of a local domain. Raises UnknownAccount."""
        if not final:
            return self._unified(address)
        domain = self._domains.get(address.domain)
        return None if domain is None else self._object(address.local, domain)

    def _unified(self, address: Address) -> Accept | Rewrite | None:
        name = address.domain.removesuffix(IN_MAIN_DOMAIN)
        if name and name != address.domain:
            return self._account(name, self._domains.main, address.local)
        name = address.domain.removesuffix(IN_A_DOMAIN)
        if not name or name == address.domain:
            return None
        domain = self._domains.get(name)
        if domain is None:
            # No domain of ours: .domain may be an ordinary name of somebody else's.
            return None
        real_to, _, account = address.local.rpartition("%")
        return self._account(account, domain, real_to)

    def _account(self, name: str, domain: Domain, real_to: str) -> Accept | Rewrite:
        found = self._object(name, domain, real_to=real_to)
        if found is None:
            raise UnknownAccount(f"{name} is not an account")
        return found

    def _object(self, name: str, domain: Domain, *, real_to: str = "") -> Accept | Rewrite | None:
        found = domain.find(name)
        if isinstance(found, Account):
            return Accept(found.label, real_to)
        if isinstance(found, Forwarder):
            return _forwarded(found)
        if found is not None:
            return None
        if self._for_logins:
            if name.lower() == LOGIN_PAGE:
                return Accept(name if domain.is_main else f"{name}@{domain.name}", "")
            raise UnknownAccount("unknown account")
        return _unknown(name, domain)


def _forwarded(forwarder: Forwarder) -> Rewrite:
    """Return what a forwarder makes of its name.

    It works as a ``Relay:`` record does; an address without a domain is one of the forwarder's own.
    """
    address, domain = forwarder.address, forwarder.domain
    if not domain.is_main and not _domain_of(address):
        address = f"{address}@{domain.name}"
    return Rewrite(address, f"Forwarder {forwarder.name}@{domain.name}", relay=True)


def _domain_of(address: str) -> str:
    try:
        return parse(address).domain
    except RoutingError:
        return ""


def _unknown(name: str, domain: Domain) -> Accept | Rewrite:
    """Do with an unknown name what the domain's settings say."""
    policy = domain.get("MailToUnknown")
    if policy == "Discarded":
        return Accept("NULL", "", module="SYSTEM")
    if policy == "Accepted and Bounced":
        # The delivery finds no such account and says so to the sender.
        return Accept(name if domain.is_main else f"{name}@{domain.name}", "")
    reroute: str = domain.get("MailRerouteAddress")
    if policy == "Rerouted to" and reroute:
        rule = f"Mail to Unknown Names of {domain.name}"
        return Rewrite(reroute.replace("*", name), rule, relay=True)
    raise UnknownAccount("unknown account")
