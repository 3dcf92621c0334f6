"""All domains of the server: their names and aliases, and which address belongs to which.

Guide 3.5.2, Domains. There is always a Main Domain; its name is the General Setting ``DomainName``
and its files are in ``Accounts``. Each secondary domain has a folder with its name in ``Domains``.
Domain aliases are kept in ``Settings/DomainAliases.data``. All domain names and aliases are unique;
letter case does not matter.

A server address belongs to the domain that it is assigned to; the others belong to the Main Domain,
unless that has a manual list, too (Multihoming and Dedicated IP Addresses).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, Protocol

from reference.formats.dictionary import Value
from reference.kernel.clock import Clock
from reference.storage import kinds_pem, names
from reference.storage.account import Account
from reference.storage.domain import Domain, Neighbours, Object
from reference.storage.errors import (
    BadName,
    DomainAliasExists,
    DomainExists,
    DomainNotEmpty,
    InUse,
    MainDomainOnly,
    NoSuchDomain,
    SettingError,
)
from reference.storage.files import (
    TEMPORARY,
    dictionary_octets,
    fsync_folder,
    make_folder,
    move,
    read_dictionary,
    remove_folder,
    write_dictionary,
    write_durably,
)
from reference.storage.mailboxes import OpenMailboxes
from reference.storage.objects import Forwarder, MailingList
from reference.storage.registry_objects import DOMAIN_SETTINGS
from reference.storage.renaming import Renaming
from reference.storage.settings import Settings

__all__ = ["Account", "Domain", "Domains", "Forwarder", "MailingList", "Object"]

#: The Main Domain's name when none is set and the computer's is of no use.
FALLBACK_NAME = "localhost.localdomain"


class OwnAddresses(Protocol):
    """The part of the network that tells the server computer's own addresses."""

    @property
    def addresses(self) -> tuple[str, ...]:
        """The server computer's own IP addresses."""


def _ignore(text: str) -> None:
    """Take a remark that nobody wants to hear."""


class Domains:
    """The domains of a base directory."""

    def __init__(
        self,
        *,
        base: Path,
        settings: Settings,
        clock: Clock,
        network: OwnAddresses | None = None,
        remark: Callable[[str], None] = _ignore,
    ) -> None:
        """Find the domains. ``network`` None lets any address be assigned to a domain; ``remark``
        is told what was repaired. Raises StorageError.
        """
        self._base = base
        self._settings = settings
        self._network = network
        self._neighbours = Neighbours(
            settings=settings,
            clock=clock,
            mailboxes=OpenMailboxes(remark=remark),
            remark=remark,
            check=self._check_settings,
            changed=lambda domain: self._assign_addresses(),
        )
        self.main = self._make(self._main_name(), base / "Accounts", is_main=True)
        self._secondary: dict[str, Domain] = {}
        self._renaming = Renaming(
            base / "Settings" / "RenamingDomain.data",
            move=self._move_domain,
            follow=self._follow_domain,
        )
        self._aliases: dict[str, str] = {}  # alias → secondary domain, or '' for the Main Domain
        self._read_aliases()
        self._renaming.recover()
        for path in sorted(base.glob("Domains/*")):
            if path.is_dir() and not path.name.endswith(TEMPORARY):
                name = path.name.lower()
                self._secondary[name] = self._make(name, path, is_main=False)
        self._show_aliases()
        self._by_address: dict[str, Domain] = {}
        self._assign_addresses()
        settings.guard("Server", self._check_main_name)
        settings.subscribe("Server", self._main_renamed)

    @property
    def version(self) -> int:
        """Another number after each change of what a name or an address leads to."""
        return self._neighbours.changes.number

    # Finding -------------------------------------------------------------------------------------

    def names(self) -> list[str]:
        """Return the names of all domains, the Main Domain first; aliases are no domains."""
        return [self.main.name, *sorted(self._secondary)]

    def get(self, name: str) -> Domain | None:
        """Return the domain of a name or an alias; the empty name is the Main Domain's."""
        key = name.lower().removesuffix(".")
        if not key or key == self.main.name:
            return self.main
        domain = self._secondary.get(key)
        if domain is not None:
            return domain
        target = self._aliases.get(key)
        if target is None:
            return None
        return self._secondary.get(target) if target else self.main

    def by_address(self, ip: str) -> Domain | None:
        """Return the domain of a server address; None when it belongs to no domain."""
        domain = self._by_address.get(ip)
        if domain is None and self._mode(self.main) == "All" and self._is_own(ip):
            return self.main
        return domain

    def _is_own(self, ip: str) -> bool:
        return self._network is None or ip in self._network.addresses

    def find(self, local: str, domain: Domain) -> Object | None:
        """Return a domain's object by its name; an account alias finds its account."""
        return domain.find(local)

    def label_of(self, account: Account) -> str:
        """Return the name of an account's queue; see :attr:`Account.label`."""
        return account.label

    def addresses_of(self, domain: Domain) -> tuple[str, ...]:
        """Return the server addresses that belong to a domain, in the order of its setting."""
        assigned: tuple[str, ...] = domain.get("IPAddresses")
        if domain is not self.main or self._mode(domain) != "All" or self._network is None:
            return assigned
        rest = (ip for ip in self._network.addresses if self.by_address(ip) is domain)
        return tuple(dict.fromkeys((*assigned, *rest)))

    # Domains -------------------------------------------------------------------------------------

    def create(self, name: str, settings: Mapping[str, Value] | None = None) -> Domain:
        """Make a secondary domain, durably.

        Raises BadName, NameTaken, SettingError, FileError; then there is none.
        """
        name = self._free_name(name)
        values = DOMAIN_SETTINGS.merge({}, settings or {})
        folder = self._base / "Domains" / name
        domain = self._make(name, folder, is_main=False)
        self._check_settings(domain, DOMAIN_SETTINGS.typed(values))
        make_folder(folder.parent)
        temporary = folder.with_name(name + TEMPORARY)
        if temporary.exists():
            remove_folder(temporary)
        make_folder(temporary / "Settings")
        write_durably(temporary / "Settings" / "Domain.settings", dictionary_octets(values))
        fsync_folder(temporary / "Settings")
        move(temporary, folder)
        self._secondary[name] = domain
        self._assign_addresses()
        return domain

    def delete(self, name: str, *, force: bool = False) -> None:
        """Remove a secondary domain; with ``force`` also one that has objects.

        Raises NoSuchDomain, MainDomainOnly, DomainNotEmpty, InUse, FileError.
        """
        domain = self._secondary_named(name)
        if domain.in_use():
            raise InUse("An Account of the Domain is in use")
        if not force and (domain.accounts or domain.forwarders or domain.lists):
            raise DomainNotEmpty
        remove_folder(domain.folder)
        self._neighbours.mailboxes.forget(domain.folder)
        del self._secondary[domain.name]
        self._write_aliases({a: d for a, d in self._aliases.items() if d != domain.name})
        self._assign_addresses()

    def rename(self, old: str, new: str) -> None:
        """Give a secondary domain another name; its aliases stay its own.

        Raises NoSuchDomain, MainDomainOnly, BadName, NameTaken, InUse, FileError; then nothing
        has changed.
        """
        domain = self._secondary_named(old)
        if domain.in_use():
            raise InUse("An Account of the Domain is in use")
        name = names.domain_name(new)
        if name == domain.name:
            return
        self._free_name(name)
        self._neighbours.mailboxes.forget(domain.folder)
        self._renaming.do(domain.name, name)
        self._show_aliases()

    def set_main_name(self, name: str) -> None:
        """Give the Main Domain another name. Raises SettingError, FileError."""
        self._settings.update("Server", {"DomainName": name})

    def set_aliases(self, domain: Domain, aliases: Iterable[str]) -> None:
        """Give a domain these aliases and no others, durably.

        Raises BadName, NameTaken, FileError; then nothing has changed.
        """
        target = "" if domain.is_main else domain.name
        kept = {a: d for a, d in self._aliases.items() if d != target}
        for alias in aliases:
            name = names.domain_name(alias)
            if name in kept and kept[name] != target:
                raise DomainAliasExists
            if name == self.main.name or name in self._secondary:
                raise DomainExists
            kept[name] = target
        self._write_aliases(kept)

    # Names ---------------------------------------------------------------------------------------

    def _make(self, name: str, folder: Path, *, is_main: bool) -> Domain:
        return Domain(name=name, folder=folder, is_main=is_main, neighbours=self._neighbours)

    def _free_name(self, name: str) -> str:
        name = names.domain_name(name)
        if name == self.main.name or name in self._secondary:
            raise DomainExists
        if name in self._aliases:
            raise DomainAliasExists
        return name

    def _secondary_named(self, name: str) -> Domain:
        key = name.lower().removesuffix(".")
        if key == self.main.name:
            raise MainDomainOnly
        domain = self._secondary.get(key)
        if domain is None:
            raise NoSuchDomain
        return domain

    def _move_domain(self, old: str, new: str) -> None:
        folder = self._base / "Domains"
        if (folder / old).is_dir() and not (folder / new).exists():
            move(folder / old, folder / new)
        domain = self._secondary.pop(old, None)
        if domain is not None:
            domain.renamed(new, folder / new)
            self._secondary[new] = domain

    def _follow_domain(self, old: str, new: str) -> None:
        if old in self._aliases.values():
            self._write_aliases({a: new if d == old else d for a, d in self._aliases.items()})

    def _read_aliases(self) -> None:
        kept = read_dictionary(self._alias_file)
        # The Main Domain's aliases stay its own when its name changes: it is kept as '*'.
        self._aliases = {
            alias.lower(): "" if domain == "*" else str(domain).lower()
            for alias, domain in kept.items()
        }

    def _write_aliases(self, aliases: dict[str, str]) -> None:
        if aliases != self._aliases:
            make_folder(self._alias_file.parent)
            write_dictionary(self._alias_file, {a: d or "*" for a, d in aliases.items()})
            self._aliases = aliases
        self._show_aliases()

    def _show_aliases(self) -> None:
        for target, domain in (("", self.main), *self._secondary.items()):
            domain.aliases = tuple(alias for alias, d in self._aliases.items() if d == target)
        self._neighbours.changes.note()

    @property
    def _alias_file(self) -> Path:
        return self._base / "Settings" / "DomainAliases.data"

    # The Main Domain's name ----------------------------------------------------------------------

    def _main_name(self) -> str:
        try:
            return names.domain_name(str(self._settings.get("Server", "DomainName")))
        except BadName:
            return FALLBACK_NAME

    def _check_main_name(self, typed: Mapping[str, Any]) -> None:
        try:
            name = names.domain_name(str(typed["DomainName"]))
        except BadName as error:
            raise SettingError(f"DomainName: {error.text}") from None
        if name in self._secondary:
            raise SettingError(f"DomainName: there is a Domain {name} already")
        if name in self._aliases:
            raise SettingError(f"DomainName: there is a Domain Alias {name} already")

    def _main_renamed(self) -> None:
        self.main.name = self._main_name()
        self._neighbours.changes.note()

    # Addresses -----------------------------------------------------------------------------------

    def _mode(self, domain: Domain) -> str:
        mode: str = domain.settings.typed().get("IPMode", "All" if domain.is_main else "Manual")
        return mode

    def _check_settings(self, domain: Domain, typed: Mapping[str, Any]) -> None:
        if typed.get("IPMode") == "All" and not domain.is_main:
            raise SettingError("IPMode: All Available can be selected for the Main Domain only")
        for ip in typed.get("IPAddresses", ()):
            if self._network is not None and ip not in self._network.addresses:
                raise SettingError(f"IPAddresses: {ip} is not an address of the Server computer")
            other = self._by_address.get(ip)
            if other is not None and other is not domain:
                raise SettingError(f"IPAddresses: {ip} is assigned to {other.name} already")
        kinds_pem.check(typed, has_address=domain.is_main or bool(typed.get("IPAddresses")))

    def _assign_addresses(self) -> None:
        self._by_address = {
            ip: domain
            for domain in (self.main, *self._secondary.values())
            for ip in domain.settings.typed().get("IPAddresses", ())
        }
        self._neighbours.changes.note()
