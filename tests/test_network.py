"""The network adds the port offset, binds the source, and times out by the server's clock."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from twisted.internet.defer import Deferred
from twisted.internet.error import TimeoutError as ConnectTimeout
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.testing import MemoryReactorClock
from twisted.python.failure import Failure

from reference.kernel.clocks import HeldClock
from reference.kernel.network import Network, os_addresses, os_dns_servers


def network(**options: Any) -> tuple[Network, MemoryReactorClock, HeldClock]:
    reactor, clock = MemoryReactorClock(), HeldClock(start=0)
    return Network(reactor=reactor, clock=clock, **options), reactor, clock


def test_this_computer_has_its_loopback_address() -> None:
    assert "127.0.0.1" in os_addresses()


def test_name_servers_are_read_from_the_operating_system(tmp_path: Path) -> None:
    conf = tmp_path / "resolv.conf"
    conf.write_text("# a remark\nsearch x\nnameserver 192.0.2.53\nnameserver ::1\nnameserver\n")
    assert os_dns_servers(conf) == ("192.0.2.53",)


def test_without_a_name_server_the_computer_itself_is_asked(tmp_path: Path) -> None:
    assert os_dns_servers(tmp_path / "none") == ("127.0.0.1",)


def test_the_offset_is_added_to_every_port() -> None:
    net, reactor, _ = network(addresses=["127.0.0.9"], dns_servers=["127.2.0.53"], port_offset=7000)
    net.listen_tcp(Factory.forProtocol(Protocol), 25)
    net.connect(Factory.forProtocol(Protocol), "127.1.1.1", 26, timeout=5)
    assert reactor.tcpServers[0][0] == 7025
    assert reactor.tcpServers[0][3] == "127.0.0.9"
    assert reactor.tcpClients[0][:2] == ("127.1.1.1", 7026)
    assert reactor.tcpClients[0][4] == ("127.0.0.9", 0)
    assert net.dns_servers == [("127.2.0.53", 7053)]


def test_without_addresses_the_server_listens_on_all() -> None:
    net, reactor, _ = network()
    net.listen_tcp(Factory.forProtocol(Protocol), 25)
    assert reactor.tcpServers[0][3] == ""
    assert net.addresses == os_addresses()


def test_a_connection_that_hangs_times_out_by_the_clock() -> None:
    net, _, clock = network(addresses=["127.0.0.9"])
    failed: list[Any] = []
    connecting: Deferred[Any] = net.connect(
        Factory.forProtocol(Protocol), "127.1.1.1", 25, timeout=90
    )
    connecting.addErrback(failed.append)
    assert clock.next_due() == 90
    clock.fire_next()
    (failure,) = failed
    assert failure.check(ConnectTimeout)
    assert "90 seconds" in failure.getErrorMessage()


@pytest.mark.parametrize("outcome", ["made", "failed"])
def test_the_timer_ends_with_the_attempt(outcome: str) -> None:
    net, reactor, clock = network(addresses=["127.0.0.9"])
    net.connect(Factory.forProtocol(Protocol), "127.1.1.1", 25, timeout=90).addErrback(
        lambda failure: failure.trap(OSError)
    )
    factory = reactor.tcpClients[0][2]
    if outcome == "made":
        factory.buildProtocol(None).makeConnection(None)
    else:
        factory.clientConnectionFailed(None, Failure(OSError()))
    assert clock.next_due() is None
