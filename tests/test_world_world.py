"""A scenario's world as a whole: built, changed, and given back."""

from __future__ import annotations

import asyncio
import socket

import pytest
from dnslib.dns import RCODE
from world_kit import SERVER, STRANGER, ask_udp, loopback, world

from conformance.scenario.model import Given, PeerSpec
from conformance.world.clients.channel import ByteChannel
from conformance.world.dns.zone import ZoneError
from conformance.world.plan import PlanError
from conformance.world.transcript import Transcript
from conformance.world.world import World

RELAY = PeerSpec(name="relay.com", address="11.22.33.44")


def test_peers_are_known_by_name_unless_the_zone_or_the_scenario_says_otherwise() -> None:
    peers = (
        RELAY,
        PeerSpec(name="known.com", address="11.22.33.45"),
        PeerSpec(name="hidden.com", address="11.22.33.46", dns=False),
    )

    async def run() -> None:
        async with world(Given(peers=peers, zone="known.com A 10.9.9.9")) as built:
            relay = await ask_udp(built, "relay.com", "A")
            assert [str(each.rdata) for each in relay.rr] == [built.plan.address("11.22.33.44")]
            known = await ask_udp(built, "known.com", "A")
            assert [str(each.rdata) for each in known.rr] == ["10.9.9.9"]
            hidden = await ask_udp(built, "hidden.com", "A")
            assert hidden.header.rcode == RCODE.NXDOMAIN

    asyncio.run(run())


def test_building_makes_the_servers_addresses() -> None:
    async def run() -> None:
        async with world(Given(addresses=("10.5.5.5",))) as built:
            assert built.plan.connect_address("10.5.5.5", 25)
            with pytest.raises(PlanError):
                built.plan.connect_address(SERVER, 25)

    asyncio.run(run())


@pytest.mark.parametrize(
    ("given", "error"),
    [
        (Given(zone="relay.com MX"), ZoneError),
        (Given(dns_faults={"relay.com": "lazy"}), ValueError),
        (Given(peers=(RELAY, PeerSpec(name="twin.com", address="11.22.33.44"))), PlanError),
        (Given(peers=(PeerSpec(name="x.com", address="no address"),)), PlanError),
        (Given(addresses=("300.0.0.1",)), PlanError),
    ],
)
def test_what_cannot_be_built_is_given_back_at_once(given: Given, error: type[Exception]) -> None:
    async def run() -> None:
        with loopback() as plan:
            built = World(plan, Transcript())
            with pytest.raises(error):
                await built.build(given)
            again = World(plan, Transcript())
            await again.build(Given(peers=(RELAY,)))
            await again.close()

    asyncio.run(run())


def test_worlds_follow_each_other_on_the_same_ports() -> None:
    async def run() -> None:
        with loopback() as plan:
            for _ in range(20):
                built = World(plan, Transcript())
                await built.build(Given(peers=(RELAY,)))
                reader, writer = await asyncio.open_connection(
                    plan.address(RELAY.address), plan.port(25)
                )
                await reader.readline()
                await built.close()
                # Whoever was connected sees the end.
                assert await asyncio.wait_for(reader.read(), 5) == b""
                writer.close()

    asyncio.run(run())


def test_closing_leaves_no_task_behind() -> None:
    async def run() -> None:
        hanging = PeerSpec(name="relay.com", address="11.22.33.44", replies={"connect": ("hang",)})
        faults = {"slow.com": "slow"}
        with loopback() as plan:
            built = World(plan, Transcript())
            held = asyncio.Event()
            built.on_change = held.set
            await built.build(Given(peers=(hanging,), dns_faults=faults))
            _, writer = await asyncio.open_connection(plan.address(RELAY.address), plan.port(25))
            await asyncio.wait_for(held.wait(), 5)
            asking = asyncio.ensure_future(ask_udp(built, "slow.com", "A"))
            while not built.dns.journal:
                await asyncio.sleep(0)
            await built.close()
            asking.cancel()
            writer.close()
            await asyncio.wait([asking])
            assert asyncio.all_tasks() == {asyncio.current_task()}

    asyncio.run(run())


def test_no_reply_waits_for_an_acknowledgement_of_the_last_one() -> None:
    async def run() -> None:
        async with world(Given(peers=(RELAY,))) as built:
            plan = built.plan
            reader, writer = await asyncio.open_connection(
                plan.address(RELAY.address), plan.port(25)
            )
            await reader.readline()
            (session,) = built.peers["relay.com"]._sessions
            assert session.transport is not None
            peer_end = session.transport.get_extra_info("socket")
            with plan.listening_socket(SERVER, 25):
                channel = await ByteChannel.open(plan, source=STRANGER, host=SERVER, port=25)
            client_end = channel._transport.get_extra_info("socket")
            for end in (peer_end, client_end):
                assert end.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
            channel.close()
            writer.close()

    asyncio.run(run())


def test_nothing_is_held_without_a_reason() -> None:
    async def run() -> None:
        async with world(Given(peers=(RELAY,), zone="a.com MX 1 relay.com")) as built:
            await ask_udp(built, "a.com", "MX")
            assert not built.held("dns:MX a.com")
            assert not built.held(f"smtp:{built.plan.address(RELAY.address)}:25")
            assert not built.held("something else")

    asyncio.run(run())
