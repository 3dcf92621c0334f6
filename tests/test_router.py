"""The Router: the documents' examples with their addresses, and the order of its rules."""

from __future__ import annotations

import pytest
from router_world import Domain, Domains, Local, Smtp, make_router

from reference.kernel.address import AddressSyntaxError
from reference.kernel.router import MAX_ROUNDS, Router, RouterOptions
from reference.kernel.routes import (
    Accept,
    Address,
    BlacklistedAddress,
    Rewrite,
    RoutingError,
    RoutingLoop,
    SpamTrap,
    UnknownAccount,
    UnknownDomain,
)
from reference.kernel.table import DEFAULT_RECORDS, RoutingTable, TableSyntaxError

DOMAINS = Domains(
    Domain(
        "stalker.com",
        is_main=True,
        aliases=("mail.stalker.com",),
        ips=("10.0.0.1", "127.0.0.1"),
        accounts=("john", "support", "postmaster", "bill", "sales.cl2", "unified"),
        forwarders={"jim": "Bill@thatcompany.com", "f1": "f2", "f2": "f1", "f3": "bill"},
    ),
    Domain(
        "Client.com",
        aliases=("mail.client.com",),
        ips=("10.0.0.5",),
        accounts=("john", "bill", "sales"),
        lists={"news": "boss@client1.com", "talk": "bill@client.com"},
        forwarders={"js": "bill@client.com", "far": "u%x@relay.com.smtp"},
    ),
    Domain("localdom", accounts=("john",)),
    Domain("old.com", accounts=("john",), unknown_to="*%old.com@new.com._via"),
    Domain("lost.com", unknown_to="null"),
)


def route(address: str, table: str = "") -> tuple[str, str, str]:
    found = make_router(table, domains=DOMAINS).route(address)
    return found.module, found.host, found.address


@pytest.mark.parametrize(
    ("table", "address", "expected"),
    [
        # Main Domain
        ("", "support", ("LOCAL", "support", "")),
        ("", "support@Stalker.COM", ("LOCAL", "support", "")),
        ("", "<@stalker.com:sales@gamma.com>", ("SMTP", "gamma.com", "sales@gamma.com")),
        ("", "stalker.com!gamma.com!sales", ("SMTP", "gamma.com", "sales@gamma.com")),
        ("", "sales%gamma.com@stalker.com", ("SMTP", "gamma.com", "sales@gamma.com")),
        ("", "john%stalker.com@stalker.com", ("LOCAL", "john", "")),
        ("", "john%client.com", ("LOCAL", "john@Client.com", "")),
        ("stalker.com = elsewhere.com", "john@stalker.com", ("LOCAL", "john", "")),
        ("<sales@stalker.com> = bill", "john@stalker.com", ("LOCAL", "john", "")),
        # Restart after a record
        ("b.x = c.x\na.x = b.x", "u@a.x", ("SMTP", "c.x", "u@c.x")),
        ("<sales> = support", "sales@stalker.com", ("LOCAL", "support", "")),
        (
            "<sales> = Bill@thatcompany.com",
            "sales",
            ("SMTP", "thatcompany.com", "Bill@thatcompany.com"),
        ),
        ("<sales@client.com> = Bill", "sales@client.com", ("LOCAL", "bill", "")),
        ("<sales> = Bill", "sales@client.com", ("LOCAL", "sales@Client.com", "")),
        ("h.x = h.x@relay.x", "u@h.x", ("SMTP", "relay.x", "u%h.x@relay.x")),
        ("x = client.com", "john@x", ("LOCAL", "john@Client.com", "")),
        ("test.com = Unified.local", "a@test.com", ("LOCAL", "unified", "a")),
        ("<*@client2.com> = *.cl2", "sales@client2.com", ("LOCAL", "sales.cl2", "")),
        ("other.example =", "john@other.example", ("LOCAL", "john", "")),
        ("other.example =", "u%far.com@other.example", ("SMTP", "far.com", "u@far.com")),
        (DEFAULT_RECORDS, "root@stalker.com", ("LOCAL", "postmaster", "")),
        (DEFAULT_RECORDS, "john@localhost", ("LOCAL", "john", "")),
        (DEFAULT_RECORDS, "blacklist-admin%stalker.com@blacklisted", ("LOCAL", "postmaster", "")),
        # SMTP suffixes and ports
        (
            "client1.com = client1.com@relay\nrelay = host.com.smtp",
            "user@client1.com",
            ("SMTP", "host.com", "user@client1.com"),
        ),
        (
            "client1.com = client1.com@relay\nrelay = host.com",
            "user@client1.com",
            ("SMTP", "host.com", "user%client1.com@host.com"),
        ),
        (
            "op = 127.0.0.1.26._via\nc57.com = c57.com@op",
            "u@c57.com",
            ("SMTP", "127.0.0.1.26", "u@c57.com"),
        ),
        ("local.com = [192.0.0.5:26]", "user@local.com", ("SMTP", "[192.0.0.5:26]", "user")),
        ("*.stalker.com = stalker.com", "john@sub.stalker.com", ("LOCAL", "john", "")),
        # Special addresses
        ("", "user@NULL", ("SYSTEM", "NULL", "user@null")),
        ("", "Null@stalker.com", ("SYSTEM", "NULL", "Null")),
        ("bad.company.com = null", "x@bad.company.com", ("SYSTEM", "NULL", "x@null")),
        ("<junk> = null", "junk@stalker.com", ("SYSTEM", "NULL", "null")),
        ("", "mailer-daemon@stalker.com", ("SYSTEM", "NULL", "NULL")),
        ("<null> = john", "MAILER-DAEMON", ("LOCAL", "john", "")),
        ("<error> = john", "error", ("LOCAL", "john", "")),
        # .here
        ("", "john@client.com.here", ("LOCAL", "john@Client.com", "")),
        ("client.com = client.com.here", "john@client.com", ("LOCAL", "john@Client.com", "")),
        ("*.com = *.org", "john@mail.client.com.here", ("LOCAL", "john@Client.com", "")),
        ("<john> = bill", "john@stalker.com.here", ("LOCAL", "john", "")),
        ("", "u%far.com@stalker.com.here", ("SMTP", "far.com", "u@far.com")),
        ("", "null@stalker.com.here", ("SYSTEM", "NULL", "null")),
        ("client.com = x.com", "news@client.com.here", ("LIST", "news@Client.com", "")),
        # IP addresses
        ("", "user@10.34.45.67", ("SMTP", "[10.34.45.67]", "user")),
        (
            "[10.34.45.67] = some.example",
            "u@10.034.45.67",
            ("SMTP", "some.example", "u@some.example"),
        ),
        ("[10.0.0.1] = some.example", "u@[10.0.0.1]", ("SMTP", "some.example", "u@some.example")),
        ("10.0.0.1 = some.example", "u@10.0.0.1", ("SMTP", "some.example", "u@some.example")),
        ("", "john@[10.0.0.5]", ("LOCAL", "john@Client.com", "")),
        ("", "john@[10.0.0.5:25]", ("LOCAL", "john@Client.com", "")),
        ("", "john@[10.0.0.5:26]", ("SMTP", "[10.0.0.5:26]", "john")),
        ("", "john@10.0.0.1", ("LOCAL", "john", "")),
        ("", "user%gamma.com@[10.0.0.1]", ("SMTP", "gamma.com", "user@gamma.com")),
        # Domain aliases: after the table
        ("", "john@MAIL.client.com", ("LOCAL", "john@Client.com", "")),
        ("", "john@mail.stalker.com", ("LOCAL", "john", "")),
        ("", "u%far.com@mail.stalker.com", ("SMTP", "far.com", "u@far.com")),
        ("mail.client.com = stalker.com", "john@mail.client.com", ("LOCAL", "john", "")),
        ("<john@client.com> = bill", "john@mail.client.com", ("LOCAL", "bill", "")),
        # Modules in two passes
        ("", "news@client.com", ("LIST", "news@Client.com", "")),
        ("", "talk-admin@client.com", ("LOCAL", "bill@Client.com", "")),
        (
            "client1.com = new.client1.com",
            "news-admin@client.com",
            ("SMTP", "new.client1.com", "boss@new.client1.com"),
        ),
        ("<news@client.com> = Bill", "news@client.com", ("LOCAL", "bill", "")),
        # Forwarders
        ("", "jim@stalker.com", ("SMTP", "thatcompany.com", "Bill@thatcompany.com")),
        ("", "f3", ("LOCAL", "bill", "")),
        ("", "js@client.com", ("LOCAL", "bill@Client.com", "")),
        # Unknown names
        ("", "aname@old.com", ("SMTP", "new.com", "aname@old.com")),
        ("", "nobody@lost.com", ("SYSTEM", "NULL", "null")),
    ],
)
def test_where_addresses_lead(table: str, address: str, expected: tuple[str, str, str]) -> None:
    assert route(address, table) == expected


@pytest.mark.parametrize(
    ("table", "address", "kind", "text"),
    [
        ("", "nobody@stalker.com", UnknownAccount, "unknown account"),
        ("<sales@stalker.com> = Bill", "sales@stalker.com", UnknownAccount, "unknown account"),
        ("", "null@client.com", UnknownAccount, "unknown account"),
        ("", "spamtrap@client.com", UnknownAccount, "unknown account"),
        ("", '"user@far.com"', UnknownAccount, "unknown account"),
        ("", '"user@far.com"@stalker.com', UnknownAccount, "unknown account"),
        ("", "user%@stalker.com", UnknownAccount, "unknown account"),
        ("", "user@nosuchhost", UnknownDomain, "nosuchhost is not a known domain"),
        ("", "user@uucphost.uucp", UnknownDomain, "uucphost.uucp"),
        ("", "user@nolocal.example.here", UnknownDomain, "nolocal.example is not a local domain"),
        ("", "user@ERROR", BlacklistedAddress, "Blacklisted Address"),
        ("", "ERROR@stalker.com", BlacklistedAddress, "Blacklisted Address"),
        ("bad.com = error", "any@bad.com", BlacklistedAddress, "Blacklisted Address"),
        ("<junk> = error", "junk", BlacklistedAddress, "Blacklisted Address"),
        ("", "user@BlackListed", BlacklistedAddress, "Blacklisted Address"),
        ("", "BlackListed@stalker.com", BlacklistedAddress, "Blacklisted Address"),
        (DEFAULT_RECORDS, "john%stalker.com@blacklisted", BlacklistedAddress, "Blacklisted"),
        ("", "spamtrap@stalker.com", SpamTrap, "Blacklisted Address"),
        ("<misterX> = spamtrap", "misterx", SpamTrap, "Blacklisted Address"),
        ("", "f1@stalker.com", RoutingLoop, "leads back to itself"),
        ("a.x = b.x\nb.x = a.x", "u@a.x", RoutingLoop, "routing loop: u@a.x leads back"),
        ("a.x = a.x", "u@a.x", RoutingLoop, "leads back to itself"),
        ("client.com = mail.client.com", "u@client.com", RoutingLoop, "leads back to itself"),
        ("<*> = x*", "u", RoutingLoop, f"no end after {MAX_ROUNDS} rounds"),
        ("<*> = ****", "user", RoutingLoop, "longer and longer"),
        ("x.y = " + "a" * 500 + ".b@x.y", "u@x.y", RoutingLoop, "longer and longer"),
        ("*.x = a.*.x", "u@b.x", RoutingLoop, "no end"),
        ("", "a b@c", AddressSyntaxError, "a blank stands within the address"),
        ("<ext-*@c> = user@*.example", "ext-a%b@c", AddressSyntaxError, "is not a domain name"),
    ],
)
def test_where_addresses_do_not_lead(
    table: str, address: str, kind: type[RoutingError], text: str
) -> None:
    with pytest.raises(RoutingError) as caught:
        route(address, table)
    assert type(caught.value) is kind
    assert text in caught.value.text
    assert caught.value.address


def test_the_steps_and_the_marker_of_the_documents_example() -> None:
    domains = Domains(Domain("mydomain.com", is_main=True))
    table = (
        "<joe> = joe5@bigprovdier.com\nNoRelay:bigprovdier.com = bigprovdier.com@relay3.com.smtp"
    )
    found = make_router(table, domains=domains).route("joe@mydomain.com")
    assert [(step.address, step.marker) for step in found.steps] == [
        ("joe", False),
        ("joe5@bigprovdier.com", True),
        ("joe5%bigprovdier.com@relay3.com.smtp", True),
        ("joe5@bigprovdier.com", True),
    ]
    assert [step.rule for step in found.steps] == [
        "Main Domain",
        "Router record <joe> = joe5@bigprovdier.com",
        "Router record NoRelay:bigprovdier.com = bigprovdier.com@relay3.com.smtp",
        "SMTP accepts for relay3.com",
    ]
    assert (found.original, found.marker) == (Address("joe", "mydomain.com"), True)


@pytest.mark.parametrize(
    ("table", "address", "marker"),
    [
        ("", "user@far.com", False),
        ("", "user%far.com@stalker.com", False),
        ("<user> = user@other.host", "user", True),
        ("NoRelay:<user> = user@other.host", "user", False),
        ("N:a.com = b.com\nRelay:b.com = c.com", "u@a.com", True),
        ("Relay:a.com = b.com\nN:b.com = c.com", "u@a.com", True),
        ("big.com = big.com@relay.com.smtp", "u@big.com", True),
        ("N:big.com = big.com@relay\nrelay = relay.com.smtp", "u@big.com", False),
        ("c.com = d.com", "u%far.com@c.com", False),
        ("RelayAll:c.com = d.com", "u%far.com@c.com", True),
        ("<*@c.com> = *", "victim%far.com@c.com", False),
        ("other.example =", "victim%far.com@other.example", False),
        ("", "jim@stalker.com", True),
        ("", "far@client.com", True),
        ("", "aname@old.com", True),
        ("", "victim%far.com@old.com", False),
        ("", '"victim@far.com"@old.com', False),
    ],
)
def test_the_marker_is_set_by_records_and_forwarders_for_simple_addresses(
    table: str, address: str, marker: bool
) -> None:
    assert make_router(table, domains=DOMAINS).route(address).marker is marker


@pytest.mark.parametrize(
    ("address", "simple"),
    [
        ("john@client.com", True),
        ("u%far.com@stalker.com", False),
        ("u%far.com", True),
        ("<@stalker.com:u@far.com>", False),
        ('"user name"@far.com', False),
        (Address("user", "FAR.com"), True),
        (Address("user%x", "far.com"), False),
        (Address('"user name"', "far.com"), False),
    ],
)
def test_simple_is_told_of_the_original_address(address: str | Address, simple: bool) -> None:
    table = "NoRelay:client.com = x@relay.com"
    found = make_router(table, domains=DOMAINS).route(address)
    assert found.simple is simple
    assert found.original.domain == found.original.domain.lower()


@pytest.mark.parametrize(
    ("table", "address", "expected"),
    [
        ("", "user@someserver", "user@someserver.myorg.org"),
        ("someserver.myorg.org = other.example", "user@someserver", "user@other.example"),
        ("server1 = special.example", "user@server1", "user@special.example"),
        ("", "user@some.server", "user@some.server"),
        ("", "john@localdom", ""),
    ],
)
def test_non_qualified_domain_names(table: str, address: str, expected: str) -> None:
    settings = RouterOptions(add_to_non_qualified=True, suffix=".myorg.org")
    router = make_router(table, domains=DOMAINS, settings=settings)
    assert router.route(address).address == expected


@pytest.mark.parametrize(
    "settings",
    [
        RouterOptions(add_to_non_qualified=False, suffix="myorg.org"),
        RouterOptions(add_to_non_qualified=True, suffix=""),
        RouterOptions(add_to_non_qualified=True, suffix="my org"),
    ],
)
def test_a_name_that_is_not_completed_is_unknown(settings: RouterOptions) -> None:
    with pytest.raises(UnknownDomain):
        make_router(domains=DOMAINS, settings=settings).route("user@someserver")


def test_an_error_has_the_way_so_far() -> None:
    with pytest.raises(UnknownAccount) as caught:
        route("sales@stalker.com", "<sales> = nobody")
    assert [step.address for step in caught.value.steps] == ["sales", "nobody"]
    assert caught.value.address == "sales@stalker.com"


def test_a_bad_table_changes_nothing() -> None:
    router = make_router("<sales> = john", domains=DOMAINS)
    with pytest.raises(TableSyntaxError):
        router.set_table("<sales> = bill\n<sales")
    assert router.route("sales").host == "john"
    router.set_table("<sales> = bill")
    assert router.route("sales").host == "bill"
    assert router.table.text == "<sales> = bill"


def test_record_types_and_modules_go_by_purpose() -> None:
    class Closed:
        name = "CLOSED"

        def route(self, address: Address, *, final: bool) -> Accept | Rewrite | None:
            raise UnknownAccount("no logins")

    router = Router(
        table=RoutingTable.parse("Mail:<sales> = john\nAccess:<sales> = bill"),
        domains=DOMAINS,
        modules=[Local(DOMAINS), Smtp()],
    )
    assert router.route("sales").host == "john"
    assert router.route("sales", purpose="access").host == "bill"
    router.access_modules = (Closed(),)
    assert router.route("sales").host == "john"
    with pytest.raises(UnknownAccount, match="no logins"):
        router.route("sales", purpose="access")


def test_a_module_may_name_another_as_the_one_that_takes_the_address() -> None:
    class Discards:
        name = "LOCAL"

        def route(self, address: Address, *, final: bool) -> Accept | None:
            return Accept("NULL", "", module="SYSTEM")

    router = Router(table=RoutingTable.parse(""), domains=DOMAINS, modules=[Discards()])
    assert router.route("anybody").module == "SYSTEM"


class Log:
    def __init__(self, level: int) -> None:
        self._level = level
        self.records: list[tuple[int, str, str]] = []

    def on(self, tag: str, level: int) -> bool:
        return tag == "ROUTER" and level <= self._level

    def write(self, level: int, tag: str, text: str) -> None:
        self.records.append((level, tag, text))


@pytest.mark.parametrize(
    ("level", "expected"),
    [
        (0, []),
        (1, [(1, "ROUTER", "failed to route 'nobody': unknown account")]),
        (
            2,
            [
                (2, "ROUTER", "sales routed to LOCAL(john)"),
                (1, "ROUTER", "failed to route 'nobody': unknown account"),
            ],
        ),
        (
            4,
            [
                (4, "ROUTER", "Router record <sales> = john: john"),
                (4, "ROUTER", "LOCAL accepts for john: "),
                (2, "ROUTER", "sales routed to LOCAL(john)"),
                (1, "ROUTER", "failed to route 'nobody': unknown account"),
            ],
        ),
    ],
)
def test_the_log_tells_as_much_as_its_level_asks(
    level: int, expected: list[tuple[int, str, str]]
) -> None:
    log = Log(level)
    router = Router(
        table=RoutingTable.parse("<sales> = john"),
        domains=DOMAINS,
        modules=[Local(DOMAINS)],
        log=log,
    )
    router.route("sales")
    with pytest.raises(UnknownAccount):
        router.route("nobody")
    assert log.records == expected
