"""Routes are remembered, and forgotten when anything changes that they depend on."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from storage_world import StillClock

from reference.kernel.router import Router, RouterOptions
from reference.kernel.routes import Route, RoutingError
from reference.kernel.table import RoutingTable
from reference.storage.base import prepare
from reference.storage.domains import Domains
from reference.storage.settings import Settings
from reference.transport.all_domain_aliases import AllDomainAliases
from reference.transport.lists import ListRouting
from reference.transport.local import LocalRouting
from reference.transport.pipe_route import PipeRouting
from reference.transport.smtp_route import SMTPRouting


class Addresses:
    """The server computer's addresses."""

    addresses: tuple[str, ...] = ("10.0.0.1", "10.0.0.2")


class Lookups(LocalRouting):
    """The LOCAL module, which counts how often it is asked."""

    asked = 0

    def route(self, address, *, final):  # type: ignore[no-untyped-def]
        """Count, and answer."""
        self.asked += 1
        return super().route(address, final=final)


class World:
    """A Router over real domains and settings."""

    def __init__(self, base: Path) -> None:
        clock = StillClock()
        prepare(base, clock=clock, host_name="main.example")
        self.settings = settings = Settings(base)
        settings.update("Server", {"DomainName": "main.example"})
        self.network = Addresses()
        self.domains = domains = Domains(
            base=base, settings=settings, clock=clock, network=self.network
        )
        self.main = domains.main
        self.local = Lookups(domains=domains, settings=settings)
        self.router = Router(
            table=RoutingTable.parse(""),
            domains=domains,
            modules=(
                AllDomainAliases(domains=domains, settings=settings),
                ListRouting(domains=domains),
                PipeRouting(settings=settings),
                self.local,
                SMTPRouting(settings=settings),
            ),
            version=lambda: (settings.version, domains.version, self.network.addresses),
        )
        self.main.create_account("john")

    def route(self, address: str) -> str:
        """Return where an address leads, or why nowhere."""
        try:
            route: Route = self.router.route(address)
        except RoutingError as error:
            return error.text
        return f"{route.module} {route.host} {route.address}".strip()


@pytest.fixture
def world(tmp_path: Path) -> World:
    """Return a world with the account john."""
    return World(tmp_path)


def test_a_route_is_looked_for_once(world: World) -> None:
    first = world.router.route("john@main.example")
    asked = world.local.asked
    assert world.router.route("john@main.example") == first
    assert world.local.asked == asked


def test_what_nobody_knows_is_not_remembered(world: World) -> None:
    assert world.route("mary@main.example") == "unknown account"
    asked = world.local.asked
    assert world.route("mary@main.example") == "unknown account"
    assert world.local.asked > asked


def test_each_message_to_a_program_has_a_queue_of_its_own(world: World) -> None:
    world.settings.update("PIPE", {"ApplicationDirectory": "Applications"})
    assert world.route("run@pipe") != world.route("run@pipe")


def _secondary(world: World) -> None:
    world.domains.create("client.example").create_account("mary")


CHANGES: dict[str, tuple[str, Callable[[World], object], Callable[[World], object]]] = {
    # an address, what is so at first, what is changed
    "account-renamed": (
        "john@main.example",
        lambda _: None,
        lambda w: w.main.rename_account(w.main.accounts["john"], "jim"),
    ),
    "account-removed": (
        "john@main.example",
        lambda _: None,
        lambda w: w.main.delete_account(w.main.accounts["john"]),
    ),
    "account-made": (
        "mary@main.example",
        lambda w: w.main.update(
            {"MailToUnknown": "Rerouted to", "MailRerouteAddress": "john@main.example"}
        ),
        lambda w: w.main.create_account("mary"),
    ),
    "domain-setting": (
        "mary@main.example",
        lambda w: w.main.update({"MailToUnknown": "Accepted and Bounced"}),
        lambda w: w.main.update({"MailToUnknown": "Rejected"}),
    ),
    "alias-given-to-another": (
        "office@main.example",
        lambda w: w.main.set_aliases(w.main.accounts["john"], ["office"]),
        lambda w: (
            w.main.set_aliases(w.main.accounts["john"], []),
            w.main.set_aliases(w.main.create_account("mary"), ["office"]),
        ),
    ),
    "alias-taken": (
        "office@main.example",
        lambda w: w.main.set_aliases(w.main.accounts["john"], ["office"]),
        lambda w: w.main.set_aliases(w.main.accounts["john"], []),
    ),
    "forwarder-removed": (
        "away@main.example",
        lambda w: w.main.create_forwarder("away", "john@elsewhere.example"),
        lambda w: w.main.delete_forwarder("away"),
    ),
    "list-made-of-its-owner": (
        "news-admin@main.example",
        lambda w: w.main.create_list("news", "john"),
        lambda w: w.main.rename_account(w.main.accounts["john"], "jim"),
    ),
    "list-renamed": (
        "news-admin@main.example",
        lambda w: w.main.create_list("news", "john"),
        lambda w: w.main.rename_list(w.main.lists["news"], "olds"),
    ),
    "list-removed": (
        "news-admin@main.example",
        lambda w: w.main.create_list("news", "john"),
        lambda w: w.main.delete_list(w.main.lists["news"]),
    ),
    "all-domain-aliases": (
        "root@main.example",
        lambda w: w.settings.update("LOCAL", {"AllDomainAliases": {"root": "john"}}),
        lambda w: w.settings.update("LOCAL", {"AllDomainAliases": {}}),
    ),
    "forward-to": (
        "joe@elsewhere.example",
        lambda _: None,
        lambda w: w.settings.update("SMTP", {"Forward": "relay.example"}),
    ),
    "table": (
        "joe@elsewhere.example",
        lambda _: None,
        lambda w: w.router.set_table("elsewhere.example = there.example"),
    ),
    "options": (
        "joe@elsewhere.sub",
        lambda w: setattr(
            w.router, "settings", RouterOptions(add_to_non_qualified=True, suffix="example")
        ),
        lambda w: w.router.set_table("<joe@elsewhere.sub> = john"),
    ),
    "domain-made": (
        "mary@client.example",
        lambda _: None,
        _secondary,
    ),
    "domain-removed": (
        "mary@client.example",
        _secondary,
        lambda w: w.domains.delete("client.example", force=True),
    ),
    "domain-renamed": (
        "mary@client.example",
        _secondary,
        lambda w: w.domains.rename("client.example", "other.example"),
    ),
    "domain-alias": (
        "mary@alias.example",
        _secondary,
        lambda w: w.domains.set_aliases(w.domains.get("client.example"), ["alias.example"]),
    ),
    "main-domain-renamed": (
        "john@main.example",
        lambda _: None,
        lambda w: w.domains.set_main_name("new.example"),
    ),
    "address-assigned": (
        "john@[10.0.0.2]",
        _secondary,
        lambda w: w.domains.get("client.example").update({"IPAddresses": "10.0.0.2"}),
    ),
    "addresses-of-the-computer": (
        "john@[10.0.0.3]",
        lambda _: None,
        lambda w: setattr(w.network, "addresses", ("10.0.0.1", "10.0.0.3")),
    ),
}


@pytest.mark.parametrize("name", CHANGES)
def test_a_change_is_seen_at_once(world: World, name: str) -> None:
    address, begin, change = CHANGES[name]
    begin(world)
    before = world.route(address)
    assert world.route(address) == before
    change(world)
    assert world.route(address) != before
