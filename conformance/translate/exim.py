"""The Routing Table as Exim routers.

Exim asks its routers in their order, and what a redirect router makes of an address begins again
with the first one (Exim specification, The redirect router), which is what the Routing Table does:
so a record becomes one redirect router, in its place, and suffixes such as ``.smtp`` have
routers behind them. The relay marker travels in
``$address_data``, which children inherit; the ACL ``router_table_rcpt`` reads it after
``verify = recipient``. Addresses that a record sends past the table (``.here``, ``.local``) enter
again at ``router_table_end``; those for a certain host at ``router_table_host``.

What stays different is said in the verdicts; :mod:`conformance.translate.exim_text` writes.
"""

from __future__ import annotations

from collections.abc import Sequence

from conformance.translate.course import circles, goes_on, hidden_by
from conformance.translate.destination import Kind
from conformance.translate.exim_text import (
    ACL,
    HEAD,
    TAIL,
    local_data,
    matching,
    router,
)
from conformance.translate.records import Marker, Purpose, Record
from conformance.translate.verdict import Installation, NativeFile, Outcome, Translation, Verdict

__all__ = ["translate"]

_RELAY = {
    Marker.SIMPLE: r"${if match{$local_part}{\N[%!@ ]\N}{}{relay=yes }}",
    Marker.ALL: "relay=yes ",
    Marker.NO: "",
}


def translate(records: Sequence[Record], installation: Installation) -> Translation:
    """Return routers, an ACL and the verdicts."""
    verdicts = tuple(_verdict(records, record, installation) for record in records)
    routers = [
        _router(verdict.record, installation.main_domain)
        for verdict in verdicts
        if Purpose.MAIL in verdict.record.purposes
        and not _is_main(verdict.record, installation.main_domain)
    ]
    table = "\n".join([HEAD.replace("MAIN_DOMAIN", installation.main_domain), *routers, TAIL])
    table = table.replace("@@MAIN@@", installation.main_domain)
    return Translation(
        "exim",
        (
            NativeFile("router-table.conf", "the first routers after 'begin routers'", table),
            NativeFile("router-acl.conf", "after 'begin acl'; see the comment in it", ACL),
        ),
        verdicts,
    )


def _is_main(record: Record, main: str) -> bool:
    """Tell whether the left part names the Main Domain, which the Router never sees."""
    return record.left.domain.lower() == main.lower()


def _verdict(records: Sequence[Record], record: Record, installation: Installation) -> Verdict:
    outcome, reason = _judge(records, record, installation)
    return Verdict(record, outcome, reason)


def _judge(
    records: Sequence[Record], record: Record, installation: Installation
) -> tuple[Outcome, str]:
    if Purpose.MAIL not in record.purposes:
        return Outcome.DROPPED, "it concerns logins or signals, not mail"
    if _is_main(record, installation.main_domain):
        return Outcome.CARRIED, (
            "it never applies (the Main Domain's name is taken away first), so nothing is written"
        )
    if circles(records, record):
        return Outcome.DIFFERENT, (
            "the record leads in a circle: the Router refuses the address, Exim passes over a "
            "router that has had the same address before and goes on with the next one"
        )
    destination = record.destination
    different = _DIFFERENCES.get(destination.kind, "")
    if destination.kind is Kind.UUCP and goes_on(records, record):
        different = ""
    if destination.kind is Kind.HOST and (not destination.bare or _names_next(record)):
        different = ""
    if destination.local is not None and "#" in destination.local:
        different = "mailbox names (account#mailbox) are not Exim's: the mail goes to the account"
    if different:
        dropped = destination.kind is Kind.UUCP
        return Outcome.DROPPED if dropped else Outcome.DIFFERENT, different
    hidden = hidden_by(records, record)
    return Outcome.CARRIED, f"line {hidden.line} takes all its addresses" if hidden else ""


_DIFFERENCES = {
    Kind.UUCP: "Exim has no UUCP module: a pipe transport that calls uux must be written by hand",
    Kind.UNIFIED: (
        "two such recipients of one message become one address, and Exim delivers once for each "
        "address: X-Real-To names the first only; there are no POP views by X-Real-To"
    ),
    Kind.HOST: (
        "the host hears the address with its domain, where .smtp without a further domain makes "
        "the Router send the local part alone"
    ),
}


def _names_next(record: Record) -> bool:
    """Tell whether the address for a ``.smtp`` host keeps a domain."""
    destination = record.destination
    return bool(destination.path) or "%" in (destination.local or "")


def _router(record: Record, main: str) -> str:
    destination = record.destination
    data = local_data(record, main)
    options: list[tuple[str, str]] = []
    # What is thrown away is not relayed.
    relay = "relay=yes " if destination.kind is Kind.NULL else _RELAY[record.marker]
    host = ""
    match destination.kind:
        case Kind.NULL:
            options = [("data", ":blackhole:")]
        case Kind.ERROR:
            options = [("data", ":fail: Blacklisted Address"), ("allow_fail", "")]
        case Kind.SPAMTRAP:
            options = [("data", ":fail: Blacklisted Address (a spam trap)"), ("allow_fail", "")]
        case Kind.HOST if not destination.bare:
            host = _host(record)
            options = [("data", data), ("redirect_router", "router_table_host")]
        case _:
            options = [("data", data)]
    trap = "spamtrap=yes " if destination.kind is Kind.SPAMTRAP else ""
    if relay or host or trap:
        options.insert(0, ("address_data", f"{host}{trap}{relay}$address_data"))
    return router(f"router_table_{record.line}", str(record), [*matching(record, main), *options])


def _host(record: Record) -> str:
    """Return the element of ``$address_data`` that ``router_table_host`` reads."""
    destination = record.destination
    port = "" if destination.port is None else f"::{destination.port}"
    return f"host={destination.host.strip('[]')}{port} "
