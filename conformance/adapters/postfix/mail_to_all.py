"""Mail to all: the addresses ``all`` and ``alldomains``, and who may send to them.

Guide 3.5.2, Domains, Sending Mail To All Accounts in the Domain. Whom the addresses lead to is an
alias (virtual(5)); who may use them is decided by smtpd(8) at RCPT, so who may not is refused.
"""

from __future__ import annotations

from collections.abc import Iterator

from conformance.adapters.postfix.config import Config
from conformance.adapters.site import Site, SiteDomain

#: Who may send to all.
_MAY = {
    "nobody": "nobody",
    "anybody": "anybody",
    "everybody": "anybody",
    "clients": "clients",
    "authenticated users": "users",
    "authenticated domain users": "domain users",
    "authenticated administrator": "administrators",
}


def mail_to_all(site: Site) -> Iterator[str]:
    """Yield the addresses for all: all@domain, and alldomains at the Main Domain."""
    everywhere: list[str] = []
    for domain in site.domains:
        members = _members(domain)
        everywhere += members
        if members:
            yield f"all@{domain.name.lower()} {', '.join(members)}"
    main = next(domain for domain in site.domains if domain.is_main)
    if everywhere and _members(main):
        yield f"alldomains@{site.main_domain.lower()} {', '.join(everywhere)}"


def _members(domain: SiteDomain) -> list[str]:
    # Asked for in any case: what a domain wishes and nobody takes is not applicable.
    takers = domain.takers_of_mail_to_all()
    action = domain.settings.text("Domain", "MailToAllAction", "nobody").lower()
    return takers if action != "nobody" else []


def who_may_send_to_all(site: Site, config: Config, classes: dict[str, list[str]]) -> Iterator[str]:
    """Yield who may send to all of a domain."""
    lines = []
    for number, domain in enumerate(site.domains):
        wanted = domain.settings.choice("Domain", "MailToAllAction", _MAY, "nobody")
        if wanted in ("nobody", "anybody"):
            continue
        name = f"to_all_{number}"
        # Read in any case: rights mean nothing else to a mail server.
        senders = list(_senders_to_all(site, domain, wanted))
        if wanted == "clients":
            classes[name] = ["permit_mynetworks", "reject"]
        elif wanted == "users":
            classes[name] = ["permit_sasl_authenticated", "reject"]
        else:
            table = config.table("texthash", f"senders-to-all-{number}", senders)
            classes[name] = [f"check_sasl_access {table}", "reject"]
        hosts = [domain.name, *domain.aliases]
        lines += [f"all@{host.lower()} {name}" for host in hosts]
        if domain.is_main:
            lines += [f"alldomains@{host.lower()} {name}" for host in hosts]
    if lines:
        yield f"check_recipient_access {config.table('texthash', 'to-all', lines)}"


def _senders_to_all(site: Site, domain: SiteDomain, wanted: str) -> Iterator[str]:
    """Yield lines for check_sasl_access: users of the domain, or its administrators only."""
    for each in site.domains:
        own = each is domain
        for account in each.accounts:
            if account.administers(own=own) or (own and wanted == "domain users"):
                for name in (account.name, *account.aliases):
                    yield from (f"{name}@{h}".lower() + " OK" for h in (each.name, *each.aliases))
                    if each.is_main:
                        yield f"{name.lower()} OK"
