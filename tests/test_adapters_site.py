"""What a scenario asks for is taken or complained about: sites, settings, lists of addresses."""

from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given as when
from hypothesis import strategies as st

from conformance.adapters.addresses import AddressList
from conformance.adapters.certificates import certificates
from conformance.adapters.dovecot import dovecot, has_service
from conformance.adapters.listeners import Listener, listeners_of
from conformance.adapters.site import DEFAULT_ROUTER, Site
from conformance.adapters.target import changed
from conformance.scenario.model import AccountSpec, DomainSpec, Given, ListSpec
from conformance.targets.base import NotApplicable, TargetError

GIVEN = Given(
    main_domain="a.com",
    domains=(
        DomainSpec(
            "a.com",
            accounts=(AccountSpec("john", aliases=("jo",), password="swordfish"),),
            settings={"Mail to All": "anybody"},
        ),
        DomainSpec("b.com", addresses=("10.0.0.2",), accounts=(AccountSpec("ann"),)),
    ),
    addresses=("10.0.0.1", "10.0.0.2"),
    clients=("10.1.1.1-10.1.1.4 ; the office",),
    settings={"SMTP": {"Retry Every": "30m", "Message Size Limit": "100K"}},
)


def test_what_nobody_takes_is_named() -> None:
    site = Site(GIVEN)
    with pytest.raises(NotApplicable) as complaint:
        site.check()
    for name in ("clients", "domain b.com: addresses", "SMTP RetryInterval", "SMTP MessageLimit"):
        assert name in str(complaint.value)
    assert "domain a.com: Domain MailToAllAction" in str(complaint.value)


def test_what_is_read_is_taken() -> None:
    site = Site(GIVEN)
    assert site.settings.seconds("SMTP", "RetryInterval") == 1800
    assert site.settings.size("SMTP", "MessageLimit") == 102400
    assert "10.1.1.3" in site.clients
    assert site.domains[1].addresses == ("10.0.0.2",)
    assert site.domains[0].settings.choice("Domain", "MailToAllAction", {"anybody": True}, False)
    site.check()


@pytest.mark.parametrize(
    "spec",
    [
        DomainSpec("a.com", lists=(ListSpec("news", "postmaster"),)),
        DomainSpec("a.com", forwarders={"fw": "x@y.z"}),
        DomainSpec("a.com", aliases=("c.com",)),
        DomainSpec("a.com", accounts=(AccountSpec("john", rights=("Can Modify Server",)),)),
        DomainSpec("a.com", accounts=(AccountSpec("john", settings={"Mail Storage": "1M"}),)),
    ],
)
def test_every_part_of_a_domain_is_a_wish(spec: DomainSpec) -> None:
    with pytest.raises(NotApplicable):
        Site(Given(main_domain="a.com", domains=(spec,))).check()


@pytest.mark.parametrize("name", ["router", "client_names", "blacklisted", "white_holes"])
def test_every_key_of_given_is_a_wish(name: str) -> None:
    value = "a = b" if name == "router" else ("10.1.1.1",)
    site = Site(Given(**{name: value}))  # type: ignore[arg-type]
    with pytest.raises(NotApplicable, match=name.replace("_", " ")):
        site.check()
    assert getattr(site, name)
    site.check()


def test_a_silent_scenario_wants_the_default_table_and_postmaster() -> None:
    site = Site(Given())
    assert site.router == DEFAULT_ROUTER
    assert [account.name for account in site.domains[0].accounts] == ["postmaster"]
    site.check()


def test_a_value_without_a_meaning_is_not_applicable() -> None:
    settings = Site(Given(settings={"SMTP": {"Relay to Clients": "sometimes"}})).settings
    with pytest.raises(NotApplicable, match="RelayToClients = sometimes"):
        settings.choice("SMTP", "RelayToClients", {"no": False}, True)


def test_a_refusal_gives_its_reason_but_for_harmless_values() -> None:
    settings = Site(Given(settings={"SMTP": {"Check SPF records": "nobody"}})).settings
    settings.refuse("SMTP", "CheckSPF", "it cannot", "nobody")
    with pytest.raises(NotApplicable, match="SMTP CheckSPF: it cannot"):
        settings.refuse("SMTP", "CheckSPF", "it cannot")


def test_changed_settings_know_labels_and_keywords() -> None:
    found = changed(GIVEN, {"SMTP": {"RetryInterval": "20m"}, "POP": {"Channels": "3"}})
    assert found.settings["SMTP"] == {"RetryInterval": "20m", "MessageLimit": "100K"}
    assert found.settings["POP"] == {"Channels": "3"}


# Addresses


def test_addresses_as_the_documents_write_them() -> None:
    found = AddressList(["10.34.50.01-10.34.50.04", "; a comment", "", "10.1.1.1 ; one"])
    assert [str(network) for network in found.networks] == [
        "10.1.1.1/32",
        "10.34.50.1/32",
        "10.34.50.2/31",
        "10.34.50.4/32",
    ]


@pytest.mark.parametrize("line", ["10.1.1", "a.b.c.d", "10.1.1.9-10.1.1.1", "10.1.1.256"])
def test_what_is_no_address_is_told(line: str) -> None:
    with pytest.raises(TargetError, match="no address and no range"):
        AddressList([line])


@when(st.integers(0, 2**32 - 1), st.integers(0, 70000), st.integers(0, 2**32 - 1))
def test_networks_hold_exactly_the_range(start: int, size: int, other: int) -> None:
    end = min(start + size, 2**32 - 1)
    first, last = ipaddress.IPv4Address(start), ipaddress.IPv4Address(end)
    found = AddressList([f"{first}-{last}"])
    assert sum(network.num_addresses for network in found.networks) == end - start + 1
    assert (str(ipaddress.IPv4Address(other)) in found) == (start <= other <= end)


# Listeners, services, certificates


def test_listeners_are_read_with_their_restrictions() -> None:
    ports = [
        "25",
        {"Port": "465", "Local Address": "10.0.0.2", "SSL/TLS": "yes"},
        {"Port": "26", "Restriction": "Deny", "Addresses": "10.1.1.1"},
    ]
    site = Site(Given(settings={"SMTP": {"Listener Ports": ports}}))
    assert listeners_of(site.settings, "SMTP", 25) == [
        Listener(25),
        Listener(465, "10.0.0.2", tls=True),
        Listener(26, grant=False, addresses=("10.1.1.1",)),
    ]


def test_a_service_must_be_enabled_for_account_and_domain() -> None:
    spec = DomainSpec(
        "a.com",
        accounts=(AccountSpec("john", settings={"AccessModes": ["Mail", "POP"]}),),
        settings={"DomainAccessModes": ["Mail", "IMAP"]},
    )
    (domain,) = Site(Given(main_domain="a.com", domains=(spec,))).domains
    found = {
        service: has_service(service, domain.settings, domain.accounts[0].settings)
        for service in ("Mail", "POP", "IMAP")
    }
    assert found == {"Mail": True, "POP": False, "IMAP": False}


def test_an_address_shows_the_certificate_of_its_domain() -> None:
    own = {"CertificateType": "Custom", "Private Key": "KEY", "Certificate": "CERT\n"}
    given = Given(
        main_domain="a.com",
        addresses=("10.0.0.1", "10.0.0.2", "10.0.0.3"),
        domains=(
            DomainSpec("a.com", settings={"CertificateType": "Test"}),
            DomainSpec("b.com", addresses=("10.0.0.2",), settings=own),
            DomainSpec("c.com", addresses=("10.0.0.3",)),
        ),
    )
    found = certificates(Site(given))
    assert found["10.0.0.1"] is not None
    assert "BEGIN CERTIFICATE" in found["10.0.0.1"].chain
    assert found["10.0.0.2"] is not None
    assert (found["10.0.0.2"].key, found["10.0.0.2"].chain) == ("KEY\n", "CERT\n")
    assert "KEY" not in repr(found["10.0.0.2"])
    assert found["10.0.0.3"] is None


# Dovecot


def users(given: Given) -> list[str]:
    return str(dovecot(Site(given)).files["etc/dovecot-users"].text).splitlines()


def test_an_account_logs_in_by_every_name_of_its_own() -> None:
    logins = {line.partition(":")[0] for line in users(GIVEN)}
    assert logins == {"john@a.com", "jo@a.com", "postmaster@a.com", "ann@b.com", "ann/10.0.0.2"}


def test_logins_can_be_for_clients_only() -> None:
    closed = changed(GIVEN, {"Protection": {"Non-Client IP Addresses": "reject all logins"}})
    (john,) = (line for line in users(closed) if line.startswith("john@"))
    nets = john.partition("allow_nets=")[2].split(",")
    assert nets == ["10.0.0.1/32", "10.0.0.2/32", "10.1.1.1/32", "10.1.1.2/31", "10.1.1.4/32"]
    assert not any("allow_nets" in line for line in users(GIVEN))


def test_what_dovecot_cannot_do_is_not_applicable() -> None:
    port = [{"Port": "110", "Restriction": "Deny", "Addresses": "10.1.1.1"}]
    for settings in ({"POP": {"Listener Ports": port}}, {"IMAP": {"SameAddressLimit": "2"}}):
        with pytest.raises(NotApplicable):
            dovecot(Site(changed(GIVEN, settings)))
