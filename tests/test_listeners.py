"""Listener sockets and their restrictions."""

from __future__ import annotations

from ipaddress import IPv4Address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reference.kernel.iplist import AddressSyntaxError
from reference.kernel.restriction import Limit, Restriction
from reference.storage.sockets import ListenerSocket, Sockets

ADDRESSES = st.ip_addresses(v=4).map(str)
COMMENTS = st.sampled_from(["", " ; office", "% office", " - office", "-office 7", " -10 hosts"])


@st.composite
def lists(draw: st.DrawFn) -> tuple[str, set[tuple[int, int]]]:
    """Draw a list's text and its ranges."""
    lines, ranges = [], set()
    for _ in range(draw(st.integers(0, 5))):
        ends = sorted(
            int(IPv4Address(address))
            for address in draw(st.lists(ADDRESSES, min_size=1, max_size=2, unique=True))
        )
        ranges.add((ends[0], ends[-1]))
        dash = draw(st.sampled_from(["-", " - ", "- "]))
        lines.append(dash.join(str(IPv4Address(end)) for end in ends) + draw(COMMENTS))
    return draw(st.sampled_from(["\n", "\r\n"])).join(lines), ranges


@given(lists(), ADDRESSES)
def test_grant_lets_in_the_listed_addresses_and_deny_the_others(
    drawn: tuple[str, set[tuple[int, int]]], stranger: str
) -> None:
    text, ranges = drawn
    grant = Restriction.parse(Limit.GRANT, text)
    deny = Restriction.parse(Limit.DENY, text)
    none = Restriction.parse(Limit.NONE, text)
    candidates = [int(IPv4Address(stranger)), *(end for ends in ranges for end in ends)]
    for number in candidates:
        address = str(IPv4Address(number))
        listed = any(start <= number <= end for start, end in ranges)
        assert grant.admits(address) is listed
        assert deny.admits(address) is not listed
        assert none.admits(address)


@pytest.mark.parametrize(
    "line",
    [
        "10.0.0.256",
        "10.0.0.1-10.0.0.300",
        "10.0.0.1-10.0.0",
        "10.0.0.9-10.0.0.1",
        "10.0.0.1-10.0.0.2-10.0.0.3",
        "10.0.0.1-",
        "office",
    ],
)
def test_a_line_that_is_no_address_is_refused(line: str) -> None:
    with pytest.raises(AddressSyntaxError, match="line 2"):
        Restriction.parse(Limit.DENY, f"10.0.0.5 - office\n{line}")


SOCKETS = st.lists(
    st.builds(
        ListenerSocket,
        st.integers(1, 65535),
        st.just("") | ADDRESSES,
        st.booleans(),
        st.builds(Restriction.parse, st.sampled_from(Limit), st.just("") | ADDRESSES),
    ),
    unique_by=lambda socket: socket.port,
    max_size=4,
).map(tuple)


@given(SOCKETS)
def test_printed_sockets_are_read_as_the_same(sockets: tuple[ListenerSocket, ...]) -> None:
    kind = Sockets()
    assert kind.parse(kind.print(sockets)) == sockets


def test_what_an_administrator_may_write() -> None:
    kind = Sockets()
    assert kind.parse("25, 26") == (ListenerSocket(25), ListenerSocket(26))
    assert kind.parse(["25", "25", "0", "", {"Port": "0"}]) == (ListenerSocket(25),)
    assert kind.parse([{"port": "465", "address": "[10.0.0.2]", "INITTLS": "yes"}]) == (
        ListenerSocket(465, "10.0.0.2", init_tls=True),
    )
    assert kind.print(kind.parse([{"Port": "25", "Address": "all"}])) == ["25"]
    shared = [{"Port": "25", "Address": "10.0.0.1"}, {"Port": "25", "Address": "10.0.0.2"}]
    assert len(kind.parse(shared)) == 2


@pytest.mark.parametrize(
    ("value", "complaint"),
    [
        ("x", "write a port number"),
        ("65536", "write a port number"),
        ({"Port": "25"}, "an array of port numbers"),
        ([["25"]], "an array of port numbers"),
        ([{"Address": "10.0.0.1"}], "write a port number"),
        ([{"Port": "25", "Address": "here"}], "write a local IP address"),
        ([{"Port": "25", "Restriction": "Refuse"}], "write None, Grant or Deny"),
        (
            [{"Port": "25", "Restriction": "Deny", "RestrictionList": "x"}],
            "RestrictionList, line 1",
        ),
        ([{"Port": "25", "InitTLS": "perhaps"}], "perhaps"),
        ([{"Port": "25", "SSL": "YES"}], "a socket has Port, Address"),
        (["25", {"Port": "25", "Address": "10.0.0.1"}], "is taken by another socket"),
        ([{"Port": "25", "InitTLS": "YES"}, "25"], "is taken by another socket"),
    ],
)
def test_what_is_refused(value: object, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        Sockets().parse(value)  # type: ignore[arg-type]


def test_a_socket_of_one_address_takes_what_comes_there_alone() -> None:
    everywhere, here = ListenerSocket(25), ListenerSocket(25, "10.0.0.1")
    assert everywhere.takes("10.0.0.2", 25)
    assert here.takes("10.0.0.1", 25)
    assert not here.takes("10.0.0.2", 25)
    assert not here.takes("10.0.0.1", 26)
    assert everywhere.overlaps(here)
    assert here.overlaps(everywhere)
    assert not here.overlaps(ListenerSocket(25, "10.0.0.2"))
    assert not here.overlaps(ListenerSocket(26, "10.0.0.1"))
