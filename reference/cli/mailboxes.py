"""Commands on the mailboxes of an account.

Guide 3.5.2, Command Line Interface, Mailbox Administration. The owner may use them, a System
Administrator, and a domain administrator with the right CanAccessMailboxes. Mailbox aliases are
kept as they are given. This server has no access control lists yet, so nobody acts for another
account here.
"""

from __future__ import annotations

import re

from reference.cli import kept
from reference.cli.command import Access, Answer, Call, Command, row
from reference.cli.replies import CommandError
from reference.formats.dictionary import Value
from reference.storage.account import Account

__all__ = ["COMMANDS"]

_RIGHT = "CanAccessMailboxes"


def _account(call: Call) -> Account:
    return call.own_or(call.arguments.text("accountName"), _RIGHT)


def _about(account: Account, name: str) -> Value:
    mailbox = account.mailbox(name)
    return {
        "Messages": str(len(mailbox.messages())),
        "Size": str(mailbox.storage()),
        "UIDValidity": str(mailbox.uid_validity),
    }


def _list(call: Call) -> Answer:
    account = _account(call)
    wanted = _pattern(call.arguments.optional("filter") or "*")
    return {
        name: _about(account, name) for name in account.mailbox_names() if wanted.fullmatch(name)
    }


def _pattern(text: str) -> re.Pattern[str]:
    """Return the pattern of an IMAP LIST wildcard; the percent sign stops at a slash."""
    parts = re.split(r"([*%])", text)
    meanings = {"*": ".*", "%": "[^/]*"}
    return re.compile("".join(meanings.get(part, re.escape(part)) for part in parts), re.DOTALL)


def _create(call: Call) -> Answer:
    _account(call).create_mailbox(call.arguments.text("mailboxName"))
    return None


def _info(call: Call) -> Answer:
    return _about(_account(call), call.arguments.text("mailboxName"))


def _get_aliases(call: Call) -> Answer:
    found = _account(call).explicit.get(kept.MAILBOX_ALIASES, {})
    return found if isinstance(found, dict) else {}


def _set_aliases(call: Call) -> Answer:
    account = _account(call)
    aliases = call.arguments.dictionary("newAliases")
    for alias, mailbox in aliases.items():
        if not alias or not isinstance(mailbox, str) or not mailbox:
            raise CommandError("a mailbox alias is a name with the name of a mailbox")
    account.update({kept.MAILBOX_ALIASES: aliases if aliases else "default"})
    return None


_ANY = Access.EVERYBODY
_NAME = "accountName:string"
_MAILBOX = f"{_NAME} MAILBOX mailboxName:string"

COMMANDS: tuple[Command, ...] = (
    row("ListMailboxes", _list, f"{_NAME} [FILTER filter:string]", access=_ANY, short="lstmbx"),
    row("CreateMailbox", _create, _MAILBOX, access=_ANY),
    row("GetMailboxInfo", _info, _MAILBOX, access=_ANY),
    row("GetMailboxAliases", _get_aliases, _NAME, access=_ANY),
    row("SetMailboxAliases", _set_aliases, f"{_NAME} newAliases:dictionary", access=_ANY),
)
