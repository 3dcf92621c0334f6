"""Commands on domains: making and removing them, their names, aliases and settings.

Guide 3.5.2, Command Line Interface, Domain Administration. A domain administrator reads the
settings of his domain and changes those that his rights name; all else belongs to the System
Administrator. The name of the Main Domain is one of the server's General Settings.
"""

from __future__ import annotations

from reference.cli import kept
from reference.cli.account_settings import permitted
from reference.cli.accounts import strings
from reference.cli.command import Access, Answer, Call, Command, row
from reference.formats.dictionary import Value
from reference.storage.domain import Domain

__all__ = ["COMMANDS"]

_SERVER_WIDE = "DomainDefaults"


def _list(call: Call) -> Answer:
    return list(call.kernel.domains.names())


def _main_name(call: Call) -> Answer:
    return call.kernel.domains.main.name


def _domain(call: Call) -> Domain:
    return call.domain(call.arguments.optional("domainName"))


def _new(call: Call) -> dict[str, Value]:
    return permitted(call, call.arguments.dictionary("newSettings"))


def _create(call: Call) -> Answer:
    settings = kept.checked(call.arguments.dictionary("settings"))
    call.kernel.domains.create(call.arguments.text("domainName"), settings)
    return None


def _rename(call: Call) -> Answer:
    arguments = call.arguments
    call.kernel.domains.rename(arguments.text("oldDomainName"), arguments.text("newDomainName"))
    return None


def _delete(call: Call) -> Answer:
    force = call.arguments.given("force")
    call.kernel.domains.delete(call.arguments.text("oldDomainName"), force=force)
    return None


def _get(call: Call) -> Answer:
    return kept.shown(_domain(call).explicit)


def _get_effective(call: Call) -> Answer:
    return kept.shown(_domain(call).effective())


def _update(call: Call) -> Answer:
    _domain(call).update(_new(call))
    return None


def _replace(call: Call) -> Answer:
    domain = _domain(call)
    domain.replace({**kept.hidden(domain.explicit), **_new(call)})
    return None


def _get_defaults(call: Call) -> Answer:
    return call.kernel.settings.module(_SERVER_WIDE)


def _update_defaults(call: Call) -> Answer:
    call.kernel.settings.update(_SERVER_WIDE, _new(call))
    return None


def _replace_defaults(call: Call) -> Answer:
    call.kernel.settings.replace(_SERVER_WIDE, _new(call))
    return None


def _get_aliases(call: Call) -> Answer:
    return list(_domain(call).aliases)


def _set_aliases(call: Call) -> Answer:
    call.kernel.domains.set_aliases(_domain(call), strings(call, "newAliases"))
    return None


_ADMINISTRATOR = Access.ADMINISTRATOR
_SYSTEM = Access.SYSTEM
_NAME = "domainName:string"
_NEW = "newSettings:dictionary"

COMMANDS: tuple[Command, ...] = (
    row("ListDomains", _list, access=_SYSTEM, short="lstdmn"),
    row("MainDomainName", _main_name, access=_SYSTEM),
    row("CreateDomain", _create, f"{_NAME} [settings:dictionary]", access=_SYSTEM, short="crdmn"),
    row(
        "RenameDomain",
        _rename,
        # The guide's short form lacks the word into; both forms are taken for both names.
        "oldDomainName:string [into] newDomainName:string",
        access=_SYSTEM,
        short="rndmn",
    ),
    row("DeleteDomain", _delete, "oldDomainName:string [force]", access=_SYSTEM, short="dldmn"),
    row("GetDomainSettings", _get, f"[{_NAME}]", access=_ADMINISTRATOR, short="gtdmn"),
    row("GetDomainEffectiveSettings", _get_effective, f"[{_NAME}]", access=_ADMINISTRATOR),
    row(
        "UpdateDomainSettings",
        _update,
        f"[{_NAME}] {_NEW}",
        access=_ADMINISTRATOR,
        short="upddmn",
    ),
    # The guide gives upddmn as the short form of this one, too; stdmn follows its own rule.
    row("SetDomainSettings", _replace, f"{_NAME} {_NEW}", access=_SYSTEM, short="stdmn"),
    row("GetDomainDefaults", _get_defaults, access=_SYSTEM, short="gtdmndfl"),
    row("UpdateDomainDefaults", _update_defaults, _NEW, access=_SYSTEM, short="upddmndfl"),
    row("SetDomainDefaults", _replace_defaults, _NEW, access=_SYSTEM),
    row("GetDomainAliases", _get_aliases, _NAME, access=_ADMINISTRATOR, short="gtdmnals"),
    row(
        "SetDomainAliases",
        _set_aliases,
        f"{_NAME} newAliases:array",
        access=_SYSTEM,
        short="stdmnals",
    ),
)
