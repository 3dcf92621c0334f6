"""The SMTP module's part in routing.

Guide 3.5.2, SMTP Module, Routing and Sending to Non-Standard Ports. On the first call the module
takes what is obviously its own:

- ``company.com-wakeup`` in the Main Domain: a request to release the queue ``company.com``;
- a domain that is an address, ``[10.0.0.5]`` or ``[10.0.0.5:26]``;
- a domain with the suffix ``.smtp``, or ``._via`` in newer versions: the rest names the host, a
  last number in it the port, and only the local part is passed to that host.

On the final call it takes every domain with a dot; with Forward to, for the queue of the forwarding
server. A local part that holds no ``@`` but a ``%`` has its last ``%`` changed to ``@`` first, so
``user%client1.com@host.com.smtp`` reaches host.com as ``user@client1.com``.

This module looks nothing up and sends nothing.
"""

from __future__ import annotations

import re

from reference.kernel.routes import Accept, Address, Rewrite, RoutingError
from reference.queue.options import Settings

#: Suffixes of domains that are hosts to send to.
SUFFIXES = (".smtp", "._via")
#: The suffix of a local part that is a wake-up request.
WAKEUP = "-wakeup"
_LITERAL = re.compile(r"\[(\d{1,3}(?:\.\d{1,3}){3})(?::(\d{1,5}))?\]")
_QUAD = re.compile(r"\[?(\d{1,3}(?:\.\d{1,3}){3})\]?(?:\.(\d+))?")
_NAME_PORT = re.compile(r"(.*[^.].*?)\.(\d+)")


class SMTPRouting:
    """The routing module ``SMTP``."""

    name = "SMTP"

    def __init__(self, *, settings: Settings) -> None:
        self._settings = settings

    def route(self, address: Address, *, final: bool) -> Accept | Rewrite | None:
        """Take an address, or leave it. Raises RoutingError for a port that is none."""
        if final:
            return self._final(address)
        if not address.domain:
            return _wakeup(address.local)
        literal = _LITERAL.fullmatch(address.domain)
        if literal is not None:
            queue = host_queue(literal[1], literal[2])
            return Accept(queue, f"{address.local}@[{literal[1]}]")
        for suffix in SUFFIXES:
            host = address.domain.removesuffix(suffix)
            if host and host != address.domain:
                return Accept(via(host), percent_to_at(address.local))
        return None

    def _final(self, address: Address) -> Accept | None:
        domain = address.domain
        if "." not in domain.strip(".") or domain.endswith(".uucp"):
            return None
        queue = forward_queue(self._settings.get("SMTP", "Forward")) or domain
        return Accept(queue, f"{address.local}@{domain}")


def _wakeup(local: str) -> Accept | None:
    name = local.lower().removesuffix(WAKEUP)
    if not name or name == local.lower():
        return None
    # Nothing that is sent has an empty address: this is how the sender knows a wake-up request.
    return Accept(name, "")


def via(host: str) -> str:
    """Return the queue for a domain without its ``.smtp``: ``mail.x.com.26`` → ``mail.x.com:26``.

    Raises RoutingError for a number that is no port.
    """
    quad = _QUAD.fullmatch(host)
    if quad is not None:
        return host_queue(quad[1], quad[2])
    named = _NAME_PORT.fullmatch(host)
    if named is not None:
        return f"{named[1]}:{_port(named[2])}"
    return host


def host_queue(ip: str, port: str | None) -> str:
    """Return the queue of an IP address and perhaps a port."""
    return f"[{ip}:{_port(port)}]" if port else f"[{ip}]"


def forward_queue(setting: str) -> str:
    """Return the queue of the forwarding server, or nothing when mail goes directly."""
    parts = [part.strip() for part in setting.lower().split(",") if part.strip()]
    if len(parts) == 1 and _QUAD.fullmatch(parts[0]):
        return f"[{parts[0].strip('[]')}]"
    return ",".join(parts)


def percent_to_at(local: str) -> str:
    """Change the last ``%`` to ``@`` in a local part that holds no ``@``; skip what is quoted."""
    quoted = local.rfind('"') + 1
    if "@" in local[quoted:]:
        return local
    head, percent, domain = local[quoted:].rpartition("%")
    return f"{local[:quoted]}{head}@{domain}" if percent else local


def _port(digits: str) -> int:
    port = int(digits)
    if not 0 < port < 65536:
        raise RoutingError(f"{digits} is not a port")
    return port
