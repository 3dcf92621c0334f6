"""Commands on accounts: making and removing them, names, passwords, rights.

Guide 3.5.2, Command Line Interface, Account Administration and Access Rights Administration. The
settings of accounts are in :mod:`reference.cli.account_settings`.
"""

from __future__ import annotations

from reference.cli import kept
from reference.cli.account_settings import permitted
from reference.cli.command import Access, Answer, Call, Command, denied, row
from reference.cli.replies import CommandError
from reference.cli.rights import BASIC_SETTINGS, SERVER_RIGHTS, as_granted, canonical, in_order
from reference.cli.server_settings import check_rules
from reference.formats.dictionary import Value
from reference.storage.account import Account
from reference.storage.domain import ACCOUNT_TYPE
from reference.storage.errors import NoSuchAccount
from reference.storage.registry_objects import ACCOUNT_SETTINGS, DOMAIN_SETTINGS
from reference.storage.remote_accounts import read_accounts

__all__ = ["COMMANDS"]

_CREATE = "CanCreateAccounts"
_ALIASES = "CanCreateAliases"
_RULES = "CanModifyRules"
_RPOP = "CanModifyRPOP"

_KEYWORDS = frozenset(setting.keyword for setting in (*ACCOUNT_SETTINGS, *DOMAIN_SETTINGS))


def _list(call: Call) -> Answer:
    domain = call.domain(call.arguments.optional("domainName"))
    # The guide tells the keys only; the values are the types, as the extensions of the files.
    return {account.name: "macnt" for account in domain.accounts.values()}


def _create(call: Call) -> Answer:
    arguments = call.arguments
    name, domain = call.place(arguments.text("accountName"), _CREATE)
    if arguments.given("external"):
        raise CommandError("this server has no accounts with external INBOXes")
    if not call.authority.all_domains:
        limit = domain.get("AccountsLimit")
        if 0 <= limit <= len(domain.accounts):
            raise CommandError("the domain has as many accounts as it may have")
    settings = permitted(call, arguments.dictionary("settings"))
    domain.create_account(name, settings, type=arguments.optional("type") or ACCOUNT_TYPE)
    return None


def _rename(call: Call) -> Answer:
    account = _by_real_name(call)
    domain = account.domain
    new = call.name_in(domain, call.arguments.text("newAccountName"), _CREATE)
    domain.rename_account(account, new)
    return None


def _delete(call: Call) -> Answer:
    account = _by_real_name(call)
    account.domain.delete_account(account)
    return None


def _by_real_name(call: Call) -> Account:
    """Return the account to rename or remove: an alias must not stand for it there."""
    name, domain = call.place(call.arguments.text("oldAccountName"), _CREATE)
    account = domain.accounts.get(name.lower())
    if account is None:
        raise NoSuchAccount
    return account


def _set_password(call: Call) -> Answer:
    account = call.account_named(call.arguments.text("accountName"), BASIC_SETTINGS)
    account.set_password(call.arguments.text("newPassword"))
    return None


def _verify_password(call: Call) -> Answer:
    account = call.account_named(call.arguments.text("accountName"))
    if not account.check_password(call.arguments.text("password")):
        raise CommandError("the password is incorrect")
    return None


def _get_aliases(call: Call) -> Answer:
    return list(call.account_named(call.arguments.text("accountName")).aliases)


def _set_aliases(call: Call) -> Answer:
    account = call.account_named(call.arguments.text("accountName"), _ALIASES)
    account.domain.set_aliases(account, strings(call, "newAliases"))
    return None


def strings(call: Call, name: str) -> list[str]:
    """Return an array parameter whose elements must be strings. Raises CommandError."""
    found = []
    for element in call.arguments.array(name):
        if not isinstance(element, str):
            raise CommandError(f"{name} is an array of strings")
        found.append(element)
    return found


def _get_rights(call: Call) -> Answer:
    account = call.account_named(call.arguments.text("accountName"))
    return [*in_order(as_granted(account.rights))]


def _set_rights(call: Call) -> Answer:
    account = call.account_named(call.arguments.text("accountName"))
    # Rights in a secondary domain are domain rights, which a System Administrator may grant.
    if account.domain.is_main and not call.authority.unlimited:
        raise denied()
    rights = canonical(strings(call, "newRights"), _KEYWORDS)
    if not account.domain.is_main and rights & SERVER_RIGHTS:
        raise CommandError("server access rights are for accounts of the Main Domain only")
    account.set_rights(in_order(rights))
    return None


def _get_info(call: Call) -> Answer:
    account = call.own_or(call.arguments.text("accountName"))
    return account.info(call.arguments.text("keyName"))


def _location(call: Call) -> Answer:
    account = call.account_named(call.arguments.text("accountName"))
    return str(account.folder.relative_to(account.domain.folder))


def _get_rules(call: Call) -> Answer:
    return _array(call, kept.RULES)


def _set_rules(call: Call) -> Answer:
    account = call.account_named(call.arguments.text("accountName"), _RULES)
    rules = call.arguments.array("newRules")
    check_rules(rules)
    account.update({kept.RULES: rules if rules else "default"})
    return None


def _get_rpop(call: Call) -> Answer:
    return _array(call, kept.RPOP)


def _set_rpop(call: Call) -> Answer:
    account = call.account_named(call.arguments.text("accountName"), _RPOP)
    records = call.arguments.array("newRecords")
    try:
        read_accounts(records)
    except ValueError as error:
        raise CommandError(str(error)) from None
    account.update({kept.RPOP: records if records else "default"})
    call.kernel.records_changed(account)
    return None


def _array(call: Call, keyword: str) -> list[Value]:
    account = call.account_named(call.arguments.text("accountName"))
    found = account.explicit.get(keyword, [])
    return found if isinstance(found, list) else []


def _get_web_user(call: Call) -> Answer:
    account = call.own_or(call.arguments.text("accountName"))
    return account.explicit.get(kept.WEB_USER, {})


def _set_web_user(call: Call) -> Answer:
    account = call.own_or(call.arguments.text("accountName"))
    settings = call.arguments.dictionary("newSettings")
    account.update({kept.WEB_USER: settings if settings else "default"})
    return None


_ADMINISTRATOR = Access.ADMINISTRATOR
_NAME = "accountName:string"
_RENAME = "oldAccountName:string into newAccountName:string"

COMMANDS: tuple[Command, ...] = (
    row("ListAccounts", _list, "[domainName:string]", access=_ADMINISTRATOR, short="lstacnt"),
    row(
        "CreateAccount",
        _create,
        f"{_NAME} [type:MultiMailbox|TextMailbox|MailDirMailbox] [external] [settings:dictionary]",
        access=_ADMINISTRATOR,
        short="cracnt",
    ),
    row("RenameAccount", _rename, _RENAME, access=_ADMINISTRATOR, short="rnacnt"),
    row("DeleteAccount", _delete, "oldAccountName:string", access=_ADMINISTRATOR, short="dlacnt"),
    row(
        "SetAccountPassword",
        _set_password,
        f"{_NAME} To newPassword:string",
        access=_ADMINISTRATOR,
    ),
    row(
        "VerifyAccountPassword",
        _verify_password,
        f"{_NAME} PASSWORD password:string",
        access=_ADMINISTRATOR,
    ),
    row("GetWebUser", _get_web_user, _NAME, access=Access.EVERYBODY, short="gtwusr"),
    row(
        "SetWebUser",
        _set_web_user,
        f"{_NAME} newSettings:dictionary",
        access=Access.EVERYBODY,
        short="stwusr",
    ),
    row("GetAccountAliases", _get_aliases, _NAME, access=_ADMINISTRATOR, short="gtacntals"),
    row(
        "SetAccountAliases",
        _set_aliases,
        f"{_NAME} newAliases:array",
        access=_ADMINISTRATOR,
        short="stacntals",
    ),
    row("GetAccountRights", _get_rights, _NAME, access=_ADMINISTRATOR, short="gtacntrght"),
    row(
        "SetAccountRights",
        _set_rights,
        f"{_NAME} newRights:array",
        access=Access.SYSTEM,
        short="stacntrght",
    ),
    row(
        "GetAccountInfo",
        _get_info,
        f"{_NAME} Key keyName:string",
        access=Access.EVERYBODY,
        short="gtacntinf",
    ),
    row("GetAccountLocation", _location, _NAME, access=Access.SYSTEM),
    row("GetAccountRules", _get_rules, _NAME, access=_ADMINISTRATOR, short="gtacntrl"),
    row(
        "SetAccountRules",
        _set_rules,
        f"{_NAME} newRules:array",
        access=_ADMINISTRATOR,
        short="stacntrl",
    ),
    row("GetAccountMailRules", _get_rules, _NAME, access=_ADMINISTRATOR),
    row("SetAccountMailRules", _set_rules, f"{_NAME} newRules:array", access=_ADMINISTRATOR),
    row("GetAccountRPOP", _get_rpop, _NAME, access=_ADMINISTRATOR),
    row("SetAccountRPOP", _set_rpop, f"{_NAME} newRecords:array", access=_ADMINISTRATOR),
)
