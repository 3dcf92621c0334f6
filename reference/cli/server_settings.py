r"""Commands on the settings of the server: modules, protection, Router table, rules.

Guide 3.5.2, Command Line Interface, Server Settings. Tables and lists of addresses are one string
each, whose lines are separated with ``\e``; a line that is wrong leaves the old text in force.
GetServerSettings and its likes are commands of newer versions, with the General Settings of this
one. Server-wide Rules are kept and given back as they came.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

from reference.cli.command import Access, Answer, Call, Command, row
from reference.cli.replies import CommandError
from reference.formats.dictionary import Value, dump, parse, with_line_ends
from reference.kernel.protection import AddressTable
from reference.kernel.table import Purpose, RoutingTable
from reference.storage.settings import ROUTER_TABLE, SERVER_RULES

__all__ = ["COMMANDS"]

#: Server-wide defaults have commands of their own, which ask for another right.
_NO_MODULES = frozenset({"DomainDefaults", "AccountDefaults"})


def _module(call: Call) -> str:
    name = call.kernel.settings.name_of(call.arguments.text("moduleName"))
    if name in _NO_MODULES:
        raise CommandError(f"Unknown module {name}")
    return name


def _get_module(call: Call) -> Answer:
    return call.kernel.settings.module(_module(call))


def _set_module(call: Call) -> Answer:
    call.kernel.settings.replace(_module(call), call.arguments.dictionary("newSettings"))
    return None


def _update_module(call: Call) -> Answer:
    call.kernel.settings.update(_module(call), call.arguments.dictionary("newSettings"))
    return None


def _getter(module: str) -> Callable[[Call], Answer]:
    return lambda call: call.kernel.settings.module(module)


def _setter(module: str) -> Callable[[Call], Answer]:
    def replace(call: Call) -> Answer:
        call.kernel.settings.replace(module, call.arguments.dictionary("newSettings"))
        return None

    return replace


def _updater(module: str) -> Callable[[Call], Answer]:
    def update(call: Call) -> Answer:
        call.kernel.settings.update(module, call.arguments.dictionary("newSettings"))
        return None

    return update


def _addresses(table: AddressTable) -> Callable[[Call], Answer]:
    return lambda call: with_line_ends(call.kernel.protection.table(table).text)


def _set_addresses(table: AddressTable) -> Callable[[Call], Answer]:
    def replace(call: Call) -> Answer:
        call.kernel.protection.replace(table, call.arguments.text("newAddresses"))
        return None

    return replace


def _object(file: str, empty: Value) -> Callable[[Call], Answer]:
    def read(call: Call) -> Answer:
        text = call.kernel.settings.text(file)
        return parse(text) if text.strip() else empty

    return read


def _get_router_table(call: Call) -> Answer:
    return with_line_ends(call.kernel.settings.text(ROUTER_TABLE))


def _set_router_table(call: Call) -> Answer:
    text = call.arguments.text("newTable")
    table = RoutingTable.parse(text)
    call.kernel.settings.set_text(ROUTER_TABLE, text)
    call.kernel.router.table = table
    return None


def _set_rules(call: Call) -> Answer:
    rules = call.arguments.array("newRules")
    check_rules(rules)
    call.kernel.settings.set_text(SERVER_RULES, dump(rules, pretty=True))
    return None


def check_rules(rules: list[Value]) -> None:
    """Refuse what is no array of Rules, each an array of priority, name, conditions, actions."""
    for number, rule in enumerate(rules, 1):
        if not (isinstance(rule, list) and len(rule) >= 4):
            raise CommandError(
                f"Rule {number} is not an array of a priority, a name, conditions and actions"
            )
        priority, name, conditions, actions = rule[:4]
        if not (isinstance(priority, str) and priority.isascii() and priority.isdigit()):
            raise CommandError(f"Rule {number}: the priority is not a number")
        if not isinstance(name, str) or not name:
            raise CommandError(f"Rule {number} has no name")
        if not isinstance(conditions, list) or not isinstance(actions, list):
            raise CommandError(f"Rule {number}: conditions and actions are arrays")


def _refresh(call: Call) -> Answer:
    call.kernel.refresh()
    return None


def _route(call: Call) -> Answer:
    purpose = cast("Purpose", call.arguments.text("mode") or "mail")
    route = call.kernel.router.route(call.arguments.text("address"), purpose=purpose)
    named = f"{route.mailbox}#" if route.mailbox else ""
    return [route.module, route.host, route.address or named]


_SERVER = Access.SETTINGS
_NEW = "newSettings:dictionary"

COMMANDS: tuple[Command, ...] = (
    row("GetModule", _get_module, "moduleName:string", access=_SERVER),
    row("SetModule", _set_module, f"moduleName:string {_NEW}", access=_SERVER),
    row("UpdateModule", _update_module, f"moduleName:string {_NEW}", access=_SERVER),
    row("GetServerSettings", _getter("Server"), access=_SERVER),
    row("SetServerSettings", _setter("Server"), _NEW, access=_SERVER),
    row("UpdateServerSettings", _updater("Server"), _NEW, access=_SERVER),
    row("GetProtection", _getter("Protection"), access=_SERVER),
    row("SetProtection", _setter("Protection"), _NEW, access=_SERVER),
    row("GetBanned", _getter("Banned"), access=_SERVER),
    row("SetBanned", _setter("Banned"), _NEW, access=_SERVER),
    *(
        row(name, run, usage, access=_SERVER)
        for word, table in (
            ("BlacklistedIPs", AddressTable.BLACKLISTED),
            ("ClientIPs", AddressTable.CLIENTS),
            ("WhiteHoleIPs", AddressTable.WHITE_HOLES),
        )
        for name, run, usage in (
            (f"Get{word}", _addresses(table), ""),
            (f"Set{word}", _set_addresses(table), "newAddresses:string"),
        )
    ),
    row("GetServerRules", _object(SERVER_RULES, []), access=_SERVER),
    row("SetServerRules", _set_rules, "newRules:array", access=_SERVER),
    row("GetServerMailRules", _object(SERVER_RULES, []), access=_SERVER),
    row("SetServerMailRules", _set_rules, "newRules:array", access=_SERVER),
    row("GetRouterTable", _get_router_table, access=_SERVER),
    row("SetRouterTable", _set_router_table, "newTable:string", access=_SERVER),
    row("RefreshOSData", _refresh, access=_SERVER),
    row("Route", _route, "address:string [mode:mail|access|signal]", access=Access.ROUTING),
)
