"""Commands on the settings of accounts, and on what gives accounts their settings.

Guide 3.5.2, Command Line Interface, Account Administration and Domain Administration. An account
has explicit settings; what it does not set comes from the Default Account Settings of its domain,
then from the server-wide ones. A new account starts with the settings of the Account Template.

Who administers a domain may change the settings that his rights name, and no others: those are left
as they are. Replacing all settings is a System Administrator's command.
"""

from __future__ import annotations

from collections.abc import Mapping

from reference.cli import kept
from reference.cli.command import Access, Answer, Call, Command, row
from reference.formats.dictionary import Value
from reference.storage.account import Account

__all__ = ["COMMANDS", "permitted"]

_SERVER_WIDE = "AccountDefaults"


def permitted(call: Call, changes: Mapping[str, Value]) -> dict[str, Value]:
    """Return the changes that the caller may make. Raises CommandError for what is no setting."""
    return {
        keyword: value
        for keyword, value in kept.checked(changes).items()
        if call.authority.modifiable(keyword)
    }


def _new(call: Call) -> dict[str, Value]:
    return permitted(call, call.arguments.dictionary("newSettings"))


def _account(call: Call) -> Account:
    return call.account_named(call.arguments.text("accountName"))


def _get(call: Call) -> Answer:
    return kept.shown(call.own_or(call.arguments.text("accountName")).explicit)


def _get_effective(call: Call) -> Answer:
    return kept.shown(call.own_or(call.arguments.text("accountName")).effective())


def _update(call: Call) -> Answer:
    _account(call).update(_new(call))
    return None


def _replace(call: Call) -> Answer:
    account = _account(call)
    account.replace({**kept.hidden(account.explicit), **_new(call)})
    return None


def _get_defaults(call: Call) -> Answer:
    return call.domain(call.arguments.optional("domainName")).account_defaults.explicit()


def _update_defaults(call: Call) -> Answer:
    call.domain(call.arguments.optional("domainName")).account_defaults.update(_new(call))
    return None


def _replace_defaults(call: Call) -> Answer:
    call.domain(call.arguments.optional("domainName")).account_defaults.replace(_new(call))
    return None


def _get_template(call: Call) -> Answer:
    return call.domain(call.arguments.optional("domainName")).template.explicit()


def _update_template(call: Call) -> Answer:
    call.domain(call.arguments.optional("domainName")).template.update(_new(call))
    return None


def _replace_template(call: Call) -> Answer:
    call.domain(call.arguments.optional("domainName")).template.replace(_new(call))
    return None


def _get_all(call: Call) -> Answer:
    return call.kernel.settings.module(_SERVER_WIDE)


def _update_all(call: Call) -> Answer:
    call.kernel.settings.update(_SERVER_WIDE, _new(call))
    return None


def _replace_all(call: Call) -> Answer:
    call.kernel.settings.replace(_SERVER_WIDE, _new(call))
    return None


_ADMINISTRATOR = Access.ADMINISTRATOR
_SYSTEM = Access.SYSTEM
_ANY = Access.EVERYBODY
_NAME = "accountName:string"
_DOMAIN = "[domainName:string]"
_NEW = "newSettings:dictionary"

COMMANDS: tuple[Command, ...] = (
    row("GetAccountSettings", _get, _NAME, access=_ANY, short="gtacnt"),
    row("GetAccount", _get, _NAME, access=_ANY),
    row("GetAccountEffectiveSettings", _get_effective, _NAME, access=_ANY),
    row(
        "UpdateAccountSettings",
        _update,
        f"{_NAME} {_NEW}",
        access=_ADMINISTRATOR,
        short="updacnt",
    ),
    row("SetAccountSettings", _replace, f"{_NAME} {_NEW}", access=_SYSTEM, short="stacnt"),
    row("GetAccountDefaults", _get_defaults, _DOMAIN, access=_ADMINISTRATOR, short="gtacndfl"),
    row(
        "UpdateAccountDefaults",
        _update_defaults,
        f"{_DOMAIN} {_NEW}",
        access=_ADMINISTRATOR,
        short="updacndfl",
    ),
    row(
        "SetAccountDefaults",
        _replace_defaults,
        f"{_DOMAIN} {_NEW}",
        access=_SYSTEM,
        short="stacndfl",
    ),
    row("GetAccountTemplate", _get_template, _DOMAIN, access=_ADMINISTRATOR, short="gtacntmp"),
    row(
        "UpdateAccountTemplate",
        _update_template,
        f"{_DOMAIN} {_NEW}",
        access=_ADMINISTRATOR,
        short="updacntmp",
    ),
    row(
        "SetAccountTemplate",
        _replace_template,
        f"{_DOMAIN} {_NEW}",
        access=_SYSTEM,
        short="stacntmp",
    ),
    row("GetAllAccountsDefaults", _get_all, access=_SYSTEM, short="gtalacndfl"),
    row("UpdateAllAccountsDefaults", _update_all, _NEW, access=_SYSTEM, short="updalacndfl"),
    row("SetAllAccountsDefaults", _replace_all, _NEW, access=_SYSTEM),
)
