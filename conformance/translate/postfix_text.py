r"""How routing records are written as lines of Postfix's regular-expression tables.

regexp_table(5): letter case does not matter, the first line that matches wins, ``${1}`` is a
group; a dollar sign is doubled. The name that stands for an address that goes nowhere is
``router.invalid``, of which nobody can be the owner (RFC 6761).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from conformance.translate.course import Place
from conformance.translate.destination import Destination, Kind
from conformance.translate.records import Marker, Record
from conformance.translate.verdict import NativeFile

__all__ = [
    "REFUSALS",
    "Lines",
    "domain_picture",
    "key",
    "main_cf",
    "relay_line",
    "result",
    "white_hole",
]

_SPECIAL = re.compile(r"([.^$*+?()\[\]{}|\\/])")
_NOWHERE = {
    Kind.NULL: "null@router.invalid",
    Kind.ERROR: "error@router.invalid",
    Kind.SPAMTRAP: "error@router.invalid",
}
#: What check_recipient_access says of a record's addresses; of all others nothing.
REFUSALS = {
    Kind.ERROR: "REJECT Blacklisted Address",
    Kind.SPAMTRAP: "PREPEND X-Spam-Trap: yes",
}
_MARKED = ("/^X-Spam-Trap: yes$/", "REJECT Blacklisted Address (a spam trap)")
_TRANSPORTS = (
    ("null@router.invalid", "discard:the Routing Table says null"),
    ("error@router.invalid", "error:5.7.1 Blacklisted Address"),
)
_MAIN_CF = """# Routing Table: add these to main.cf, in front of what stands there already.
virtual_alias_maps = regexp:FOLDER/router-aliases.regexp
virtual_alias_domains = regexp:FOLDER/router-domains.regexp
relay_domains = regexp:FOLDER/router-relay-domains.regexp
transport_maps = regexp:FOLDER/router-transport.regexp
allow_percent_hack = yes
# A message for a spam trap is marked at RCPT and refused, for all recipients, after DATA.
header_checks = regexp:FOLDER/router-spam-traps.regexp
smtpd_restriction_classes = blacklisted_host
# For hosts of a blacklist, as in "check_client_access cidr:FOLDER/blacklist" with the
# result blacklisted_host, first of all in smtpd_relay_restrictions.
blacklisted_host =
    check_recipient_access regexp:FOLDER/router-white-hole-redirect.regexp
    check_recipient_access regexp:FOLDER/router-white-hole-permit.regexp
    reject
smtpd_relay_restrictions =
    check_recipient_access regexp:FOLDER/router-refused.regexp
    permit_mynetworks
    permit_sasl_authenticated
    check_recipient_access regexp:FOLDER/router-relay.regexp
    reject_unauth_destination
"""


@dataclass(slots=True)
class Lines:
    """The lines of the tables: pattern and result, in the order of the records."""

    aliases: list[tuple[str, str]] = field(default_factory=list)
    domains: list[tuple[str, str]] = field(default_factory=list)
    relay_domains: list[tuple[str, str]] = field(default_factory=list)
    transport: list[tuple[str, str]] = field(default_factory=list)
    refused: list[tuple[str, str]] = field(default_factory=list)
    relay: list[tuple[str, str]] = field(default_factory=list)
    white_holes: list[tuple[str, str]] = field(default_factory=list)

    def remark(self, record: Record) -> None:
        """Begin a record: its text goes before its line of the alias map."""
        self.aliases.append(("#", str(record)))

    def files(self, local_domains: Sequence[str]) -> tuple[NativeFile, ...]:
        """Return the files; domains of ``local_domains`` are in no list of other domains."""
        nowhere = [(f"/^{_escape(name)}$/", value) for name, value in _TRANSPORTS]
        return (
            _file("router-aliases.regexp", "virtual_alias_maps", self.aliases),
            _file(
                "router-domains.regexp",
                "virtual_alias_domains",
                _unless(local_domains, self.domains),
            ),
            _file(
                "router-relay-domains.regexp",
                "relay_domains",
                _unless(local_domains, self.relay_domains),
            ),
            _file("router-transport.regexp", "transport_maps", [*nowhere, *self.transport]),
            _file("router-refused.regexp", "check_recipient_access, for everybody", self.refused),
            _file("router-spam-traps.regexp", "header_checks", [_MARKED]),
            _file("router-relay.regexp", "check_recipient_access, for strangers", self.relay),
            _file(
                "router-white-hole-redirect.regexp",
                "check_recipient_access, for blacklisted hosts: where to",
                [(pattern, f"REDIRECT {target}") for pattern, target in self.white_holes],
            ),
            _file(
                "router-white-hole-permit.regexp",
                "check_recipient_access, for blacklisted hosts: what they reach",
                [(pattern, "permit") for pattern, _ in self.white_holes],
            ),
        )


def _unless(
    local_domains: Sequence[str], lines: Sequence[tuple[str, str]]
) -> list[tuple[str, str]]:
    names = "|".join(_escape(name) for name in local_domains)
    return [("if", f"!/^({names})$/"), *lines, ("endif", "")] if lines else []


def _file(name: str, use: str, lines: Sequence[tuple[str, str]]) -> NativeFile:
    return NativeFile(name, use, "".join(f"{a} {b}".rstrip() + "\n" for a, b in lines))


def main_cf(folder: str) -> str:
    """Return the parameters that name the tables in a folder."""
    return _MAIN_CF.replace("FOLDER", folder)


def _escape(text: str) -> str:
    return _SPECIAL.sub(r"\\\1", text)


def _picture(text: str, star: str) -> str:
    return star.join(_escape(piece) for piece in text.split("*"))


def key(record: Record, main: str, place: Place | None = None) -> str:
    """Return the pattern of the addresses that a record describes."""
    left = record.left
    if left.local is None:
        return f"/^(.*)@{_picture(left.domain, '([^@]*)')}$/"
    local, domain = (left.local, left.domain) if place is None else (place.local, place.domain)
    return f"/^{_picture(local, '(.*)')}@{_escape(domain or main)}$/"


def domain_picture(record: Record, domain: str | None = None, *, address: bool = False) -> str:
    """Return the pattern of a record's domains, or of all addresses in them."""
    picture = _picture(record.left.domain if domain is None else domain, "[^@]*")
    return f"/@{picture}$/" if address else f"/^{picture}$/"


def result(record: Record, destination: Destination, main: str) -> str:
    """Return the new address, with the groups of :func:`key`."""
    if destination.kind in _NOWHERE:
        return _NOWHERE[destination.kind]
    group = "${2}" if record.left.local is None else "${1}"

    def filled(text: str) -> str:
        return text.replace("$", "$$").replace("*", group)

    if destination.kind is Kind.UNIFIED:
        return f"{filled(destination.account)}@{filled(destination.domain) or main}"
    if destination.kind is Kind.HOST:
        return _result_for_host(record, destination, filled)
    local = "${1}" if destination.local is None else filled(destination.local)
    if destination.path:
        local += f"%{filled(destination.path)}"
    if not local.startswith('"'):
        local = local.partition("#")[0]
    return f"{local}@{filled(destination.domain) or main}"


def _result_for_host(record: Record, destination: Destination, filled: Callable[[str], str]) -> str:
    if not destination.bare and destination.port is None:
        local = "${1}" if destination.local is None else filled(destination.local)
        path = f"%{filled(destination.path)}" if destination.path else ""
        return f"{local}{path}@{filled(destination.host)}"
    if destination.local is not None:
        local, _, domain = destination.local.rpartition("%")
        return f"{filled(local)}@{filled(domain)}"
    # The address stays: a result that equals the key ends the search.
    return f"${{1}}@{filled(destination.path or record.left.domain)}"


def relay_line(record: Record, main: str) -> list[tuple[str, str]]:
    """Return the lines that say whether a stranger may use a record."""
    left = record.left
    if record.marker is Marker.NO:
        return [(key(record, main), "REJECT relaying is not permitted")]
    if record.marker is Marker.ALL:
        return [(key(record, main), "OK")]
    simple = '([^%!@" ]*)'
    if left.local is None:
        pattern = f"/^{simple}@{_picture(left.domain, '([^@]*)')}$/"
    else:
        pattern = f"/^{_picture(left.local, simple)}@{_escape(left.domain or main)}$/"
    lines = [(pattern, "OK")]
    if left.local is None or left.star:
        lines.append((key(record, main), "REJECT relaying is not permitted"))
    return lines


def white_hole(record: Record) -> str:
    """Return the pattern of recipients that ``<picture@blacklisted>`` means.

    The record is compared with local%domain, where the client has named local@domain.
    """
    picture = _picture(record.left.local or "", ".*").replace("%", "[%@]")
    return f"/^{picture}$/"
