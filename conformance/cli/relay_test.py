"""``mailproof relay-test HOST[:PORT]``: is this server an open relay, and by which trick?"""

from __future__ import annotations

import argparse
import asyncio
import ipaddress
import socket

from rich.console import Console
from rich.markup import escape

from conformance.relaytest.attempts import Names
from conformance.relaytest.probe import Finding, Host, HostUnusable, Verdict, probe, server_name
from conformance.run.outcome import EXIT_AS_EXPECTED, EXIT_BROKEN, EXIT_DIFFERENCE

_SIGNS = {
    Verdict.RELAYS: "[bold red]RELAYS [/]",
    Verdict.REFUSED: "[green]refused[/]",
    Verdict.UNCLEAR: "[yellow]unclear[/]",
}


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the command."""
    parser = commands.add_parser(
        "relay-test",
        help="try the known ways to make a server relay for a stranger",
        description="Open one SMTP session a way, up to RCPT and never to DATA; say which ways the "
        "server accepts. Exit status: 0 none, 1 at least one, 2 the host could not be tested.",
    )
    parser.add_argument("host", metavar="HOST[:PORT]")
    parser.add_argument("--domain", help="a domain of the server (default: the one it greets with)")
    parser.add_argument(
        "--to",
        default="victim@mailproof-relay-test.example",
        metavar="ADDRESS",
        help="an address that is none of the server's (default %(default)s)",
    )
    parser.add_argument("--timeout", type=float, default=30.0, metavar="SECONDS")
    parser.add_argument(
        "--i-am-the-postmaster",
        action="store_true",
        help="needed for any host that is not on loopback: test your own servers only",
    )
    parser.set_defaults(command=run)


def _host(text: str) -> tuple[str, int]:
    name, _, port = text.partition(":")
    if not name or (port and not port.isdigit()):
        raise HostUnusable(f"{text!r} is not a host: write mail.example.com or 127.0.0.1:2525")
    try:
        return socket.gethostbyname(name), int(port or 25)
    except OSError as error:
        raise HostUnusable(f"{name} has no address: {error.strerror or error}") from error


def run(options: argparse.Namespace) -> int:
    """Test one host and print what each way came to."""
    console = Console(highlight=False)
    try:
        address, port = _host(options.host)
        if not ipaddress.ip_address(address).is_loopback and not options.i_am_the_postmaster:
            raise HostUnusable(
                f"{address} is not a loopback address: relay-test is for servers of your own; "
                "say so with --i-am-the-postmaster"
            )
        return asyncio.run(_test(console, Host(address, port, options.timeout), options))
    except HostUnusable as error:
        Console(stderr=True).print(f"mailproof relay-test: {escape(str(error))}")
        return EXIT_BROKEN


async def _test(console: Console, host: Host, options: argparse.Namespace) -> int:
    victim, at, foreign = options.to.rpartition("@")
    if not at or not victim or not foreign:
        raise HostUnusable(f"--to {options.to!r} is not an address: write name@domain")
    names = Names(
        server=options.domain or await server_name(host),
        ip=host.address,
        victim=victim,
        foreign=foreign,
    )
    console.print(f"Relay test of {host.address} port {host.port} as {names.server}\n")
    findings: list[Finding] = []
    async for finding in probe(host, names):
        findings.append(finding)
        attempt = finding.attempt
        console.print(
            f"{_SIGNS[finding.verdict]}  {escape(attempt.name)}\n"
            f"         [dim]MAIL FROM:{escape(attempt.sender)}  RCPT TO:{escape(attempt.recipient)}"
            f"[/]\n         [dim]{escape(finding.reply)}[/]",
            soft_wrap=True,
        )
    ways = [finding.attempt.name for finding in findings if finding.verdict is Verdict.RELAYS]
    unclear = sum(finding.verdict is Verdict.UNCLEAR for finding in findings)
    console.print(f"\n{len(findings)} ways tried, {len(ways)} relay, {unclear} unclear.")
    if ways:
        console.print(f"[bold red]This server relays for strangers:[/] {escape(', '.join(ways))}.")
        return EXIT_DIFFERENCE
    console.print("[green]No way was found to make this server relay for a stranger.[/]")
    return EXIT_AS_EXPECTED
