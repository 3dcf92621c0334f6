"""RBL servers: what is asked, what an answer means, and which lists are asked in which order."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from reception_world import SERVER_IP, FakeClock, FakeNames, FakeSettings
from twisted.internet.defer import Deferred

from reference.kernel.iplist import dotted
from reference.kernel.protection import AddressTable, Protection, Standing
from reference.kernel.rbl import listed_by, question, says_listed
from reference.transport.dnr import DNSFailure, NoData
from reference.transport.names import QuietNames

HOST = "10.34.56.78"
LISTED = "A 78.56.34.10.rbl.test"


class World:
    def __init__(self, folder: Path) -> None:
        self.settings = FakeSettings()
        self.names = FakeNames()
        self.protection = Protection(
            folder=folder,
            settings=self.settings,
            names=QuietNames(self.names),
            clock=FakeClock(),
            own_addresses=[SERVER_IP],
        )

    def standing(self, ip: str = HOST) -> Standing:
        found: list[Any] = []
        Deferred.fromCoroutine(self.protection.standing(ip)).addBoth(found.append)
        (standing,) = found
        assert isinstance(standing, Standing), standing
        return standing


@pytest.fixture
def world(tmp_path: Path) -> World:
    world = World(tmp_path / "Settings")
    world.settings.set("Protection", UseBlacklistingDNS=True, RBLServers=("rbl.test",))
    return world


def test_the_question() -> None:
    assert question(HOST, " bl.rbl.test. ") == "78.56.34.10.bl.rbl.test"


@given(st.integers(0, 2**32 - 1))
def test_answers_in_the_documented_range_mean_listed(number: int) -> None:
    first, last = (127 << 24) + 2, (127 << 24) + (1 << 16) + 0xFFFF
    assert says_listed(dotted(number)) == (first <= number <= last)


@pytest.mark.parametrize(
    ("answer", "listed"),
    [
        ("127.0.0.1", False),
        ("127.0.0.2", True),
        ("127.1.255.255", True),
        ("127.2.0.0", False),
        ("126.0.0.2", False),
        ("nonsense", False),
    ],
)
def test_the_ends_of_the_range(answer: str, listed: bool) -> None:
    assert says_listed(answer) is listed


def test_servers_are_asked_in_order_until_one_lists(world: World) -> None:
    world.settings.set("Protection", RBLServers=("one.test", "two.test", "three.test"))
    world.names.answers["A 78.56.34.10.two.test"] = ["127.0.0.9"]
    assert world.standing() is Standing.BLACKLISTED
    assert world.names.asked == ["A 78.56.34.10.one.test", "A 78.56.34.10.two.test"]


@pytest.mark.parametrize("answer", [DNSFailure("no answer"), NoData("none"), ["10.1.2.3"]])
def test_whatever_else_is_answered_lets_in(world: World, answer: object) -> None:
    world.names.answers[LISTED] = answer
    assert world.standing() is Standing.STRANGER


def test_questions_are_quick() -> None:
    asked: list[bool] = []

    class Names:
        async def a(self, name: str, *, quick: bool = False) -> list[str]:
            asked.append(quick)
            return []

    Deferred.fromCoroutine(listed_by(HOST, ["rbl.test"], Names()))
    Deferred.fromCoroutine(listed_by("2001:db8::1", ["rbl.test"], Names()))
    assert asked == [True]


@pytest.mark.parametrize(
    ("table", "standing"),
    [
        (AddressTable.CLIENTS, Standing.LISTED),
        (AddressTable.WHITE_HOLES, Standing.STRANGER),
        (AddressTable.BLACKLISTED, Standing.BLACKLISTED),
    ],
)
def test_a_listed_address_asks_nobody(
    world: World, table: AddressTable, standing: Standing
) -> None:
    world.names.answers[LISTED] = ["127.0.0.2"]
    world.settings.set("Protection", BlacklistByName=True, BlacklistedNames=("*",))
    world.protection.replace(table, HOST)
    assert world.protection.standing_now(HOST) is standing
    assert world.standing() is standing
    assert not world.names.asked


def test_a_look_into_the_dns_is_announced(world: World) -> None:
    assert world.protection.standing_now(HOST) is None
    world.settings.set("Protection", UseBlacklistingDNS=False)
    assert world.protection.standing_now(HOST) is Standing.STRANGER


def test_one_ptr_question_serves_all_lists(world: World) -> None:
    world.names.answers[f"PTR {HOST}"] = ["host.good.test"]
    world.names.answers[LISTED] = ["127.0.0.2"]
    world.settings.set(
        "Protection",
        DetectClientsByName=True,
        ClientNames=("*.campus.edu",),
        BlacklistByName=True,
        BlacklistedNames=("*.spam.test",),
        UnBlacklistByName=True,
        UnBlacklistedNames=("*.good.test",),
    )
    assert world.standing() is Standing.STRANGER
    assert world.names.asked == [f"PTR {HOST}", LISTED]
    world.settings.set("Protection", UnBlacklistByName=False)
    assert world.standing() is Standing.BLACKLISTED


def test_an_option_without_names_asks_for_none(world: World) -> None:
    world.settings.set("Protection", UseBlacklistingDNS=False, BlacklistByName=True)
    assert world.standing() is Standing.STRANGER
    assert not world.names.asked


def test_black_lists_are_for_mail_not_for_logins(world: World) -> None:
    world.names.answers[LISTED] = ["127.0.0.2"]
    found: list[Any] = []
    Deferred.fromCoroutine(world.protection.standing_at_login(HOST)).addBoth(found.append)
    assert found == [Standing.STRANGER]
    assert not world.names.asked


@pytest.mark.parametrize(
    ("tables", "expected"),
    [
        ([AddressTable.BLACKLISTED], True),
        ([AddressTable.BLACKLISTED, AddressTable.WHITE_HOLES], False),
        ([AddressTable.BLACKLISTED, AddressTable.CLIENTS], False),
        ([], False),
    ],
)
def test_blacklisted_by_address_alone(
    world: World, tables: list[AddressTable], expected: bool
) -> None:
    for table in tables:
        world.protection.replace(table, HOST)
    assert world.protection.blacklisted(HOST) is expected
