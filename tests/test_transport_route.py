"""Routing by the modules: SMTP's suffixes and ports, local objects, lists."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from queue_world import FakeSettings
from transport_world import make_domains

from reference.kernel.router import Router
from reference.kernel.routes import (
    Accept,
    Address,
    Rewrite,
    RoutingError,
    RoutingLoop,
    UnknownAccount,
)
from reference.kernel.table import RoutingTable
from reference.storage.domains import Domains
from reference.transport.lists import ListRouting
from reference.transport.local import LocalRouting
from reference.transport.smtp_route import SMTPRouting, forward_queue, percent_to_at, via

LOCAL_SETTINGS = FakeSettings(
    more={
        ("LOCAL", "DirectMailbox"): True,
        ("LOCAL", "AccountDetail"): "Disabled",
        ("LOCAL", "AllDomainAliases"): {},
    }
)


def smtp(forward: str = "") -> SMTPRouting:
    return SMTPRouting(settings=FakeSettings(more={("SMTP", "Forward"): forward}))


# SMTP ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("domain", "local", "queue", "address"),
    [
        ("host.com.smtp", "user", "host.com", "user"),
        ("host.com.smtp", "user%client1.com", "host.com", "user@client1.com"),
        ("host.com.smtp", "user%a.com%b.com", "host.com", "user%a.com@b.com"),
        ("host.com._via", "user%client1.com", "host.com", "user@client1.com"),
        ("lanhost.smtp", "user", "lanhost", "user"),
        ("mail.stalker.com.26.smtp", "user", "mail.stalker.com:26", "user"),
        ("relay.domain.25._via", "user%target.domain", "relay.domain:25", "user@target.domain"),
        ("127.0.0.1.26._via", "user", "[127.0.0.1:26]", "user"),
        ("11.22.33.44._via", "user", "[11.22.33.44]", "user"),
        ("[11.22.33.44].26.smtp", "user", "[11.22.33.44:26]", "user"),
        ("26.smtp", "user", "26", "user"),
        ("[12.34.56.78]", "user", "[12.34.56.78]", "user@[12.34.56.78]"),
        ("[192.0.0.5:26]", "user", "[192.0.0.5:26]", "user@[192.0.0.5]"),
        ("[12.34.56.78]", "user%a.com", "[12.34.56.78]", "user%a.com@[12.34.56.78]"),
    ],
)
def test_smtp_takes_at_once(domain: str, local: str, queue: str, address: str) -> None:
    assert smtp().route(Address(local, domain), final=False) == Accept(queue, address)
    assert smtp("mail.provider.com").route(Address(local, domain), final=False) == Accept(
        queue, address
    )


@pytest.mark.parametrize("domain", ["faraway.net", "smtp", ".smtp", "a.smtp.com", "host.com"])
def test_smtp_leaves_ordinary_domains_for_later(domain: str) -> None:
    assert smtp().route(Address("user", domain), final=False) is None


@pytest.mark.parametrize("port", ["0", "65536", "99999999999"])
def test_smtp_refuses_a_port_that_is_none(port: str) -> None:
    with pytest.raises(RoutingError):
        smtp().route(Address("user", f"host.com.{port}.smtp"), final=False)


def test_a_wakeup_address_of_the_main_domain() -> None:
    assert smtp().route(Address("client.dom-wakeup", ""), final=False) == Accept("client.dom", "")
    assert smtp().route(Address("Client.Dom-WAKEUP", ""), final=False) == Accept("client.dom", "")
    assert smtp().route(Address("-wakeup", ""), final=False) is None
    assert smtp().route(Address("john", ""), final=False) is None
    assert smtp().route(Address("client.dom-wakeup", "other.com"), final=False) is None


@pytest.mark.parametrize(
    ("domain", "taken"),
    [
        ("faraway.net", True),
        ("any.unknown.example", True),
        ("nodots", False),
        ("nodots.", False),
        ("", False),
        ("uucphost.uucp", False),
    ],
)
def test_smtp_finally_takes_domains_with_a_dot(domain: str, taken: bool) -> None:
    answer = smtp().route(Address("user%x", domain), final=True)
    assert answer == (Accept(domain, f"user%x@{domain}") if taken else None)


@pytest.mark.parametrize(
    ("setting", "queue"),
    [
        ("mail.provider.com", "mail.provider.com"),
        (" Mail.Provider.COM ", "mail.provider.com"),
        ("10.0.0.9", "[10.0.0.9]"),
        ("10.0.0.9, 10.0.0.8", "10.0.0.9,10.0.0.8"),
        ("mail.provider.com:587", "mail.provider.com:587"),
    ],
)
def test_forward_to_takes_the_rest(setting: str, queue: str) -> None:
    assert forward_queue(setting) == queue
    answer = smtp(setting).route(Address("user", "faraway.net"), final=True)
    assert answer == Accept(queue, "user@faraway.net")


locals_ = st.text('ab%@"\\. ', max_size=12)


@given(locals_)
def test_percent_rule(local: str) -> None:
    changed = percent_to_at(local)
    tail = local[local.rfind('"') + 1 :]
    if "@" in tail or "%" not in tail:
        assert changed == local
    else:
        at = local.rindex("%")
        assert changed == local[:at] + "@" + local[at + 1 :]
        assert percent_to_at(changed) == changed


def test_percent_rule_leaves_quoted_text_alone() -> None:
    assert percent_to_at('"a%b"') == '"a%b"'
    assert percent_to_at('"a@b"%c.com') == '"a@b"@c.com'


labels = st.from_regex(r"[a-z][a-z0-9-]{0,8}", fullmatch=True)


@given(st.lists(labels, min_size=1, max_size=4).map(".".join), st.integers(1, 65535))
def test_port_rule(host: str, port: int) -> None:
    assert via(host) == host
    assert via(f"{host}.{port}") == f"{host}:{port}"


@given(st.ip_addresses(v=4).map(str), st.integers(1, 65535))
def test_port_rule_for_addresses(ip: str, port: int) -> None:
    assert via(ip) == f"[{ip}]"
    assert via(f"{ip}.{port}") == f"[{ip}:{port}]"


# LOCAL -----------------------------------------------------------------------------------------


@pytest.fixture
def domains(tmp_path: Path) -> Domains:
    found = make_domains(tmp_path, "company.com", "client1.com")
    for name in ("postmaster", "john", "cl1"):
        found.main.create_account(name)
    client = found.get("client1.com")
    assert client is not None
    for name in ("postmaster", "info", "unknowns"):
        client.create_account(name)
    return found


def local(domains: Domains, address: str, *, final: bool = True) -> Accept | Rewrite | None:
    name, _, domain = address.partition("@")
    return LocalRouting(domains=domains, settings=LOCAL_SETTINGS).route(
        Address(name, domain), final=final
    )


@pytest.mark.parametrize(
    ("address", "queue", "real_to"),
    [
        ("abcdef@cl1.local", "cl1", "abcdef"),
        ("a%b@Cl1.local", "cl1", "a%b"),
        ("abcdef%info@client1.com.domain", "info@client1.com", "abcdef"),
        ("a%b%info@client1.com.domain", "info@client1.com", "a%b"),
        ("info@client1.com.domain", "info@client1.com", ""),
        ("x%john@company.com.domain", "john", "x"),
    ],
)
def test_unified_accounts_on_the_first_call(
    domains: Domains, address: str, queue: str, real_to: str
) -> None:
    assert local(domains, address, final=False) == Accept(queue, real_to)


@pytest.mark.parametrize("address", ["john", "info@client1.com", "x@target.domain", "x@local"])
def test_all_else_waits_for_the_final_call(domains: Domains, address: str) -> None:
    assert local(domains, address, final=False) is None


@pytest.mark.parametrize(
    ("address", "queue"),
    [("john", "john"), ("John", "john"), ("info@client1.com", "info@client1.com")],
)
def test_accounts_on_the_final_call(domains: Domains, address: str, queue: str) -> None:
    assert local(domains, address) == Accept(queue, "")


def test_foreign_domains_are_left(domains: Domains) -> None:
    assert local(domains, "john@faraway.net") is None


def test_an_alias_leads_to_the_account(domains: Domains) -> None:
    domains.main.set_aliases(domains.main.accounts["john"], ["jo"])
    assert local(domains, "jo") == Accept("john", "")
    assert local(domains, "x@jo.local", final=False) == Accept("john", "x")


@pytest.mark.parametrize("address", ["nosuch", "nosuch@client1.com"])
def test_unknown_names_are_rejected(domains: Domains, address: str) -> None:
    with pytest.raises(UnknownAccount, match="unknown account"):
        local(domains, address)


def test_a_unified_account_that_does_not_exist_is_unknown(domains: Domains) -> None:
    with pytest.raises(UnknownAccount):
        local(domains, "x@nosuch.local", final=False)


def test_each_domain_has_its_own_policy(domains: Domains) -> None:
    client = domains.get("client1.com")
    assert client is not None
    client.update({"MailToUnknown": "Discarded"})
    assert local(domains, "nosuch@client1.com") == Accept("NULL", "", module="SYSTEM")
    assert local(domains, "info@client1.com") == Accept("info@client1.com", "")
    with pytest.raises(UnknownAccount):
        local(domains, "nosuch")


def test_rerouted_unknown_names(domains: Domains) -> None:
    domains.main.update(
        {"MailToUnknown": "Rerouted to", "MailRerouteAddress": "bad-*@monitoring.department.com"}
    )
    answer = local(domains, "james")
    assert isinstance(answer, Rewrite)
    assert answer.address == "bad-james@monitoring.department.com"
    assert answer.relay


def test_reroute_without_an_address_rejects(domains: Domains) -> None:
    domains.main.update({"MailToUnknown": "Rerouted to"})
    with pytest.raises(UnknownAccount):
        local(domains, "james")


def test_accepted_and_bounced_names_go_to_the_module(domains: Domains) -> None:
    for name in ("", "client1.com"):
        domain = domains.get(name)
        assert domain is not None
        domain.update({"MailToUnknown": "Accepted and Bounced"})
    assert local(domains, "nosuch") == Accept("nosuch", "")
    assert local(domains, "nosuch@client1.com") == Accept("nosuch@client1.com", "")


@pytest.mark.parametrize(
    ("domain", "target", "address"),
    [
        ("client1.com", "john@otherdomain.dom", "john@otherdomain.dom"),
        ("client1.com", "info", "info@client1.com"),
        ("client1.com", "a%b.com", "a%b.com"),
        ("company.com", "john", "john"),
    ],
)
def test_forwarders(domains: Domains, domain: str, target: str, address: str) -> None:
    found = domains.get(domain)
    assert found is not None
    found.create_forwarder("jim", target)
    answer = local(domains, "jim" if found.is_main else f"jim@{domain}")
    assert isinstance(answer, Rewrite)
    assert answer.relay
    assert answer.address == address


def test_a_forwarder_is_resolved_by_the_router(domains: Domains) -> None:
    client = domains.get("client1.com")
    assert client is not None
    client.create_forwarder("f1", "f2")
    client.create_forwarder("f2", "info")
    client.create_forwarder("loop1", "loop2")
    client.create_forwarder("loop2", "loop1")
    router = Router(
        table=RoutingTable.parse(""),
        domains=domains,
        modules=[LocalRouting(domains=domains, settings=LOCAL_SETTINGS), smtp()],
    )
    route = router.route("f1@client1.com")
    assert (route.module, route.host, route.marker) == ("LOCAL", "info@client1.com", True)
    with pytest.raises(RoutingLoop):
        router.route("loop1@client1.com")


# LIST ------------------------------------------------------------------------------------------


def test_lists(domains: Domains) -> None:
    client = domains.get("client1.com")
    assert client is not None
    client.create_list("sports", "info")
    domains.main.create_list("news", "john")
    routing = ListRouting(domains=domains)
    assert routing.route(Address("Sports", "client1.com"), final=False) == Accept(
        "sports@client1.com", ""
    )
    assert routing.route(Address("news", ""), final=False) == Accept("news", "")
    for local_part in ("sports-admin", "sports-request", "Sports-Admin"):
        answer = routing.route(Address(local_part, "client1.com"), final=False)
        assert isinstance(answer, Rewrite)
        assert answer.address == "info@client1.com"
    for local_part, domain in [
        ("sports", ""),
        ("info", "client1.com"),
        ("-admin", "client1.com"),
        ("sports-owner", "client1.com"),
        ("sports", "faraway.net"),
    ]:
        assert routing.route(Address(local_part, domain), final=False) is None
    assert routing.route(Address("news", ""), final=True) is None


def test_an_account_comes_before_the_owner_address_of_a_list(domains: Domains) -> None:
    domains.main.create_list("news", "john")
    domains.main.create_account("news-admin")
    assert ListRouting(domains=domains).route(Address("news-admin", ""), final=False) is None
