"""What a command is: a row of the command table, and what its function is handed.

A row tells a command's name, its short form, how it is written (see :mod:`reference.cli.syntax`),
who may use it at all, and the function that does it. The function gets a :class:`Call` and returns
the data of the answer, or None. It finds domains, accounts and other objects through the Call,
which checks that they lie within the caller's reach.

Guide 3.5.2, Command Line Interface. A name may be followed by the sign @ and a domain; without it,
the caller's own domain is meant.
"""

from __future__ import annotations

import enum
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from reference.cli.replies import CommandError
from reference.cli.rights import Authority
from reference.cli.syntax import Arguments, Usage
from reference.formats.dictionary import Value
from reference.kernel.clock import Clock
from reference.kernel.protection import Protection
from reference.kernel.router import Router
from reference.storage.account import Account
from reference.storage.domain import Domain
from reference.storage.domains import Domains
from reference.storage.errors import NoSuchAccount, NoSuchDomain
from reference.storage.log import ServerLog
from reference.storage.settings import Settings

__all__ = ["Access", "Answer", "Call", "Command", "Kernel", "denied", "row"]

Answer: TypeAlias = "Value | None"


@dataclass(frozen=True, slots=True, kw_only=True)
class Kernel:
    """The parts of the server that commands work on."""

    domains: Domains
    settings: Settings
    router: Router
    protection: Protection
    log: ServerLog
    clock: Clock
    release: Callable[[str], bool]
    """Releases the SMTP queue of a host; tells whether there was one."""
    refresh: Callable[[], object]
    """Reads the addresses and name servers of the operating system again."""
    shutdown: Callable[[], object]
    """Stops the server, after the answer is on its way."""
    records_changed: Callable[[Account], object]
    """Learns that the RPOP records of an account have changed."""


class Access(enum.Enum):
    """Who may use a command at all; the command's function looks closer."""

    EVERYBODY = "any user"
    ADMINISTRATOR = "Can Modify All Accounts And Domain Settings, or Domain Administration"
    SYSTEM = "Can Modify All Accounts And Domain Settings"
    SETTINGS = "Can Modify Server Settings"
    ROUTING = "Can Modify Server Settings, or Can Modify All Accounts And Domain Settings"
    MONITOR = "Can Monitor Server"

    def admits(self, authority: Authority) -> bool:
        """Tell whether somebody with this authority may use the command."""
        match self:
            case Access.EVERYBODY:
                return True
            case Access.ADMINISTRATOR:
                return authority.administrator
            case Access.SYSTEM:
                return authority.all_domains
            case Access.SETTINGS:
                return authority.settings
            case Access.ROUTING:
                return authority.settings or authority.all_domains
            case Access.MONITOR:
                return authority.monitor


def denied() -> CommandError:
    """Return the one refusal for a missing right; it does not tell what exists."""
    return CommandError("you do not have the access right for this operation")


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One use of a command: who calls, with which arguments, on which server."""

    kernel: Kernel
    account: Account
    """The authenticated account."""
    authority: Authority
    arguments: Arguments

    def domain(self, name: str | None, right: str = "") -> Domain:
        """Return a domain that the caller administers; None and ``*`` stand for its own.

        With ``right``, a domain administrator must hold that right. Raises CommandError.
        """
        if name is None or name == "*":
            domain: Domain | None = self.account.domain
        else:
            domain = self.kernel.domains.get(name) if name else None
        if domain is None:
            # To whom the server's domains are no business, it is not told which exist.
            raise NoSuchDomain if self.authority.all_domains else denied()
        if not self._reaches(domain) or (right and not self.authority.holds(right)):
            raise denied()
        return domain

    def place(self, name: str, right: str = "") -> tuple[str, Domain]:
        """Split an object's name into its local part and its domain; see :meth:`domain`."""
        local, at, domain = name.rpartition("@")
        if not at:
            return name, self.domain(None, right)
        return local, self.domain(domain, right)

    def name_in(self, domain: Domain, name: str, right: str = "") -> str:
        """Return the local part of an object's new name, which must be of the same domain.

        Without a domain part, it is. Raises CommandError.
        """
        local, at, _ = name.rpartition("@")
        if at and self.place(name, right)[1] is not domain:
            raise CommandError("an object cannot be moved to another domain")
        return local if at else name

    def account_named(self, name: str, right: str = "") -> Account:
        """Return an account of a domain that the caller administers, by its name or an alias.

        ``*`` is the caller's own account, which must be in reach, too. Raises CommandError.
        """
        if name == "*":
            self.domain(None, right)
            return self.account
        local, domain = self.place(name, right)
        found = domain.find(local)
        if not isinstance(found, Account):
            raise NoSuchAccount
        return found

    def own_or(self, name: str, right: str = "") -> Account:
        """Return the caller's own account without any right, or another one as above."""
        if name == "*" or self._is_own(name):
            return self.account
        return self.account_named(name, right)

    def _is_own(self, name: str) -> bool:
        local, at, domain = name.rpartition("@")
        own = self.account.domain
        if at and self.kernel.domains.get(domain) is not own:
            return False
        return own.find(local if at else name) is self.account

    def _reaches(self, domain: Domain) -> bool:
        return self.authority.administers(domain.name, str(domain.get("AdminDomainName") or ""))


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """A row of the command table."""

    name: str
    short: str
    usage: Usage
    access: Access
    run: Callable[[Call], Answer]


def row(
    name: str,
    run: Callable[[Call], Answer],
    usage: str = "",
    *,
    access: Access,
    short: str = "",
) -> Command:
    """Make a row of the command table."""
    return Command(name=name, short=short, usage=Usage(usage), access=access, run=run)
