"""What stands between a new connection and its session."""

from __future__ import annotations

from typing import Any

from twisted.internet.address import IPv4Address
from twisted.internet.error import ConnectionDone
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure

from reference.entrance import Entrance, SameAddress
from reference.kernel.restriction import Limit, Restriction
from reference.storage.sockets import ListenerSocket


class Greeter(Protocol):
    """Says hello."""

    transport: Any

    def connectionMade(self) -> None:
        self.transport.write(b"hello")


class Log:
    """Keeps records."""

    def __init__(self) -> None:
        self.records: list[tuple[int, str, str]] = []

    def write(self, level: int, tag: str, text: str, /) -> None:
        self.records.append((level, tag, text))


def peer(host: str) -> IPv4Address:
    return IPv4Address("TCP", host, 1024)


def connect(factory: Any, host: str) -> tuple[Any, StringTransport]:
    session = factory.buildProtocol(peer(host))
    transport = StringTransport(peerAddress=peer(host))
    session.makeConnection(transport)
    return session, transport


def test_as_many_connections_from_one_address_as_may_be() -> None:
    limits = [2]
    factory = SameAddress(Factory.forProtocol(Greeter), limit=lambda: limits[0])
    first, heard = connect(factory, "10.1.1.1")
    connect(factory, "10.1.1.1")
    assert heard.value() == b"hello"
    _, surplus = connect(factory, "10.1.1.1")
    assert (surplus.value(), surplus.disconnecting) == (b"", True)
    assert connect(factory, "10.1.1.2")[1].value() == b"hello"
    first.connectionLost(Failure(ConnectionDone()))
    assert connect(factory, "10.1.1.1")[1].value() == b"hello"
    limits[0] = -1
    assert connect(factory, "10.1.1.1")[1].value() == b"hello"


def test_a_restriction_holds_from_the_next_connection_on() -> None:
    log = Log()
    entrance = Entrance(
        socket=ListenerSocket(25),
        service=Factory.forProtocol(Greeter),
        module="SMTP",
        tls=lambda ip: None,
        log=log,
    )
    assert entrance.buildProtocol(peer("10.1.1.1")) is not None
    deny = Restriction.parse(Limit.DENY, "10.1.1.1")
    entrance.socket = ListenerSocket(25, restriction=deny)
    assert entrance.buildProtocol(peer("10.1.1.1")) is None
    assert entrance.buildProtocol(peer("10.1.1.2")) is not None
    assert log.records == [
        (3, "SMTP", "[10.1.1.1] is not let in on port 25 of all local addresses")
    ]
