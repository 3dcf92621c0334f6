"""``mailproof relay-test HOST[:PORT]``: is this server an open relay, and by which trick?"""

from __future__ import annotations

import argparse
import asyncio
import ipaddress
import socket
from collections.abc import Sequence

from rich.console import Console

from conformance.cli.terminal import Terminal, shown
from conformance.relaytest.attempts import Names
from conformance.relaytest.probe import (
    Finding,
    Host,
    HostUnusable,
    Verdict,
    address_literal,
    probe,
    server_name,
)
from conformance.run.outcome import EXIT_AS_EXPECTED, EXIT_DIFFERENCE


class RelayTestError(Exception):
    """The host must not be tested, or is none; one sentence."""


MISUSE = (RelayTestError, HostUnusable)

_SIGNS = {
    Verdict.RELAYS: "[bold red]RELAYS [/]",
    Verdict.REFUSED: "[green]refused[/]",
    Verdict.UNCLEAR: "[yellow]unclear[/]",
}
_LOOPBACK = ipaddress.ip_network("127.0.0.0/8")
_WIDTH = 300


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of seconds")
    return seconds


def _address(text: str) -> str:
    local, _, domain = text.rpartition("@")
    if not local or not domain or not text.isascii() or not text.isprintable() or " " in text:
        raise argparse.ArgumentTypeError(f"{text!r} is not an address: write name@domain")
    return text


def declare(parser: argparse.ArgumentParser) -> None:
    """Declare the command."""
    parser.description = (
        "Open one SMTP session a way, up to RCPT and never to DATA, so that no mail is sent; say "
        "which ways the server accepts. Exit status: 0 none, 1 at least one, 2 the host could not "
        "be tested."
    )
    add = parser.add_argument
    add("host", metavar="HOST[:PORT]")
    add("--domain", help="a domain of the server (default: the name that it greets with)")
    add(
        "--to",
        type=_address,
        default="victim@mailproof-relay-test.example",
        metavar="ADDRESS",
        help="an address that is none of the server's (default %(default)s)",
    )
    add(
        "--from",
        dest="sender",
        type=_address,
        default="stranger@elsewhere.example",
        metavar="ADDRESS",
        help="the stranger's address, if the server refuses %(default)s",
    )
    add("--timeout", type=_seconds, default=30.0, metavar="SECONDS", help="for each reply")
    add(
        "--i-am-the-postmaster",
        action="store_true",
        help="needed for any host that is not on loopback: test your own servers only",
    )


def run(options: argparse.Namespace) -> int:
    """Test one host and print what each way came to. Raises MISUSE."""
    name, port = _split(options.host)
    found = _resolve(name)
    _check_permitted(name, found, postmaster=options.i_am_the_postmaster)
    address = next((each for each in found if ":" not in each), "")
    if not address:
        raise RelayTestError(f"{name} has IPv6 addresses only; relay-test speaks IPv4")
    host = Host(address, port, options.timeout)
    return asyncio.run(_test(Terminal(), host, options))


def _split(text: str) -> tuple[str, int]:
    name, colon, port = text.rpartition(":")
    if not colon or (text.count(":") > 1 and not name.endswith("]")):
        name, port = text, "25"
    name = name.removeprefix("[").removesuffix("]")
    if not name or not (port.isascii() and port.isdigit()) or not 0 < int(port) < 65536:
        raise RelayTestError(f"{text!r} is not a host: write mail.example.com or 127.0.0.1:2525")
    return name, int(port)


def _resolve(name: str) -> list[str]:
    """Return all addresses of a host."""
    try:
        found = socket.getaddrinfo(name, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "the name is malformed"
        raise RelayTestError(f"{name} has no address: {reason}") from None
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


def _check_permitted(name: str, addresses: Sequence[str], *, postmaster: bool) -> None:
    """Refuse a host unless every one of its addresses is this computer's own."""
    strange = [each for each in addresses if not _is_loopback(each)]
    if strange and not postmaster:
        raise RelayTestError(
            f"{name} is {', '.join(strange)}, which is not a loopback address: relay-test is for "
            "servers of your own; say so with --i-am-the-postmaster"
        )


def _is_loopback(text: str) -> bool:
    address = ipaddress.ip_address(text)
    return address in _LOOPBACK if address.version == 4 else address.is_loopback


async def _test(console: Console, host: Host, options: argparse.Namespace) -> int:
    victim, _, foreign = options.to.rpartition("@")
    names = Names(
        server=options.domain or await server_name(host),
        ip=host.address,
        victim=victim,
        foreign=foreign,
        stranger=options.sender,
    )
    console.print(
        f"Relay test of {address_literal(host)} as {shown(names.server)}\n", soft_wrap=True
    )
    findings: list[Finding] = []
    stopped = ""
    try:
        async for finding in probe(host, names):
            findings.append(finding)
            _print(console, finding)
    except HostUnusable as error:
        stopped = str(error)
    return _conclude(console, findings, stopped)


def _print(console: Console, finding: Finding) -> None:
    attempt = finding.attempt
    path = shown(f"MAIL FROM:{attempt.sender}  RCPT TO:{attempt.recipient}")
    console.print(
        f"{_SIGNS[finding.verdict]}  {shown(attempt.name)}\n"
        f"         [dim]{path}[/]\n"
        f"         [dim]{shown(finding.reply, width=_WIDTH)}[/]",
        soft_wrap=True,
    )


def _conclude(console: Console, findings: Sequence[Finding], stopped: str) -> int:
    """Print the sum; return the exit status. Raises RelayTestError when nothing was found out."""
    ways = [finding.attempt.name for finding in findings if finding.verdict is Verdict.RELAYS]
    unclear = sum(finding.verdict is Verdict.UNCLEAR for finding in findings)
    console.print(f"\n{len(findings)} ways tried, {len(ways)} relay, {unclear} unclear.")
    if ways:
        console.print(
            f"[bold red]This server relays for strangers:[/] {shown('; '.join(ways))}.",
            soft_wrap=True,
        )
        return EXIT_DIFFERENCE
    if stopped:
        raise RelayTestError(stopped)
    if unclear == len(findings):
        raise RelayTestError(
            "nothing could be told: no way was refused for good; the replies above say why"
        )
    remark = " Look at the unclear ones." if unclear else ""
    console.print(f"[green]No way made this server relay for a stranger.[/]{remark}")
    return EXIT_AS_EXPECTED
