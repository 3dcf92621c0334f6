r"""The Routing Table as Postfix maps.

Indexed maps look an address up in an order of their own (user@domain, user, @domain), so a table
whose order counts becomes regular expressions, which Postfix tries from the first line to the last
(regexp_table(5)). Every record has one line in ``router-aliases.regexp`` (virtual_alias_maps),
whose results are looked up again, as the Router does; a record that only names the next host
rewrites the address to itself there, which ends the search, and has its host in
``router-transport.regexp``. What strangers may use is decided by ``router-relay.regexp`` and the
lists of domains; ``router-refused.regexp`` refuses at RCPT.

Postfix judges the address that the client names, not those that it leads to, and has no relay
marker: what comes of that is said in the verdicts. :mod:`.postfix_text` writes the lines.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from conformance.translate.course import Place, circles, first, goes_on, hidden_by
from conformance.translate.destination import Destination, Kind
from conformance.translate.postfix_text import (
    REFUSALS,
    Lines,
    domain_picture,
    key,
    main_cf,
    relay_line,
    result,
    white_hole,
)
from conformance.translate.records import Marker, Purpose, Record
from conformance.translate.verdict import Installation, NativeFile, Outcome, Translation, Verdict

__all__ = ["translate"]

_DIFFERENT = {
    Kind.UUCP: "a transport that calls uux must be written by hand (master.cf, pipe(8))",
    Kind.UNIFIED: (
        "the account gets the mail without X-Real-To (X-Original-To names the whole address, "
        "where the delivery agent writes it); there are no POP views by it"
    ),
}
_BARE = (
    "the host hears the address with its domain, where .smtp without a further domain makes the "
    "Router send the local part alone"
)
_CIRCLE = (
    "the record leads in a circle: the Router refuses the address at RCPT, Postfix takes the "
    "recipient and then says 451 for the whole message (virtual_alias_recursion_limit)"
)


def translate(records: Sequence[Record], installation: Installation) -> Translation:
    """Return maps, parameters and the verdicts."""
    lines = Lines()
    main = installation.main_domain
    verdicts = []
    for record in records:
        outcome, reason = _judge(records, record, main)
        verdicts.append(Verdict(record, outcome, reason))
        if outcome is not Outcome.DROPPED and record.left.domain.lower() != main.lower():
            _write(lines, records, record, installation)
    return Translation("postfix", _files(lines, records, installation), tuple(verdicts))


def _judge(records: Sequence[Record], record: Record, main: str) -> tuple[Outcome, str]:
    if Purpose.MAIL not in record.purposes:
        return Outcome.DROPPED, "it concerns logins or signals, not mail"
    if record.left.domain.lower() == main.lower():
        return Outcome.CARRIED, (
            "it never applies (the Main Domain's name is taken away first), so nothing is written"
        )
    destination = _followed(records, record)
    if _is_white_hole(record):
        return _judge_white_hole(destination)
    if destination.kind is Kind.UUCP and not goes_on(records, record):
        return Outcome.DROPPED, _DIFFERENT[Kind.UUCP]
    if destination.kind is Kind.HOST and record.left.star and "*" in destination.host:
        return Outcome.DROPPED, (
            "the host depends on what the * stands for, and transport_maps do not hand on "
            "what virtual_alias_maps have matched: name the hosts one by one"
        )
    if destination.kind is Kind.HOST and record.left.is_alias and not _own_domain(destination):
        return Outcome.DROPPED, (
            "one address of a domain cannot go to a host of its own under another name: "
            "write the new address with a domain, or a record for the whole domain"
        )
    if circles(records, record):
        return Outcome.DIFFERENT, _CIRCLE
    different = _difference(record, destination)
    if different:
        return Outcome.DIFFERENT, different
    hidden = hidden_by(records, record)
    return Outcome.CARRIED, f"line {hidden.line} takes all its addresses" if hidden else ""


def _difference(record: Record, destination: Destination) -> str:
    if destination.kind is Kind.HOST:
        return _BARE if destination.bare and not _own_domain(destination) else ""
    if destination.local is not None and "#" in destination.local:
        return "mailbox names (account#mailbox) are not Postfix's: the mail goes to the account"
    if record.marker is Marker.NO and destination.kind is Kind.ADDRESS:
        return (
            "strangers are refused by the address that they name; another record that leads here "
            "does not change that"
        )
    if destination.kind is Kind.UUCP:
        return ""
    return _DIFFERENT.get(destination.kind, "")


def _judge_white_hole(destination: Destination) -> tuple[Outcome, str]:
    if destination.kind is not Kind.ADDRESS:
        return Outcome.DROPPED, "a white hole must lead to an address: REDIRECT knows no other"
    return Outcome.DIFFERENT, (
        "REDIRECT sends the whole message to the last white hole that a recipient named"
    )


def _is_white_hole(record: Record) -> bool:
    return record.left.is_alias and record.left.domain.lower() == "blacklisted"


def _own_domain(destination: Destination) -> bool:
    """Tell whether the host hears an address whose domain the record names."""
    return bool(destination.path) or "%" in (destination.local or "") or not destination.bare


def _followed(records: Sequence[Record], record: Record) -> Destination:
    """Return the destination, through records for a name that stands for a relay.

    ``client.com = client.com@relay`` and ``relay = host.com.smtp`` are one host for Postfix: the
    path must not be rewritten into an address on the way.
    """
    destination = record.destination
    seen = {str(record)}
    while destination.kind is Kind.ADDRESS and destination.path and "*" not in destination.domain:
        found = first(records, Place(f"user%{destination.path}", destination.domain))
        if found is None or found[0].left.is_alias or str(found[0]) in seen or found[0].left.star:
            break
        seen.add(str(found[0]))
        after = found[0].destination
        if after.local is not None or after.path:
            break
        destination = replace(after, local=destination.local, path=destination.path)
    return destination


def _write(
    lines: Lines, records: Sequence[Record], record: Record, installation: Installation
) -> None:
    destination = _followed(records, record)
    main = installation.main_domain
    lines.remark(record)
    if _is_white_hole(record):
        lines.white_holes.append((white_hole(record), result(record, destination, main)))
        return
    pattern = key(record, main)
    own = (main.lower(), *(name.lower() for name in installation.local_domains))
    lines.refused.append((pattern, REFUSALS.get(destination.kind, "DUNNO")))
    lines.relay += relay_line(record, main)
    lines.aliases.append((pattern, result(record, destination, main)))
    if destination.kind is Kind.HOST and _needs_transport(record, destination):
        lines.transport.append((_transport_key(record, destination, main), _host(destination)))
    if record.left.local is None and record.left.domain.lower() not in own:
        keeps = destination.kind is Kind.HOST and _keeps_domain(record, destination)
        (lines.relay_domains if keeps else lines.domains).append((domain_picture(record), "ok"))


def _needs_transport(record: Record, destination: Destination) -> bool:
    return destination.bare or destination.port is not None or record.left.local is None


def _keeps_domain(record: Record, destination: Destination) -> bool:
    """Tell whether the address still has the domain of the left part when it is sent."""
    if not destination.bare:
        return destination.port is not None
    return not destination.path or destination.path.lower() == record.left.domain.lower()


def _transport_key(record: Record, destination: Destination, main: str) -> str:
    if not destination.bare and destination.port is None:
        return domain_picture(record, destination.host, address=True)
    if record.left.is_alias:
        return key(record, main, Place(*_heard(destination)))
    return domain_picture(record, destination.path or record.left.domain, address=True)


def _heard(destination: Destination) -> tuple[str, str]:
    local, _, domain = (destination.local or "").rpartition("%")
    return local, domain


def _host(destination: Destination) -> str:
    if destination.port is not None:
        name = destination.host.strip("[]")
        return f"smtp:[{name}]:{destination.port}"
    return f"smtp:{destination.host}"


def _files(
    lines: Lines, records: Sequence[Record], installation: Installation
) -> tuple[NativeFile, ...]:
    local = [installation.main_domain, *installation.local_domains]
    local += [
        record.destination.domain or record.left.domain
        for record in records
        if record.destination.kind is Kind.HERE and "*" not in record.destination.domain
    ]
    folder = installation.folder or "/etc/postfix"
    return (
        NativeFile("main.cf", "parameters, to be added to main.cf", main_cf(folder)),
        *lines.files(list(dict.fromkeys(name.lower() for name in local))),
    )
