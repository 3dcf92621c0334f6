"""The loopback plan, its projection, and its guard; and which plan a run gets."""

from __future__ import annotations

import socket

import pytest
from hypothesis import given
from hypothesis import strategies as st
from world_kit import SERVER, STRANGER, loopback

from conformance.world.choose import choose_plan
from conformance.world.loopback import LoopbackPlan
from conformance.world.plan import PlanError
from conformance.world.projection import addresses_in, projected_text

octets = st.integers(0, 255)
addresses = st.tuples(st.integers(1, 223), octets, octets, octets).map(
    lambda parts: ".".join(map(str, parts))
)


@pytest.mark.parametrize(
    ("text", "projected"),
    [
        ("10.34.56.78", "127.34.56.78"),
        ("10.0.0.1-10.0.1.255 ; office", "127.0.0.1-127.0.1.255 ; office"),
        ("user@[192.0.0.5:26]", "user@[127.0.0.5:26]"),
        ("client57.com@11.22.33.44.26._via", "client57.com@127.22.33.44.26._via"),
        ("other-ip = 11.22.33.44.25.smtp", "other-ip = 127.22.33.44.25.smtp"),
        ("user@12.34.56.78.", "user@127.34.56.78."),
        ("78.56.34.10.in-addr.arpa PTR h.com", "78.56.34.127.in-addr.arpa PTR h.com"),
        ("*.34.10.in-addr.arpa PTR h.com", "*.34.127.in-addr.arpa PTR h.com"),
        ("78.56.34.10.bl.example A 127.0.0.2", "78.56.34.127.bl.example A 127.0.0.2"),
        ("0.0.0.0/0", "0.0.0.0/0"),
        (r"10.1.1.1 ; us\e10.2.2.2-10.2.2.9\e", r"127.1.1.1 ; us\e127.2.2.2-127.2.2.9\e"),
        ("1.3.6.1.4.1.5678", "1.3.6.1.4.1.5678"),
        ("version 3.5.2 of 300.1.1.1", "version 3.5.2 of 300.1.1.1"),
        ("port 25 at mx1.2.3.4", "port 25 at mx1.2.3.4"),
    ],
)
def test_text_is_projected_wherever_it_names_an_address(text: str, projected: str) -> None:
    assert projected_text(text) == projected


def test_addresses_are_found_both_ways_round() -> None:
    text = "78.56.34.10.bl.test A 127.0.0.2; 4.3.2.1.in-addr.arpa; a@11.22.33.44.26._via; 1.2.3.4.5"
    assert list(addresses_in(text)) == ["10.34.56.78", "127.0.0.2", "1.2.3.4", "11.22.33.44"]


@given(st.text(alphabet="0123456789.-[]@: abinrdp;/_v", max_size=60))
def test_projecting_twice_changes_nothing_more(text: str) -> None:
    assert projected_text(projected_text(text)) == projected_text(text)


@given(addresses)
def test_an_address_is_projected_alike_in_texts_and_for_sockets(address: str) -> None:
    with loopback() as plan:
        real = plan.address(address)
        assert plan.text(f"<{address}>") == f"<{real}>"
        assert real == "127." + address.split(".", 1)[1]
        assert plan.documented(real) == address


def test_two_plans_side_by_side_take_different_ports_and_give_them_back() -> None:
    with loopback() as one, loopback() as other:
        assert one.port_offset != other.port_offset
        freed = other.port_offset
    with loopback() as again, loopback() as more:
        assert {again.port_offset, more.port_offset} >= {freed} or again.port_offset < freed


def test_shifted_ports_of_two_plans_never_meet() -> None:
    ports = (25, 26, 53, 79, 80, 106, 110, 143, 465, 587, 993, 995, 2525, 8010, 8100, 9010, 9100)
    with loopback() as one, loopback() as other:
        assert not {one.port(each) for each in ports} & {other.port(each) for each in ports}


def test_all_ranges_taken_is_a_clear_error(monkeypatch: pytest.MonkeyPatch) -> None:
    with loopback() as plan:
        monkeypatch.setattr("conformance.world.loopback._FIRST_SHIFT", plan.port_offset)
        monkeypatch.setattr("conformance.world.loopback._ENGINES", 1)
        with pytest.raises(PlanError, match="in use by other runs"):
            LoopbackPlan()


@pytest.mark.parametrize(
    ("host", "port", "complaint"),
    [
        ("11.22.33.44", 25, "none of the server's addresses"),
        ("8.8.8.8", 53, "none of the server's addresses"),
        ("mail.example.com", 25, "resolves no names"),
        ("0.0.0.0", 25, "no host can have"),
        ("224.0.0.1", 25, "no host can have"),
        (SERVER, 0, "not a port"),
        (SERVER, 65000, "not a port"),
    ],
)
def test_the_guard_refuses_what_is_outside_the_plan(host: str, port: int, complaint: str) -> None:
    with loopback() as plan, pytest.raises(PlanError, match=complaint):
        plan.connect_address(host, port)


def test_the_guard_follows_the_servers_addresses() -> None:
    with loopback() as plan:
        plan.set_server_addresses(["10.7.7.7"])
        assert plan.connect_address("10.7.7.7", 25) == ("127.7.7.7", plan.port(25))
        with pytest.raises(PlanError, match=r"10\.7\.7\.7"):
            plan.connect_address(SERVER, 25)


def test_no_socket_leaves_the_loopback_network() -> None:
    with loopback() as plan:
        for sock in (
            plan.client_socket("8.8.8.8"),
            plan.listening_socket("11.22.33.44", 25),
            plan.datagram_socket("192.0.2.53", 53),
        ):
            with sock:
                assert sock.getsockname()[0].startswith("127.")


def test_a_taken_port_is_a_plan_error() -> None:
    taken = pytest.raises(PlanError, match=r"cannot be bound: Address already in use")
    with loopback() as plan, plan.listening_socket("11.22.33.44", 25), taken:
        plan.listening_socket("11.22.33.44", 25)


def test_a_client_comes_from_its_source() -> None:
    with (
        loopback() as plan,
        plan.listening_socket(SERVER, 25) as listening,
        plan.client_socket(STRANGER) as client,
    ):
        client.setblocking(True)
        client.connect(plan.connect_address(SERVER, 25))
        listening.setblocking(True)
        accepted, (source, _) = listening.accept()
        with accepted:
            assert plan.documented(source) == STRANGER


def test_the_server_computer_needs_no_entry_here() -> None:
    with loopback() as plan:
        plan.enter_server()
        with plan.on_server(), socket.socket() as sock:
            sock.bind((plan.address(SERVER), 0))


def test_an_unknown_plan_is_refused_with_the_known_ones() -> None:
    with pytest.raises(PlanError, match="auto, namespace, loopback"):
        choose_plan("bridge")


def test_the_loopback_plan_can_be_chosen() -> None:
    plan = choose_plan("loopback")
    assert plan.name == "loopback"
    plan.close()
