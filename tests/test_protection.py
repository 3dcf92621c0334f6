"""Client addresses, blacklisted addresses, and the addresses of mobile users."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from reception_world import SERVER_IP, STRANGER, FakeClock, FakeNames, FakeSettings
from twisted.internet.defer import Deferred

from reference.kernel.iplist import AddressSyntaxError
from reference.kernel.protection import AddressTable, NamePatterns, Protection, Standing
from reference.transport.dnr import DNSFailure
from reference.transport.names import QuietNames


class World:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.settings = FakeSettings()
        self.names = FakeNames()
        self.clock = FakeClock()
        self.protection = self.again()

    def again(self) -> Protection:
        return Protection(
            folder=self.folder,
            settings=self.settings,
            names=QuietNames(self.names),
            clock=self.clock,
            own_addresses=[SERVER_IP],
        )

    def standing(self, ip: str) -> Standing:
        found: list[Any] = []
        Deferred.fromCoroutine(self.protection.standing(ip)).addBoth(found.append)
        (standing,) = found
        assert isinstance(standing, Standing), standing
        return standing


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path / "Settings")


@pytest.fixture
def mobile(world: World) -> World:
    world.settings.set("Protection", ProcessAsClient=True, ProcessAsClientFor=600.0)
    return world


# Lists


def test_lists_survive_with_their_comments(world: World) -> None:
    text = "10.34.56.78 ; our LAN\n; a comment\n10.34.50.01-10.34.59.99\n"
    world.protection.replace(AddressTable.CLIENTS, text)
    assert world.again().table(AddressTable.CLIENTS).text == text
    assert world.again().standing_now("10.34.50.1") is Standing.LISTED


def test_a_wrong_list_changes_nothing(world: World) -> None:
    world.protection.replace(AddressTable.CLIENTS, "10.1.1.1")
    with pytest.raises(AddressSyntaxError):
        world.protection.replace(AddressTable.CLIENTS, "10.1.1.2\nno address")
    for protection in (world.protection, world.again()):
        assert protection.table(AddressTable.CLIENTS).text == "10.1.1.1"


@pytest.mark.parametrize(
    ("clients", "blacklisted", "white", "expected"),
    [
        ("", "", "", Standing.STRANGER),
        (STRANGER, "", "", Standing.LISTED),
        ("", STRANGER, "", Standing.BLACKLISTED),
        (STRANGER, STRANGER, "", Standing.LISTED),
        ("", "192.0.2.0-192.0.2.9", STRANGER, Standing.STRANGER),
    ],
)
def test_standing(
    world: World, clients: str, blacklisted: str, white: str, expected: Standing
) -> None:
    world.protection.replace(AddressTable.CLIENTS, clients)
    world.protection.replace(AddressTable.BLACKLISTED, blacklisted)
    world.protection.replace(AddressTable.WHITE_HOLES, white)
    assert world.standing(STRANGER) is expected
    assert not world.names.asked


@pytest.mark.parametrize(
    ("ips", "expected"),
    [([], False), (["10.1.1.1"], True), (["10.1.1.1", "10.1.1.2"], False)],
)
def test_hosts_are_clients(world: World, ips: list[str], expected: bool) -> None:
    world.protection.replace(AddressTable.CLIENTS, "10.1.1.1")
    assert world.protection.hosts_are_clients(ips) is expected


def test_own_addresses(world: World) -> None:
    assert world.protection.is_own(SERVER_IP)
    assert not world.protection.is_own(STRANGER)


# Clients by DNS name


@pytest.mark.parametrize(
    ("ptr", "a", "expected", "questions"),
    [
        (["pc1.campus.edu"], [STRANGER], Standing.BY_NAME, 2),
        (["PC1.Campus.EDU."], ["192.0.2.7", STRANGER], Standing.BY_NAME, 2),
        (["gate.other.edu"], [STRANGER], Standing.BY_NAME, 2),
        (["pc2.other.edu"], [STRANGER], Standing.STRANGER, 1),
        (["x.example", "pc1.campus.edu"], [STRANGER], Standing.BY_NAME, 2),
        (["pc1.campus.edu"], ["192.0.2.7"], Standing.STRANGER, 2),
        (["pc1.campus.edu"], None, Standing.STRANGER, 2),
        (None, None, Standing.STRANGER, 1),
    ],
)
def test_by_name(
    world: World, ptr: list[str] | None, a: list[str] | None, expected: Standing, questions: int
) -> None:
    world.settings.set(
        "Protection", DetectClientsByName=True, ClientNames=("*.campus.edu", "gate.other.edu")
    )
    world.names.answers[f"PTR {STRANGER}"] = DNSFailure("") if ptr is None else ptr
    for name in ptr or []:
        if a is not None:
            world.names.answers[f"A {name}"] = a
    assert world.standing(STRANGER) is expected
    assert len(world.names.asked) == questions


def test_a_listed_address_is_not_looked_up(world: World) -> None:
    world.settings.set("Protection", DetectClientsByName=True, ClientNames=("*",))
    world.protection.replace(AddressTable.CLIENTS, STRANGER)
    assert world.standing(STRANGER) is Standing.LISTED
    assert not world.names.asked


def test_without_the_option_names_mean_nothing(world: World) -> None:
    world.settings.set("Protection", ClientNames=("*",))
    assert world.standing(STRANGER) is Standing.STRANGER
    assert not world.names.asked


def test_a_client_by_name_is_not_blacklisted(world: World) -> None:
    world.settings.set("Protection", DetectClientsByName=True, ClientNames=("*.campus.edu",))
    world.protection.replace(AddressTable.BLACKLISTED, STRANGER)
    assert world.standing(STRANGER) is Standing.BLACKLISTED
    world.names.answers[f"PTR {STRANGER}"] = ["pc1.campus.edu"]
    world.names.answers["A pc1.campus.edu"] = [STRANGER]
    assert world.standing(STRANGER) is Standing.BY_NAME


names = st.text(alphabet="abc.*?[]!-", min_size=1, max_size=12)


@given(names)
def test_a_name_matches_itself_and_nothing_but_the_asterisk_is_special(name: str) -> None:
    plain = name.replace("*", "x").strip(".")
    if plain:
        assert plain in NamePatterns([plain])
        assert (plain + "y") not in NamePatterns([plain])
        assert ("y" + plain) in NamePatterns(["*" + plain])


# Temporary client addresses


def test_an_address_is_a_client_during_the_visit_and_for_some_time(mobile: World) -> None:
    visit = mobile.protection.visit(STRANGER)
    mobile.clock.advance(100_000)
    assert mobile.protection.is_temporary(STRANGER)
    visit.leave()
    visit.leave()
    mobile.clock.advance(599)
    assert mobile.protection.is_temporary(STRANGER)
    assert not mobile.protection.is_temporary("192.0.2.2")
    mobile.clock.advance(1)
    assert not mobile.protection.is_temporary(STRANGER)


def test_a_new_visit_renews_the_time(mobile: World) -> None:
    mobile.protection.visit(STRANGER).leave()
    mobile.clock.advance(500)
    mobile.protection.visit(STRANGER).leave()
    mobile.clock.advance(500)
    assert mobile.protection.is_temporary(STRANGER)


def test_the_last_of_several_visits_counts(mobile: World) -> None:
    first, second = mobile.protection.visit(STRANGER), mobile.protection.visit(STRANGER)
    first.leave()
    mobile.clock.advance(10_000)
    assert mobile.protection.is_temporary(STRANGER)
    second.leave()
    mobile.clock.advance(601)
    assert not mobile.protection.is_temporary(STRANGER)


def test_without_the_option_nobody_is_remembered(mobile: World) -> None:
    mobile.protection.visit(STRANGER)
    mobile.settings.set("Protection", ProcessAsClient=False)
    assert not mobile.protection.is_temporary(STRANGER)


def test_the_oldest_is_forgotten(mobile: World) -> None:
    mobile.settings.set("Protection", RememberClients=2)
    for last in (1, 2, 3):
        mobile.protection.visit(f"192.0.2.{last}").leave()
        mobile.clock.advance(1)
    temporary = [last for last in (1, 2, 3) if mobile.protection.is_temporary(f"192.0.2.{last}")]
    assert temporary == [2, 3]


def test_open_visits_are_forgotten_last(mobile: World) -> None:
    mobile.settings.set("Protection", RememberClients=2)
    visit = mobile.protection.visit("192.0.2.1")
    mobile.protection.visit("192.0.2.2").leave()
    mobile.protection.visit("192.0.2.3").leave()
    assert mobile.protection.is_temporary("192.0.2.1")
    assert not mobile.protection.is_temporary("192.0.2.2")
    mobile.settings.set("Protection", RememberClients=0)
    mobile.protection.visit("192.0.2.4")
    visit.leave()
    assert not any(mobile.protection.is_temporary(f"192.0.2.{last}") for last in (1, 2, 3, 4))


def test_expired_addresses_use_no_memory(mobile: World) -> None:
    for last in range(50):
        mobile.protection.visit(f"192.0.2.{last}").leave()
    mobile.clock.advance(601)
    mobile.protection.visit("192.0.2.99")
    assert len(mobile.protection._visits) == 1
