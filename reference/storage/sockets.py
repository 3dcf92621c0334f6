"""The sockets of a listener: where it listens, how, and for whom.

Guide 3.5.2, TCP/IP Listeners: a row of the table there is a port, a local address, SSL/TLS and the
remote address restrictions. As data a listener's sockets are an array; a socket is a port number,
or a dictionary such as ``{Port=465;Address=10.0.0.2;InitTLS=YES;Restriction=Deny;
RestrictionList="10.1.1.1-10.1.1.9";}`` whose keys may be left out but for the port. A row with port
0 is the empty one at the end of the documents' table, and is no socket.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from ipaddress import IPv4Address

from reference.formats.dictionary import Value
from reference.formats.values import parse_flag
from reference.kernel.iplist import AddressSyntaxError
from reference.kernel.restriction import Limit, Restriction
from reference.storage.kinds import Kind

_KEYS = ("Port", "Address", "InitTLS", "Restriction", "RestrictionList")
_ALL = frozenset({"", "*", "all", "all addresses"})


@dataclass(frozen=True, slots=True)
class ListenerSocket:
    """One socket of a listener."""

    port: int
    address: str = ""
    """The local address to accept connections on; empty: all of them."""
    init_tls: bool = False
    """SSL/TLS begins with the connection (Secure Sockets)."""
    restriction: Restriction = field(default_factory=Restriction)

    @property
    def place(self) -> tuple[int, str]:
        """Where it listens."""
        return self.port, self.address

    def takes(self, ip: str, port: int) -> bool:
        """Tell whether connections to an address and port of this computer come here."""
        return self.port == port and self.address in ("", ip)

    def overlaps(self, other: ListenerSocket) -> bool:
        """Tell whether the operating system cannot have both."""
        same_address = self.address == other.address or not (self.address and other.address)
        return self.port == other.port and same_address

    def __str__(self) -> str:
        return f"port {self.port} of {self.address or 'all local addresses'}"


@dataclass(frozen=True)
class Sockets(Kind):
    """An array of listener sockets."""

    description: str = (
        "an array of port numbers and of dictionaries such as "
        "{Port=465;Address=10.0.0.2;InitTLS=YES;Restriction=Grant;RestrictionList=...}"
    )

    def parse(self, value: Value) -> tuple[ListenerSocket, ...]:
        rows: Sequence[Value] = re.split(r"[,\s]+", value.strip()) if isinstance(value, str) else ()
        if isinstance(value, list):
            rows = value
        elif not isinstance(value, str):
            raise ValueError(f"{self.description} is expected")
        found: list[ListenerSocket] = []
        for socket in filter(None, map(self._socket, rows)):
            taken = next((each for each in found if each.overlaps(socket)), None)
            if taken is not None and socket != taken:
                raise ValueError(f"{socket} is taken by another socket: {taken}")
            if taken is None:
                found.append(socket)
        return tuple(found)

    def print(self, value: Iterable[ListenerSocket]) -> Value:
        return [_printed(socket) for socket in value]

    def _socket(self, row: Value) -> ListenerSocket | None:
        """Return a row's socket, None for an empty row."""
        if row == "":
            return None
        cells = {"Port": row} if isinstance(row, str) else row
        if not isinstance(cells, dict):
            raise ValueError(f"{self.description} is expected")
        known = {key.lower(): key for key in _KEYS}
        texts: dict[str, str] = {}
        for key, text in cells.items():
            if key.lower() not in known or not isinstance(text, str):
                raise ValueError(f"{key!r} is incorrect; a socket has {', '.join(_KEYS)}")
            texts[known[key.lower()]] = text.strip()
        port = texts.get("Port", "")
        if not re.fullmatch(r"[0-9]{1,5}", port) or int(port) > 65535:
            raise ValueError(f"{port!r} is incorrect; write a port number from 1 to 65535")
        if int(port) == 0:
            return None
        return ListenerSocket(
            port=int(port),
            address=_address(texts.get("Address", "")),
            init_tls=parse_flag(texts.get("InitTLS", "NO")),
            restriction=_restriction(
                texts.get("Restriction", "None"), texts.get("RestrictionList", "")
            ),
        )


def _address(text: str) -> str:
    if text.lower() in _ALL:
        return ""
    try:
        return str(IPv4Address(text.removeprefix("[").removesuffix("]")))
    except ValueError:
        raise ValueError(f"{text!r} is incorrect; write a local IP address, or nothing") from None


def _restriction(word: str, text: str) -> Restriction:
    limits = {limit.value.lower(): limit for limit in Limit}
    if word.lower() not in limits:
        raise ValueError(f"{word!r} is incorrect; write None, Grant or Deny")
    try:
        return Restriction.parse(limits[word.lower()], text)
    except AddressSyntaxError as error:
        raise ValueError(f"RestrictionList, {error}") from None


def _printed(socket: ListenerSocket) -> Value:
    cells: dict[str, Value] = {"Port": str(socket.port)}
    if socket.address:
        cells["Address"] = socket.address
    if socket.init_tls:
        cells["InitTLS"] = "YES"
    if socket.restriction.limit is not Limit.NONE:
        cells["Restriction"] = socket.restriction.limit.value
    if socket.restriction.text:
        cells["RestrictionList"] = socket.restriction.text
    return cells["Port"] if len(cells) == 1 else cells
