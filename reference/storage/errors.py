"""What can be wrong with an order to the storage: every refusal, with the text for its reply.

The texts that the documents give are used as they stand (``Account with this name already
exists``); the others are of the same kind. Protocols turn the classes into reply codes; nothing
here knows of any protocol.
"""

# ruff: noqa: N818 - a refusal is a value of the domain, named as the reply names it

from __future__ import annotations


class StorageError(Exception):
    """An order that cannot be carried out; nothing has been changed. ``text`` says why."""

    default = "The operation cannot be performed"

    def __init__(self, text: str = "") -> None:
        self.text = text or self.default
        super().__init__(self.text)


class SettingError(StorageError):
    """A setting's keyword or value is wrong."""

    default = "Incorrect setting"


class BadName(StorageError):
    """A name that an object cannot have."""

    default = "Incorrect name"


class NameTaken(StorageError):
    """A name that some object has already."""

    default = "An object with this name already exists"


class AccountExists(NameTaken):
    """An account has the name."""

    default = "Account with this name already exists"


class AliasExists(NameTaken):
    """An account alias has the name."""

    default = "Alias with this name already exists"


class ForwarderExists(NameTaken):
    """A forwarder has the name."""

    default = "Forwarder with this name already exists"


class ListExists(NameTaken):
    """A mailing list has the name."""

    default = "Mailing List with this name already exists"


class DomainExists(NameTaken):
    """A domain has the name."""

    default = "Domain with this name already exists"


class DomainAliasExists(NameTaken):
    """A domain alias has the name."""

    default = "Domain Alias with this name already exists"


class NoSuchAccount(StorageError):
    """There is no account of this name."""

    default = "Account does not exist"


class NoSuchForwarder(StorageError):
    """There is no forwarder of this name."""

    default = "Forwarder does not exist"


class NoSuchList(StorageError):
    """There is no mailing list of this name."""

    default = "Mailing List does not exist"


class NoSuchDomain(StorageError):
    """There is no domain of this name."""

    default = "Domain does not exist"


class NoSuchMailbox(StorageError):
    """There is no mailbox of this name in the account."""

    default = "Mailbox does not exist"


class MailboxExists(NameTaken):
    """The account has a mailbox of this name."""

    default = "Mailbox with this name already exists"


class InUse(StorageError):
    """The object is in use and cannot be renamed or removed now."""

    default = "The object is in use"


class DomainNotEmpty(StorageError):
    """The domain has objects and may be removed by force only."""

    default = "The Domain is not empty"


class MainDomainOnly(StorageError):
    """The Main Domain cannot be renamed or removed this way."""

    default = "The Main Domain cannot be renamed or removed"


class MessageGone(StorageError):
    """Another session has removed the message."""

    default = "The message has been removed"


class FileError(StorageError):
    """A file of the base directory cannot be read, written or understood."""

    default = "A file of the base directory cannot be used"
