"""How the server is started: its options, one class for the command and the twist plugin."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address
from pathlib import Path
from typing import NoReturn


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerOptions:
    """The start options of one server."""

    base: Path
    """The base directory; made with a fresh installation when it is empty or missing."""
    addresses: tuple[str, ...] = ()
    """The only IP addresses to use; empty: all of the operating system's."""
    dns_servers: tuple[str, ...] = ()
    """Name servers; empty: the operating system's."""
    port_offset: int = 0
    """Added to every port that the server listens on or connects to."""
    control: str = ""
    """Path of a harness's control socket; empty: none."""
    hold_clock: bool = False
    """Let the clock stand still until the control socket moves it."""
    user: str = ""
    """The account to become once the ports are open; empty: stay."""
    certificate: Path | None = None
    """A PEM file with the server-wide private key and certificate, which domains use when their
    setting says so; None: the server makes them."""


class _Parser(argparse.ArgumentParser):
    """Complains in one line; the usage is asked for with ``--help``."""

    def error(self, message: str) -> NoReturn:
        """End the program with status 2."""
        self.exit(2, f"{self.prog}: {message} (--help lists the options)\n")


def _addresses(text: str) -> tuple[str, ...]:
    parts = tuple(part.strip() for part in text.split(",") if part.strip())
    for part in parts:
        try:
            IPv4Address(part)
        except ValueError:
            raise argparse.ArgumentTypeError(
                f"{part!r} is not an IPv4 address (write 10.0.0.1, several with commas between)"
            ) from None
    return parts


def _folder(text: str) -> Path:
    if not text:
        raise argparse.ArgumentTypeError("the name of a directory is expected")
    return Path(text)


def _offset(text: str) -> int:
    if not text.isdecimal() or int(text) >= 65000:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 0 to 64999")
    return int(text)


def parser() -> argparse.ArgumentParser:
    """Return the parser of the server's command line."""
    result = _Parser(
        prog="mailproof-server",
        description="A mail server of the CommuniGate Pro family, as its 3.5.2 guide describes it.",
    )
    add = result.add_argument
    add("--base", type=_folder, required=True, metavar="DIR", help="the base directory")
    add("--address", type=_addresses, default=(), metavar="IP[,IP…]", help="use these addresses")
    add("--dns", type=_addresses, default=(), metavar="IP[,IP…]", help="ask these name servers")
    add("--port-offset", type=_offset, default=0, metavar="N", help="add N to every port")
    add("--control", default="", metavar="PATH", help="connect to a harness's control socket")
    add("--hold-clock", action="store_true", help="move the clock by the control socket only")
    add("--user", default="", metavar="NAME", help="drop privileges once the ports are open")
    add("--certificate", type=Path, metavar="PEM", help="the server-wide key and certificate")
    return result


def parse(arguments: Sequence[str] | None = None) -> ServerOptions:
    """Read the command line. Ends the program with status 2 and one line on a bad one."""
    its_parser = parser()
    given = its_parser.parse_args(arguments)
    if given.hold_clock and not given.control:
        its_parser.error("--hold-clock needs --control: nothing else can move the clock")
    return ServerOptions(
        base=given.base,
        addresses=given.address,
        dns_servers=given.dns,
        port_offset=given.port_offset,
        control=given.control,
        hold_clock=given.hold_clock,
        user=given.user,
        certificate=given.certificate,
    )
