"""The PIPE module's part in routing, and what its addresses mean.

Guide 3.5.2, PIPE Module, Delivering to External Applications. All addresses of the domain ``pipe``
are the module's. The local part is a command line: perhaps ``queue[name]``, then tags, then an
application of the Application Directory and its parameters. The module's queue bears the name that
is told, or a number: messages of one queue are delivered one after the other.

A local part that holds ``%`` keeps it: only quotation marks and backslashes are taken off.
"""

from __future__ import annotations

import itertools
import re
from dataclasses import dataclass

from reference.kernel.routes import Accept, Address, Rewrite, RoutingError
from reference.queue.options import Settings
from reference.transport.commands import CommandError, CommandLine, read_command

DOMAIN = "pipe"
_QUEUE = re.compile(r"\s*queue\[([^\]]*)\]", re.IGNORECASE)
_QUEUE_NAME = re.compile(r"[A-Za-z0-9]{1,255}")


@dataclass(frozen=True, slots=True)
class Delivery:
    """What a PIPE address asks for."""

    queue: str
    """The name of its queue; empty: a queue of its own."""
    command: CommandLine


def read_address(text: str) -> Delivery:
    """Read the local part of a PIPE address, without quotation marks. Raises CommandError."""
    queue = ""
    found = _QUEUE.match(text)
    if found is not None:
        queue, text = found[1], text[found.end() :]
        if not _QUEUE_NAME.fullmatch(queue):
            raise CommandError(f"{queue!r} is no name of a PIPE queue; write letters and digits")
    command = read_command(text)
    program = command.words[0]
    if "/" in program or "\\" in program or program.startswith("."):
        raise CommandError(f"{program!r} is no name of an application")
    return Delivery(queue, command)


class PipeRouting:
    """The routing module ``PIPE``."""

    name = "PIPE"

    def __init__(self, *, settings: Settings) -> None:
        self._settings = settings
        self._numbers = itertools.count(1)

    def route(self, address: Address, *, final: bool) -> Accept | Rewrite | None:
        """Take an address of the domain ``pipe``. Raises RoutingError for one that is wrong."""
        if final or address.domain != DOMAIN:
            return None
        if not self._settings.get("PIPE", "ApplicationDirectory"):
            raise RoutingError("messages are not delivered to applications here")
        text = unquoted(address.local)
        try:
            delivery = read_address(text)
        except CommandError as error:
            raise RoutingError(str(error)) from None
        return Accept(delivery.queue or str(next(self._numbers)), text)


def unquoted(local: str) -> str:
    """Return a local part without its quotation marks and backslashes."""
    if len(local) > 1 and local.startswith('"') and local.endswith('"'):
        local = local[1:-1]
    return re.sub(r"\\(.)", r"\1", local)
