"""A domain: its accounts, account aliases, forwarders, mailing lists and settings.

Guide 3.5.2, Objects, Domains, Account Data (Domain Files). In the domain's folder there are the
account folders and a folder ``Settings``: ``Domain.settings``, ``AccountDefaults.settings``,
``Template.settings``, ``Access.settings`` (who has which rights), ``Aliases.data``,
``Forwarders.data`` and ``LISTS``. All names of a domain are unique, without regard to letter case.

The objects are found when the domain is first asked for one. A domain knows nothing of the other
domains; what concerns them, :mod:`reference.storage.domains` checks.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from reference.formats.dictionary import Value
from reference.kernel.clock import Clock
from reference.storage import account_files, names
from reference.storage.account import Account, with_kept_password
from reference.storage.changes import Changes
from reference.storage.domain_files import Aliases, Rights
from reference.storage.errors import (
    AccountExists,
    AliasExists,
    BadName,
    ForwarderExists,
    InUse,
    ListExists,
    NameTaken,
    NoSuchAccount,
    NoSuchForwarder,
    NoSuchList,
    StorageError,
)
from reference.storage.files import (
    make_folder,
    move,
    read_dictionary,
    remove_folder,
    write_dictionary,
)
from reference.storage.kinds_pem import with_dependents
from reference.storage.mailboxes import OpenMailboxes
from reference.storage.objects import Forwarder, MailingList
from reference.storage.registry_objects import ACCOUNT_SETTINGS, DOMAIN_SETTINGS, TEMPLATE_ONLY
from reference.storage.renaming import Renaming
from reference.storage.settings import Settings
from reference.storage.settings_file import SettingsFile

Object = Account | Forwarder | MailingList

#: The account type that exists; the documents' other types are refused by name.
ACCOUNT_TYPE = "MultiMailbox"


@dataclass(frozen=True, slots=True, kw_only=True)
class Neighbours:
    """What all domains of a server share."""

    settings: Settings
    clock: Clock
    mailboxes: OpenMailboxes
    remark: Callable[[str], None]
    """Is told, as a sentence, what was found damaged and how it was repaired."""
    check: Callable[[Domain, Mapping[str, Any]], None]
    """Looks at a domain's typed settings to come; raises SettingError."""
    changed: Callable[[Domain], None]
    """Is told that a domain's settings have changed."""
    changes: Changes = field(default_factory=Changes)
    """Counts changes of what names lead to."""
    lock: threading.RLock = field(default_factory=threading.RLock)
    """Held while info files are read and written, which deliveries do from threads."""


class Domain:
    """A domain; made by :class:`reference.storage.domains.Domains` only."""

    def __init__(self, *, name: str, folder: Path, is_main: bool, neighbours: Neighbours) -> None:
        self.name = name
        self.folder = folder
        self.is_main = is_main
        self.aliases: tuple[str, ...] = ()
        """The domain's other names; :class:`reference.storage.domains.Domains` sets them."""
        self._its = neighbours
        self.settings = SettingsFile(
            self._file("Domain.settings"),
            DOMAIN_SETTINGS,
            check=lambda typed: neighbours.check(self, typed),
            changed=lambda: neighbours.changed(self),
            remark=neighbours.remark,
        )
        """The explicit Domain Settings."""
        self.account_defaults = SettingsFile(
            self._file("AccountDefaults.settings"), ACCOUNT_SETTINGS, remark=neighbours.remark
        )
        """The Default Account Settings of the domain."""
        self.template = SettingsFile(self._file("Template.settings"), ACCOUNT_SETTINGS)
        """The Account Template."""
        self._aliases = Aliases(self._file("Aliases.data"), changed=neighbours.changes.note)
        self._rights = Rights(self._file("Access.settings"))

    def __repr__(self) -> str:
        return f"<Domain {self.name}>"

    # What accounts need of their domain ----------------------------------------------------------

    @property
    def clock(self) -> Clock:
        """The server's clock."""
        return self._its.clock

    @property
    def lock(self) -> threading.RLock:
        """Held while an info file is read or written."""
        return self._its.lock

    @property
    def mailboxes(self) -> OpenMailboxes:
        """The open mailboxes of the server."""
        return self._its.mailboxes

    def remark(self, text: str) -> None:
        """Tell what was found damaged and how it was repaired."""
        self._its.remark(text)

    # Settings ------------------------------------------------------------------------------------

    @property
    def explicit(self) -> dict[str, Value]:
        """The explicitly set Domain Settings, as a dictionary of the format."""
        return self.settings.explicit()

    def effective(self) -> dict[str, Value]:
        """Return all Domain Settings in force, as a dictionary of the format."""
        defaults = self._its.settings.typed("DomainDefaults")
        return DOMAIN_SETTINGS.printed({**defaults, **self.settings.typed()})

    def get(self, keyword: str) -> Any:
        """Return the typed Domain Setting in force; None for one that nobody knows."""
        own = self.settings.typed()
        if keyword in own:
            return own[keyword]
        return self._its.settings.typed_effective("DomainDefaults").get(keyword)

    def update(self, changes: Mapping[str, Value]) -> None:
        """Set some Domain Settings. Raises SettingError, FileError; then nothing has changed."""
        self.settings.update(with_dependents(changes, self.explicit))

    def replace(self, values: Mapping[str, Value]) -> None:
        """Set Domain Settings in place of all explicit ones. Raises like :meth:`update`."""
        self.settings.replace(values)

    def account_values(self) -> dict[str, Any]:
        """Return the typed values in force for an account without settings of its own."""
        server = self._its.settings.typed_effective("AccountDefaults")
        return {**server, **self.account_defaults.typed()}

    def account_value(self, keyword: str) -> Any:
        """Return one of :meth:`account_values`; None for one that nobody knows."""
        own = self.account_defaults.typed()
        if keyword in own:
            return own[keyword]
        return self._its.settings.typed_effective("AccountDefaults").get(keyword)

    # Finding -------------------------------------------------------------------------------------

    @cached_property
    def accounts(self) -> dict[str, Account]:
        """The accounts by their names in lower case."""
        self._renaming.recover()
        return {
            name: Account(domain=self, name=name, place=place)
            for name, place in account_files.scan(self.folder)
        }

    @cached_property
    def forwarders(self) -> dict[str, Forwarder]:
        """The forwarders by their names in lower case."""
        kept = read_dictionary(self._file("Forwarders.data"))
        return {
            name.lower(): Forwarder(name=name, address=str(address), domain=self)
            for name, address in kept.items()
        }

    @cached_property
    def lists(self) -> dict[str, MailingList]:
        """The mailing lists by their names in lower case."""
        folder = self._file("LISTS")
        paths = sorted(folder.glob("*.settings")) if folder.is_dir() else []
        return {
            path.stem.lower(): MailingList(domain=self, name=path.stem, path=path) for path in paths
        }

    def find(self, name: str) -> Object | None:
        """Return the object of a name; an account alias finds its account."""
        key = name.lower()
        return (
            self.accounts.get(key)
            or self.accounts.get(self._aliases.account(key) or "")
            or self.forwarders.get(key)
            or self.lists.get(key)
        )

    def label_of(self, account: Account) -> str:
        """Return the name of an account's queue; see :attr:`Account.label`."""
        return account.label

    def free_name(self, name: str, *, except_account: str = "") -> str:
        """Return a name checked for a new object. Raises BadName or NameTaken.

        The account ``except_account`` may have it already, as its name or an alias.
        """
        name = names.object_name(name)
        key = name.lower()
        if key in self.accounts and key != except_account:
            raise AccountExists
        owner = self._aliases.account(key)
        if owner in self.accounts and owner != except_account:
            raise AliasExists
        if key in self.forwarders:
            raise ForwarderExists
        if key in self.lists:
            raise ListExists
        if key == "all" and self.get("MailToAllAction") != "nobody":
            raise NameTaken("The name all stands for all Accounts of the Domain")
        return name

    # Accounts ------------------------------------------------------------------------------------

    def create_account(
        self,
        name: str,
        settings: Mapping[str, Value] | None = None,
        *,
        type: str = ACCOUNT_TYPE,  # noqa: A002 - the documents' word
    ) -> Account:
        """Make an account with the Template's settings and these ones, durably.

        Raises BadName, NameTaken, SettingError, FileError; then there is no account.
        """
        if type.lower() != ACCOUNT_TYPE.lower():
            raise StorageError(f"Accounts of the type {type} are not supported")
        name = self.free_name(name).lower()
        template = {k: v for k, v in self.template.explicit().items() if k not in TEMPLATE_ONLY}
        values = ACCOUNT_SETTINGS.merge(template, settings or {})
        typed = ACCOUNT_SETTINGS.typed(values)
        values = dict(with_kept_password(values, typed, self.account_value("PasswordEncryption")))
        place = account_files.place_of(name, self.get("Foldering"))
        account = Account(domain=self, name=name, place=place)
        validity = str(max(1, int(self.clock.time())))
        info: dict[str, Value] = {"INBOX": {"UIDValidity": validity, "LastUID": "0"}}
        account_files.make(account.folder, values, info)
        self.accounts[name] = account
        self._its.changes.note()
        return account

    def delete_account(self, account: Account) -> None:
        """Remove an account with its mailboxes, aliases, rights and mailing lists.

        Raises InUse, NoSuchAccount, FileError.
        """
        self._must_be_idle(account)
        for mailing_list in list(self.lists.values()):
            if mailing_list.owner == account.name:
                self.delete_list(mailing_list)
        self._aliases.drop(account.name)
        self._rights.drop(account.name)
        remove_folder(account.folder)
        del self.accounts[account.name]
        self._its.changes.note()
        self.mailboxes.forget(account.folder)

    def rename_account(self, account: Account, name: str) -> None:
        """Give an account another name; aliases, rights and lists stay its own.

        Raises InUse, NoSuchAccount, BadName, NameTaken, FileError; then nothing has changed.
        """
        self._must_be_idle(account)
        if self._aliases.account(name.strip().lower()) == account.name:
            raise AliasExists
        name = self.free_name(name, except_account=account.name).lower()
        if name == account.name:
            return
        self.mailboxes.forget(account.folder)
        self._renaming.do(account.name, name)

    def _must_be_idle(self, account: Account) -> None:
        if self.accounts.get(account.name) is not account:
            raise NoSuchAccount
        if account.sessions:
            raise InUse("The Account is in use")

    @cached_property
    def _renaming(self) -> Renaming:
        return Renaming(
            self._file("Renaming.data"), move=self._move_account, follow=self._follow_account
        )

    def _move_account(self, old: str, new: str) -> None:
        known = dict(account_files.scan(self.folder))
        if old not in known or new in known:
            return
        place = known[old]
        if not self.get("RenameInPlace"):
            place = account_files.place_of(new, self.get("Foldering"))
        target = Account(domain=self, name=new, place=place)
        make_folder(target.folder.parent)
        move(Account(domain=self, name=old, place=known[old]).folder, target.folder)
        if "accounts" in self.__dict__:
            account = self.accounts.pop(old)
            account.renamed(new, place)
            self.accounts[new] = account
        self._its.changes.note()

    def _follow_account(self, old: str, new: str) -> None:
        self._aliases.rename(old, new)
        self._rights.rename(old, new)
        for mailing_list in self.lists.values():
            if mailing_list.owner == old:
                mailing_list.set_owner(new)
        self._its.changes.note()

    def aliases_of(self, account: Account) -> tuple[str, ...]:
        """Return an account's aliases."""
        return self._aliases.of(account.name)

    def set_aliases(self, account: Account, aliases: Iterable[str]) -> None:
        """Give an account these aliases and no others, durably.

        Raises BadName, NameTaken, FileError; then nothing has changed.
        """
        wanted: dict[str, str] = {}
        for alias in aliases:
            name = self.free_name(alias, except_account=account.name)
            if name.lower() == account.name:
                raise AccountExists
            wanted.setdefault(name.lower(), name)
        self._aliases.set(account.name, wanted.values())

    def rights_of(self, account: Account) -> frozenset[str]:
        """Return the access rights granted to an account."""
        return self._rights.of(account.name)

    def set_rights(self, account: Account, rights: Iterable[str]) -> None:
        """Grant an account these access rights and no others, durably. Raises FileError."""
        self._rights.set(account.name, rights)

    # Forwarders ----------------------------------------------------------------------------------

    def create_forwarder(self, name: str, address: str) -> Forwarder:
        """Make a forwarder, durably. Raises BadName, NameTaken, FileError."""
        name = self.free_name(name)
        address = address.strip()
        if not address or not address.isprintable():
            raise BadName("The Forwarder's address is incorrect")
        forwarder = Forwarder(name=name, address=address, domain=self)
        self._write_forwarders({**self.forwarders, name.lower(): forwarder})
        return forwarder

    def delete_forwarder(self, name: str) -> None:
        """Remove a forwarder, durably. Raises NoSuchForwarder, FileError."""
        forwarders = dict(self.forwarders)
        if forwarders.pop(name.lower(), None) is None:
            raise NoSuchForwarder
        self._write_forwarders(forwarders)

    def _write_forwarders(self, forwarders: dict[str, Forwarder]) -> None:
        make_folder(self._file(""))
        kept: dict[str, Value] = {f.name: f.address for f in forwarders.values()}
        write_dictionary(self._file("Forwarders.data"), kept)
        self.forwarders = forwarders
        self._its.changes.note()

    # Mailing lists -------------------------------------------------------------------------------

    def create_list(self, name: str, owner: str) -> MailingList:
        """Make a mailing list of an account, durably.

        Raises BadName, NameTaken, NoSuchAccount, FileError.
        """
        name = self.free_name(name)
        account = self.find(owner)
        if not isinstance(account, Account):
            raise NoSuchAccount("The owner of a Mailing List must be an Account of the Domain")
        folder = self._file("LISTS")
        make_folder(folder)
        mailing_list = MailingList(domain=self, name=name, path=folder / f"{name}.settings")
        mailing_list.set_owner(account.name)
        self.lists[name.lower()] = mailing_list
        self._its.changes.note()
        return mailing_list

    def rename_list(self, mailing_list: MailingList, name: str) -> None:
        """Give a mailing list another name. Raises BadName, NameTaken, FileError."""
        name = self.free_name(name)
        folder = self._file("LISTS")
        old, new = folder / f"{mailing_list.name}.settings", folder / f"{name}.settings"
        subscribers = mailing_list.subscribers_file(old)
        if subscribers.exists():
            move(subscribers, mailing_list.subscribers_file(new))
        move(old, new)
        del self.lists[mailing_list.name.lower()]
        mailing_list.moved(name, new)
        self.lists[name.lower()] = mailing_list
        self._its.changes.note()

    def delete_list(self, mailing_list: MailingList) -> None:
        """Remove a mailing list, durably. Raises NoSuchList, FileError."""
        if self.lists.get(mailing_list.name.lower()) is not mailing_list:
            raise NoSuchList
        path = self._file("LISTS") / f"{mailing_list.name}.settings"
        path.unlink(missing_ok=True)
        mailing_list.subscribers_file(path).unlink(missing_ok=True)
        del self.lists[mailing_list.name.lower()]
        self._its.changes.note()

    # For Domains ---------------------------------------------------------------------------------

    def in_use(self) -> bool:
        """Tell whether any account is in use."""
        # A domain that has not been asked for its accounts cannot have one in use.
        return any(account.sessions for account in self.__dict__.get("accounts", {}).values())

    def renamed(self, name: str, folder: Path) -> None:
        """Know the domain by its new name; its folder has been moved."""
        self.name = name
        self.folder = folder
        for settings, file in (
            (self.settings, "Domain.settings"),
            (self.account_defaults, "AccountDefaults.settings"),
            (self.template, "Template.settings"),
            (self._aliases, "Aliases.data"),
            (self._rights, "Access.settings"),
        ):
            settings.moved(self._file(file))
        for account in self.__dict__.get("accounts", {}).values():
            account.renamed(account.name, account.place)
        self.__dict__.pop("lists", None)
        self.__dict__.pop("_renaming", None)
        self._its.changes.note()

    def _file(self, name: str) -> Path:
        return self.folder / "Settings" / name
