"""Access rights: their names, their spellings, and what an account may do with them.

Guide 3.5.2, Security (Granting Access Rights to Users) and System Administration (Domain
Administration). Accounts of the Main Domain may hold *server* rights. Accounts of any domain may
hold *domain* rights, which reach over their own domain only: a list of enabling options
(``CanCreateAccounts``, …) and of the internal names of the settings that may be modified.

The documents call one right by several names; each is accepted, and one is printed. Whether a
right acts is decided here and nowhere else; nothing here reads or writes a file.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass

__all__ = [
    "ALL_DOMAINS",
    "BASIC_SETTINGS",
    "DOMAIN",
    "MASTER",
    "MONITOR",
    "SERVER_RIGHTS",
    "SETTINGS",
    "Authority",
    "UnknownRight",
    "as_granted",
    "canonical",
    "in_order",
]

MASTER = "Master"
ALL_DOMAINS = "AllDomains"
SETTINGS = "Settings"
MONITOR = "Monitor"
DIRECTORY = "Directory"
DOMAIN = "Domain"
BASIC_SETTINGS = "BasicSettings"
SUB_DOMAINS = "CanAdminSubDomains"

SERVER_RIGHTS = frozenset({MASTER, ALL_DOMAINS, SETTINGS, MONITOR, DIRECTORY})

_SPELLINGS: dict[str, tuple[str, ...]] = {
    MASTER: (
        "Master",
        "Unlimited",
        "Unlimited Access",
        "Can Modify Access Rights",
        "Can Modify Access Rights (unlimited access)",
    ),
    ALL_DOMAINS: (
        "AllDomains",
        "All Domains",
        "AllAccounts",
        "All Accounts",
        "Accounts",
        "Users",
        "Account Settings",
        "Can Modify User Accounts",
        "Can Modify All Accounts And Domains",
        "Can Modify All Domains And Accounts",
        "Can Modify All Accounts And Domain Settings",
        "Can Modify All Domains And Account Settings",
        "All Accounts And Domains",
        "All Account And Domains",
        "All Account And Domains Administration",
        "All Domains And Accounts",
        "All Domains And Account Settings",
    ),
    SETTINGS: (
        "Settings",
        "Server Settings",
        "Can Modify Settings",
        "Can Modify Server Settings",
        "Can Modify Server And Module Settings",
    ),
    MONITOR: ("Monitor", "Monitors", "Monitoring", "Can Monitor", "Can Monitor Server"),
    DIRECTORY: ("Directory", "Can Modify Directory"),
    DOMAIN: (
        "Domain",
        "Domain Administration",
        "Domain Administrator",
        "Can Modify This Domain",
        "Can Modify This Domain And Its Account Settings",
    ),
    BASIC_SETTINGS: ("BasicSettings", "Basic Settings"),
    "CanCreateAccounts": ("CanCreateAccounts",),
    "CanCreateAliases": ("CanCreateAliases",),
    "CanCreateGroups": ("CanCreateGroups",),
    "CanCreateForwarders": ("CanCreateForwarders",),
    "CanCreateLists": ("CanCreateLists",),
    "CanModifyRules": ("CanModifyRules",),
    "CanModifyRPOP": ("CanModifyRPOP",),
    "CanModifySkins": ("CanModifySkins",),
    "CanPostAlerts": ("CanPostAlerts",),
    "CanAccessMailboxes": ("CanAccessMailboxes",),
    "CanAccessWebSites": ("CanAccessWebSites", "WebSite"),
    SUB_DOMAINS: (SUB_DOMAINS,),
}


def _key(spelling: str) -> str:
    return re.sub(r"[\s_-]+", "", spelling).lower()


_BY_SPELLING = {
    _key(spelling): right for right, spellings in _SPELLINGS.items() for spelling in spellings
}

#: What "Basic Settings" lets a Domain Administrator modify.
_BASIC = frozenset({"RealName", "Password"})

#: Domain Administrators see these limits and never modify them (Guide 3.5.2, Domains, Resources).
_LIMITS = frozenset({"AccountsLimit", "ListsLimit"})


class UnknownRight(Exception):  # noqa: N818 - a value of the domain
    """A right's name that the documents do not have."""


def canonical(names: Iterable[str], settings: Collection[str]) -> frozenset[str]:
    """Return the rights that ``names`` spell, each in the one spelling that is printed.

    ``settings`` are the keywords of Domain and Account Settings, each of which is a right, too.
    Raises UnknownRight.
    """
    keywords = {_key(keyword): keyword for keyword in settings}
    rights = set()
    for name in names:
        right = _BY_SPELLING.get(_key(name)) or keywords.get(_key(name))
        if right is None:
            raise UnknownRight(name)
        rights.add(right)
    return frozenset(rights)


def as_granted(names: Iterable[str]) -> frozenset[str]:
    """Return the rights of a file that somebody may have written by hand.

    Known ones get the one spelling; the others stay, and have the effect of a setting's name.
    """
    return frozenset(_BY_SPELLING.get(_key(name), name) for name in names)


def in_order(rights: Iterable[str]) -> list[str]:
    """Return rights as they are listed: those with names first, then those of settings."""
    granted = set(rights)
    return [right for right in _SPELLINGS if right in granted] + sorted(granted - set(_SPELLINGS))


@dataclass(frozen=True, slots=True, kw_only=True)
class Authority:
    """What an account may do; made anew for each command, so that rights act at once."""

    domain: str
    """The name of the account's own domain."""
    in_main_domain: bool
    rights: frozenset[str]

    def _server(self, right: str) -> bool:
        # A server right in a secondary domain's file has no effect.
        return self.in_main_domain and (right in self.rights or MASTER in self.rights)

    @property
    def unlimited(self) -> bool:
        """True for Can Modify Access Rights, which includes all other rights."""
        return self._server(MASTER)

    @property
    def all_domains(self) -> bool:
        """True for a System Administrator: any account and domain may be modified."""
        return self._server(ALL_DOMAINS)

    @property
    def settings(self) -> bool:
        """True if server settings may be read and modified."""
        return self._server(SETTINGS)

    @property
    def monitor(self) -> bool:
        """True if the server may be monitored."""
        return self._server(MONITOR)

    @property
    def domain_rights(self) -> frozenset[str]:
        """The rights that reach over the account's own domain."""
        return self.rights - SERVER_RIGHTS

    @property
    def administrator(self) -> bool:
        """True if there is some domain that may be administered."""
        return self.all_domains or bool(self.domain_rights)

    def administers(self, domain: str, administrator_domain: str = "") -> bool:
        """Tell whether the domain is within reach.

        ``administrator_domain`` is the target's setting of that name: domain administrators of
        that domain who hold CanAdminSubDomains administer the target, too.
        """
        if self.all_domains:
            return True
        if not self.domain_rights:
            return False
        if domain == self.domain:
            return True
        return SUB_DOMAINS in self.rights and administrator_domain.lower() == self.domain

    def holds(self, right: str) -> bool:
        """Tell whether a domain right is held; a System Administrator holds them all."""
        return self.all_domains or right in self.rights

    def modifiable(self, keyword: str) -> bool:
        """Tell whether an Account or Domain Setting may be modified where one administers."""
        if self.all_domains:
            return True
        if keyword in _LIMITS:
            return False
        return keyword in self.rights or (keyword in _BASIC and BASIC_SETTINGS in self.rights)
