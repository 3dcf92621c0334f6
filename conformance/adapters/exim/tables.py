"""Tables that routers look names up in: accounts, aliases, forwarders, limits (lsearch files).

A key is ``name@domain`` in lower case, the domain's real name.
"""

from __future__ import annotations

from collections.abc import Mapping

from conformance.adapters.dovecot import has_service, maildir
from conformance.adapters.sandbox import INSIDE
from conformance.adapters.site import Site
from conformance.adapters.target import File
from conformance.targets.base import NotApplicable

__all__ = ["ACCOUNTS", "ALIASES", "FORWARDERS", "HELD", "NO_RELAY", "PASSWORDS", "QUOTAS", "tables"]

ACCOUNTS = f"{INSIDE}/etc/accounts"
"""Account → its maildir."""
ALIASES = f"{INSIDE}/etc/account-aliases"
FORWARDERS = f"{INSIDE}/etc/forwarders"
QUOTAS = f"{INSIDE}/etc/quotas"
"""Account → octets."""
NO_RELAY = f"{INSIDE}/etc/no-relay"
"""Accounts whose Relay service is disabled."""
HELD = f"{INSIDE}/etc/held"
"""Domains whose mail is kept until it is asked for."""
PASSWORDS = f"{INSIDE}/etc/passwords"
"""Login name → password, for the NTLM authenticator."""


_OFF = {
    "Mail": "a router could defer an account's mail (:defer:), but the adapter writes none",
    "POP": "Dovecot could refuse the login, but the adapter opens all accounts for it",
    "IMAP": "Dovecot could refuse the login, but the adapter opens all accounts for it",
}


def tables(site: Site) -> dict[str, File]:
    """Return the files."""
    accounts: dict[str, str] = {}
    aliases: dict[str, str] = {}
    forwarders: dict[str, str] = {}
    quotas: dict[str, str] = {}
    passwords: dict[str, str] = {}
    for domain in site.domains:
        name = domain.name.lower()
        for account in domain.accounts:
            key = f"{account.name.lower()}@{name}"
            accounts[key] = maildir(domain.name, account.name)
            passwords[key] = account.password
            for alias in account.aliases:
                aliases[f"{alias.lower()}@{name}"] = key
            size = account.settings.size("Account", "MaxAccountSize")
            if size is not None:
                quotas[key] = str(size)
        for forwarder, address in domain.forwarders.items():
            # Only a name: one of the same domain (Guide 3.5.2, Objects, Forwarders).
            full = address if "@" in address or "%" in address else f"{address}@{name}"
            forwarders[f"{forwarder.lower()}@{name}"] = full
    found = {
        ACCOUNTS: accounts,
        ALIASES: aliases,
        FORWARDERS: forwarders,
        QUOTAS: quotas,
        NO_RELAY: _without_relay(site),
        HELD: {each.lower(): each.lower() for each in site.settings.texts("SMTP", "HoldDomains")},
    }
    files = {_below(path): File(_text(table)) for path, table in found.items()}
    files[_below(PASSWORDS)] = File(_text(passwords), mode=0o640, owner="Debian-exim")
    return files


def login_name(site: Site) -> str:
    """Return the expansion that gives who has logged in, as a key of the tables."""
    return (
        "${lc:${if match{$authenticated_id}{@}{$authenticated_id}"
        f"{{$authenticated_id@{site.main_domain}}}}}}}"
    )


def _below(path: str) -> str:
    return path.removeprefix(f"{INSIDE}/")


def _without_relay(site: Site) -> dict[str, str]:
    """Return the accounts that may not relay after they have logged in."""
    found: dict[str, str] = {}
    for domain in site.domains:
        for account in domain.accounts:
            if not has_service("Relay", domain.settings, account.settings):
                found[f"{account.name.lower()}@{domain.name.lower()}"] = "yes"
            for service in ("Mail", "POP", "IMAP"):
                if not has_service(service, domain.settings, account.settings):
                    raise NotApplicable(
                        f"the service {service} is disabled for {account.name}@{domain.name}: "
                        f"{_OFF[service]}"
                    )
    return found


def _text(table: Mapping[str, str]) -> str:
    return "".join(f'"{key}": {value}\n' for key, value in table.items())
