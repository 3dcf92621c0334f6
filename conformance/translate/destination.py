"""Where a record leads: the right part of a routing record, taken apart.

Guide 3.5.2, Router, Special Addresses; SMTP Module, Routing; Local Delivery, Routing. A right part
is a domain, a path such as ``a.com@relay.com``, or an address; names with a meaning of their own
(``null``, ``error``, ``.local``, ``.smtp``, …) become the kind of destination.

Paths in the notations of RFC 822 and UUCP are brought into the percent notation, as the Router
does. Whether a domain is a local one is not decided here.
"""

from __future__ import annotations

import enum
import re
from dataclasses import dataclass, replace

__all__ = ["Destination", "DestinationError", "Kind", "of_alias", "of_domain", "split_address"]


class DestinationError(ValueError):
    """The right part means nothing; the text says what to write."""


class Kind(enum.Enum):
    """What the new address is."""

    ADDRESS = "an address"
    """Routed anew from the first record: ``local`` at ``domain`` (empty: the Main Domain)."""
    UNIFIED = "a unified account"
    """``.local``: the account ``account`` of the Main Domain takes mail for every name;
    ``.domain``: the account of the secondary domain ``domain``."""
    HERE = "a local domain, past the table"
    """``.here``: the local domain ``domain``."""
    HOST = "an SMTP host"
    """``.smtp`` or an IP address: the host ``host``, and ``port`` if one is named."""
    UUCP = "a UUCP host"
    """``.uucp``: routed anew, and if no record knows ``domain``, sent to the UUCP host ``host``."""
    NULL = "the black hole"
    ERROR = "an error"
    """``error`` and ``blacklisted``."""
    SPAMTRAP = "a spam trap"


@dataclass(frozen=True, slots=True)
class Destination:
    """The new address. An asterisk stands for what the wildcard of the left part has matched."""

    kind: Kind
    local: str | None = None
    """The new local part; None: the local part stays."""
    path: str = ""
    """A further domain that a domain record adds to the local part: ``local%path``."""
    domain: str = ""
    name: str = ""
    """The new domain part as the table has it, with its suffix, in lower case."""
    account: str = ""
    """Of a unified account: its name."""
    host: str = ""
    """Of an SMTP or UUCP host: its name, or its IP address in brackets."""
    port: int | None = None
    bare: bool = False
    """Of an SMTP host: the suffix ``.smtp`` is taken away, so the host hears the local part alone,
    its rightmost percent sign made an at sign."""


_QUOTED_LOCAL = re.compile(r'"(?:[^"\\]|\\.)*"')
_NAME = re.compile(r"[\w*-]+(?:\.[\w*-]+)*\.?|\[[\w.:*-]+\]")
_IP = re.compile(r"\[?(\d{1,3}(?:\.\d{1,3}){3})(?::(\d{1,5}))?\]?")
_SMTP_PORT = re.compile(r"(.+)\.(\d{1,5})")


def split_address(text: str) -> tuple[str, str]:
    """Return local part and domain (empty: none) of an address in any of the usual notations."""
    quoted = _QUOTED_LOCAL.match(text)
    if quoted is not None:
        domain = text[quoted.end() :]
        return text[: quoted.end()] + ("" if domain.startswith("@") else domain), (
            domain[1:] if domain.startswith("@") else ""
        )
    if text.startswith("@") and ":" in text:
        return _source_route(text)
    local, at, domain = text.rpartition("@")
    if at:
        return local, domain
    if "!" in text:
        first, *more, user = text.split("!")
        return "%".join([user, *reversed(more)]), first
    local, percent, domain = text.rpartition("%")
    return (local, domain) if percent and local and domain else (text, "")


def _source_route(text: str) -> tuple[str, str]:
    """``@a,@b:x@c`` → ``x%c%b`` and ``a``."""
    hosts, _, address = text.partition(":")
    first, *more = [host.strip().removeprefix("@") for host in hosts.split(",")]
    return "%".join([address.replace("@", "%"), *reversed(more)]), first


def of_domain(right: str) -> Destination:
    """Return the destination of a domain record. Raises DestinationError."""
    if not right:
        return Destination(Kind.ADDRESS)
    if "@" in right or "%" in right or "!" in right:
        path, domain = split_address(right)
        if not path or not _NAME.fullmatch(path.replace("%", ".")):
            raise DestinationError(f"{right} is no path; write a domain, or domain@relay")
        return _of_name(domain, local=None, path=path)
    return _of_name(right, local=None, path="")


def of_alias(right: str) -> Destination:
    """Return the destination of an alias record. Raises DestinationError."""
    if not right:
        raise DestinationError("an alias record needs an address after the =")
    local, domain = split_address(right)
    if not local or (not local.startswith('"') and re.search(r"[\s<>,]", local)):
        raise DestinationError(f"{right} is not an address; write name or name@domain")
    if domain:
        return _of_name(domain, local=local, path="")
    match local.lower():
        case "null" | "mailer-daemon":
            return Destination(Kind.NULL)
        case "error" | "blacklisted":
            return Destination(Kind.ERROR)
        case "spamtrap":
            return Destination(Kind.SPAMTRAP)
    return Destination(Kind.ADDRESS, local)


def _of_name(name: str, *, local: str | None, path: str) -> Destination:
    """Return the destination of a domain part."""
    if not _NAME.fullmatch(name):
        raise DestinationError(f"{name!r} is not a domain name")
    written, name = name.removesuffix("."), name.removesuffix(".").lower()
    stem, _, suffix = name.rpartition(".")
    if name == "null":
        return Destination(Kind.NULL)
    if name in ("error", "blacklisted"):
        return Destination(Kind.ERROR)
    made = Destination(Kind.ADDRESS, local, path, domain=name, name=name)
    if stem:
        match suffix:
            case "here":
                return replace(made, kind=Kind.HERE, domain=stem)
            case "local":
                return replace(made, kind=Kind.UNIFIED, domain="", account=written[: len(stem)])
            case "domain":
                return _unified(made, stem)
            case "uucp":
                return replace(made, kind=Kind.UUCP, host=stem)
            case "smtp" | "_via":
                return _host(made, stem)
    address = _IP.fullmatch(name)
    if address is not None:
        number = int(address[2]) if address[2] else None
        return replace(
            made, kind=Kind.HOST, domain="", host=f"[{address[1]}]", port=number, name=""
        )
    return made


def _host(made: Destination, stem: str) -> Destination:
    """``host.smtp`` and ``host.26.smtp``; ``._via`` is the suffix's other spelling."""
    port = _SMTP_PORT.fullmatch(stem)
    host, number = (port[1], int(port[2])) if port else (stem, None)
    return replace(
        made,
        kind=Kind.HOST,
        domain="",
        host=host,
        port=number,
        name=f"{stem}.smtp",
        bare=True,
    )


def _unified(made: Destination, domain: str) -> Destination:
    """``rest%account@name.domain``: the last part of the local part names the account."""
    account = (made.path if made.local is None else made.local).rpartition("%")[2]
    if not account:
        raise DestinationError(
            f"{domain}.domain names no account; write account@{domain}.domain, "
            f"or *%account@{domain}.domain"
        )
    return replace(made, kind=Kind.UNIFIED, domain=domain, account=account)
