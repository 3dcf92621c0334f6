r"""The loopback plan's arithmetic: a.b.c.d becomes 127.b.c.d, wherever a text speaks of it.

A scenario's text names addresses as dotted quads (also in ranges, in brackets and before
``.26._via``), and backwards in the names of reverse zones: ``4.3.2.1.in-addr.arpa``, or
``4.3.2.1.blocked.example`` for lists that answer by DNS. Ports inside a text stay as they are.
Projecting twice changes nothing more.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

# The documents write leading zeros too, as in 10.34.50.01-10.34.59.99.
_OCTET = r"(?:25[0-5]|2[0-4]\d|[01]?\d?\d)"
_QUAD = re.compile(
    # Neither part of a longer dotted number (an object identifier) nor of a word; the e of the line
    # end \e in a string of the documents' format is none.
    rf"(?:(?<![\w.])|(?<=\\e))"
    rf"(?P<first>{_OCTET})\.(?P<middle>{_OCTET}\.{_OCTET})\.(?P<last>{_OCTET})(?!\w)"
    r"(?P<more>\.\d+)?(?P<suffix>\.[A-Za-z_][\w-]*)?(?!\.?\d)"
)
_REVERSE_ZONE = re.compile(rf"(?<![\d])(?P<first>{_OCTET})(?P<zone>\.in-addr\.arpa\b)", re.I)
#: Names that the Router puts behind an address; every other name makes the quad a reversed one.
_ROUTED = frozenset({"_via", "smtp", "here", "local", "domain", "smtpq", "relay", "via"})
_FIXED = frozenset({"0.0.0.0", "255.255.255.255"})


def projected_address(documented: str) -> str:
    """Return the loopback address of a documented one."""
    if documented in _FIXED:
        return documented
    return "127." + documented.split(".", 1)[1]


def projected_text(text: str) -> str:
    """Return a scenario's text with every IPv4 address in it projected."""
    text = _QUAD.sub(_projected_quad, text)
    return _REVERSE_ZONE.sub(lambda match: "127" + match["zone"], text)


def addresses_in(text: str) -> Iterator[str]:
    """Yield the addresses that a text speaks of, the right way round where it says them backwards.

    The octets are as written, leading zeros too.
    """
    for match in _QUAD.finditer(text):
        if not match["more"] or match["suffix"]:
            quad = f"{match['first']}.{match['middle']}.{match['last']}"
            yield ".".join(reversed(quad.split("."))) if _backwards(match) else quad


def _backwards(match: re.Match[str]) -> bool:
    suffix = (match["suffix"] or "")[1:].lower()
    return bool(suffix) and suffix not in _ROUTED and not match["more"]


def _projected_quad(match: re.Match[str]) -> str:
    quad = f"{match['first']}.{match['middle']}.{match['last']}"
    more, suffix = match["more"] or "", match["suffix"] or ""
    if _backwards(match):
        if suffix.lower() == ".in-addr":
            return match[0]
        return f"{match['first']}.{match['middle']}.127{suffix}"
    if more and (not suffix or suffix[1:].lower() not in _ROUTED):
        return match[0]
    return projected_address(quad) + more + suffix
