"""An account: its settings, password, services, rights and mailboxes.

Guide 3.5.2, Accounts, Account Data. The files of the account John are in the folder
``john.macnt``: ``account.settings``, ``account.info`` (what changes often and may be lost) and a
file for each mailbox, ``INBOX.mbox`` always. A setting that is not set explicitly comes from the
domain's Default Account Settings, then from the server-wide ones. This version makes multi-mailbox
accounts with text mailboxes; the other types are refused.

An account knows nothing of logins and sessions, except that it counts those that say so: an account
in use is neither renamed nor removed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from reference.formats.dictionary import Value
from reference.storage import mailbox_names, passwords
from reference.storage.errors import FileError, MailboxExists, NoSuchMailbox, StorageError
from reference.storage.files import fsync_folder, read_dictionary, write_dictionary
from reference.storage.mbox import Mailbox
from reference.storage.registry_objects import ACCOUNT_SETTINGS
from reference.storage.settings_file import SettingsFile

if TYPE_CHECKING:
    from reference.storage.domain import Domain

SUFFIX = ".macnt"
SETTINGS_FILE = "account.settings"
INFO_FILE = "account.info"
INBOX = "INBOX"


class Account:
    """An account of a domain; made by the domain only."""

    __slots__ = (
        *("__weakref__", "_inbox", "_info", "_kept"),
        *("domain", "name", "place", "sessions"),
    )

    def __init__(self, *, domain: Domain, name: str, place: str = "") -> None:
        """``place`` is the subfolder of the domain's folder, as in ``js.sub``."""
        self.domain = domain
        self.name = name
        self.place = place
        self.sessions = 0
        """Sessions and deliveries that have said :meth:`open` and not yet :meth:`close`."""
        self._kept: SettingsFile | None = None
        self._info: dict[str, Value] | None = None
        self._inbox: Path | None = None  # where INBOX is, once somebody has looked

    def __repr__(self) -> str:
        return f"<Account {self.label}>"

    @property
    def folder(self) -> Path:
        """The account's folder."""
        return self.domain.folder / self.place / f"{self.name}{SUFFIX}"

    @property
    def label(self) -> str:
        """The account's queue name: ``john`` in the Main Domain, else ``john@client.com``."""
        return self.name if self.domain.is_main else f"{self.name}@{self.domain.name}"

    @property
    def address(self) -> str:
        """The account's e-mail address."""
        return f"{self.name}@{self.domain.name}"

    @property
    def aliases(self) -> tuple[str, ...]:
        """The account's other names."""
        return self.domain.aliases_of(self)

    # Use -----------------------------------------------------------------------------------------

    def open(self) -> None:
        """Say that the account is in use; :meth:`close` must follow."""
        self.sessions += 1

    def close(self) -> None:
        """Say that one use has ended."""
        self.sessions -= 1

    # Settings ------------------------------------------------------------------------------------

    @property
    def explicit(self) -> dict[str, Value]:
        """The explicitly set settings, as a dictionary of the format."""
        return self._settings().explicit()

    def mentions(self, keyword: str) -> bool:
        """Tell whether the settings file may hold a keyword, without keeping what it holds.

        May be called from any thread.
        """
        try:
            return keyword.encode() in (self.folder / SETTINGS_FILE).read_bytes()
        except OSError:
            return False

    def effective(self) -> dict[str, Value]:
        """Return all settings in force, as a dictionary of the format."""
        own = self._settings().typed()
        return ACCOUNT_SETTINGS.printed({**self.domain.account_values(), **own})

    def get(self, keyword: str) -> Any:
        """Return the typed value in force; None for a custom setting that nobody has set."""
        own = self._settings().typed()
        return own[keyword] if keyword in own else self.domain.account_value(keyword)

    def update(self, changes: Mapping[str, Value]) -> None:
        """Set some settings; ``default`` takes an explicit value away.

        A new Password is kept under the Password Encryption in force after the change, unless it
        carries an encryption prefix. Raises SettingError, FileError; then nothing has changed.
        """
        self._settings().update(self._encrypted(self.explicit, changes))

    def replace(self, values: Mapping[str, Value]) -> None:
        """Set settings in place of all explicit ones. Raises like :meth:`update`."""
        self._settings().replace(self._encrypted({}, values))

    def _encrypted(
        self, explicit: Mapping[str, Value], changes: Mapping[str, Value]
    ) -> Mapping[str, Value]:
        return with_kept_password(
            changes,
            ACCOUNT_SETTINGS.typed(ACCOUNT_SETTINGS.merge(explicit, changes)),
            self.domain.account_value("PasswordEncryption"),
            current=explicit.get("Password"),
        )

    def _settings(self) -> SettingsFile:
        if self._kept is None:
            self._kept = SettingsFile(
                self.folder / SETTINGS_FILE, ACCOUNT_SETTINGS, remark=self.domain.remark
            )
        return self._kept

    @property
    def services(self) -> frozenset[str]:
        """The services that are enabled for the account and for its domain."""
        services: frozenset[str] = self.get("AccessModes") & self.domain.get("DomainAccessModes")
        return services

    # Rights --------------------------------------------------------------------------------------

    @property
    def rights(self) -> frozenset[str]:
        """The access rights granted to the account, as they are spelled in the file."""
        return self.domain.rights_of(self)

    def set_rights(self, rights: Iterable[str]) -> None:
        """Grant these access rights and no others, durably. Raises FileError."""
        self.domain.set_rights(self, rights)

    # Password ------------------------------------------------------------------------------------

    def check_password(self, password: str) -> bool:
        """Tell whether a clear password opens the account."""
        return bool(self.get("UseAppPassword")) and passwords.matches(self._password(), password)

    def password_text(self) -> str:
        """Return the password for a challenge method; empty when there is none to be had."""
        return passwords.clear_text(self._password()) if self.get("UseAppPassword") else ""

    def set_password(self, password: str) -> None:
        """Keep a new clear password under the Password Encryption in force. Raises FileError."""
        kept = passwords.keep(password, self.get("PasswordEncryption"))
        self._settings().update({"Password": kept} if kept else {"Password": "default"})

    def _password(self) -> str:
        # A password is an account's own; a default one for everybody would open all doors.
        return str(self._settings().typed().get("Password", ""))

    # Info ----------------------------------------------------------------------------------------

    def info(self, key: str) -> Value:
        """Return an element of the account's info, as ``LastLogin``; empty when there is none."""
        with self.domain.lock:
            return self._read_info().get(f"#{key}", "")

    def set_info(self, key: str, value: Value) -> None:
        """Set an element of the account's info; a crash of the computer may lose it."""
        with self.domain.lock:
            self._write_info(f"#{key}", value, durable=False)

    def _read_info(self) -> dict[str, Value]:
        if self._info is None:
            try:
                self._info = read_dictionary(self.folder / INFO_FILE)
            except FileError as error:
                # Guide, Account Data: a corrupted .info file is survived.
                self.domain.remark(f"{self.label}: {error.text}; the file is made anew")
                self._info = {}
        return self._info

    def _write_info(self, key: str, value: Value, *, durable: bool) -> None:
        info = {**self._read_info(), key: value}
        write_dictionary(self.folder / INFO_FILE, info, durable=durable)
        self._info = info

    # Mailboxes -----------------------------------------------------------------------------------

    def mailbox(self, name: str = INBOX) -> Mailbox:
        """Return a mailbox. Raises NoSuchMailbox, BadName."""
        name = mailbox_names.checked(name)
        # INBOX is always there and stays where it is: a delivery need not look for it.
        path = self._inbox if name == INBOX else None
        path = path or self._mailbox_path(name)
        if path is None:
            raise NoSuchMailbox(f"Mailbox {name} does not exist")
        if name == INBOX:
            self._inbox = path
        return self.domain.mailboxes.get(path, lambda: _Uids(self, name))

    def _mailbox_path(self, name: str) -> Path | None:
        """Return where a mailbox is; INBOX is a text file when there is no other."""
        text = self.folder / mailbox_names.file_of(name)
        if not mailbox_names.is_mailbox(text):
            other = self.folder / mailbox_names.file_of(name, mailbox_names.DIRECTORY)
            if mailbox_names.is_mailbox(other):
                return other
            if name != INBOX:
                return None
        return text

    def mailbox_names(self) -> list[str]:
        """Return the names of all mailboxes, INBOX first."""
        return mailbox_names.names_in(self.folder)

    def create_mailbox(self, name: str) -> Mailbox:
        """Make a mailbox and return it. Raises MailboxExists, BadName, StorageError, FileError.

        ``box.mbox`` and ``box.mdir`` make the mailbox ``box`` of that format (Guide, Mailboxes);
        without an extension the account's setting for new mailboxes says which.
        """
        name, extension = mailbox_names.divided(name)
        name = mailbox_names.checked(name)
        if name == INBOX or self._mailbox_path(name) is not None:
            raise MailboxExists
        if not extension:
            text = self.get("DefaultMailboxType") == "TextMailbox"
            extension = mailbox_names.TEXT if text else mailbox_names.DIRECTORY
        path = self.folder / mailbox_names.file_of(name, extension)
        limit = self.get("MaxMailboxes")
        if 0 <= limit <= len(self.mailbox_names()):
            raise StorageError("The account has as many Mailboxes as it may have")
        try:
            path.parent.mkdir(exist_ok=True, parents=True)
            if extension == mailbox_names.TEXT:
                path.touch()
            else:
                path.mkdir()
            fsync_folder(path.parent)
        except OSError as error:
            raise FileError(f"{path}: {error.strerror}") from error
        return self.mailbox(name)

    def storage(self) -> int:
        """Return the octets that all mailboxes take. Raises FileError."""
        return sum(self.mailbox(name).storage() for name in self.mailbox_names())

    # For the domain ------------------------------------------------------------------------------

    def renamed(self, name: str, place: str) -> None:
        """Know the account by its new name; its folder has been moved."""
        self.name = name
        self.place = place
        self._inbox = None
        if self._kept is not None:
            self._kept.moved(self.folder / SETTINGS_FILE)


class _Uids:
    """What the account's info file remembers of a mailbox's UIDs."""

    def __init__(self, account: Account, mailbox: str) -> None:
        self._account = account
        self._mailbox = mailbox
        self._validity = 0

    def load(self) -> tuple[int, int]:
        account = self._account
        with account.domain.lock:
            known = account._read_info().get(self._mailbox)
            validity, last = (
                (_number(known, "UIDValidity"), _number(known, "LastUID"))
                if isinstance(known, dict)
                else (0, 0)
            )
            if not validity:
                validity = max(1, int(account.domain.clock.time()))
                self._save(validity, last, durable=False)
            self._validity = validity
            return validity, last

    def save(self, last: int) -> None:
        with self._account.domain.lock:
            self._save(self._validity, last, durable=True)

    def _save(self, validity: int, last: int, *, durable: bool) -> None:
        value: Value = {"UIDValidity": str(validity), "LastUID": str(last)}
        self._account._write_info(self._mailbox, value, durable=durable)


def _number(values: Mapping[str, Value], key: str) -> int:
    text = values.get(key, "")
    return int(text) if isinstance(text, str) and text.isascii() and text.isdigit() else 0


def with_kept_password(
    changes: Mapping[str, Value],
    typed: Mapping[str, Any],
    encryption: str,
    *,
    current: Value | None = None,
) -> Mapping[str, Value]:
    """Return changes with a new Password as it is to be kept.

    ``typed`` are the account's explicit settings after the changes; ``encryption`` is in force
    when they do not name one; the ``current`` string is not encrypted again.
    """
    password = changes.get("Password")
    if not isinstance(password, str) or password.lower() == "default":
        return changes
    if not password or password == current or passwords.is_kept(password):
        return changes
    kept = passwords.keep(password, typed.get("PasswordEncryption", encryption))
    return {**changes, "Password": kept}
