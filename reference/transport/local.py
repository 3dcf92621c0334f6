"""The Local Delivery module's part in routing.

Guide 3.5.2, Local Delivery Module (Routing, Routing Settings, Routing to Unknown Accounts, Unified
Domain-Wide Accounts, Direct Mailbox Addressing, Sending Mail to All Accounts) and Domains
(Processing Unknown Names, Sending Mail To All Accounts). On the first call the module takes
addresses with the suffixes ``.local`` and ``.domain`` only. On the final call it takes what is left
of the Main Domain and the secondary domains:

- ``all``, and in the Main Domain ``alldomains``, where the domain distributes mail to all accounts;
- ``john+detail``, as the Account Detail setting says;
- ``john`` is the queue ``john`` of an account of the Main Domain, ``john@client.com`` that of
  another one; a forwarder changes the address; mailing lists are the LIST module's;
- ``box#john`` is the same queue, and names a mailbox, if direct mailbox addressing is enabled;
- ``LoginPage``, which is no account: the HTTP module routes domain names with it;
- for any other name the domain's Mail to Unknown Names setting decides.

The address in a queue is empty, but in a unified account, where it is the local part for the
envelope recipients field.
"""

from __future__ import annotations

import re

from reference.kernel.address import parse
from reference.kernel.routes import Accept, Address, Rewrite, RoutingError, UnknownAccount
from reference.storage.domains import Account, Domain, Domains, Forwarder
from reference.transport.all_domain_aliases import Settings
from reference.transport.mail_to_all import stands_for_all

#: The suffixes of unified domain-wide accounts.
IN_MAIN_DOMAIN = ".local"
IN_A_DOMAIN = ".domain"
#: The fictitious user that stands for a domain itself: every local domain has it.
LOGIN_PAGE = "LoginPage"
# What needs no quotation marks (RFC 822, 3.3): no specials, blanks or control signs.
_PLAIN = re.compile(r'[^\x00-\x20\x7f()<>@,;:\\"\[\]]+')


class LocalRouting:
    """The routing module ``LOCAL``."""

    name = "LOCAL"

    def __init__(self, *, domains: Domains, settings: Settings, for_logins: bool = False) -> None:
        """``for_logins``: a name that nobody has is refused, whatever mail to it becomes."""
        self._domains = domains
        self._settings = settings
        self._for_logins = for_logins

    def route(self, address: Address, *, final: bool) -> Accept | Rewrite | None:
        """Take or change an address of a local domain. Raises UnknownAccount."""
        if not final:
            return self._unified(address)
        domain = self._domains.get(address.domain)
        if domain is None:
            return None
        if not self._for_logins and stands_for_all(address.local, domain):
            return Accept(_label(address.local.lower(), domain), "")
        detailed = self._without_detail(_unquoted(address.local))
        if detailed is not None:
            return Rewrite(_in(domain, detailed), f"account detail of {address.local}")
        return self._object(address.local, domain)

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
        return self._account(self._without_detail(account) or account, domain, real_to)

    def _account(self, name: str, domain: Domain, real_to: str) -> Accept | Rewrite:
        found = self._object(name, domain, real_to=real_to)
        if found is None:
            raise UnknownAccount(f"{name} is not an account")
        return found

    def _without_detail(self, local: str) -> str | None:
        """Return what an account detail address stands for; None for all others."""
        how: str = self._settings.get("LOCAL", "AccountDetail")
        if how == "Disabled" or "+" not in local:
            return None
        box, mark, account = local.rpartition("#") if self._direct() else ("", "", local)
        name, _, detail = account.partition("+")
        if not name or name == account:
            return None
        if how == "Enabled":
            return box + mark + name
        return f"{detail}#{name}" if detail else name

    def _direct(self) -> bool:
        return bool(self._settings.get("LOCAL", "DirectMailbox"))

    def _object(self, name: str, domain: Domain, *, real_to: str = "") -> Accept | Rewrite | None:
        found = domain.find(name)
        if isinstance(found, Account):
            return Accept(found.label, real_to)
        if isinstance(found, Forwarder):
            return _forwarded(found)
        if found is not None:
            return None
        box, mark, owner = _unquoted(name).rpartition("#")
        if box and mark and self._direct():
            account = domain.find(owner)
            if isinstance(account, Account):
                return Accept(account.label, real_to, mailbox=box)
        if name.lower() == LOGIN_PAGE.lower():
            return Accept(_label(LOGIN_PAGE, domain), "")
        if self._for_logins:
            raise UnknownAccount("unknown account")
        return _unknown(name, domain)


def _label(name: str, domain: Domain) -> str:
    return name if domain.is_main else f"{name}@{domain.name}"


def _in(domain: Domain, local: str) -> str:
    """Return the address of a local part in a domain, quoted if it must be."""
    if _PLAIN.fullmatch(local) is None:
        escaped = re.sub(r'(["\\])', r"\\\1", local)
        local = f'"{escaped}"'
    return f"{local}@{domain.name}"


def _unquoted(local: str) -> str:
    """Return a local part without its quotation marks."""
    if len(local) > 1 and local.startswith('"') and local.endswith('"'):
        return re.sub(r"\\(.)", r"\1", local[1:-1])
    return local


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
        return Accept(_label(name, domain), "")
    reroute: str = domain.get("MailRerouteAddress")
    if policy == "Rerouted to" and reroute:
        rule = f"Mail to Unknown Names of {domain.name}"
        return Rewrite(reroute.replace("*", name), rule, relay=True)
    raise UnknownAccount("unknown account")
