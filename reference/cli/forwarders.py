"""Commands on forwarders.

Guide 3.5.2, Command Line Interface, Forwarder Administration; Forwarders. A System Administrator
works in any domain, a domain administrator in his own, with the right CanCreateForwarders to make
and remove them.
"""

from __future__ import annotations

from reference.cli.command import Access, Answer, Call, Command, row
from reference.storage.errors import NoSuchForwarder

__all__ = ["COMMANDS"]

_RIGHT = "CanCreateForwarders"


def _list(call: Call) -> Answer:
    domain = call.domain(call.arguments.optional("domainName"))
    return [forwarder.name for forwarder in domain.forwarders.values()]


def _create(call: Call) -> Answer:
    name, domain = call.place(call.arguments.text("forwarderName"), _RIGHT)
    domain.create_forwarder(name, call.arguments.text("address"))
    return None


def _delete(call: Call) -> Answer:
    name, domain = call.place(call.arguments.text("forwarderName"), _RIGHT)
    domain.delete_forwarder(name)
    return None


def _get(call: Call) -> Answer:
    name, domain = call.place(call.arguments.text("forwarderName"))
    forwarder = domain.forwarders.get(name.lower())
    if forwarder is None:
        raise NoSuchForwarder
    return forwarder.address


_ADMINISTRATOR = Access.ADMINISTRATOR
_NAME = "forwarderName:string"

COMMANDS: tuple[Command, ...] = (
    row("ListForwarders", _list, "[domainName:string]", access=_ADMINISTRATOR),
    row(
        "CreateForwarder", _create, "forwarderName:string TO address:string", access=_ADMINISTRATOR
    ),
    row("DeleteForwarder", _delete, "forwarderName:string", access=_ADMINISTRATOR),
    row("GetForwarder", _get, "forwarderName:string", access=_ADMINISTRATOR),
)
