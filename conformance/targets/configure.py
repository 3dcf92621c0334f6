"""From a scenario's ``given`` to the CLI commands that put a fresh server into it.

Pure: :func:`configuration` returns the command lines in an order in which a server of this family
takes them (names before what uses them, the Router last). Commands are those of Guide 3.5.2,
Command Line Interface; what ``given`` leaves out gives no command, so the server's default stays.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from conformance.scenario.model import AccountSpec, DomainSpec, Given, ListSpec
from conformance.targets.dictionary import Value, dump
from conformance.targets.labels import Keywords

POSTMASTER = "postmaster"
#: The password of postmaster in every scenario that does not say otherwise.
DEFAULT_PASSWORD = "secret"


def configuration(given: Given, keywords: Keywords) -> list[str]:
    """Return the commands for a scenario. Raises TargetError for a label without a keyword."""
    commands = [*_modules(given, keywords)]
    for domain in given.domains:
        commands += _domain(domain, domain.name == given.main_domain, keywords)
    if not any(_names_postmaster(domain, given) for domain in given.domains):
        commands.append(f"SetAccountPassword {POSTMASTER} To {dump(DEFAULT_PASSWORD)}")
    commands += _lists_of_addresses(given)
    if given.router is not None:
        commands.append(f"SetRouterTable {_lines(given.router.splitlines())}")
    return commands


def administrator_password(given: Given) -> str:
    """Return what the postmaster's password is once the commands have been given."""
    for domain in given.domains:
        if domain.name == given.main_domain:
            for account in domain.accounts:
                if account.name.lower() == POSTMASTER:
                    return account.password
    return DEFAULT_PASSWORD


def _names_postmaster(domain: DomainSpec, given: Given) -> bool:
    return domain.name == given.main_domain and any(
        account.name.lower() == POSTMASTER for account in domain.accounts
    )


def _modules(given: Given, keywords: Keywords) -> Iterator[str]:
    settings: dict[str, dict[str, Value]] = {"Server": {"DomainName": given.main_domain}}
    for module, table in given.settings.items():
        settings.setdefault(module, {}).update(keywords.settings(module, table))
    if given.client_names is not None:
        protection = settings.setdefault("Protection", {})
        protection[keywords.keyword("Protection", "Detect Clients by DNS Name")] = "YES"
        protection[keywords.keyword("Protection", "Client Names")] = list(given.client_names)
    for module, table in settings.items():
        yield f"{_UPDATES.get(module, f'UpdateModule {module}')} {dump(table)}"


def changes(modules: Mapping[str, Mapping[str, Any]], keywords: Keywords) -> list[str]:
    """Return the commands that change settings of modules; what they do not name stays.

    Raises TargetError for a label without a keyword.
    """
    commands = []
    for module, table in modules.items():
        command = _CHANGES.get(module, f"UpdateModule {module}")
        commands.append(f"{command} {dump(keywords.settings(module, table))}")
    return commands


_UPDATES = {
    "Server": "UpdateServerSettings",
    "Protection": "SetProtection",
    "Banned": "SetBanned",
}
#: Banned lines have no other command; a change names all of them.
_CHANGES = {"Server": "UpdateServerSettings", "Banned": "SetBanned"}


def _domain(domain: DomainSpec, is_main: bool, keywords: Keywords) -> Iterator[str]:
    settings = keywords.settings("Domain", domain.settings)
    if domain.addresses:
        settings["IPAddresses"] = list(domain.addresses)
    if not is_main:
        yield f"CreateDomain {dump(domain.name)} {dump(settings)}"
    elif settings:
        yield f"UpdateDomainSettings {dump(domain.name)} {dump(settings)}"
    if domain.aliases:
        yield f"SetDomainAliases {dump(domain.name)} {dump(domain.aliases)}"
    suffix = "" if is_main else f"@{domain.name}"
    for account in domain.accounts:
        yield from _account(account, suffix, keywords)
    for name, address in domain.forwarders.items():
        yield f"CreateForwarder {dump(name + suffix)} TO {dump(address)}"
    for mailing_list in domain.lists:
        yield from _list(mailing_list, suffix, keywords)


def _account(account: AccountSpec, suffix: str, keywords: Keywords) -> Iterator[str]:
    name = dump(account.name + suffix)
    settings = keywords.settings("Account", account.settings)
    if account.name.lower() == POSTMASTER and not suffix:
        if settings:
            yield f"UpdateAccountSettings {name} {dump(settings)}"
        yield f"SetAccountPassword {name} To {dump(account.password)}"
    else:
        # The password goes first, so that settings may say something else about it.
        fresh: dict[str, Value] = {"Password": account.password, **settings}
        yield f"CreateAccount {name} {dump(fresh)}"
    if account.aliases:
        yield f"SetAccountAliases {name} {dump(account.aliases)}"
    if account.rights:
        codes: list[Value] = [keywords.keyword("Rights", right) for right in account.rights]
        yield f"SetAccountRights {name} {dump(codes)}"
    if account.polls:
        records: list[Value] = [
            keywords.settings("RemoteAccount", record) for record in account.polls
        ]
        yield f"SetAccountRPOP {name} {dump(records)}"


def _list(mailing_list: ListSpec, suffix: str, keywords: Keywords) -> Iterator[str]:
    name = dump(mailing_list.name + suffix)
    owner = mailing_list.owner.partition("@")[0]
    yield f"CreateList {name} for {dump(owner)}"
    if mailing_list.settings:
        yield f"UpdateList {name} {dump(keywords.settings('List', mailing_list.settings))}"
    for subscriber in mailing_list.subscribers:
        yield f"List {name} feed silently {dump(subscriber)}"


def _lists_of_addresses(given: Given) -> Iterator[str]:
    lists: Mapping[str, Any] = {
        "SetClientIPs": given.clients,
        "SetBlacklistedIPs": given.blacklisted,
        "SetWhiteHoleIPs": given.white_holes,
    }
    for command, lines in lists.items():
        if lines is not None:
            yield f"{command} {_lines(lines)}"


def _lines(lines: Any) -> str:
    r"""Return lines as the one string that a command takes: each ends with ``\e``."""
    return dump("".join(f"{line}\n" for line in lines))
